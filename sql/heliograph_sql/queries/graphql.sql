-- Parts that the query compiler (heliograph_graphql/sql.py) composes. {row} and {parent} are aliases, {id.X.a} is
-- the global id of entity X read from alias a, {query.x} another part of this file, and {streams}, {from_slot},
-- {through_slot}, {from_time}, {through_time} are bound parameters or columns, NULL where nothing was asked.

-- name: wallet
SELECT {address} AS address

-- name: candles
-- {limit} rows behind {behind} are enough; NULL where there is no limit.
SELECT c.*
FROM heliograph_rollup.recent_candles(
    {resolution}, {market_address}, {price_kind}, {stream}, {since},
    least({until}, {behind}::timestamptz + interval '1 microsecond'), {limit}, {fill}
) c

-- name: pnl_buckets
SELECT c.stream, c.market, c.wallet, heliograph_rollup.bucket_of({resolution}::interval, c.block_time) AS bucket,
    CASE WHEN count(c.realized_pnl) = count(*) THEN sum(c.realized_pnl) END AS realized_pnl,
    sum(c.fee) AS fees, sum(c.funding) AS funding,
    CASE WHEN count(c.realized_pnl) = count(*) THEN sum(c.realized_pnl - c.fee + c.funding) END AS net,
    count(*) AS changes
FROM perps.position_changes c
WHERE c.wallet = {wallet}
GROUP BY 1, 2, 3, 4

-- name: positions_as_of
-- Those that nothing altered since are as they were. No join, so that an order finds its index.
SELECT p.*
FROM perps.positions p
WHERE p.stream = ANY ({streams})
    AND greatest(p.opened_slot, p.updated_slot, p.closed_slot) <= ({slots})[array_position({streams}, p.stream)]

-- name: positions_folded
-- The others.
SELECT f.* FROM jsonb_populate_recordset(NULL::perps.positions, {folded}::jsonb) f

-- name: positions_changed_since
-- Lives that had begun at the slot and were altered after it: of each key at most one, the last that had begun.
SELECT {row}.stream, {row}.position_key, {row}.lifecycle, floor(extract(epoch FROM {row}.opened_at))::bigint,
    {row}.opened_slot, {row}.opened_tx_index, {row}.opened_ordinal, {row}.complete, {row}.settled
FROM unnest({streams}, {slots}) AS s (stream, slot)
JOIN perps.positions {row} ON {row}.stream = s.stream
WHERE {row}.opened_slot <= s.slot AND ({row}.updated_slot > s.slot OR {row}.closed_slot > s.slot) AND {where}
LIMIT {limit}

-- name: places_as_of
-- At the end of which slot the streams were as asked for, by a slot or by a time. Several slots share a second, so that a
-- time is past once a later one is in.
SELECT s.name, s.first_slot, s.head_slot,
    CASE WHEN $3::timestamptz IS NULL THEN $2::bigint ELSE (
        SELECT k.slot FROM heliograph.slots k
        WHERE k.stream = s.name AND k.block_time <= $3::timestamptz ORDER BY k.block_time DESC, k.slot DESC LIMIT 1
    ) END AS slot,
    coalesce(s.head_slot >= $2::bigint, s.head_time > $3::timestamptz, false) AS reached
FROM heliograph.streams s
WHERE $1::text[] IS NULL OR s.name = ANY ($1::text[])
ORDER BY s.name

-- name: refuse_rows
heliograph.refuse('more than {most} rows match, and an aggregate is made of at most so many: narrow `where`')::text

-- name: market_symbol
(SELECT m.symbol FROM perps.markets m WHERE m.stream = {row}.stream AND m.market = {row}.market)

-- name: balance_total
({row}.free + {row}.locked)

-- name: transaction_failed
({row}.err IS NOT NULL)

