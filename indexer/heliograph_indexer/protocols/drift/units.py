"""Drift's integers and addresses: decimals, the keys of positions, and what a flow says where nothing is told."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from solders.pubkey import Pubkey

from heliograph_core.amounts import EXACT, scaled
from heliograph_core.records import Side

PROGRAM = "dRiftyHA39MWEi3m9aunc5MzRF1JYuBsbn6VPcn33UH"
BASE = FUNDING = 9
PRICE = QUOTE = 6
MARGIN = 4
ZERO = Decimal(0)
SIDES: Mapping[str, Side] = {"Long": "long", "Short": "short"}
OTHER: Mapping[Side, Side] = {"long": "short", "short": "long"}

Fields = Mapping[str, Any]


@cache
def perp_market(index: int) -> str:
    """Address of a perp market."""
    return _derived(b"perp_market", index)


@cache
def spot_market_address(index: int) -> str:
    return _derived(b"spot_market", index)


def _derived(seed: bytes, index: int) -> str:
    address, _ = Pubkey.find_program_address([seed, index.to_bytes(2, "little")], Pubkey.from_string(PROGRAM))
    return str(address)


def position_key(user: str, market_index: int) -> str:
    return f"{user}-{market_index}"


def spot_key(user: str, market_index: int) -> str:
    """Of a deposit or borrow that was liquidated; spot markets count from 0 as perp markets do."""
    return f"{user}-spot-{market_index}"


def of_position(user: str, market_index: int) -> dict[str, Any]:
    """wallet: the sub-account, until its owner is known."""
    return {
        "market": perp_market(market_index),
        "wallet": user,
        "position_key": position_key(user, market_index),
    }


def nothing_told() -> dict[str, Any]:
    return {
        "fee": ZERO,
        "funding": ZERO,
        "settled_pnl": ZERO,
        "base_before": None,
        "base_after": None,
        "entry_quote_after": None,
        "entry_quote_released": None,
        "quote_places": QUOTE,
        "trade_id": None,
    }


def signed(base: Decimal, side: Side) -> Decimal:
    return base if side == "long" else EXACT.minus(base)


def amount(integer: int | None) -> Decimal:
    return ZERO if integer is None else scaled(integer, QUOTE)


def or_none(integer: int | None, places: int) -> Decimal | None:
    return None if integer is None else scaled(integer, places)


def text(integer: int | None) -> str | None:
    return None if integer is None else str(integer)
