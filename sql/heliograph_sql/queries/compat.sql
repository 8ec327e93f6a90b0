-- Stand-ins for functions of TimescaleDB, so that an analyst's queries run on every tier. They go before the extension
-- comes: `SET search_path = public, heliograph_compat` then finds the same names on both.

-- name: find_compat
SELECT to_regnamespace('heliograph_compat') IS NOT NULL;

-- name: find_need
-- No TimescaleDB in this database, and no stand-ins yet.
SELECT to_regnamespace('heliograph_compat') IS NULL
    AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb');

-- name: create_compat
-- Widths in months are counted from 2000-01-01 and others from Monday 2000-01-03, as TimescaleDB does:
-- https://docs.tigerdata.com/api/latest/hyperfunctions/time_bucket/
CREATE SCHEMA IF NOT EXISTS heliograph_compat;
COMMENT ON SCHEMA heliograph_compat IS 'Stand-ins for functions of TimescaleDB, where the database has it not.';
CREATE OR REPLACE FUNCTION heliograph_compat.time_bucket(bucket_width interval, ts timestamptz, origin timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN extract(year FROM bucket_width) * 12 + extract(month FROM bucket_width) = 0 THEN date_bin(bucket_width, ts, origin)
        ELSE (origin AT TIME ZONE 'UTC' + make_interval(months => (
            floor(
                ((extract(year FROM ts AT TIME ZONE 'UTC') - extract(year FROM origin AT TIME ZONE 'UTC')) * 12
                 + extract(month FROM ts AT TIME ZONE 'UTC') - extract(month FROM origin AT TIME ZONE 'UTC'))
                / (extract(year FROM bucket_width) * 12 + extract(month FROM bucket_width))
            ) * (extract(year FROM bucket_width) * 12 + extract(month FROM bucket_width))
        )::integer)) AT TIME ZONE 'UTC'
    END
$$;
CREATE OR REPLACE FUNCTION heliograph_compat.time_bucket(bucket_width interval, ts timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT heliograph_compat.time_bucket(bucket_width, ts, CASE
        WHEN extract(year FROM bucket_width) * 12 + extract(month FROM bucket_width) = 0 THEN '2000-01-03 00:00:00+00'::timestamptz
        ELSE '2000-01-01 00:00:00+00'::timestamptz
    END)
$$;
COMMENT ON FUNCTION heliograph_compat.time_bucket(interval, timestamptz) IS 'Begin of the bucket, of that width, in which the time lies; in UTC.';
COMMENT ON FUNCTION heliograph_compat.time_bucket(interval, timestamptz, timestamptz) IS 'The same with buckets counted from origin, the first of a month where the width is in months.';

-- name: drop_compat
-- Not CASCADE: what somebody built on them is theirs to change.
DROP FUNCTION IF EXISTS heliograph_compat.time_bucket(interval, timestamptz);
DROP FUNCTION IF EXISTS heliograph_compat.time_bucket(interval, timestamptz, timestamptz);
DROP SCHEMA heliograph_compat;
