-- Using TimescaleDB where the server has it. No statement takes a parameter, so both drivers run all of them.

-- name: find_loader
-- The server preloads TimescaleDB, this database does not use it yet, and we may change that. The loader's own
-- setting tells that it is there; shared_preload_libraries itself is for superusers to read.
SELECT current_setting('timescaledb.disable_load', true) IS NOT NULL
    AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    AND EXISTS (
        SELECT
        FROM pg_available_extension_versions AS v
        JOIN pg_available_extensions AS e ON e.name = v.name AND e.default_version = v.version
        WHERE v.name = 'timescaledb'
          AND ((SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
               OR (v.trusted AND has_database_privilege(current_database(), 'CREATE')))
    );

-- name: create_extension
CREATE EXTENSION IF NOT EXISTS timescaledb;

-- name: find_extension
-- False as well where there is nothing of ours to cut yet.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    AND to_regclass('heliograph.streams') IS NOT NULL;

-- name: write_conversions
-- A statement for each of our tables that is keyed by block_time first and is no hypertable yet.
SELECT format(
    'SELECT create_hypertable(%L, by_range(''block_time'', INTERVAL ''1 day''), '
    'create_default_indexes => false, migrate_data => true, if_not_exists => true)',
    format('%I.%I', n.nspname, c.relname)
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
