-- Accounts as they are stored.

-- name: list_open_accounts
-- What a scan of the chain must show again, or else it closed while nobody looked.
SELECT address, program, slot FROM heliograph.accounts WHERE stream = $1 AND lamports > 0;
