-- Instructions that mean something: those that no IDL reads are kept with what they were given.

ALTER TABLE heliograph.undecoded ADD COLUMN accounts text[];
COMMENT ON COLUMN heliograph.undecoded.accounts IS 'Addresses that an instruction was given, base58, in order; NULL for events.';
COMMENT ON COLUMN heliograph.undecoded.channel IS 'data, log or cpi: how the program said it; instruction: what it was asked, of protocols to whom that means something; record: data is a row as JSON that its table refused.';

-- An instruction that closes a position does not say its side.
ALTER TABLE perps.position_changes ALTER COLUMN side DROP NOT NULL;
COMMENT ON COLUMN perps.position_changes.side IS 'Side of the position: long or short; NULL where the protocol does not say.';
