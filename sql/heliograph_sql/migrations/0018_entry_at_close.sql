-- An event that closes a position may be the only one that tells what the position was entered at.

COMMENT ON COLUMN perps.position_changes.entry_price_after IS 'Quote per base, average of the open size, at a close of the size that was open; NULL where the protocol does not say.';
