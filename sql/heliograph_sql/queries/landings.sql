-- Where transactions stand, for those who follow their own.

-- name: read_landings
-- One row a stream that has the signature, and slot; none where no stream has it. seq: of the commit that last wrote the slot.
-- One statement, so that what is called final was not taken back meanwhile.
WITH reach AS MATERIALIZED (
    SELECT s.name, s.final_slot, (
        SELECT max(upper(r)) - 1 FROM heliograph.coverage AS v CROSS JOIN LATERAL unnest(v.slots) AS r
        WHERE v.stream = s.name AND r @> s.first_slot
    ) AS through
    FROM heliograph.streams AS s
)
SELECT g.signature, g.stream, g.slot, g.tx_index, k.seq, g.block_time,
    coalesce(g.slot <= c.final_slot, false) AS final, coalesce(g.slot <= c.through, false) AS complete
FROM unnest($1::text[]) AS a (signature)
JOIN heliograph.signatures AS g ON g.signature = a.signature
JOIN heliograph.slots AS k ON k.stream = g.stream AND k.slot = g.slot
JOIN reach AS c ON c.name = g.stream;

-- name: read_outcomes
-- Of transactions by their places. The table is cut by time, so their first and last block times say which parts of it are opened.
SELECT t.stream, t.slot, t.tx_index, to_jsonb(t.block_time) #>> '{}' AS block_time, t.err, t.err_name
FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::timestamptz[]) AS a (stream, slot, tx_index, block_time)
JOIN heliograph.transactions AS t
    ON t.block_time = a.block_time AND t.slot = a.slot AND t.tx_index = a.tx_index AND t.stream = a.stream
WHERE t.block_time BETWEEN $5 AND $6;

-- name: read_reach
-- How far each stream has come at all, and without a gap.
SELECT s.name, s.head_slot AS head, (
    SELECT max(upper(r)) - 1 FROM heliograph.coverage AS c CROSS JOIN LATERAL unnest(c.slots) AS r
    WHERE c.stream = s.name AND r @> s.first_slot
) AS through
FROM heliograph.streams AS s;
