-- What `complete` says since accounts are compared with what changes came to.

COMMENT ON COLUMN perps.positions.complete IS 'Its opening is known, and nothing told since contradicts what changes came to. Where false, sums begin at the first change that is known, or lack those that are not.';
