-- Rolled buckets in continuous aggregates, on TimescaleDB Community. A view rolled_<name>_<step> has the same columns
-- wherever its rows are. No statement takes a parameter but the refresh, so both drivers run the others.

-- name: write_creates
-- The smallest buckets come from the rows and the others from the next smaller ones. WITH NO DATA: the worker fills
-- them; real-time aggregation is off, because served_<name>_<step> knows better what is not rolled up.
SELECT format(
    'CREATE MATERIALIZED VIEW IF NOT EXISTS heliograph_rollup.%I '
    'WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS '
    'SELECT stream, market, time_bucket(%L::interval, %I) AS bucket, %s FROM %s%s GROUP BY 1, 2, 3 WITH NO DATA',
    'cont_' || s.source || '_' || r.step, r.width, CASE WHEN r.lower IS NULL THEN 'block_time' ELSE 'bucket' END,
    CASE WHEN r.lower IS NULL THEN s.fields ELSE s.merged END,
    CASE WHEN r.lower IS NULL THEN s.rows ELSE format('heliograph_rollup.%I', 'cont_' || s.source || '_' || r.lower) END,
    CASE WHEN r.lower IS NULL THEN s.condition ELSE '' END
)
FROM (
    SELECT name, step, width, lag(step) OVER (PARTITION BY name ORDER BY width) AS lower
    FROM heliograph_rollup.rollups
) AS r
JOIN (
    VALUES
        ('candles', 'candles_trade', 'perps.trades', '',
            'first(price, heliograph_rollup.place(slot, tx_index, ordinal, part)) AS open, max(price) AS high, '
            'min(price) AS low, last(price, heliograph_rollup.place(slot, tx_index, ordinal, part)) AS close, '
            'sum(size) AS volume, sum(quote) AS quote, count(*) AS points',
            'first(open, bucket) AS open, max(high) AS high, min(low) AS low, last(close, bucket) AS close, '
            'sum(volume) AS volume, sum(quote) AS quote, sum(points) AS points'),
        ('candles', 'candles_mark', 'perps.funding_rates', ' WHERE mark_price IS NOT NULL',
            'first(mark_price, heliograph_rollup.place(slot, tx_index, ordinal, part)) AS open, max(mark_price) AS high, '
            'min(mark_price) AS low, last(mark_price, heliograph_rollup.place(slot, tx_index, ordinal, part)) AS close, '
            'count(*) AS points',
            'first(open, bucket) AS open, max(high) AS high, min(low) AS low, last(close, bucket) AS close, '
            'sum(points) AS points'),
        ('candles', 'candles_oracle', 'perps.oracle_prices', '',
            'first(price, heliograph_rollup.place(slot, tx_index, ordinal, part)) AS open, max(price) AS high, '
            'min(price) AS low, last(price, heliograph_rollup.place(slot, tx_index, ordinal, part)) AS close, '
            'count(*) AS points',
            'first(open, bucket) AS open, max(high) AS high, min(low) AS low, last(close, bucket) AS close, '
            'sum(points) AS points'),
        ('funding', 'funding_rates', 'perps.funding_rates', '',
            'sum(rate) AS rate_sum, count(*) AS rates, min(rate) AS rate_min, max(rate) AS rate_max, '
            'last(rate, heliograph_rollup.place(slot, tx_index, ordinal, part)) AS rate_last',
            'sum(rate_sum) AS rate_sum, sum(rates) AS rates, min(rate_min) AS rate_min, max(rate_max) AS rate_max, '
            'last(rate_last, bucket) AS rate_last'),
        ('funding', 'funding_payments', 'perps.funding_payments', '',
            'sum(CASE WHEN side = ''long'' THEN amount ELSE 0 END) AS long_amount, '
            'sum(CASE WHEN side = ''short'' THEN amount ELSE 0 END) AS short_amount, count(*) AS payments',
            'sum(long_amount) AS long_amount, sum(short_amount) AS short_amount, sum(payments) AS payments'),
        ('volume', 'volume', 'perps.trades', '',
            'sum(size) AS volume, sum(quote) AS quote, '
            'sum(CASE WHEN taker_side = ''long'' THEN quote ELSE 0 END) AS bought_quote, '
            'sum(CASE WHEN taker_side = ''short'' THEN quote ELSE 0 END) AS sold_quote, '
            'sum(CASE WHEN liquidation THEN quote ELSE 0 END) AS liquidated_quote, '
            'sum(taker_fee) AS taker_fees, sum(maker_fee) AS maker_fees, count(*) AS trades',
            ''),
        ('open_interest', 'open_interest', 'perps.position_changes', ' WHERE size_delta <> 0',
            'sum(CASE WHEN side = ''long'' THEN size_delta ELSE 0 END) AS long_change, '
            'sum(CASE WHEN side = ''short'' THEN size_delta ELSE 0 END) AS short_change, count(*) AS changes',
            'sum(long_change) AS long_change, sum(short_change) AS short_change, sum(changes) AS changes')
) AS s (name, source, rows, condition, fields, merged) ON s.name = r.name
ORDER BY r.name, s.source, r.width;

