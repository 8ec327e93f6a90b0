-- How far the streams are: for the summary of a running process, `heliograph status`, /ready and /metrics.

-- name: list_progress
SELECT s.name, s.protocol, s.programs, s.first_slot, s.seq, s.epoch, s.head_slot, s.head_time, s.final_slot,
    s.accounts_through, s.genesis,
    CASE WHEN s.leader_expires > clock_timestamp() THEN s.leader END AS leader,
    CASE WHEN s.leader_expires > clock_timestamp()
        THEN extract(epoch FROM s.leader_expires - clock_timestamp())::float8 END AS lease_s,
    extract(epoch FROM clock_timestamp() - s.head_time)::float8 AS behind_s,
    d.through AS complete_through,
    CASE
        WHEN d.through >= s.head_slot AND s.head_time IS NOT NULL THEN s.head_time
        ELSE (
            SELECT k.block_time FROM heliograph.slots AS k
            WHERE k.stream = s.name AND k.slot <= d.through ORDER BY k.slot DESC LIMIT 1
        )
    END AS complete_time,
    g.gaps, g.gap_slots,
    (SELECT count(*) FROM heliograph.dirty AS x WHERE x.stream = s.name) AS dirty,
    (SELECT x.committed_at FROM heliograph.commits AS x WHERE x.stream = s.name ORDER BY x.seq DESC LIMIT 1)
        AS committed_at
FROM heliograph.streams AS s
JOIN heliograph.coverage AS c ON c.stream = s.name
CROSS JOIN LATERAL (
    SELECT max(upper(r)) - 1 AS through FROM unnest(c.slots) AS r WHERE r @> s.first_slot
) AS d
CROSS JOIN LATERAL (
    SELECT count(*) AS gaps, coalesce(sum(upper(r) - lower(r)), 0)::bigint AS gap_slots
    FROM unnest(
        CASE WHEN s.head_slot >= s.first_slot
            THEN int8multirange(int8range(s.first_slot, s.head_slot, '[]')) - c.slots
            ELSE '{}'::int8multirange
        END
    ) AS r
) AS g
ORDER BY s.name;

-- name: read_complete_through
-- NULL where the stream's first slot is not covered.
SELECT s.name, (
    SELECT max(upper(r)) - 1 FROM heliograph.coverage AS c CROSS JOIN LATERAL unnest(c.slots) AS r
    WHERE c.stream = s.name AND r @> s.first_slot
) AS through
FROM heliograph.streams AS s;

-- name: count_incidents
SELECT stream, kind, count(*) FROM heliograph.incidents GROUP BY 1, 2 ORDER BY 1, 2;

-- name: count_undecoded
-- Reasons are sentences with bytes and names in them; whoever counts wants few.
SELECT stream, CASE
        WHEN reason LIKE 'no IDL of %' OR reason LIKE 'no % begins with %' THEN 'unknown'
        WHEN reason LIKE '% both read these bytes, differently%' THEN 'ambiguous'
        WHEN reason LIKE '% cannot be projected: %' THEN 'projection'
        WHEN reason LIKE '%at byte %' OR reason LIKE '%nested too deep%' OR reason LIKE 'the generated decoder %' THEN 'layout'
        ELSE 'refused'
    END AS kind, count(*)
FROM heliograph.undecoded
GROUP BY 1, 2 ORDER BY 1, 2;

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
