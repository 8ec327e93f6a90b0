"""Drift: deposits, withdrawals, transfers between sub-accounts, and profit that is settled into the balance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from heliograph_core.amounts import EXACT, normal, scaled
from heliograph_core.records import Balance, Flow, Owner, Record, State, Transfer
from heliograph_indexer.protocols.drift.spot_markets import QUOTE_MARKET, spot_market
from heliograph_indexer.protocols.drift.units import (
    BASE,
    PRICE,
    QUOTE,
    ZERO,
    Fields,
    nothing_told,
    of_position,
    or_none,
    position_key,
)


def settle_pnl(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Moves profit or loss between position and balance; of an expired market it ends the position at its price."""
    pnl = scaled(f["pnl"], QUOTE)
    base = scaled(f["baseAssetAmount"], BASE)
    expired = f["explanation"] == "ExpiredPosition"
    price = scaled(f["settlePrice"], PRICE)
    if pnl:
        yield Transfer(
            **row,
            wallet=f["user"],
            asset=QUOTE_MARKET.mint,
            kind="release",
            amount=ZERO,
            free_delta=pnl,
            locked_delta=ZERO,
            free_after=None,
            locked_after=None,
            position_key=position_key(f["user"], f["marketIndex"]),
            sub_account=f["user"],
        )
    told = {
        **nothing_told(),
        "settled_pnl": pnl,
        "base_after": ZERO if expired else base,
        "entry_quote_after": None if expired else abs(scaled(f["quoteEntryAmount"], QUOTE)),
    }
    ended = expired and bool(base)
    yield Flow(
        **row,
        **of_position(f["user"], f["marketIndex"]),
        kind="fill" if ended else "settlement",
        base_delta=EXACT.minus(base) if ended else ZERO,
        quote=normal(EXACT.multiply(abs(base), price)) if ended else ZERO,
        price=price if ended else None,
        **told,
    )
    yield Owner(stream=row["stream"], account=f["user"], wallet=None)


def deposit(row: dict[str, Any], f: Fields) -> Iterable[Record | State]:
    """Deposits, withdrawals, and each side of a transfer between sub-accounts."""
    market = spot_market(f["marketIndex"])
    amount = scaled(f["amount"], market.decimals)
    sign = {"Deposit": 1, "Withdraw": -1}[f["direction"]]
    after = or_none(f.get("userTokenAmountAfter"), market.decimals)
    yield Transfer(
        **row,
        wallet=f["userAuthority"],
        asset=market.mint,
        kind="deposit" if sign > 0 else "withdraw",
        amount=amount,
        free_delta=EXACT.multiply(amount, sign),
        locked_delta=ZERO,
        free_after=after,
        locked_after=None if after is None else ZERO,
        position_key=None,
        sub_account=f["user"],
    )
    if after is not None:
        yield Balance(
            stream=row["stream"],
            wallet=f["userAuthority"],
            asset=market.mint,
            free=after,
            locked=ZERO,
            updated_at=row["block_time"],
            updated_slot=row["slot"],
            updated_tx_index=row["tx_index"],
            updated_ordinal=row["ordinal"],
            sub_account=f["user"],
        )
    yield Owner(stream=row["stream"], account=f["user"], wallet=f["userAuthority"])


def user(row: dict[str, Any], f: Fields) -> Iterable[State]:
    yield Owner(stream=row["stream"], account=f["user"], wallet=f["userAuthority"])
