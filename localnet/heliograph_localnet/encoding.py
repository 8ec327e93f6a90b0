"""The books' values as the programs' bytes: events and accounts, encoded by the IDL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliograph_indexer.idl.encoder import Encoder
from heliograph_localnet.addresses import (
    POSITIONS,
    POSITIONS_CODEC,
    VAULT_CODEC,
    market_account,
    position_account,
)
from heliograph_localnet.draft import AccountData
from heliograph_localnet.exchange.facts import (
    CollateralDeposited,
    CollateralLocked,
    CollateralReleased,
    CollateralWithdrawn,
    Fact,
    MarketCreated,
)
from heliograph_localnet.exchange.market import Market
from heliograph_localnet.exchange.position import Position

_ENUMS = frozenset({"side", "taker_side", "kind", "reason"})
_VAULT_FACTS = (CollateralDeposited, CollateralWithdrawn, CollateralLocked, CollateralReleased)
MARKET_SPACE = 320
"""Bytes of a market account: Anchor reserves the longest text, so zeros follow the fields."""
_RENT_PER_BYTE = 6_960
_ACCOUNT_OVERHEAD = 128


class Speech:
    """How godark_positions says its events from some slot on: an upgrade may have changed their layout.

    added: by event, the fields that the books know nothing of, with their values. known: whether those who listen
    have the IDL; what they cannot read is no row of theirs.
    """

    def __init__(self, document: bytes, added: Mapping[str, Mapping[str, object]], *, known: bool) -> None:
        self.document = document
        self.known = known
        self._added = added
        self._codec = Encoder(document)

    def event(self, fact: Fact) -> bytes:
        """Discriminator and fields of the event that says `fact`."""
        name = type(fact).__name__
        if name not in self._added:
            return event(fact)
        return self._codec.event(name, {**_fields(fact), **self._added[name]})

    def reads(self, fact: Fact) -> bool:
        """Whether those who listen understand it."""
        return self.known or type(fact).__name__ not in self._added


def event(fact: Fact) -> bytes:
    """Discriminator and fields of the event that says `fact`, as the IDLs that ship with us have it."""
    name = type(fact).__name__
    if isinstance(fact, MarketCreated):
        terms = fact.terms
        fields = {"market": fact.market, **_fields(terms), "timestamp": fact.timestamp}
        return POSITIONS_CODEC.event(name, fields)
    codec = VAULT_CODEC if isinstance(fact, _VAULT_FACTS) else POSITIONS_CODEC
    return codec.event(name, _fields(fact))


def market(state: Market) -> AccountData:
    fields = {
        **_fields(state.terms),
        "market_index": state.number,
        "mark_price": state.mark_price,
        "index_price": state.index_price,
        "funding_rate": state.funding_rate,
        "open_interest_long": state.open_long,
        "open_interest_short": state.open_short,
        "created_slot": state.created_slot,
        "created_at": state.created_at,
        "updated_slot": state.updated_slot,
        "bump": market_account(state.terms.symbol)[1],
    }
    return owned(POSITIONS, POSITIONS_CODEC.account("Market", fields).ljust(MARKET_SPACE, b"\0"))


def position(state: Position) -> AccountData:
    fields = {
        "market": state.market,
        "wallet": state.wallet,
        "side": state.side.capitalize(),
        "size": state.size,
        "entry_price": state.entry_price,
        "collateral": state.collateral,
        "liquidation_price": state.liquidation_price,
        "opened_slot": state.opened_slot,
        "updated_slot": state.updated_slot,
        "bump": position_account(state.wallet, state.market)[1],
    }
    return owned(POSITIONS, POSITIONS_CODEC.account("Position", fields))


def owned(program: str, data: bytes) -> AccountData:
    """An account of `program`, rent-exempt."""
    return AccountData(program, (_ACCOUNT_OVERHEAD + len(data)) * _RENT_PER_BYTE, data)


def _fields(value: Any) -> dict[str, Any]:
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    for name in _ENUMS & fields.keys():
        fields[name] = fields[name].capitalize()
    return fields
