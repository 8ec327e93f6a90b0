"""What the end-to-end test sends: a short session of two wallets on GoDark, in the programs' own integers.

Price and quote have 6 decimals, base 9, rates 9 (a fraction per hour), ratios are parts per million. Alice buys
2 SOL from Bob, funding is paid once, both trade a quarter back, then Bob's short is liquidated into Alice's long.
Each side of a fill has a transaction of its own, because one may have no more than 1,232 bytes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from base58 import b58encode
from solders.instruction import Instruction
from tests.surfpool.godark import POSITIONS, Fields, Program, log, raw

from heliograph_indexer.idl.encoder import EVENT_TAG


def _address(number: int) -> str:
    return b58encode(bytes([number]) * 32).decode()


MARKET, ORACLE, MINT = _address(11), _address(12), _address(13)
ALICE, BOB = _address(21), _address(22)
ALICE_POSITION, BOB_POSITION = _address(31), _address(32)

_CLOCK = {"timestamp": 1_795_000_000}
_ALICE = {"market": MARKET, "wallet": ALICE, "position": ALICE_POSITION, "side": "Long"}
_BOB = {"market": MARKET, "wallet": BOB, "position": BOB_POSITION, "side": "Short"}
_TERMS = {
    "symbol": "SOL-PERP",
    "base_asset": "SOL",
    "quote_asset": "USDC",
    "oracle": ORACLE,
    "tick_size": 10_000,
    "lot_size": 1_000_000,
    "initial_margin_ratio": 100_000,
    "maintenance_margin_ratio": 50_000,
    "taker_fee_rate": 500,
    "maker_fee_rate": -100,
    "funding_interval_seconds": 28_800,
}


@dataclass(frozen=True)
class Act:
    """One transaction. name: how the expectations call it."""

    name: str
    instructions: tuple[Instruction, ...]
    versioned: bool = False


def market_account(*, mark: int, index: int, interest: int, created_slot: int, created_at: int) -> Fields:
    """The Market account; interest: open, each side, base with 9 decimals."""
    return {
        **_TERMS,
        "market_index": 0,
        "mark_price": mark,
        "index_price": index,
        "funding_rate": 13_750,
        "open_interest_long": interest,
        "open_interest_short": interest,
        "created_slot": created_slot,
        "created_at": created_at,
        "updated_slot": created_slot,
        "bump": 255,
    }


def opening(positions: Program) -> Act:
    """The market is created and priced: three events by two instructions."""
    created = {"market": MARKET, **_TERMS, **_CLOCK}
    priced = {
        "market": MARKET,
        "oracle": ORACLE,
        "price": 150_250_000,
        "confidence": 50_000,
        "publish_time": 1_795_000_001,
    }
    return Act(
        "create",
        (
            positions.instruction(positions.emit("MarketCreated", created)),
            positions.instruction(
                positions.emit("OraclePriceUpdated", priced),
                positions.emit("FundingRateUpdated", _rate()),
            ),
        ),
    )


def session(positions: Program, vault: Program, stranger: Program, created: Fields) -> list[Act]:
    """created: the Market account as it stands before; its prices and open interest are written anew."""
    return [
        deposit_of_alice(vault),
        _deposit("deposit of Bob", vault, BOB, 800_000_000),
        *_open(positions, vault, created),
        _failed(positions),
        *_forged(positions, vault, stranger),
        _funding(positions),
        *_decrease(positions, vault),
        *_liquidation(positions, vault, created),
        _withdrawal(vault),
        Act("last rate", (positions.instruction(positions.emit("FundingRateUpdated", _rate())),)),
    ]


def deposit_of_alice(vault: Program) -> Act:
    return _deposit("deposit of Alice", vault, ALICE, 1_000_000_000)


def _rate() -> Fields:
    return {
        "market": MARKET,
        "mark_price": 150_300_000,
        "index_price": 150_250_000,
        "premium": 12_500,
        "interest": 1_250,
        "rate": 13_750,
        "interval_seconds": 28_800,
        **_CLOCK,
    }


def _deposit(name: str, vault: Program, wallet: str, amount: int) -> Act:
    balance = {"wallet": wallet, "mint": MINT, "amount": amount, "free_after": amount, "locked_after": 0}
    steps = (log("Instruction: Deposit"), vault.emit("CollateralDeposited", {**balance, **_CLOCK}))
    return Act(name, (vault.instruction(*steps),))


def _fill(number: int, taker: str, side: str, price: int, size: int, fees: tuple[int, int]) -> Fields:
    alice_takes = taker == ALICE
    return {
        "market": MARKET,
        "fill_id": number,
        "taker": taker,
        "maker": BOB if alice_takes else ALICE,
        "taker_side": side,
        "price": price,
        "size": size,
        "quote": price * size // 10**9,
        "taker_fee": fees[0],
        "maker_fee": fees[1],
        "taker_order_id": 2 * number,
        "maker_order_id": 2 * number - 1,
        "taker_position": ALICE_POSITION if alice_takes else BOB_POSITION,
        "maker_position": BOB_POSITION if alice_takes else ALICE_POSITION,
        "liquidation": not alice_takes,
        **_CLOCK,
    }


def _open(positions: Program, vault: Program, created: Fields) -> tuple[Act, Act]:
    placed = {
        "market": MARKET,
        "wallet": ALICE,
        "order_id": 2,
        "side": "Long",
        "kind": "Limit",
        "price": 150_000_000,
        "size": 2_000_000_000,
        "reduce_only": False,
    }
    both = {"size": 2_000_000_000, "price": 150_000_000, "collateral": 40_000_000, "fill_id": 1, **_CLOCK}
    alice = {"fee": 150_000, "collateral_after": 39_850_000, "liquidation_price": 133_000_000}
    bob = {"fee": -30_000, "collateral_after": 40_030_000, "liquidation_price": 166_000_000}
    market = {**created, "open_interest_long": 2_000_000_000, "open_interest_short": 2_000_000_000}
    steps = (
        log("Instruction: PlaceOrder"),
        positions.emit("OrderPlaced", {**placed, **_CLOCK}),
        positions.emit(
            "OrderFilled", _fill(1, ALICE, "Long", 150_000_000, 2_000_000_000, (150_000, -30_000))
        ),
        vault.call(vault.emit("CollateralLocked", _locked(_ALICE, 960_000_000))),
        positions.emit_cpi("PositionOpened", {**_ALICE, **both, **alice}),
    )
    others = (
        vault.call(vault.emit("CollateralLocked", _locked(_BOB, 760_000_000))),
        positions.emit_cpi("PositionOpened", {**_BOB, **both, **bob}),
        positions.write("Market", market),
    )
    return (
        Act("open", (positions.instruction(*steps),), versioned=True),
        Act("open of Bob", (positions.instruction(*others, writes=(MARKET,)),)),
    )


def _locked(owner: Fields, free_after: int) -> Fields:
    return {
        "wallet": owner["wallet"],
        "mint": MINT,
        "position": owner["position"],
        "amount": 40_000_000,
        "free_after": free_after,
        "locked_after": 40_000_000,
        **_CLOCK,
    }


def _failed(positions: Program) -> Act:
    """Events by both channels, then the program's own error."""
    steps = (
        positions.emit("FundingRateUpdated", _rate()),
        positions.emit_cpi("PositionClosed", _closed(_ALICE, "Close", -39_850_000, 0, 0, 1)),
        positions.fail("InsufficientCollateral"),
    )
    return Act("failed", (positions.instruction(*steps),))


