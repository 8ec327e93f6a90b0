"""Canonical records: what every protocol's events are projected to. One class a table of schema `perps`.

Field names and their order are the tables' columns (docs/tables.md gives unit and sign of each; a test keeps
them equal). Amounts are Decimal in human units: size in base, price in quote per base, quote amounts in quote,
rates as a fraction per hour. Funding is positive when received, fees are positive when paid (a rebate is
negative). None means that the protocol does not say.

Event-like records are never changed once written (a correction deletes and rewrites whole slots), but for position
changes that follow from flows: those are made anew whenever earlier flows of their key arrive. State
records (Market, Position, Balance) are the latest state of one object.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

ZERO = Decimal(0)
Side = Literal["long", "short"]
ChangeKind = Literal["open", "increase", "decrease", "funding", "liquidation", "close", "settlement"]
FlowKind = Literal["fill", "liquidation", "funding", "settlement"]
PositionStatus = Literal["open", "closed", "liquidated"]
END_OF_SLOT = 2**31 - 1
"""tx_index of what an account shows: its state is that behind every transaction of the slot."""
LiquidationKind = Literal[
    "perp", "spot", "borrow_for_perp_pnl", "perp_pnl_for_deposit", "perp_bankruptcy", "spot_bankruptcy"
]
TransferKind = Literal["deposit", "withdraw", "lock", "release"]


class EventRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every event-like row begins with.

    block_time: unix seconds. part: counts the rows that one event makes in one table, from 0.
    program: address of the program that emitted the event.
    """

    stream: str
    block_time: int
    slot: int
    tx_index: int
    ordinal: int
    part: int
    signature: str
    program: str


class PositionChange(EventRecord, frozen=True, gc=False, kw_only=True):
    """One change of one position; folding these in chain order gives the position.

    size_delta: base, positive when the position grows, negative when it shrinks, whatever its side; None where the
    protocol does not say. *_after: the state the protocol itself reports after the change, None where it does not.
    realized_pnl: quote, of this change alone, before fee and funding; None where the protocol does not say.
    settled_pnl: quote that the change moved from the position to its owner's balance; no part of realized_pnl.
    borrow_fee, price_impact_fee: the parts of fee that were paid for borrowing and for moving the price, None where the
    protocol has none or does not say.
    side: None where the protocol does not say: that of the position, which only its opening or its account tells.
    """

    market: str
    wallet: str
    position_key: str
    kind: ChangeKind
    side: Side | None
    size_delta: Decimal | None
    size_after: Decimal | None
    price: Decimal | None
    entry_price_after: Decimal | None
    collateral_delta: Decimal | None
    collateral_after: Decimal | None
    realized_pnl: Decimal | None
    fee: Decimal
    funding: Decimal
    liquidation_price_after: Decimal | None
    trade_id: str | None
    settled_pnl: Decimal = ZERO
    borrow_fee: Decimal | None = None
    price_impact_fee: Decimal | None = None


class Flow(EventRecord, frozen=True, gc=False, kw_only=True):
    """One signed movement of a key whose position the event does not tell: folding these gives changes and positions.

    base_delta: base, positive bought, negative sold; 0 for what moves no base. quote: paid or received for it, never
    negative. base_before, base_after: the signed base of the key where the event tells it. entry_quote_after: quote for
    which the base that is then open was entered. entry_quote_released: the part of it that this fill closed; its
    presence says that the fill reduced, closed or flipped. quote_places: decimals of the program's quote, to which it
    truncates a share of an amount. Of two flows that one event makes part tells them apart.
    """

    market: str
    wallet: str
    position_key: str
    kind: FlowKind
    base_delta: Decimal
    quote: Decimal
    price: Decimal | None
    fee: Decimal
    funding: Decimal
    settled_pnl: Decimal
    base_before: Decimal | None
    base_after: Decimal | None
    entry_quote_after: Decimal | None
    entry_quote_released: Decimal | None
    quote_places: int
    trade_id: str | None


