-- Slots that archives wrote: rows of heliograph.slots that coverage does not hold.

-- name: list_covered
SELECT given.slot
FROM heliograph.coverage AS c, unnest($2::bigint[]) AS given (slot)
WHERE c.stream = $1 AND c.slots @> given.slot
ORDER BY given.slot;

-- name: list_signatures
SELECT slot, signature, tx_index
FROM heliograph.signatures
WHERE stream = $1 AND slot = ANY ($2::bigint[]);

-- name: list_archived
-- Of a range that nobody has covered.
SELECT slot
FROM heliograph.slots AS s
WHERE stream = $1 AND slot BETWEEN $2 AND $3
  AND NOT EXISTS (SELECT FROM heliograph.coverage AS c WHERE c.stream = $1 AND c.slots @> s.slot)
ORDER BY slot;

-- name: delete_slots
DELETE FROM heliograph.slots WHERE stream = $1 AND slot = ANY ($2::bigint[]);

-- name: note_slots
-- The stream's row is locked: seq + 1 is the commit under way.
INSERT INTO heliograph.slots (stream, slot, block_time, seq)
SELECT $1, given.slot, to_timestamp(given.block_time), streams.seq + 1
FROM heliograph.streams, unnest($2::bigint[], $3::bigint[]) AS given (slot, block_time)
WHERE streams.name = $1
ON CONFLICT (stream, slot) DO UPDATE SET seq = excluded.seq;
