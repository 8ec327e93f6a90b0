-- Aggregates over years: a plan opens the chunks that it needs, and no others. docs/decisions/0033 says why so.
--
-- What is computed from the rows (buckets that are stale, and the tail) lies between times that only the tables know, and a
-- plan that does not know them opens every chunk of a hypertable. So the planner is told bounds, by functions that it
-- calls itself because they are declared immutable, which they are not: bounds of a plan that is older than a commit may
-- be wrong. That costs no row: …_beside computes whatever lies outside of the bounds, nothing in a plan just made.

CREATE FUNCTION heliograph_rollup.planned_tail() RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(min(CASE WHEN r.begun THEN heliograph_rollup.bucket_of('1 day', r.through) ELSE '-infinity' END), 'infinity')
    FROM heliograph.streams AS s
    LEFT JOIN heliograph.rollups AS r ON r.stream = s.name
    WHERE r.begun OR EXISTS (SELECT FROM heliograph.slots AS k WHERE k.stream = s.name)
$$;
COMMENT ON FUNCTION heliograph_rollup.planned_tail IS 'When a plan is made: the midnight that no tail begins before. Called immutable for the planner''s sake alone.';

CREATE FUNCTION heliograph_rollup.planned_stale() RETURNS tstzrange
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT tstzrange(
        heliograph_rollup.bucket_of('1 day', min(first_time)), heliograph_rollup.bucket_of('1 day', max(last_time)) + interval '1 day'
    )
    FROM heliograph.stale_ranges
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION heliograph_rollup.planned_stale IS 'When a plan is made: the days that hold every stale range, NULL without one. Called immutable for the planner''s sake alone.';

CREATE FUNCTION heliograph_rollup.pieces_beside(width interval, stale tstzrange, tail timestamptz)
RETURNS TABLE (stream text, first_time timestamptz, end_time timestamptz)
LANGUAGE sql STABLE
AS $$
    SELECT w.stream, lower(p), upper(p)
    FROM heliograph_rollup.stale_windows(width) AS w
    CROSS JOIN LATERAL unnest(
        tstzmultirange(tstzrange(w.first_time, w.end_time)) - coalesce(tstzmultirange(stale), '{}')
    ) AS p
    UNION ALL
    SELECT t.stream, t.first_time, tail
    FROM heliograph_rollup.tails(width) AS t
    WHERE t.first_time < tail
      -- A stream without a slot has no rows that a search through all chunks could find.
      AND (isfinite(t.first_time) OR EXISTS (SELECT FROM heliograph.slots AS k WHERE k.stream = t.stream))
$$;
COMMENT ON FUNCTION heliograph_rollup.pieces_beside IS 'What is to be computed from the rows and lies outside of what a plan was told.';

-- Rows of hypertables are read between times of the run, and between times of the plan: those that planned_… told.

CREATE FUNCTION heliograph_rollup.candles_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz,
    planned_first timestamptz DEFAULT '-infinity', planned_end timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (
    market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- The least and the greatest pair by place carry the first and the last price: PostgreSQL has no first(). Each table
    -- is grouped for itself: rows that are put together before open every chunk of each, whatever the bounds are.
    SELECT market, 'trade', heliograph_rollup.bucket_of(width, block_time),
        (min(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), price]))[2],
        max(price), min(price),
        (max(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), price]))[2],
        sum(size), sum(quote), count(*)
    FROM perps.trades
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
      AND block_time >= planned_first AND block_time < planned_end
    GROUP BY market, 3
    UNION ALL
    SELECT market, 'mark', heliograph_rollup.bucket_of(width, block_time),
        (min(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), mark_price]))[2],
        max(mark_price), min(mark_price),
        (max(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), mark_price]))[2],
        0::numeric, 0::numeric, count(*)
    FROM perps.funding_rates
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
      AND block_time >= planned_first AND block_time < planned_end AND mark_price IS NOT NULL
    GROUP BY market, 3
    UNION ALL
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