-- name: position_of_event
-- One event may end a lifecycle and begin the next, on the other side.
(
    SELECT {id.Position.p} FROM perps.positions p
    WHERE p.stream = {row}.stream AND p.position_key = {row}.position_key
        AND (p.opened_slot, p.opened_tx_index, p.opened_ordinal) <= ({row}.slot, {row}.tx_index, {row}.ordinal)
        AND (
            p.side = {row}.side
            OR (p.opened_slot, p.opened_tx_index, p.opened_ordinal) < ({row}.slot, {row}.tx_index, {row}.ordinal)
        )
    ORDER BY p.opened_slot DESC, p.opened_tx_index DESC, p.opened_ordinal DESC
    LIMIT 1
)

-- name: position_of_transfer
-- Collateral is locked before the event that opens the position, in the same transaction.
(
    SELECT {id.Position.p} FROM perps.positions p
    WHERE p.stream = {row}.stream AND p.position_key = {row}.position_key
        AND (p.opened_slot, p.opened_tx_index, p.opened_ordinal)
            <= ({row}.slot, {row}.tx_index, CASE WHEN {row}.kind = 'lock' THEN 2147483647 ELSE {row}.ordinal END)
    ORDER BY p.opened_slot DESC, p.opened_tx_index DESC, p.opened_ordinal DESC
    LIMIT 1
)

-- name: taker_position_of_trade
-- A fill stands before the changes it causes; the last of them says which lifecycle it ended in.
(
    SELECT {id.Position.p} FROM perps.position_changes c
    JOIN perps.positions p ON p.stream = c.stream AND p.position_key = c.position_key
        AND (p.opened_slot, p.opened_tx_index, p.opened_ordinal) <= (c.slot, c.tx_index, c.ordinal)
    WHERE c.stream = {row}.stream AND c.position_key = {row}.taker_position_key
        AND c.block_time = {row}.block_time AND c.trade_id = {row}.trade_id
    ORDER BY c.slot DESC, c.tx_index DESC, c.ordinal DESC,
        p.opened_slot DESC, p.opened_tx_index DESC, p.opened_ordinal DESC
    LIMIT 1
)

-- name: maker_position_of_trade
(
    SELECT {id.Position.p} FROM perps.position_changes c
    JOIN perps.positions p ON p.stream = c.stream AND p.position_key = c.position_key
        AND (p.opened_slot, p.opened_tx_index, p.opened_ordinal) <= (c.slot, c.tx_index, c.ordinal)
    WHERE c.stream = {row}.stream AND c.position_key = {row}.maker_position_key
        AND c.block_time = {row}.block_time AND c.trade_id = {row}.trade_id
    ORDER BY c.slot DESC, c.tx_index DESC, c.ordinal DESC,
        p.opened_slot DESC, p.opened_tx_index DESC, p.opened_ordinal DESC
    LIMIT 1
)

-- name: within_lifecycle
{row}.block_time >= {parent}.opened_at
AND ({row}.slot, {row}.tx_index, {row}.ordinal)
    >= ({parent}.opened_slot, {parent}.opened_tx_index, {parent}.opened_ordinal)
AND (
    {row}.side = {parent}.side
    OR ({row}.slot, {row}.tx_index, {row}.ordinal)
        > ({parent}.opened_slot, {parent}.opened_tx_index, {parent}.opened_ordinal)
)
AND NOT EXISTS (
    SELECT FROM perps.positions n
    WHERE n.stream = {parent}.stream AND n.position_key = {parent}.position_key
        AND (n.opened_slot, n.opened_tx_index, n.opened_ordinal)
            > ({parent}.opened_slot, {parent}.opened_tx_index, {parent}.opened_ordinal)
        AND (n.opened_slot, n.opened_tx_index, n.opened_ordinal) <= ({row}.slot, {row}.tx_index, {row}.ordinal)
        AND (
            n.side = {row}.side
            OR (n.opened_slot, n.opened_tx_index, n.opened_ordinal) < ({row}.slot, {row}.tx_index, {row}.ordinal)
        )
)

