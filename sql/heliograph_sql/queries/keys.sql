-- API keys. Run by asyncpg.

-- name: add_key
INSERT INTO heliograph.api_keys (id, hash, name, requests_per_minute, expires_at)
VALUES ($1, $2, $3, $4, now() + make_interval(days => $5));

-- name: read_key
SELECT id, name, wallet, requests_per_minute, created_at, expires_at, revoked_at
FROM heliograph.api_keys
WHERE id = $1 AND hash = $2 AND revoked_at IS NULL AND coalesce(expires_at > now(), true);

-- name: list_keys
SELECT id, name, wallet, requests_per_minute, created_at, expires_at, revoked_at
FROM heliograph.api_keys
ORDER BY created_at, id;

-- name: revoke_key
UPDATE heliograph.api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id;

-- name: is_key
SELECT EXISTS (SELECT FROM heliograph.api_keys WHERE id = $1);

-- name: revoke_of_wallet
UPDATE heliograph.api_keys SET revoked_at = now() WHERE wallet = $1 AND revoked_at IS NULL;

-- name: forget_over
-- Keys that wallets signed for are of no use a day after their end, when their nonces are over too. Of all wallets: they cost
-- nothing, and most never come back. Who else is about to delete one may.
DELETE FROM heliograph.api_keys
WHERE id = ANY (ARRAY(
    SELECT id FROM heliograph.api_keys
    WHERE wallet IS NOT NULL AND least(revoked_at, expires_at) < now() - interval '1 day'
    FOR UPDATE SKIP LOCKED
));

-- name: add_wallet_key
INSERT INTO heliograph.api_keys (id, hash, name, wallet, nonce, expires_at)
VALUES ($1, $2, 'signed for by its wallet', $3, $4, $5)
ON CONFLICT (nonce) DO NOTHING
RETURNING id;

-- name: is_used
SELECT EXISTS (SELECT FROM heliograph.api_keys WHERE nonce = $1);

-- name: lock_wallet
-- Two sign-ins of one wallet at once take turns.
SELECT pg_advisory_xact_lock(hashtextextended('heliograph.api_keys ' || $1, 0));

-- name: write_secret
INSERT INTO heliograph.api_secret (secret) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: read_secret
SELECT secret FROM heliograph.api_secret;
