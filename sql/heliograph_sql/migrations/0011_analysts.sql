-- For analysts: how complete each stream is, as views, and what the role heliograph_analyst may read.
-- The role itself is made by `heliograph migrate` (queries/analyst.sql): roles belong to the server, not to a database.

CREATE VIEW heliograph.completeness AS
SELECT s.name AS stream, s.first_slot, t.through AS complete_through,
    (SELECT b.block_time FROM heliograph.slots AS b WHERE b.stream = s.name AND b.slot <= t.through ORDER BY b.slot DESC LIMIT 1)
        AS complete_through_time,
    s.head_slot, s.head_time, s.final_slot, g.gaps, g.missing_slots
FROM heliograph.streams AS s
LEFT JOIN heliograph.coverage AS c ON c.stream = s.name
CROSS JOIN LATERAL (
    SELECT (SELECT upper(r) - 1 FROM unnest(c.slots) AS r WHERE r @> s.first_slot) AS through
) AS t
CROSS JOIN LATERAL (
    SELECT count(*) AS gaps, coalesce(sum(upper(r) - lower(r)), 0)::bigint AS missing_slots
    FROM unnest(CASE WHEN s.head_slot >= s.first_slot
        THEN int8multirange(int8range(s.first_slot, s.head_slot, '[]')) - coalesce(c.slots, '{}') END) AS r
) AS g;
COMMENT ON VIEW heliograph.completeness IS 'Through which slot each stream has every row, and what is missing up to its head.';
COMMENT ON COLUMN heliograph.completeness.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.completeness.first_slot IS 'The first slot that was asked for; completeness is counted from here.';
COMMENT ON COLUMN heliograph.completeness.complete_through IS 'Every row of first_slot up to this slot is there; NULL while first_slot itself is missing.';
COMMENT ON COLUMN heliograph.completeness.complete_through_time IS 'Time of the last block of the stream at or before it.';
COMMENT ON COLUMN heliograph.completeness.head_slot IS 'Highest slot that any commit covered.';
COMMENT ON COLUMN heliograph.completeness.head_time IS 'Time of the last block at or below head_slot, where known.';
COMMENT ON COLUMN heliograph.completeness.final_slot IS 'Rows at or below are final; NULL until the first audit.';
COMMENT ON COLUMN heliograph.completeness.gaps IS 'Ranges between first_slot and head_slot that are not covered: heliograph.gaps lists them.';
COMMENT ON COLUMN heliograph.completeness.missing_slots IS 'Slots in them.';

CREATE VIEW heliograph.gaps AS
SELECT s.name AS stream, lower(r) AS first_slot, upper(r) - 1 AS last_slot,
    (SELECT b.block_time FROM heliograph.slots AS b WHERE b.stream = s.name AND b.slot < lower(r) ORDER BY b.slot DESC LIMIT 1)
        AS after_time,
    (SELECT b.block_time FROM heliograph.slots AS b WHERE b.stream = s.name AND b.slot >= upper(r) ORDER BY b.slot LIMIT 1)
        AS before_time
FROM heliograph.streams AS s
LEFT JOIN heliograph.coverage AS c ON c.stream = s.name
CROSS JOIN LATERAL unnest(
    CASE WHEN s.head_slot >= s.first_slot
        THEN int8multirange(int8range(s.first_slot, s.head_slot, '[]')) - coalesce(c.slots, '{}') END
) AS r;
COMMENT ON VIEW heliograph.gaps IS 'Ranges of slots, between first_slot and head_slot of a stream, of which rows may be missing.';
COMMENT ON COLUMN heliograph.gaps.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.gaps.first_slot IS 'First slot that is not covered.';
COMMENT ON COLUMN heliograph.gaps.last_slot IS 'Last slot that is not covered.';
COMMENT ON COLUMN heliograph.gaps.after_time IS 'Time of the last block of the stream before the gap; NULL where there is none.';
COMMENT ON COLUMN heliograph.gaps.before_time IS 'Time of the first block of the stream after the gap; NULL where there is none.';

CREATE FUNCTION heliograph.grant_analyst() RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    one text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'heliograph_analyst') THEN
        RETURN;
    END IF;
    -- Two grants at once fail, instead of waiting for each other, with "tuple concurrently updated".
    PERFORM pg_advisory_xact_lock(hashtextextended('heliograph.grant_analyst', 0));
    -- Of the operation tables by name: a later one may hold what is not for everybody. claims, dirty and rollups say
    -- nothing of the data, but the aggregates read some of them with the rights of whoever asks.
    GRANT USAGE ON SCHEMA heliograph, heliograph_rollup, perps TO heliograph_analyst;
    GRANT SELECT ON heliograph.streams, heliograph.coverage, heliograph.commits, heliograph.slots, heliograph.transactions,
        heliograph.signatures, heliograph.idls, heliograph.undecoded, heliograph.accounts, heliograph.incidents,
        heliograph.rollups, heliograph.stale_ranges, heliograph.completeness, heliograph.gaps,
        heliograph.schema_migrations, heliograph.typed_tables, heliograph.typed_columns TO heliograph_analyst;
    FOREACH one IN ARRAY ARRAY['perps', 'heliograph_rollup'] || ARRAY(
        SELECT s.name FROM heliograph.streams AS s JOIN pg_namespace AS n ON n.nspname = s.name
    ) LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO heliograph_analyst', one);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO heliograph_analyst', one);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO heliograph_analyst', one);
    END LOOP;
END
$$;
COMMENT ON FUNCTION heliograph.grant_analyst() IS 'Lets heliograph_analyst read what analysts may, also tables that are made later; does nothing where there is no such role.';
