-- The sessions in which writers write. A session is named after its writer; the name's end is what tells writers apart,
-- and PostgreSQL keeps 63 bytes of it.

-- name: begin_writing
-- Both settings end with the use of the connection: the pool resets it. A writer that is stopped between two statements holds
-- locks that live indexing needs, so that the server ends it sooner than others.
SELECT set_config('application_name', 'heliograph ' || right($1, 52), false),
    set_config('idle_in_transaction_session_timeout', $2, false);

-- name: end_sessions
-- Waits until they are gone, at most so many milliseconds for each.
SELECT pg_terminate_backend(pid, $2::bigint) AS gone
FROM pg_stat_activity
WHERE datname = current_database()
  AND pid <> pg_backend_pid()
  AND application_name = ANY (SELECT 'heliograph ' || right(holder, 52) FROM unnest($1::text[]) AS holder);

-- name: plan_once
-- Where no table is cut by time a plan for any values is as good as one for these, and is made once a statement. A hypertable needs
-- the values: they say which of its chunks are read at all.
SELECT set_config('plan_cache_mode', 'force_generic_plan', false)
WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
