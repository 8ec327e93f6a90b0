from __future__ import annotations

from random import Random

from heliograph_localnet.manner import Manner, draw


def test_a_day_shows_every_manner_and_never_a_flood() -> None:
    chance = Random(1)
    day = [draw(chance) for _ in range(3_000)]
    assert {manner.version for manner in day} == {"legacy", "0", "1"}
    assert any(manner.routed for manner in day)
    assert any(manner.whispers for manner in day)
    assert any(manner.lookup for manner in day)
    noises = {noise for manner in day for noise in (*manner.before, *manner.after)}
    assert noises == {"memo", "spoof", "spoof_cpi", "data"}
    assert all(manner.version == "0" for manner in day if manner.lookup)


def test_the_compute_budget_says_the_limit_and_a_price_if_there_is_one() -> None:
    assert Manner(unit_limit=1).budget_instructions == (b"\x02\x01\0\0\0",)
    assert Manner(unit_limit=1, unit_price=2).budget_instructions[1] == b"\x03\x02" + bytes(7)
    assert Manner(version="1", unit_price=2).budget_instructions == ()
    assert Manner(budget=(b"mine",)).budget_instructions == (b"mine",)
