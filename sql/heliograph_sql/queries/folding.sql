-- Positions and the changes that they are folded from. Rows are locked in this order: dirty, positions, streams.

-- name: lock_folding
-- Whoever folds does so alone: what the rows of a key are is read and decided on before they can all be locked, since
-- lifecycles that another fold is about to insert have no row yet.
SELECT pg_advisory_xact_lock(hashtextextended('heliograph.fold.' || $1, 0));

-- name: lock_dirty
-- Locked, so that who refolds such a key waits for the changes that this transaction adds, and the reverse.
SELECT position_key
FROM heliograph.dirty
WHERE stream = $1 AND position_key = ANY ($2::text[])
ORDER BY position_key
FOR UPDATE;

-- name: mark_dirty
-- DO UPDATE and not DO NOTHING: the lock keeps a refold from clearing the mark before these changes are committed.
INSERT INTO heliograph.dirty AS d (stream, position_key)
SELECT $1, position_key
FROM unnest($2::text[]) AS position_key
ON CONFLICT (stream, position_key) DO UPDATE SET marks = d.marks + 1, marked_at = clock_timestamp();

-- name: unsettle_positions
UPDATE perps.positions
SET settled = false
WHERE stream = $1 AND position_key = ANY ($2::text[]) AND settled;

-- name: lock_latest_positions
SELECT
    p.stream, p.position_key, p.opened_slot, p.opened_tx_index, p.opened_ordinal, p.lifecycle, p.program,
    p.market, p.wallet, p.side, p.status, p.size, p.max_size, p.entry_price, p.exit_price, p.collateral,
    p.liquidation_price, p.realized_pnl, p.fees, p.funding, p.changes,
    extract(epoch FROM p.opened_at)::bigint AS opened_at, extract(epoch FROM p.updated_at)::bigint AS updated_at,
    p.updated_slot, p.updated_tx_index, p.updated_ordinal,
    extract(epoch FROM p.closed_at)::bigint AS closed_at, p.closed_slot, p.complete, p.settled, p.entry_quote,
    p.settled_pnl, p.borrow_fees, p.price_impact_fees
FROM unnest($2::text[]) AS wanted (key)
CROSS JOIN LATERAL (
    SELECT *
    FROM perps.positions
    WHERE stream = $1 AND position_key = wanted.key
    ORDER BY opened_slot DESC, opened_tx_index DESC, opened_ordinal DESC
    LIMIT 1
    FOR UPDATE
) AS p;

-- name: list_dirty
-- Keys that nobody marked for $3 seconds, and those that wait for $4 already: while a gap is healed the same keys are
-- marked again and again. A time that has not come yet is one of before the clock was set back.
SELECT position_key, marks
FROM heliograph.dirty
WHERE stream = $1
  AND (
      marked_at <= clock_timestamp() - make_interval(secs => $3)
      OR since <= clock_timestamp() - make_interval(secs => $4)
      OR marked_at > clock_timestamp()
  )
ORDER BY since, position_key
LIMIT $2;

-- name: lock_listed_dirty
-- A key whose late history is being written just now is taken another time.
SELECT position_key, marks
FROM heliograph.dirty
WHERE stream = $1 AND position_key = ANY ($2::text[])
ORDER BY position_key
FOR UPDATE SKIP LOCKED;

-- name: find_flowing
-- Of these keys those that have flows: their changes follow from them and are not folded themselves.
SELECT wanted.key AS position_key
FROM unnest($2::text[]) AS wanted (key)
WHERE EXISTS (SELECT FROM perps.flows AS f WHERE f.stream = $1 AND f.position_key = wanted.key);

-- name: find_flowed
-- Of these keys those that have flows before a place of the chain, or some that were kept of what is past its retention.
SELECT place.key AS position_key
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::integer[])
    AS place (key, block_time, slot, tx_index, ordinal, part)
WHERE EXISTS (
    SELECT
    FROM perps.flows AS f
    WHERE f.stream = $1
      AND f.position_key = place.key
      AND f.block_time <= to_timestamp(place.block_time)
      AND (f.slot, f.tx_index, f.ordinal, f.part) < (place.slot, place.tx_index, place.ordinal, place.part)
) OR EXISTS (
    SELECT FROM heliograph.retained_positions AS r WHERE r.stream = $1 AND r.position_key = place.key
);

