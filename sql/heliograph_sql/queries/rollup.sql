-- Rolling up: see migrations/0010_aggregates.sql for what is kept where, and docs/decisions/0012 for why so.

-- name: mark_stale
-- In the transaction that changes rows, after the stream's row was locked: whoever moves `through` holds that lock too,
-- so that either the range is put down here or the roll-up that follows sees the rows.
INSERT INTO heliograph.stale_ranges (stream, first_time, last_time)
SELECT $1, to_timestamp($2::bigint), to_timestamp($3::bigint)
FROM heliograph.rollups
WHERE stream = $1 AND through > to_timestamp($2::bigint);

-- name: try_lock
-- One process of all rolls up at a time.
SELECT pg_try_advisory_lock(hashtextextended('heliograph.rollup', 0));

-- name: unlock
SELECT pg_advisory_unlock(hashtextextended('heliograph.rollup', 0));

-- name: lift_statement_timeout
SET statement_timeout = 0;

-- name: restore_statement_timeout
RESET statement_timeout;

-- name: list_due
-- Streams that have reached an hour that is not rolled up.
SELECT s.name
FROM heliograph.streams AS s
LEFT JOIN heliograph.rollups AS r ON r.stream = s.name
WHERE heliograph_rollup.bucket_of('1 hour', s.head_time) > coalesce(r.through, '-infinity')
ORDER BY s.name;

-- name: move_through
-- What lies between the old hour and the new one is stale until it is rolled up, like all that is.
WITH reached AS (
    SELECT name, heliograph_rollup.bucket_of('1 hour', head_time) AS hour
    FROM heliograph.streams
    WHERE name = $1
), passed AS (
    INSERT INTO heliograph.stale_ranges (stream, first_time, last_time)
    SELECT r.stream, r.through, reached.hour - interval '1 microsecond'
    FROM reached
    JOIN heliograph.rollups AS r ON r.stream = reached.name
    WHERE r.through < reached.hour AND r.begun
)
INSERT INTO heliograph.rollups (stream, through)
SELECT name, hour FROM reached
ON CONFLICT (stream) DO UPDATE SET through = greatest(rollups.through, excluded.through);

-- name: list_unbegun
SELECT stream FROM heliograph.rollups WHERE NOT begun ORDER BY stream;

-- name: find_first_time
SELECT least(
    (SELECT min(block_time) FROM perps.trades WHERE stream = $1),
    (SELECT min(block_time) FROM perps.funding_rates WHERE stream = $1),
    (SELECT min(block_time) FROM perps.funding_payments WHERE stream = $1),
    (SELECT min(block_time) FROM perps.oracle_prices WHERE stream = $1),
    (SELECT min(block_time) FROM perps.position_changes WHERE stream = $1)
);

-- name: begin
-- From here on answers come from what is rolled up; whatever was stored before is put down as stale.
WITH begun AS (
    UPDATE heliograph.rollups SET begun = true WHERE stream = $1 AND NOT begun
    RETURNING stream, through
)
INSERT INTO heliograph.stale_ranges (stream, first_time, last_time)
SELECT stream, $2::timestamptz, through - interval '1 microsecond'
FROM begun
WHERE $2::timestamptz < through;

-- name: write_empties
-- A statement a table: what a stream of that name left behind.
SELECT format('DELETE FROM heliograph_rollup.%I WHERE stream = %L', 'kept_' || name || '_' || step, $1::text)
FROM heliograph_rollup.rollups
ORDER BY name, width;

-- name: list_stale
SELECT DISTINCT s.stream
FROM heliograph.stale_ranges AS s
JOIN heliograph.rollups AS r ON r.stream = s.stream AND r.begun
ORDER BY s.stream;

-- name: keep_stream
-- Not removed while it is rolled up; writers may commit meanwhile.
SELECT name FROM heliograph.streams WHERE name = $1 FOR KEY SHARE;

-- name: take_day
-- The first day that has something stale, the ranges that touch it, and what of the day they touch in all.
SELECT array_agg(s.id) AS ids, min(s.first_time) AS first_time,
    least(max(s.last_time), day.first + interval '1 day' - interval '1 microsecond') AS last_time,
    day.first + interval '1 day' AS next_day
FROM heliograph.stale_ranges AS s
CROSS JOIN (
    SELECT heliograph_rollup.bucket_of('1 day', min(first_time)) AS first
    FROM heliograph.stale_ranges
    WHERE stream = $1
) AS day
WHERE s.stream = $1 AND s.first_time < day.first + interval '1 day'
GROUP BY day.first;

-- name: write_refreshes
-- Two statements a table, in order: the buckets that are touched go, and come anew from the rows, those of a market
-- beside each other. Buckets that end after `through` are in the tail, which nobody keeps.
SELECT statement
FROM heliograph.rollups AS r
JOIN heliograph_rollup.rollups AS k ON true
CROSS JOIN LATERAL (
    SELECT heliograph_rollup.bucket_of(k.width, $2::timestamptz),
        least(heliograph_rollup.bucket_of(k.width, $3::timestamptz) + k.width, heliograph_rollup.bucket_of(k.width, r.through))
) AS b (first, past)
CROSS JOIN LATERAL (
    VALUES
        (1, format('DELETE FROM heliograph_rollup.%I WHERE stream = %L AND bucket >= %L AND bucket < %L',
            'kept_' || k.name || '_' || k.step, r.stream, b.first, b.past)),
        (2, format('INSERT INTO heliograph_rollup.%I SELECT %L, b.* FROM heliograph_rollup.%I(%L, %L, %L, %L) AS b ORDER BY 2, 3, 4',
            'kept_' || k.name || '_' || k.step, r.stream, k.name || '_between', k.width, r.stream, b.first, b.past))
) AS s (number, statement)
WHERE r.stream = $1 AND b.first < b.past
ORDER BY k.name, k.width, s.number;

-- name: delete_done
DELETE FROM heliograph.stale_ranges WHERE id = ANY ($1::bigint[]) AND last_time < $2::timestamptz;

-- name: cut_done
UPDATE heliograph.stale_ranges SET first_time = $2::timestamptz WHERE id = ANY ($1::bigint[]);

-- name: find_storage
SELECT continuous FROM heliograph_rollup.storage;
