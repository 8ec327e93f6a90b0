-- Using TimescaleDB where the server has it. A statement without parameters is run by both drivers.

-- name: find_loader
-- The server preloads TimescaleDB, this database does not use it yet, and we may change that. The loader's own
-- setting tells that it is there; shared_preload_libraries itself is for superusers to read. Whoever sets it to `on`
-- for a database (ALTER DATABASE … SET) keeps its tables plain.
SELECT coalesce(current_setting('timescaledb.disable_load', true) = 'off', false)
    AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    AND EXISTS (
        SELECT
        FROM pg_available_extension_versions AS v
        JOIN pg_available_extensions AS e ON e.name = v.name AND e.default_version = v.version
        WHERE v.name = 'timescaledb'
          AND ((SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
               OR (v.trusted AND has_database_privilege(current_database(), 'CREATE')))
    );

-- name: find_offered
-- The version that the server would create, NULL where it has none.
SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb';

-- name: create_extension
CREATE EXTENSION IF NOT EXISTS timescaledb;

-- name: find_extension
-- False as well where there is nothing of ours to cut yet.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    AND to_regclass('heliograph.storage') IS NOT NULL;

-- name: write_conversions
-- A statement for each of our tables that is keyed by block_time first and is no hypertable yet.
SELECT format(
    'SELECT create_hypertable(%L, by_range(''block_time'', INTERVAL %L), '
    'create_default_indexes => false, migrate_data => true, if_not_exists => true)',
    format('%I.%I', n.nspname, c.relname), (SELECT chunk_interval FROM heliograph.storage)
)
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid AND c.relkind = 'r'
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE i.indisprimary
  AND a.attname = 'block_time'
  AND (n.nspname IN ('heliograph', 'perps') OR n.nspname IN (SELECT name FROM heliograph.streams))
  AND NOT EXISTS (
      SELECT
      FROM timescaledb_information.hypertables AS h
      WHERE h.hypertable_schema = n.nspname AND h.hypertable_name = c.relname
  )
ORDER BY n.nspname, c.relname;

-- name: store_policies
UPDATE heliograph.storage
SET chunk_interval = make_interval(hours => %(chunk_interval_hours)s),
    columnstore_after = make_interval(days => %(columnstore_after_days)s);

-- name: write_chunk_intervals
-- A statement for each of our hypertables that is cut otherwise; chunks that are there stay as they are.
SELECT format('SELECT set_chunk_time_interval(%L, INTERVAL %L)', format('%I.%I', d.hypertable_schema, d.hypertable_name), s.chunk_interval)
FROM timescaledb_information.dimensions AS d, heliograph.storage AS s
WHERE d.column_name = 'block_time'
  AND d.time_interval <> s.chunk_interval
  AND (d.hypertable_schema IN ('heliograph', 'perps') OR d.hypertable_schema IN (SELECT name FROM heliograph.streams))
ORDER BY 1;

-- name: find_columnstore
-- Whether the server has it, and it is wanted or was.
SELECT current_setting('timescaledb.license', true) = 'timescale'
    AND (EXISTS (SELECT FROM heliograph.storage WHERE columnstore_after IS NOT NULL)
         OR EXISTS (SELECT FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'));

-- name: write_columnstore
-- Statements that turn the columnstore on for those of our hypertables that have none, segmented by market where there is
-- one, and give each the policy that is wanted, or take it away.
WITH ours AS (
    SELECT h.hypertable_schema AS schema, h.hypertable_name AS name, h.compression_enabled AS enabled,
        format('%I.%I', h.hypertable_schema, h.hypertable_name) AS place, s.columnstore_after AS wanted,
        (SELECT (j.config->>'compress_after')::interval FROM timescaledb_information.jobs AS j
         WHERE j.proc_name = 'policy_compression' AND j.hypertable_schema = h.hypertable_schema
           AND j.hypertable_name = h.hypertable_name) AS present
    FROM timescaledb_information.hypertables AS h, heliograph.storage AS s
    WHERE h.hypertable_schema IN ('heliograph', 'perps')
       OR h.hypertable_schema IN (SELECT name FROM heliograph.streams)
), columns AS (
    SELECT o.place, bool_or(a.attname = 'market') AS market,
        string_agg(quote_ident(a.attname), ', ' ORDER BY array_position(ARRAY['slot', 'tx_index', 'ordinal', 'position', 'part', 'block_time'], a.attname::text))
            FILTER (WHERE a.attname IN ('slot', 'tx_index', 'ordinal', 'position', 'part', 'block_time')) AS place_order
    FROM ours AS o
    JOIN pg_attribute AS a ON a.attrelid = o.place::regclass AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attnum = ANY (i.indkey) OR a.attname = 'market'
    GROUP BY o.place
)
SELECT statement
FROM (
    SELECT 1 AS step, o.place, format(
        'ALTER TABLE %s SET (timescaledb.enable_columnstore = true, timescaledb.orderby = %L%s)', o.place,
        c.place_order, CASE WHEN c.market THEN ', timescaledb.segmentby = ''market''' ELSE '' END
    ) AS statement
    FROM ours AS o JOIN columns AS c USING (place)
    WHERE o.wanted IS NOT NULL AND NOT o.enabled
    UNION ALL
    SELECT 2, place, format('CALL remove_columnstore_policy(%L)', place)
    FROM ours WHERE present IS DISTINCT FROM wanted AND present IS NOT NULL
    UNION ALL
    SELECT 3, place, format('CALL add_columnstore_policy(%L, after => INTERVAL %L)', place, wanted)
    FROM ours WHERE present IS DISTINCT FROM wanted AND wanted IS NOT NULL
) AS steps
ORDER BY step, place;

-- name: list_chunk_ends
-- Where the chunks of a hypertable end, oldest first; none for a plain table.
SELECT range_end
FROM timescaledb_information.chunks
WHERE hypertable_schema = $1 AND hypertable_name = $2
GROUP BY range_end
ORDER BY range_end;

-- name: lift_statement_timeout
SET LOCAL statement_timeout = 0;

-- name: drop_chunks
SELECT drop_chunks(format('%I.%I', $1::text, $2::text)::regclass, older_than => $3::timestamptz);
