"""QuantDesk's accounts, instructions and events as records, the numbers worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from heliograph_core.account import AccountState, AccountUpdate
from heliograph_core.event import Channel, Event, EventKey
from heliograph_core.instruction import FIRST_ORDINAL, InstructionCall
from heliograph_core.records import (
    Balance,
    FundingRate,
    Holding,
    Liquidation,
    Market,
    MarketState,
    OraclePrice,
    PositionChange,
    Trade,
    Transfer,
)
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.decode import DecodedSlot, DecodedTransaction, Layouts, decode_account
from heliograph_indexer.idl.encoder import Encoder
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocols.quantdesk import PROGRAMS, QuantDesk
from heliograph_sql.idls import StoredIdl

D = Decimal
QUANTDESK = QuantDesk()
PROGRAM = PROGRAMS["quantdesk_perp_dex"]
KEY = "11111111111111111111111111111112"
IDL = Path(__file__).resolve().parents[4] / "shared" / "idl" / "quantdesk_deployed.json"
POSITION: dict[str, Any] = {
    "user_account": KEY,
    "user": "Wallet",
    "market": "Market",
    "position_index": 3,
    "side": "Short",
    "status": "Open",
    "size": 2_500_000,
    "entry_price": 150_000_001,
    "current_price": 150_000_001,
    "liquidation_price": 225_000_001,
    "unrealized_pnl": 7,
    "realized_pnl": -1_500_000,
    "funding_rate": 0,
    "last_funding_update": 0,
    "total_funding_paid": 250_000,
    "initial_margin": 37_500_000,
    "maintenance_margin": 30_000_000,
    "leverage": 10,
    "margin": 0,
    "total_collateral_value": 0,
    "collateral_accounts": [KEY] * 5,
    "opened_at": 1_790_000_000,
    "closed_at": 0,
    "last_updated": 1_790_000_100,
    "created_at": 0,
    "bump": 254,
}
MARKET: dict[str, Any] = {
    "base_asset": "SOL",
    "quote_asset": "USDT",
    "base_reserve": 1,
    "quote_reserve": 1,
    "k": 1,
    "funding_rate": -25,
    "last_funding_time": 0,
    "funding_interval": 7200,
    "authority": KEY,
    "max_leverage": 100,
    "initial_margin_ratio": 500,
    "maintenance_margin_ratio": 300,
    "is_active": True,
    "last_oracle_price": 151_234_567,
    "last_oracle_update": 0,
    "bump": 255,
}


def account(name: str, fields: dict[str, Any]) -> list[Any]:
    return list(QUANTDESK.project_account("s", AccountState("Address", PROGRAM, 77, 9, b"", name, fields)))


def call(name: str | None, failed: bool = False, reason: str | None = None, **fields: Any) -> InstructionCall:
    accounts = {"account:position": "Position", "account:market": "Market", "account:user": "Wallet"}
    return InstructionCall(
        block_time=1000,
        slot=5,
        tx_index=2,
        position=1,
        signature="sig",
        program=PROGRAM,
        caller=None,
        depth=1,
        outer_index=1,
        inner_index=None,
        failed=failed,
        error=None,
        name=name,
        fields={**fields, **accounts} if name else {},
        others=("A", "B"),
        data=b"somebytes",
        reason=reason,
    )


OPEN = call(
    "open_position", side="Long", size=1_500_000, entry_price=150_000_001, leverage=10, position_index=0
)
CLOSE = call("close_position")


def event(name: str, **fields: Any) -> list[Any]:
    return list(QUANTDESK.project("s", said(name, **fields)))


def said(name: str, **fields: Any) -> Event:
    key = EventKey(1000, 5, 2, 0, "sig")
    where = {"user": "Wallet", "position": "Position", "market": "Market", "timestamp": 999}
    return Event(key, PROGRAM, None, 1, Channel.DATA, name, {**where, **fields})


def test_an_open_position() -> None:
    [holding] = account("Position", POSITION)
    assert holding == Holding(
        stream="s",
        position_key="Address",
        account="Address",
        account_slot=77,
        program=PROGRAM,
        market="Market",
        wallet="Wallet",
        side="short",
        size=D("2.5"),
        entry_price=D("150.000001"),
        collateral=D("37.5"),
        liquidation_price=D("225.000001"),
        realized_pnl=D("-1.5"),
        funding=D("-0.25"),
        opened_at=1_790_000_000,
    )


def test_a_closed_position_has_no_size_and_its_profit_in_unrealized_pnl() -> None:
    [holding] = account("Position", {**POSITION, "size": 0, "unrealized_pnl": 2_000_001})
    assert (holding.size, holding.realized_pnl, holding.liquidated) == (D(0), D("0.500001"), False)
    [liquidated] = account("Position", {**POSITION, "status": "Liquidated"})
    assert (liquidated.size, liquidated.liquidated) == (D(0), True)
    assert account("Position", {**POSITION, "opened_at": 0}) == []


def test_a_market() -> None:
    market, state = account("Market", MARKET)
    assert isinstance(market, Market) and isinstance(state, MarketState)
    assert (market.symbol, market.base_asset, market.quote_asset) == ("SOL-PERP", "SOL", "USDT")
    assert (market.initial_margin_ratio, market.maintenance_margin_ratio) == (D("0.05"), D("0.03"))
    assert (market.funding_interval_seconds, market.created_slot, market.tick_size) == (7200, None, None)
    assert (state.index_price, state.mark_price) == (D("151.234567"), None)
    assert (state.funding_rate, state.account_slot) == (D("-0.00125"), 77)
    assert account("Market", {**MARKET, "funding_interval": 0})[1].funding_rate is None


def test_collateral_of_an_asset_whose_decimals_are_known() -> None:
    fields = {"user": "Wallet", "asset_type": "SOL", "amount": 1_500_000_001, "last_updated": 900}
    [balance] = account("CollateralAccount", fields)
    assert isinstance(balance, Balance)
    assert (balance.wallet, balance.asset, balance.free, balance.locked) == (
        "Wallet",
        "SOL",
        D("1.500000001"),
        D(0),
    )
    assert account("CollateralAccount", {**fields, "asset_type": "BTC"}) == []
    assert account("UserAccount", {}) == account("Order", {}) == []


def test_instructions_that_open_and_close_and_those_that_failed() -> None:
    [opened] = QUANTDESK.project_instruction("s", OPEN)
    assert isinstance(opened, PositionChange)
    assert (opened.kind, opened.side, opened.size_after, opened.size_delta) == (
        "open",
        "long",
        D("1.5"),
        None,
    )
    assert (opened.price, opened.position_key, opened.wallet) == (D("150.000001"), "Position", "Wallet")
    assert (opened.slot, opened.tx_index, opened.ordinal) == (5, 2, FIRST_ORDINAL + 1)
    [closed] = QUANTDESK.project_instruction("s", CLOSE)
    assert isinstance(closed, PositionChange)
    assert (closed.kind, closed.side, closed.size_after, closed.realized_pnl) == ("close", None, D(0), None)
    assert list(QUANTDESK.project_instruction("s", call("close_position", failed=True))) == []
    assert list(QUANTDESK.project_instruction("s", call("cancel_order"))) == []
    with pytest.raises(ValueError, match="2 more"):
        QUANTDESK.project_instruction("s", call("close_position", reason="it takes 2 more accounts"))


def test_deposits_and_withdrawals_of_sol() -> None:
    [deposit] = QUANTDESK.project_instruction("s", call("deposit_native_sol", amount=2_000_000_001))
    [withdrawal] = QUANTDESK.project_instruction("s", call("withdraw_native_sol", amount=5))
    assert isinstance(deposit, Transfer) and isinstance(withdrawal, Transfer)
    assert (deposit.asset, deposit.kind, deposit.amount, deposit.free_delta) == (
        "SOL",
        "deposit",
        D("2.000000001"),
        D("2.000000001"),
    )
    assert (withdrawal.kind, withdrawal.amount, withdrawal.free_delta) == (
        "withdraw",
        D("0.000000005"),
        D("-0.000000005"),
    )


def test_the_seven_events() -> None:
    [opened] = event("PositionOpened", side="Short", size=1_500_000, entry_price=10_000_001, leverage=5)
    assert (opened.kind, opened.side, opened.size_after, opened.entry_price_after) == (
        "open",
        "short",
        D("1.5"),
        D("10.000001"),
    )
    [closed] = event("PositionClosed", side="Short", size=1_500_000, exit_price=9_000_000, pnl=1_500_001)
    assert (closed.kind, closed.size_after, closed.price, closed.realized_pnl) == (
        "close",
        D(0),
        D(9),
        D("1.500001"),
    )
    liquidation, change = event(
        "LiquidationExecuted", liquidated_size=1_500_000, liquidation_price=3_000_001, penalty=40
    )
    assert isinstance(liquidation, Liquidation)
    assert (liquidation.size, liquidation.quote, liquidation.fee) == (D("1.5"), D("4.5000015"), D("0.00004"))
    assert (liquidation.side, liquidation.liquidation_id) == (None, "sig:0")
    assert (change.kind, change.side, change.size_after, change.fee) == (
        "liquidation",
        None,
        D(0),
        D("0.00004"),
    )
    [trade] = event("OrderFilled", order="Order", side="Long", size=1_500_000, price=2_000_001, fee=3)
    assert isinstance(trade, Trade)
    assert (trade.taker_side, trade.quote, trade.taker_fee) == ("long", D("3.0000015"), D("0.000003"))
    assert (trade.taker_order_id, trade.trade_id, trade.maker) == ("Order", "sig:0", None)
    [rate] = event("FundingRateUpdated", funding_rate=-13)
    assert isinstance(rate, FundingRate)
    assert (rate.rate, rate.interval_rate, rate.interval_seconds) == (D("-0.0013"), D("-0.0013"), 3600)
    [price] = event("OraclePriceUpdated", price=2_000_001, confidence=5)
    assert isinstance(price, OraclePrice)
    assert (price.price, price.confidence, price.publish_time) == (D("2.000001"), D("0.000005"), 999)
    assert event("OrderPlaced", order="Order", side="Long", size=1, price=1, order_type="Limit") == []


def decoded(*calls: InstructionCall, events: tuple[Event, ...] = ()) -> DecodedSlot:
    transaction = Transaction("sig", 2, None, None, None)
    raw = (None,) * len(events)
    return DecodedSlot(
        Slot(5, 1000, ()),
        (DecodedTransaction(transaction, events, raw, (), None, False, (), calls),),  # type: ignore[arg-type]
    )


def test_what_an_event_tells_of_a_position_replaces_what_the_instruction_tells() -> None:
    opened = said("PositionOpened", side="Long", size=1_500_000, entry_price=150_000_001, leverage=10)
    both = project_slots("s", [decoded(OPEN, events=(opened,))], QUANTDESK)
    assert [record.ordinal for record in both.records] == [0]
    other = said("PositionOpened", position="Other", side="Long", size=1, entry_price=1, leverage=1)
    two = project_slots("s", [decoded(OPEN, events=(other,))], QUANTDESK)
    assert [record.ordinal for record in two.records] == [0, FIRST_ORDINAL + 1]


def test_an_instruction_that_nothing_reads_is_kept_with_its_accounts_and_told() -> None:
    made = project_slots(
        "s", [decoded(call(None, reason="no instruction"), call(None, failed=True, reason="x"))], QUANTDESK
    )
    [lost] = made.undecoded
    assert (lost.channel, lost.data, lost.accounts) == (Channel.INSTRUCTION, b"somebytes", ("A", "B"))
    assert lost.key.ordinal == FIRST_ORDINAL + 1
    assert [one.kind for one in made.incidents] == ["undecoded"]
    short = project_slots("s", [decoded(call("close_position", reason="1 more"))], QUANTDESK)
    assert [one.reason for one in short.undecoded] == [
        "close_position cannot be projected: ValueError: 1 more"
    ]
    assert short.undecoded[0].accounts == ("Position", "Market", "Wallet", "A", "B")


@pytest.mark.skipif(not IDL.exists(), reason="the real IDLs of ../shared are absent")
def test_accounts_of_the_deployed_program_as_long_as_they_are_there() -> None:
    encoder = Encoder(IDL.read_bytes())
    layouts = Layouts.of(QUANTDESK, [StoredIdl(PROGRAM, 0, "", IDL.read_text())])
    for name, fields, size in (
        ("Position", {**POSITION, "user": KEY, "market": KEY}, 407),
        ("Market", MARKET, 175),
    ):
        data = encoder.account(name, fields).ljust(size, b"\0")
        assert len(data) == size
        state = decode_account(AccountUpdate("Address", PROGRAM, 77, 9, data), PROGRAM, layouts)
        assert (state.name, state.fields) == (name, fields)
    assert layouts.calls and not layouts.instructions
