"""Outcomes of one call at several endpoints: which is the better one, and whether another may be better still. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from heliograph_core.errors import RpcError
from heliograph_indexer.rpc.client import Call
from heliograph_indexer.rpc.faults import Remedy, remedy

T = TypeVar("T")

NULL_IS_NOT_YET = frozenset({"getTransaction"})
"""Methods whose null another endpoint may better; any other null is an answer."""
BY_SLOT = frozenset({"getBlock", "getBlockTime"})
"""Methods whose first parameter is a slot, which a node may have pruned."""


def slot_of(call: Call) -> int | None:
    """The slot that is asked for, None where the method asks for none."""
    first = call.params[0] if call.method in BY_SLOT and call.params else None
    return first if isinstance(first, int) else None


def is_worth_another(call: Call, outcome: object, give_back: Collection[int | None]) -> bool:
    """Whether another endpoint may give a better outcome."""
    if not isinstance(outcome, RpcError):
        return outcome is None and call.method in NULL_IS_NOT_YET
    kind = remedy(outcome)
    if kind is Remedy.STOP:
        return False
    return kind is Remedy.TELL or outcome.code not in give_back


def better(one: T | RpcError, other: T | RpcError) -> T | RpcError:
    """Of two outcomes of one call: a result beats none, none beats an error, hope beats refusal."""

    def rank(outcome: T | RpcError) -> int:
        if not isinstance(outcome, RpcError):
            return 0 if outcome is not None else 1
        if remedy(outcome) is Remedy.STOP:
            return 2
        return 3 if outcome.retry else 4

    return one if rank(one) <= rank(other) else other
