-- What accounts showed of positions. Whoever writes here holds the lock of folding (folding.sql).

-- name: read_latest
-- The latest life of each key.
SELECT DISTINCT ON (position_key) position_key, sighting::text AS sighting
FROM heliograph.sightings
WHERE stream = $1 AND position_key = ANY ($2::text[])
ORDER BY position_key, first_slot DESC;

-- name: holds_any
SELECT EXISTS (SELECT FROM heliograph.sightings WHERE stream = $1 AND account = ANY ($2::text[]));

-- name: read_of_accounts
-- Lives that these accounts held when they were last seen.
SELECT sighting::text AS sighting
FROM heliograph.sightings
WHERE stream = $1 AND account = ANY ($2::text[]) AND is_open;

-- name: read_since
-- Lives of these accounts of which something was seen at a slot or later.
SELECT sighting::text AS sighting
FROM heliograph.sightings
WHERE stream = $1
  AND account = ANY ($2::text[])
  AND greatest((sighting ->> 'slot')::bigint, (sighting ->> 'gone_slot')::bigint) >= $3;

-- name: read_all
SELECT position_key, sighting::text AS sighting
FROM heliograph.sightings
WHERE stream = $1 AND position_key = ANY ($2::text[])
ORDER BY position_key, first_slot;

-- name: upsert
INSERT INTO heliograph.sightings (stream, position_key, first_slot, account, is_open, sighting)
SELECT $1, position_key, first_slot, account, is_open, sighting::jsonb
FROM unnest($2::text[], $3::bigint[], $4::text[], $5::boolean[], $6::text[])
    AS given (position_key, first_slot, account, is_open, sighting)
ON CONFLICT (stream, position_key, first_slot) DO UPDATE SET
    account = excluded.account, is_open = excluded.is_open, sighting = excluded.sighting;

-- name: delete
DELETE FROM heliograph.sightings AS s
USING unnest($2::text[], $3::bigint[]) AS gone (position_key, first_slot)
WHERE s.stream = $1 AND s.position_key = gone.position_key AND s.first_slot = gone.first_slot;

-- name: find_unsized
-- Open positions of sub-accounts whose size nothing tells yet.
SELECT p.position_key, o.account, p.program, p.market, p.wallet, p.side, p.updated_slot
FROM perps.owners AS o
JOIN perps.positions AS p ON p.stream = o.stream AND p.wallet = coalesce(o.wallet, o.account)
WHERE o.stream = $1
  AND o.account = ANY ($2::text[])
  AND p.status = 'open'
  AND p.size IS NULL
  AND starts_with(p.position_key, o.account || '-');