class Trade(EventRecord, frozen=True, gc=False, kw_only=True):
    """One fill. taker_side long: the taker buys base. quote = price * size as the protocol reports it."""

    market: str
    trade_id: str
    taker: str | None
    taker_side: Side
    maker: str | None
    price: Decimal
    size: Decimal
    quote: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    taker_position_key: str | None
    maker_position_key: str | None
    taker_order_id: str | None
    maker_order_id: str | None
    liquidation: bool


class FundingRate(EventRecord, frozen=True, gc=False, kw_only=True):
    """rate: fraction per hour, positive when longs pay shorts. premium, interest: fractions per hour that it is made of.

    interval_seconds: how often the protocol itself settles; interval_rate: the fraction per that interval.
    """

    market: str
    mark_price: Decimal | None
    index_price: Decimal | None
    premium: Decimal | None
    interest: Decimal | None
    rate: Decimal
    interval_seconds: int
    interval_rate: Decimal


class FundingPayment(EventRecord, frozen=True, gc=False, kw_only=True):
    """amount: quote, positive when the wallet received it. rate: fraction per hour. size: base, never negative.

    rate and interval_seconds are None where one payment makes up for several intervals.
    """

    market: str
    wallet: str
    position_key: str
    side: Side
    size: Decimal
    rate: Decimal | None
    interval_seconds: int | None
    amount: Decimal


class Liquidation(EventRecord, frozen=True, gc=False, kw_only=True):
    """liquidation_id: equals the trade_id of the fill that belongs to it, where there is one, so that volume counts once.

    kind: what was liquidated; where it is no perps position, market and position_key are those of the deposit or borrow
    that was taken, side long for a deposit and short for a borrow. side, price: None where nothing was left to take.
    size: base taken from the position; fee: paid by the liquidated wallet; bad_debt: quote left uncovered, never negative.
    """

    market: str
    liquidation_id: str
    wallet: str
    liquidator: str | None
    position_key: str
    side: Side | None
    size: Decimal
    price: Decimal | None
    mark_price: Decimal | None
    quote: Decimal
    fee: Decimal
    realized_pnl: Decimal | None
    bad_debt: Decimal
    kind: LiquidationKind = "perp"


class OraclePrice(EventRecord, frozen=True, gc=False, kw_only=True):
    """publish_time: unix seconds, as the oracle says; confidence: half-width in quote per base, None where unknown."""

    market: str
    source: str
    oracle: str | None
    price: Decimal
    confidence: Decimal | None
    publish_time: int


class Transfer(EventRecord, frozen=True, gc=False, kw_only=True):
    """A movement of collateral. free_delta and locked_delta are signed; amount is the nominal, never negative.

    A release gives back the collateral that was locked (amount = -locked_delta) with profit and loss settled:
    free_delta - amount is the result. sub_account: of the wallet, None where the protocol has none.
    """

    wallet: str
    asset: str
    kind: TransferKind
    amount: Decimal
    free_delta: Decimal
    locked_delta: Decimal
    free_after: Decimal | None
    locked_after: Decimal | None
    position_key: str | None
    sub_account: str | None = None