-- name: write_views
SELECT format('CREATE OR REPLACE VIEW heliograph_rollup.%I AS ', 'rolled_' || r.name || '_' || r.step) || replace(s.body, '{step}', r.step)
FROM heliograph_rollup.rollups AS r
JOIN (
    VALUES
        ('candles',
            'SELECT stream, market, ''trade''::text AS price_kind, bucket, open, high, low, close, volume, quote, '
            'points::bigint AS points FROM heliograph_rollup.cont_candles_trade_{step} UNION ALL '
            'SELECT stream, market, ''mark''::text, bucket, open, high, low, close, 0::numeric, 0::numeric, '
            'points::bigint FROM heliograph_rollup.cont_candles_mark_{step} UNION ALL '
            'SELECT stream, market, ''oracle''::text, bucket, open, high, low, close, 0::numeric, 0::numeric, '
            'points::bigint FROM heliograph_rollup.cont_candles_oracle_{step}'),
        ('funding',
            'SELECT stream, market, bucket, max(rate_sum) AS rate_sum, max(rates) AS rates, max(rate_min) AS rate_min, '
            'max(rate_max) AS rate_max, max(rate_last) AS rate_last, coalesce(max(long_amount), 0) AS long_amount, '
            'coalesce(max(short_amount), 0) AS short_amount, max(payments) AS payments FROM ('
            'SELECT stream, market, bucket, rate_sum, rates::bigint AS rates, rate_min, rate_max, rate_last, '
            'NULL::numeric AS long_amount, NULL::numeric AS short_amount, 0::bigint AS payments '
            'FROM heliograph_rollup.cont_funding_rates_{step} UNION ALL '
            'SELECT stream, market, bucket, NULL::numeric, 0::bigint, NULL::numeric, NULL::numeric, NULL::numeric, '
            'long_amount, short_amount, payments::bigint FROM heliograph_rollup.cont_funding_payments_{step}'
            ') AS f GROUP BY stream, market, bucket'),
        ('volume',
            'SELECT stream, market, bucket, volume, quote, bought_quote, sold_quote, liquidated_quote, taker_fees, '
            'maker_fees, trades::bigint AS trades FROM heliograph_rollup.cont_volume_{step}'),
        ('open_interest',
            'SELECT stream, market, bucket, long_change, short_change, changes::bigint AS changes '
            'FROM heliograph_rollup.cont_open_interest_{step}')
) AS s (name, body) ON s.name = r.name
ORDER BY r.name, r.width;

-- name: write_plain_views
SELECT format('CREATE OR REPLACE VIEW heliograph_rollup.%I AS SELECT * FROM heliograph_rollup.%I',
    'rolled_' || name || '_' || step, 'kept_' || name || '_' || step)
FROM heliograph_rollup.rollups
ORDER BY name, width;

-- name: write_truncates
SELECT format('TRUNCATE heliograph_rollup.%I', 'kept_' || name || '_' || step)
FROM heliograph_rollup.rollups
ORDER BY name, width;

-- name: begin_anew
-- Everything is in the tail until the worker has rolled it up again.
WITH gone AS (DELETE FROM heliograph.stale_ranges)
DELETE FROM heliograph.rollups;

-- name: set_continuous
UPDATE heliograph_rollup.storage SET continuous = true;

-- name: set_plain
UPDATE heliograph_rollup.storage SET continuous = false;

-- name: find_storage
SELECT to_regclass('heliograph_rollup.storage') IS NOT NULL;

-- name: find_continuous
SELECT continuous FROM heliograph_rollup.storage;

-- name: write_refreshes
-- Smaller buckets first: the others are made of them. $2 and $3: first and last time; a NULL first time is the beginning.
SELECT format('CALL refresh_continuous_aggregate(%L, %L, %L)', 'heliograph_rollup.cont_' || s.source || '_' || k.step, b.first, b.past)
FROM heliograph.rollups AS r
JOIN heliograph_rollup.rollups AS k ON true
JOIN (
    VALUES ('candles', 'candles_trade'), ('candles', 'candles_mark'), ('candles', 'candles_oracle'),
        ('funding', 'funding_rates'), ('funding', 'funding_payments'), ('volume', 'volume'),
        ('open_interest', 'open_interest')
) AS s (name, source) ON s.name = k.name
CROSS JOIN LATERAL (
    SELECT heliograph_rollup.bucket_of(k.width, $2::timestamptz),
        least(heliograph_rollup.bucket_of(k.width, $3::timestamptz) + k.width, heliograph_rollup.bucket_of(k.width, r.through))
) AS b (first, past)
WHERE r.stream = $1 AND (b.first IS NULL OR b.first < b.past)
ORDER BY k.name, s.source, k.width;