-- name: trade_of_lifecycle
({row}.taker_position_key = {parent}.position_key OR {row}.maker_position_key = {parent}.position_key)
AND {row}.block_time >= {parent}.opened_at
AND {row}.block_time <= coalesce({parent}.closed_at, 'infinity')
AND EXISTS (
    SELECT FROM perps.position_changes c
    WHERE c.stream = {parent}.stream AND c.position_key = {parent}.position_key
        AND c.block_time = {row}.block_time AND c.trade_id = {row}.trade_id
        AND (c.slot, c.tx_index, c.ordinal)
            >= ({parent}.opened_slot, {parent}.opened_tx_index, {parent}.opened_ordinal)
        AND (
            c.side = {parent}.side
            OR (c.slot, c.tx_index, c.ordinal)
                > ({parent}.opened_slot, {parent}.opened_tx_index, {parent}.opened_ordinal)
        )
        AND NOT EXISTS (
            SELECT FROM perps.positions n
            WHERE n.stream = {parent}.stream AND n.position_key = {parent}.position_key
                AND (n.opened_slot, n.opened_tx_index, n.opened_ordinal)
                    > ({parent}.opened_slot, {parent}.opened_tx_index, {parent}.opened_ordinal)
                AND (n.opened_slot, n.opened_tx_index, n.opened_ordinal) <= (c.slot, c.tx_index, c.ordinal)
                AND (
                    n.side = c.side
                    OR (n.opened_slot, n.opened_tx_index, n.opened_ordinal) < (c.slot, c.tx_index, c.ordinal)
                )
        )
)

-- name: first_time_of_signatures
-- Of any stream; NULL where none of them is known.
SELECT min(g.block_time) FROM heliograph.signatures g WHERE g.signature = ANY ($1::text[])

-- name: last_time_of_signatures
SELECT max(g.block_time) FROM heliograph.signatures g WHERE g.signature = ANY ($1::text[])

-- name: time_before_slots
-- Block times never go backwards, so a row at or above the lowest slot is no older than the known slot before it.
SELECT coalesce((
    SELECT max(b.block_time) FROM heliograph.streams n CROSS JOIN LATERAL (
        SELECT k.block_time FROM heliograph.slots k
        WHERE k.stream = n.name AND k.slot <= (SELECT min(v) FROM unnest($1::bigint[]) v)
        ORDER BY k.slot DESC LIMIT 1
    ) b
), '-infinity')

-- name: time_behind_slots
SELECT coalesce((
    SELECT min(b.block_time) FROM heliograph.streams n CROSS JOIN LATERAL (
        SELECT k.block_time FROM heliograph.slots k
        WHERE k.stream = n.name AND k.slot >= (SELECT max(v) FROM unnest($1::bigint[]) v)
        ORDER BY k.slot LIMIT 1
    ) b
), 'infinity')

-- name: complete_through
-- The end of the covered range that holds the stream's first slot, the minimum over the streams asked; no row
-- where one of them is not covered from its first slot.
SELECT min(a.through) AS slot, min(a.time) AS time FROM (
    SELECT c.through, CASE
        WHEN c.through >= s.head_slot AND s.head_time IS NOT NULL THEN s.head_time
        ELSE (
            SELECT k.block_time FROM heliograph.slots k
            WHERE k.stream = s.name AND k.slot <= c.through ORDER BY k.slot DESC LIMIT 1
        )
    END AS time
    FROM heliograph.streams s
    LEFT JOIN heliograph.coverage v ON v.stream = s.name
    -- Before the first slot that is missing from there on. OFFSET: computed once.
    CROSS JOIN LATERAL (
        SELECT nullif(lower(int8multirange(int8range(s.first_slot, NULL)) - v.slots), s.first_slot) - 1 AS through OFFSET 0
    ) c
    WHERE {streams}::text[] IS NULL OR s.name = ANY ({streams}::text[])
) a
HAVING count(*) = count(a.through) AND count(*) > 0

