-- The IDLs in force, each from its first slot.

-- name: add_idl
-- The row that is there afterwards: ours, or the one that was first.
WITH added AS (
    INSERT INTO heliograph.idls (stream, program, first_slot, sha256, idl)
    VALUES ($1, $2, $3, $4, $5::text::jsonb)
    ON CONFLICT (stream, program, first_slot) DO NOTHING
    RETURNING sha256, idl::text
), counted AS (
    UPDATE heliograph.streams SET idl_count = idl_count + 1
    WHERE name = $1 AND EXISTS (SELECT FROM added)
)
SELECT sha256, idl FROM added
UNION ALL
SELECT sha256, idl::text
FROM heliograph.idls
WHERE stream = $1 AND program = $2 AND first_slot = $3;

-- name: count_idls
SELECT idl_count FROM heliograph.streams WHERE name = $1;

-- name: list_idls
SELECT program, first_slot, sha256, idl::text
FROM heliograph.idls
WHERE stream = $1
ORDER BY program, first_slot;

-- name: list_undecoded
-- A page of what the programs said and nothing fitted, in chain order, after the given place; nothing of slots that are
-- past their retention, where no row is written any more.
SELECT extract(epoch FROM block_time)::bigint AS block_time, slot, tx_index, ordinal, signature, program, channel, data, caller, accounts
FROM heliograph.undecoded
WHERE stream = $1
  AND (block_time, slot, tx_index, ordinal) > (to_timestamp($2::bigint), $3::bigint, $4::integer, $5::integer)
  AND slot >= coalesce((SELECT retained_from FROM heliograph.streams WHERE name = $1), 0)
ORDER BY block_time, slot, tx_index, ordinal
LIMIT $6;

-- name: delete_undecoded
DELETE FROM heliograph.undecoded AS u
USING unnest($2::bigint[], $3::bigint[], $4::integer[], $5::integer[]) AS old (block_time, slot, tx_index, ordinal)
WHERE u.stream = $1
  AND u.block_time = to_timestamp(old.block_time)
  AND u.slot = old.slot
  AND u.tx_index = old.tx_index
  AND u.ordinal = old.ordinal
RETURNING true;

-- name: delete_restated
-- Changes made of instructions ($6: the ordinal of the first) of positions whose change an event of the same transaction
-- tells: it is the same change.
DELETE FROM perps.position_changes AS i
USING unnest($2::bigint[], $3::bigint[], $4::integer[], $5::text[]) AS given (block_time, slot, tx_index, position_key)
WHERE i.stream = $1
  AND i.block_time = to_timestamp(given.block_time)
  AND i.slot = given.slot
  AND i.tx_index = given.tx_index
  AND i.position_key = given.position_key
  AND i.ordinal >= $6
  AND EXISTS (
      SELECT
      FROM perps.position_changes AS e
      WHERE e.stream = i.stream
        AND e.block_time = i.block_time
        AND e.slot = i.slot
        AND e.tx_index = i.tx_index
        AND e.position_key = i.position_key
        AND e.ordinal < $6
  );

-- name: stamp_slots
-- The stream's row is locked: seq + 1 is the commit under way.
UPDATE heliograph.slots AS s
SET seq = streams.seq + 1
FROM heliograph.streams
WHERE streams.name = $1 AND s.stream = $1 AND s.slot = ANY ($2::bigint[]);
