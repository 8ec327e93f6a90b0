-- How far the streams are, for the summary of a running process and for `heliograph status`.

-- name: list_progress
SELECT s.name, s.protocol, s.programs, s.first_slot, s.seq, s.head_slot, s.head_time, s.final_slot,
    s.accounts_through,
    CASE WHEN s.leader_expires > clock_timestamp() THEN s.leader END AS leader,
    extract(epoch FROM clock_timestamp() - s.head_time)::float8 AS behind_s,
    (SELECT max(upper(r)) - 1 FROM unnest(c.slots) AS r WHERE r @> s.first_slot) AS complete_through,
    (SELECT count(*) FROM unnest(int8multirange(int8range(s.first_slot, s.head_slot, '[]')) - c.slots)) AS gaps
FROM heliograph.streams AS s
JOIN heliograph.coverage AS c ON c.stream = s.name
ORDER BY s.name;

-- name: sum_rows
SELECT coalesce(sum(row_count), 0)::bigint AS rows, coalesce(max(seq), $2)::bigint AS seq
FROM heliograph.commits
WHERE stream = $1 AND seq > $2;

-- name: count_canonical
SELECT (SELECT count(*) FROM perps.markets WHERE stream = $1) AS markets,
    (SELECT count(*) FROM perps.positions WHERE stream = $1 AND status = 'open') AS open_positions,
    (SELECT count(*) FROM perps.positions WHERE stream = $1) AS positions,
    (SELECT count(*) FROM perps.trades WHERE stream = $1) AS trades,
    (SELECT count(*) FROM perps.funding_rates WHERE stream = $1) AS funding_rates,
    (SELECT count(*) FROM perps.funding_payments WHERE stream = $1) AS funding_payments,
    (SELECT count(*) FROM perps.liquidations WHERE stream = $1) AS liquidations;
