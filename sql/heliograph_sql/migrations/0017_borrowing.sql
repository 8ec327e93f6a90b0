-- Pools lend what positions are made of: a fee for borrowing instead of funding, and a fee for what a trade does to the price.

ALTER TABLE perps.position_changes ADD COLUMN borrow_fee numeric;
ALTER TABLE perps.position_changes ADD COLUMN price_impact_fee numeric;
ALTER TABLE perps.positions ADD COLUMN borrow_fees numeric;
ALTER TABLE perps.positions ADD COLUMN price_impact_fees numeric;
ALTER TABLE perps.markets ADD COLUMN borrow_rate numeric;
COMMENT ON COLUMN perps.position_changes.borrow_fee IS 'Quote; the part of fee that was paid for what the position borrows of a pool; NULL where the protocol has none or does not say.';
COMMENT ON COLUMN perps.position_changes.price_impact_fee IS 'Quote; the part of fee that was paid for moving the price; NULL where the protocol has none or does not say.';
COMMENT ON COLUMN perps.positions.borrow_fees IS 'Quote; the part of fees that was paid for borrowing; sum of its changes, NULL where one of them did not say.';
COMMENT ON COLUMN perps.positions.price_impact_fees IS 'Quote; the part of fees that was paid for moving the price; sum of its changes, NULL where one of them did not say.';
COMMENT ON COLUMN perps.markets.borrow_rate IS 'Fraction of the notional per hour that positions pay for what they borrow of this market''s pool; never negative; NULL where the protocol has none or does not say.';

-- An account need not say when its market was created.
ALTER TABLE perps.markets ALTER COLUMN created_slot DROP NOT NULL;
ALTER TABLE perps.markets ALTER COLUMN created_at DROP NOT NULL;
COMMENT ON COLUMN perps.markets.created_slot IS 'Slot in which it was created; NULL where the protocol does not say.';
COMMENT ON COLUMN perps.markets.created_at IS 'Block time of created_slot; NULL where the protocol does not say.';
