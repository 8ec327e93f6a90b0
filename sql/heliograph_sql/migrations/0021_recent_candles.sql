-- Candles by the page: the newest of them that begin before a time, without having to know how far apart they lie.

CREATE FUNCTION heliograph_rollup.first_candle(width interval, of_market text, of_kind text, of_stream text) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
    SELECT heliograph_rollup.bucket_of(width, least(
        (
            SELECT min(t.block_time) FROM perps.trades AS t
            WHERE of_kind = 'trade' AND t.market = of_market AND (of_stream IS NULL OR t.stream = of_stream)
        ),
        (
            SELECT min(f.block_time) FROM perps.funding_rates AS f
            WHERE of_kind = 'mark' AND f.mark_price IS NOT NULL AND f.market = of_market
              AND (of_stream IS NULL OR f.stream = of_stream)
        ),
        (
            SELECT min(p.block_time) FROM perps.oracle_prices AS p
            WHERE of_kind = 'oracle' AND p.market = of_market AND (of_stream IS NULL OR p.stream = of_stream)
        ),
        -- Rolled buckets outlive the rows that they were made of.
        (
            SELECT min(r.bucket) FROM heliograph_rollup.rolled_candles_1d AS r
            WHERE r.price_kind = of_kind AND r.market = of_market AND (of_stream IS NULL OR r.stream = of_stream)
        )
    ))
$$;
COMMENT ON FUNCTION heliograph_rollup.first_candle IS 'Beginning of the first bucket that there is of a market; NULL where there is none.';

CREATE FUNCTION heliograph_rollup.recent_candles(
    step text, of_market text, of_kind text, of_stream text, since timestamptz, before timestamptz, most bigint, filled boolean
)
RETURNS TABLE (
    stream text, market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    width interval := heliograph_rollup.width_of('candles', step);
    -- Buckets begin at whole widths, so that a bucket before `past` has begun before the newest block.
    past timestamptz := least(before, (
        SELECT max(s.head_time) + interval '1 microsecond'
        FROM heliograph.streams AS s
        WHERE of_stream IS NULL OR s.name = of_stream
    ));
    -- Where the cursor stands every stream may have a bucket of its own that was seen already.
    missing bigint := most + (SELECT count(*) FROM heliograph.streams);
    first_time timestamptz;
    known boolean := false;
    start timestamptz;
    span interval;
    found bigint;
BEGIN
    IF past IS NULL THEN
        RETURN;
    END IF;
    span := CASE WHEN missing IS NOT NULL THEN least(missing, 100000) * width END;
    LOOP
        start := greatest(past - span, since);
        IF start IS NULL OR known THEN
            IF NOT known THEN
                first_time := heliograph_rollup.first_candle(width, of_market, of_kind, of_stream);
                known := true;
            END IF;
            start := greatest(start, first_time);
            EXIT WHEN first_time IS NULL;
        END IF;
        EXIT WHEN start >= past;
        IF filled THEN
            RETURN QUERY
            SELECT c.*
            FROM perps.candles_filled(step, start, past, of_market, of_kind, of_stream) AS c
            WHERE c.bucket >= start
            ORDER BY c.bucket DESC, c.market DESC, c.stream DESC
            LIMIT missing;
        ELSE
            RETURN QUERY
            SELECT c.*
            FROM perps.candles(step, start, past, of_market, of_kind, of_stream) AS c
            ORDER BY c.bucket DESC, c.market DESC, c.stream DESC
            LIMIT missing;
        END IF;
        GET DIAGNOSTICS found = ROW_COUNT;
        missing := missing - found;
        EXIT WHEN missing <= 0 OR start <= since;
        -- Where prices are rare the next look goes further, down to the first of them.
        IF NOT known THEN
            first_time := heliograph_rollup.first_candle(width, of_market, of_kind, of_stream);
            known := true;
            EXIT WHEN first_time IS NULL;
        END IF;
        past := start;
        span := span * 4;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heliograph_rollup.recent_candles IS 'Candles that begin from since on and before a time, newest first, at least `most` of them where there are so many (NULL: all).';
