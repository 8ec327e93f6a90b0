-- Rewriting slots whole. Every statement that finds rows by slot carries the block time: tables are cut by it.

-- name: lock_correcting
-- Whoever corrects does so alone: a delete that waited for another correction of the slot does not see the rows
-- that the other one put in, and both would stay.
SELECT pg_advisory_xact_lock(hashtextextended('heliograph.correct.' || $1, 0));

-- name: find_slot_times
-- The block times under which rows of these slots are stored; one a slot, but for a slot that was written in parts.
SELECT slot, extract(epoch FROM block_time)::bigint AS block_time
FROM heliograph.slots
WHERE stream = $1 AND slot = ANY ($2::bigint[])
UNION
SELECT slot, extract(epoch FROM block_time)::bigint
FROM heliograph.signatures
WHERE stream = $1 AND slot = ANY ($2::bigint[]);

-- name: find_position_keys
SELECT c.position_key
FROM unnest($2::bigint[], $3::bigint[]) AS old (slot, block_time)
JOIN perps.position_changes AS c
    ON c.stream = $1 AND c.block_time = to_timestamp(old.block_time) AND c.slot = old.slot
UNION
SELECT f.position_key
FROM unnest($2::bigint[], $3::bigint[]) AS old (slot, block_time)
JOIN perps.flows AS f
    ON f.stream = $1 AND f.block_time = to_timestamp(old.block_time) AND f.slot = old.slot;

-- name: write_find_filled
-- Makes the statement that tells which of the tables have rows of these slots, whosever. The times stand in it, so that it opens
-- none but their chunks; a DELETE locks every chunk of its table whatever its plan leaves out.
SELECT string_agg(
    format(
        'SELECT %L AS schema, %L AS name WHERE EXISTS ('
        'SELECT FROM %I.%I AS t JOIN unnest($1::bigint[], $2::bigint[]) AS old (slot, block_time) '
        'ON t.block_time = to_timestamp(old.block_time) AND t.slot = old.slot '
        'WHERE t.block_time BETWEEN %L AND %L)',
        schema, name, schema, name, to_timestamp($3::bigint), to_timestamp($4::bigint)
    ),
    ' UNION ALL '
)
FROM unnest($1::text[], $2::text[]) AS tables (schema, name);

-- name: write_delete_rows
-- Makes the statement that deletes a table's rows of these slots; the table is one of the plan's.
SELECT format(
    'DELETE FROM %I.%I AS t USING unnest($2::bigint[], $3::bigint[]) AS old (slot, block_time) '
    'WHERE t.stream = $1 AND t.block_time = to_timestamp(old.block_time) AND t.slot = old.slot '
    'AND t.block_time BETWEEN %L AND %L',
    $1::text, $2::text, to_timestamp($3::bigint), to_timestamp($4::bigint)
);

-- name: delete_balances
-- Balances whose latest word came from these slots.
DELETE FROM perps.balances
WHERE stream = $1 AND updated_slot = ANY ($2::bigint[])
RETURNING wallet, asset, sub_account;

-- name: restore_balances
-- The latest word that is left.
INSERT INTO perps.balances (
    stream, wallet, asset, free, locked, updated_at, updated_slot, updated_tx_index, updated_ordinal, sub_account
)
SELECT $1, wanted.wallet, wanted.asset, t.free_after, t.locked_after, t.block_time, t.slot, t.tx_index, t.ordinal,
    wanted.sub_account
FROM unnest($2::text[], $3::text[], $4::text[]) AS wanted (wallet, asset, sub_account)
CROSS JOIN LATERAL (
    (
        SELECT free_after, locked_after, block_time, slot, tx_index, ordinal
        FROM perps.transfers
        WHERE stream = $1
          AND wallet = wanted.wallet
          AND asset = wanted.asset
          AND coalesce(sub_account, '') = wanted.sub_account
          AND free_after IS NOT NULL
          AND locked_after IS NOT NULL
        ORDER BY block_time DESC, slot DESC, tx_index DESC, ordinal DESC, part DESC
        LIMIT 1
    )
    UNION ALL
    -- Where the transfers are past their retention.
    SELECT free, locked, updated_at, updated_slot, updated_tx_index, updated_ordinal
    FROM heliograph.retained_balances
    WHERE stream = $1 AND wallet = wanted.wallet AND asset = wanted.asset AND sub_account = wanted.sub_account
    ORDER BY slot DESC, tx_index DESC, ordinal DESC
    LIMIT 1
) AS t
ON CONFLICT (stream, wallet, asset, sub_account) DO NOTHING;

-- name: delete_markets
-- Markets that were created in these slots and are not created there again.
DELETE FROM perps.markets
WHERE stream = $1 AND created_slot = ANY ($2::bigint[]) AND NOT market = ANY ($3::text[]);

-- name: check_covered
SELECT int8multirange(variadic array(SELECT int8range(slot, slot, '[]') FROM unnest($2::bigint[]) AS slot)) <@ slots
FROM heliograph.coverage
WHERE stream = $1;

-- name: rewrite_slots
-- A slot that lost all its transactions keeps its row: who resumes from before must learn that it was emptied.
-- The stream's row is locked: seq + 1 is the commit under way.
WITH this AS (
    SELECT seq + 1 AS seq FROM heliograph.streams WHERE name = $1
), emptied AS (
    UPDATE heliograph.slots AS s
    SET seq = this.seq, blockhash = NULL, parent = NULL
    FROM this
    WHERE s.stream = $1 AND s.slot = ANY ($2::bigint[]) AND NOT s.slot = ANY ($3::bigint[])
)
INSERT INTO heliograph.slots (stream, slot, blockhash, parent, block_time, seq)
SELECT $1, slot, blockhash, parent, to_timestamp(block_time), this.seq
FROM this, unnest($3::bigint[], $4::text[], $5::bigint[], $6::bigint[]) AS s (slot, blockhash, parent, block_time)
ON CONFLICT (stream, slot) DO UPDATE SET
    blockhash = excluded.blockhash,
    parent = excluded.parent,
    block_time = excluded.block_time,
    seq = excluded.seq;

-- name: mark_audited
UPDATE heliograph.coverage
SET audited = audited + int8multirange(variadic array(SELECT int8range(slot, slot, '[]') FROM unnest($2::bigint[]) AS slot))
WHERE stream = $1;
