-- The tables of decoded events, `<stream>.<event_name>`: made from what the IDL says, so their DDL is made here too.

-- name: lock_tables
-- Two processes that start at once make each table once.
SELECT pg_advisory_xact_lock(hashtextextended('heliograph.events.' || $1, 0));

-- name: write_create_table
SELECT format(
    'CREATE TABLE IF NOT EXISTS %I.%I ('
    'block_time timestamptz NOT NULL, slot bigint NOT NULL, tx_index integer NOT NULL, ordinal integer NOT NULL, '
    'signature text NOT NULL, program text NOT NULL, caller text, '
    'PRIMARY KEY (block_time, slot, tx_index, ordinal))',
    $1::text, $2::text
);

-- name: write_add_columns
-- NULL where the table has them all.
SELECT format('ALTER TABLE %I.%I ', $1::text, $2::text)
    || string_agg(format('ADD COLUMN %I %s', given.name, given.type), ', ' ORDER BY given.number)
FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS given (name, type, number)
WHERE NOT EXISTS (
    SELECT
    FROM pg_attribute
    WHERE attrelid = to_regclass(format('%I.%I', $1::text, $2::text))
      AND attname = given.name
      AND NOT attisdropped
);

-- name: list_other_types
-- Columns that the table has with another type than the layout now asks for.
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS stored, given.type AS wanted
FROM unnest($3::text[], $4::text[]) AS given (name, type)
JOIN pg_attribute AS a
    ON a.attrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND a.attname = given.name AND NOT a.attisdropped
WHERE replace(format_type(a.atttypid, a.atttypmod), ' ', '') <> replace(given.type, ' ', '');

-- name: write_comments
SELECT format('COMMENT ON TABLE %I.%I IS %L', $1::text, $2::text, $3::text)
UNION ALL
SELECT format('COMMENT ON COLUMN %I.%I.%I IS %L', $1::text, $2::text, name, comment)
FROM unnest($4::text[], $5::text[]) AS given (name, comment);

-- name: list_tables
SELECT c.relname::text AS name
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname;

-- name: write_delete_rows
SELECT format(
    'DELETE FROM %I.%I AS t USING unnest($1::bigint[], $2::bigint[]) AS old (slot, block_time) '
    'WHERE t.block_time = to_timestamp(old.block_time) AND t.slot = old.slot',
    $1::text, $2::text
);

-- name: write_find_rows
-- Which of the given places a table has a row at.
SELECT format(
    'SELECT p.block_time, p.slot, p.tx_index, p.ordinal '
    'FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[]) AS p (block_time, slot, tx_index, ordinal) '
    'JOIN %I.%I AS t ON t.block_time = to_timestamp(p.block_time) AND t.slot = p.slot '
    'AND t.tx_index = p.tx_index AND t.ordinal = p.ordinal',
    $1::text, $2::text
);
