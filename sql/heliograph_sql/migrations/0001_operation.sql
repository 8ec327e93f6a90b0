-- The operation tables: what is indexed, how far, by whom, and in which order it was committed.
-- No statement here may depend on TimescaleDB; the tables are shaped so that those cut by block_time can become
-- hypertables later with their keys as they stand.

CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE SCHEMA IF NOT EXISTS heliograph;

CREATE TABLE heliograph.streams (
    name text PRIMARY KEY,
    protocol text NOT NULL,
    programs text[] NOT NULL,
    first_slot bigint NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    seq bigint NOT NULL DEFAULT 0,
    head_slot bigint,
    head_time timestamptz,
    final_slot bigint,
    accounts_through bigint,
    leader text,
    leader_expires timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE heliograph.streams IS 'A named set of programs that is indexed, covered, numbered and finalized as one.';
COMMENT ON COLUMN heliograph.streams.first_slot IS 'The first slot that was asked for; completeness is counted from here.';
COMMENT ON COLUMN heliograph.streams.epoch IS 'Grows with each change of leader; a writer of an older epoch is refused.';
COMMENT ON COLUMN heliograph.streams.seq IS 'Number of the latest commit; gap-free and in commit order.';
COMMENT ON COLUMN heliograph.streams.head_slot IS 'Highest slot that any commit covered.';
COMMENT ON COLUMN heliograph.streams.head_time IS 'Time of the last block at or below head_slot, where known.';
COMMENT ON COLUMN heliograph.streams.final_slot IS 'Rows at or below are final; NULL until the first audit.';
COMMENT ON COLUMN heliograph.streams.accounts_through IS 'Context slot of the last account snapshot that was reconciled.';

CREATE TABLE heliograph.coverage (
    stream text PRIMARY KEY REFERENCES heliograph.streams ON DELETE CASCADE,
    slots int8multirange NOT NULL DEFAULT '{}',
    audited int8multirange NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE heliograph.coverage IS 'Which slots are complete; grows in the transaction that writes their rows.';

CREATE TABLE heliograph.claims (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    slots int8range NOT NULL,
    holder text NOT NULL,
    expires timestamptz NOT NULL,
    EXCLUDE USING gist (stream WITH =, slots WITH &&)
);
COMMENT ON TABLE heliograph.claims IS 'Ranges that a writer is fetching now, so that no two fetch the same.';

CREATE TABLE heliograph.commits (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    seq bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('apply', 'correct', 'amend', 'accounts')),
    origin text NOT NULL CHECK (origin IN ('live', 'heal', 'backfill', 'replay')),
    first_slot bigint NOT NULL,
    last_slot bigint NOT NULL,
    first_time timestamptz,
    last_time timestamptz,
    row_count integer NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream, seq)
);
COMMENT ON TABLE heliograph.commits IS 'The commit log: subscriptions read it by seq, so order and resume come for free.';
COMMENT ON COLUMN heliograph.commits.first_time IS 'Block time of the first slot that holds rows; NULL where none does.';

CREATE TABLE heliograph.slots (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    slot bigint NOT NULL,
    blockhash text,
    parent bigint,
    block_time timestamptz NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (stream, slot)
);
CREATE INDEX slots_by_seq ON heliograph.slots (stream, seq, slot);
CREATE INDEX slots_by_time ON heliograph.slots (stream, block_time, slot);
COMMENT ON TABLE heliograph.slots IS 'Every covered slot that holds a transaction of the stream; seq is the commit that last wrote it.';

CREATE TABLE heliograph.transactions (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    signature text NOT NULL,
    err jsonb,
    err_name text,
    fee bigint,
    fee_payer text,
    priority_fee bigint,
    compute_units bigint,
    version text,
    truncated boolean NOT NULL,
    PRIMARY KEY (block_time, slot, tx_index, stream)
);
CREATE INDEX transactions_truncated ON heliograph.transactions (stream, slot, block_time) WHERE truncated;
COMMENT ON TABLE heliograph.transactions IS 'Every transaction that mentions a program of the stream, failed ones too.';
COMMENT ON COLUMN heliograph.transactions.err IS 'The cluster''s error, NULL where the transaction succeeded.';
COMMENT ON COLUMN heliograph.transactions.err_name IS 'The IDL''s name of a custom error.';
COMMENT ON COLUMN heliograph.transactions.fee IS 'Lamports, priority fee included; NULL where only the log lines were fetched.';
COMMENT ON COLUMN heliograph.transactions.truncated IS 'The cluster cut the log lines; events by log may be missing.';

CREATE TABLE heliograph.signatures (
    signature text NOT NULL,
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL
);
CREATE INDEX signatures_by_signature ON heliograph.signatures USING hash (signature);
CREATE INDEX signatures_by_slot ON heliograph.signatures (stream, slot);
COMMENT ON TABLE heliograph.signatures IS 'Where a signature stands; not cut by time.';

CREATE TABLE heliograph.idls (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    program text NOT NULL,
    first_slot bigint NOT NULL,
    sha256 text NOT NULL,
    idl jsonb NOT NULL,
    PRIMARY KEY (stream, program, first_slot)
);
COMMENT ON TABLE heliograph.idls IS 'The layouts in force, each from its first slot.';

CREATE TABLE heliograph.undecoded (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    channel text NOT NULL,
    data bytea NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream)
);
COMMENT ON TABLE heliograph.undecoded IS 'What a program said on a declared channel and no layout fits; nothing is dropped.';

CREATE TABLE heliograph.accounts (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    address text NOT NULL,
    program text NOT NULL,
    name text,
    slot bigint NOT NULL,
    lamports bigint NOT NULL,
    data bytea NOT NULL,
    fields jsonb,
    reason text,
    PRIMARY KEY (stream, address)
);
CREATE INDEX accounts_by_name ON heliograph.accounts (stream, program, name);
COMMENT ON TABLE heliograph.accounts IS 'Current state of the accounts that the stream''s programs own; closed ones keep a row with 0 lamports.';

CREATE TABLE heliograph.dirty (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    position_key text NOT NULL,
    PRIMARY KEY (stream, position_key)
);
COMMENT ON TABLE heliograph.dirty IS 'Positions that late history touched and the leader has not folded anew yet.';

CREATE TABLE heliograph.incidents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    kind text NOT NULL,
    slot bigint,
    detail jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX incidents_by_stream ON heliograph.incidents (stream, id);
COMMENT ON TABLE heliograph.incidents IS 'What went wrong and what was done about it.';
