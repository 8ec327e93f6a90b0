-- The streams themselves: what they are and how far they are.

-- name: add_stream
INSERT INTO heliograph.streams (name, protocol, programs, first_slot, log_events, instructions)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO NOTHING;

-- name: add_coverage
INSERT INTO heliograph.coverage (stream) VALUES ($1)
ON CONFLICT (stream) DO NOTHING;

-- name: find_schema
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1);

-- name: write_create_schema
SELECT format('CREATE SCHEMA %I', $1::text);

-- name: write_describe_schema
SELECT format('COMMENT ON SCHEMA %I IS %L', $1::text, 'What the programs of the stream of this name said and hold, one table an event and an account type.');

-- name: grant_analyst
SELECT heliograph.grant_analyst();

-- name: get_stream
SELECT name, protocol, programs, first_slot, epoch, seq, head_slot,
       extract(epoch FROM head_time)::bigint AS head_time,
       final_slot, retained_from, accounts_through, leader, genesis,
       coalesce(leader_expires > clock_timestamp(), false) AS led, log_events, instructions
FROM heliograph.streams
WHERE name = $1;

-- name: list_streams
SELECT name, protocol, programs, first_slot, epoch, seq, head_slot,
       extract(epoch FROM head_time)::bigint AS head_time,
       final_slot, retained_from, accounts_through, leader, genesis,
       coalesce(leader_expires > clock_timestamp(), false) AS led, log_events, instructions
FROM heliograph.streams
ORDER BY name;

-- name: read_coverage
SELECT lower(range) AS first, upper(range) - 1 AS last
FROM heliograph.coverage, unnest(slots) AS range
WHERE stream = $1
ORDER BY 1;

-- name: extend_down
-- Completeness is counted from the lowest slot from which everything up to the old first_slot is covered: a value that
-- was true before stays true, whatever history is still missing below.
UPDATE heliograph.streams AS s
SET first_slot = greatest(lower(range), s.retained_from)
FROM heliograph.coverage AS c, unnest(c.slots) AS range
WHERE s.name = $1 AND c.stream = s.name AND range @> s.first_slot - 1
  AND s.first_slot > coalesce(s.retained_from, 0)
RETURNING s.first_slot;

-- name: bind_genesis
-- Whoever asks first binds; everybody reads what was bound.
UPDATE heliograph.streams SET genesis = $2 WHERE name = $1 AND genesis IS NULL;

-- name: get_genesis
SELECT genesis FROM heliograph.streams WHERE name = $1;
