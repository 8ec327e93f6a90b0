-- Removing a stream with every row of it.

-- name: lift_statement_timeout
SET LOCAL statement_timeout = 0;

-- name: lock_stream
-- A writer locks this row before it commits: what it wrote meanwhile then fails for want of its coverage.
SELECT coalesce(leader_expires > clock_timestamp(), false) AS led, leader
FROM heliograph.streams
WHERE name = $1
FOR UPDATE;

-- name: write_deletes
-- One statement a table, in name order as the writers take them; views and tables of other schemas stay.
SELECT format('DELETE FROM %I.%I WHERE stream = %L', n.nspname, c.relname, $1::text)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'stream' AND NOT a.attisdropped
WHERE n.nspname IN ('heliograph', 'heliograph_rollup', 'perps') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY n.nspname, c.relname;

-- name: write_drop_schema
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', $1::text);

-- name: delete_stream
DELETE FROM heliograph.streams
WHERE name = $1;
