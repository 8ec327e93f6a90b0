-- The sum of all migrations, for reading; made by `pytest tests/sql/test_catalog.py --regenerate`.

CREATE SCHEMA heliograph;

COMMENT ON SCHEMA heliograph IS 'Operation: what is indexed, how far, by whom and in which order.';

CREATE SCHEMA heliograph_compat;

COMMENT ON SCHEMA heliograph_compat IS 'Stand-ins for functions of TimescaleDB, where the database has it not.';

CREATE SCHEMA heliograph_rollup;

COMMENT ON SCHEMA heliograph_rollup IS 'How the aggregates of schema perps are kept; nothing here is for reading.';

CREATE SCHEMA perps;

COMMENT ON SCHEMA perps IS 'Canonical tables: one shape for every protocol. Amounts are exact, in human units.';

CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

COMMENT ON EXTENSION btree_gist IS 'support for indexing common datatypes in GiST';

CREATE FUNCTION heliograph.grant_analyst() RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    one text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'heliograph_analyst') THEN
        RETURN;
    END IF;
    -- Two grants at once fail, instead of waiting for each other, with "tuple concurrently updated".
    PERFORM pg_advisory_xact_lock(hashtextextended('heliograph.grant_analyst', 0));
    -- Of the operation tables by name: a later one may hold what is not for everybody. claims, dirty and rollups say
    -- nothing of the data, but the aggregates read some of them with the rights of whoever asks.
    GRANT USAGE ON SCHEMA heliograph, heliograph_rollup, perps TO heliograph_analyst;
    GRANT SELECT ON heliograph.streams, heliograph.coverage, heliograph.commits, heliograph.slots, heliograph.transactions,
        heliograph.signatures, heliograph.idls, heliograph.undecoded, heliograph.accounts, heliograph.incidents,
        heliograph.rollups, heliograph.stale_ranges, heliograph.completeness, heliograph.gaps,
        heliograph.schema_migrations, heliograph.typed_tables, heliograph.typed_columns TO heliograph_analyst;
    FOREACH one IN ARRAY ARRAY['perps', 'heliograph_rollup'] || ARRAY(
        SELECT s.name FROM heliograph.streams AS s JOIN pg_namespace AS n ON n.nspname = s.name
    ) LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO heliograph_analyst', one);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO heliograph_analyst', one);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO heliograph_analyst', one);
    END LOOP;
END
$$;

COMMENT ON FUNCTION heliograph.grant_analyst() IS 'Lets heliograph_analyst read what analysts may, also tables that are made later; does nothing where there is no such role.';

CREATE FUNCTION heliograph.note_objects() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    keys text := 'jsonb_build_object(''stream'', c.stream';
    before text := CASE TG_OP WHEN 'INSERT' THEN 'NULL' ELSE 'to_jsonb(c)' END;
BEGIN
    FOR number IN 0 .. TG_NARGS - 1 LOOP
        keys := keys || format(', %L, c.%I', TG_ARGV[number], TG_ARGV[number]);
    END LOOP;
    EXECUTE format(
        'INSERT INTO heliograph.object_changes (stream, entity, key, before)
        SELECT c.stream, %L, %s), %s FROM changed AS c
        WHERE EXISTS (SELECT FROM heliograph.streams AS s WHERE s.name = c.stream)',
        TG_TABLE_NAME, keys, before
    );
    RETURN NULL;
END
$$;

CREATE FUNCTION heliograph.refuse(message text) RETURNS json
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = message, ERRCODE = 'HG001';
END
$$;

COMMENT ON FUNCTION heliograph.refuse(message text) IS 'Fails with SQLSTATE HG001 and the message, which is for whoever asked.';

