"""Waits grow, stay bounded and jittered, and heed the server."""

from __future__ import annotations

import random

from heliograph_indexer.rpc.backoff import Backoff


def test_waits_double_up_to_the_most() -> None:
    backoff = Backoff(1.0, 8.0, random.Random(1))
    for most in (1.0, 2.0, 4.0, 8.0, 8.0, 8.0):
        assert most / 2 <= backoff.next() <= most
    backoff.reset()
    assert backoff.next() <= 1.0


def test_the_servers_wish_is_the_least() -> None:
    assert Backoff(0.001, 1.0).next(30.0) == 30.0


def test_a_thousand_failures_do_not_overflow() -> None:
    backoff = Backoff(1.0, 8.0)
    assert all(backoff.next() <= 8.0 for _ in range(1000))
