-- Positions that accounts hold: what accounts showed of them, kept apart from the changes that they are folded with.

CREATE TABLE heliograph.sightings (
    stream text NOT NULL REFERENCES heliograph.streams ON DELETE CASCADE,
    position_key text NOT NULL,
    first_slot bigint NOT NULL,
    account text NOT NULL,
    is_open boolean NOT NULL,
    sighting jsonb NOT NULL,
    PRIMARY KEY (stream, position_key, first_slot)
);
CREATE INDEX sightings_account ON heliograph.sightings (stream, account);
COMMENT ON TABLE heliograph.sightings IS 'What accounts showed of positions, a row a life: folding begins, corrects and ends lifecycles with it.';
COMMENT ON COLUMN heliograph.sightings.stream IS 'The stream.';
COMMENT ON COLUMN heliograph.sightings.position_key IS 'The position''s key.';
COMMENT ON COLUMN heliograph.sightings.first_slot IS 'Slot of the account''s first state that showed this life.';
COMMENT ON COLUMN heliograph.sightings.account IS 'The account that holds it, base58.';
COMMENT ON COLUMN heliograph.sightings.is_open IS 'Whether the account holds it still, with a size.';
COMMENT ON COLUMN heliograph.sightings.sighting IS 'When it was first seen, what the account last said of it, and when the account had it no longer; decimals as text, times as unix seconds.';

-- An instruction that closes a position says neither how large it was nor what came of it; its account may.
ALTER TABLE perps.position_changes ALTER COLUMN size_delta DROP NOT NULL;
ALTER TABLE perps.position_changes ALTER COLUMN realized_pnl DROP NOT NULL;
ALTER TABLE perps.positions ALTER COLUMN realized_pnl DROP NOT NULL;
COMMENT ON COLUMN perps.position_changes.size_delta IS 'Base; positive when the position grows, negative when it shrinks, whatever its side; NULL where the protocol does not say.';
COMMENT ON COLUMN perps.position_changes.realized_pnl IS 'Quote; profit positive, loss negative; of this change alone, before fee and funding; NULL where the protocol does not say.';
COMMENT ON COLUMN perps.positions.realized_pnl IS 'Quote; profit positive, loss negative; before fees and funding; what the account says, else the sum of its changes; NULL where one of them did not say.';
COMMENT ON COLUMN perps.positions.opened_tx_index IS 'Its transaction''s position in the block; 2147483647 where no transaction tells and an account showed it first.';
COMMENT ON COLUMN perps.positions.updated_slot IS 'Slot of the last change, or of the account''s state that altered it last.';
