-- Removing a stream with every row of it.

-- name: lift_statement_timeout
SET LOCAL statement_timeout = 0;

-- name: lock_stream
-- A writer locks this row before it commits: what it wrote meanwhile then fails for want of its coverage.
SELECT coalesce(leader_expires > clock_timestamp(), false) AS led, leader
FROM heliograph.streams
WHERE name = $1
FOR UPDATE;

-- name: end_coverage
-- Of nothing it is said any more that it is complete, and nothing more can be written.
DELETE FROM heliograph.coverage WHERE stream = $1;

-- name: list_tables
-- Tables that hold rows of the stream, in name order as the writers take them; those of its schema hold nothing else.
SELECT n.nspname::text AS schema, c.relname::text AS name, n.nspname = $1 AS own
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND (
      n.nspname = $1
      OR (
          n.nspname IN ('heliograph', 'heliograph_rollup', 'perps')
          AND EXISTS (
              SELECT
              FROM pg_attribute AS a
              WHERE a.attrelid = c.oid AND a.attname = 'stream' AND NOT a.attisdropped
          )
      )
  )
ORDER BY n.nspname, c.relname;

-- name: write_delete
SELECT format('DELETE FROM %I.%I WHERE stream = %L', $1::text, $2::text, $3::text);

-- name: write_drop_schema
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', $1::text);

-- name: delete_stream
DELETE FROM heliograph.streams
WHERE name = $1;
