-- State tables: one statement a table and commit, all rows at once as arrays in key order.

-- name: upsert_balances
-- The latest transfer wins, whenever it is written.
INSERT INTO perps.balances (
    stream, wallet, asset, free, locked, updated_at, updated_slot, updated_tx_index, updated_ordinal, sub_account
)
SELECT
    stream, wallet, asset, free, locked, to_timestamp(updated_at), updated_slot, updated_tx_index,
    updated_ordinal, sub_account
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::numeric[], $5::numeric[], $6::bigint[], $7::bigint[], $8::integer[],
    $9::integer[], $10::text[]
) AS given (
    stream, wallet, asset, free, locked, updated_at, updated_slot, updated_tx_index, updated_ordinal, sub_account
)
ON CONFLICT (stream, wallet, asset, sub_account) DO UPDATE SET
    free = excluded.free,
    locked = excluded.locked,
    updated_at = excluded.updated_at,
    updated_slot = excluded.updated_slot,
    updated_tx_index = excluded.updated_tx_index,
    updated_ordinal = excluded.updated_ordinal
WHERE (excluded.updated_slot, excluded.updated_tx_index, excluded.updated_ordinal)
    >= (balances.updated_slot, balances.updated_tx_index, balances.updated_ordinal);

-- name: upsert_positions
INSERT INTO perps.positions (
    stream, position_key, opened_slot, opened_tx_index, opened_ordinal, lifecycle, program, market, wallet,
    side, status, size, max_size, entry_price, exit_price, collateral, liquidation_price, realized_pnl, fees,
    funding, changes, opened_at, updated_at, updated_slot, updated_tx_index, updated_ordinal, closed_at,
    closed_slot, complete, settled, entry_quote, settled_pnl, borrow_fees,
    price_impact_fees
)
SELECT
    stream, position_key, opened_slot, opened_tx_index, opened_ordinal, lifecycle, program, market, wallet,
    side, status, size, max_size, entry_price, exit_price, collateral, liquidation_price, realized_pnl, fees,
    funding, changes, to_timestamp(opened_at), to_timestamp(updated_at), updated_slot, updated_tx_index,
    updated_ordinal, to_timestamp(closed_at), closed_slot, complete, settled, entry_quote, settled_pnl, borrow_fees,
    price_impact_fees
