-- Tables made from IDLs: which table and which column holds what, written down once, so that an IDL's upgrade never moves
-- or renames what is stored. What a stream was asked to index beside events stands with the stream.

ALTER TABLE heliograph.streams
    ADD COLUMN log_events boolean NOT NULL DEFAULT false,
    ADD COLUMN instructions boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN heliograph.streams.log_events IS 'Text that the programs print behind Program log: may be an event in base64; for protocols that are known the protocol says it.';
COMMENT ON COLUMN heliograph.streams.instructions IS 'Instructions have tables too.';

CREATE TABLE heliograph.typed_tables (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('event', 'account', 'instruction', 'history', 'unknown')),
    program text NOT NULL,
    item text NOT NULL,
    table_name text NOT NULL,
    PRIMARY KEY (stream, kind, program, item),
    UNIQUE (stream, table_name)
);
COMMENT ON TABLE heliograph.typed_tables IS 'Which table of a stream''s schema holds which event, account type or instruction of its IDLs.';
COMMENT ON COLUMN heliograph.typed_tables.stream IS 'The stream; its schema has the same name.';
COMMENT ON COLUMN heliograph.typed_tables.kind IS 'event, account or instruction; history: past states of all accounts; unknown: instructions that no IDL reads.';
COMMENT ON COLUMN heliograph.typed_tables.program IS 'Address of the program, base58; empty for history and unknown.';
COMMENT ON COLUMN heliograph.typed_tables.item IS 'Its name in the IDL; empty for history and unknown.';
COMMENT ON COLUMN heliograph.typed_tables.table_name IS 'Its table; it stays.';

CREATE TABLE heliograph.typed_columns (
    stream text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    number integer NOT NULL,
    field text NOT NULL,
    type text NOT NULL,
    docs text NOT NULL,
    PRIMARY KEY (stream, table_name, column_name),
    UNIQUE (stream, table_name, field, type),
    FOREIGN KEY (stream, table_name) REFERENCES heliograph.typed_tables (stream, table_name) ON DELETE CASCADE
);
COMMENT ON TABLE heliograph.typed_columns IS 'Which column holds which field; a field whose type changed has a column for each type.';
COMMENT ON COLUMN heliograph.typed_columns.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.typed_columns.table_name IS 'Table in the stream''s schema.';
COMMENT ON COLUMN heliograph.typed_columns.column_name IS 'Its column; it stays.';
COMMENT ON COLUMN heliograph.typed_columns.number IS 'Order in which columns were made, from 1.';
COMMENT ON COLUMN heliograph.typed_columns.field IS 'The field''s name in the IDL; of an instruction, account:NAME is the address of an account.';
COMMENT ON COLUMN heliograph.typed_columns.type IS 'Type of the column.';
COMMENT ON COLUMN heliograph.typed_columns.docs IS 'What the latest IDL that has the field says of it; empty where it says nothing.';

COMMENT ON TABLE heliograph.slots IS 'Every slot that holds a transaction of the stream; seq is the commit that last wrote it. One that is not covered is an archive''s.';
