"""Rules of faults, without a node."""

from __future__ import annotations

from heliograph_localnet.faults import Faults, Occasion, Reaction

BUSY = Reaction(status=429)


def test_without_a_rule_nothing_happens() -> None:
    assert Faults().consult("request", "getSlot", []) is None


def test_a_rule_may_be_for_some_methods_and_some_times() -> None:
    faults = Faults()
    faults.on("request", BUSY, methods={"getSlot"}, times=2)
    asked = [
        faults.consult("request", method, []) for method in ("getBlock", "getSlot", "getSlot", "getSlot")
    ]
    assert asked == [None, BUSY, BUSY, None]
    assert faults.consult("notification", "getSlot", None) is None


def test_the_first_rule_that_reacts_decides_and_can_be_taken_away() -> None:
    faults = Faults()
    remove = faults.on("request", BUSY)
    faults.on("request", Reaction(hang=True))
    assert faults.consult("request", "getSlot", []) is BUSY
    remove()
    assert faults.consult("request", "getSlot", []) == Reaction(hang=True)
    faults.clear()
    assert faults.consult("request", "getSlot", []) is None


def test_a_rule_sees_the_occasion_and_its_count() -> None:
    faults = Faults()
    seen: list[Occasion] = []

    def every_third(occasion: Occasion) -> Reaction | None:
        seen.append(occasion)
        return BUSY if occasion.count % 3 == 2 else None

    faults.add(every_third)
    reactions = [faults.consult("request", "getSlot", [number]) for number in range(6)]
    assert [reaction is BUSY for reaction in reactions] == [False, False, True] * 2
    assert seen[4] == Occasion("request", "getSlot", [4], 4)
