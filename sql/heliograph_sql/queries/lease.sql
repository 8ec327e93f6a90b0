-- The lease of a stream's head. Only the database's clock counts.

-- name: acquire_lease
UPDATE heliograph.streams
SET leader = $2,
    leader_expires = clock_timestamp() + make_interval(secs => $3),
    epoch = epoch + 1
WHERE name = $1
  AND (leader IS NULL OR leader = $2 OR leader_expires < clock_timestamp())
RETURNING epoch;

-- name: renew_lease
UPDATE heliograph.streams
SET leader_expires = clock_timestamp() + make_interval(secs => $4)
WHERE name = $1 AND leader = $2 AND epoch = $3
RETURNING epoch;

-- name: release_lease
UPDATE heliograph.streams
SET leader = NULL, leader_expires = NULL
WHERE name = $1 AND leader = $2 AND epoch = $3;
