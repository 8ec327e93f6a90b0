-- The log of changed objects, for those who follow them and were cut off for a moment; who was away longer gets all anew.

-- name: forget_changes
-- Of commits older than $1 seconds. Rows go later: a transaction may have begun long before it was committed.
WITH cut AS (
    UPDATE heliograph.streams AS s
    SET objects_from_seq = old.seq + 1
    FROM heliograph.streams AS n
    CROSS JOIN LATERAL (
        SELECT c.seq FROM heliograph.commits AS c
        WHERE c.stream = n.name AND c.committed_at < clock_timestamp() - make_interval(secs => $1)
        ORDER BY c.seq DESC
        LIMIT 1
    ) AS old
    WHERE s.name = n.name AND s.objects_from_seq <= old.seq
)
DELETE FROM heliograph.object_changes
WHERE noted_at < clock_timestamp() - 2 * make_interval(secs => $1);

-- name: read_kept
SELECT objects_from_seq FROM heliograph.streams WHERE name = $1;
