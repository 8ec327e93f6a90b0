-- The years of benchmarks/growth.py: the same rows a day, made on the server. $1: days. $2: trades a day.

-- name: add_stream
INSERT INTO heliograph.streams (name, protocol, programs, first_slot, head_slot, head_time, final_slot)
SELECT 'growth', 'growth', '{}', 0, $1::bigint * $2::bigint - 1,
    to_timestamp(1700000000 + ($1::bigint * $2::bigint - 1) * 86400 / $2::bigint), $1::bigint * $2::bigint - 1;

-- name: add_coverage
INSERT INTO heliograph.coverage (stream, slots)
VALUES ('growth', int8multirange(int8range(0, $1::bigint * $2::bigint)));

-- name: add_markets
INSERT INTO perps.markets (stream, market, program, symbol, base_asset, quote_asset, created_slot, created_at)
SELECT 'growth', 'market' || m, 'program', 'M' || m || '-PERP', 'M' || m, 'USDC', 0, to_timestamp(1700000000)
FROM generate_series(0, 19) m;

-- name: add_slots
INSERT INTO heliograph.slots (stream, slot, blockhash, parent, block_time, seq)
SELECT 'growth', g, g::text, g - 1, to_timestamp(1700000000 + g * 86400 / $2::bigint), 1
FROM generate_series(0, $1::bigint * $2::bigint - 1) g;

-- name: add_transactions
INSERT INTO heliograph.transactions (stream, block_time, slot, tx_index, signature, fee, fee_payer, version, truncated)
SELECT 'growth', to_timestamp(1700000000 + g * 86400 / $2::bigint), g, 1, md5(g::text) || md5((-g)::text), 5000,
    'wallet' || (hashint8(g) & 4095), '0', false
FROM generate_series(0, $1::bigint * $2::bigint - 1) g;

-- name: add_signatures
INSERT INTO heliograph.signatures (signature, stream, block_time, slot, tx_index)
SELECT md5(g::text) || md5((-g)::text), 'growth', to_timestamp(1700000000 + g * 86400 / $2::bigint), g, 1
FROM generate_series(0, $1::bigint * $2::bigint - 1) g;

-- name: add_trades
INSERT INTO perps.trades (
    stream, block_time, slot, tx_index, ordinal, part, signature, program, market, trade_id, taker, taker_side, maker,
    price, size, quote, taker_fee, maker_fee, taker_position_key, maker_position_key, liquidation
)
SELECT 'growth', to_timestamp(1700000000 + g * 86400 / $2::bigint), g, 1, 0, 0, md5(g::text) || md5((-g)::text),
    'program', 'market' || (hashint8(g) & 15), g::text, 'wallet' || (hashint8(g) & 4095),
    CASE WHEN g % 2 = 0 THEN 'long' ELSE 'short' END, 'wallet' || (hashint8(-g) & 4095),
    100 + (g % 1000) / 100.0, 1 + (g % 100) / 10.0, (100 + (g % 1000) / 100.0) * (1 + (g % 100) / 10.0), 0.1, -0.01,
    'key' || (hashint8(g) & 4095), 'key' || (hashint8(-g) & 4095), false
FROM generate_series(0, $1::bigint * $2::bigint - 1) g;

-- name: add_positions
-- A lifecycle for every hundredth trade, of 50 wallets in turn.
INSERT INTO perps.positions (
    stream, position_key, opened_slot, opened_tx_index, opened_ordinal, lifecycle, program, market, wallet, side, status,
    size, realized_pnl, fees, funding, changes, opened_at, updated_at, updated_slot, updated_tx_index, updated_ordinal,
    complete, settled
)
SELECT 'growth', 'key' || (g / 100 % 50), g, 1, 0, 1, 'program', 'market' || (hashint8(g) & 15),
    'wallet' || (g / 100 % 50), 'long', 'closed', 0, 1, 1, 1, 2, to_timestamp(1700000000 + g * 86400 / $2::bigint),
    to_timestamp(1700000000 + g * 86400 / $2::bigint), g, 1, 0, true, true
FROM generate_series(0, $1::bigint * $2::bigint - 1, 100) g;

-- name: add_funding_payments
-- Each hour 200 wallets, ten a market.
INSERT INTO perps.funding_payments (
    stream, block_time, slot, tx_index, ordinal, part, signature, program, market, wallet, position_key, side, size, rate,
    interval_seconds, amount
)
SELECT 'growth', to_timestamp(1700000000 + h * 3600), h * $2::bigint / 24, 2, w, 0, 'funding' || h, 'program',
    'market' || (w % 20), 'wallet' || w, 'key' || w, 'long', 1, 0.0001, 3600, 0.01
FROM generate_series(0, $1::bigint * 24 - 1) h CROSS JOIN generate_series(0, 199) w;

-- name: add_funding_rates
INSERT INTO perps.funding_rates (
    stream, block_time, slot, tx_index, ordinal, part, signature, program, market, mark_price, rate, interval_seconds,
    interval_rate
)
SELECT 'growth', to_timestamp(1700000000 + h * 3600), h * $2::bigint / 24, 2, 1000 + m, 0, 'funding' || h, 'program',
    'market' || m, 100 + m, 0.0001, 3600, 0.0001
FROM generate_series(0, $1::bigint * 24 - 1) h CROSS JOIN generate_series(0, 19) m;

-- name: add_oracle_prices
-- Each quarter of an hour one of every market.
INSERT INTO perps.oracle_prices (
    stream, block_time, slot, tx_index, ordinal, part, signature, program, market, source, price, publish_time
)
SELECT 'growth', to_timestamp(1700000000 + q * 900), q * $2::bigint / 96, 3, m, 0, 'oracle' || q, 'program',
    'market' || m, 'pyth', 100 + m, to_timestamp(1700000000 + q * 900)
FROM generate_series(0, $1::bigint * 96 - 1) q CROSS JOIN generate_series(0, 19) m;

-- name: add_plain_candles
-- Once all is rolled up: the candles of an hour as rows of a plain table.
CREATE TABLE plain_candles AS
SELECT * FROM perps.candles_1h WHERE price_kind = 'trade' ORDER BY market, bucket;
ALTER TABLE plain_candles ADD PRIMARY KEY (market, bucket, stream);

-- name: count_rows
SELECT (SELECT count(*) FROM perps.trades) + (SELECT count(*) FROM perps.funding_payments)
    + (SELECT count(*) FROM perps.funding_rates) + (SELECT count(*) FROM perps.oracle_prices)
    + (SELECT count(*) FROM perps.positions) + (SELECT count(*) FROM heliograph.slots)
    + (SELECT count(*) FROM heliograph.transactions) + (SELECT count(*) FROM heliograph.signatures);
