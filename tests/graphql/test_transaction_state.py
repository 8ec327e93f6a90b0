"""Where a transaction stands: what the rows of it mean, and what of that takes back what was said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heliograph_graphql.transaction_state import (
    EXPIRY_SLOTS,
    TRANSACTION_STATE,
    Landing,
    Reach,
    Standing,
    State,
    has_expired,
    standing,
)

HERE = Landing(
    stream="godark",
    slot=103,
    tx_index=1,
    block_time="2026-11-21T00:00:25+00:00",
    err=None,
    err_name=None,
    final=False,
    complete=True,
)


@pytest.mark.parametrize(
    ("final", "complete", "err", "state"),
    [
        (False, False, None, State.SEEN),
        (False, True, None, State.INDEXED),
        (True, True, None, State.FINALIZED),
        (False, False, '"x"', State.FAILED),
        (False, True, '"x"', State.FAILED),
        (True, True, '"x"', State.FAILED),
    ],
)
def test_rows_mean_a_state(final: bool, complete: bool, err: str | None, state: State) -> None:
    found = standing([replace(HERE, final=final, complete=complete, err=err)], expired=True)
    assert (found.state, found.final) == (state, final)


def test_what_no_stream_has_is_pending_and_never_called_dropped() -> None:
    assert standing([], expired=False) == Standing(State.PENDING)
    assert standing([], expired=True) == Standing(State.UNKNOWN)
    assert not standing([], expired=True).final


def test_of_several_streams_the_furthest_counts_and_of_two_slots_the_later() -> None:
    later = replace(HERE, slot=105, stream="a")
    assert standing([HERE, later], expired=False).landing == later
    final = replace(HERE, final=True)
    assert standing([final, later], expired=False).landing == final
    behind = replace(HERE, complete=False, stream="z")
    assert standing([behind, HERE], expired=False).landing == HERE


def test_going_on_takes_nothing_back() -> None:
    told = Standing(State.SEEN, replace(HERE, complete=False))
    for now in (
        Standing(State.INDEXED, HERE),
        Standing(State.FINALIZED, replace(HERE, final=True)),
        Standing(State.INDEXED, replace(HERE, stream="other")),
    ):
        assert not now.takes_back(told)
    assert not Standing(State.INDEXED, HERE).takes_back(Standing(State.UNKNOWN))
    assert not Standing(State.INDEXED, HERE).takes_back(None)


def test_another_place_another_error_and_no_place_take_back() -> None:
    told = Standing(State.INDEXED, HERE)
    for now in (
        Standing(State.PENDING),
        Standing(State.INDEXED, replace(HERE, slot=104)),
        Standing(State.INDEXED, replace(HERE, tx_index=0)),
        Standing(State.FAILED, replace(HERE, err='"x"')),
    ):
        assert now.takes_back(told)


def test_it_has_expired_once_every_stream_is_complete_so_many_slots_further() -> None:
    began = {"a": Reach(100, 90), "b": Reach(200, 200)}
    there = {"a": Reach(900, 100 + EXPIRY_SLOTS), "b": Reach(900, 200 + EXPIRY_SLOTS)}
    assert has_expired(began, there)
    assert not has_expired(began, there | {"a": Reach(900, 99 + EXPIRY_SLOTS)})
    assert not has_expired(began, there | {"b": Reach(900, None)})
    assert not has_expired(began, {"a": there["a"]})
    assert not has_expired(began | {"a": Reach(None, None)}, there)
    assert not has_expired({}, {})


def test_every_state_is_described() -> None:
    assert list(TRANSACTION_STATE.values) == list(State)
