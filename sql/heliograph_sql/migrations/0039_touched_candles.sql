-- Candles as commits change them, for those who follow them.

-- A correction says between which block times it took rows back or wrote some: what it took is not there to be looked up.
COMMENT ON COLUMN heliograph.commits.first_time IS 'Block time of the first slot that holds rows, of a correction also of those that held some before; NULL where none does.';
COMMENT ON COLUMN heliograph.commits.last_time IS 'Block time of the last slot that holds rows, of a correction also of those that held some before; NULL where none does.';

-- perps.candles makes the day that goes on from its rows since midnight, which is too much for every commit of that day.
CREATE FUNCTION heliograph_rollup.current_candles(
    step text, first_time timestamptz, end_time timestamptz, of_market text, of_kind text, of_stream text
)
RETURNS TABLE (
    stream text, market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    width interval := heliograph_rollup.width_of('candles', step);
    tail timestamptz := (SELECT t.first_time FROM heliograph_rollup.tails(width) AS t WHERE t.stream = of_stream);
    hours timestamptz := (SELECT t.first_time FROM heliograph_rollup.tails('1 hour') AS t WHERE t.stream = of_stream);
    start timestamptz := least(greatest(first_time, tail), end_time);
    minutes timestamptz := greatest(start, least(hours, end_time));
BEGIN
    IF first_time < start THEN
        RETURN QUERY SELECT c.* FROM perps.candles(step, first_time, start, of_market, of_kind, of_stream) AS c;
    END IF;
    IF start < end_time THEN
        RETURN QUERY
        SELECT c.stream, c.market, c.price_kind, heliograph_rollup.bucket_of(width, c.bucket),
            (array_agg(c.open ORDER BY c.bucket))[1], max(c.high), min(c.low), (array_agg(c.close ORDER BY c.bucket DESC))[1],
            sum(c.volume), sum(c.quote), sum(c.points)::bigint
        FROM (
            SELECT h.* FROM perps.candles('1h', start, minutes, of_market, of_kind, of_stream) AS h WHERE start < minutes
            UNION ALL
            SELECT m.* FROM perps.candles('1m', minutes, end_time, of_market, of_kind, of_stream) AS m WHERE minutes < end_time
        ) AS c
        GROUP BY c.stream, c.market, c.price_kind, heliograph_rollup.bucket_of(width, c.bucket);
    END IF;
END
$$;
COMMENT ON FUNCTION heliograph_rollup.current_candles IS 'The same rows as those of perps.candles between two times at which buckets begin, where what is not rolled up yet is put together from hours and minutes that are.';
