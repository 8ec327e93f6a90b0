-- What the tail reader and those it wakes read of the commit log.

-- name: read_heads
SELECT name, seq FROM heliograph.streams ORDER BY name

-- name: read_commits
SELECT seq, kind, origin, first_slot, last_slot, first_time, last_time, row_count
FROM heliograph.commits WHERE stream = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- name: read_oldest
SELECT s.seq AS head, (SELECT min(c.seq) FROM heliograph.commits c WHERE c.stream = s.name) AS oldest
FROM heliograph.streams s WHERE s.name = $1
