-- How tables are stored, and from where on they are kept.

ALTER TABLE heliograph.streams ADD COLUMN retained_from bigint;
COMMENT ON COLUMN heliograph.streams.retained_from IS 'Rows of slots below are past their retention: they are not written again, and completeness starts here; NULL where all is kept.';
COMMENT ON COLUMN heliograph.coverage.slots IS 'The complete slots. A slot outside may have rows missing; the gaps are the complement from first_slot on. Slots below streams.retained_from count as done: nobody shall fetch them again.';

CREATE TABLE heliograph.storage (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    chunk_interval interval NOT NULL,
    columnstore_after interval
);
INSERT INTO heliograph.storage (chunk_interval) VALUES (INTERVAL '7 days');
COMMENT ON TABLE heliograph.storage IS 'How TimescaleDB stores the tables cut by block_time; from the settings of the process that was started last. One row.';
COMMENT ON COLUMN heliograph.storage.one IS 'Always true.';
COMMENT ON COLUMN heliograph.storage.chunk_interval IS 'Time that one chunk of a hypertable spans.';
COMMENT ON COLUMN heliograph.storage.columnstore_after IS 'Age at which chunks are turned into the columnstore; NULL: never. Only TimescaleDB Community does it.';

CREATE TABLE heliograph.retained_positions (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    position_key text NOT NULL,
    lifecycle integer NOT NULL,
    position jsonb NOT NULL,
    PRIMARY KEY (stream, position_key)
);
COMMENT ON TABLE heliograph.retained_positions IS 'What each position was right below streams.retained_from: folding anew begins with it, since the changes before may be gone.';
COMMENT ON COLUMN heliograph.retained_positions.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.retained_positions.position_key IS 'The position''s key.';
COMMENT ON COLUMN heliograph.retained_positions.lifecycle IS 'Its lifecycle at that slot; earlier ones stay as they are.';
COMMENT ON COLUMN heliograph.retained_positions.position IS 'The position as of that slot: columns of perps.positions, decimals as text, times as unix seconds.';

CREATE TABLE heliograph.retained_balances (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    wallet text NOT NULL,
    asset text NOT NULL,
    free numeric NOT NULL,
    locked numeric NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_slot bigint NOT NULL,
    updated_tx_index integer NOT NULL,
    updated_ordinal integer NOT NULL,
    PRIMARY KEY (stream, wallet, asset)
);
COMMENT ON TABLE heliograph.retained_balances IS 'What each balance was right below streams.retained_from: a correction falls back to it where no later transfer is left.';
COMMENT ON COLUMN heliograph.retained_balances.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.retained_balances.wallet IS 'The wallet.';
COMMENT ON COLUMN heliograph.retained_balances.asset IS 'The asset.';
COMMENT ON COLUMN heliograph.retained_balances.free IS 'As in perps.balances.';
COMMENT ON COLUMN heliograph.retained_balances.locked IS 'As in perps.balances.';
COMMENT ON COLUMN heliograph.retained_balances.updated_at IS 'Block time of the transfer that said so.';
COMMENT ON COLUMN heliograph.retained_balances.updated_slot IS 'Its slot.';
COMMENT ON COLUMN heliograph.retained_balances.updated_tx_index IS 'Its transaction''s position in the block.';
COMMENT ON COLUMN heliograph.retained_balances.updated_ordinal IS 'Its place in the transaction.';