-- name: count_changes
-- Of those that list_changes lists, and of flows.
SELECT position_key, count(*) AS changes
FROM (
    SELECT c.position_key
    FROM perps.position_changes AS c
    WHERE c.stream = $1
      AND c.position_key = ANY ($2::text[])
      AND NOT c.position_key = ANY ($3::text[])
      AND c.slot >= coalesce((SELECT retained_from FROM heliograph.streams WHERE name = $1), 0)
    UNION ALL
    SELECT f.position_key
    FROM perps.flows AS f
    WHERE f.stream = $1
      AND f.position_key = ANY ($3::text[])
      AND f.slot >= coalesce((SELECT retained_from FROM heliograph.streams WHERE name = $1), 0)
) AS counted
GROUP BY position_key;

-- name: list_changes_behind
-- Of each key those behind a place of the chain.
SELECT
    c.stream, extract(epoch FROM c.block_time)::bigint AS block_time, c.slot, c.tx_index, c.ordinal, c.part, c.signature,
    c.program, c.market, c.wallet, c.position_key, c.kind, c.side, c.size_delta, c.size_after, c.price,
    c.entry_price_after, c.collateral_delta, c.collateral_after, c.realized_pnl, c.fee, c.funding,
    c.liquidation_price_after, c.trade_id, c.settled_pnl, c.borrow_fee, c.price_impact_fee
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::integer[])
    AS place (key, block_time, slot, tx_index, ordinal, part)
JOIN perps.position_changes AS c
    ON c.stream = $1
    AND c.position_key = place.key
    AND c.block_time >= to_timestamp(place.block_time)
    AND (c.slot, c.tx_index, c.ordinal, c.part) > (place.slot, place.tx_index, place.ordinal, place.part)
ORDER BY c.position_key, c.slot, c.tx_index, c.ordinal, c.part;

-- name: list_flows_behind
-- As list_changes_behind.
SELECT
    f.stream, extract(epoch FROM f.block_time)::bigint AS block_time, f.slot, f.tx_index, f.ordinal, f.part, f.signature,
    f.program, f.market, f.wallet, f.position_key, f.kind, f.base_delta, f.quote, f.price, f.fee, f.funding,
    f.settled_pnl, f.base_before, f.base_after, f.entry_quote_after, f.entry_quote_released, f.quote_places, f.trade_id
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::integer[])
    AS place (key, block_time, slot, tx_index, ordinal, part)
JOIN perps.flows AS f
    ON f.stream = $1
    AND f.position_key = place.key
    AND f.block_time >= to_timestamp(place.block_time)
    AND (f.slot, f.tx_index, f.ordinal, f.part) > (place.slot, place.tx_index, place.ordinal, place.part)
ORDER BY f.position_key, f.slot, f.tx_index, f.ordinal, f.part;

-- name: lock_positions
SELECT opened_slot, updated_slot,
    extract(epoch FROM opened_at)::bigint AS opened_at, extract(epoch FROM updated_at)::bigint AS updated_at
FROM perps.positions
WHERE stream = $1 AND position_key = ANY ($2::text[])
ORDER BY position_key, opened_slot, opened_tx_index, opened_ordinal
FOR UPDATE;

-- name: list_changes
-- Not those past their retention, of which some may be gone: retained_positions says what they came to.
SELECT
    stream, extract(epoch FROM block_time)::bigint AS block_time, slot, tx_index, ordinal, part, signature, program,
    market, wallet, position_key, kind, side, size_delta, size_after, price, entry_price_after, collateral_delta,
    collateral_after, realized_pnl, fee, funding, liquidation_price_after, trade_id, settled_pnl,
    borrow_fee, price_impact_fee
FROM perps.position_changes
WHERE stream = $1
  AND position_key = ANY ($2::text[])
  AND slot >= coalesce((SELECT retained_from FROM heliograph.streams WHERE name = $1), 0)
ORDER BY position_key, slot, tx_index, ordinal, part;

-- name: list_flows
-- As list_changes.
SELECT
    f.stream, extract(epoch FROM f.block_time)::bigint AS block_time, f.slot, f.tx_index, f.ordinal, f.part, f.signature,
    f.program, f.market, f.wallet, f.position_key, f.kind, f.base_delta, f.quote, f.price, f.fee, f.funding,
    f.settled_pnl, f.base_before, f.base_after, f.entry_quote_after, f.entry_quote_released, f.quote_places, f.trade_id
FROM perps.flows AS f
WHERE f.stream = $1
  AND f.position_key = ANY ($2::text[])
  AND f.slot >= coalesce((SELECT retained_from FROM heliograph.streams WHERE name = $1), 0)
ORDER BY f.position_key, f.slot, f.tx_index, f.ordinal, f.part;

