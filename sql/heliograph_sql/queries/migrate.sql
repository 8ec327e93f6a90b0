-- The server's version and the bookkeeping of migrations. Run by psycopg.

-- name: read_server
SELECT current_setting('server_version_num'),
       split_part(current_setting('server_version'), ' ', 1),
       (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
       current_setting('timescaledb.license', true);

-- name: lock_migrations
SELECT pg_advisory_lock(hashtextextended('heliograph.schema_migrations', 0));

-- name: unlock_migrations
SELECT pg_advisory_unlock(hashtextextended('heliograph.schema_migrations', 0));

-- name: find_bookkeeping
SELECT to_regclass('heliograph.schema_migrations') IS NOT NULL;

-- name: create_schema
CREATE SCHEMA IF NOT EXISTS heliograph;

-- name: create_bookkeeping
CREATE TABLE heliograph.schema_migrations (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: list_applied
SELECT name, sha256 FROM heliograph.schema_migrations ORDER BY name;

-- name: record_migration
INSERT INTO heliograph.schema_migrations (name, sha256) VALUES (%(name)s, %(sha256)s);
