"""Jupiter's events and accounts become the canonical rows that their values say, worked out by hand."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from tests.peers.samples import SHARED, decoder, samples

from heliograph_core.account import AccountState
from heliograph_core.event import Channel, Event, EventKey
from heliograph_core.records import Holding, Liquidation, Market, MarketState, PositionChange, Trade
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.protocols.jupiter import PROGRAM, Jupiter

D = Decimal
KEY = EventKey(block_time=1_700_000_000, slot=77, tx_index=3, ordinal=2, signature="sig")
ROW: dict[str, Any] = {
    "stream": "jup",
    "block_time": 1_700_000_000,
    "slot": 77,
    "tx_index": 3,
    "ordinal": 2,
    "part": 0,
    "signature": "sig",
    "program": PROGRAM,
}
OF: dict[str, Any] = {"market": "SOL", "wallet": "W", "position_key": "P", "side": "long"}
SAID: dict[str, Any] = {
    "positionKey": "P",
    "positionSide": 1,
    "positionCustody": "SOL",
    "positionCollateralCustody": "SOL",
    "owner": "W",
    "pool": "JLP",
    "fundingFeeUsd": 3_000,
    "priceImpactFeeUsd": 2_000,
}
needs_shared = pytest.mark.skipif(not (SHARED / "idl").is_dir(), reason="../shared is absent")


def project(name: str, **fields: Any) -> list[Any]:
    event = Event(
        key=KEY,
        program=PROGRAM,
        caller=None,
        depth=1,
        channel=Channel.CPI,
        name=name,
        fields={**SAID, **fields},
    )
    return list(Jupiter().project("jup", event))


def opening(**fields: Any) -> list[Any]:
    said = {
        "positionSizeUsd": 26_478_240_000,
        "sizeUsdDelta": 26_478_240_000,
        "collateralUsdDelta": 284_680_000,
        "price": 149_060_000,
        "feeUsd": 18_530_000,
    }
    return project("InstantIncreasePositionEvent", **{**said, **fields})


def closing(name: str = "DecreasePositionEvent", **fields: Any) -> list[Any]:
    said = {
        "positionSizeUsd": 0,
        "sizeUsdDelta": 1_000_000_000,
        "price": 250_000_000,
        "positionPrice": 100_000_000,
        "hasProfit": True,
        "pnlDelta": 1_500_000_000,
        "feeUsd": 605_000,
        "originalPositionCollateralUsd": 90_000_000,
        "positionCollateralUsd": 0,
        "transferAmountUsd": 1_589_395_000,
        "positionRequestKey": "R",
    }
    return project(name, **{**said, **fields})


def test_an_opening_is_a_trade_and_a_position_of_what_the_usd_bought() -> None:
    size = D("177.634777941768415403")  # 26478.24 / 149.06
    assert opening() == [
        Trade(
            **ROW,
            market="SOL",
            trade_id="sig:2",
            taker="W",
            taker_side="long",
            maker=None,
            price=D("149.06"),
            size=size,
            quote=D("26478.24"),
            taker_fee=D("18.527"),  # 18.53 without what was paid for borrowing
            maker_fee=D(0),
            taker_position_key="P",
            maker_position_key=None,
            taker_order_id=None,
            maker_order_id=None,
            liquidation=False,
        ),
        PositionChange(
            **ROW,
            **OF,
            kind="open",
            size_delta=size,
            size_after=size,
            price=D("149.06"),
            entry_price_after=D("149.06"),
            collateral_delta=D("266.15"),  # 284.68 - 18.53
            collateral_after=None,
            realized_pnl=D(0),
            fee=D("18.53"),
            funding=D(0),
            liquidation_price_after=None,
            trade_id="sig:2",
            borrow_fee=D("0.003"),
            price_impact_fee=D("0.002"),
        ),
    ]


def test_an_increase_tells_what_was_bought_and_neither_size_nor_entry_afterwards() -> None:
    [trade, change] = opening(positionSizeUsd=27_000_000_000, sizeUsdDelta=298_120_000)
    assert (change.kind, change.size_delta, change.size_after, change.entry_price_after) == (
        "increase",
        D(2),
        None,
        None,
    )
    assert (trade.size, trade.quote) == (D(2), D("298.12"))


def test_collateral_alone_is_no_trade() -> None:
    [change] = opening(sizeUsdDelta=0)
    assert (change.kind, change.size_delta, change.price, change.trade_id) == ("increase", D(0), None, None)
    assert change.collateral_delta == D("266.15")
    [change] = closing(sizeUsdDelta=0, positionSizeUsd=500_000_000, positionCollateralUsd=40_000_000)
    assert (change.kind, change.size_delta, change.size_after) == ("decrease", D(0), D(5))
    assert (change.collateral_delta, change.collateral_after, change.trade_id) == (D(-50), D(40), None)


def test_a_close_takes_the_base_that_its_size_bought_at_the_entry_and_sells_it_at_the_price() -> None:
    [trade, change] = closing()
    assert (trade.taker_side, trade.size, trade.price, trade.quote) == ("short", D(10), D(250), D(2500))
    assert (trade.taker_fee, trade.taker_order_id, trade.liquidation) == (D("0.602"), "R", False)
    assert change == PositionChange(
        **ROW,
        **OF,
        kind="close",
        size_delta=D(-10),
        size_after=D(0),
        price=D(250),
        entry_price_after=D(100),
        collateral_delta=D(-90),
        collateral_after=D(0),
        realized_pnl=D(1500),  # 10 * (250 - 100), as the program says
        fee=D("0.605"),
        funding=D(0),
        liquidation_price_after=None,
        trade_id="sig:2",
        borrow_fee=D("0.003"),
        price_impact_fee=D("0.002"),
    )


def test_a_partial_close_of_a_short_leaves_the_rest_in_base() -> None:
    [trade, change] = closing(positionSide=2, positionSizeUsd=500_000_000, hasProfit=False, pnlDelta=7)
    assert (change.kind, change.side, change.size_delta, change.size_after) == (
        "decrease",
        "short",
        D(-10),
        D(5),
    )
    assert (change.realized_pnl, trade.taker_side) == (D("-0.000007"), "long")


def test_what_is_left_and_what_is_taken_add_up_to_what_was_there() -> None:
    """Three pieces of a size that no entry price divides: at the end nothing is left."""
    left, total = 1_000_000_000, D(0)
    for piece in (333_333_333, 333_333_333, 333_333_334):
        left -= piece
        [_, change] = closing(positionSizeUsd=left, sizeUsdDelta=piece, positionPrice=7_000_001)
        total += change.size_delta
    assert change.size_after == 0
    assert total == D("-142.857122448982507288")  # 1000 / 7.000001


@pytest.mark.parametrize("name", ["InstantDecreasePositionEvent", "instantDecreasePositionEvent"])
def test_the_instant_form_and_both_ways_of_naming_mean_the_same(name: str) -> None:
    assert closing(name) == closing()
    assert closing(name, positionRequestKey=None, positionRequest="T")[0].taker_order_id == "T"


def test_a_liquidation_says_the_size_before_and_takes_what_is_left_of_the_collateral() -> None:
    """Amounts as seen on mainnet in April 2025: 284.68 put in, 18.53 paid, 197.92 lost, 19.87 and 48.36 taken."""
    [liquidation, trade, change] = project(
        "LiquidateFullPositionEvent",
        positionSizeUsd=26_478_240_000,
        price=147_940_000,
        positionPrice=149_060_000,
        hasProfit=False,
        pnlDelta=197_920_000,
        feeUsd=19_870_000,
        liquidationFeeUsd=48_360_000,
        transferAmountUsd=0,
        originalPositionCollateralUsd=266_150_000,
        positionCollateralUsd=0,
    )
    size, quote = D("177.634777941768415403"), D("26279.289048705219374748")
    assert liquidation == Liquidation(
        **ROW,
        **OF,
        liquidation_id="sig:2",
        liquidator=None,
        size=size,
        price=D("147.94"),
        mark_price=None,
        quote=quote,
        fee=D("68.23"),
        realized_pnl=D("-197.92"),
        bad_debt=D(0),
    )
    assert (trade.size, trade.quote, trade.liquidation, trade.taker_fee) == (size, quote, True, D("68.227"))
    assert (change.kind, change.size_delta, change.size_after) == ("liquidation", -size, D(0))
    assert (change.collateral_delta, change.collateral_after, change.fee) == (D("-266.15"), D(0), D("68.23"))


def test_a_loss_above_the_collateral_is_bad_debt() -> None:
    [liquidation, *_] = project(
        "LiquidateFullPositionEvent",
        positionSizeUsd=1_000_000_000,
        price=80_000_000,
        positionPrice=100_000_000,
        hasProfit=False,
        pnlDelta=200_000_000,
        feeUsd=600_000,
        liquidationFeeUsd=0,
        transferAmountUsd=0,
        originalPositionCollateralUsd=150_000_000,
        positionCollateralUsd=0,
    )
    assert (liquidation.bad_debt, liquidation.fee) == (D("50.6"), D("0.6"))


@pytest.mark.parametrize(
    "name",
    ["CreatePositionRequestEvent", "InstantCreateTpslEvent", "PoolSwapEvent", "BorrowFromCustodyEvent"],
)
def test_what_changes_no_position_has_no_canonical_row(name: str) -> None:
    assert project(name) == []


def test_an_event_of_another_layout_is_refused() -> None:
    with pytest.raises(KeyError, match="positionPrice"):
        project("DecreasePositionEvent", positionSizeUsd=0)


def test_only_self_invocations_are_events() -> None:
    assert PROTOCOLS["jupiter"].channels() == {PROGRAM: frozenset({Channel.CPI})}


def custody(**changes: Any) -> AccountState:
    fields = {
        "mint": "So11111111111111111111111111111111111111112",
        "isStable": False,
        "oracle": {"oracleAccount": "O"},
        "dovesOracle": "D",
        "dovesAgOracle": "11111111111111111111111111111111",
        "pricing": {"maxLeverage": 5_000_000},
        "increasePositionBps": 6,
        "assets": {
            "owned": 1_000,
            "locked": 250,
            "globalShortSizes": 3_000_000_000,
            "globalShortAveragePrices": 150_000_000,
        },
        "fundingRateState": {"cumulativeInterestRate": 7, "lastUpdate": 8, "hourlyFundingDbps": 12},
        "jumpRateState": {},
        "debt": 0,
        "borrowLendInterestsAccured": 0,
    }
    return AccountState("CUSTODY", PROGRAM, 80, 1, b"", "Custody", {**fields, **changes})


def test_a_custody_is_a_market_with_its_borrow_rate() -> None:
    market, state = Jupiter().project_account("jup", custody())
    assert market == Market(
        stream="jup",
        market="CUSTODY",
        program=PROGRAM,
        symbol="SOL-PERP",
        base_asset="SOL",
        quote_asset="USD",
        oracle="D",
        tick_size=None,
        lot_size=None,
        initial_margin_ratio=None,
        maintenance_margin_ratio=D("0.002"),
        taker_fee_rate=D("0.0006"),
        maker_fee_rate=None,
        funding_interval_seconds=None,
        created_slot=None,
        created_at=None,
    )
    assert state == MarketState(
        stream="jup",
        market="CUSTODY",
        account_slot=80,
        mark_price=None,
        index_price=None,
        funding_rate=None,
        open_interest_long=None,
        open_interest_short=D(20),
        borrow_rate=D("0.00003"),  # 0.012 % an hour, a quarter of it lent
    )


def test_a_token_without_a_name_is_called_by_its_mint_and_a_stable_coin_is_no_market() -> None:
    market, _ = Jupiter().project_account("jup", custody(mint="MINT"))
    assert isinstance(market, Market) and market.symbol == "MINT-PERP"
    assert list(Jupiter().project_account("jup", custody(isStable=True))) == []


def position(**changes: Any) -> AccountState:
    fields = {
        "owner": "OWNER",
        "pool": "POOL",
        "custody": "CUSTODY",
        "collateralCustody": "USDC",
        "openTime": 1_744_000_000,
        "updateTime": 1_744_000_060,
        "side": "Short",
        "price": 150_000_000,
        "sizeUsd": 3_000_000_000,
        "collateralUsd": 299_123_456,
        "realisedPnlUsd": -7,
        "lockedAmount": 3_000_000_000,
    }
    return AccountState("POSITION", PROGRAM, 80, 1, b"", "Position", {**fields, **changes})


def test_a_position_that_its_account_holds() -> None:
    """3,000 dollars at 150 are 20; a hundred increases move its price by 0.0001 at most, two thirds of a millionth."""
    [held] = Jupiter().project_account("jup", position())
    assert held == Holding(
        stream="jup",
        position_key="POSITION",
        account="POSITION",
        account_slot=80,
        program=PROGRAM,
        market="CUSTODY",
        wallet="OWNER",
        side="short",
        size=D(20),
        entry_price=D(150),
        collateral=D("299.123456"),
        opened_at=1_744_000_000,
        rounding=D("0.000013333333333333"),
    )


def test_an_account_of_what_has_closed_or_never_was_holds_nothing() -> None:
    closed = position(sizeUsd=0, price=0, collateralUsd=0)
    assert list(Jupiter().project_account("jup", closed)) == []
    assert list(Jupiter().project_account("jup", position(sizeUsd=0, side="None"))) == []


@needs_shared
def test_the_samples_are_a_loan_and_the_pool_which_are_no_positions() -> None:
    """A loan of 8,463.144037 USDC against liquidity, and the account of the pool: typed rows alone."""
    [loan] = [each for each in samples() if each.file.startswith("jupiter_perps_borrow")]
    assert (loan.name, loan.value["sizeCustodyToken"], loan.value["marginUsd"]) == (
        "borrowFromCustodyEvent",
        8_463_144_037,
        10_033_618_454_902,
    )
    assert project(loan.name, **loan.value) == []
    document = json.loads((SHARED / "samples/accounts/jupiter_perps_pool_JLP.json").read_bytes())
    data = base64.b64decode(document["data_base64"])
    name, fields = decoder("idl/jupiter_perpetuals.codama_2026.json").account(data)
    assert (name, fields["name"], len(fields["custodies"])) == ("pool", "Pool", 5)
    state = AccountState(document["pubkey"], PROGRAM, 1, 1, data, name, fields)
    assert list(Jupiter().project_account("jup", state)) == []
