"""GoDark's events become the canonical rows that their values say, worked out by hand."""

import json
from decimal import Decimal
from typing import Any

import pytest

from heliograph_core.account import AccountState
from heliograph_core.event import Channel, Event, EventKey
from heliograph_core.records import (
    Balance,
    FundingPayment,
    FundingRate,
    Liquidation,
    Market,
    MarketState,
    OraclePrice,
    PositionChange,
    Record,
    State,
    Trade,
    Transfer,
)
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.protocols.godark import PROGRAMS, GoDark

D = Decimal
KEY = EventKey(block_time=1_700_000_000, slot=77, tx_index=3, ordinal=2, signature="sig")
ROW: dict[str, Any] = {
    "stream": "dark",
    "block_time": 1_700_000_000,
    "slot": 77,
    "tx_index": 3,
    "ordinal": 2,
    "part": 0,
    "signature": "sig",
    "program": PROGRAMS["godark_positions"],
}
POSITION = {"market": "M", "wallet": "W", "position": "P", "side": "Short"}
OF_POSITION: dict[str, Any] = {"market": "M", "wallet": "W", "position_key": "P", "side": "short"}


def project(name: str, fields: dict[str, Any]) -> list[Record | State]:
    event = Event(
        key=KEY,
        program=PROGRAMS["godark_positions"],
        caller=None,
        depth=1,
        channel=Channel.DATA,
        name=name,
        fields=fields,
    )
    return list(GoDark().project("dark", event))


def test_a_fill_is_a_trade() -> None:
    fields = {
        "market": "M",
        "fill_id": 12,
        "taker": "T",
        "maker": "K",
        "taker_side": "Long",
        "price": 150_250_000,
        "size": 2_500_000_000,
        "quote": 375_625_000,
        "taker_fee": 187_812,
        "maker_fee": -37_562,
        "taker_order_id": 8,
        "maker_order_id": 7,
        "taker_position": "TP",
        "maker_position": "KP",
        "liquidation": False,
        "timestamp": 1,
    }
    assert project("OrderFilled", fields) == [
        Trade(
            **ROW,
            market="M",
            trade_id="12",
            taker="T",
            taker_side="long",
            maker="K",
            price=D("150.25"),
            size=D("2.5"),
            quote=D("375.625"),
            taker_fee=D("0.187812"),
            maker_fee=D("-0.037562"),
            taker_position_key="TP",
            maker_position_key="KP",
            taker_order_id="8",
            maker_order_id="7",
            liquidation=False,
        )
    ]


def test_an_opening_adds_its_collateral_less_the_fee() -> None:
    fields = POSITION | {
        "size": 1_000_000_000,
        "price": 20_000_000,
        "collateral": 4_000_000,
        "fee": 10_000,
        "collateral_after": 3_990_000,
        "liquidation_price": 23_000_000,
        "fill_id": 5,
        "timestamp": 1,
    }
    assert project("PositionOpened", fields) == [
        PositionChange(
            **ROW,
            **OF_POSITION,
            kind="open",
            size_delta=D(1),
            size_after=D(1),
            price=D(20),
            entry_price_after=D(20),
            collateral_delta=D("3.99"),
            collateral_after=D("3.99"),
            realized_pnl=D(0),
            fee=D("0.01"),
            funding=D(0),
            liquidation_price_after=D(23),
            trade_id="5",
        )
    ]


@pytest.mark.parametrize(
    ("reason", "kind"), [("Increase", "increase"), ("Decrease", "decrease"), ("Liquidation", "liquidation")]
)
def test_an_update_keeps_its_reason_and_signs(reason: str, kind: str) -> None:
    fields = POSITION | {
        "reason": reason,
        "size_delta": -250_000_000,
        "size_after": 750_000_000,
        "price": 21_000_000,
        "entry_price_after": 20_000_000,
        "collateral_delta": -1_002_500,
        "collateral_after": 2_987_500,
        "realized_pnl": -250_000,
        "fee": 2_500,
        "liquidation_price_after": 0,
        "fill_id": 6,
        "timestamp": 1,
    }
    [change] = project("PositionUpdated", fields)
    assert isinstance(change, PositionChange)
    assert (change.kind, change.side) == (kind, "short")
    assert (change.price, change.entry_price_after) == (D(21), D(20))
    assert (change.size_delta, change.size_after) == (D("-0.25"), D("0.75"))
    assert (change.collateral_delta, change.collateral_after) == (D("-1.0025"), D("2.9875"))
    assert (change.realized_pnl, change.fee, change.funding) == (D("-0.25"), D("0.0025"), D(0))
    assert change.liquidation_price_after is None


