-- Flows: signed movements of keys whose positions the program's events do not tell. The leader folds them into
-- perps.position_changes and perps.positions; both are made anew where late history came. docs/decisions/0014.

CREATE TABLE perps.flows (
    stream text NOT NULL,
    block_time timestamptz NOT NULL,
    slot bigint NOT NULL,
    tx_index integer NOT NULL,
    ordinal integer NOT NULL,
    part smallint NOT NULL,
    signature text NOT NULL,
    program text NOT NULL,
    market text NOT NULL,
    wallet text NOT NULL,
    position_key text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('fill', 'liquidation', 'funding', 'settlement')),
    base_delta numeric NOT NULL,
    quote numeric NOT NULL,
    price numeric,
    fee numeric NOT NULL,
    funding numeric NOT NULL,
    settled_pnl numeric NOT NULL,
    base_before numeric,
    base_after numeric,
    entry_quote_after numeric,
    entry_quote_released numeric,
    quote_places smallint NOT NULL,
    trade_id text,
    PRIMARY KEY (block_time, slot, tx_index, ordinal, stream, part)
);
CREATE INDEX flows_by_position_key ON perps.flows (position_key, block_time, slot, tx_index, ordinal, stream, part);
CREATE INDEX flows_by_wallet ON perps.flows (wallet, block_time, slot, tx_index, ordinal, stream, part);

COMMENT ON TABLE perps.flows IS 'Signed movements of keys, of programs whose events do not tell which side a position is on. Folded in chain order they give perps.position_changes and perps.positions.';
COMMENT ON COLUMN perps.flows.stream IS 'The stream that the row belongs to.';
COMMENT ON COLUMN perps.flows.block_time IS 'Time of the block; never contradicts the slot. Tables are cut by it: put a bound on it in every query.';
COMMENT ON COLUMN perps.flows.slot IS 'Slot of the block.';
COMMENT ON COLUMN perps.flows.tx_index IS 'Position of the transaction among all transactions of its block, from 0.';
COMMENT ON COLUMN perps.flows.ordinal IS 'Position of the event among all candidates of its transaction, decoded or not, from 0.';
COMMENT ON COLUMN perps.flows.part IS 'Counts the rows that one event makes in this table, from 0.';
COMMENT ON COLUMN perps.flows.signature IS 'Signature of the transaction, base58.';
COMMENT ON COLUMN perps.flows.program IS 'Address of the program that emitted the event, base58.';
COMMENT ON COLUMN perps.flows.market IS 'Address of the market, base58.';
COMMENT ON COLUMN perps.flows.wallet IS 'Owner of the position, base58; the address of its account until its owner is known.';
COMMENT ON COLUMN perps.flows.position_key IS 'Key of the position, as in perps.positions.';
COMMENT ON COLUMN perps.flows.kind IS 'fill, liquidation (a fill that a liquidator forced), funding or settlement (profit or loss moved to the balance).';
COMMENT ON COLUMN perps.flows.base_delta IS 'Base; positive bought, negative sold; 0 where none moved.';
COMMENT ON COLUMN perps.flows.quote IS 'Quote that was paid or received for it, never negative.';
COMMENT ON COLUMN perps.flows.price IS 'Quote per base; NULL where no base moved.';
COMMENT ON COLUMN perps.flows.fee IS 'Quote; positive when paid, negative for a rebate.';
COMMENT ON COLUMN perps.flows.funding IS 'Quote; positive when received, negative when paid.';
COMMENT ON COLUMN perps.flows.settled_pnl IS 'Quote that moved from the position to the balance; negative: from the balance.';
COMMENT ON COLUMN perps.flows.base_before IS 'Signed base of the key before it; NULL where the event does not tell.';
COMMENT ON COLUMN perps.flows.base_after IS 'Signed base of the key after it; NULL where the event does not tell.';
COMMENT ON COLUMN perps.flows.entry_quote_after IS 'Quote for which the base that is open after it was entered; NULL where the event does not tell.';
COMMENT ON COLUMN perps.flows.entry_quote_released IS 'Quote for which the base that it closed was entered; NULL where it closed none or the event does not tell.';
COMMENT ON COLUMN perps.flows.quote_places IS 'Decimals of quote to which the program truncates a share of an amount.';
COMMENT ON COLUMN perps.flows.trade_id IS 'The fill, as in perps.trades; NULL where none.';

ALTER TABLE perps.position_changes ADD COLUMN settled_pnl numeric NOT NULL DEFAULT 0;
COMMENT ON COLUMN perps.position_changes.settled_pnl IS 'Quote that the change moved from the position to its owner''s balance; no part of realized_pnl.';
COMMENT ON TABLE perps.position_changes IS 'Every change of every position: opening, increase, decrease, funding, liquidation, close, settlement. Folded in chain order they give perps.positions; those that follow from perps.flows are made anew where late history came.';
COMMENT ON COLUMN perps.position_changes.kind IS 'open, increase, decrease, funding, liquidation, close or settlement (profit or loss moved to the balance).';
ALTER TABLE perps.position_changes DROP CONSTRAINT position_changes_kind_check;
ALTER TABLE perps.position_changes ADD CONSTRAINT position_changes_kind_check
    CHECK (kind IN ('open', 'increase', 'decrease', 'funding', 'liquidation', 'close', 'settlement'));

ALTER TABLE perps.positions ADD COLUMN entry_quote numeric;
ALTER TABLE perps.positions ADD COLUMN settled_pnl numeric NOT NULL DEFAULT 0;
COMMENT ON COLUMN perps.positions.entry_quote IS 'Quote for which the open size was entered, exact; entry_price is this by size; NULL where only the price is known.';
COMMENT ON COLUMN perps.positions.settled_pnl IS 'Quote that was moved from the position to its owner''s balance; sum of its changes. No part of realized_pnl: it settles profit that is not realized yet too.';
