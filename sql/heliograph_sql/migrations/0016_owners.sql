-- Accounts that stand for a wallet, and what events of real programs do not tell.

CREATE TABLE perps.owners (
    stream text NOT NULL,
    account text NOT NULL,
    wallet text,
    PRIMARY KEY (stream, account)
);
CREATE INDEX owners_by_wallet ON perps.owners (wallet, stream, account);
COMMENT ON TABLE perps.owners IS 'Whose each sub-account is: programs whose events name an account where others name the wallet.';
COMMENT ON COLUMN perps.owners.stream IS 'The stream that the row belongs to.';
COMMENT ON COLUMN perps.owners.account IS 'Address of the sub-account, base58.';
COMMENT ON COLUMN perps.owners.wallet IS 'Its owner, base58; NULL until an event or the account tells: until then the account''s own address stands for it.';

ALTER TABLE perps.liquidations ALTER COLUMN side DROP NOT NULL;
ALTER TABLE perps.liquidations ALTER COLUMN price DROP NOT NULL;
ALTER TABLE perps.liquidations ADD COLUMN kind text NOT NULL DEFAULT 'perp'
    CHECK (kind IN ('perp', 'spot', 'borrow_for_perp_pnl', 'perp_pnl_for_deposit', 'perp_bankruptcy', 'spot_bankruptcy'));
COMMENT ON COLUMN perps.liquidations.kind IS 'What was liquidated. perp: a position. Of a program with deposits and borrows also spot (a borrow for a deposit), borrow_for_perp_pnl, perp_pnl_for_deposit (what was taken is the borrow or the deposit, in the market of its asset), perp_bankruptcy and spot_bankruptcy (bad_debt that others bear).';
COMMENT ON COLUMN perps.liquidations.side IS 'long or short; a deposit is long, a borrow short; NULL where nothing was left of the position.';
COMMENT ON COLUMN perps.liquidations.price IS 'Quote per base at which it was taken; NULL of a bankruptcy.';

ALTER TABLE perps.funding_payments ALTER COLUMN rate DROP NOT NULL;
ALTER TABLE perps.funding_payments ALTER COLUMN interval_seconds DROP NOT NULL;
COMMENT ON COLUMN perps.funding_payments.rate IS 'Fraction per hour; NULL where the protocol does not say.';
COMMENT ON COLUMN perps.funding_payments.interval_seconds IS 'Seconds that the payment covers; NULL where the protocol does not say.';

-- A wallet with several sub-accounts has a balance in each.
ALTER TABLE perps.transfers ADD COLUMN sub_account text;
COMMENT ON COLUMN perps.transfers.sub_account IS 'Sub-account of the wallet, base58; NULL where the protocol has none.';
ALTER TABLE perps.balances ADD COLUMN sub_account text NOT NULL DEFAULT '';
ALTER TABLE perps.balances DROP CONSTRAINT balances_pkey;
ALTER TABLE perps.balances ADD PRIMARY KEY (stream, wallet, asset, sub_account);
COMMENT ON COLUMN perps.balances.sub_account IS 'Sub-account of the wallet, base58; empty where the protocol has none.';
ALTER TABLE heliograph.retained_balances ADD COLUMN sub_account text NOT NULL DEFAULT '';
ALTER TABLE heliograph.retained_balances DROP CONSTRAINT retained_balances_pkey;
ALTER TABLE heliograph.retained_balances ADD PRIMARY KEY (stream, wallet, asset, sub_account);
COMMENT ON COLUMN heliograph.retained_balances.sub_account IS 'As in perps.balances.';

-- An account need not say when its market was created.
ALTER TABLE perps.markets ALTER COLUMN created_slot DROP NOT NULL;
ALTER TABLE perps.markets ALTER COLUMN created_at DROP NOT NULL;
COMMENT ON COLUMN perps.markets.created_slot IS 'Slot in which it was created; NULL where the protocol does not say.';
COMMENT ON COLUMN perps.markets.created_at IS 'Block time of created_slot; NULL where the protocol does not say.';
