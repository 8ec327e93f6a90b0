-- Leases and claims end although the clock is set back; folding anew holds nobody up.

-- A lease or a claim made at a time that has not come yet was made before the clock of the server was set back: its end
-- would be as far away as the clock was moved.

ALTER TABLE heliograph.streams ADD COLUMN leader_renewed timestamptz;
COMMENT ON COLUMN heliograph.streams.leader_renewed IS 'When the lease was renewed last; one from the future counts as ended.';

ALTER TABLE heliograph.claims ADD COLUMN made timestamptz NOT NULL DEFAULT clock_timestamp();
COMMENT ON COLUMN heliograph.claims.made IS 'When it was made or prolonged; a claim from the future counts as ended.';

-- A key is folded anew outside of every lock, and what was folded counts only where no mark came in between.
ALTER TABLE heliograph.dirty
    ADD COLUMN marks bigint NOT NULL DEFAULT 1,
    ADD COLUMN since timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN marked_at timestamptz NOT NULL DEFAULT clock_timestamp();
COMMENT ON COLUMN heliograph.dirty.marks IS 'How often it was marked since it was folded last.';
COMMENT ON COLUMN heliograph.dirty.since IS 'When it was marked first since it was folded last.';
COMMENT ON COLUMN heliograph.dirty.marked_at IS 'When it was marked last.';
