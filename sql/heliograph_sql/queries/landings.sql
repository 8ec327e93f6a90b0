-- Where transactions stand, for those who follow their own.

-- name: read_landings
-- One row a stream that has the signature, and slot; none where no stream has it. through: up to where the stream is complete.
-- One statement, so that what is called final was not taken back meanwhile.
SELECT g.signature, g.stream, g.slot, g.tx_index, to_jsonb(g.block_time) #>> '{}' AS block_time, t.err, t.err_name,
    coalesce(g.slot <= s.final_slot, false) AS final, coalesce(g.slot <= c.through, false) AS complete
FROM unnest($1::text[]) AS a (signature)
JOIN heliograph.signatures AS g ON g.signature = a.signature
JOIN heliograph.transactions AS t
    ON t.block_time = g.block_time AND t.slot = g.slot AND t.tx_index = g.tx_index AND t.stream = g.stream
JOIN heliograph.streams AS s ON s.name = g.stream
CROSS JOIN LATERAL (
    SELECT max(upper(r)) - 1 AS through
    FROM heliograph.coverage AS v CROSS JOIN LATERAL unnest(v.slots) AS r
    WHERE v.stream = s.name AND r @> s.first_slot
) AS c;

-- name: read_reach
-- How far each stream has come at all, and without a gap.
SELECT s.name, s.head_slot AS head, (
    SELECT max(upper(r)) - 1 FROM heliograph.coverage AS c CROSS JOIN LATERAL unnest(c.slots) AS r
    WHERE c.stream = s.name AND r @> s.first_slot
) AS through
FROM heliograph.streams AS s;