-- name: asked_ranges
SELECT s.name,
    greatest(s.first_slot, {from_slot}::bigint, CASE WHEN {from_time}::timestamptz IS NOT NULL THEN coalesce((
        SELECT k.slot FROM heliograph.slots k
        WHERE k.stream = s.name AND k.block_time >= {from_time}::timestamptz ORDER BY k.slot LIMIT 1
    ), s.head_slot) END) AS first,
    least(s.head_slot, {through_slot}::bigint, CASE WHEN {through_time}::timestamptz IS NOT NULL THEN coalesce((
        SELECT k.slot FROM heliograph.slots k
        WHERE k.stream = s.name AND k.block_time <= {through_time}::timestamptz ORDER BY k.slot DESC LIMIT 1
    ), s.first_slot) END) AS last
FROM heliograph.streams s
WHERE {streams}::text[] IS NULL OR s.name = ANY ({streams}::text[])

-- name: settled
-- Whether rows of the range can only change by a rebuild. A time is bounded by the stored blocks on both sides of it: four
-- slots share a second, and what is missing beside the range may hold rows of it.
SELECT coalesce(bool_and(coalesce(
    r.low >= s.first_slot AND r.high <= s.final_slot AND r.low <= r.high AND v.slots @> int8range(r.low, r.high, '[]')
    AND NOT EXISTS (SELECT FROM heliograph.dirty d WHERE d.stream = s.name),
    false
)), false)
FROM heliograph.streams s
LEFT JOIN heliograph.coverage v ON v.stream = s.name
CROSS JOIN LATERAL (
    SELECT greatest({from_slot}::bigint, CASE WHEN {from_time}::timestamptz IS NOT NULL THEN (
        SELECT k.slot FROM heliograph.slots k
        WHERE k.stream = s.name AND k.block_time < {from_time}::timestamptz ORDER BY k.block_time DESC, k.slot DESC LIMIT 1
    ) END) AS low,
    least({through_slot}::bigint, CASE WHEN {through_time}::timestamptz IS NOT NULL THEN (
        SELECT k.slot FROM heliograph.slots k
        WHERE k.stream = s.name AND k.block_time > {through_time}::timestamptz ORDER BY k.block_time, k.slot LIMIT 1
    ) END) AS high
) r
WHERE {streams}::text[] IS NULL OR s.name = ANY ({streams}::text[])

-- name: coverage
SELECT min(a.first) AS from_slot, max(a.last) AS through, coalesce(bool_or(EXISTS (
    SELECT FROM heliograph.transactions x
    WHERE x.truncated AND x.stream = a.name AND x.slot BETWEEN a.first AND a.last
)), false) AS truncated, ({query.settled}) AS settled
FROM ({query.asked_ranges}) a
WHERE a.first <= a.last

-- name: coverage_gaps
SELECT a.name AS stream, lower(g) AS from_slot, upper(g) - 1 AS through
FROM ({query.asked_ranges}) a
LEFT JOIN heliograph.coverage v ON v.stream = a.name
CROSS JOIN LATERAL unnest(
    int8multirange(int8range(a.first, a.last, '[]')) - coalesce(v.slots, '{}'::int8multirange)
) g
WHERE a.first <= a.last
ORDER BY a.name, lower(g)
LIMIT 1000

-- name: exact_json
-- jsonb, as JSON text, whose numbers are text. Each match takes all before the next number outside of a string; behind the last number stands one
-- more, which goes again: without it what is left would be searched from inside of strings.
left(regexp_replace(
    {value}::text || ' 0',
    '((?:[^"0-9-]|"(?:[^"\\]|\\.)*")*)(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)',
    '\1"\2"',
    'g'
), -4)

-- name: changed_slots
-- The rows of one commit: those of the slots that it was the last to write, after {slot} of an unfinished one. A
-- correction discards its whole range, so {whole} adds the slots in it that earlier commits wrote.
{row}.{stream_column} = {stream}
AND {row}.block_time BETWEEN {first_time} AND {last_time}
AND {row}.slot IN (
    SELECT k.slot FROM heliograph.slots k
    WHERE k.stream = {stream} AND k.slot BETWEEN {first_slot} AND {last_slot}
        AND (k.seq = {seq} OR ({whole} AND k.seq < {seq}))
)
AND ({row}.slot, {row}.tx_index, {row}.ordinal, {row}.{part_column}) > ({slot}, {tx_index}, {ordinal}, {part})

