-- API keys, and the secret with which every API of this database makes nonces for wallets to sign. Not for analysts.

CREATE TABLE heliograph.api_keys (
    id text PRIMARY KEY,
    hash bytea NOT NULL,
    name text NOT NULL,
    wallet text,
    nonce text UNIQUE,
    requests_per_minute integer CHECK (requests_per_minute > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX api_keys_by_wallet ON heliograph.api_keys (wallet) WHERE revoked_at IS NULL;
COMMENT ON TABLE heliograph.api_keys IS 'Keys that clients of the API send; the keys themselves are not stored.';
COMMENT ON COLUMN heliograph.api_keys.id IS 'Names the key; its public part.';
COMMENT ON COLUMN heliograph.api_keys.hash IS 'SHA-256 of its secret part, which is random.';
COMMENT ON COLUMN heliograph.api_keys.name IS 'What it is for.';
COMMENT ON COLUMN heliograph.api_keys.wallet IS 'The wallet that signed for it; NULL where it was added by hand. A wallet has one living key.';
COMMENT ON COLUMN heliograph.api_keys.nonce IS 'What the wallet signed, so that it counts once.';
COMMENT ON COLUMN heliograph.api_keys.requests_per_minute IS 'How often it may ask; NULL: as the settings say.';
COMMENT ON COLUMN heliograph.api_keys.created_at IS 'When it was made.';
COMMENT ON COLUMN heliograph.api_keys.expires_at IS 'Until when it is good; NULL: until it is revoked.';
COMMENT ON COLUMN heliograph.api_keys.revoked_at IS 'Since when it is not good any more.';

CREATE TABLE heliograph.api_secret (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    secret bytea NOT NULL
);
COMMENT ON TABLE heliograph.api_secret IS 'One row: the secret that nonces are made with, written by the first API that needs it.';
COMMENT ON COLUMN heliograph.api_secret.single IS 'There is one row.';
COMMENT ON COLUMN heliograph.api_secret.secret IS '32 random bytes.';