-- name: list_changes_within
-- As list_changes: of each key those from a time and slot of its own on to a slot, at most $6 of all. $7 and $8 bound the times
-- of all of them: only what is known when a statement is planned keeps a hypertable from opening every chunk.
SELECT
    c.stream, extract(epoch FROM c.block_time)::bigint AS block_time, c.slot, c.tx_index, c.ordinal, c.part, c.signature,
    c.program, c.market, c.wallet, c.position_key, c.kind, c.side, c.size_delta, c.size_after, c.price,
    c.entry_price_after, c.collateral_delta, c.collateral_after, c.realized_pnl, c.fee, c.funding,
    c.liquidation_price_after, c.trade_id, c.settled_pnl, c.borrow_fee, c.price_impact_fee
FROM (
    SELECT c.*
    FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS wanted (key, since, first)
    JOIN perps.position_changes AS c
        ON c.stream = $1
        AND c.position_key = wanted.key
        AND c.block_time >= to_timestamp(wanted.since)
        AND c.slot >= greatest(wanted.first, (SELECT retained_from FROM heliograph.streams WHERE name = $1))
        AND c.slot <= $5
        AND c.block_time >= to_timestamp($7)
        AND c.block_time <= $8
    LIMIT $6
) AS c
ORDER BY c.position_key, c.slot, c.tx_index, c.ordinal, c.part;

-- name: find_time_behind
-- No row of a slot up to this one is later.
SELECT coalesce(
    (SELECT block_time FROM heliograph.slots WHERE stream = $1 AND slot >= $2 ORDER BY slot LIMIT 1),
    'infinity'
);

-- name: list_most_flows
-- As list_flows, at most $3 of all.
SELECT
    f.stream, extract(epoch FROM f.block_time)::bigint AS block_time, f.slot, f.tx_index, f.ordinal, f.part, f.signature,
    f.program, f.market, f.wallet, f.position_key, f.kind, f.base_delta, f.quote, f.price, f.fee, f.funding,
    f.settled_pnl, f.base_before, f.base_after, f.entry_quote_after, f.entry_quote_released, f.quote_places, f.trade_id
FROM (
    SELECT f.*
    FROM perps.flows AS f
    WHERE f.stream = $1
        AND f.position_key = ANY ($2::text[])
        AND f.slot >= coalesce((SELECT retained_from FROM heliograph.streams WHERE name = $1), 0)
    LIMIT $3
) AS f
ORDER BY f.position_key, f.slot, f.tx_index, f.ordinal, f.part;

-- name: delete_changes
-- Those that follow from flows and became others.
DELETE FROM perps.position_changes AS c
USING unnest($2::bigint[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[])
    AS gone (block_time, slot, tx_index, ordinal, part)
WHERE c.stream = $1
  AND c.block_time = to_timestamp(gone.block_time)
  AND (c.slot, c.tx_index, c.ordinal, c.part) = (gone.slot, gone.tx_index, gone.ordinal, gone.part);

-- name: find_origins
-- Of slots that lose or gain changes: who wrote them last. Where the log does not reach back they are history.
SELECT s.slot, coalesce(c.origin, 'backfill') AS origin
FROM heliograph.slots AS s
LEFT JOIN heliograph.commits AS c ON c.stream = s.stream AND c.seq = s.seq
WHERE s.stream = $1 AND s.slot = ANY ($2::bigint[]);

-- name: delete_positions
-- Those lifecycles of the keys that the fold did not yield again; none that ended before what it began with.
DELETE FROM perps.positions AS p
WHERE stream = $1
  AND position_key = ANY ($2::text[])
  AND NOT EXISTS (
      SELECT
      FROM heliograph.retained_positions AS r
      WHERE r.stream = p.stream AND r.position_key = p.position_key AND p.lifecycle < r.lifecycle
  )
  AND NOT EXISTS (
      SELECT
      FROM unnest($3::text[], $4::bigint[], $5::integer[], $6::integer[])
          AS kept (position_key, opened_slot, opened_tx_index, opened_ordinal)
      WHERE (kept.position_key, kept.opened_slot, kept.opened_tx_index, kept.opened_ordinal)
          = (p.position_key, p.opened_slot, p.opened_tx_index, p.opened_ordinal)
  );

-- name: settle_positions
-- Lifecycles that ended before what the fold began with: late history has come, and could not change them.
UPDATE perps.positions
SET settled = true
WHERE stream = $1 AND position_key = ANY ($2::text[]) AND NOT settled;

-- name: clear_dirty
DELETE FROM heliograph.dirty
WHERE stream = $1 AND position_key = ANY ($2::text[]);