def _forged(positions: Program, vault: Program, stranger: Program) -> tuple[Act, Act]:
    """Everything that looks like an event of ours and is none, and one that is, so that the rest was walked."""
    payload = positions.encoder.event("FundingRateUpdated", _rate())
    text = base64.b64encode(payload).decode()
    frame = f"\nProgram {POSITIONS} invoke [2]\nProgram data: {text}\nProgram {POSITIONS} success"
    by_text = (
        positions.instruction(log(f"Program data: {text}"), log(text)),
        stranger.instruction(log(f"Program {POSITIONS} invoke [1]"), log(frame)),
        vault.instruction(vault.emit("CollateralDeposited", _gift())),
    )
    by_call = (
        stranger.instruction(
            stranger.emit("FundingRateUpdated", _rate()),
            stranger.emit_cpi("FundingRateUpdated", _rate()),
            # The event's tag reaches the program, but from another one; below, from no one.
            positions.call(raw(EVENT_TAG + payload)),
        ),
        positions.instruction(raw(EVENT_TAG + payload)),
    )
    return Act("forged by text", by_text), Act("forged by call", by_call)


def _gift() -> Fields:
    balance = {"amount": 5_000_000, "free_after": 765_000_000, "locked_after": 40_000_000}
    return {"wallet": BOB, "mint": MINT, **balance, **_CLOCK}


def _funding(positions: Program) -> Act:
    both = {"size": 2_000_000_000, "rate": 13_750, "interval_seconds": 28_800, **_CLOCK}
    alice = {"payment": -33_000, "collateral_after": 39_817_000, "liquidation_price_after": 133_016_500}
    bob = {"payment": 33_000, "collateral_after": 40_063_000, "liquidation_price_after": 166_031_500}
    steps = (
        positions.emit("FundingRatePaid", {**_ALICE, **both, **alice}),
        positions.emit("FundingRatePaid", {**_BOB, **both, **bob}),
    )
    return Act("funding", (positions.instruction(*steps),))


