-- Whose sub-accounts are. What a row says never changes once it names a wallet: an account's address follows from its owner.

-- name: find_owners
SELECT account, wallet
FROM perps.owners
WHERE stream = $1 AND account = ANY ($2::text[]) AND wallet IS NOT NULL;

-- name: lock_unowned
-- Accounts that rows of other writers name in place of the wallet.
SELECT account
FROM perps.owners
WHERE stream = $1 AND account = ANY ($2::text[]) AND wallet IS NULL
ORDER BY account
FOR UPDATE;

-- name: upsert_owners
-- The row stays locked: who learns the owner and who writes rows without knowing it take turns, and the second mends them.
INSERT INTO perps.owners AS o (stream, account, wallet)
SELECT $1, account, wallet
FROM unnest($2::text[], $3::text[]) AS given (account, wallet)
ON CONFLICT (stream, account) DO UPDATE SET wallet = coalesce(o.wallet, excluded.wallet)
RETURNING account, wallet;

-- name: own_flows
UPDATE perps.flows AS t
SET wallet = known.wallet
FROM unnest($2::text[], $3::text[]) AS known (account, wallet)
WHERE t.stream = $1 AND t.wallet = known.account
RETURNING t.position_key;

-- name: own_takers
UPDATE perps.trades AS t
SET taker = known.wallet
FROM unnest($2::text[], $3::text[]) AS known (account, wallet)
WHERE t.stream = $1 AND t.taker = known.account;

-- name: own_makers
UPDATE perps.trades AS t
SET maker = known.wallet
FROM unnest($2::text[], $3::text[]) AS known (account, wallet)
WHERE t.stream = $1 AND t.maker = known.account;

-- name: own_liquidations
UPDATE perps.liquidations AS t
SET wallet = known.wallet
FROM unnest($2::text[], $3::text[]) AS known (account, wallet)
WHERE t.stream = $1 AND t.wallet = known.account;

-- name: own_liquidators
UPDATE perps.liquidations AS t
SET liquidator = known.wallet
FROM unnest($2::text[], $3::text[]) AS known (account, wallet)
WHERE t.stream = $1 AND t.liquidator = known.account;

-- name: own_transfers
UPDATE perps.transfers AS t
SET wallet = known.wallet
FROM unnest($2::text[], $3::text[]) AS known (account, wallet)
WHERE t.stream = $1 AND t.wallet = known.account;
