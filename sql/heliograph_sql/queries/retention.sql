-- Rows past their retention. First a stream's floor rises, retained_from, and with it where completeness starts; then
-- rows below it are deleted, so that nothing is ever called complete that is gone.

-- name: read_now
SELECT clock_timestamp();

-- name: list_tables
-- Ours that are keyed by block_time first.
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid AND c.relkind = 'r'
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE i.indisprimary
  AND a.attname = 'block_time'
  AND (n.nspname IN ('heliograph', 'perps') OR n.nspname IN (SELECT name FROM heliograph.streams))
ORDER BY 1, 2;

-- name: list_streams
SELECT name FROM heliograph.streams ORDER BY name;

-- name: find_floor
-- The slot after the last one that is older: blocks below hold no row that is to be kept.
SELECT slot + 1
FROM heliograph.slots
WHERE stream = $1 AND block_time < $2
ORDER BY block_time DESC, slot DESC
LIMIT 1;

-- name: find_oldest
-- Block time of the oldest change of a position that is at or above the floor and older than a time.
SELECT least(
    (
        SELECT block_time
        FROM perps.position_changes
        WHERE stream = $1 AND slot >= $2 AND block_time < $3
        ORDER BY block_time
        LIMIT 1
    ),
    (
        SELECT block_time
        FROM perps.flows
        WHERE stream = $1 AND slot >= $2 AND block_time < $3
        ORDER BY block_time
        LIMIT 1
    )
);

-- name: read_floor
SELECT coalesce(retained_from, 0) AS floor,
    EXISTS (SELECT FROM heliograph.dirty WHERE stream = $1) AS dirty
FROM heliograph.streams
WHERE name = $1;

-- name: list_changes_between
SELECT
    stream, extract(epoch FROM block_time)::bigint AS block_time, slot, tx_index, ordinal, part, signature, program,
    market, wallet, position_key, kind, side, size_delta, size_after, price, entry_price_after, collateral_delta,
    collateral_after, realized_pnl, fee, funding, liquidation_price_after, trade_id, settled_pnl,
    borrow_fee, price_impact_fee
FROM perps.position_changes AS c
WHERE stream = $1 AND slot >= $2 AND slot < $3 AND block_time < $4
  AND NOT EXISTS (SELECT FROM perps.flows AS f WHERE f.stream = $1 AND f.position_key = c.position_key)
ORDER BY position_key, slot, tx_index, ordinal, part;

-- name: list_flows_between
SELECT
    f.stream, extract(epoch FROM f.block_time)::bigint AS block_time, f.slot, f.tx_index, f.ordinal, f.part, f.signature,
    f.program, f.market, f.wallet, f.position_key, f.kind, f.base_delta, f.quote, f.price, f.fee, f.funding,
    f.settled_pnl, f.base_before, f.base_after, f.entry_quote_after, f.entry_quote_released, f.quote_places, f.trade_id
FROM perps.flows AS f
WHERE f.stream = $1 AND f.slot >= $2 AND f.slot < $3 AND f.block_time < $4
ORDER BY f.position_key, f.slot, f.tx_index, f.ordinal, f.part;

-- name: read_retained
SELECT position_key, coalesce(position, 'null')::text AS position, flows::text AS flows
FROM heliograph.retained_positions
WHERE stream = $1 AND position_key = ANY ($2::text[]);

-- name: retain_positions
INSERT INTO heliograph.retained_positions (stream, position_key, lifecycle, position, flows)
SELECT $1, position_key, lifecycle, position::jsonb, flows::jsonb
FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[]) AS given (position_key, lifecycle, position, flows)
ON CONFLICT (stream, position_key) DO UPDATE SET
    lifecycle = excluded.lifecycle, position = excluded.position, flows = excluded.flows;

-- name: retain_balances
INSERT INTO heliograph.retained_balances (
    stream, wallet, asset, free, locked, updated_at, updated_slot, updated_tx_index, updated_ordinal, sub_account
)
SELECT DISTINCT ON (wallet, asset, coalesce(sub_account, ''))
    stream, wallet, asset, free_after, locked_after, block_time, slot, tx_index, ordinal, coalesce(sub_account, '')
FROM perps.transfers
WHERE stream = $1 AND slot >= $2 AND slot < $3 AND block_time < $4
  AND free_after IS NOT NULL AND locked_after IS NOT NULL
ORDER BY wallet, asset, coalesce(sub_account, ''), block_time DESC, slot DESC, tx_index DESC, ordinal DESC, part DESC
ON CONFLICT (stream, wallet, asset, sub_account) DO UPDATE SET
    free = excluded.free,
    locked = excluded.locked,
    updated_at = excluded.updated_at,
    updated_slot = excluded.updated_slot,
    updated_tx_index = excluded.updated_tx_index,
    updated_ordinal = excluded.updated_ordinal;

-- name: raise_floor
-- Slots below count as covered and audited: whoever was about to write one finds it done, and gives way.
WITH raised AS (
    UPDATE heliograph.streams
    SET retained_from = $2,
        first_slot = greatest(first_slot, $2),
        final_slot = greatest(final_slot, $2 - 1)
    WHERE name = $1
    RETURNING name
)
UPDATE heliograph.coverage AS c
SET slots = c.slots + int8multirange(int8range(0, $2)),
    audited = c.audited + int8multirange(int8range(0, $2))
FROM raised
WHERE c.stream = raised.name;

-- name: lift_statement_timeout
SET LOCAL statement_timeout = 0;

-- name: write_delete_older
-- Makes the statement that deletes some rows of a table; the table is one of the list.
SELECT format(
    'DELETE FROM %I.%I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %I.%I WHERE block_time < $1 ORDER BY block_time LIMIT $2))',
    $1::text, $2::text, $1::text, $2::text
);

-- name: delete_signatures
DELETE FROM heliograph.signatures
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM heliograph.signatures WHERE stream = $1 AND slot < $2 ORDER BY slot LIMIT $3
));

-- name: delete_slots
-- The last one below stays: it tells how old a row at the floor can be at most.
DELETE FROM heliograph.slots
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM heliograph.slots
    WHERE stream = $1 AND slot < (SELECT max(slot) FROM heliograph.slots WHERE stream = $1 AND slot < $2)
    ORDER BY slot LIMIT $3
));
