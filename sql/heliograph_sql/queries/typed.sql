-- The tables that are made from IDLs: what is written down of them, and what the catalog has.

-- name: lock_tables
-- Two processes that start at once make each table once.
SELECT pg_advisory_xact_lock(hashtextextended('heliograph.events.' || $1, 0));

-- name: list_tables
SELECT kind, program, item, table_name
FROM heliograph.typed_tables
WHERE stream = $1
ORDER BY table_name;

-- name: list_columns
SELECT table_name, column_name, field, type, docs
FROM heliograph.typed_columns
WHERE stream = $1
ORDER BY table_name, number;

-- name: read_catalog
-- Everything in the schema that takes a name, with the columns and comments of it. Types as they are declared.
SELECT c.relname::text AS table_name, c.relkind::text AS kind, a.attname::text AS column_name,
    replace(format_type(a.atttypid, a.atttypmod), ' ', '') AS type,
    obj_description(c.oid, 'pg_class') AS table_comment, col_description(c.oid, a.attnum) AS comment
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = $1 AND c.relkind <> 't'
ORDER BY c.relname, a.attnum;

-- name: note_tables
INSERT INTO heliograph.typed_tables (stream, kind, program, item, table_name)
SELECT $1, kind, program, item, table_name
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS given (kind, program, item, table_name);

-- name: note_columns
INSERT INTO heliograph.typed_columns (stream, table_name, column_name, number, field, type, docs)
SELECT $1, given.table_name, given.column_name, given.place + coalesce((
        SELECT max(c.number)
        FROM heliograph.typed_columns AS c
        WHERE c.stream = $1 AND c.table_name = given.table_name
    ), 0), given.field, given.type, given.docs
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS given (table_name, column_name, field, type, docs, place)
ON CONFLICT (stream, table_name, column_name) DO UPDATE SET docs = excluded.docs;

-- name: list_timed_tables
-- Of events and instructions: what a rewritten slot loses its rows of.
SELECT table_name AS name
FROM heliograph.typed_tables
WHERE stream = $1 AND kind IN ('event', 'instruction', 'unknown')
ORDER BY table_name;

-- name: find_history
SELECT table_name FROM heliograph.typed_tables WHERE stream = $1 AND kind = 'history';

-- name: write_delete_history
SELECT format('DELETE FROM %I.%I WHERE slot = ANY ($1::bigint[]) AND block_time >= to_timestamp($2::bigint)', $1::text, $2::text);

-- name: write_delete_accounts
SELECT format('DELETE FROM %I.%I WHERE address = ANY ($1::text[])', $1::text, $2::text);

-- name: write_delete_seen
SELECT format(
    'DELETE FROM %I.%I AS t USING unnest($1::bigint[], $2::bigint[], $3::text[]) AS seen (block_time, slot, address) '
    'WHERE t.block_time = to_timestamp(seen.block_time) AND t.slot = seen.slot AND t.address = seen.address',
    $1::text, $2::text
);

-- name: lock_accounts
-- What is stored of these accounts, kept from other writers until the end of the transaction.
SELECT address, program, name, slot, lamports, sha256(data) AS digest
FROM heliograph.accounts
WHERE stream = $1 AND address = ANY ($2::text[])
ORDER BY address
FOR UPDATE;

-- name: find_time
-- Time of the newest block at or below the slot that the stream knows, else of the newest it knows, else now.
SELECT extract(epoch FROM coalesce(
    (SELECT block_time FROM heliograph.slots WHERE stream = $1 AND slot <= $2 ORDER BY slot DESC LIMIT 1),
    (SELECT head_time FROM heliograph.streams WHERE name = $1),
    clock_timestamp()
))::bigint;
