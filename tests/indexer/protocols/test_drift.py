"""Drift: real samples and made events, each against the rows that its values say, worked out by hand."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from tests.peers.samples import SHARED

from heliograph_core.account import AccountState
from heliograph_core.event import Channel, Event, EventKey
from heliograph_core.records import (
    Balance,
    Flow,
    FundingPayment,
    FundingRate,
    Holding,
    Liquidation,
    Market,
    MarketState,
    Owner,
    Trade,
    Transfer,
)
from heliograph_core.slot import Slot
from heliograph_core.transaction import Transaction
from heliograph_indexer.decode import Layouts, decode_slot
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.projection import project_slots
from heliograph_indexer.protocols.drift import PROGRAM, Drift
from heliograph_indexer.protocols.drift.spot_markets import spot_market
from heliograph_indexer.protocols.drift.units import perp_market, position_key
from heliograph_sql.idls import StoredIdl

D = Decimal
TAKER = "8i9z13L3fhw6iGhYuxTQCQkR31ckvJYS5JvKa8TVU8UY"
MAKER = "7q6FkeUEvTDS6DaM2WTHw6s1gTzbBasGTPATLzMZW41S"
WALLET = "So11111111111111111111111111111111111111112"
SOL = "8UJgxaiQx5nTrdDgph5FiahMmzduuLTLf5WmsPegYA6W"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"

needs_shared = pytest.mark.skipif(
    not (SHARED / "samples").is_dir(),
    reason="the shared folder with samples and IDLs is not beside the checkout",
)


def project(name: str, fields: dict[str, Any]) -> list[Any]:
    key = EventKey(1_751_442_612, 350_000_000, 3, 5, "sig")
    return list(Drift().project("drift", Event(key, PROGRAM, None, 1, Channel.LOG, name, fields, 0)))


def kept(rows: list[Any], *kinds: type) -> list[Any]:
    return [row for row in rows if isinstance(row, kinds)]


def fill(**other: Any) -> dict[str, Any]:
    """An OrderActionRecord: the taker sells 2 SOL to the maker at 150."""
    return {
        "ts": 1,
        "action": "Fill",
        "actionExplanation": "OrderFilledWithMatch",
        "marketIndex": 0,
        "marketType": "Perp",
        "fillRecordId": 77,
        "baseAssetAmountFilled": 2_000_000_000,
        "quoteAssetAmountFilled": 300_000_000,
        "takerFee": 105_000,
        "makerFee": -60_000,
        "taker": TAKER,
        "takerOrderId": 9,
        "takerOrderDirection": "Short",
        "maker": MAKER,
        "makerOrderId": 8,
        "makerOrderDirection": "Long",
        "oraclePrice": 150_000_000,
        **other,
    }


# -- samples


def sample(name: str) -> list[Any]:
    """What a file of samples/tx comes to, through the walk, its IDL and the projection."""
    found = json.loads((SHARED / "samples" / "tx" / name).read_bytes())
    logs = found["logs"]
    if not logs[0].startswith("Program ") or " invoke " not in logs[0]:
        # The source of some begins behind the line that invokes the program.
        logs = [f"Program {PROGRAM} invoke [1]", *logs]
    if not logs[-1].endswith("success"):
        logs = [*logs, f"Program {PROGRAM} success"]
    stored = StoredIdl(PROGRAM, 0, "", (SHARED / found["idl"]).read_text())
    layouts = Layouts.of(Drift(), [stored])
    transaction = Transaction("sig", 3, None, tuple(logs), None)
    slot = Slot(350_000_000, 1_751_442_612, (transaction,))
    projected = project_slots("drift", [decode_slot(slot, layouts)], Drift())
    assert (projected.undecoded, projected.incidents) == ([], [])
    return [*projected.records, *projected.states]


@needs_shared
def test_a_fill_said_behind_program_log_is_a_trade_and_the_takers_flow() -> None:
    rows = sample("drift_trigger_then_fill_2025-07.json")
    [trade], [flow] = kept(rows, Trade), kept(rows, Flow)
    assert kept(rows, Owner) == [Owner(stream="drift", account=TAKER, wallet=None)]
    assert len(rows) == 3, "the trigger before it, by emit!, moves nothing"
    # 74.552236 for half a SOL. The AMM made the price.
    assert (trade.market, trade.trade_id, trade.price) == (SOL, "11890212", D("149.104472"))
    assert (trade.size, trade.quote, trade.taker_side) == (D("0.5"), D("74.552236"), "short")
    assert (trade.taker, trade.taker_order_id, trade.taker_fee) == (TAKER, "279", D("0.018639"))
    assert (trade.maker, trade.maker_order_id, trade.maker_fee) == (None, None, 0)
    assert (trade.taker_position_key, trade.maker_position_key) == (f"{TAKER}-0", None)
    assert not trade.liquidation
    assert (flow.position_key, flow.base_delta, flow.quote) == (f"{TAKER}-0", D("-0.5"), D("74.552236"))
    assert (flow.entry_quote_released, flow.base_before) == (D("72.344326"), None), (
        "it closed what had cost less"
    )
    assert (flow.slot, flow.tx_index, flow.ordinal, flow.part) == (350_000_000, 3, trade.ordinal, 0)


@needs_shared
def test_a_funding_rate_is_a_fraction_of_the_oracles_twap() -> None:
    [rate] = sample("drift_update_funding_rate_2025-08.json")
    assert isinstance(rate, FundingRate)
    assert rate.market == perp_market(30)
    assert (rate.mark_price, rate.index_price) == (D("0.622876"), D("0.620724"))
    # 0.000094833 quote per base an hour, of 0.620724.
    assert rate.rate == rate.interval_rate == D("0.000152778046281439")
    assert rate.interval_seconds == 3600


@needs_shared
def test_a_settlement_tells_size_and_entry_and_moves_profit_to_the_balance() -> None:
    rows = sample("drift_settle_pnl_line_2024-07.json")
    user = "2aMcirYcF9W8aTFem6qe8QtvfQ22SLY6KUe6yUQbqfHk"
    [transfer], [flow] = kept(rows, Transfer), kept(rows, Flow)
    assert (transfer.kind, transfer.amount, transfer.free_delta) == ("release", 0, D("13365.674709"))
    assert (transfer.asset, transfer.sub_account, transfer.position_key) == (USDC, user, f"{user}-0")
    assert (flow.kind, flow.base_delta, flow.settled_pnl) == ("settlement", 0, D("13365.674709"))
    assert (flow.base_after, flow.entry_quote_after) == (D("-53242.7"), D("9165287.108199"))


@needs_shared
def test_spot_swaps_are_no_perps() -> None:
    assert sample("drift_swap_2M1e4UJ1.json") == []


# -- accounts


def markets() -> list[dict[str, Any]]:
    path = SHARED / "samples" / "accounts" / "drift_perp_markets.json"
    found: list[dict[str, Any]] = json.loads(path.read_bytes())["accounts"] if path.is_file() else []
    return found


def account(data: bytes, idl: str, address: str | None = None) -> list[Any]:
    decoder = Decoder(read_idl((SHARED / "idl" / idl).read_bytes()))
    name, fields = decoder.account(data)
    state = AccountState(address or fields["pubkey"], PROGRAM, 7, 1, data, name, fields)
    return list(Drift().project_account("drift", state))


@needs_shared
def test_every_perp_market_is_a_sane_market() -> None:
    found = [account(base64.b64decode(one["data_base64"]), "drift_v2.json") for one in markets()]

    assert [(type(market), type(state)) for market, state in found] == [(Market, MarketState)] * 22
    for market, state in found:
        assert market.symbol == market.symbol.strip() and market.symbol
        assert market.quote_asset == "USDC" and market.oracle is not None
        assert market.tick_size and market.lot_size and market.funding_interval_seconds
        assert 0 < (market.maintenance_margin_ratio or 0) < (market.initial_margin_ratio or 0) <= 1
        assert (state.open_interest_long or 0) > 0 and (state.open_interest_short or 0) > 0
        assert state.mark_price and state.index_price
        if market.symbol.endswith("-PERP"):
            assert market.funding_interval_seconds == 3600
            assert abs(state.mark_price / state.index_price - 1) < D("0.12"), market.symbol
            assert abs(state.funding_rate or 0) < D("0.002")


@needs_shared
def test_markets_by_hand() -> None:
    by_place = {
        market.symbol: (market, state)
        for market, state in (
            account(base64.b64decode(one["data_base64"]), "drift_v2.json") for one in markets()
        )
    }
    market, state = by_place["SOL-PERP"]
    assert (market.market, market.base_asset) == (SOL, "SOL")
    assert (market.tick_size, market.lot_size) == (D("0.0001"), D("0.01"))
    assert (market.initial_margin_ratio, market.maintenance_margin_ratio) == (D("0.05"), D("0.03"))
    assert (state.open_interest_long, state.open_interest_short) == (D("422751.35"), D("425175.12"))
    assert state.index_price == D("85.016475")
    assert by_place["1MPEPE-PERP"][0].base_asset == "1MPEPE"
    bet = by_place["KAMALA-POPULAR-VOTE-2024-BET"][0]
    assert (bet.base_asset, bet.funding_interval_seconds) == ("KAMALA-POPULAR-VOTE-2024-BET", 300)


@needs_shared
def test_a_market_is_where_its_index_leads() -> None:
    for one in markets():
        decoder = Decoder(read_idl((SHARED / "idl" / "drift_v2.json").read_bytes()))
        _, fields = decoder.account(base64.b64decode(one["data_base64"]))
        assert perp_market(fields["marketIndex"]) == fields["pubkey"]


def test_all_eight_slots_of_a_user_are_its_positions() -> None:
    slots = [
        {"marketIndex": index, "baseAssetAmount": base, "quoteEntryAmount": entry}
        for index, (base, entry) in enumerate(
            [(10**9, -150_000_001), (0, 0), (-3, 7), (0, 0), (0, 0), (0, 0), (0, 0), (-2 * 10**9, 9_000_000)]
        )
    ]
    state = AccountState(TAKER, PROGRAM, 7, 1, b"", "User", {"authority": WALLET, "perpPositions": slots})
    owner, *held = Drift().project_account("drift", state)
    assert owner == Owner(stream="drift", account=TAKER, wallet=WALLET)
    assert [
        (one.position_key, one.side, one.size, one.entry_quote) for one in held if isinstance(one, Holding)
    ] == [
        (f"{TAKER}-0", "long", 1, D("150.000001")),
        (f"{TAKER}-2", "short", D("0.000000003"), D("0.000007")),
        (f"{TAKER}-7", "short", 2, 9),
    ]
    assert isinstance(held[2], Holding) and held[2].entry_price == D("4.5")
    assert {one.wallet for one in held if isinstance(one, Holding)} == {WALLET}


# -- events


def test_a_match_has_two_sides_with_fee_and_rebate() -> None:
    rows = project("OrderActionRecord", fill(takerExistingQuoteEntryAmount=280_000_000))
    [trade], [taker, maker] = kept(rows, Trade), kept(rows, Flow)
    assert (trade.price, trade.taker_fee, trade.maker_fee) == (150, D("0.105"), D("-0.06"))
    assert (trade.taker, trade.maker) == (TAKER, MAKER)
    assert (taker.part, taker.base_delta, taker.fee, taker.entry_quote_released) == (0, -2, D("0.105"), 280)
    assert (maker.part, maker.base_delta, maker.fee, maker.entry_quote_released) == (1, 2, D("-0.06"), None)
    assert {taker.trade_id, maker.trade_id} == {"77"}


def test_a_fill_that_flips_tells_what_was_there_before() -> None:
    told = {"takerExistingBaseAssetAmount": 500_000_000, "takerExistingQuoteEntryAmount": 70_000_000}
    [taker, _] = kept(project("OrderActionRecord", fill(**told)), Flow)
    assert (taker.base_before, taker.entry_quote_released) == (D("0.5"), 70)


def test_where_the_amm_takes_the_makers_order_tells_the_side() -> None:
    rows = project(
        "OrderActionRecord", fill(taker=None, takerOrderDirection=None, takerOrderId=None, takerFee=None)
    )
    [trade], [maker] = kept(rows, Trade), kept(rows, Flow)
    assert (trade.taker, trade.taker_side, trade.taker_fee) == (None, "short", 0)
    assert (maker.position_key, maker.base_delta, maker.part) == (f"{MAKER}-0", 2, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"marketType": "Spot"},
        {"action": "Trigger"},
        {"action": "Cancel"},
        {"action": "Place"},
        {"action": "Expire"},
        {"baseAssetAmountFilled": 0},
    ],
)
def test_nothing_else_is_a_trade(other: dict[str, Any]) -> None:
    assert project("OrderActionRecord", fill(**other)) == []


def test_a_payment_of_funding_is_negative_when_the_user_pays() -> None:
    rows = project(
        "FundingPaymentRecord",
        {
            "ts": 1,
            "userAuthority": WALLET,
            "user": TAKER,
            "marketIndex": 2,
            "fundingPayment": -1_234_567,
            "baseAssetAmount": -1_500_000_000,
        },
    )
    [payment], [flow], [owner] = kept(rows, FundingPayment), kept(rows, Flow), kept(rows, Owner)
    assert (payment.amount, payment.side, payment.size) == (D("-1.234567"), "short", D("1.5"))
    assert (payment.wallet, payment.rate, payment.interval_seconds) == (WALLET, None, None)
    assert (flow.kind, flow.funding, flow.base_after) == ("funding", D("-1.234567"), D("-1.5"))
    assert owner.wallet == WALLET


def deposit(**other: Any) -> dict[str, Any]:
    return {
        "userAuthority": WALLET,
        "user": TAKER,
        "direction": "Deposit",
        "amount": 2_500_000_000,
        "marketIndex": 1,
        "explanation": "None",
        "transferUser": None,
        **other,
    }


def test_deposits_are_in_the_units_of_their_mint_and_of_their_sub_account() -> None:
    rows = project("DepositRecord", deposit(userTokenAmountAfter=3_000_000_000))
    [transfer], [balance] = kept(rows, Transfer), kept(rows, Balance)
    assert (transfer.kind, transfer.amount, transfer.free_delta) == ("deposit", D("2.5"), D("2.5"))
    assert (transfer.asset, transfer.wallet, transfer.sub_account) == (spot_market(1).mint, WALLET, TAKER)
    assert (transfer.free_after, transfer.locked_after) == (3, 0)
    assert (balance.free, balance.locked, balance.sub_account) == (3, 0, TAKER)


def test_a_transfer_between_sub_accounts_is_a_withdrawal_and_a_deposit() -> None:
    moved = {"explanation": "Transfer", "marketIndex": 0, "amount": 7_000_000}
    rows = project("DepositRecord", deposit(direction="Withdraw", transferUser=MAKER, **moved))
    rows += project("DepositRecord", deposit(user=MAKER, transferUser=TAKER, **moved))
    assert [(one.sub_account, one.kind, one.free_delta) for one in kept(rows, Transfer)] == [
        (TAKER, "withdraw", -7),
        (MAKER, "deposit", 7),
    ]
    assert kept(rows, Balance) == [], "older layouts tell no amount after"


def test_an_unknown_spot_market_is_refused_and_named() -> None:
    with pytest.raises(LookupError, match="spot market 999 of Drift"):
        project("DepositRecord", deposit(marketIndex=999))


def test_an_expired_market_ends_the_position_at_its_price() -> None:
    fields = {
        "user": TAKER,
        "marketIndex": 0,
        "pnl": 5_000_000,
        "baseAssetAmount": 2_000_000_000,
        "quoteEntryAmount": -290_000_000,
        "settlePrice": 147_500_000,
        "explanation": "ExpiredPosition",
    }
    [flow] = kept(project("SettlePnlRecord", fields), Flow)
    assert (flow.base_delta, flow.quote, flow.price) == (-2, 295, D("147.5"))
    assert (flow.base_after, flow.settled_pnl) == (0, 5)


# -- liquidations

_NONE: dict[str, Any] = {
    "liquidatePerp": {"baseAssetAmount": 0},
    "liquidateSpot": {"liabilityTransfer": 0},
    "user": TAKER,
    "liquidator": MAKER,
    "liquidationId": 4,
}


def liquidation(kind: str, part: str, **fields: Any) -> Any:
    rows = project("LiquidationRecord", {**_NONE, "liquidationType": kind, part: fields})
    [made] = kept(rows, Liquidation)
    assert [one.account for one in kept(rows, Owner)] == [TAKER, MAKER]
    return made


def test_a_liquidation_has_the_id_of_its_fill() -> None:
    made = liquidation(
        "LiquidatePerp",
        "liquidatePerp",
        marketIndex=0,
        oraclePrice=151_000_000,
        baseAssetAmount=-2_000_000_000,
        quoteAssetAmount=300_000_000,
        fillRecordId=77,
        liquidatorFee=3_000_000,
        ifFee=1_500_000,
    )
    assert (made.kind, made.liquidation_id, made.market) == ("perp", "77", SOL)
    assert (made.side, made.size, made.price, made.quote) == ("long", 2, 150, 300)
    assert (made.mark_price, made.fee, made.bad_debt) == (151, D("4.5"), 0)
    [trade] = kept(project("OrderActionRecord", fill(actionExplanation="Liquidation")), Trade)
    assert trade.liquidation and (trade.trade_id, trade.market) == (made.liquidation_id, made.market)
    taker, maker = kept(project("OrderActionRecord", fill(actionExplanation="Liquidation")), Flow)
    assert (taker.kind, maker.kind) == ("liquidation", "fill")


def test_cancelled_orders_alone_are_no_liquidation() -> None:
    assert project("LiquidationRecord", {**_NONE, "liquidationType": "LiquidatePerp"}) == []


def test_a_liquidated_borrow_is_one_of_its_spot_market() -> None:
    made = liquidation(
        "LiquidateSpot",
        "liquidateSpot",
        assetMarketIndex=0,
        assetPrice=1_000_000,
        assetTransfer=160_000_000,
        liabilityMarketIndex=1,
        liabilityPrice=150_000_000,
        liabilityTransfer=1_000_000_000,
        ifFee=10_000_000,
    )
    assert (made.kind, made.side, made.size, made.price, made.quote) == ("spot", "short", 1, 150, 150)
    assert (made.fee, made.position_key, made.liquidation_id) == (D("1.5"), f"{TAKER}-spot-1", f"{TAKER}/4")


def test_profit_and_loss_of_perps_against_borrows_and_deposits() -> None:
    borrow = liquidation(
        "LiquidateBorrowForPerpPnl",
        "liquidateBorrowForPerpPnl",
        perpMarketIndex=2,
        marketOraclePrice=1,
        pnlTransfer=80_000_000,
        liabilityMarketIndex=1,
        liabilityPrice=150_000_000,
        liabilityTransfer=500_000_000,
    )
    assert (borrow.kind, borrow.side, borrow.size, borrow.quote) == (
        "borrow_for_perp_pnl",
        "short",
        D("0.5"),
        80,
    )
    deposited = liquidation(
        "LiquidatePerpPnlForDeposit",
        "liquidatePerpPnlForDeposit",
        perpMarketIndex=2,
        marketOraclePrice=1,
        pnlTransfer=70_000_000,
        assetMarketIndex=1,
        assetPrice=150_000_000,
        assetTransfer=500_000_000,
    )
    assert (deposited.kind, deposited.side) == ("perp_pnl_for_deposit", "long")
    assert (deposited.size, deposited.price, deposited.quote) == (D("0.5"), 150, 70)


def test_bankruptcies_are_debt_that_others_bear() -> None:
    perp = liquidation("PerpBankruptcy", "perpBankruptcy", marketIndex=0, pnl=-12_000_001, ifPayment=0)
    assert (perp.kind, perp.bad_debt, perp.market) == ("perp_bankruptcy", D("12.000001"), SOL)
    assert (perp.side, perp.price, perp.size, perp.position_key) == (None, None, 0, position_key(TAKER, 0))
    spot = liquidation("SpotBankruptcy", "spotBankruptcy", marketIndex=0, borrowAmount=3_000_000, ifPayment=0)
    assert (spot.kind, spot.bad_debt, spot.side) == ("spot_bankruptcy", 3, "short")


def test_it_ships_no_idl_and_hears_both_channels() -> None:
    assert Drift().idls() == {}
    assert Drift().channels() == {PROGRAM: frozenset({Channel.DATA, Channel.LOG})}
