-- Instructions that mean something: those that no IDL reads are kept with what they were given.

ALTER TABLE heliograph.undecoded ADD COLUMN accounts text[];
COMMENT ON COLUMN heliograph.undecoded.accounts IS 'Addresses that an instruction was given, base58, in order; NULL for events.';
COMMENT ON COLUMN heliograph.undecoded.channel IS 'data, log or cpi: how the program said it; instruction: what it was asked, of protocols to whom that means something; record: data is a row as JSON that its table refused.';

-- An instruction that closes a position does not say its side.
ALTER TABLE perps.position_changes ALTER COLUMN side DROP NOT NULL;
COMMENT ON COLUMN perps.position_changes.side IS 'Side of the position: long or short; NULL where the protocol does not say.';

-- Nor does an event of a liquidation, of some protocols.
ALTER TABLE perps.liquidations ALTER COLUMN side DROP NOT NULL;
COMMENT ON COLUMN perps.liquidations.side IS 'long or short, where a deposit was taken long, where a borrow short; NULL where the protocol does not say or nothing was left of the position.';

COMMENT ON COLUMN perps.positions.closed_slot IS 'Slot of the close; of the account''s first state that shows it closed where nothing else tells; NULL while open.';
COMMENT ON COLUMN perps.positions.closed_at IS 'Block time of closed_slot; NULL while open.';