CREATE FUNCTION heliograph_rollup.funding_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz,
    planned_first timestamptz DEFAULT '-infinity', planned_end timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (
    market text, bucket timestamptz, rate_sum numeric, rates bigint, rate_min numeric, rate_max numeric, rate_last numeric,
    long_amount numeric, short_amount numeric, payments bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT f.market, f.bucket, max(f.rate_sum), max(f.rates), max(f.rate_min), max(f.rate_max), max(f.rate_last),
        coalesce(max(f.long_amount), 0), coalesce(max(f.short_amount), 0), max(f.payments)
    FROM (
        SELECT market, heliograph_rollup.bucket_of(width, block_time) AS bucket, sum(rate) AS rate_sum, count(*) AS rates,
            min(rate) AS rate_min, max(rate) AS rate_max,
            (max(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), rate]))[2] AS rate_last,
            NULL::numeric AS long_amount, NULL::numeric AS short_amount, 0::bigint AS payments
        FROM perps.funding_rates
        WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
          AND block_time >= planned_first AND block_time < planned_end
        GROUP BY market, 2
        UNION ALL
        SELECT market, heliograph_rollup.bucket_of(width, block_time), NULL, 0, NULL, NULL, NULL,
            sum(amount) FILTER (WHERE side = 'long'), sum(amount) FILTER (WHERE side = 'short'), count(*)
        FROM perps.funding_payments
        WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
          AND block_time >= planned_first AND block_time < planned_end
        GROUP BY market, 2
    ) AS f
    GROUP BY f.market, f.bucket
$$;

