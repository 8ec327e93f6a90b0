-- Exporting a table: what it is, how complete it is, and its rows as COPY gives them. Run by psycopg in one snapshot.

-- name: begin_snapshot
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: lift_limits
SET LOCAL statement_timeout = 0;

-- name: limit_nothing_idle
-- Whoever reads the rows may be slower than the server.
SET LOCAL idle_in_transaction_session_timeout = 0;

-- name: write_times_in_utc
SET LOCAL timezone = 'UTC';

-- name: find_schema
SELECT to_regclass('heliograph.streams') IS NOT NULL;

-- name: list_tables
-- Tables and views that this user may read: of perps, of the streams, and of the operation.
SELECT n.nspname::text, c.relname::text
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v')
  AND NOT c.relispartition
  AND (n.nspname IN ('perps', 'heliograph') OR n.nspname IN (SELECT name FROM heliograph.streams))
  AND has_schema_privilege(n.oid, 'USAGE')
  AND has_table_privilege(c.oid, 'SELECT')
ORDER BY n.nspname = 'heliograph', n.nspname, c.relname;

-- name: list_columns
-- Names, types as declared, and the place of each in the primary key.
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), array_position(i.indkey::smallint[], a.attnum)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = %(schema)s
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relname = %(table)s
ORDER BY a.attnum;

-- name: list_streams
SELECT name FROM heliograph.streams ORDER BY name;

-- name: find_times
-- Block times between which the slots of the range lie: tables are cut by time. NULL where no block bounds them.
SELECT (
        SELECT min(b.block_time)::text
        FROM unnest(%(streams)s::text[]) AS s (name)
        CROSS JOIN LATERAL (
            SELECT coalesce((
                SELECT block_time
                FROM heliograph.slots
                WHERE stream = s.name AND slot <= %(first)s
                ORDER BY slot DESC
                LIMIT 1
            ), '-infinity') AS block_time
        ) AS b
    ),
    (
        SELECT max(b.block_time)::text
        FROM unnest(%(streams)s::text[]) AS s (name)
        CROSS JOIN LATERAL (
            SELECT coalesce((
                SELECT block_time
                FROM heliograph.slots
                WHERE stream = s.name AND slot >= %(last)s
                ORDER BY slot
                LIMIT 1
            ), 'infinity') AS block_time
        ) AS b
    );

-- name: find_completeness
-- Of the streams, within the range that was asked for; both ends may be NULL. A gap counts where it may hold rows of the range.
SELECT c.stream, c.first_slot, c.complete_through, extract(epoch FROM c.complete_through_time)::bigint, c.final_slot,
    coalesce(array_agg(ARRAY[g.first_slot, g.last_slot] ORDER BY g.first_slot) FILTER (WHERE g.stream IS NOT NULL), '{}'),
    (%(first)s::bigint IS NULL OR c.first_slot <= %(first)s::bigint)
        AND (%(last)s::bigint IS NULL OR c.head_slot >= %(last)s::bigint)
        AND (%(end)s::timestamptz IS NULL OR c.head_time >= %(end)s::timestamptz)
        AND (%(begin)s::timestamptz IS NULL OR %(begin)s::timestamptz >= (
            SELECT block_time FROM heliograph.slots AS b WHERE b.stream = c.stream AND b.slot >= c.first_slot ORDER BY b.slot LIMIT 1
        ))
FROM heliograph.completeness AS c
LEFT JOIN heliograph.gaps AS g
    ON g.stream = c.stream
    AND (%(first)s::bigint IS NULL OR g.last_slot >= %(first)s::bigint)
    AND (%(last)s::bigint IS NULL OR g.first_slot <= %(last)s::bigint)
    AND (%(begin)s::timestamptz IS NULL OR g.before_time IS NULL OR g.before_time >= %(begin)s::timestamptz)
    AND (%(end)s::timestamptz IS NULL OR g.after_time IS NULL OR g.after_time < %(end)s::timestamptz)
WHERE c.stream = ANY (%(streams)s::text[])
GROUP BY c.stream, c.first_slot, c.complete_through, c.complete_through_time, c.final_slot, c.head_slot, c.head_time
ORDER BY c.stream;
