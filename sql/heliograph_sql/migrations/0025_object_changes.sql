-- Which objects a transaction changed, so that who follows positions, markets or balances is told each whole. Triggers note
-- it, since objects are written from many places: folds, accounts, corrections, retention.

-- NULL for commits of before.
ALTER TABLE heliograph.commits ADD COLUMN xid xid8;
ALTER TABLE heliograph.commits ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
COMMENT ON COLUMN heliograph.commits.xid IS 'The transaction that made the commit.';

CREATE TABLE heliograph.object_changes (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    entity text NOT NULL CHECK (entity IN ('positions', 'markets', 'balances')),
    key jsonb NOT NULL,
    before jsonb,
    noted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX object_changes_by_time ON heliograph.object_changes (noted_at);
CREATE INDEX object_changes_by_transaction ON heliograph.object_changes (stream, xid, entity);
COMMENT ON TABLE heliograph.object_changes IS 'What each transaction did to objects of schema perps, a row an object and statement; kept for some minutes.';
COMMENT ON COLUMN heliograph.object_changes.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.object_changes.xid IS 'The transaction, as in heliograph.commits.';
COMMENT ON COLUMN heliograph.object_changes.entity IS 'The table of schema perps.';
COMMENT ON COLUMN heliograph.object_changes.key IS 'The columns that identify the object.';
COMMENT ON COLUMN heliograph.object_changes.before IS 'The object as it was; NULL where it is new.';
COMMENT ON COLUMN heliograph.object_changes.noted_at IS 'When its transaction began.';

ALTER TABLE heliograph.streams ADD COLUMN objects_from_seq bigint NOT NULL DEFAULT 1;
COMMENT ON COLUMN heliograph.streams.objects_from_seq IS 'From this commit on heliograph.object_changes has everything.';
UPDATE heliograph.streams SET objects_from_seq = seq + 1;

-- Arguments: the columns of the key besides the stream. The stream itself may be what is removed.
CREATE FUNCTION heliograph.note_objects() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys text := 'jsonb_build_object(''stream'', c.stream';
    before text := CASE TG_OP WHEN 'INSERT' THEN 'NULL' ELSE 'to_jsonb(c)' END;
BEGIN
    FOR number IN 0 .. TG_NARGS - 1 LOOP
        keys := keys || format(', %L, c.%I', TG_ARGV[number], TG_ARGV[number]);
    END LOOP;
    EXECUTE format(
        'INSERT INTO heliograph.object_changes (stream, entity, key, before)
        SELECT c.stream, %L, %s), %s FROM changed AS c
        WHERE EXISTS (SELECT FROM heliograph.streams AS s WHERE s.name = c.stream)',
        TG_TABLE_NAME, keys, before
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER note_inserted AFTER INSERT ON perps.positions REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('position_key', 'opened_slot', 'opened_tx_index', 'opened_ordinal');
CREATE TRIGGER note_updated AFTER UPDATE ON perps.positions REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('position_key', 'opened_slot', 'opened_tx_index', 'opened_ordinal');
CREATE TRIGGER note_deleted AFTER DELETE ON perps.positions REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('position_key', 'opened_slot', 'opened_tx_index', 'opened_ordinal');

CREATE TRIGGER note_inserted AFTER INSERT ON perps.markets REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('market');
CREATE TRIGGER note_updated AFTER UPDATE ON perps.markets REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('market');
CREATE TRIGGER note_deleted AFTER DELETE ON perps.markets REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('market');

CREATE TRIGGER note_inserted AFTER INSERT ON perps.balances REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('wallet', 'asset', 'sub_account');
CREATE TRIGGER note_updated AFTER UPDATE ON perps.balances REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('wallet', 'asset', 'sub_account');
CREATE TRIGGER note_deleted AFTER DELETE ON perps.balances REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('wallet', 'asset', 'sub_account');
