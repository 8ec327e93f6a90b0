-- Candles for charts: what is asked for is planned, and nothing beside it. docs/decisions/0072 says what is left of a row.

-- One function a kind of price, so that whoever wants one kind plans the search of one table.

CREATE FUNCTION heliograph_rollup.trade_candles_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz,
    planned_first timestamptz DEFAULT '-infinity', planned_end timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (
    market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- The least and the greatest pair by place carry the first and the last price: PostgreSQL has no first().
    SELECT market, 'trade', heliograph_rollup.bucket_of(width, block_time),
        (min(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), price]))[2],
        max(price), min(price),
        (max(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), price]))[2],
        sum(size), sum(quote), count(*)
    FROM perps.trades
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
      AND block_time >= planned_first AND block_time < planned_end
    GROUP BY market, 3
$$;

CREATE FUNCTION heliograph_rollup.mark_candles_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz,
    planned_first timestamptz DEFAULT '-infinity', planned_end timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (
    market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT market, 'mark', heliograph_rollup.bucket_of(width, block_time),
        (min(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), mark_price]))[2],
        max(mark_price), min(mark_price),
        (max(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), mark_price]))[2],
        0::numeric, 0::numeric, count(*)
    FROM perps.funding_rates
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
      AND block_time >= planned_first AND block_time < planned_end AND mark_price IS NOT NULL
    GROUP BY market, 3
$$;

CREATE FUNCTION heliograph_rollup.oracle_candles_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz,
    planned_first timestamptz DEFAULT '-infinity', planned_end timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (
    market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT market, 'oracle', heliograph_rollup.bucket_of(width, block_time),
        (min(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), price]))[2],
        max(price), min(price),
        (max(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), price]))[2],
        0::numeric, 0::numeric, count(*)
    FROM perps.oracle_prices
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
      AND block_time >= planned_first AND block_time < planned_end
    GROUP BY market, 3
$$;

CREATE OR REPLACE FUNCTION heliograph_rollup.candles_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz,
    planned_first timestamptz DEFAULT '-infinity', planned_end timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (
    market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- Each table is grouped for itself: rows that are put together before open every chunk of each, whatever the bounds are.
    SELECT c.* FROM heliograph_rollup.trade_candles_between(width, of_stream, first_time, end_time, planned_first, planned_end) AS c
    UNION ALL
    SELECT c.* FROM heliograph_rollup.mark_candles_between(width, of_stream, first_time, end_time, planned_first, planned_end) AS c
    UNION ALL
    SELECT c.* FROM heliograph_rollup.oracle_candles_between(width, of_stream, first_time, end_time, planned_first, planned_end) AS c
$$;

CREATE OR REPLACE FUNCTION perps.candles(
    step text, first_time timestamptz, end_time timestamptz,
    of_market text DEFAULT NULL, of_kind text DEFAULT 'trade', of_stream text DEFAULT NULL
)
RETURNS TABLE (
    stream text, market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    width interval := heliograph_rollup.width_of('candles', step);
    after timestamptz := heliograph_rollup.bucket_of(width, first_time);
    past timestamptz := heliograph_rollup.bucket_of(width, end_time);
    tail record;
    part record;
    still_true text;
BEGIN
    PERFORM heliograph_rollup.check_times(first_time, end_time);
    IF of_kind IS NULL OR of_kind NOT IN ('trade', 'mark', 'oracle') THEN
        RETURN;
    END IF;
    -- Whole buckets: those that begin from first_time on and before end_time.
    after := CASE WHEN after < first_time THEN after + width ELSE after END;
    past := CASE WHEN past < end_time THEN past + width ELSE past END;
    FOR tail IN
        SELECT t.* FROM heliograph_rollup.tails(width) AS t WHERE of_stream IS NULL OR t.stream = of_stream
    LOOP
        -- To look for stale ranges bucket by bucket costs nearly as much as to read the buckets, and mostly there is none.
        still_true := CASE WHEN EXISTS (
            SELECT FROM heliograph.stale_ranges AS s
            WHERE s.stream = tail.stream AND s.first_time < past AND s.last_time >= after
        ) THEN format(
            ' AND NOT EXISTS (SELECT FROM heliograph.stale_ranges AS s '
            'WHERE s.stream = b.stream AND s.first_time < b.bucket + %L::interval AND s.last_time >= b.bucket)', width
        ) ELSE '' END;
        IF after < least(past, tail.first_time) THEN
            RETURN QUERY EXECUTE format(
                'SELECT b.* FROM heliograph_rollup.%I AS b WHERE b.stream = %L AND b.price_kind = %L AND (%L IS NULL OR b.market = %L) '
                'AND b.bucket >= %L AND b.bucket < %L',
                'rolled_candles_' || step, tail.stream, of_kind, of_market, of_market, after,
                least(past, tail.first_time)) || still_true;
        END IF;
        FOR part IN
            SELECT greatest(w.first_time, after) AS first_time, least(w.end_time, past) AS end_time
            FROM heliograph_rollup.stale_windows(width) AS w
            WHERE w.stream = tail.stream AND w.first_time < past AND w.end_time > after
            UNION ALL
            SELECT greatest(tail.first_time, after), past
            WHERE tail.first_time < past
        LOOP
            RETURN QUERY EXECUTE format(
                'SELECT %L::text, b.* FROM heliograph_rollup.%I(%L, %L, %L, %L) AS b WHERE %L IS NULL OR b.market = %L',
                tail.stream, of_kind || '_candles_between', width, tail.stream, part.first_time, part.end_time,
                of_market, of_market);
        END LOOP;
    END LOOP;
END
$$;

-- A page of candles with holes goes back until the first that there is. What is rolled up tells that at once. Rows are looked
-- into from where they are not rolled up, else every chunk of years is opened for a minute in which nobody traded.
CREATE OR REPLACE FUNCTION heliograph_rollup.first_candle(width interval, of_market text, of_kind text, of_stream text)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    -- Rolled buckets outlive the rows that they were made of.
    found timestamptz := (
        SELECT min(r.bucket) FROM heliograph_rollup.rolled_candles_1d AS r
        WHERE r.price_kind = of_kind AND r.market = of_market AND (of_stream IS NULL OR r.stream = of_stream)
    );
    -- Whatever is before it is in rolled buckets.
    since timestamptz := least(
        (SELECT min(t.first_time) FROM heliograph_rollup.tails('1 day') AS t WHERE of_stream IS NULL OR t.stream = of_stream),
        (SELECT min(s.first_time) FROM heliograph.stale_ranges AS s WHERE of_stream IS NULL OR s.stream = of_stream)
    );
    points text := CASE of_kind
        WHEN 'trade' THEN 'perps.trades'
        WHEN 'mark' THEN '(SELECT * FROM perps.funding_rates WHERE mark_price IS NOT NULL)'
        WHEN 'oracle' THEN 'perps.oracle_prices'
    END;
    row_time timestamptz;
BEGIN
    IF points IS NOT NULL AND (found IS NULL OR since < found) THEN
        EXECUTE format(
            'SELECT min(p.block_time) FROM %s AS p WHERE p.market = %L AND (%L IS NULL OR p.stream = %L) AND p.block_time >= %L',
            points, of_market, of_stream, of_stream, since
        ) INTO row_time;
    END IF;
    RETURN heliograph_rollup.bucket_of(width, least(found, row_time));
END
$$;
