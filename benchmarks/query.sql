-- What benchmarks/query.py asks for: $1 trades, positions, funding payments and position changes, 16 markets, 4096 wallets.
-- A trade every 3.75 seconds, so that each market has one a minute and as many candles of a minute as there are trades.

-- name: add_stream
INSERT INTO heliograph.streams (name, protocol, programs, first_slot, seq, head_slot, head_time, final_slot)
SELECT 'bench', 'bench', '{}', 0, 1, $1::bigint - 1, to_timestamp(1700000000 + ($1::bigint - 1) * 3.75), $1::bigint - 1;

-- name: add_coverage
INSERT INTO heliograph.coverage (stream, slots) VALUES ('bench', int8multirange(int8range(0, $1::bigint)));

-- name: add_markets
INSERT INTO perps.markets (stream, market, program, symbol, base_asset, quote_asset, created_slot, created_at)
SELECT 'bench', 'market' || m, 'program', 'M' || m || '-PERP', 'M' || m, 'USDC', 0, to_timestamp(1700000000)
FROM generate_series(0, 15) m;

-- name: add_slots
INSERT INTO heliograph.slots (stream, slot, blockhash, parent, block_time, seq)
SELECT 'bench', g, g::text, g - 1, to_timestamp(1700000000 + g * 3.75), 1
FROM generate_series(0, $1::bigint - 1) g;

-- name: add_trades
INSERT INTO perps.trades (
    stream, block_time, slot, tx_index, ordinal, part, signature, program, market, trade_id, taker, taker_side, maker,
    price, size, quote, taker_fee, maker_fee, taker_position_key, maker_position_key, liquidation
)
SELECT 'bench', to_timestamp(1700000000 + g * 3.75), g, 1, 0, 0, md5(g::text) || md5((-g)::text), 'program',
    'market' || (g % 16), g::text, 'wallet' || (hashint8(g) & 4095),
    CASE WHEN g % 3 = 0 THEN 'long' ELSE 'short' END, 'wallet' || (hashint8(-g) & 4095),
    100 + (g % 1000) / 100.0, 1 + (g % 100) / 10.0, (100 + (g % 1000) / 100.0) * (1 + (g % 100) / 10.0), 0.1, -0.01,
    'key' || (hashint8(g) & 65535), 'key' || (hashint8(-g) & 65535), false
FROM generate_series(0, $1::bigint - 1) g;

-- name: add_positions
INSERT INTO perps.positions (
    stream, position_key, opened_slot, opened_tx_index, opened_ordinal, lifecycle, program, market, wallet, side, status,
    size, max_size, entry_price, realized_pnl, fees, funding, changes, opened_at, updated_at, updated_slot,
    updated_tx_index, updated_ordinal, complete, settled
)
SELECT 'bench', 'key' || (hashint8(g) & 65535), g, 1, 1, 1, 'program', 'market' || (g % 16),
    'wallet' || (hashint8(g) & 4095), CASE WHEN g % 3 = 0 THEN 'long' ELSE 'short' END, 'closed', 0,
    1 + (g % 100) / 10.0, 100 + (g % 1000) / 100.0, (g % 77) / 7.0, 0.1, -0.02, 2, to_timestamp(1700000000 + g * 3.75),
    to_timestamp(1700000000 + g * 3.75), g, 1, 1, true, true
FROM generate_series(0, $1::bigint - 1) g;

-- name: add_position_changes
INSERT INTO perps.position_changes (
    stream, block_time, slot, tx_index, ordinal, part, signature, program, market, wallet, position_key, kind, side,
    size_delta, size_after, price, entry_price_after, realized_pnl, fee, funding, trade_id
)
SELECT 'bench', to_timestamp(1700000000 + g * 3.75), g, 1, 1, 0, md5(g::text) || md5((-g)::text), 'program',
    'market' || (g % 16), 'wallet' || (hashint8(g) & 4095), 'key' || (hashint8(g) & 65535), 'open',
    CASE WHEN g % 3 = 0 THEN 'long' ELSE 'short' END, 1 + (g % 100) / 10.0, 1 + (g % 100) / 10.0,
    100 + (g % 1000) / 100.0, 100 + (g % 1000) / 100.0, 0, 0.1, 0, g::text
FROM generate_series(0, $1::bigint - 1) g;

-- name: add_funding_payments
INSERT INTO perps.funding_payments (
    stream, block_time, slot, tx_index, ordinal, part, signature, program, market, wallet, position_key, side, size, rate,
    interval_seconds, amount
)
SELECT 'bench', to_timestamp(1700000000 + g * 3.75), g, 2, 0, 0, md5(g::text) || md5((-g)::text), 'program',
    'market' || (g % 16), 'wallet' || (hashint8(g) & 4095), 'key' || (hashint8(g) & 65535),
    CASE WHEN g % 3 = 0 THEN 'long' ELSE 'short' END, 1 + (g % 100) / 10.0, 0.0001, 3600, (g % 100 - 50) / 1000.0
FROM generate_series(0, $1::bigint - 1) g;

-- name: add_peer_tables
-- PostGraphile needs a row to hang connections on, and keys where views have none.
CREATE SCHEMA bench;
CREATE TABLE bench.wallets (address text PRIMARY KEY);
INSERT INTO bench.wallets SELECT 'wallet' || w FROM generate_series(0, 4095) w;
COMMENT ON TABLE perps.positions IS '@foreignKey (wallet) references bench.wallets (address)';
COMMENT ON TABLE perps.position_changes IS '@foreignKey (wallet) references bench.wallets (address)';
COMMENT ON TABLE perps.funding_payments IS '@foreignKey (wallet) references bench.wallets (address)';
COMMENT ON VIEW perps.candles_1m IS '@primaryKey market,price_kind,bucket,stream';

-- name: analyze
ANALYZE;
