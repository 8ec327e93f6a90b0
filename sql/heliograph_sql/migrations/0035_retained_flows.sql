-- Below a stream's floor a key whose base nothing tells yet keeps its flows: what comes later may tell it.

ALTER TABLE heliograph.retained_positions ALTER COLUMN position DROP NOT NULL;
ALTER TABLE heliograph.retained_positions ADD COLUMN flows jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN heliograph.retained_positions.lifecycle IS 'Its lifecycle at that slot; earlier ones stay as they are; 0 where there is no position.';
COMMENT ON COLUMN heliograph.retained_positions.position IS 'The position as of that slot: columns of perps.positions, decimals as text, times as unix seconds; NULL where only flows are kept.';
COMMENT ON COLUMN heliograph.retained_positions.flows IS 'The flows up to that slot, while nothing among them tells the base: rows of perps.flows as above, in chain order; else empty.';