def _decrease(positions: Program, vault: Program) -> tuple[Act, Act]:
    both = {
        "reason": "Decrease",
        "size_delta": -500_000_000,
        "size_after": 1_500_000_000,
        "price": 152_000_000,
        "entry_price_after": 150_000_000,
        "collateral_delta": -10_000_000,
        "fill_id": 2,
        **_CLOCK,
    }
    alice = {"collateral_after": 29_817_000, "realized_pnl": 1_000_000, "fee": 38_000}
    bob = {"collateral_after": 30_063_000, "realized_pnl": -1_000_000, "fee": -7_600}
    alice_left, bob_left = {"liquidation_price_after": 0}, {"liquidation_price_after": 166_400_000}
    steps = (
        log("Instruction: PlaceOrder"),
        positions.emit("OrderFilled", _fill(2, ALICE, "Short", 152_000_000, 500_000_000, (38_000, -7_600))),
        positions.emit_cpi("PositionUpdated", {**_ALICE, **both, **alice, **alice_left}),
        _released(vault, _ALICE, 10_000_000, 10_962_000, (970_962_000, 30_000_000)),
    )
    others = (
        positions.emit_cpi("PositionUpdated", {**_BOB, **both, **bob, **bob_left}),
        _released(vault, _BOB, 10_000_000, 9_007_600, (774_007_600, 30_000_000)),
    )
    return (
        Act("decrease", (positions.instruction(*steps),)),
        Act("decrease of Bob", (positions.instruction(*others),)),
    )


def _released(vault: Program, owner: Fields, amount: int, returned: int, after: tuple[int, int]) -> bytes:
    """By CPI into the vault, which emits by self-CPI: depth 3."""
    fields = {
        "wallet": owner["wallet"],
        "mint": MINT,
        "position": owner["position"],
        "amount": amount,
        "returned": returned,
        "free_after": after[0],
        "locked_after": after[1],
        **_CLOCK,
    }
    return vault.call(vault.emit_cpi("CollateralReleased", fields, called=True))


def _closed(owner: Fields, reason: str, collateral: int, pnl: int, fee: int, fill: int) -> Fields:
    return {
        **owner,
        "reason": reason,
        "size": 1_500_000_000,
        "price": 166_000_000,
        "collateral_delta": collateral,
        "realized_pnl": pnl,
        "fee": fee,
        "fill_id": fill,
        **_CLOCK,
    }


def _liquidation(positions: Program, vault: Program, created: Fields) -> tuple[Act, Act]:
    executed = {
        **_BOB,
        "liquidator": ALICE,
        "fill_id": 3,
        "size": 1_500_000_000,
        "price": 166_000_000,
        "mark_price": 166_100_000,
        "quote": 249_000_000,
        "fee": 1_245_000,
        "realized_pnl": -24_000_000,
        "bad_debt": 0,
        "size_after": 0,
        **_CLOCK,
    }
    market = {
        **created,
        "mark_price": 166_100_000,
        "index_price": 166_000_000,
        "open_interest_long": 0,
        "open_interest_short": 0,
    }
    bob = _closed(_BOB, "Liquidation", -30_063_000, -24_000_000, 1_369_500, 3)
    alice = _closed(_ALICE, "Close", -29_817_000, 24_000_000, -24_900, 3)
    fill = _fill(3, BOB, "Long", 166_000_000, 1_500_000_000, (124_500, -24_900))
    steps = (
        positions.emit("OrderFilled", fill),
        positions.emit_cpi("PositionClosed", bob),
        _released(vault, _BOB, 30_000_000, 4_693_500, (778_701_100, 0)),
        positions.emit_cpi("LiquidationExecuted", executed),
    )
    others = (
        positions.emit_cpi("PositionClosed", alice),
        _released(vault, _ALICE, 30_000_000, 53_841_900, (1_024_803_900, 0)),
        positions.write("Market", market),
    )
    return (
        Act("liquidation", (positions.instruction(*steps),)),
        Act("close", (positions.instruction(*others, writes=(MARKET,)),)),
    )


def _withdrawal(vault: Program) -> Act:
    balance = {"amount": 24_803_900, "free_after": 1_000_000_000, "locked_after": 0}
    fields = {"wallet": ALICE, "mint": MINT, **balance, **_CLOCK}
    steps = (log("Instruction: Withdraw"), vault.emit("CollateralWithdrawn", fields))
    return Act("withdrawal", (vault.instruction(*steps),))