FROM unnest(
    $1::text[], $2::text[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::numeric[], $13::numeric[], $14::numeric[], $15::numeric[],
    $16::numeric[], $17::numeric[], $18::numeric[], $19::numeric[], $20::numeric[], $21::integer[],
    $22::bigint[], $23::bigint[], $24::bigint[], $25::integer[], $26::integer[], $27::bigint[], $28::bigint[],
    $29::boolean[], $30::boolean[], $31::numeric[], $32::numeric[], $33::numeric[], $34::numeric[]
) AS given (
    stream, position_key, opened_slot, opened_tx_index, opened_ordinal, lifecycle, program, market, wallet,
    side, status, size, max_size, entry_price, exit_price, collateral, liquidation_price, realized_pnl, fees,
    funding, changes, opened_at, updated_at, updated_slot, updated_tx_index, updated_ordinal, closed_at,
    closed_slot, complete, settled, entry_quote, settled_pnl, borrow_fees,
    price_impact_fees
)
ON CONFLICT (stream, position_key, opened_slot, opened_tx_index, opened_ordinal) DO UPDATE SET
    lifecycle = excluded.lifecycle,
    program = excluded.program,
    market = excluded.market,
    wallet = excluded.wallet,
    side = excluded.side,
    status = excluded.status,
    size = excluded.size,
    max_size = excluded.max_size,
    entry_price = excluded.entry_price,
    exit_price = excluded.exit_price,
    collateral = excluded.collateral,
    liquidation_price = excluded.liquidation_price,
    realized_pnl = excluded.realized_pnl,
    fees = excluded.fees,
    funding = excluded.funding,
    changes = excluded.changes,
    opened_at = excluded.opened_at,
    updated_at = excluded.updated_at,
    updated_slot = excluded.updated_slot,
    updated_tx_index = excluded.updated_tx_index,
    updated_ordinal = excluded.updated_ordinal,
    closed_at = excluded.closed_at,
    closed_slot = excluded.closed_slot,
    complete = excluded.complete,
    settled = excluded.settled,
    entry_quote = excluded.entry_quote,
    settled_pnl = excluded.settled_pnl,
    borrow_fees = excluded.borrow_fees,
    price_impact_fees = excluded.price_impact_fees;

-- name: upsert_markets
-- account_slot is NULL where an event describes the market: once its account was seen, the account's word counts.
INSERT INTO perps.markets (
    stream, market, program, symbol, base_asset, quote_asset, oracle, tick_size, lot_size, initial_margin_ratio,
    maintenance_margin_ratio, taker_fee_rate, maker_fee_rate, funding_interval_seconds, created_slot, created_at,
    account_slot
)
SELECT
    stream, market, program, symbol, base_asset, quote_asset, oracle, tick_size, lot_size, initial_margin_ratio,
    maintenance_margin_ratio, taker_fee_rate, maker_fee_rate, funding_interval_seconds, created_slot,
    to_timestamp(created_at), account_slot
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::numeric[],
    $9::numeric[], $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::integer[],
    $15::bigint[], $16::bigint[], $17::bigint[]
) AS given (
    stream, market, program, symbol, base_asset, quote_asset, oracle, tick_size, lot_size, initial_margin_ratio,
    maintenance_margin_ratio, taker_fee_rate, maker_fee_rate, funding_interval_seconds, created_slot, created_at,
    account_slot
)
ON CONFLICT (stream, market) DO UPDATE SET
    program = excluded.program,
    symbol = excluded.symbol,
    base_asset = excluded.base_asset,
    quote_asset = excluded.quote_asset,
    oracle = excluded.oracle,
    tick_size = excluded.tick_size,
    lot_size = excluded.lot_size,
    initial_margin_ratio = excluded.initial_margin_ratio,
    maintenance_margin_ratio = excluded.maintenance_margin_ratio,
    taker_fee_rate = excluded.taker_fee_rate,
    maker_fee_rate = excluded.maker_fee_rate,
    funding_interval_seconds = excluded.funding_interval_seconds,
    created_slot = coalesce(excluded.created_slot, markets.created_slot),
    created_at = coalesce(excluded.created_at, markets.created_at),
    account_slot = coalesce(excluded.account_slot, markets.account_slot)
WHERE markets.account_slot IS NULL OR excluded.account_slot >= markets.account_slot;

-- name: update_market_states
-- A market that no event or account has described yet has no row, and gets its state with its description.
UPDATE perps.markets AS m
SET account_slot = given.account_slot,
    mark_price = given.mark_price,
    index_price = given.index_price,
    funding_rate = given.funding_rate,
    open_interest_long = given.open_interest_long,
    open_interest_short = given.open_interest_short,
    borrow_rate = given.borrow_rate
FROM unnest(
    $1::text[], $2::text[], $3::bigint[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[],
    $9::numeric[]
) AS given (
    stream, market, account_slot, mark_price, index_price, funding_rate, open_interest_long, open_interest_short,
    borrow_rate
)
WHERE m.stream = given.stream
  AND m.market = given.market
  AND (m.account_slot IS NULL OR given.account_slot >= m.account_slot);

-- name: upsert_accounts
INSERT INTO heliograph.accounts (stream, address, program, name, slot, lamports, data, fields, reason)
SELECT $1, address, program, name, slot, lamports, data, fields, reason
FROM unnest(
    $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[], $8::jsonb[], $9::text[]
) AS given (address, program, name, slot, lamports, data, fields, reason)
ON CONFLICT (stream, address) DO UPDATE SET
    program = excluded.program,
    name = excluded.name,
    slot = excluded.slot,
    lamports = excluded.lamports,
    data = excluded.data,
    fields = excluded.fields,
    reason = excluded.reason
WHERE excluded.slot >= accounts.slot;
