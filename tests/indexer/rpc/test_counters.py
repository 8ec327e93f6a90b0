"""Counts add up by their labels, and reading them changes nothing."""

from __future__ import annotations

from heliograph_indexer.rpc.counters import RpcCounters


def test_calls_are_counted_by_host_method_and_code() -> None:
    counters = RpcCounters()
    counters.add("a:1", "getSlot", "ok")
    counters.add("a:1", "getSlot", "ok", 4)
    counters.add("a:1", "getSlot", "429")
    counters.add("b:1", "getBlock", "ok", 2)
    before = counters.read()
    assert before == (
        ("a:1", "getSlot", "429", 1),
        ("a:1", "getSlot", "ok", 5),
        ("b:1", "getBlock", "ok", 2),
    )
    counters.add("b:1", "getBlock", "ok")
    assert before[-1].calls == 2 and counters.read()[-1].calls == 3


def test_totals_are_over_whatever_is_not_named() -> None:
    counters = RpcCounters()
    counters.add("a", "getSlot", "ok", 3)
    counters.add("a", "getBlock", "-32004", 2)
    counters.add("b", "getBlock", "ok", 1)
    assert counters.total() == 6
    assert counters.total(host="a") == 5
    assert counters.total(method="getBlock", codes=["ok"]) == 1