@pytest.mark.parametrize(("reason", "kind"), [("Close", "close"), ("Liquidation", "liquidation")])
def test_a_close_leaves_nothing(reason: str, kind: str) -> None:
    fields = POSITION | {
        "reason": reason,
        "size": 750_000_000,
        "price": 22_000_000,
        "collateral_delta": -2_987_500,
        "realized_pnl": -1_500_000,
        "fee": 8_250,
        "fill_id": 9,
        "timestamp": 1,
    }
    [change] = project("PositionClosed", fields)
    assert isinstance(change, PositionChange)
    assert (change.kind, change.size_delta, change.size_after) == (kind, D("-0.75"), D(0))
    assert (change.collateral_delta, change.collateral_after) == (D("-2.9875"), D(0))
    assert (change.entry_price_after, change.liquidation_price_after) == (None, None)


def test_a_liquidation_shares_its_id_with_its_fill() -> None:
    fields = POSITION | {
        "liquidator": "L",
        "fill_id": 12,
        "size": 3_000_000_000,
        "price": 10_000_000,
        "mark_price": 10_500_000,
        "quote": 30_000_000,
        "fee": 150_000,
        "realized_pnl": -9_000_000,
        "bad_debt": 1,
        "size_after": 0,
        "timestamp": 1,
    }
    assert project("LiquidationExecuted", fields) == [
        Liquidation(
            **ROW,
            **OF_POSITION,
            liquidation_id="12",
            liquidator="L",
            size=D(3),
            price=D(10),
            mark_price=D("10.5"),
            quote=D(30),
            fee=D("0.15"),
            realized_pnl=D(-9),
            bad_debt=D("0.000001"),
        )
    ]


def test_a_funding_rate_is_a_fraction_an_hour_beside_the_interval_s() -> None:
    fields = {
        "market": "M",
        "mark_price": 100_100_000,
        "index_price": 100_000_000,
        "premium": 1_000_000,
        "interest": 12_500,
        "rate": 1_012_500,
        "interval_seconds": 10,
        "timestamp": 1,
    }
    assert project("FundingRateUpdated", fields) == [
        FundingRate(
            **ROW,
            market="M",
            mark_price=D("100.1"),
            index_price=D(100),
            premium=D("0.001"),
            interest=D("0.0000125"),
            rate=D("0.0010125"),
            interval_seconds=10,
            interval_rate=D("0.0000028125"),
        )
    ]


def test_a_funding_payment_is_also_a_change_of_the_position() -> None:
    fields = POSITION | {
        "size": 4_000_000_000,
        "rate": -20_000,
        "interval_seconds": 3600,
        "payment": -8_000,
        "collateral_after": 92_000,
        "liquidation_price_after": 30_000_000,
        "timestamp": 1,
    }
    payment, change = project("FundingRatePaid", fields)
    assert payment == FundingPayment(
        **ROW, **OF_POSITION, size=D(4), rate=D("-0.00002"), interval_seconds=3600, amount=D("-0.008")
    )
    assert isinstance(change, PositionChange)
    assert (change.kind, change.funding, change.collateral_delta) == ("funding", D("-0.008"), D("-0.008"))
    assert (change.size_delta, change.size_after, change.collateral_after) == (D(0), D(4), D("0.092"))
    assert (change.price, change.entry_price_after, change.trade_id) == (None, None, None)


def test_an_oracle_price_keeps_its_own_time() -> None:
    fields = {
        "market": "M",
        "oracle": "O",
        "price": 99_990_001,
        "confidence": 12_000,
        "publish_time": 1_699_999_998,
    }
    assert project("OraclePriceUpdated", fields) == [
        OraclePrice(
            **ROW,
            market="M",
            source="godark",
            oracle="O",
            price=D("99.990001"),
            confidence=D("0.012"),
            publish_time=1_699_999_998,
        )
    ]


