-- The lease of a stream's head. Only the database's clock counts; a lease that was renewed more than a second from now
-- is one of before that clock was set back, and has ended.

-- name: acquire_lease
-- former: who led until now, NULL where nobody did.
WITH free AS (
    SELECT name, leader AS former
    FROM heliograph.streams
    WHERE name = $1
      AND (
          leader IS NULL
          OR leader = $2
          OR leader_expires < clock_timestamp()
          OR leader_renewed > clock_timestamp() + interval '1 second'
      )
    FOR NO KEY UPDATE
)
UPDATE heliograph.streams AS s
SET leader = $2,
    leader_expires = clock_timestamp() + make_interval(secs => $3),
    leader_renewed = clock_timestamp(),
    epoch = epoch + 1
FROM free
WHERE s.name = free.name
RETURNING s.epoch, free.former;

-- name: renew_lease
UPDATE heliograph.streams
SET leader_expires = clock_timestamp() + make_interval(secs => $4),
    leader_renewed = clock_timestamp()
WHERE name = $1 AND leader = $2 AND epoch = $3
RETURNING epoch;

-- name: release_lease
UPDATE heliograph.streams
SET leader = NULL, leader_expires = NULL, leader_renewed = NULL
WHERE name = $1 AND leader = $2 AND epoch = $3;