CREATE FUNCTION heliograph_compat.time_bucket(bucket_width interval, ts timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT heliograph_compat.time_bucket(bucket_width, ts, CASE
        WHEN extract(year FROM bucket_width) * 12 + extract(month FROM bucket_width) = 0 THEN '2000-01-03 00:00:00+00'::timestamptz
        ELSE '2000-01-01 00:00:00+00'::timestamptz
    END)
$$;

COMMENT ON FUNCTION heliograph_compat.time_bucket(bucket_width interval, ts timestamp with time zone) IS 'Begin of the bucket, of that width, in which the time lies; in UTC.';

CREATE FUNCTION heliograph_compat.time_bucket(bucket_width interval, ts timestamp with time zone, origin timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN extract(year FROM bucket_width) * 12 + extract(month FROM bucket_width) = 0 THEN date_bin(bucket_width, ts, origin)
        ELSE (origin AT TIME ZONE 'UTC' + make_interval(months => (
            floor(
                ((extract(year FROM ts AT TIME ZONE 'UTC') - extract(year FROM origin AT TIME ZONE 'UTC')) * 12
                 + extract(month FROM ts AT TIME ZONE 'UTC') - extract(month FROM origin AT TIME ZONE 'UTC'))
                / (extract(year FROM bucket_width) * 12 + extract(month FROM bucket_width))
            ) * (extract(year FROM bucket_width) * 12 + extract(month FROM bucket_width))
        )::integer)) AT TIME ZONE 'UTC'
    END
$$;

COMMENT ON FUNCTION heliograph_compat.time_bucket(bucket_width interval, ts timestamp with time zone, origin timestamp with time zone) IS 'The same with buckets counted from origin, the first of a month where the width is in months.';

CREATE FUNCTION heliograph_rollup.bucket_of(width interval, at timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT date_bin(width, at, TIMESTAMPTZ '2000-01-01 00:00:00+00') $$;

COMMENT ON FUNCTION heliograph_rollup.bucket_of(width interval, at timestamp with time zone) IS 'Beginning of the bucket that a time is in; days are those of UTC.';

CREATE FUNCTION heliograph_rollup.buckets(width interval, first_time timestamp with time zone, end_time timestamp with time zone) RETURNS SETOF timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT b FROM generate_series(heliograph_rollup.bucket_of(width, first_time), end_time, width) AS b WHERE b < end_time
$$;

COMMENT ON FUNCTION heliograph_rollup.buckets(width interval, first_time timestamp with time zone, end_time timestamp with time zone) IS 'All buckets that begin before end_time, from the one that holds first_time on.';

CREATE TABLE heliograph_rollup.kept_candles_1m (
    stream text NOT NULL,
    market text NOT NULL,
    price_kind text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume numeric,
    quote numeric,
    points bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE FUNCTION heliograph_rollup.candles_beside(width interval, stale tstzrange, tail timestamp with time zone) RETURNS SETOF heliograph_rollup.kept_candles_1m
    LANGUAGE plpgsql STABLE ROWS 1
    AS $$
            DECLARE
                piece record;
            BEGIN
                FOR piece IN SELECT p.* FROM heliograph_rollup.pieces_beside(width, stale, tail) AS p LOOP
                    RETURN QUERY EXECUTE format('SELECT %L::text, b.* FROM heliograph_rollup.candles_between(%L, %L, %L, %L) AS b',
                        piece.stream, width, piece.stream, piece.first_time, piece.end_time);
                END LOOP;
            END
            $$;

CREATE FUNCTION heliograph_rollup.candles_between(width interval, of_stream text, first_time timestamp with time zone, end_time timestamp with time zone, planned_first timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, planned_end timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS TABLE(market text, price_kind text, bucket timestamp with time zone, open numeric, high numeric, low numeric, close numeric, volume numeric, quote numeric, points bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- Each table is grouped for itself: rows that are put together before open every chunk of each, whatever the bounds are.
    SELECT c.* FROM heliograph_rollup.trade_candles_between(width, of_stream, first_time, end_time, planned_first, planned_end) AS c
    UNION ALL
    SELECT c.* FROM heliograph_rollup.mark_candles_between(width, of_stream, first_time, end_time, planned_first, planned_end) AS c
    UNION ALL
    SELECT c.* FROM heliograph_rollup.oracle_candles_between(width, of_stream, first_time, end_time, planned_first, planned_end) AS c
$$;

CREATE FUNCTION heliograph_rollup.check_times(first_time timestamp with time zone, end_time timestamp with time zone) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
    IF first_time IS NULL OR end_time IS NULL OR NOT isfinite(first_time) OR NOT isfinite(end_time) THEN
        RAISE EXCEPTION 'buckets are filled between two times: first_time is % and end_time is %',
            coalesce(first_time::text, 'NULL'), coalesce(end_time::text, 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;

COMMENT ON FUNCTION heliograph_rollup.check_times(first_time timestamp with time zone, end_time timestamp with time zone) IS 'Fails for times without a number of buckets between them.';

CREATE FUNCTION heliograph_rollup.current_candles(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text, of_kind text, of_stream text) RETURNS TABLE(stream text, market text, price_kind text, bucket timestamp with time zone, open numeric, high numeric, low numeric, close numeric, volume numeric, quote numeric, points bigint)
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

COMMENT ON FUNCTION heliograph_rollup.current_candles(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text, of_kind text, of_stream text) IS 'The same rows as those of perps.candles between two times at which buckets begin, where what is not rolled up yet is put together from hours and minutes that are.';

CREATE FUNCTION heliograph_rollup.first_candle(width interval, of_market text, of_kind text, of_stream text) RETURNS timestamp with time zone
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

COMMENT ON FUNCTION heliograph_rollup.first_candle(width interval, of_market text, of_kind text, of_stream text) IS 'Beginning of the first bucket that there is of a market; NULL where there is none.';

CREATE TABLE heliograph_rollup.kept_funding_1h (
    stream text NOT NULL,
    market text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    rate_sum numeric,
    rates bigint,
    rate_min numeric,
    rate_max numeric,
    rate_last numeric,
    long_amount numeric,
    short_amount numeric,
    payments bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE FUNCTION heliograph_rollup.funding_beside(width interval, stale tstzrange, tail timestamp with time zone) RETURNS SETOF heliograph_rollup.kept_funding_1h
    LANGUAGE plpgsql STABLE ROWS 1
    AS $$
            DECLARE
                piece record;
            BEGIN
                FOR piece IN SELECT p.* FROM heliograph_rollup.pieces_beside(width, stale, tail) AS p LOOP
                    RETURN QUERY EXECUTE format('SELECT %L::text, b.* FROM heliograph_rollup.funding_between(%L, %L, %L, %L) AS b',
                        piece.stream, width, piece.stream, piece.first_time, piece.end_time);
                END LOOP;
            END
            $$;

CREATE FUNCTION heliograph_rollup.funding_between(width interval, of_stream text, first_time timestamp with time zone, end_time timestamp with time zone, planned_first timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, planned_end timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS TABLE(market text, bucket timestamp with time zone, rate_sum numeric, rates bigint, rate_min numeric, rate_max numeric, rate_last numeric, long_amount numeric, short_amount numeric, payments bigint)
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

CREATE FUNCTION heliograph_rollup.last_before(kind text, before timestamp with time zone, of_market text, of_stream text) RETURNS TABLE(stream text, market text, value numeric)
    LANGUAGE plpgsql STABLE
    AS $_$
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
$_$;

COMMENT ON FUNCTION heliograph_rollup.last_before(kind text, before timestamp with time zone, of_market text, of_stream text) IS 'The last price (kind trade, mark, oracle) or rate (kind rate) before a time of every market that is known, NULL where there is none.';

CREATE FUNCTION heliograph_rollup.mark_candles_between(width interval, of_stream text, first_time timestamp with time zone, end_time timestamp with time zone, planned_first timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, planned_end timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS TABLE(market text, price_kind text, bucket timestamp with time zone, open numeric, high numeric, low numeric, close numeric, volume numeric, quote numeric, points bigint)
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

CREATE FUNCTION heliograph_rollup.markets(of_market text, of_stream text) RETURNS TABLE(stream text, market text)
    LANGUAGE sql STABLE
    AS $$
    SELECT m.stream, m.market
    FROM perps.markets AS m
    WHERE (of_market IS NULL OR m.market = of_market) AND (of_stream IS NULL OR m.stream = of_stream)
    UNION
    SELECT c.stream, c.market
    FROM perps.candles_1d AS c
    WHERE (of_market IS NULL OR c.market = of_market) AND (of_stream IS NULL OR c.stream = of_stream)
    UNION
    SELECT f.stream, f.market
    FROM perps.funding_1d AS f
    WHERE (of_market IS NULL OR f.market = of_market) AND (of_stream IS NULL OR f.stream = of_stream)
$$;

COMMENT ON FUNCTION heliograph_rollup.markets(of_market text, of_stream text) IS 'Markets that are known; one that was created before the first slot is known by its rows alone.';

CREATE TABLE heliograph_rollup.kept_open_interest_1h (
    stream text NOT NULL,
    market text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    long_change numeric,
    short_change numeric,
    changes bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE FUNCTION heliograph_rollup.open_interest_beside(width interval, stale tstzrange, tail timestamp with time zone) RETURNS SETOF heliograph_rollup.kept_open_interest_1h
    LANGUAGE plpgsql STABLE ROWS 1
    AS $$
            DECLARE
                piece record;
            BEGIN
                FOR piece IN SELECT p.* FROM heliograph_rollup.pieces_beside(width, stale, tail) AS p LOOP
                    RETURN QUERY EXECUTE format('SELECT %L::text, b.* FROM heliograph_rollup.open_interest_between(%L, %L, %L, %L) AS b',
                        piece.stream, width, piece.stream, piece.first_time, piece.end_time);
                END LOOP;
            END
            $$;

CREATE FUNCTION heliograph_rollup.open_interest_between(width interval, of_stream text, first_time timestamp with time zone, end_time timestamp with time zone, planned_first timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, planned_end timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS TABLE(market text, bucket timestamp with time zone, long_change numeric, short_change numeric, changes bigint)
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

CREATE FUNCTION heliograph_rollup.oracle_candles_between(width interval, of_stream text, first_time timestamp with time zone, end_time timestamp with time zone, planned_first timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, planned_end timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS TABLE(market text, price_kind text, bucket timestamp with time zone, open numeric, high numeric, low numeric, close numeric, volume numeric, quote numeric, points bigint)
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

CREATE FUNCTION heliograph_rollup.pieces_beside(width interval, stale tstzrange, tail timestamp with time zone) RETURNS TABLE(stream text, first_time timestamp with time zone, end_time timestamp with time zone)
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

COMMENT ON FUNCTION heliograph_rollup.pieces_beside(width interval, stale tstzrange, tail timestamp with time zone) IS 'What is to be computed from the rows and lies outside of what a plan was told.';

CREATE FUNCTION heliograph_rollup.place(slot bigint, tx_index integer, ordinal integer, part smallint) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ((slot::numeric * 10000000000 + tx_index) * 10000000000 + ordinal) * 100000 + part $$;

COMMENT ON FUNCTION heliograph_rollup.place(slot bigint, tx_index integer, ordinal integer, part smallint) IS 'The chain order as one number: several slots share a second, so block_time does not tell what came first.';

CREATE FUNCTION heliograph_rollup.planned_stale() RETURNS tstzrange
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT tstzrange(
        heliograph_rollup.bucket_of('1 day', min(first_time)), heliograph_rollup.bucket_of('1 day', max(last_time)) + interval '1 day'
    )
    FROM heliograph.stale_ranges
    HAVING count(*) > 0
$$;

COMMENT ON FUNCTION heliograph_rollup.planned_stale() IS 'When a plan is made: the days that hold every stale range, NULL without one. Called immutable for the planner''s sake alone.';

CREATE FUNCTION heliograph_rollup.planned_tail() RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(min(CASE WHEN r.begun THEN heliograph_rollup.bucket_of('1 day', r.through) ELSE '-infinity' END), 'infinity')
    FROM heliograph.streams AS s
    LEFT JOIN heliograph.rollups AS r ON r.stream = s.name
    WHERE r.begun OR EXISTS (SELECT FROM heliograph.slots AS k WHERE k.stream = s.name)
$$;

COMMENT ON FUNCTION heliograph_rollup.planned_tail() IS 'When a plan is made: the midnight that no tail begins before. Called immutable for the planner''s sake alone.';

CREATE FUNCTION heliograph_rollup.quotient(dividend numeric, divisor numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN 2 * abs(rest) > abs(divisor) OR (2 * abs(rest) = abs(divisor) AND mod(whole, 2) <> 0)
        THEN whole + sign(dividend) * sign(divisor)
        ELSE whole
    END * 0.000000000000000001
    FROM (SELECT div(dividend * 1000000000000000000, divisor)) AS w (whole)
    CROSS JOIN LATERAL (SELECT dividend * 1000000000000000000 - whole * divisor) AS r (rest)
$$;

COMMENT ON FUNCTION heliograph_rollup.quotient(dividend numeric, divisor numeric) IS 'The quotient rounded half-even to 18 places, as heliograph_core.amounts does; NULL where the divisor is.';

CREATE FUNCTION heliograph_rollup.recent_candles(step text, of_market text, of_kind text, of_stream text, since timestamp with time zone, before timestamp with time zone, most bigint, filled boolean) RETURNS TABLE(stream text, market text, price_kind text, bucket timestamp with time zone, open numeric, high numeric, low numeric, close numeric, volume numeric, quote numeric, points bigint)
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

COMMENT ON FUNCTION heliograph_rollup.recent_candles(step text, of_market text, of_kind text, of_stream text, since timestamp with time zone, before timestamp with time zone, most bigint, filled boolean) IS 'Candles that begin from since on and before a time, newest first, at least `most` of them where there are so many (NULL: all).';

CREATE FUNCTION heliograph_rollup.stale_buckets(width interval) RETURNS TABLE(stream text, bucket timestamp with time zone)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT DISTINCT s.stream, b.bucket
    FROM heliograph.stale_ranges AS s
    JOIN heliograph_rollup.tails(width) AS t ON t.stream = s.stream
    CROSS JOIN LATERAL generate_series(
        heliograph_rollup.bucket_of(width, s.first_time), least(s.last_time, t.first_time - width), width
    ) AS b (bucket)
$$;

COMMENT ON FUNCTION heliograph_rollup.stale_buckets(width interval) IS 'Buckets before the tail whose rows changed since they were rolled up.';

CREATE FUNCTION heliograph_rollup.stale_windows(width interval) RETURNS TABLE(stream text, first_time timestamp with time zone, end_time timestamp with time zone)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT m.stream, lower(r), upper(r)
    FROM (
        SELECT s.stream, range_agg(tstzrange(
            heliograph_rollup.bucket_of(width, s.first_time),
            least(heliograph_rollup.bucket_of(width, s.last_time) + width, t.first_time)
        )) AS ranges
        FROM heliograph.stale_ranges AS s
        JOIN heliograph_rollup.tails(width) AS t
            ON t.stream = s.stream AND heliograph_rollup.bucket_of(width, s.first_time) < t.first_time
        GROUP BY s.stream
    ) AS m
    CROSS JOIN LATERAL unnest(m.ranges) AS r
$$;

COMMENT ON FUNCTION heliograph_rollup.stale_windows(width interval) IS 'The same as ranges of whole buckets that do not touch each other.';

CREATE FUNCTION heliograph_rollup.tails(width interval) RETURNS TABLE(stream text, first_time timestamp with time zone)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT s.name,
        CASE WHEN r.begun THEN heliograph_rollup.bucket_of(width, r.through) ELSE '-infinity'::timestamptz END
    FROM heliograph.streams AS s
    LEFT JOIN heliograph.rollups AS r ON r.stream = s.name
$$;

COMMENT ON FUNCTION heliograph_rollup.tails(width interval) IS 'From where on the buckets of a stream are computed from the rows.';

CREATE FUNCTION heliograph_rollup.trade_candles_between(width interval, of_stream text, first_time timestamp with time zone, end_time timestamp with time zone, planned_first timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, planned_end timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS TABLE(market text, price_kind text, bucket timestamp with time zone, open numeric, high numeric, low numeric, close numeric, volume numeric, quote numeric, points bigint)
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

CREATE TABLE heliograph_rollup.kept_volume_1h (
    stream text NOT NULL,
    market text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    volume numeric,
    quote numeric,
    bought_quote numeric,
    sold_quote numeric,
    liquidated_quote numeric,
    taker_fees numeric,
    maker_fees numeric,
    trades bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE FUNCTION heliograph_rollup.volume_beside(width interval, stale tstzrange, tail timestamp with time zone) RETURNS SETOF heliograph_rollup.kept_volume_1h
    LANGUAGE plpgsql STABLE ROWS 1
    AS $$
            DECLARE
                piece record;
            BEGIN
                FOR piece IN SELECT p.* FROM heliograph_rollup.pieces_beside(width, stale, tail) AS p LOOP
                    RETURN QUERY EXECUTE format('SELECT %L::text, b.* FROM heliograph_rollup.volume_between(%L, %L, %L, %L) AS b',
                        piece.stream, width, piece.stream, piece.first_time, piece.end_time);
                END LOOP;
            END
            $$;

CREATE FUNCTION heliograph_rollup.volume_between(width interval, of_stream text, first_time timestamp with time zone, end_time timestamp with time zone, planned_first timestamp with time zone DEFAULT '-infinity'::timestamp with time zone, planned_end timestamp with time zone DEFAULT 'infinity'::timestamp with time zone) RETURNS TABLE(market text, bucket timestamp with time zone, volume numeric, quote numeric, bought_quote numeric, sold_quote numeric, liquidated_quote numeric, taker_fees numeric, maker_fees numeric, trades bigint)
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

CREATE FUNCTION heliograph_rollup.width_of(of_name text, of_step text) RETURNS interval
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
DECLARE
    found interval;
    known text;
BEGIN
    SELECT width INTO found FROM heliograph_rollup.rollups WHERE name = of_name AND step = of_step;
    IF found IS NULL THEN
        SELECT string_agg(step, ', ' ORDER BY width) INTO known FROM heliograph_rollup.rollups WHERE name = of_name;
        RAISE EXCEPTION '% have no step %: it is one of %', of_name, coalesce(quote_literal(of_step), 'NULL'), known
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN found;
END
$$;

COMMENT ON FUNCTION heliograph_rollup.width_of(of_name text, of_step text) IS 'Width of the buckets of a step; fails for a step that is not rolled up.';

CREATE FUNCTION perps.candles(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text DEFAULT NULL::text, of_kind text DEFAULT 'trade'::text, of_stream text DEFAULT NULL::text) RETURNS TABLE(stream text, market text, price_kind text, bucket timestamp with time zone, open numeric, high numeric, low numeric, close numeric, volume numeric, quote numeric, points bigint)
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

COMMENT ON FUNCTION perps.candles(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text, of_kind text, of_stream text) IS 'The rows of the views candles_1m … candles_1d between two times, in no order, planned in half the time that a view takes.';

CREATE FUNCTION perps.candles_filled(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text DEFAULT NULL::text, of_kind text DEFAULT 'trade'::text, of_stream text DEFAULT NULL::text) RETURNS TABLE(stream text, market text, price_kind text, bucket timestamp with time zone, open numeric, high numeric, low numeric, close numeric, volume numeric, quote numeric, points bigint)
    LANGUAGE plpgsql STABLE
    AS $_$
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
$_$;

COMMENT ON FUNCTION perps.candles_filled(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text, of_kind text, of_stream text) IS 'Candles without holes: a bucket without a price carries the close before it, with volume 0. Buckets before the first price have no row.';

CREATE FUNCTION perps.funding_filled(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text DEFAULT NULL::text, of_stream text DEFAULT NULL::text) RETURNS TABLE(stream text, market text, bucket timestamp with time zone, rate numeric, rate_min numeric, rate_max numeric, rate_last numeric, rates bigint, long_amount numeric, short_amount numeric, payments bigint)
    LANGUAGE plpgsql STABLE
    AS $_$
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
$_$;

COMMENT ON FUNCTION perps.funding_filled(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text, of_stream text) IS 'Funding without holes: a bucket without a rate carries the last one, NULL before the first; amounts are 0 without payments.';

CREATE FUNCTION perps.open_interest_filled(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text DEFAULT NULL::text, of_stream text DEFAULT NULL::text) RETURNS TABLE(stream text, market text, bucket timestamp with time zone, long_change numeric, short_change numeric, long_size numeric, short_size numeric, changes bigint)
    LANGUAGE plpgsql STABLE
    AS $_$
DECLARE
    width interval := heliograph_rollup.width_of('open_interest', step);
BEGIN
    PERFORM heliograph_rollup.check_times(first_time, end_time);
    -- What is carried in comes from whole days and the hours of the first one: years of history are a few hundred rows.
    RETURN QUERY EXECUTE format($q$
        WITH earlier AS (
            SELECT d.stream, d.market, d.long_change, d.short_change
            FROM heliograph_rollup.served_open_interest_1d AS d
            WHERE d.bucket < heliograph_rollup.bucket_of('1 day', $2)
              AND ($4 IS NULL OR d.market = $4) AND ($5 IS NULL OR d.stream = $5)
            UNION ALL
            SELECT h.stream, h.market, h.long_change, h.short_change
            FROM heliograph_rollup.served_open_interest_1h AS h
            WHERE h.bucket >= heliograph_rollup.bucket_of('1 day', $2) AND h.bucket < heliograph_rollup.bucket_of($1, $2)
              AND ($4 IS NULL OR h.market = $4) AND ($5 IS NULL OR h.stream = $5)
        ), found AS MATERIALIZED (
            SELECT v.*
            FROM heliograph_rollup.%I AS v
            WHERE v.bucket >= heliograph_rollup.bucket_of($1, $2) AND v.bucket < $3
              AND ($4 IS NULL OR v.market = $4) AND ($5 IS NULL OR v.stream = $5)
        ), begun AS (
            SELECT o.stream, o.market, sum(o.long_change) AS long_size, sum(o.short_change) AS short_size
            FROM (
                SELECT e.* FROM earlier AS e
                UNION ALL
                SELECT m.stream, m.market, 0, 0 FROM heliograph_rollup.markets($4, $5) AS m
                UNION ALL
                SELECT f.stream, f.market, 0, 0 FROM found AS f
            ) AS o
            GROUP BY 1, 2
        )
        SELECT b.stream, b.market, w, coalesce(f.long_change, 0), coalesce(f.short_change, 0),
            b.long_size + sum(coalesce(f.long_change, 0)) OVER upto,
            b.short_size + sum(coalesce(f.short_change, 0)) OVER upto, coalesce(f.changes, 0)
        FROM begun AS b
        CROSS JOIN heliograph_rollup.buckets($1, $2, $3) AS w
        LEFT JOIN found AS f ON f.stream = b.stream AND f.market = b.market AND f.bucket = w
        WINDOW upto AS (PARTITION BY b.stream, b.market ORDER BY w)
        ORDER BY 1, 2, 3
    $q$, 'served_open_interest_' || step)
    USING width, first_time, end_time, of_market, of_stream;
END
$_$;

COMMENT ON FUNCTION perps.open_interest_filled(step text, first_time timestamp with time zone, end_time timestamp with time zone, of_market text, of_stream text) IS 'Open interest without holes: the net change of each bucket, and the size that is carried from before the first one.';

CREATE FUNCTION perps.volume_filled(first_time timestamp with time zone, end_time timestamp with time zone, of_market text DEFAULT NULL::text, of_stream text DEFAULT NULL::text) RETURNS TABLE(stream text, market text, bucket timestamp with time zone, volume numeric, quote numeric, bought_quote numeric, sold_quote numeric, liquidated_quote numeric, taker_fees numeric, maker_fees numeric, trades bigint)
    LANGUAGE plpgsql STABLE
    AS $_$
BEGIN
    PERFORM heliograph_rollup.check_times(first_time, end_time);
    RETURN QUERY EXECUTE $q$
        WITH found AS MATERIALIZED (
            SELECT v.*
            FROM perps.volume_1h AS v
            WHERE v.bucket >= heliograph_rollup.bucket_of('1 hour', $1) AND v.bucket < $2
              AND ($3 IS NULL OR v.market = $3) AND ($4 IS NULL OR v.stream = $4)
        ), objects AS (
            SELECT m.stream, m.market FROM heliograph_rollup.markets($3, $4) AS m
        )
        SELECT o.stream, o.market, w, coalesce(f.volume, 0), coalesce(f.quote, 0), coalesce(f.bought_quote, 0),
            coalesce(f.sold_quote, 0), coalesce(f.liquidated_quote, 0), coalesce(f.taker_fees, 0),
            coalesce(f.maker_fees, 0), coalesce(f.trades, 0)
        FROM objects AS o
        CROSS JOIN heliograph_rollup.buckets('1 hour', $1, $2) AS w
        LEFT JOIN found AS f ON f.stream = o.stream AND f.market = o.market AND f.bucket = w
        ORDER BY 1, 2, 3
    $q$
    USING first_time, end_time, of_market, of_stream;
END
$_$;

COMMENT ON FUNCTION perps.volume_filled(first_time timestamp with time zone, end_time timestamp with time zone, of_market text, of_stream text) IS 'perps.volume_1h with zeros where nothing was traded.';

CREATE TABLE heliograph.accounts (
    stream text NOT NULL,
    address text NOT NULL,
    program text NOT NULL,
    name text,
    slot bigint NOT NULL,
    lamports bigint NOT NULL,
    data bytea NOT NULL,
    fields jsonb,
    reason text
);

COMMENT ON TABLE heliograph.accounts IS 'Current state of the accounts that the stream''s programs own; closed ones keep a row with 0 lamports.';

COMMENT ON COLUMN heliograph.accounts.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.accounts.address IS 'Address of the account, base58.';

COMMENT ON COLUMN heliograph.accounts.program IS 'Program that owns it, base58.';

COMMENT ON COLUMN heliograph.accounts.name IS 'Its type in the IDL; NULL where no layout fits.';

COMMENT ON COLUMN heliograph.accounts.slot IS 'Context slot at which it was seen.';

COMMENT ON COLUMN heliograph.accounts.lamports IS 'Lamports; 0 once it is closed.';

COMMENT ON COLUMN heliograph.accounts.data IS 'Its bytes.';

COMMENT ON COLUMN heliograph.accounts.fields IS 'Its decoded fields, named as in the IDL; integers exact, addresses base58, bytes base64.';

COMMENT ON COLUMN heliograph.accounts.reason IS 'Why it could not be decoded; NULL where it was.';

CREATE TABLE heliograph.api_keys (
    id text NOT NULL,
    hash bytea NOT NULL,
    name text NOT NULL,
    wallet text,
    nonce text,
    requests_per_minute integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_requests_per_minute_check CHECK ((requests_per_minute > 0))
);

COMMENT ON TABLE heliograph.api_keys IS 'Keys that clients of the API send; the keys themselves are not stored.';

COMMENT ON COLUMN heliograph.api_keys.id IS 'Names the key; its public part.';

COMMENT ON COLUMN heliograph.api_keys.hash IS 'SHA-256 of its secret part, which is random.';

COMMENT ON COLUMN heliograph.api_keys.name IS 'What it is for.';

COMMENT ON COLUMN heliograph.api_keys.wallet IS 'The wallet that signed for it; NULL where it was added by hand. A wallet has one living key.';

COMMENT ON COLUMN heliograph.api_keys.nonce IS 'What the wallet signed, so that it counts once.';

COMMENT ON COLUMN heliograph.api_keys.requests_per_minute IS 'How often it may ask; NULL: as the settings say.';

COMMENT ON COLUMN heliograph.api_keys.created_at IS 'When it was made.';

COMMENT ON COLUMN heliograph.api_keys.expires_at IS 'Until when it is good; NULL: until it is revoked.';

COMMENT ON COLUMN heliograph.api_keys.revoked_at IS 'Since when it is not good any more.';

CREATE TABLE heliograph.api_secret (
    single boolean DEFAULT true NOT NULL,
    secret bytea NOT NULL,
    CONSTRAINT api_secret_single_check CHECK (single)
);

COMMENT ON TABLE heliograph.api_secret IS 'One row: the secret that nonces are made with, written by the first API that needs it.';

COMMENT ON COLUMN heliograph.api_secret.single IS 'There is one row.';

COMMENT ON COLUMN heliograph.api_secret.secret IS '32 random bytes.';

CREATE TABLE heliograph.claims (
    stream text NOT NULL,
    slots int8range NOT NULL,
    holder text NOT NULL,
    expires timestamp with time zone NOT NULL,
    made timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE heliograph.claims IS 'Ranges that a writer is fetching now, so that no two fetch the same.';

COMMENT ON COLUMN heliograph.claims.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.claims.slots IS 'The range that is claimed.';

COMMENT ON COLUMN heliograph.claims.holder IS 'The process that holds it.';

COMMENT ON COLUMN heliograph.claims.expires IS 'When the claim ends by itself, by the database''s clock.';

COMMENT ON COLUMN heliograph.claims.made IS 'When it was made or prolonged; a claim from the future counts as ended.';

CREATE TABLE heliograph.commits (
    stream text NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    origin text NOT NULL,
    first_slot bigint NOT NULL,
    last_slot bigint NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone,
    row_count integer NOT NULL,
    committed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id(),
    CONSTRAINT commits_kind_check CHECK ((kind = ANY (ARRAY['apply'::text, 'correct'::text, 'amend'::text, 'accounts'::text]))),
    CONSTRAINT commits_origin_check CHECK ((origin = ANY (ARRAY['live'::text, 'heal'::text, 'backfill'::text, 'replay'::text])))
);

COMMENT ON TABLE heliograph.commits IS 'The commit log: subscriptions read it by seq, so order and resume come for free.';

COMMENT ON COLUMN heliograph.commits.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.commits.seq IS 'Number of the commit in its stream: gap-free, in commit order.';

COMMENT ON COLUMN heliograph.commits.kind IS 'apply: new slots; correct: slots rewritten whole; amend: late history folded into positions; accounts: account states.';

COMMENT ON COLUMN heliograph.commits.origin IS 'live: at the head; heal: a gap; backfill: a range on request; replay: rows made again.';

COMMENT ON COLUMN heliograph.commits.first_slot IS 'First slot that it speaks of.';

COMMENT ON COLUMN heliograph.commits.last_slot IS 'Last slot that it speaks of.';

COMMENT ON COLUMN heliograph.commits.first_time IS 'Block time of the first slot that holds rows, of a correction also of those that held some before; NULL where none does.';

COMMENT ON COLUMN heliograph.commits.last_time IS 'Block time of the last slot that holds rows, of a correction also of those that held some before; NULL where none does.';

COMMENT ON COLUMN heliograph.commits.row_count IS 'Rows that it wrote: transactions, events and undecoded; accounts; positions that it folded anew.';

COMMENT ON COLUMN heliograph.commits.committed_at IS 'When it was written, by the database''s clock.';

COMMENT ON COLUMN heliograph.commits.xid IS 'The transaction that made the commit.';

CREATE TABLE heliograph.coverage (
    stream text NOT NULL,
    slots int8multirange DEFAULT '{}'::int8multirange NOT NULL,
    audited int8multirange DEFAULT '{}'::int8multirange NOT NULL
);

COMMENT ON TABLE heliograph.coverage IS 'Which slots are complete; grows in the transaction that writes their rows.';

COMMENT ON COLUMN heliograph.coverage.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.coverage.slots IS 'The complete slots. A slot outside may have rows missing; the gaps are the complement from first_slot on. Slots below streams.retained_from count as done: nobody shall fetch them again.';

COMMENT ON COLUMN heliograph.coverage.audited IS 'Those of them that were final when they were fetched, or were compared with the final chain since.';

CREATE TABLE heliograph.slots (
    stream text NOT NULL,
    slot bigint NOT NULL,
    blockhash text,
    parent bigint,
    block_time timestamp with time zone NOT NULL,
    seq bigint NOT NULL
);

COMMENT ON TABLE heliograph.slots IS 'Every slot that holds a transaction of the stream; seq is the commit that last wrote it. One that is not covered is an archive''s.';

COMMENT ON COLUMN heliograph.slots.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.slots.slot IS 'The slot.';

COMMENT ON COLUMN heliograph.slots.blockhash IS 'Hash of its block, base58; NULL where the source did not tell, or a correction emptied the slot.';

COMMENT ON COLUMN heliograph.slots.parent IS 'Slot of the parent block; NULL where unknown.';

COMMENT ON COLUMN heliograph.slots.block_time IS 'Time of its block; the nearest earlier block''s where it has none.';

COMMENT ON COLUMN heliograph.slots.seq IS 'The commit that last wrote the slot.';

CREATE TABLE heliograph.streams (
    name text NOT NULL,
    protocol text NOT NULL,
    programs text[] NOT NULL,
    first_slot bigint NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    head_slot bigint,
    head_time timestamp with time zone,
    final_slot bigint,
    accounts_through bigint,
    leader text,
    leader_expires timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    idl_count bigint DEFAULT 0 NOT NULL,
    genesis text,
    leader_renewed timestamp with time zone,
    retained_from bigint,
    log_events boolean DEFAULT false NOT NULL,
    instructions boolean DEFAULT false NOT NULL,
    objects_from_seq bigint DEFAULT 1 NOT NULL
);

COMMENT ON TABLE heliograph.streams IS 'A named set of programs that is indexed, covered, numbered and finalized as one.';

COMMENT ON COLUMN heliograph.streams.name IS 'Name of the stream; its decoded events are in the schema of this name.';

COMMENT ON COLUMN heliograph.streams.protocol IS 'The protocol that projects its events to schema perps.';

COMMENT ON COLUMN heliograph.streams.programs IS 'Addresses of its programs, base58.';

COMMENT ON COLUMN heliograph.streams.first_slot IS 'The first slot that was asked for; completeness is counted from here.';

COMMENT ON COLUMN heliograph.streams.epoch IS 'Grows with each change of leader; a writer of an older epoch is refused.';

COMMENT ON COLUMN heliograph.streams.seq IS 'Number of the latest commit; gap-free and in commit order.';

COMMENT ON COLUMN heliograph.streams.head_slot IS 'Highest slot that any commit covered.';

COMMENT ON COLUMN heliograph.streams.head_time IS 'Time of the last block at or below head_slot, where known.';

COMMENT ON COLUMN heliograph.streams.final_slot IS 'Rows at or below are final; NULL until the first audit.';

COMMENT ON COLUMN heliograph.streams.accounts_through IS 'Context slot of the last account snapshot that was reconciled.';

COMMENT ON COLUMN heliograph.streams.leader IS 'The process that leads the head of the stream; NULL where none does.';

COMMENT ON COLUMN heliograph.streams.leader_expires IS 'Until when the leader leads unless it renews, by the database''s clock.';

COMMENT ON COLUMN heliograph.streams.created_at IS 'When the stream was added.';

COMMENT ON COLUMN heliograph.streams.idl_count IS 'IDLs that were added to it; a writer that decoded with fewer is refused and decodes anew.';

COMMENT ON COLUMN heliograph.streams.genesis IS 'Genesis hash of the cluster that it is of; NULL until one was asked for the first time.';

COMMENT ON COLUMN heliograph.streams.leader_renewed IS 'When the lease was renewed last; one from the future counts as ended.';

COMMENT ON COLUMN heliograph.streams.retained_from IS 'Rows of slots below are past their retention: they are not written again, and completeness starts here; NULL where all is kept.';

COMMENT ON COLUMN heliograph.streams.log_events IS 'Text that the programs print behind Program log: may be an event in base64; for protocols that are known the protocol says it.';

COMMENT ON COLUMN heliograph.streams.instructions IS 'Instructions have tables too.';

COMMENT ON COLUMN heliograph.streams.objects_from_seq IS 'From this commit on heliograph.object_changes has everything.';

CREATE VIEW heliograph.completeness AS
 SELECT s.name AS stream,
    s.first_slot,
    t.through AS complete_through,
    ( SELECT b.block_time
           FROM heliograph.slots b
          WHERE ((b.stream = s.name) AND (b.slot <= t.through))
          ORDER BY b.slot DESC
         LIMIT 1) AS complete_through_time,
    s.head_slot,
    s.head_time,
    s.final_slot,
    g.gaps,
    g.missing_slots
   FROM (((heliograph.streams s
     LEFT JOIN heliograph.coverage c ON ((c.stream = s.name)))
     CROSS JOIN LATERAL ( SELECT ( SELECT (upper(r.r) - 1)
                   FROM unnest(c.slots) r(r)
                  WHERE (r.r @> s.first_slot)) AS through) t)
     CROSS JOIN LATERAL ( SELECT count(*) AS gaps,
            (COALESCE(sum((upper(r.r) - lower(r.r))), (0)::numeric))::bigint AS missing_slots
           FROM unnest(
                CASE
                    WHEN (s.head_slot >= s.first_slot) THEN (int8multirange(int8range(s.first_slot, s.head_slot, '[]'::text)) - COALESCE(c.slots, '{}'::int8multirange))
                    ELSE NULL::int8multirange
                END) r(r)) g);

COMMENT ON VIEW heliograph.completeness IS 'Through which slot each stream has every row, and what is missing up to its head.';

COMMENT ON COLUMN heliograph.completeness.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.completeness.first_slot IS 'The first slot that was asked for; completeness is counted from here.';

COMMENT ON COLUMN heliograph.completeness.complete_through IS 'Every row of first_slot up to this slot is there; NULL while first_slot itself is missing.';

COMMENT ON COLUMN heliograph.completeness.complete_through_time IS 'Time of the last block of the stream at or before it.';

COMMENT ON COLUMN heliograph.completeness.head_slot IS 'Highest slot that any commit covered.';

COMMENT ON COLUMN heliograph.completeness.head_time IS 'Time of the last block at or below head_slot, where known.';

COMMENT ON COLUMN heliograph.completeness.final_slot IS 'Rows at or below are final; NULL until the first audit.';

COMMENT ON COLUMN heliograph.completeness.gaps IS 'Ranges between first_slot and head_slot that are not covered: heliograph.gaps lists them.';

COMMENT ON COLUMN heliograph.completeness.missing_slots IS 'Slots in them.';

CREATE TABLE heliograph.dirty (
    stream text NOT NULL,
    position_key text NOT NULL,
    marks bigint DEFAULT 1 NOT NULL,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    marked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE heliograph.dirty IS 'Positions that late history touched and the leader has not folded anew yet.';

COMMENT ON COLUMN heliograph.dirty.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.dirty.position_key IS 'Key of the position, as in perps.positions.';

COMMENT ON COLUMN heliograph.dirty.marks IS 'How often it was marked since it was folded last.';

COMMENT ON COLUMN heliograph.dirty.since IS 'When it was marked first since it was folded last.';

COMMENT ON COLUMN heliograph.dirty.marked_at IS 'When it was marked last.';

CREATE VIEW heliograph.gaps AS
 SELECT s.name AS stream,
    lower(r.r) AS first_slot,
    (upper(r.r) - 1) AS last_slot,
    ( SELECT b.block_time
           FROM heliograph.slots b
          WHERE ((b.stream = s.name) AND (b.slot < lower(r.r)))
          ORDER BY b.slot DESC
         LIMIT 1) AS after_time,
    ( SELECT b.block_time
           FROM heliograph.slots b
          WHERE ((b.stream = s.name) AND (b.slot >= upper(r.r)))
          ORDER BY b.slot
         LIMIT 1) AS before_time
   FROM ((heliograph.streams s
     LEFT JOIN heliograph.coverage c ON ((c.stream = s.name)))
     CROSS JOIN LATERAL unnest(
        CASE
            WHEN (s.head_slot >= s.first_slot) THEN (int8multirange(int8range(s.first_slot, s.head_slot, '[]'::text)) - COALESCE(c.slots, '{}'::int8multirange))
            ELSE NULL::int8multirange
        END) r(r));

COMMENT ON VIEW heliograph.gaps IS 'Ranges of slots, between first_slot and head_slot of a stream, of which rows may be missing.';

COMMENT ON COLUMN heliograph.gaps.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.gaps.first_slot IS 'First slot that is not covered.';

COMMENT ON COLUMN heliograph.gaps.last_slot IS 'Last slot that is not covered.';

COMMENT ON COLUMN heliograph.gaps.after_time IS 'Time of the last block of the stream before the gap; NULL where there is none.';

COMMENT ON COLUMN heliograph.gaps.before_time IS 'Time of the first block of the stream after the gap; NULL where there is none.';

CREATE TABLE heliograph.idls (
    stream text NOT NULL,
    program text NOT NULL,
    first_slot bigint NOT NULL,
    sha256 text NOT NULL,
    idl jsonb NOT NULL
);

COMMENT ON TABLE heliograph.idls IS 'The layouts in force, each from its first slot.';

COMMENT ON COLUMN heliograph.idls.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.idls.program IS 'Address of the program, base58.';

COMMENT ON COLUMN heliograph.idls.first_slot IS 'First slot at which the layout is in force.';

COMMENT ON COLUMN heliograph.idls.sha256 IS 'SHA-256 of the IDL''s text, hexadecimal.';

COMMENT ON COLUMN heliograph.idls.idl IS 'The IDL.';

CREATE TABLE heliograph.incidents (
    id bigint NOT NULL,
    stream text NOT NULL,
    kind text NOT NULL,
    slot bigint,
    detail jsonb NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE heliograph.incidents IS 'What went wrong and what was done about it.';

COMMENT ON COLUMN heliograph.incidents.id IS 'Number of the incident.';

COMMENT ON COLUMN heliograph.incidents.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.incidents.kind IS 'What went wrong.';

COMMENT ON COLUMN heliograph.incidents.slot IS 'Slot that it concerns; NULL where none.';

COMMENT ON COLUMN heliograph.incidents.detail IS 'What is known of it.';

COMMENT ON COLUMN heliograph.incidents.at IS 'When it was noted, by the database''s clock.';

ALTER TABLE heliograph.incidents ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME heliograph.incidents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE heliograph.object_changes (
    stream text NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    entity text NOT NULL,
    key jsonb NOT NULL,
    before jsonb,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT object_changes_entity_check CHECK ((entity = ANY (ARRAY['positions'::text, 'markets'::text, 'balances'::text])))
);

COMMENT ON TABLE heliograph.object_changes IS 'What each transaction did to objects of schema perps, a row an object and statement; kept for some minutes.';

COMMENT ON COLUMN heliograph.object_changes.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.object_changes.xid IS 'The transaction, as in heliograph.commits.';

COMMENT ON COLUMN heliograph.object_changes.entity IS 'The table of schema perps.';

COMMENT ON COLUMN heliograph.object_changes.key IS 'The columns that identify the object.';

COMMENT ON COLUMN heliograph.object_changes.before IS 'The object as it was; NULL where it is new.';

COMMENT ON COLUMN heliograph.object_changes.noted_at IS 'When its transaction began.';

CREATE TABLE heliograph.retained_balances (
    stream text NOT NULL,
    wallet text NOT NULL,
    asset text NOT NULL,
    free numeric NOT NULL,
    locked numeric NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    updated_slot bigint NOT NULL,
    updated_tx_index integer NOT NULL,
    updated_ordinal integer NOT NULL,
    sub_account text DEFAULT ''::text NOT NULL
);

COMMENT ON TABLE heliograph.retained_balances IS 'What each balance was right below streams.retained_from: a correction falls back to it where no later transfer is left.';

COMMENT ON COLUMN heliograph.retained_balances.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.retained_balances.wallet IS 'The wallet.';

COMMENT ON COLUMN heliograph.retained_balances.asset IS 'The asset.';

COMMENT ON COLUMN heliograph.retained_balances.free IS 'As in perps.balances.';

COMMENT ON COLUMN heliograph.retained_balances.locked IS 'As in perps.balances.';

COMMENT ON COLUMN heliograph.retained_balances.updated_at IS 'Block time of the transfer that said so.';

COMMENT ON COLUMN heliograph.retained_balances.updated_slot IS 'Its slot.';

COMMENT ON COLUMN heliograph.retained_balances.updated_tx_index IS 'Its transaction''s position in the block.';

COMMENT ON COLUMN heliograph.retained_balances.updated_ordinal IS 'Its place in the transaction.';

COMMENT ON COLUMN heliograph.retained_balances.sub_account IS 'As in perps.balances.';

CREATE TABLE heliograph.retained_positions (
    stream text NOT NULL,
    position_key text NOT NULL,
    lifecycle integer NOT NULL,
    "position" jsonb,
    flows jsonb DEFAULT '[]'::jsonb NOT NULL
);

COMMENT ON TABLE heliograph.retained_positions IS 'What each position was right below streams.retained_from: folding anew begins with it, since the changes before may be gone.';

COMMENT ON COLUMN heliograph.retained_positions.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.retained_positions.position_key IS 'The position''s key.';

COMMENT ON COLUMN heliograph.retained_positions.lifecycle IS 'Its lifecycle at that slot; earlier ones stay as they are; 0 where there is no position.';

COMMENT ON COLUMN heliograph.retained_positions."position" IS 'The position as of that slot: columns of perps.positions, decimals as text, times as unix seconds; NULL where only flows are kept.';

COMMENT ON COLUMN heliograph.retained_positions.flows IS 'The flows up to that slot, while nothing among them tells the base: rows of perps.flows as above, in chain order; else empty.';

CREATE TABLE heliograph.rollups (
    stream text NOT NULL,
    through timestamp with time zone NOT NULL,
    begun boolean DEFAULT false NOT NULL
);

COMMENT ON TABLE heliograph.rollups IS 'How far the aggregates of a stream are rolled up.';

COMMENT ON COLUMN heliograph.rollups.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.rollups.through IS 'Buckets that end at or before are rolled up, but for those in stale_ranges; a full hour.';

COMMENT ON COLUMN heliograph.rollups.begun IS 'False until stale_ranges has what was stored before the first roll-up; nothing is rolled up till then.';

CREATE TABLE heliograph.schema_migrations (
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE heliograph.schema_migrations IS 'Which migrations this database has.';

COMMENT ON COLUMN heliograph.schema_migrations.name IS 'Name of the migration''s file.';

COMMENT ON COLUMN heliograph.schema_migrations.sha256 IS 'SHA-256 of its text.';

COMMENT ON COLUMN heliograph.schema_migrations.applied_at IS 'When it was applied.';

CREATE TABLE heliograph.sightings (
    stream text NOT NULL,
    position_key text NOT NULL,
    first_slot bigint NOT NULL,
    account text NOT NULL,
    is_open boolean NOT NULL,
    sighting jsonb NOT NULL
);

COMMENT ON TABLE heliograph.sightings IS 'What accounts showed of positions, a row a life: folding begins, corrects and ends lifecycles with it.';

COMMENT ON COLUMN heliograph.sightings.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.sightings.position_key IS 'The position''s key.';

COMMENT ON COLUMN heliograph.sightings.first_slot IS 'Slot of the account''s first state that showed this life.';

COMMENT ON COLUMN heliograph.sightings.account IS 'The account that holds it, base58.';

COMMENT ON COLUMN heliograph.sightings.is_open IS 'Whether the account holds it still, with a size.';

COMMENT ON COLUMN heliograph.sightings.sighting IS 'When it was first seen, what the account last said of it, and when the account had it no longer; decimals as text, times as unix seconds.';

CREATE TABLE heliograph.signatures (
    signature text NOT NULL,
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL
);

COMMENT ON TABLE heliograph.signatures IS 'Where a signature stands; not cut by time.';

COMMENT ON COLUMN heliograph.signatures.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN heliograph.signatures.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN heliograph.signatures.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN heliograph.signatures.slot IS 'Slot of the block.';

COMMENT ON COLUMN heliograph.signatures.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

CREATE TABLE heliograph.stale_ranges (
    id bigint NOT NULL,
    stream text NOT NULL,
    first_time timestamp with time zone NOT NULL,
    last_time timestamp with time zone NOT NULL,
    CONSTRAINT stale_ranges_check CHECK ((isfinite(first_time) AND isfinite(last_time) AND (first_time <= last_time)))
);

COMMENT ON TABLE heliograph.stale_ranges IS 'Where rows changed below rollups.through since the roll-up; written in the transaction that changes them.';

COMMENT ON COLUMN heliograph.stale_ranges.id IS 'Number of the range.';

COMMENT ON COLUMN heliograph.stale_ranges.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.stale_ranges.first_time IS 'First block time that is touched.';

COMMENT ON COLUMN heliograph.stale_ranges.last_time IS 'Last block time that is touched.';

ALTER TABLE heliograph.stale_ranges ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME heliograph.stale_ranges_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE heliograph.storage (
    one boolean DEFAULT true NOT NULL,
    chunk_interval interval NOT NULL,
    columnstore_after interval,
    CONSTRAINT storage_one_check CHECK (one)
);

COMMENT ON TABLE heliograph.storage IS 'How TimescaleDB stores the tables cut by block_time; from the settings of the process that was started last. One row.';

COMMENT ON COLUMN heliograph.storage.one IS 'Always true.';

COMMENT ON COLUMN heliograph.storage.chunk_interval IS 'Time that one chunk of a hypertable spans.';

COMMENT ON COLUMN heliograph.storage.columnstore_after IS 'Age at which chunks are turned into the columnstore; NULL: never. Only TimescaleDB Community does it.';

CREATE TABLE heliograph.transactions (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    signature text NOT NULL,
    err jsonb,
    err_name text,
    fee bigint,
    fee_payer text,
    priority_fee bigint,
    compute_units bigint,
    version text,
    truncated boolean NOT NULL
);

COMMENT ON TABLE heliograph.transactions IS 'Every transaction that mentions a program of the stream, failed ones too.';

COMMENT ON COLUMN heliograph.transactions.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN heliograph.transactions.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN heliograph.transactions.slot IS 'Slot of the block.';

COMMENT ON COLUMN heliograph.transactions.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN heliograph.transactions.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN heliograph.transactions.err IS 'The cluster''s error, NULL where the transaction succeeded.';

COMMENT ON COLUMN heliograph.transactions.err_name IS 'The IDL''s name of a custom error.';

COMMENT ON COLUMN heliograph.transactions.fee IS 'Lamports, priority fee included; NULL where only the log lines were fetched.';

COMMENT ON COLUMN heliograph.transactions.fee_payer IS 'Address that paid the fee, base58; NULL where only the log lines were fetched.';

COMMENT ON COLUMN heliograph.transactions.priority_fee IS 'Lamports, part of fee; NULL where only the log lines were fetched.';

COMMENT ON COLUMN heliograph.transactions.compute_units IS 'Compute units that it used; NULL where unknown.';

COMMENT ON COLUMN heliograph.transactions.version IS 'legacy, 0 or 1; NULL where only the log lines were fetched.';

COMMENT ON COLUMN heliograph.transactions.truncated IS 'The cluster cut the log lines; events by log may be missing.';

CREATE TABLE heliograph.typed_columns (
    stream text NOT NULL,
    table_name text NOT NULL,
    column_name text NOT NULL,
    number integer NOT NULL,
    field text NOT NULL,
    type text NOT NULL,
    docs text NOT NULL
);

COMMENT ON TABLE heliograph.typed_columns IS 'Which column holds which field; a field whose type changed has a column for each type.';

COMMENT ON COLUMN heliograph.typed_columns.stream IS 'The stream.';

COMMENT ON COLUMN heliograph.typed_columns.table_name IS 'Table in the stream''s schema.';

COMMENT ON COLUMN heliograph.typed_columns.column_name IS 'Its column; it stays.';

COMMENT ON COLUMN heliograph.typed_columns.number IS 'Order in which columns were made, from 1.';

COMMENT ON COLUMN heliograph.typed_columns.field IS 'The field''s name in the IDL; of an instruction, account:NAME is the address of an account.';

COMMENT ON COLUMN heliograph.typed_columns.type IS 'Type of the column.';

COMMENT ON COLUMN heliograph.typed_columns.docs IS 'What the latest IDL that has the field says of it; empty where it says nothing.';

CREATE TABLE heliograph.typed_tables (
    stream text NOT NULL,
    kind text NOT NULL,
    program text NOT NULL,
    item text NOT NULL,
    table_name text NOT NULL,
    CONSTRAINT typed_tables_kind_check CHECK ((kind = ANY (ARRAY['event'::text, 'account'::text, 'instruction'::text, 'history'::text, 'unknown'::text])))
);

COMMENT ON TABLE heliograph.typed_tables IS 'Which table of a stream''s schema holds which event, account type or instruction of its IDLs.';

COMMENT ON COLUMN heliograph.typed_tables.stream IS 'The stream; its schema has the same name.';

COMMENT ON COLUMN heliograph.typed_tables.kind IS 'event, account or instruction; history: past states of all accounts; unknown: instructions that no IDL reads.';

COMMENT ON COLUMN heliograph.typed_tables.program IS 'Address of the program, base58; empty for history and unknown.';

COMMENT ON COLUMN heliograph.typed_tables.item IS 'Its name in the IDL; empty for history and unknown.';

COMMENT ON COLUMN heliograph.typed_tables.table_name IS 'Its table; it stays.';

CREATE TABLE heliograph.undecoded (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    channel text NOT NULL,
    data bytea NOT NULL,
    reason text NOT NULL,
    caller text,
    accounts text[]
);

COMMENT ON TABLE heliograph.undecoded IS 'What a program said that is in no other table as it was said: no layout fits it, or a row made from it was refused; nothing is dropped.';

COMMENT ON COLUMN heliograph.undecoded.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN heliograph.undecoded.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN heliograph.undecoded.slot IS 'Slot of the block.';

COMMENT ON COLUMN heliograph.undecoded.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN heliograph.undecoded.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN heliograph.undecoded.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN heliograph.undecoded.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN heliograph.undecoded.channel IS 'data, log or cpi: how the program said it; instruction: what it was asked, of protocols to whom that means something; record: data is a row as JSON that its table refused.';

COMMENT ON COLUMN heliograph.undecoded.data IS 'The bytes, discriminator first.';

COMMENT ON COLUMN heliograph.undecoded.reason IS 'Why it is here.';

COMMENT ON COLUMN heliograph.undecoded.caller IS 'Address of the program that invoked it; NULL where the transaction did.';

COMMENT ON COLUMN heliograph.undecoded.accounts IS 'Addresses that an instruction was given, base58, in order; NULL for events.';

CREATE TABLE heliograph_rollup.kept_candles_15m (
    stream text NOT NULL,
    market text NOT NULL,
    price_kind text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume numeric,
    quote numeric,
    points bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE TABLE heliograph_rollup.kept_candles_1d (
    stream text NOT NULL,
    market text NOT NULL,
    price_kind text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume numeric,
    quote numeric,
    points bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE TABLE heliograph_rollup.kept_candles_1h (
    stream text NOT NULL,
    market text NOT NULL,
    price_kind text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume numeric,
    quote numeric,
    points bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE TABLE heliograph_rollup.kept_candles_4h (
    stream text NOT NULL,
    market text NOT NULL,
    price_kind text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume numeric,
    quote numeric,
    points bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE TABLE heliograph_rollup.kept_candles_5m (
    stream text NOT NULL,
    market text NOT NULL,
    price_kind text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume numeric,
    quote numeric,
    points bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE TABLE heliograph_rollup.kept_funding_1d (
    stream text NOT NULL,
    market text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    rate_sum numeric,
    rates bigint,
    rate_min numeric,
    rate_max numeric,
    rate_last numeric,
    long_amount numeric,
    short_amount numeric,
    payments bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE TABLE heliograph_rollup.kept_open_interest_1d (
    stream text NOT NULL,
    market text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    long_change numeric,
    short_change numeric,
    changes bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE VIEW heliograph_rollup.rolled_candles_15m AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.kept_candles_15m;

CREATE VIEW heliograph_rollup.rolled_candles_1d AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.kept_candles_1d;

CREATE VIEW heliograph_rollup.rolled_candles_1h AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.kept_candles_1h;

CREATE VIEW heliograph_rollup.rolled_candles_1m AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.kept_candles_1m;

CREATE VIEW heliograph_rollup.rolled_candles_4h AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.kept_candles_4h;

CREATE VIEW heliograph_rollup.rolled_candles_5m AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.kept_candles_5m;

CREATE VIEW heliograph_rollup.rolled_funding_1d AS
 SELECT stream,
    market,
    bucket,
    rate_sum,
    rates,
    rate_min,
    rate_max,
    rate_last,
    long_amount,
    short_amount,
    payments
   FROM heliograph_rollup.kept_funding_1d;

CREATE VIEW heliograph_rollup.rolled_funding_1h AS
 SELECT stream,
    market,
    bucket,
    rate_sum,
    rates,
    rate_min,
    rate_max,
    rate_last,
    long_amount,
    short_amount,
    payments
   FROM heliograph_rollup.kept_funding_1h;

CREATE VIEW heliograph_rollup.rolled_open_interest_1d AS
 SELECT stream,
    market,
    bucket,
    long_change,
    short_change,
    changes
   FROM heliograph_rollup.kept_open_interest_1d;

CREATE VIEW heliograph_rollup.rolled_open_interest_1h AS
 SELECT stream,
    market,
    bucket,
    long_change,
    short_change,
    changes
   FROM heliograph_rollup.kept_open_interest_1h;

CREATE VIEW heliograph_rollup.rolled_volume_1h AS
 SELECT stream,
    market,
    bucket,
    volume,
    quote,
    bought_quote,
    sold_quote,
    liquidated_quote,
    taker_fees,
    maker_fees,
    trades
   FROM heliograph_rollup.kept_volume_1h;

CREATE TABLE heliograph_rollup.rollups (
    name text NOT NULL,
    step text NOT NULL,
    width interval NOT NULL
);

COMMENT ON TABLE heliograph_rollup.rollups IS 'What is rolled up: kept_<name>_<step>, computed from the rows by <name>_between(width, stream, first, end).';

CREATE VIEW heliograph_rollup.served_candles_15m AS
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('00:15:00'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_candles_15m b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '00:15:00'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.stale_windows('00:15:00'::interval) s(stream, first_time, end_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('00:15:00'::interval, s.stream, s.first_time, s.end_time, lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT t.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('00:15:00'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('00:15:00'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM heliograph_rollup.candles_beside('00:15:00'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, price_kind, bucket, open, high, low, close, volume, quote, points);

CREATE VIEW heliograph_rollup.served_candles_1d AS
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('1 day'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_candles_1d b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '1 day'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    b.price_kind,
    s.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.stale_buckets('1 day'::interval) s(stream, bucket)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('1 day'::interval, s.stream, s.bucket, (s.bucket + '1 day'::interval), lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT t.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('1 day'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('1 day'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM heliograph_rollup.candles_beside('1 day'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, price_kind, bucket, open, high, low, close, volume, quote, points);

CREATE VIEW heliograph_rollup.served_candles_1h AS
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('01:00:00'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_candles_1h b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '01:00:00'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    b.price_kind,
    s.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.stale_buckets('01:00:00'::interval) s(stream, bucket)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('01:00:00'::interval, s.stream, s.bucket, (s.bucket + '01:00:00'::interval), lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT t.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('01:00:00'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('01:00:00'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM heliograph_rollup.candles_beside('01:00:00'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, price_kind, bucket, open, high, low, close, volume, quote, points);

CREATE VIEW heliograph_rollup.served_candles_1m AS
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('00:01:00'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_candles_1m b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '00:01:00'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.stale_windows('00:01:00'::interval) s(stream, first_time, end_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('00:01:00'::interval, s.stream, s.first_time, s.end_time, lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT t.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('00:01:00'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('00:01:00'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM heliograph_rollup.candles_beside('00:01:00'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, price_kind, bucket, open, high, low, close, volume, quote, points);

CREATE VIEW heliograph_rollup.served_candles_4h AS
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('04:00:00'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_candles_4h b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '04:00:00'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    b.price_kind,
    s.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.stale_buckets('04:00:00'::interval) s(stream, bucket)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('04:00:00'::interval, s.stream, s.bucket, (s.bucket + '04:00:00'::interval), lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT t.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('04:00:00'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('04:00:00'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM heliograph_rollup.candles_beside('04:00:00'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, price_kind, bucket, open, high, low, close, volume, quote, points);

CREATE VIEW heliograph_rollup.served_candles_5m AS
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('00:05:00'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_candles_5m b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '00:05:00'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.stale_windows('00:05:00'::interval) s(stream, first_time, end_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('00:05:00'::interval, s.stream, s.first_time, s.end_time, lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT t.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM (heliograph_rollup.tails('00:05:00'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.candles_between('00:05:00'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, price_kind, bucket, open, high, low, close, volume, quote, points))
UNION ALL
 SELECT b.stream,
    b.market,
    b.price_kind,
    b.bucket,
    b.open,
    b.high,
    b.low,
    b.close,
    b.volume,
    b.quote,
    b.points
   FROM heliograph_rollup.candles_beside('00:05:00'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, price_kind, bucket, open, high, low, close, volume, quote, points);

CREATE VIEW heliograph_rollup.served_funding_1d AS
 SELECT b.stream,
    b.market,
    b.bucket,
    b.rate_sum,
    b.rates,
    b.rate_min,
    b.rate_max,
    b.rate_last,
    b.long_amount,
    b.short_amount,
    b.payments
   FROM (heliograph_rollup.tails('1 day'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_funding_1d b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '1 day'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    s.bucket,
    b.rate_sum,
    b.rates,
    b.rate_min,
    b.rate_max,
    b.rate_last,
    b.long_amount,
    b.short_amount,
    b.payments
   FROM (heliograph_rollup.stale_buckets('1 day'::interval) s(stream, bucket)
     CROSS JOIN LATERAL heliograph_rollup.funding_between('1 day'::interval, s.stream, s.bucket, (s.bucket + '1 day'::interval), lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, bucket, rate_sum, rates, rate_min, rate_max, rate_last, long_amount, short_amount, payments))
UNION ALL
 SELECT t.stream,
    b.market,
    b.bucket,
    b.rate_sum,
    b.rates,
    b.rate_min,
    b.rate_max,
    b.rate_last,
    b.long_amount,
    b.short_amount,
    b.payments
   FROM (heliograph_rollup.tails('1 day'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.funding_between('1 day'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, bucket, rate_sum, rates, rate_min, rate_max, rate_last, long_amount, short_amount, payments))
UNION ALL
 SELECT b.stream,
    b.market,
    b.bucket,
    b.rate_sum,
    b.rates,
    b.rate_min,
    b.rate_max,
    b.rate_last,
    b.long_amount,
    b.short_amount,
    b.payments
   FROM heliograph_rollup.funding_beside('1 day'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, bucket, rate_sum, rates, rate_min, rate_max, rate_last, long_amount, short_amount, payments);

CREATE VIEW heliograph_rollup.served_funding_1h AS
 SELECT b.stream,
    b.market,
    b.bucket,
    b.rate_sum,
    b.rates,
    b.rate_min,
    b.rate_max,
    b.rate_last,
    b.long_amount,
    b.short_amount,
    b.payments
   FROM (heliograph_rollup.tails('01:00:00'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_funding_1h b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '01:00:00'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    s.bucket,
    b.rate_sum,
    b.rates,
    b.rate_min,
    b.rate_max,
    b.rate_last,
    b.long_amount,
    b.short_amount,
    b.payments
   FROM (heliograph_rollup.stale_buckets('01:00:00'::interval) s(stream, bucket)
     CROSS JOIN LATERAL heliograph_rollup.funding_between('01:00:00'::interval, s.stream, s.bucket, (s.bucket + '01:00:00'::interval), lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, bucket, rate_sum, rates, rate_min, rate_max, rate_last, long_amount, short_amount, payments))
UNION ALL
 SELECT t.stream,
    b.market,
    b.bucket,
    b.rate_sum,
    b.rates,
    b.rate_min,
    b.rate_max,
    b.rate_last,
    b.long_amount,
    b.short_amount,
    b.payments
   FROM (heliograph_rollup.tails('01:00:00'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.funding_between('01:00:00'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, bucket, rate_sum, rates, rate_min, rate_max, rate_last, long_amount, short_amount, payments))
UNION ALL
 SELECT b.stream,
    b.market,
    b.bucket,
    b.rate_sum,
    b.rates,
    b.rate_min,
    b.rate_max,
    b.rate_last,
    b.long_amount,
    b.short_amount,
    b.payments
   FROM heliograph_rollup.funding_beside('01:00:00'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, bucket, rate_sum, rates, rate_min, rate_max, rate_last, long_amount, short_amount, payments);

CREATE VIEW heliograph_rollup.served_open_interest_1d AS
 SELECT b.stream,
    b.market,
    b.bucket,
    b.long_change,
    b.short_change,
    b.changes
   FROM (heliograph_rollup.tails('1 day'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_open_interest_1d b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '1 day'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    s.bucket,
    b.long_change,
    b.short_change,
    b.changes
   FROM (heliograph_rollup.stale_buckets('1 day'::interval) s(stream, bucket)
     CROSS JOIN LATERAL heliograph_rollup.open_interest_between('1 day'::interval, s.stream, s.bucket, (s.bucket + '1 day'::interval), lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, bucket, long_change, short_change, changes))
UNION ALL
 SELECT t.stream,
    b.market,
    b.bucket,
    b.long_change,
    b.short_change,
    b.changes
   FROM (heliograph_rollup.tails('1 day'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.open_interest_between('1 day'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, bucket, long_change, short_change, changes))
UNION ALL
 SELECT b.stream,
    b.market,
    b.bucket,
    b.long_change,
    b.short_change,
    b.changes
   FROM heliograph_rollup.open_interest_beside('1 day'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, bucket, long_change, short_change, changes);

CREATE VIEW heliograph_rollup.served_open_interest_1h AS
 SELECT b.stream,
    b.market,
    b.bucket,
    b.long_change,
    b.short_change,
    b.changes
   FROM (heliograph_rollup.tails('01:00:00'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_open_interest_1h b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '01:00:00'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    s.bucket,
    b.long_change,
    b.short_change,
    b.changes
   FROM (heliograph_rollup.stale_buckets('01:00:00'::interval) s(stream, bucket)
     CROSS JOIN LATERAL heliograph_rollup.open_interest_between('01:00:00'::interval, s.stream, s.bucket, (s.bucket + '01:00:00'::interval), lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, bucket, long_change, short_change, changes))
UNION ALL
 SELECT t.stream,
    b.market,
    b.bucket,
    b.long_change,
    b.short_change,
    b.changes
   FROM (heliograph_rollup.tails('01:00:00'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.open_interest_between('01:00:00'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, bucket, long_change, short_change, changes))
UNION ALL
 SELECT b.stream,
    b.market,
    b.bucket,
    b.long_change,
    b.short_change,
    b.changes
   FROM heliograph_rollup.open_interest_beside('01:00:00'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, bucket, long_change, short_change, changes);

CREATE VIEW heliograph_rollup.served_volume_1h AS
 SELECT b.stream,
    b.market,
    b.bucket,
    b.volume,
    b.quote,
    b.bought_quote,
    b.sold_quote,
    b.liquidated_quote,
    b.taker_fees,
    b.maker_fees,
    b.trades
   FROM (heliograph_rollup.tails('01:00:00'::interval) t(stream, first_time)
     JOIN heliograph_rollup.rolled_volume_1h b ON (((b.stream = t.stream) AND (b.bucket < t.first_time))))
  WHERE (NOT (EXISTS ( SELECT
           FROM heliograph.stale_ranges s
          WHERE ((s.stream = b.stream) AND (s.first_time < (b.bucket + '01:00:00'::interval)) AND (s.last_time >= b.bucket)))))
UNION ALL
 SELECT s.stream,
    b.market,
    s.bucket,
    b.volume,
    b.quote,
    b.bought_quote,
    b.sold_quote,
    b.liquidated_quote,
    b.taker_fees,
    b.maker_fees,
    b.trades
   FROM (heliograph_rollup.stale_buckets('01:00:00'::interval) s(stream, bucket)
     CROSS JOIN LATERAL heliograph_rollup.volume_between('01:00:00'::interval, s.stream, s.bucket, (s.bucket + '01:00:00'::interval), lower(heliograph_rollup.planned_stale()), upper(heliograph_rollup.planned_stale())) b(market, bucket, volume, quote, bought_quote, sold_quote, liquidated_quote, taker_fees, maker_fees, trades))
UNION ALL
 SELECT t.stream,
    b.market,
    b.bucket,
    b.volume,
    b.quote,
    b.bought_quote,
    b.sold_quote,
    b.liquidated_quote,
    b.taker_fees,
    b.maker_fees,
    b.trades
   FROM (heliograph_rollup.tails('01:00:00'::interval) t(stream, first_time)
     CROSS JOIN LATERAL heliograph_rollup.volume_between('01:00:00'::interval, t.stream, t.first_time, 'infinity'::timestamp with time zone, heliograph_rollup.planned_tail(), 'infinity'::timestamp with time zone) b(market, bucket, volume, quote, bought_quote, sold_quote, liquidated_quote, taker_fees, maker_fees, trades))
UNION ALL
 SELECT b.stream,
    b.market,
    b.bucket,
    b.volume,
    b.quote,
    b.bought_quote,
    b.sold_quote,
    b.liquidated_quote,
    b.taker_fees,
    b.maker_fees,
    b.trades
   FROM heliograph_rollup.volume_beside('01:00:00'::interval, heliograph_rollup.planned_stale(), heliograph_rollup.planned_tail()) b(stream, market, bucket, volume, quote, bought_quote, sold_quote, liquidated_quote, taker_fees, maker_fees, trades);

CREATE TABLE heliograph_rollup.storage (
    continuous boolean NOT NULL,
    only_row boolean DEFAULT true NOT NULL,
    CONSTRAINT storage_only_row_check CHECK (only_row)
);

COMMENT ON TABLE heliograph_rollup.storage IS 'Whether rolled buckets are in continuous aggregates, or in the kept_ tables.';

CREATE TABLE perps.balances (
    stream text NOT NULL,
    wallet text NOT NULL,
    asset text NOT NULL,
    free numeric NOT NULL,
    locked numeric NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    updated_slot bigint NOT NULL,
    updated_tx_index integer NOT NULL,
    updated_ordinal integer NOT NULL,
    sub_account text DEFAULT ''::text NOT NULL
);

COMMENT ON TABLE perps.balances IS 'A wallet''s collateral in one asset after its latest transfer; the total is free + locked.';

COMMENT ON COLUMN perps.balances.stream IS 'The stream that the balance belongs to.';

COMMENT ON COLUMN perps.balances.wallet IS 'Owner, base58.';

COMMENT ON COLUMN perps.balances.asset IS 'Mint, base58.';

COMMENT ON COLUMN perps.balances.free IS 'Asset units that can be withdrawn or locked.';

COMMENT ON COLUMN perps.balances.locked IS 'Asset units locked in positions.';

COMMENT ON COLUMN perps.balances.updated_at IS 'Block time of the latest transfer.';

COMMENT ON COLUMN perps.balances.updated_slot IS 'Slot of the latest transfer.';

COMMENT ON COLUMN perps.balances.updated_tx_index IS 'tx_index of the latest transfer.';

COMMENT ON COLUMN perps.balances.updated_ordinal IS 'ordinal of the latest transfer.';

COMMENT ON COLUMN perps.balances.sub_account IS 'Sub-account of the wallet, base58; empty where the protocol has none.';

CREATE VIEW perps.candles_15m AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.served_candles_15m;

COMMENT ON VIEW perps.candles_15m IS 'Candles of 15m by price_kind; a bucket without a price has no row: perps.candles_filled carries the close.';

COMMENT ON COLUMN perps.candles_15m.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.candles_15m.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.candles_15m.price_kind IS 'trade: prices of fills; mark: mark prices of funding_rates; oracle: prices of oracle_prices.';

COMMENT ON COLUMN perps.candles_15m.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.candles_15m.open IS 'Quote per base, the first price by chain order.';

COMMENT ON COLUMN perps.candles_15m.high IS 'Quote per base, the highest price.';

COMMENT ON COLUMN perps.candles_15m.low IS 'Quote per base, the lowest price.';

COMMENT ON COLUMN perps.candles_15m.close IS 'Quote per base, the last price by chain order.';

COMMENT ON COLUMN perps.candles_15m.volume IS 'Base that was traded, each fill once; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_15m.quote IS 'Quote that was traded; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_15m.points IS 'Prices in the bucket; for trade the number of fills.';

CREATE VIEW perps.candles_1d AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.served_candles_1d;

COMMENT ON VIEW perps.candles_1d IS 'Candles of 1d by price_kind; a bucket without a price has no row: perps.candles_filled carries the close.';

COMMENT ON COLUMN perps.candles_1d.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.candles_1d.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.candles_1d.price_kind IS 'trade: prices of fills; mark: mark prices of funding_rates; oracle: prices of oracle_prices.';

COMMENT ON COLUMN perps.candles_1d.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.candles_1d.open IS 'Quote per base, the first price by chain order.';

COMMENT ON COLUMN perps.candles_1d.high IS 'Quote per base, the highest price.';

COMMENT ON COLUMN perps.candles_1d.low IS 'Quote per base, the lowest price.';

COMMENT ON COLUMN perps.candles_1d.close IS 'Quote per base, the last price by chain order.';

COMMENT ON COLUMN perps.candles_1d.volume IS 'Base that was traded, each fill once; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_1d.quote IS 'Quote that was traded; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_1d.points IS 'Prices in the bucket; for trade the number of fills.';

CREATE VIEW perps.candles_1h AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.served_candles_1h;

COMMENT ON VIEW perps.candles_1h IS 'Candles of 1h by price_kind; a bucket without a price has no row: perps.candles_filled carries the close.';

COMMENT ON COLUMN perps.candles_1h.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.candles_1h.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.candles_1h.price_kind IS 'trade: prices of fills; mark: mark prices of funding_rates; oracle: prices of oracle_prices.';

COMMENT ON COLUMN perps.candles_1h.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.candles_1h.open IS 'Quote per base, the first price by chain order.';

COMMENT ON COLUMN perps.candles_1h.high IS 'Quote per base, the highest price.';

COMMENT ON COLUMN perps.candles_1h.low IS 'Quote per base, the lowest price.';

COMMENT ON COLUMN perps.candles_1h.close IS 'Quote per base, the last price by chain order.';

COMMENT ON COLUMN perps.candles_1h.volume IS 'Base that was traded, each fill once; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_1h.quote IS 'Quote that was traded; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_1h.points IS 'Prices in the bucket; for trade the number of fills.';

CREATE VIEW perps.candles_1m AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.served_candles_1m;

COMMENT ON VIEW perps.candles_1m IS 'Candles of 1m by price_kind; a bucket without a price has no row: perps.candles_filled carries the close.';

COMMENT ON COLUMN perps.candles_1m.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.candles_1m.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.candles_1m.price_kind IS 'trade: prices of fills; mark: mark prices of funding_rates; oracle: prices of oracle_prices.';

COMMENT ON COLUMN perps.candles_1m.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.candles_1m.open IS 'Quote per base, the first price by chain order.';

COMMENT ON COLUMN perps.candles_1m.high IS 'Quote per base, the highest price.';

COMMENT ON COLUMN perps.candles_1m.low IS 'Quote per base, the lowest price.';

COMMENT ON COLUMN perps.candles_1m.close IS 'Quote per base, the last price by chain order.';

COMMENT ON COLUMN perps.candles_1m.volume IS 'Base that was traded, each fill once; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_1m.quote IS 'Quote that was traded; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_1m.points IS 'Prices in the bucket; for trade the number of fills.';

CREATE VIEW perps.candles_4h AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.served_candles_4h;

COMMENT ON VIEW perps.candles_4h IS 'Candles of 4h by price_kind; a bucket without a price has no row: perps.candles_filled carries the close.';

COMMENT ON COLUMN perps.candles_4h.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.candles_4h.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.candles_4h.price_kind IS 'trade: prices of fills; mark: mark prices of funding_rates; oracle: prices of oracle_prices.';

COMMENT ON COLUMN perps.candles_4h.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.candles_4h.open IS 'Quote per base, the first price by chain order.';

COMMENT ON COLUMN perps.candles_4h.high IS 'Quote per base, the highest price.';

COMMENT ON COLUMN perps.candles_4h.low IS 'Quote per base, the lowest price.';

COMMENT ON COLUMN perps.candles_4h.close IS 'Quote per base, the last price by chain order.';

COMMENT ON COLUMN perps.candles_4h.volume IS 'Base that was traded, each fill once; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_4h.quote IS 'Quote that was traded; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_4h.points IS 'Prices in the bucket; for trade the number of fills.';

CREATE VIEW perps.candles_5m AS
 SELECT stream,
    market,
    price_kind,
    bucket,
    open,
    high,
    low,
    close,
    volume,
    quote,
    points
   FROM heliograph_rollup.served_candles_5m;

COMMENT ON VIEW perps.candles_5m IS 'Candles of 5m by price_kind; a bucket without a price has no row: perps.candles_filled carries the close.';

COMMENT ON COLUMN perps.candles_5m.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.candles_5m.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.candles_5m.price_kind IS 'trade: prices of fills; mark: mark prices of funding_rates; oracle: prices of oracle_prices.';

COMMENT ON COLUMN perps.candles_5m.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.candles_5m.open IS 'Quote per base, the first price by chain order.';

COMMENT ON COLUMN perps.candles_5m.high IS 'Quote per base, the highest price.';

COMMENT ON COLUMN perps.candles_5m.low IS 'Quote per base, the lowest price.';

COMMENT ON COLUMN perps.candles_5m.close IS 'Quote per base, the last price by chain order.';

COMMENT ON COLUMN perps.candles_5m.volume IS 'Base that was traded, each fill once; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_5m.quote IS 'Quote that was traded; 0 for mark and oracle.';

COMMENT ON COLUMN perps.candles_5m.points IS 'Prices in the bucket; for trade the number of fills.';

CREATE TABLE perps.flows (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    position_key text NOT NULL,
    kind text NOT NULL,
    base_delta numeric NOT NULL,
    quote numeric NOT NULL,
    price numeric,
    fee numeric NOT NULL,
    funding numeric NOT NULL,
    settled_pnl numeric NOT NULL,
    base_before numeric,
    base_after numeric,
    entry_quote_after numeric,
    entry_quote_released numeric,
    quote_places smallint NOT NULL,
    trade_id text,
    CONSTRAINT flows_kind_check CHECK ((kind = ANY (ARRAY['fill'::text, 'liquidation'::text, 'funding'::text, 'settlement'::text])))
);

COMMENT ON TABLE perps.flows IS 'Signed movements of keys, of programs whose events do not tell which side a position is on. Folded in chain order they give perps.position_changes and perps.positions.';

COMMENT ON COLUMN perps.flows.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.flows.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.flows.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.flows.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.flows.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.flows.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.flows.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.flows.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.flows.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.flows.wallet IS 'Owner of the position, base58; the address of its account until its owner is known.';

COMMENT ON COLUMN perps.flows.position_key IS 'Key of the position, as in perps.positions.';

COMMENT ON COLUMN perps.flows.kind IS 'fill, liquidation (a fill that a liquidator forced), funding or settlement (profit or loss moved to the balance).';

COMMENT ON COLUMN perps.flows.base_delta IS 'Base; positive bought, negative sold; 0 where none moved.';

COMMENT ON COLUMN perps.flows.quote IS 'Quote that was paid or received for it, never negative.';

COMMENT ON COLUMN perps.flows.price IS 'Quote per base; NULL where no base moved.';

COMMENT ON COLUMN perps.flows.fee IS 'Quote; positive when paid, negative for a rebate.';

COMMENT ON COLUMN perps.flows.funding IS 'Quote; positive when received, negative when paid.';

COMMENT ON COLUMN perps.flows.settled_pnl IS 'Quote that moved from the position to the balance; negative: from the balance.';

COMMENT ON COLUMN perps.flows.base_before IS 'Signed base of the key before it; NULL where the event does not tell.';

COMMENT ON COLUMN perps.flows.base_after IS 'Signed base of the key after it; NULL where the event does not tell.';

COMMENT ON COLUMN perps.flows.entry_quote_after IS 'Quote for which the base that is open after it was entered; NULL where the event does not tell.';

COMMENT ON COLUMN perps.flows.entry_quote_released IS 'Quote for which the base that it closed was entered; NULL where it closed none or the event does not tell.';

COMMENT ON COLUMN perps.flows.quote_places IS 'Decimals of quote to which the program truncates a share of an amount.';

COMMENT ON COLUMN perps.flows.trade_id IS 'The fill, as in perps.trades; NULL where none.';

CREATE VIEW perps.funding_1d AS
 SELECT stream,
    market,
    bucket,
    heliograph_rollup.quotient(rate_sum, (NULLIF(rates, 0))::numeric) AS rate,
    rate_min,
    rate_max,
    rate_last,
    rates,
    long_amount,
    short_amount,
    payments
   FROM heliograph_rollup.served_funding_1d;

COMMENT ON VIEW perps.funding_1d IS 'Funding rates and payments of 1d; a bucket without either has no row.';

COMMENT ON COLUMN perps.funding_1d.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.funding_1d.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.funding_1d.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.funding_1d.rate IS 'Mean of the rates, a fraction per hour, rounded half-even to 18 places; NULL without rates.';

COMMENT ON COLUMN perps.funding_1d.rate_min IS 'Lowest rate, a fraction per hour.';

COMMENT ON COLUMN perps.funding_1d.rate_max IS 'Highest rate, a fraction per hour.';

COMMENT ON COLUMN perps.funding_1d.rate_last IS 'Last rate by chain order, a fraction per hour.';

COMMENT ON COLUMN perps.funding_1d.rates IS 'Rows of funding_rates in the bucket.';

COMMENT ON COLUMN perps.funding_1d.long_amount IS 'Quote that long positions received; negative: they paid.';

COMMENT ON COLUMN perps.funding_1d.short_amount IS 'Quote that short positions received; negative: they paid.';

COMMENT ON COLUMN perps.funding_1d.payments IS 'Rows of funding_payments in the bucket.';

CREATE VIEW perps.funding_1h AS
 SELECT stream,
    market,
    bucket,
    heliograph_rollup.quotient(rate_sum, (NULLIF(rates, 0))::numeric) AS rate,
    rate_min,
    rate_max,
    rate_last,
    rates,
    long_amount,
    short_amount,
    payments
   FROM heliograph_rollup.served_funding_1h;

COMMENT ON VIEW perps.funding_1h IS 'Funding rates and payments of 1h; a bucket without either has no row.';

COMMENT ON COLUMN perps.funding_1h.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.funding_1h.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.funding_1h.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.funding_1h.rate IS 'Mean of the rates, a fraction per hour, rounded half-even to 18 places; NULL without rates.';

COMMENT ON COLUMN perps.funding_1h.rate_min IS 'Lowest rate, a fraction per hour.';

COMMENT ON COLUMN perps.funding_1h.rate_max IS 'Highest rate, a fraction per hour.';

COMMENT ON COLUMN perps.funding_1h.rate_last IS 'Last rate by chain order, a fraction per hour.';

COMMENT ON COLUMN perps.funding_1h.rates IS 'Rows of funding_rates in the bucket.';

COMMENT ON COLUMN perps.funding_1h.long_amount IS 'Quote that long positions received; negative: they paid.';

COMMENT ON COLUMN perps.funding_1h.short_amount IS 'Quote that short positions received; negative: they paid.';

COMMENT ON COLUMN perps.funding_1h.payments IS 'Rows of funding_payments in the bucket.';

CREATE TABLE perps.funding_payments (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    position_key text NOT NULL,
    side text NOT NULL,
    size numeric NOT NULL,
    rate numeric,
    interval_seconds integer,
    amount numeric NOT NULL,
    CONSTRAINT funding_payments_side_check CHECK ((side = ANY (ARRAY['long'::text, 'short'::text])))
);

COMMENT ON TABLE perps.funding_payments IS 'Funding that positions paid or received.';

COMMENT ON COLUMN perps.funding_payments.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.funding_payments.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.funding_payments.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.funding_payments.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.funding_payments.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.funding_payments.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.funding_payments.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.funding_payments.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.funding_payments.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.funding_payments.wallet IS 'Owner of the position, base58.';

COMMENT ON COLUMN perps.funding_payments.position_key IS 'The position, as in perps.positions.';

COMMENT ON COLUMN perps.funding_payments.side IS 'long or short: side of the position.';

COMMENT ON COLUMN perps.funding_payments.size IS 'Base, never negative: size of the position at the payment.';

COMMENT ON COLUMN perps.funding_payments.rate IS 'Fraction per hour; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_payments.interval_seconds IS 'Seconds that the payment covers; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_payments.amount IS 'Quote; positive when the wallet received it, negative when it paid.';

CREATE TABLE perps.funding_rates (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    mark_price numeric,
    index_price numeric,
    premium numeric,
    interest numeric,
    rate numeric NOT NULL,
    interval_seconds integer NOT NULL,
    interval_rate numeric NOT NULL
);

COMMENT ON TABLE perps.funding_rates IS 'Funding rates as they were computed, an observation a row.';

COMMENT ON COLUMN perps.funding_rates.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.funding_rates.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.funding_rates.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.funding_rates.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.funding_rates.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.funding_rates.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.funding_rates.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.funding_rates.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.funding_rates.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.funding_rates.mark_price IS 'Quote per base; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_rates.index_price IS 'Quote per base, the oracle''s; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_rates.premium IS 'Fraction per hour, part of rate; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_rates.interest IS 'Fraction per hour, part of rate; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.funding_rates.rate IS 'Fraction per hour; positive when longs pay shorts.';

COMMENT ON COLUMN perps.funding_rates.interval_seconds IS 'Seconds between two settlements of the protocol.';

COMMENT ON COLUMN perps.funding_rates.interval_rate IS 'Fraction per interval_seconds; positive when longs pay shorts; rounded half-even to 18 places.';

CREATE TABLE perps.liquidations (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    liquidation_id text NOT NULL,
    wallet text NOT NULL,
    liquidator text,
    position_key text NOT NULL,
    side text,
    size numeric NOT NULL,
    price numeric,
    mark_price numeric,
    quote numeric NOT NULL,
    fee numeric NOT NULL,
    realized_pnl numeric,
    bad_debt numeric NOT NULL,
    kind text DEFAULT 'perp'::text NOT NULL,
    CONSTRAINT liquidations_kind_check CHECK ((kind = ANY (ARRAY['perp'::text, 'spot'::text, 'borrow_for_perp_pnl'::text, 'perp_pnl_for_deposit'::text, 'perp_bankruptcy'::text, 'spot_bankruptcy'::text]))),
    CONSTRAINT liquidations_side_check CHECK ((side = ANY (ARRAY['long'::text, 'short'::text])))
);

COMMENT ON TABLE perps.liquidations IS 'Liquidations, partial ones too. The fill that belongs to one is in perps.trades under the same id.';

COMMENT ON COLUMN perps.liquidations.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.liquidations.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.liquidations.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.liquidations.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.liquidations.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.liquidations.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.liquidations.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.liquidations.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.liquidations.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.liquidations.liquidation_id IS 'Equals trade_id of the fill that belongs to it, where there is one.';

COMMENT ON COLUMN perps.liquidations.wallet IS 'Owner of the position, base58.';

COMMENT ON COLUMN perps.liquidations.liquidator IS 'Wallet that took the position over, base58; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.liquidations.position_key IS 'The position, as in perps.positions.';

COMMENT ON COLUMN perps.liquidations.side IS 'long or short, where a deposit was taken long, where a borrow short; NULL where the protocol does not say or nothing was left of the position.';

COMMENT ON COLUMN perps.liquidations.size IS 'Base taken from the position, never negative.';

COMMENT ON COLUMN perps.liquidations.price IS 'Quote per base at which it was taken; NULL of a bankruptcy.';

COMMENT ON COLUMN perps.liquidations.mark_price IS 'Quote per base; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.liquidations.quote IS 'Quote, never negative: price times size as the protocol reports it.';

COMMENT ON COLUMN perps.liquidations.fee IS 'Quote; positive: paid by the liquidated wallet.';

COMMENT ON COLUMN perps.liquidations.realized_pnl IS 'Quote; profit positive, loss negative; before fee; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.liquidations.bad_debt IS 'Quote that nobody could cover, never negative.';

COMMENT ON COLUMN perps.liquidations.kind IS 'What was liquidated. perp: a position. Of a program with deposits and borrows also spot (a borrow for a deposit), borrow_for_perp_pnl, perp_pnl_for_deposit (what was taken is the borrow or the deposit, in the market of its asset), perp_bankruptcy and spot_bankruptcy (bad_debt that others bear).';

CREATE TABLE perps.markets (
    stream text NOT NULL,
    market text NOT NULL,
    program text NOT NULL,
    symbol text NOT NULL,
    base_asset text NOT NULL,
    quote_asset text NOT NULL,
    oracle text,
    tick_size numeric,
    lot_size numeric,
    initial_margin_ratio numeric,
    maintenance_margin_ratio numeric,
    taker_fee_rate numeric,
    maker_fee_rate numeric,
    funding_interval_seconds integer,
    created_slot bigint,
    created_at timestamp with time zone,
    account_slot bigint,
    mark_price numeric,
    index_price numeric,
    funding_rate numeric,
    open_interest_long numeric,
    open_interest_short numeric,
    borrow_rate numeric
);

COMMENT ON TABLE perps.markets IS 'One row a market: what it is, and what its account last said.';

COMMENT ON COLUMN perps.markets.stream IS 'The stream that the market belongs to.';

COMMENT ON COLUMN perps.markets.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.markets.program IS 'Address of its program, base58.';

COMMENT ON COLUMN perps.markets.symbol IS 'Its name.';

COMMENT ON COLUMN perps.markets.base_asset IS 'What is traded.';

COMMENT ON COLUMN perps.markets.quote_asset IS 'What prices and profits are counted in.';

COMMENT ON COLUMN perps.markets.oracle IS 'Address of its price feed, base58; NULL where unknown.';

COMMENT ON COLUMN perps.markets.tick_size IS 'Quote per base: smallest step of a price; NULL where unknown.';

COMMENT ON COLUMN perps.markets.lot_size IS 'Base: smallest step of a size; NULL where unknown.';

COMMENT ON COLUMN perps.markets.initial_margin_ratio IS 'Fraction of the notional needed to open; NULL where unknown.';

COMMENT ON COLUMN perps.markets.maintenance_margin_ratio IS 'Fraction of the notional below which a position is liquidated; NULL where unknown.';

COMMENT ON COLUMN perps.markets.taker_fee_rate IS 'Fraction of quote; positive when paid; NULL where unknown.';

COMMENT ON COLUMN perps.markets.maker_fee_rate IS 'Fraction of quote; positive when paid, negative for a rebate; NULL where unknown.';

COMMENT ON COLUMN perps.markets.funding_interval_seconds IS 'Seconds between two settlements of funding; NULL where the protocol has none.';

COMMENT ON COLUMN perps.markets.created_slot IS 'Slot in which it was created; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.markets.created_at IS 'Block time of created_slot; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.markets.account_slot IS 'Context slot of the account state that the columns below and the description come from; NULL before one was seen.';

COMMENT ON COLUMN perps.markets.mark_price IS 'Quote per base; NULL where unknown.';

COMMENT ON COLUMN perps.markets.index_price IS 'Quote per base, the oracle''s; NULL where unknown.';

COMMENT ON COLUMN perps.markets.funding_rate IS 'Fraction per hour; positive when longs pay shorts; NULL where unknown.';

COMMENT ON COLUMN perps.markets.open_interest_long IS 'Base held by longs; NULL where unknown.';

COMMENT ON COLUMN perps.markets.open_interest_short IS 'Base held by shorts, never negative; NULL where unknown.';

COMMENT ON COLUMN perps.markets.borrow_rate IS 'Fraction of the notional per hour that positions pay for what they borrow of this market''s pool; never negative; NULL where the protocol has none or does not say.';

CREATE VIEW perps.open_interest_1d AS
 SELECT stream,
    market,
    bucket,
    long_change,
    short_change,
    sum(long_change) OVER before AS long_size,
    sum(short_change) OVER before AS short_size,
    changes
   FROM heliograph_rollup.served_open_interest_1d
  WINDOW before AS (PARTITION BY stream, market ORDER BY bucket);

COMMENT ON VIEW perps.open_interest_1d IS 'Open interest by 1d: the net change, and the size at the end; a bucket without a change has no row.';

COMMENT ON COLUMN perps.open_interest_1d.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.open_interest_1d.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.open_interest_1d.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.open_interest_1d.long_change IS 'Base by which long positions grew; negative: they shrank.';

COMMENT ON COLUMN perps.open_interest_1d.short_change IS 'Base by which short positions grew; negative: they shrank.';

COMMENT ON COLUMN perps.open_interest_1d.long_size IS 'Base of all long positions at the end of the bucket, as far as their changes are stored.';

COMMENT ON COLUMN perps.open_interest_1d.short_size IS 'Base of all short positions at the end of the bucket, as far as their changes are stored.';

COMMENT ON COLUMN perps.open_interest_1d.changes IS 'Rows of position_changes that changed a size.';

CREATE VIEW perps.open_interest_1h AS
 SELECT stream,
    market,
    bucket,
    long_change,
    short_change,
    sum(long_change) OVER before AS long_size,
    sum(short_change) OVER before AS short_size,
    changes
   FROM heliograph_rollup.served_open_interest_1h
  WINDOW before AS (PARTITION BY stream, market ORDER BY bucket);

COMMENT ON VIEW perps.open_interest_1h IS 'Open interest by 1h: the net change, and the size at the end; a bucket without a change has no row.';

COMMENT ON COLUMN perps.open_interest_1h.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.open_interest_1h.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.open_interest_1h.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.open_interest_1h.long_change IS 'Base by which long positions grew; negative: they shrank.';

COMMENT ON COLUMN perps.open_interest_1h.short_change IS 'Base by which short positions grew; negative: they shrank.';

COMMENT ON COLUMN perps.open_interest_1h.long_size IS 'Base of all long positions at the end of the bucket, as far as their changes are stored.';

COMMENT ON COLUMN perps.open_interest_1h.short_size IS 'Base of all short positions at the end of the bucket, as far as their changes are stored.';

COMMENT ON COLUMN perps.open_interest_1h.changes IS 'Rows of position_changes that changed a size.';

CREATE TABLE perps.oracle_prices (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    source text NOT NULL,
    oracle text,
    price numeric NOT NULL,
    confidence numeric,
    publish_time timestamp with time zone NOT NULL
);

COMMENT ON TABLE perps.oracle_prices IS 'Oracle prices as the protocol took them over.';

COMMENT ON COLUMN perps.oracle_prices.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.oracle_prices.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.oracle_prices.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.oracle_prices.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.oracle_prices.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.oracle_prices.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.oracle_prices.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.oracle_prices.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.oracle_prices.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.oracle_prices.source IS 'Who published the price.';

COMMENT ON COLUMN perps.oracle_prices.oracle IS 'Address of the feed, base58; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.oracle_prices.price IS 'Quote per base.';

COMMENT ON COLUMN perps.oracle_prices.confidence IS 'Half-width in quote per base; NULL where unknown.';

COMMENT ON COLUMN perps.oracle_prices.publish_time IS 'When the oracle published it, as the oracle says.';

CREATE TABLE perps.owners (
    stream text NOT NULL,
    account text NOT NULL,
    wallet text
);

COMMENT ON TABLE perps.owners IS 'Whose each sub-account is: programs whose events name an account where others name the wallet.';

COMMENT ON COLUMN perps.owners.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.owners.account IS 'Address of the sub-account, base58.';

COMMENT ON COLUMN perps.owners.wallet IS 'Its owner, base58; NULL until an event or the account tells: until then the account''s own address stands for it.';

CREATE TABLE perps.position_changes (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    position_key text NOT NULL,
    kind text NOT NULL,
    side text,
    size_delta numeric,
    size_after numeric,
    price numeric,
    entry_price_after numeric,
    collateral_delta numeric,
    collateral_after numeric,
    realized_pnl numeric,
    fee numeric NOT NULL,
    funding numeric NOT NULL,
    liquidation_price_after numeric,
    trade_id text,
    settled_pnl numeric DEFAULT 0 NOT NULL,
    borrow_fee numeric,
    price_impact_fee numeric,
    CONSTRAINT position_changes_kind_check CHECK ((kind = ANY (ARRAY['open'::text, 'increase'::text, 'decrease'::text, 'funding'::text, 'liquidation'::text, 'close'::text, 'settlement'::text]))),
    CONSTRAINT position_changes_side_check CHECK ((side = ANY (ARRAY['long'::text, 'short'::text])))
);

COMMENT ON TABLE perps.position_changes IS 'Every change of every position: opening, increase, decrease, funding, liquidation, close, settlement. Folded in chain order they give perps.positions; those that follow from perps.flows are made anew where late history came.';

COMMENT ON COLUMN perps.position_changes.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.position_changes.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.position_changes.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.position_changes.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.position_changes.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.position_changes.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.position_changes.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.position_changes.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.position_changes.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.position_changes.wallet IS 'Owner of the position, base58.';

COMMENT ON COLUMN perps.position_changes.position_key IS 'Key of the position; addresses are reused, so several lifecycles may share it.';

COMMENT ON COLUMN perps.position_changes.kind IS 'open, increase, decrease, funding, liquidation, close or settlement (profit or loss moved to the balance).';

COMMENT ON COLUMN perps.position_changes.side IS 'Side of the position: long or short; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.size_delta IS 'Base; positive when the position grows, negative when it shrinks, whatever its side; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.size_after IS 'Base, never negative; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.price IS 'Quote per base at which the size changed; NULL where it did not.';

COMMENT ON COLUMN perps.position_changes.entry_price_after IS 'Quote per base, average of the open size, at a close of the size that was open; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.collateral_delta IS 'Quote; positive when collateral was added; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.collateral_after IS 'Quote locked in the position after the change; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.realized_pnl IS 'Quote; profit positive, loss negative; of this change alone, before fee and funding; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.position_changes.fee IS 'Quote; positive when paid, negative for a rebate.';

COMMENT ON COLUMN perps.position_changes.funding IS 'Quote; positive when received, negative when paid.';

COMMENT ON COLUMN perps.position_changes.liquidation_price_after IS 'Quote per base at which the position would be liquidated; NULL where none or unknown.';

COMMENT ON COLUMN perps.position_changes.trade_id IS 'The fill that made the change, as in perps.trades; NULL where none did.';

COMMENT ON COLUMN perps.position_changes.settled_pnl IS 'Quote that the change moved from the position to its owner''s balance; no part of realized_pnl.';

COMMENT ON COLUMN perps.position_changes.borrow_fee IS 'Quote; the part of fee that was paid for what the position borrows of a pool; NULL where the protocol has none or does not say.';

COMMENT ON COLUMN perps.position_changes.price_impact_fee IS 'Quote; the part of fee that was paid for moving the price; NULL where the protocol has none or does not say.';

CREATE TABLE perps.positions (
    stream text NOT NULL,
    position_key text NOT NULL,
    opened_slot bigint NOT NULL,
    opened_tx_index integer NOT NULL,
    opened_ordinal integer NOT NULL,
    lifecycle integer NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    side text NOT NULL,
    status text NOT NULL,
    size numeric,
    max_size numeric,
    entry_price numeric,
    exit_price numeric,
    collateral numeric,
    liquidation_price numeric,
    realized_pnl numeric,
    fees numeric NOT NULL,
    funding numeric NOT NULL,
    changes integer NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    updated_slot bigint NOT NULL,
    updated_tx_index integer NOT NULL,
    updated_ordinal integer NOT NULL,
    closed_at timestamp with time zone,
    closed_slot bigint,
    complete boolean NOT NULL,
    settled boolean NOT NULL,
    entry_quote numeric,
    settled_pnl numeric DEFAULT 0 NOT NULL,
    borrow_fees numeric,
    price_impact_fees numeric,
    CONSTRAINT positions_side_check CHECK ((side = ANY (ARRAY['long'::text, 'short'::text]))),
    CONSTRAINT positions_status_check CHECK ((status = ANY (ARRAY['open'::text, 'closed'::text, 'liquidated'::text])))
);

COMMENT ON TABLE perps.positions IS 'One row a lifecycle of a position, from opening to close. Its id is (stream, position_key, opened_slot, opened_tx_index, opened_ordinal), because addresses are reused.';

COMMENT ON COLUMN perps.positions.stream IS 'The stream that the position belongs to.';

COMMENT ON COLUMN perps.positions.position_key IS 'Key of the position: the address of its account, or what the protocol tells positions apart by.';

COMMENT ON COLUMN perps.positions.opened_slot IS 'Slot of the first change that is known.';

COMMENT ON COLUMN perps.positions.opened_tx_index IS 'Its transaction''s position in the block; 2147483647 where no transaction tells and an account showed it first.';

COMMENT ON COLUMN perps.positions.opened_ordinal IS 'ordinal of the first change that is known.';

COMMENT ON COLUMN perps.positions.lifecycle IS 'Counts the lifecycles of position_key from 1, for display; late history may change it.';

COMMENT ON COLUMN perps.positions.program IS 'Address of the program, base58.';

COMMENT ON COLUMN perps.positions.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.positions.wallet IS 'Owner, base58.';

COMMENT ON COLUMN perps.positions.side IS 'long or short.';

COMMENT ON COLUMN perps.positions.status IS 'open, closed or liquidated.';

COMMENT ON COLUMN perps.positions.size IS 'Base, never negative, 0 once closed; NULL where unknown.';

COMMENT ON COLUMN perps.positions.max_size IS 'Base: the largest it has been; NULL where unknown.';

COMMENT ON COLUMN perps.positions.entry_price IS 'Quote per base, average of the open size, kept at the close; NULL where unknown.';

COMMENT ON COLUMN perps.positions.exit_price IS 'Quote per base of the change that closed it; NULL while open.';

COMMENT ON COLUMN perps.positions.collateral IS 'Quote locked in it, 0 once closed; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.positions.liquidation_price IS 'Quote per base; NULL where none or unknown, and once closed.';

COMMENT ON COLUMN perps.positions.realized_pnl IS 'Quote; profit positive, loss negative; before fees and funding; what the account says, else the sum of its changes; NULL where one of them did not say.';

COMMENT ON COLUMN perps.positions.fees IS 'Quote; positive when paid; sum of its changes.';

COMMENT ON COLUMN perps.positions.funding IS 'Quote; positive when received, negative when paid; sum of its changes.';

COMMENT ON COLUMN perps.positions.changes IS 'How many changes it had.';

COMMENT ON COLUMN perps.positions.opened_at IS 'Block time of the first change that is known.';

COMMENT ON COLUMN perps.positions.updated_at IS 'Block time of the last change.';

COMMENT ON COLUMN perps.positions.updated_slot IS 'Slot of the last change, or of the account''s state that altered it last.';

COMMENT ON COLUMN perps.positions.updated_tx_index IS 'tx_index of the last change.';

COMMENT ON COLUMN perps.positions.updated_ordinal IS 'ordinal of the last change.';

COMMENT ON COLUMN perps.positions.closed_at IS 'Block time of closed_slot; NULL while open.';

COMMENT ON COLUMN perps.positions.closed_slot IS 'Slot of the close; of the account''s first state that shows it closed where nothing else tells; NULL while open.';

COMMENT ON COLUMN perps.positions.complete IS 'Its opening is known, and nothing told since contradicts what changes came to. Where false, sums begin at the first change that is known, or lack those that are not.';

COMMENT ON COLUMN perps.positions.settled IS 'False while late history waits to be folded in.';

COMMENT ON COLUMN perps.positions.entry_quote IS 'Quote for which the open size was entered, exact; entry_price is this by size; NULL where only the price is known.';

COMMENT ON COLUMN perps.positions.settled_pnl IS 'Quote that was moved from the position to its owner''s balance; sum of its changes. No part of realized_pnl: it settles profit that is not realized yet too.';

COMMENT ON COLUMN perps.positions.borrow_fees IS 'Quote; the part of fees that was paid for borrowing; sum of its changes, NULL where one of them did not say.';

COMMENT ON COLUMN perps.positions.price_impact_fees IS 'Quote; the part of fees that was paid for moving the price; sum of its changes, NULL where one of them did not say.';

CREATE TABLE perps.trades (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    trade_id text NOT NULL,
    taker text,
    taker_side text NOT NULL,
    maker text,
    price numeric NOT NULL,
    size numeric NOT NULL,
    quote numeric NOT NULL,
    taker_fee numeric NOT NULL,
    maker_fee numeric NOT NULL,
    taker_position_key text,
    maker_position_key text,
    taker_order_id text,
    maker_order_id text,
    liquidation boolean NOT NULL,
    CONSTRAINT trades_taker_side_check CHECK ((taker_side = ANY (ARRAY['long'::text, 'short'::text])))
);

COMMENT ON TABLE perps.trades IS 'One row a fill. Volume is the sum of quote; liquidation fills are among them and count once.';

COMMENT ON COLUMN perps.trades.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.trades.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.trades.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.trades.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.trades.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.trades.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.trades.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.trades.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.trades.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.trades.trade_id IS 'Number of the fill as the protocol counts; equals liquidation_id where a liquidation caused it.';

COMMENT ON COLUMN perps.trades.taker IS 'Wallet of the taker, base58; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.trades.taker_side IS 'long: the taker buys base; short: the taker sells base.';

COMMENT ON COLUMN perps.trades.maker IS 'Wallet of the maker, base58; NULL where the protocol does not say or a pool made the price.';

COMMENT ON COLUMN perps.trades.price IS 'Quote per base.';

COMMENT ON COLUMN perps.trades.size IS 'Base, never negative.';

COMMENT ON COLUMN perps.trades.quote IS 'Quote, never negative: price times size as the protocol reports it.';

COMMENT ON COLUMN perps.trades.taker_fee IS 'Quote; positive when paid, negative for a rebate.';

COMMENT ON COLUMN perps.trades.maker_fee IS 'Quote; positive when paid, negative for a rebate.';

COMMENT ON COLUMN perps.trades.taker_position_key IS 'The taker''s position, as in perps.positions; NULL where unknown.';

COMMENT ON COLUMN perps.trades.maker_position_key IS 'The maker''s position, as in perps.positions; NULL where unknown.';

COMMENT ON COLUMN perps.trades.taker_order_id IS 'The taker''s order as the protocol names it; NULL where unknown.';

COMMENT ON COLUMN perps.trades.maker_order_id IS 'The maker''s order as the protocol names it; NULL where unknown.';

COMMENT ON COLUMN perps.trades.liquidation IS 'Whether a liquidation caused the fill.';

CREATE TABLE perps.transfers (
    stream text NOT NULL,
    block_time timestamp with time zone NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    wallet text NOT NULL,
    asset text NOT NULL,
    kind text NOT NULL,
    amount numeric NOT NULL,
    free_delta numeric NOT NULL,
    locked_delta numeric NOT NULL,
    free_after numeric,
    locked_after numeric,
    position_key text,
    sub_account text,
    CONSTRAINT transfers_kind_check CHECK ((kind = ANY (ARRAY['deposit'::text, 'withdraw'::text, 'lock'::text, 'release'::text])))
);

COMMENT ON TABLE perps.transfers IS 'Movements of collateral between outside, free and locked.';

COMMENT ON COLUMN perps.transfers.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.transfers.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';

COMMENT ON COLUMN perps.transfers.slot IS 'Slot of the block.';

COMMENT ON COLUMN perps.transfers.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';

COMMENT ON COLUMN perps.transfers.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';

COMMENT ON COLUMN perps.transfers.part IS 'Counts the rows that one event makes in this table, from 0.';

COMMENT ON COLUMN perps.transfers.signature IS 'Signature of the transaction, base58.';

COMMENT ON COLUMN perps.transfers.program IS 'Address of the program that emitted the event, base58.';

COMMENT ON COLUMN perps.transfers.wallet IS 'Owner of the collateral, base58.';

COMMENT ON COLUMN perps.transfers.asset IS 'Mint of the collateral, base58.';

COMMENT ON COLUMN perps.transfers.kind IS 'deposit, withdraw, lock (free to locked) or release (locked to free, profit and loss settled).';

COMMENT ON COLUMN perps.transfers.amount IS 'Asset units, never negative: the nominal. For a release the collateral that was locked.';

COMMENT ON COLUMN perps.transfers.free_delta IS 'Asset units; change of the free part, signed. For a release free_delta - amount is the result.';

COMMENT ON COLUMN perps.transfers.locked_delta IS 'Asset units; change of the locked part, signed.';

COMMENT ON COLUMN perps.transfers.free_after IS 'Asset units free after it; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.transfers.locked_after IS 'Asset units locked after it; NULL where the protocol does not say.';

COMMENT ON COLUMN perps.transfers.position_key IS 'The position that it was locked for or released from; NULL for deposits and withdrawals.';

COMMENT ON COLUMN perps.transfers.sub_account IS 'Sub-account of the wallet, base58; NULL where the protocol has none.';

CREATE VIEW perps.volume_1h AS
 SELECT stream,
    market,
    bucket,
    volume,
    quote,
    bought_quote,
    sold_quote,
    liquidated_quote,
    taker_fees,
    maker_fees,
    trades
   FROM heliograph_rollup.served_volume_1h;

COMMENT ON VIEW perps.volume_1h IS 'Volume and fees an hour; an hour without a trade has no row.';

COMMENT ON COLUMN perps.volume_1h.stream IS 'The stream that the row belongs to.';

COMMENT ON COLUMN perps.volume_1h.market IS 'Address of the market, base58.';

COMMENT ON COLUMN perps.volume_1h.bucket IS 'Beginning of the bucket, its first moment; days are those of UTC.';

COMMENT ON COLUMN perps.volume_1h.volume IS 'Base that was traded, each fill once.';

COMMENT ON COLUMN perps.volume_1h.quote IS 'Quote that was traded.';

COMMENT ON COLUMN perps.volume_1h.bought_quote IS 'Part of quote whose taker bought.';

COMMENT ON COLUMN perps.volume_1h.sold_quote IS 'Part of quote whose taker sold.';

COMMENT ON COLUMN perps.volume_1h.liquidated_quote IS 'Part of quote that liquidations traded.';

COMMENT ON COLUMN perps.volume_1h.taker_fees IS 'Quote that takers paid.';

COMMENT ON COLUMN perps.volume_1h.maker_fees IS 'Quote that makers paid; negative: rebates.';

COMMENT ON COLUMN perps.volume_1h.trades IS 'Number of fills.';

ALTER TABLE ONLY heliograph.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (stream, address);

ALTER TABLE ONLY heliograph.api_keys
    ADD CONSTRAINT api_keys_nonce_key UNIQUE (nonce);

ALTER TABLE ONLY heliograph.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY heliograph.api_secret
    ADD CONSTRAINT api_secret_pkey PRIMARY KEY (single);

ALTER TABLE ONLY heliograph.claims
    ADD CONSTRAINT claims_stream_slots_excl EXCLUDE USING gist (stream WITH =, slots WITH &&);

ALTER TABLE ONLY heliograph.commits
    ADD CONSTRAINT commits_pkey PRIMARY KEY (stream, seq);

ALTER TABLE ONLY heliograph.coverage
    ADD CONSTRAINT coverage_pkey PRIMARY KEY (stream);

ALTER TABLE ONLY heliograph.dirty
    ADD CONSTRAINT dirty_pkey PRIMARY KEY (stream, position_key);

ALTER TABLE ONLY heliograph.idls
    ADD CONSTRAINT idls_pkey PRIMARY KEY (stream, program, first_slot);

ALTER TABLE ONLY heliograph.incidents
    ADD CONSTRAINT incidents_pkey PRIMARY KEY (id);

ALTER TABLE ONLY heliograph.retained_balances
    ADD CONSTRAINT retained_balances_pkey PRIMARY KEY (stream, wallet, asset, sub_account);

ALTER TABLE ONLY heliograph.retained_positions
    ADD CONSTRAINT retained_positions_pkey PRIMARY KEY (stream, position_key);

ALTER TABLE ONLY heliograph.rollups
    ADD CONSTRAINT rollups_pkey PRIMARY KEY (stream);

ALTER TABLE ONLY heliograph.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY heliograph.sightings
    ADD CONSTRAINT sightings_pkey PRIMARY KEY (stream, position_key, first_slot);

ALTER TABLE ONLY heliograph.slots
    ADD CONSTRAINT slots_pkey PRIMARY KEY (stream, slot);

ALTER TABLE ONLY heliograph.stale_ranges
    ADD CONSTRAINT stale_ranges_pkey PRIMARY KEY (id);

ALTER TABLE ONLY heliograph.storage
    ADD CONSTRAINT storage_pkey PRIMARY KEY (one);

ALTER TABLE ONLY heliograph.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (name);

ALTER TABLE ONLY heliograph.transactions
    ADD CONSTRAINT transactions_pkey PRIMARY KEY (block_time, slot, tx_index, stream);

ALTER TABLE ONLY heliograph.typed_columns
    ADD CONSTRAINT typed_columns_pkey PRIMARY KEY (stream, table_name, column_name);

ALTER TABLE ONLY heliograph.typed_columns
    ADD CONSTRAINT typed_columns_stream_table_name_field_type_key UNIQUE (stream, table_name, field, type);

ALTER TABLE ONLY heliograph.typed_tables
    ADD CONSTRAINT typed_tables_pkey PRIMARY KEY (stream, kind, program, item);

ALTER TABLE ONLY heliograph.typed_tables
    ADD CONSTRAINT typed_tables_stream_table_name_key UNIQUE (stream, table_name);

ALTER TABLE ONLY heliograph.undecoded
    ADD CONSTRAINT undecoded_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream);

ALTER TABLE ONLY heliograph_rollup.kept_candles_15m
    ADD CONSTRAINT kept_candles_15m_pkey PRIMARY KEY (market, price_kind, bucket, stream) INCLUDE (open, high, low, close, volume, quote, points);

ALTER TABLE ONLY heliograph_rollup.kept_candles_1d
    ADD CONSTRAINT kept_candles_1d_pkey PRIMARY KEY (market, price_kind, bucket, stream) INCLUDE (open, high, low, close, volume, quote, points);

ALTER TABLE ONLY heliograph_rollup.kept_candles_1h
    ADD CONSTRAINT kept_candles_1h_pkey PRIMARY KEY (market, price_kind, bucket, stream) INCLUDE (open, high, low, close, volume, quote, points);

ALTER TABLE ONLY heliograph_rollup.kept_candles_1m
    ADD CONSTRAINT kept_candles_1m_pkey PRIMARY KEY (market, price_kind, bucket, stream) INCLUDE (open, high, low, close, volume, quote, points);

ALTER TABLE ONLY heliograph_rollup.kept_candles_4h
    ADD CONSTRAINT kept_candles_4h_pkey PRIMARY KEY (market, price_kind, bucket, stream) INCLUDE (open, high, low, close, volume, quote, points);

ALTER TABLE ONLY heliograph_rollup.kept_candles_5m
    ADD CONSTRAINT kept_candles_5m_pkey PRIMARY KEY (market, price_kind, bucket, stream) INCLUDE (open, high, low, close, volume, quote, points);

ALTER TABLE ONLY heliograph_rollup.kept_funding_1d
    ADD CONSTRAINT kept_funding_1d_pkey PRIMARY KEY (market, bucket, stream) INCLUDE (rate_sum, rates, rate_min, rate_max, rate_last, long_amount, short_amount, payments);

ALTER TABLE ONLY heliograph_rollup.kept_funding_1h
    ADD CONSTRAINT kept_funding_1h_pkey PRIMARY KEY (market, bucket, stream) INCLUDE (rate_sum, rates, rate_min, rate_max, rate_last, long_amount, short_amount, payments);

ALTER TABLE ONLY heliograph_rollup.kept_open_interest_1d
    ADD CONSTRAINT kept_open_interest_1d_pkey PRIMARY KEY (market, bucket, stream) INCLUDE (long_change, short_change, changes);

ALTER TABLE ONLY heliograph_rollup.kept_open_interest_1h
    ADD CONSTRAINT kept_open_interest_1h_pkey PRIMARY KEY (market, bucket, stream) INCLUDE (long_change, short_change, changes);

ALTER TABLE ONLY heliograph_rollup.kept_volume_1h
    ADD CONSTRAINT kept_volume_1h_pkey PRIMARY KEY (market, bucket, stream) INCLUDE (volume, quote, bought_quote, sold_quote, liquidated_quote, taker_fees, maker_fees, trades);

ALTER TABLE ONLY heliograph_rollup.rollups
    ADD CONSTRAINT rollups_pkey PRIMARY KEY (name, step);

ALTER TABLE ONLY heliograph_rollup.storage
    ADD CONSTRAINT storage_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY perps.balances
    ADD CONSTRAINT balances_pkey PRIMARY KEY (stream, wallet, asset, sub_account);

ALTER TABLE ONLY perps.flows
    ADD CONSTRAINT flows_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.funding_payments
    ADD CONSTRAINT funding_payments_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.funding_rates
    ADD CONSTRAINT funding_rates_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.liquidations
    ADD CONSTRAINT liquidations_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.markets
    ADD CONSTRAINT markets_pkey PRIMARY KEY (stream, market);

ALTER TABLE ONLY perps.oracle_prices
    ADD CONSTRAINT oracle_prices_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.owners
    ADD CONSTRAINT owners_pkey PRIMARY KEY (stream, account);

ALTER TABLE ONLY perps.position_changes
    ADD CONSTRAINT position_changes_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.positions
    ADD CONSTRAINT positions_pkey PRIMARY KEY (stream, position_key, opened_slot, opened_tx_index, opened_ordinal);

ALTER TABLE ONLY perps.trades
    ADD CONSTRAINT trades_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

ALTER TABLE ONLY perps.transfers
    ADD CONSTRAINT transfers_pkey PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX accounts_by_name ON heliograph.accounts USING btree (stream, program, name);

CREATE UNIQUE INDEX api_keys_by_wallet ON heliograph.api_keys USING btree (wallet) WHERE (revoked_at IS NULL);

CREATE INDEX incidents_by_stream ON heliograph.incidents USING btree (stream, id);

CREATE INDEX object_changes_by_time ON heliograph.object_changes USING btree (noted_at);

CREATE INDEX object_changes_by_transaction ON heliograph.object_changes USING btree (stream, xid, entity);

CREATE INDEX sightings_account ON heliograph.sightings USING btree (stream, account);

CREATE INDEX signatures_by_signature ON heliograph.signatures USING hash (signature);

CREATE INDEX signatures_by_slot ON heliograph.signatures USING btree (stream, slot);

CREATE INDEX slots_by_seq ON heliograph.slots USING btree (stream, seq, slot);

CREATE INDEX slots_by_time ON heliograph.slots USING btree (stream, block_time, slot);

CREATE INDEX stale_ranges_by_stream ON heliograph.stale_ranges USING btree (stream, first_time);

CREATE INDEX transactions_truncated ON heliograph.transactions USING btree (stream, slot, block_time) WHERE truncated;

CREATE INDEX kept_candles_15m_by_bucket ON heliograph_rollup.kept_candles_15m USING btree (bucket);

CREATE INDEX kept_candles_1d_by_bucket ON heliograph_rollup.kept_candles_1d USING btree (bucket);

CREATE INDEX kept_candles_1h_by_bucket ON heliograph_rollup.kept_candles_1h USING btree (bucket);

CREATE INDEX kept_candles_1m_by_bucket ON heliograph_rollup.kept_candles_1m USING btree (bucket);

CREATE INDEX kept_candles_4h_by_bucket ON heliograph_rollup.kept_candles_4h USING btree (bucket);

CREATE INDEX kept_candles_5m_by_bucket ON heliograph_rollup.kept_candles_5m USING btree (bucket);

CREATE INDEX kept_funding_1d_by_bucket ON heliograph_rollup.kept_funding_1d USING btree (bucket);

CREATE INDEX kept_funding_1h_by_bucket ON heliograph_rollup.kept_funding_1h USING btree (bucket);

CREATE INDEX kept_open_interest_1d_by_bucket ON heliograph_rollup.kept_open_interest_1d USING btree (bucket);

CREATE INDEX kept_open_interest_1h_by_bucket ON heliograph_rollup.kept_open_interest_1h USING btree (bucket);

CREATE INDEX kept_volume_1h_by_bucket ON heliograph_rollup.kept_volume_1h USING btree (bucket);

CREATE INDEX balances_by_wallet ON perps.balances USING btree (wallet, asset, stream);

CREATE INDEX flows_by_position_key ON perps.flows USING btree (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX flows_by_wallet ON perps.flows USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX funding_payments_by_market ON perps.funding_payments USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX funding_payments_by_position_key ON perps.funding_payments USING btree (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX funding_payments_by_wallet ON perps.funding_payments USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX funding_rates_by_market ON perps.funding_rates USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX liquidations_by_market ON perps.liquidations USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX liquidations_by_position_key ON perps.liquidations USING btree (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX liquidations_by_wallet ON perps.liquidations USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX markets_by_symbol ON perps.markets USING btree (symbol, stream, market);

CREATE INDEX oracle_prices_by_market ON perps.oracle_prices USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX owners_by_wallet ON perps.owners USING btree (wallet, stream, account);

CREATE INDEX position_changes_by_market ON perps.position_changes USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX position_changes_by_position_key ON perps.position_changes USING btree (position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX position_changes_by_wallet ON perps.position_changes USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX positions_by_market ON perps.positions USING btree (market, opened_at, opened_slot, opened_tx_index, opened_ordinal);

CREATE INDEX positions_by_opened ON perps.positions USING btree (opened_at, opened_slot, opened_tx_index, opened_ordinal);

CREATE INDEX positions_by_wallet ON perps.positions USING btree (wallet, opened_at, opened_slot, opened_tx_index, opened_ordinal);

CREATE INDEX trades_by_maker ON perps.trades USING btree (maker, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX trades_by_maker_position_key ON perps.trades USING btree (maker_position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX trades_by_market ON perps.trades USING btree (market, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX trades_by_taker ON perps.trades USING btree (taker, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX trades_by_taker_position_key ON perps.trades USING btree (taker_position_key, block_time, slot, tx_index, ordinal, stream, part);

CREATE INDEX transfers_by_wallet ON perps.transfers USING btree (wallet, block_time, slot, tx_index, ordinal, stream, part);

CREATE TRIGGER note_deleted AFTER DELETE ON perps.balances REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('wallet', 'asset', 'sub_account');

CREATE TRIGGER note_deleted AFTER DELETE ON perps.markets REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('market');

CREATE TRIGGER note_deleted AFTER DELETE ON perps.positions REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('position_key', 'opened_slot', 'opened_tx_index', 'opened_ordinal');

CREATE TRIGGER note_inserted AFTER INSERT ON perps.balances REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('wallet', 'asset', 'sub_account');

CREATE TRIGGER note_inserted AFTER INSERT ON perps.markets REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('market');

CREATE TRIGGER note_inserted AFTER INSERT ON perps.positions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('position_key', 'opened_slot', 'opened_tx_index', 'opened_ordinal');

CREATE TRIGGER note_updated AFTER UPDATE ON perps.balances REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('wallet', 'asset', 'sub_account');

CREATE TRIGGER note_updated AFTER UPDATE ON perps.markets REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('market');

CREATE TRIGGER note_updated AFTER UPDATE ON perps.positions REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION heliograph.note_objects('position_key', 'opened_slot', 'opened_tx_index', 'opened_ordinal');

ALTER TABLE ONLY heliograph.accounts
    ADD CONSTRAINT accounts_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.claims
    ADD CONSTRAINT claims_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.commits
    ADD CONSTRAINT commits_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.coverage
    ADD CONSTRAINT coverage_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.dirty
    ADD CONSTRAINT dirty_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.idls
    ADD CONSTRAINT idls_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.incidents
    ADD CONSTRAINT incidents_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.object_changes
    ADD CONSTRAINT object_changes_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.retained_balances
    ADD CONSTRAINT retained_balances_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.retained_positions
    ADD CONSTRAINT retained_positions_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.rollups
    ADD CONSTRAINT rollups_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.sightings
    ADD CONSTRAINT sightings_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.slots
    ADD CONSTRAINT slots_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.stale_ranges
    ADD CONSTRAINT stale_ranges_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.typed_columns
    ADD CONSTRAINT typed_columns_stream_table_name_fkey FOREIGN KEY (stream, table_name) REFERENCES heliograph.typed_tables(stream, table_name) ON DELETE CASCADE;

ALTER TABLE ONLY heliograph.typed_tables
    ADD CONSTRAINT typed_tables_stream_fkey FOREIGN KEY (stream) REFERENCES heliograph.streams(name) ON DELETE CASCADE;
