-- Aggregates: candles, funding, volume and open interest by the hour or whatever the step is. docs/decisions/0012 says why so.
--
-- A view of schema perps answers from three places that never overlap: buckets that a worker has rolled up, buckets of
-- them whose rows changed since (stale), and the tail that is not rolled up yet. The last two are computed from the
-- rows by the very functions that the worker rolls up with, so that an answer always equals what the rows say.
-- Where rolled buckets are stored is the tier's matter: `rolled_…` are views, of tables here, of continuous aggregates
-- on TimescaleDB Community (queries/continuous.sql).

CREATE SCHEMA heliograph_rollup;
COMMENT ON SCHEMA heliograph_rollup IS 'How the aggregates of schema perps are kept; nothing here is for reading.';

CREATE TABLE heliograph.rollups (
    stream text PRIMARY KEY REFERENCES heliograph.streams ON DELETE CASCADE,
    through timestamptz NOT NULL,
    begun boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE heliograph.rollups IS 'How far the aggregates of a stream are rolled up.';
COMMENT ON COLUMN heliograph.rollups.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.rollups.through IS 'Buckets that end at or before are rolled up, but for those in stale_ranges; a full hour.';
COMMENT ON COLUMN heliograph.rollups.begun IS 'False until stale_ranges has what was stored before the first roll-up; nothing is rolled up till then.';

CREATE TABLE heliograph.stale_ranges (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    first_time timestamptz NOT NULL,
    last_time timestamptz NOT NULL,
    CHECK (isfinite(first_time) AND isfinite(last_time) AND first_time <= last_time)
);
CREATE INDEX stale_ranges_by_stream ON heliograph.stale_ranges (stream, first_time);
COMMENT ON TABLE heliograph.stale_ranges IS 'Where rows changed below rollups.through since the roll-up; written in the transaction that changes them.';
COMMENT ON COLUMN heliograph.stale_ranges.id IS 'Number of the range.';
COMMENT ON COLUMN heliograph.stale_ranges.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.stale_ranges.first_time IS 'First block time that is touched.';
COMMENT ON COLUMN heliograph.stale_ranges.last_time IS 'Last block time that is touched.';

CREATE TABLE heliograph_rollup.rollups (
    name text NOT NULL,
    step text NOT NULL,
    width interval NOT NULL,
    PRIMARY KEY (name, step)
);
COMMENT ON TABLE heliograph_rollup.rollups IS 'What is rolled up: kept_<name>_<step>, computed from the rows by <name>_between(width, stream, first, end).';
INSERT INTO heliograph_rollup.rollups (name, step, width)
VALUES ('candles', '1m', '1 minute'), ('candles', '5m', '5 minutes'), ('candles', '15m', '15 minutes'),
    ('candles', '1h', '1 hour'), ('candles', '4h', '4 hours'), ('candles', '1d', '1 day'),
    ('funding', '1h', '1 hour'), ('funding', '1d', '1 day'),
    ('volume', '1h', '1 hour'),
    ('open_interest', '1h', '1 hour'), ('open_interest', '1d', '1 day');

CREATE TABLE heliograph_rollup.storage (
    continuous boolean NOT NULL,
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);
COMMENT ON TABLE heliograph_rollup.storage IS 'Whether rolled buckets are in continuous aggregates, or in the kept_ tables.';
INSERT INTO heliograph_rollup.storage (continuous) VALUES (false);

CREATE FUNCTION heliograph_rollup.bucket_of(width interval, at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT date_bin(width, at, TIMESTAMPTZ '2000-01-01 00:00:00+00') $$;
COMMENT ON FUNCTION heliograph_rollup.bucket_of IS 'Beginning of the bucket that a time is in; days are those of UTC.';

CREATE FUNCTION heliograph_rollup.place(slot bigint, tx_index integer, ordinal integer, part smallint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT ((slot::numeric * 10000000000 + tx_index) * 10000000000 + ordinal) * 100000 + part $$;
COMMENT ON FUNCTION heliograph_rollup.place IS 'The chain order as one number: several slots share a second, so block_time does not tell what came first.';

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
COMMENT ON FUNCTION heliograph_rollup.quotient IS 'The quotient rounded half-even to 18 places, as heliograph_core.amounts does; NULL where the divisor is.';

-- What the buckets are computed from.

CREATE VIEW heliograph_rollup.price_points AS
SELECT stream, market, 'trade'::text AS price_kind, block_time, slot, tx_index, ordinal, part, price, size AS volume, quote
FROM perps.trades
UNION ALL
SELECT stream, market, 'mark'::text, block_time, slot, tx_index, ordinal, part, mark_price, 0::numeric, 0::numeric
FROM perps.funding_rates
WHERE mark_price IS NOT NULL
UNION ALL
SELECT stream, market, 'oracle'::text, block_time, slot, tx_index, ordinal, part, price, 0::numeric, 0::numeric
FROM perps.oracle_prices;

CREATE FUNCTION heliograph_rollup.candles_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz
)
RETURNS TABLE (
    market text, price_kind text, bucket timestamptz, open numeric, high numeric, low numeric, close numeric,
    volume numeric, quote numeric, points bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    -- The least and the greatest pair by place carry the first and the last price: PostgreSQL has no first().
    SELECT market, price_kind, heliograph_rollup.bucket_of(width, block_time),
        (min(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), price]))[2],
        max(price), min(price),
        (max(ARRAY[heliograph_rollup.place(slot, tx_index, ordinal, part), price]))[2],
        sum(volume), sum(quote), count(*)
    FROM heliograph_rollup.price_points
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
    GROUP BY 1, 2, 3
$$;

CREATE FUNCTION heliograph_rollup.funding_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz
)
RETURNS TABLE (
    market text, bucket timestamptz, rate_sum numeric, rates bigint, rate_min numeric, rate_max numeric, rate_last numeric,
    long_amount numeric, short_amount numeric, payments bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT market, heliograph_rollup.bucket_of(width, block_time), sum(rate), count(rate), min(rate), max(rate),
        (max(ARRAY[place, rate]) FILTER (WHERE rate IS NOT NULL))[2],
        coalesce(sum(amount) FILTER (WHERE side = 'long'), 0), coalesce(sum(amount) FILTER (WHERE side = 'short'), 0),
        count(amount)
    FROM (
        SELECT stream, market, block_time, heliograph_rollup.place(slot, tx_index, ordinal, part) AS place,
            rate, NULL::text AS side, NULL::numeric AS amount
        FROM perps.funding_rates
        UNION ALL
        SELECT stream, market, block_time, NULL::numeric, NULL::numeric, side, amount
        FROM perps.funding_payments
    ) AS f
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time
    GROUP BY 1, 2
$$;

CREATE FUNCTION heliograph_rollup.volume_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz
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
    GROUP BY 1, 2
$$;

CREATE FUNCTION heliograph_rollup.open_interest_between(
    width interval, of_stream text, first_time timestamptz, end_time timestamptz
)
RETURNS TABLE (market text, bucket timestamptz, long_change numeric, short_change numeric, changes bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT market, heliograph_rollup.bucket_of(width, block_time),
        coalesce(sum(size_delta) FILTER (WHERE side = 'long'), 0),
        coalesce(sum(size_delta) FILTER (WHERE side = 'short'), 0), count(*)
    FROM perps.position_changes
    WHERE stream = of_stream AND block_time >= first_time AND block_time < end_time AND size_delta <> 0
    GROUP BY 1, 2
$$;

-- Which buckets are served from where.

CREATE FUNCTION heliograph_rollup.tails(width interval) RETURNS TABLE (stream text, first_time timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.name,
        CASE WHEN r.begun THEN heliograph_rollup.bucket_of(width, r.through) ELSE '-infinity'::timestamptz END
    FROM heliograph.streams AS s
    LEFT JOIN heliograph.rollups AS r ON r.stream = s.name
$$;
COMMENT ON FUNCTION heliograph_rollup.tails IS 'From where on the buckets of a stream are computed from the rows.';

CREATE FUNCTION heliograph_rollup.stale_buckets(width interval) RETURNS TABLE (stream text, bucket timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT DISTINCT s.stream, b.bucket
    FROM heliograph.stale_ranges AS s
    JOIN heliograph_rollup.tails(width) AS t ON t.stream = s.stream
    CROSS JOIN LATERAL generate_series(
        heliograph_rollup.bucket_of(width, s.first_time), least(s.last_time, t.first_time - width), width
    ) AS b (bucket)
$$;
COMMENT ON FUNCTION heliograph_rollup.stale_buckets IS 'Buckets before the tail whose rows changed since they were rolled up.';

CREATE FUNCTION heliograph_rollup.stale_windows(width interval)
RETURNS TABLE (stream text, first_time timestamptz, end_time timestamptz)
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
COMMENT ON FUNCTION heliograph_rollup.stale_windows IS 'The same as ranges of whole buckets that do not touch each other.';

-- kept_<name>_<step> (a table), rolled_<name>_<step> (what is stored, wherever), served_<name>_<step> (what is so).
DO $do$
DECLARE
    one record;
    key text;
    fields text;
BEGIN
    FOR one IN SELECT name, step, width, name || '_' || step AS suffix FROM heliograph_rollup.rollups LOOP
        key := CASE one.name WHEN 'candles' THEN 'market, price_kind, bucket, stream' ELSE 'market, bucket, stream' END;
        EXECUTE format(
            'CREATE TABLE heliograph_rollup.%I AS SELECT NULL::text AS stream, b.* FROM heliograph_rollup.%I(%L, NULL, NULL, NULL) AS b WITH NO DATA',
            'kept_' || one.suffix, one.name || '_between', one.width);
        EXECUTE format('ALTER TABLE heliograph_rollup.%I ADD PRIMARY KEY (%s)', 'kept_' || one.suffix, key);
        EXECUTE format('CREATE INDEX %I ON heliograph_rollup.%I (bucket)', 'kept_' || one.suffix || '_by_bucket', 'kept_' || one.suffix);
        EXECUTE format('CREATE VIEW heliograph_rollup.%I AS SELECT * FROM heliograph_rollup.%I',
            'rolled_' || one.suffix, 'kept_' || one.suffix);
        SELECT string_agg('b.' || quote_ident(attname), ', ' ORDER BY attnum) INTO STRICT fields
        FROM pg_attribute
        WHERE attrelid = format('heliograph_rollup.%I', 'kept_' || one.suffix)::regclass AND attnum > 0 AND attname <> 'stream';
        EXECUTE format(
            $view$
            CREATE VIEW heliograph_rollup.%1$I AS
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
            CROSS JOIN LATERAL heliograph_rollup.%6$I(%3$L, t.stream, t.first_time, 'infinity') AS b
            $view$,
            'served_' || one.suffix, fields, one.width, 'rolled_' || one.suffix,
            CASE WHEN one.width >= '1 hour' THEN format(
                -- The stale bucket's own name, so that a condition on it leaves the other stale buckets unread.
                'SELECT s.stream, %1$s FROM heliograph_rollup.stale_buckets(%2$L) AS s '
                'CROSS JOIN LATERAL heliograph_rollup.%3$I(%2$L, s.stream, s.bucket, s.bucket + %2$L) AS b',
                replace(fields, 'b.bucket', 's.bucket'), one.width, one.name || '_between')
            ELSE format(
                -- Of small buckets there are many: to look into every chunk for each would take seconds for a day.
                'SELECT s.stream, %1$s FROM heliograph_rollup.stale_windows(%2$L) AS s '
                'CROSS JOIN LATERAL heliograph_rollup.%3$I(%2$L, s.stream, s.first_time, s.end_time) AS b',
                fields, one.width, one.name || '_between')
            END, one.name || '_between');
    END LOOP;
END
$do$;

-- What is for reading.

DO $do$
DECLARE
    one text;
BEGIN
    FOREACH one IN ARRAY ARRAY['1m', '5m', '15m', '1h', '4h', '1d'] LOOP
        EXECUTE format(
            'CREATE VIEW perps.%I AS SELECT stream, market, price_kind, bucket, open, high, low, close, volume, quote, points '
            'FROM heliograph_rollup.%I', 'candles_' || one, 'served_candles_' || one);
        EXECUTE format('COMMENT ON VIEW perps.%I IS %L', 'candles_' || one,
            'Candles of ' || one || ' by price_kind; a bucket without a price has no row: perps.candles_filled carries the close.');
    END LOOP;
    FOREACH one IN ARRAY ARRAY['1h', '1d'] LOOP
        EXECUTE format(
            'CREATE VIEW perps.%I AS SELECT stream, market, bucket, heliograph_rollup.quotient(rate_sum, nullif(rates, 0)) AS rate, '
            'rate_min, rate_max, rate_last, rates, long_amount, short_amount, payments '
            'FROM heliograph_rollup.%I', 'funding_' || one, 'served_funding_' || one);
        EXECUTE format('COMMENT ON VIEW perps.%I IS %L', 'funding_' || one,
            'Funding rates and payments of ' || one || '; a bucket without either has no row.');
        EXECUTE format(
            'CREATE VIEW perps.%I AS SELECT stream, market, bucket, long_change, short_change, '
            'sum(long_change) OVER before AS long_size, sum(short_change) OVER before AS short_size, changes '
            'FROM heliograph_rollup.%I WINDOW before AS (PARTITION BY stream, market ORDER BY bucket)',
            'open_interest_' || one, 'served_open_interest_' || one);
        EXECUTE format('COMMENT ON VIEW perps.%I IS %L', 'open_interest_' || one,
            'Open interest by ' || one || ': the net change, and the size at the end; a bucket without a change has no row.');
    END LOOP;
END
$do$;

CREATE VIEW perps.volume_1h AS
SELECT stream, market, bucket, volume, quote, bought_quote, sold_quote, liquidated_quote, taker_fees, maker_fees, trades
FROM heliograph_rollup.served_volume_1h;
COMMENT ON VIEW perps.volume_1h IS 'Volume and fees an hour; an hour without a trade has no row.';

DO $do$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT c.oid::regclass AS view, a.attname, meaning
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        JOIN (
            VALUES
                ('', 'stream', 'The stream that the row belongs to.'),
                ('', 'market', 'Address of the market, base58.'),
                ('', 'bucket', 'Beginning of the bucket, its first moment; days are those of UTC.'),
                ('candles', 'price_kind', 'trade: prices of fills; mark: mark prices of funding_rates; oracle: prices of oracle_prices.'),
                ('candles', 'open', 'Quote per base, the first price by chain order.'),
                ('candles', 'high', 'Quote per base, the highest price.'),
                ('candles', 'low', 'Quote per base, the lowest price.'),
                ('candles', 'close', 'Quote per base, the last price by chain order.'),
                ('candles', 'volume', 'Base that was traded, each fill once; 0 for mark and oracle.'),
                ('candles', 'quote', 'Quote that was traded; 0 for mark and oracle.'),
                ('candles', 'points', 'Prices in the bucket; for trade the number of fills.'),
                ('funding', 'rate', 'Mean of the rates, a fraction per hour, rounded half-even to 18 places; NULL without rates.'),
                ('funding', 'rate_min', 'Lowest rate, a fraction per hour.'),
                ('funding', 'rate_max', 'Highest rate, a fraction per hour.'),
                ('funding', 'rate_last', 'Last rate by chain order, a fraction per hour.'),
                ('funding', 'rates', 'Rows of funding_rates in the bucket.'),
                ('funding', 'long_amount', 'Quote that long positions received; negative: they paid.'),
                ('funding', 'short_amount', 'Quote that short positions received; negative: they paid.'),
                ('funding', 'payments', 'Rows of funding_payments in the bucket.'),
                ('volume', 'volume', 'Base that was traded, each fill once.'),
                ('volume', 'quote', 'Quote that was traded.'),
                ('volume', 'bought_quote', 'Part of quote whose taker bought.'),
                ('volume', 'sold_quote', 'Part of quote whose taker sold.'),
                ('volume', 'liquidated_quote', 'Part of quote that liquidations traded.'),
                ('volume', 'taker_fees', 'Quote that takers paid.'),
                ('volume', 'maker_fees', 'Quote that makers paid; negative: rebates.'),
                ('volume', 'trades', 'Number of fills.'),
                ('open_interest', 'long_change', 'Base by which long positions grew; negative: they shrank.'),
                ('open_interest', 'short_change', 'Base by which short positions grew; negative: they shrank.'),
                ('open_interest', 'long_size', 'Base of all long positions at the end of the bucket, as far as their changes are stored.'),
                ('open_interest', 'short_size', 'Base of all short positions at the end of the bucket, as far as their changes are stored.'),
                ('open_interest', 'changes', 'Rows of position_changes that changed a size.')
        ) AS told (kind, attname, meaning)
            ON told.attname = a.attname AND (told.kind = '' OR c.relname LIKE replace(told.kind, '_', '\_') || '\_%')
        WHERE c.relnamespace = 'perps'::regnamespace AND c.relkind = 'v'
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', one.view, one.attname, one.meaning);
    END LOOP;
END
$do$;

-- Gap-filled variants: a row for every bucket from first_time to before end_time.

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
COMMENT ON FUNCTION heliograph_rollup.width_of IS 'Width of the buckets of a step; fails for a step that is not rolled up.';

CREATE FUNCTION heliograph_rollup.check_times(first_time timestamptz, end_time timestamptz) RETURNS void
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
COMMENT ON FUNCTION heliograph_rollup.check_times IS 'Fails for times without a number of buckets between them.';

CREATE FUNCTION heliograph_rollup.buckets(width interval, first_time timestamptz, end_time timestamptz)
RETURNS SETOF timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT b FROM generate_series(heliograph_rollup.bucket_of(width, first_time), end_time, width) AS b WHERE b < end_time
$$;
COMMENT ON FUNCTION heliograph_rollup.buckets IS 'All buckets that begin before end_time, from the one that holds first_time on.';

CREATE FUNCTION heliograph_rollup.markets(of_market text, of_stream text) RETURNS TABLE (stream text, market text)
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
COMMENT ON FUNCTION heliograph_rollup.markets IS 'Markets that are known; one that was created before the first slot is known by its rows alone.';

-- The views leave it to the run of a query which chunks it needs, and a plan over years opens them all. This asks first
-- what is rolled up, and then for what is missing with times that are known; all of it in the snapshot of the caller.
CREATE FUNCTION perps.candles(
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
BEGIN
    PERFORM heliograph_rollup.check_times(first_time, end_time);
    -- Whole buckets: those that begin from first_time on and before end_time.
    after := CASE WHEN after < first_time THEN after + width ELSE after END;
    past := CASE WHEN past < end_time THEN past + width ELSE past END;
    FOR tail IN
        SELECT t.* FROM heliograph_rollup.tails(width) AS t WHERE of_stream IS NULL OR t.stream = of_stream
    LOOP
        IF after < least(past, tail.first_time) THEN
            RETURN QUERY EXECUTE format(
                'SELECT b.* FROM heliograph_rollup.%I AS b WHERE b.stream = %L AND b.price_kind = %L AND (%L IS NULL OR b.market = %L) '
                'AND b.bucket >= %L AND b.bucket < %L AND NOT EXISTS (SELECT FROM heliograph.stale_ranges AS s '
                'WHERE s.stream = b.stream AND s.first_time < b.bucket + %L::interval AND s.last_time >= b.bucket)',
                'rolled_candles_' || step, tail.stream, of_kind, of_market, of_market, after,
                least(past, tail.first_time), width);
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
                'SELECT %L::text, b.* FROM heliograph_rollup.candles_between(%L, %L, %L, %L) AS b '
                'WHERE b.price_kind = %L AND (%L IS NULL OR b.market = %L)',
                tail.stream, width, tail.stream, part.first_time, part.end_time, of_kind, of_market, of_market);
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION perps.candles IS 'The rows of the views candles_1m … candles_1d between two times, in no order: over years of hypertables several times as fast as the views.';

CREATE FUNCTION perps.candles_filled(
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
        ), objects AS (
            SELECT m.stream, m.market FROM heliograph_rollup.markets($5, $6) AS m
        ), begun AS (
            SELECT o.stream, o.market, (
                SELECT p.price
                FROM heliograph_rollup.price_points AS p
                WHERE p.price_kind = $4 AND p.stream = o.stream AND p.market = o.market
                  AND p.block_time < heliograph_rollup.bucket_of($1, $2)
                ORDER BY p.block_time DESC, p.slot DESC, p.tx_index DESC, p.ordinal DESC, p.part DESC
                LIMIT 1
            ) AS close
            FROM objects AS o
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
COMMENT ON FUNCTION perps.candles_filled IS 'Candles without holes: a bucket without a price carries the close before it, with volume 0. Buckets before the first price have no row.';

CREATE FUNCTION perps.volume_filled(
    first_time timestamptz, end_time timestamptz, of_market text DEFAULT NULL, of_stream text DEFAULT NULL
)
RETURNS TABLE (
    stream text, market text, bucket timestamptz, volume numeric, quote numeric, bought_quote numeric, sold_quote numeric,
    liquidated_quote numeric, taker_fees numeric, maker_fees numeric, trades bigint
)
LANGUAGE plpgsql STABLE
AS $$
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
$$;
COMMENT ON FUNCTION perps.volume_filled IS 'perps.volume_1h with zeros where nothing was traded.';

CREATE FUNCTION perps.funding_filled(
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
        ), objects AS (
            SELECT m.stream, m.market FROM heliograph_rollup.markets($4, $5) AS m
        ), begun AS (
            SELECT o.stream, o.market, (
                SELECT p.rate
                FROM perps.funding_rates AS p
                WHERE p.stream = o.stream AND p.market = o.market AND p.block_time < heliograph_rollup.bucket_of($1, $2)
                ORDER BY p.block_time DESC, p.slot DESC, p.tx_index DESC, p.ordinal DESC, p.part DESC
                LIMIT 1
            ) AS rate
            FROM objects AS o
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
COMMENT ON FUNCTION perps.funding_filled IS 'Funding without holes: a bucket without a rate carries the last one, NULL before the first; amounts are 0 without payments.';

CREATE FUNCTION perps.open_interest_filled(
    step text, first_time timestamptz, end_time timestamptz, of_market text DEFAULT NULL, of_stream text DEFAULT NULL
)
RETURNS TABLE (
    stream text, market text, bucket timestamptz, long_change numeric, short_change numeric, long_size numeric,
    short_size numeric, changes bigint
)
LANGUAGE plpgsql STABLE
AS $$
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
$$;
COMMENT ON FUNCTION perps.open_interest_filled IS 'Open interest without holes: the net change of each bucket, and the size that is carried from before the first one.';
