-- Claims as others see them. They are made and given up by the statements of commit.sql. Only the database's clock counts.

-- name: list_claims
SELECT lower(slots) AS first, upper(slots) - 1 AS last,
    extract(epoch FROM expires - clock_timestamp())::float8 AS expires_in_s
FROM heliograph.claims
WHERE stream = $1
  AND holder <> $2
  AND expires > clock_timestamp()
  AND made <= clock_timestamp() + interval '1 second'
ORDER BY slots;
