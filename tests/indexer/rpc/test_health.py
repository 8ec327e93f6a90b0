"""An endpoint that fails rests, longer each time; what it can never do is remembered; refusals are no illness."""

from __future__ import annotations

from heliograph_core.errors import RpcError
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.health import Health


def error(code: int, retry_after: float | None = None) -> RpcError:
    return faults.from_code("http://a:1", "getThing", code, "no", retry_after)


def test_rests_grow_and_an_answer_ends_them() -> None:
    health = Health(1.0, 8.0)
    now = 100.0
    for most in (1.0, 2.0, 4.0, 8.0, 8.0):
        health.failed("getThing", error(-32005), now)
        assert health.ill(now) and health.ill(now + most / 2 - 0.01) and not health.ill(now + most)
        assert health.trouble is not None and "http://a:1" in health.trouble
        now += most
    health.failed("getThing", error(-32005), now)
    health.answered()
    assert not health.ill(now) and health.trouble is None


def test_failures_of_calls_that_were_under_way_together_count_once() -> None:
    health = Health(1.0, 8.0)
    for _ in range(10):
        health.failed("getThing", error(-32005), 100.0)
    assert not health.ill(101.0)


def test_retry_after_is_the_least_rest() -> None:
    health = Health(0.1, 1.0)
    health.failed("getThing", error(429, 30.0), 0.0)
    assert health.ill(29.9) and not health.ill(30.0)


def test_what_it_can_never_do_is_remembered_by_method() -> None:
    health = Health(1.0, 8.0)
    health.failed("getProgramAccounts", error(-32010), 0.0)
    refusal = health.refusal("getProgramAccounts")
    assert refusal is not None and refusal.code == -32010 and list(health.refusals) == ["getProgramAccounts"]
    assert health.refusal("getSlot") is None
    assert not health.ill(0.0)


def test_a_pruned_block_says_nothing_of_newer_ones() -> None:
    health = Health(1.0, 8.0)
    health.failed("getBlock", error(faults.BLOCK_CLEANED_UP), 0.0, slot=500)
    health.failed("getBlock", error(faults.BLOCK_CLEANED_UP), 0.0, slot=400)
    assert health.refusal("getBlock", 500) is not None and health.refusal("getBlock", 17) is not None
    assert health.refusal("getBlock", 501) is None and health.refusal("getSlot") is None


def test_what_a_probe_found_lasts_until_the_next() -> None:
    health = Health(1.0, 8.0)
    health.unwell = "behind"
    health.answered()
    assert health.ill(1e9) and health.trouble == "behind"