@pytest.mark.parametrize(
    ("name", "fields", "kind", "free", "locked"),
    [
        ("CollateralDeposited", {"amount": 5_000_000}, "deposit", "5", "0"),
        ("CollateralWithdrawn", {"amount": 5_000_000}, "withdraw", "-5", "0"),
        ("CollateralLocked", {"amount": 5_000_000, "position": "P"}, "lock", "-5", "5"),
        (
            "CollateralReleased",
            {"amount": 5_000_000, "returned": 6_500_000, "position": "P"},
            "release",
            "6.5",
            "-5",
        ),
    ],
)
def test_the_vault_s_events_move_the_balance(
    name: str, fields: dict[str, Any], kind: str, free: str, locked: str
) -> None:
    after = {"free_after": 70_000_000, "locked_after": 30_000_000, "timestamp": 1}
    transfer, balance = project(name, {"wallet": "W", "mint": "USDC", **fields, **after})
    assert isinstance(transfer, Transfer)
    assert (transfer.kind, transfer.amount) == (kind, D(5))
    assert (transfer.free_delta, transfer.locked_delta) == (D(free), D(locked))
    assert transfer.position_key == fields.get("position")
    assert balance == Balance(
        stream="dark",
        wallet="W",
        asset="USDC",
        free=D(70),
        locked=D(30),
        updated_at=1_700_000_000,
        updated_slot=77,
        updated_tx_index=3,
        updated_ordinal=2,
    )


MARKET_FIELDS: dict[str, Any] = {
    "symbol": "SOL-PERP",
    "base_asset": "SOL",
    "quote_asset": "USDC",
    "oracle": "O",
    "tick_size": 10_000,
    "lot_size": 100_000_000,
    "initial_margin_ratio": 100_000,
    "maintenance_margin_ratio": 50_000,
    "taker_fee_rate": 500,
    "maker_fee_rate": -100,
    "funding_interval_seconds": 3600,
}


def test_a_market_is_the_same_from_its_event_and_from_its_account() -> None:
    [created] = project("MarketCreated", {"market": "M", **MARKET_FIELDS, "timestamp": 1})
    account = AccountState(
        address="M",
        program=PROGRAMS["godark_positions"],
        slot=90,
        lamports=1,
        data=b"",
        name="Market",
        fields=MARKET_FIELDS
        | {
            "market_index": 0,
            "mark_price": 0,
            "index_price": 150_000_000,
            "funding_rate": -5,
            "open_interest_long": 7_000_000_000,
            "open_interest_short": 7_000_000_000,
            "created_slot": 77,
            "created_at": 1_700_000_000,
            "updated_slot": 89,
            "bump": 255,
        },
    )
    market, state = GoDark().project_account("dark", account)
    assert market == created
    assert isinstance(market, Market)
    assert (market.tick_size, market.maker_fee_rate) == (D("0.01"), D("-0.0001"))
    assert state == MarketState(
        stream="dark",
        market="M",
        account_slot=90,
        mark_price=None,
        index_price=D(150),
        funding_rate=D("-0.000000005"),
        open_interest_long=D(7),
        open_interest_short=D(7),
    )


def test_every_event_of_the_idls_is_projected_or_known_to_have_no_table() -> None:
    without_a_table = {"OrderPlaced"}
    for document in GoDark().idls().values():
        idl = json.loads(document)
        types = {t["name"]: t["type"] for t in idl["types"]}
        for event in idl["events"]:
            # An event that no projection knows gives no rows; one that is known misses its fields here.
            if event["name"] in without_a_table:
                assert project(event["name"], {}) == []
            else:
                assert types[event["name"]]["kind"] == "struct"
                with pytest.raises(KeyError):
                    project(event["name"], {})


def test_every_event_of_the_idls_has_the_address_it_is_registered_under() -> None:
    assert {
        json.loads(d)["address"]: json.loads(d)["metadata"]["name"] for d in GoDark().idls().values()
    } == {address: name for name, address in PROGRAMS.items()}
    assert PROTOCOLS["godark"].name == "godark"