CREATE FUNCTION heliograph_rollup.volume_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz,
    planned_first timestamptz DEFAULT '-infinity', planned_end timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (
    market text, bucket timestamptz, volume numeric, quote numeric, bought_quote numeric, sold_quote numeric,
    liquidated_quote numeric, taker_fees numeric, maker_fees numeric, trades bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT market, heliograph_rollup.bucket_of(width, block_time), sum(size), sum(quote),
        coalesce(sum(quote) FILTER (WHERE taker_side = 'long'), 0),
        coalesce(sum(quote) FILTER (WHERE taker_side = 'short'), 0),
        coalesce(sum(quote) FILTER (WHERE liquidation), 0), sum(taker_fee), sum(maker_fee), count(*)
    FROM perps.trades
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
      AND block_time >= planned_first AND block_time < planned_end
    GROUP BY 1, 2
$$;

CREATE FUNCTION heliograph_rollup.open_interest_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz,
    planned_first timestamptz DEFAULT '-infinity', planned_end timestamptz DEFAULT 'infinity'
)
RETURNS TABLE (market text, bucket timestamptz, long_change numeric, short_change numeric, changes bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT market, heliograph_rollup.bucket_of(width, block_time),
        coalesce(sum(size_delta) FILTER (WHERE side = 'long'), 0),
        coalesce(sum(size_delta) FILTER (WHERE side = 'short'), 0), count(*)
    FROM perps.position_changes
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time AND size_delta <> 0
      AND block_time >= planned_first AND block_time < planned_end
    GROUP BY 1, 2
$$;

-- <name>_beside (computed outside of the plan's bounds), and served_<name>_<step> anew.
DO $do$
DECLARE
    one record;
    fields text;
BEGIN
    FOR one IN SELECT DISTINCT ON (name) name, name || '_' || step AS suffix FROM heliograph_rollup.rollups ORDER BY name, width LOOP
        EXECUTE format(
            $function$
            CREATE FUNCTION heliograph_rollup.%1$I(width interval, stale tstzrange, tail timestamptz)
            RETURNS SETOF heliograph_rollup.%2$I
            LANGUAGE plpgsql STABLE ROWS 1
            AS $body$
            DECLARE
                piece record;
            BEGIN
                FOR piece IN SELECT p.* FROM heliograph_rollup.pieces_beside(width, stale, tail) AS p LOOP
                    RETURN QUERY EXECUTE format('SELECT %%L::text, b.* FROM heliograph_rollup.%3$I(%%L, %%L, %%L, %%L) AS b',
                        piece.stream, width, piece.stream, piece.first_time, piece.end_time);
                END LOOP;
            END
            $body$
            $function$,
            one.name || '_beside', 'kept_' || one.suffix, one.name || '_between');
    END LOOP;
    FOR one IN SELECT name, step, width, name || '_' || step AS suffix FROM heliograph_rollup.rollups LOOP
        SELECT string_agg('b.' || quote_ident(attname), ', ' ORDER BY attnum) INTO STRICT fields
        FROM pg_attribute
        WHERE attrelid = format('heliograph_rollup.%I', 'kept_' || one.suffix)::regclass AND attnum > 0 AND attname <> 'stream';
        EXECUTE format(
            $view$
            CREATE OR REPLACE VIEW heliograph_rollup.%1$I AS
            SELECT b.stream, %2$s
            FROM heliograph_rollup.tails(%3$L) AS t
            JOIN heliograph_rollup.%4$I AS b ON b.stream = t.stream AND b.bucket < t.first_time
            WHERE NOT EXISTS (
                SELECT
                FROM heliograph.stale_ranges AS s
                WHERE s.stream = b.stream AND s.first_time < b.bucket + %3$L AND s.last_time >= b.bucket
            )
            UNION ALL
            %5$s
            UNION ALL
            SELECT t.stream, %2$s
            FROM heliograph_rollup.tails(%3$L) AS t
            CROSS JOIN LATERAL heliograph_rollup.%6$I(
                %3$L, t.stream, t.first_time, 'infinity', heliograph_rollup.planned_tail(), 'infinity'
            ) AS b
            UNION ALL
            SELECT b.stream, %2$s
            FROM heliograph_rollup.%7$I(%3$L, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) AS b
            $view$,
            'served_' || one.suffix, fields, one.width, 'rolled_' || one.suffix,
            CASE WHEN one.width >= '1 hour' THEN format(
                -- The stale bucket's own name, so that a condition on it leaves the other stale buckets unread.
                'SELECT s.stream, %1$s FROM heliograph_rollup.stale_buckets(%2$L) AS s '
                'CROSS JOIN LATERAL heliograph_rollup.%3$I(%2$L, s.stream, s.bucket, s.bucket + %2$L, '
                'lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) AS b',
                replace(fields, 'b.bucket', 's.bucket'), one.width, one.name || '_between')
            ELSE format(
                -- Of small buckets there are many: to look into every chunk for each would take seconds for a day.
                'SELECT s.stream, %1$s FROM heliograph_rollup.stale_windows(%2$L) AS s '
                'CROSS JOIN LATERAL heliograph_rollup.%3$I(%2$L, s.stream, s.first_time, s.end_time, '
                'lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) AS b',
                fields, one.width, one.name || '_between')
            END, one.name || '_between', one.name || '_beside');
    END LOOP;
    FOR one IN SELECT DISTINCT name FROM heliograph_rollup.rollups LOOP
        EXECUTE format('DROP FUNCTION heliograph_rollup.%I(interval, text, timestamptz, timestamptz)', one.name || '_between');
    END LOOP;
END
$do$;

-- A market's buckets are read from the index alone, where they stand together; else the planner reads those of all
-- markets, which stand together in the table, and the more days there are the sooner it does. Index alone means that the
-- pages were vacuumed: a fiftieth may be new, of days of rows, not the fifth that is the default, of months.
DO $do$
DECLARE
    one record;
    key text;
    others text;
BEGIN
    FOR one IN SELECT name, 'kept_' || name || '_' || step AS kept FROM heliograph_rollup.rollups LOOP
        key := CASE one.name WHEN 'candles' THEN 'market, price_kind, bucket, stream' ELSE 'market, bucket, stream' END;
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO STRICT others
        FROM pg_attribute
        WHERE attrelid = format('heliograph_rollup.%I', one.kept)::regclass AND attnum > 0
          AND attname <> ALL (string_to_array(key, ', '));
        EXECUTE format('ALTER TABLE heliograph_rollup.%1$I DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I PRIMARY KEY (%3$s) INCLUDE (%4$s)',
            one.kept, one.kept || '_pkey', key, others);
        EXECUTE format('ALTER TABLE heliograph_rollup.%I SET (autovacuum_vacuum_insert_scale_factor = 0.02, '
            'autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)', one.kept);
    END LOOP;
END
$do$;

-- What is carried into the first bucket, looked for nearby first: the newest row before a time is in one of few chunks,
-- and a search without a bound opens all.

CREATE FUNCTION heliograph_rollup.last_before(kind text, before timestamptz, of_market text, of_stream text)
RETURNS TABLE (stream text, market text, value numeric)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    points text := CASE kind
        WHEN 'trade' THEN '(SELECT *, price AS value FROM perps.trades)'
        WHEN 'mark' THEN '(SELECT *, mark_price AS value FROM perps.funding_rates WHERE mark_price IS NOT NULL)'
        WHEN 'oracle' THEN '(SELECT *, price AS value FROM perps.oracle_prices)'
        WHEN 'rate' THEN '(SELECT *, rate AS value FROM perps.funding_rates)'
    END;
    streams text[];
    markets text[];
    missing_streams text[];
    missing_markets text[];
    past timestamptz := before;
    since timestamptz;
    one record;
BEGIN
    SELECT array_agg(m.stream), array_agg(m.market) INTO streams, markets
    FROM heliograph_rollup.markets(of_market, of_stream) AS m;
    FOREACH since IN ARRAY ARRAY[before - interval '1 day', before - interval '30 days', '-infinity'] LOOP
        EXIT WHEN streams IS NULL;
        missing_streams := NULL;
        missing_markets := NULL;
        FOR one IN EXECUTE format(
            'SELECT o.stream, o.market, (SELECT p.value FROM %s AS p WHERE p.stream = o.stream AND p.market = o.market '
            'AND p.block_time >= %L AND p.block_time < %L '
            'ORDER BY p.block_time DESC, p.slot DESC, p.tx_index DESC, p.ordinal DESC, p.part DESC LIMIT 1) AS value '
            'FROM unnest($1, $2) AS o (stream, market)', points, since, past)
            USING streams, markets
        LOOP
            IF one.value IS NULL AND since > '-infinity' THEN
                missing_streams := missing_streams || one.stream;
                missing_markets := missing_markets || one.market;
            ELSE
                RETURN QUERY SELECT one.stream, one.market, one.value;
            END IF;
        END LOOP;
        streams := missing_streams;
        markets := missing_markets;
        past := since;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heliograph_rollup.last_before IS 'The last price (kind trade, mark, oracle) or rate (kind rate) before a time of every market that is known, NULL where there is none.';

CREATE OR REPLACE FUNCTION perps.candles_filled(
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
BEGIN
    PERFORM heliograph_rollup.check_times(first_time, end_time);
    IF of_kind IS NULL OR of_kind NOT IN ('trade', 'mark', 'oracle') THEN
        RAISE EXCEPTION 'there are no candles of %: of_kind is trade, mark or oracle', coalesce(quote_literal(of_kind), 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY EXECUTE format($q$
        WITH wanted AS MATERIALIZED (
            SELECT b AS bucket FROM heliograph_rollup.buckets($1, $2, $3) AS b
        ), found AS MATERIALIZED (
            SELECT c.*
            FROM perps.candles(%L, heliograph_rollup.bucket_of($1, $2), $3, $5, $4, $6) AS c
        ), begun AS (
            SELECT l.stream, l.market, l.value AS close
            FROM heliograph_rollup.last_before($4, heliograph_rollup.bucket_of($1, $2), $5, $6) AS l
        ), laid AS (
            SELECT b.stream, b.market, b.close AS earlier, w.bucket AS at, f.*,
                count(f.close) OVER (PARTITION BY b.stream, b.market ORDER BY w.bucket) AS run
            FROM begun AS b
            CROSS JOIN wanted AS w
            LEFT JOIN found AS f ON f.stream = b.stream AND f.market = b.market AND f.bucket = w.bucket
        ), carried AS (
            SELECT l.*, coalesce(max(l.close) OVER (PARTITION BY l.object_stream, l.object_market, l.run), l.earlier) AS carry
            FROM laid AS l (object_stream, object_market, earlier, at, stream, market, price_kind, bucket,
                open, high, low, close, volume, quote, points, run)
        )
        SELECT object_stream, object_market, $4, at,
            coalesce(open, carry), coalesce(high, carry), coalesce(low, carry), carry,
            coalesce(volume, 0), coalesce(quote, 0), coalesce(points, 0)
        FROM carried
        WHERE carry IS NOT NULL
        ORDER BY object_stream, object_market, at
    $q$, step)
    USING width, first_time, end_time, of_kind, of_market, of_stream;
END
$$;

CREATE OR REPLACE FUNCTION perps.funding_filled(
    step text, first_time timestamptz, end_time timestamptz, of_market text DEFAULT NULL, of_stream text DEFAULT NULL
)
RETURNS TABLE (
    stream text, market text, bucket timestamptz, rate numeric, rate_min numeric, rate_max numeric, rate_last numeric,
    rates bigint, long_amount numeric, short_amount numeric, payments bigint
)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    width interval := heliograph_rollup.width_of('funding', step);
BEGIN
    PERFORM heliograph_rollup.check_times(first_time, end_time);
    RETURN QUERY EXECUTE format($q$
        WITH found AS MATERIALIZED (
            SELECT v.*
            FROM perps.%I AS v
            WHERE v.bucket >= heliograph_rollup.bucket_of($1, $2) AND v.bucket < $3
              AND ($4 IS NULL OR v.market = $4) AND ($5 IS NULL OR v.stream = $5)
        ), begun AS (
            SELECT l.stream, l.market, l.value AS rate
            FROM heliograph_rollup.last_before('rate', heliograph_rollup.bucket_of($1, $2), $4, $5) AS l
        ), laid AS (
            SELECT b.stream AS object_stream, b.market AS object_market, b.rate AS earlier, w AS at, f.rate, f.rate_min,
                f.rate_max, f.rate_last, f.rates, f.long_amount, f.short_amount, f.payments,
                count(f.rate_last) OVER (PARTITION BY b.stream, b.market ORDER BY w) AS run
            FROM begun AS b
            CROSS JOIN heliograph_rollup.buckets($1, $2, $3) AS w
            LEFT JOIN found AS f ON f.stream = b.stream AND f.market = b.market AND f.bucket = w
        ), carried AS (
            SELECT l.*, coalesce(max(l.rate_last) OVER (PARTITION BY l.object_stream, l.object_market, l.run), l.earlier) AS carry
            FROM laid AS l
        )
        SELECT object_stream, object_market, at, coalesce(rate, carry), coalesce(rate_min, carry),
            coalesce(rate_max, carry), carry, coalesce(rates, 0), coalesce(long_amount, 0), coalesce(short_amount, 0),
            coalesce(payments, 0)
        FROM carried
        ORDER BY 1, 2, 3
    $q$, 'funding_' || step)
    USING width, first_time, end_time, of_market, of_stream;
END
$$;

DROP VIEW heliograph_rollup.price_points;

COMMENT ON FUNCTION perps.candles IS 'The rows of the views candles_1m … candles_1d between two times, in no order, planned in half the time that a view takes.';
