-- Finality: what is stored and not audited yet, and how far an audit moves final_slot.

-- name: read_progress
SELECT s.first_slot, s.final_slot
FROM heliograph.streams AS s
WHERE s.name = $1;

-- name: list_unaudited
SELECT lower(range) AS first, upper(range) - 1 AS last
FROM heliograph.coverage, unnest(slots - audited) AS range
WHERE stream = $1
ORDER BY 1;

-- name: list_blockhashes
SELECT slot, blockhash
FROM heliograph.slots
WHERE stream = $1 AND slot BETWEEN $2 AND $3;

-- name: list_transactions
-- By the lookup of signatures: it alone knows the block time of each without being told.
SELECT t.slot, t.signature, t.tx_index, t.err
FROM heliograph.signatures AS g
JOIN heliograph.transactions AS t
    ON t.block_time = g.block_time AND t.slot = g.slot AND t.tx_index = g.tx_index AND t.stream = g.stream
WHERE g.stream = $1 AND g.slot BETWEEN $2 AND $3
ORDER BY t.slot, t.tx_index;

-- name: list_accounts_since
-- Accounts whose stored state may be of a block that is no more, and those named.
SELECT address, program, slot
FROM heliograph.accounts
WHERE stream = $1 AND (slot >= $2 OR address = ANY ($3::text[]))
ORDER BY address;

-- name: mark_range_audited
-- After the stream's row was locked. What is not covered is not audited, so final_slot ends at the first gap.
UPDATE heliograph.coverage
SET audited = audited + slots * int8multirange(int8range($2, $3, '[]'))
WHERE stream = $1;

-- name: advance_final_slot
-- The end of the audited slots that hold the first slot asked for.
UPDATE heliograph.streams
SET final_slot = greatest(final_slot, (
    SELECT upper(range) - 1
    FROM heliograph.coverage, unnest(audited) AS range
    WHERE stream = $1 AND range @> first_slot
))
WHERE name = $1
RETURNING final_slot;