-- name: written_slots
-- Of the commits of these numbers: the slots that each was the last to write.
SELECT k.slot FROM unnest({seqs}, {first_slots}, {last_slots}) AS c (seq, first_slot, last_slot)
JOIN heliograph.slots k ON k.stream = {stream} AND k.seq = c.seq AND k.slot BETWEEN c.first_slot AND c.last_slot

-- name: touched_candles
-- Buckets of {asked} in which commits wrote a price, and all of what was corrected, whose prices may be gone.
SELECT {asked}."@i", heliograph_rollup.bucket_of(heliograph_rollup.width_of('candles', {resolution}), w.block_time) AS bucket
FROM {asked} JOIN (
    SELECT t.market, 'trade' AS price_kind, t.block_time FROM perps.trades t
    WHERE t.stream = {stream} AND t.block_time BETWEEN {first_time} AND {last_time} AND t.slot IN ({query.written_slots})
        AND EXISTS (SELECT FROM {asked} WHERE {price_kind} = 'trade')
    UNION
    SELECT f.market, 'mark', f.block_time FROM perps.funding_rates f
    WHERE f.stream = {stream} AND f.block_time BETWEEN {first_time} AND {last_time} AND f.slot IN ({query.written_slots})
        AND f.mark_price IS NOT NULL AND EXISTS (SELECT FROM {asked} WHERE {price_kind} = 'mark')
    UNION
    SELECT o.market, 'oracle', o.block_time FROM perps.oracle_prices o
    WHERE o.stream = {stream} AND o.block_time BETWEEN {first_time} AND {last_time} AND o.slot IN ({query.written_slots})
        AND EXISTS (SELECT FROM {asked} WHERE {price_kind} = 'oracle')
) w ON w.market = {market_address} AND w.price_kind = {price_kind}
UNION
SELECT {asked}."@i", b
FROM {asked} CROSS JOIN unnest({corrected_from}, {corrected_through}) AS c (first_time, last_time)
CROSS JOIN LATERAL heliograph_rollup.buckets(
    heliograph_rollup.width_of('candles', {resolution}), greatest(c.first_time, {behind}), c.last_time + interval '1 microsecond'
) b

-- name: candles_through
-- Those of the buckets from {first} through {last}, as the root field has them.
SELECT c.* FROM heliograph_rollup.current_candles(
    {resolution}, {first}, {last} + heliograph_rollup.width_of('candles', {resolution}), {market_address}, {price_kind}, {stream}
) c

-- name: changed_objects
-- What the transaction of one commit did to the objects of a table.
SELECT o.key, o.before FROM heliograph.object_changes o
JOIN heliograph.commits c ON c.stream = o.stream AND c.xid = o.xid
WHERE o.stream = {stream} AND c.seq = {seq} AND o.entity = {table}

-- name: commits
-- At which commits a snapshot stands: what an answer out of it can depend on, stream by stream. What is audited and covered
-- changes without a commit, and so with the row of coverage.
ARRAY(
    SELECT ARRAY[s.name, (
        s.created_at, s.seq, s.first_slot, s.head_slot, s.head_time, s.final_slot, s.accounts_through, s.retained_from,
        s.idl_count, s.programs, s.protocol, s.genesis, v.xmin,
        EXISTS (SELECT FROM heliograph.dirty d WHERE d.stream = s.name)
    )::text]
    FROM heliograph.streams s LEFT JOIN heliograph.coverage v ON v.stream = s.name
    ORDER BY s.name
)

-- name: read_migrations
SELECT name FROM heliograph.schema_migrations

-- name: newest_time_if_cut
-- NULL on a server without TimescaleDB: there no table is cut by time.
SELECT max(head_time) FROM heliograph.streams WHERE EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')

-- name: times_of_slots
SELECT min(k.block_time) AS first_time, max(k.block_time) AS last_time
FROM heliograph.slots k
WHERE k.stream = $1 AND k.slot BETWEEN $2 AND $3