class Market(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One market, described. tick_size: quote per base; lot_size: base. *_rate: fraction of quote, *_ratio: fraction.

    created_*: None where the protocol does not say.
    """

    stream: str
    market: str
    program: str
    symbol: str
    base_asset: str
    quote_asset: str
    oracle: str | None
    tick_size: Decimal | None
    lot_size: Decimal | None
    initial_margin_ratio: Decimal | None
    maintenance_margin_ratio: Decimal | None
    taker_fee_rate: Decimal | None
    maker_fee_rate: Decimal | None
    funding_interval_seconds: int | None
    created_slot: int | None
    created_at: int | None


class MarketState(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a market's account says now. open_interest_*: base, each side counted once. account_slot guards the upsert.

    borrow_rate: fraction of the notional per hour that positions pay for what they borrow of the market's pool.
    """

    stream: str
    market: str
    account_slot: int
    mark_price: Decimal | None
    index_price: Decimal | None
    funding_rate: Decimal | None
    open_interest_long: Decimal | None
    open_interest_short: Decimal | None
    borrow_rate: Decimal | None = None


class Position(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One lifecycle of one position, from opening to close: the fold of its changes and of what accounts say.

    Its id is (stream, position_key, opened_slot, opened_tx_index, opened_ordinal), because addresses are
    reused; lifecycle counts them from 1 for display. One that no change opened and an account shows has
    opened_tx_index END_OF_SLOT. complete: its opening is covered. settled: False while late history waits to be
    folded in. entry_quote: quote for which the open size was entered, exact, where flows or accounts tell it.
    collateral: quote locked in it, None where the protocol does not say. realized_pnl: before fees and funding, None
    where a change did not say. max_size: base, the largest it has been, None without the opening. *_at: unix seconds.
    borrow_fees, price_impact_fees: parts of fees, None where a change did not say.
    """

    stream: str
    position_key: str
    opened_slot: int
    opened_tx_index: int
    opened_ordinal: int
    lifecycle: int
    program: str
    market: str
    wallet: str
    side: Side
    status: PositionStatus
    size: Decimal | None
    max_size: Decimal | None
    entry_price: Decimal | None
    exit_price: Decimal | None
    collateral: Decimal | None
    liquidation_price: Decimal | None
    realized_pnl: Decimal | None
    fees: Decimal
    funding: Decimal
    changes: int
    opened_at: int
    updated_at: int
    updated_slot: int
    updated_tx_index: int
    updated_ordinal: int
    closed_at: int | None
    closed_slot: int | None
    complete: bool
    settled: bool
    entry_quote: Decimal | None = None
    settled_pnl: Decimal = ZERO
    borrow_fees: Decimal | None = None
    price_impact_fees: Decimal | None = None


class Holding(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an account says that a position is now. Amounts as in Position; None: the account does not say.

    account: the address of the account, which may hold several positions (each state of it names all that it holds:
    one that is no longer named is closed). account_slot: of the state. size: base, 0 for a position that is closed
    and whose account is kept. realized_pnl, fees, funding, settled_pnl: since the opening. opened_at: unix seconds; another one
    means another life. liquidated: how it closed, where it did. rounding: base; a size that differs less from what changes
    came to differs as the program rounds, and says nothing new.
    """

    stream: str
    position_key: str
    account: str
    account_slot: int
    program: str
    market: str
    wallet: str
    side: Side
    size: Decimal
    entry_price: Decimal | None = None
    collateral: Decimal | None = None
    liquidation_price: Decimal | None = None
    realized_pnl: Decimal | None = None
    fees: Decimal | None = None
    funding: Decimal | None = None
    entry_quote: Decimal | None = None
    settled_pnl: Decimal | None = None
    opened_at: int | None = None
    liquidated: bool = False
    rounding: Decimal = Decimal(0)


class Balance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A wallet's collateral in one asset, after its latest transfer. total is free + locked and not stored.

    sub_account: of the wallet, empty where the protocol has none. free: negative for a borrow.
    """

    stream: str
    wallet: str
    asset: str
    free: Decimal
    locked: Decimal
    updated_at: int
    updated_slot: int
    updated_tx_index: int
    updated_ordinal: int
    sub_account: str = ""


class Owner(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Whose a sub-account is, for programs whose events name one where others name the wallet.

    wallet: None where this event names the account alone; its address stands for the wallet until that is known.
    """

    stream: str
    account: str
    wallet: str | None


Record = PositionChange | Flow | Trade | FundingRate | FundingPayment | Liquidation | OraclePrice | Transfer
State = Market | MarketState | Position | Balance | Owner
