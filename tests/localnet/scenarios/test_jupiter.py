"""The pool's scenario is the same each time, speaks by either IDL, and its books add up by themselves."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from itertools import islice

import pytest
from tests.peers.shared_idls import shared_idl

from heliograph_localnet.scenarios import SCENARIOS
from heliograph_localnet.scenarios.jupiter import JupiterScenario
from heliograph_localnet.stage import Stage

IDLS = {name: shared_idl(name) for name in ("jupiter_perpetuals.legacy", "jupiter_perpetuals.codama_2026")}
OLD, NEW = (document or b"" for document in IDLS.values())
pytestmark = pytest.mark.skipif(not OLD or not NEW, reason="the real IDLs of ../shared are absent")


def played(scenario: JupiterScenario) -> Stage[JupiterScenario]:
    on = Stage(scenario, stream="jupiter")
    on.play(scenario.script(on.now))
    return on


def test_the_script_is_the_same_each_time_and_by_either_idl() -> None:
    first, again = played(JupiterScenario(OLD, 5)), played(JupiterScenario(OLD, 5))
    assert first.books.rows() == again.books.rows()
    newer = played(JupiterScenario(NEW, 5))
    statuses = [row["status"] for row in newer.books.rows()["perps.positions"]]
    assert statuses == [row["status"] for row in first.books.rows()["perps.positions"]]


def test_what_is_taken_of_a_closed_position_is_what_was_put_in() -> None:
    """Collateral put in, result and fees of every life that ended come to 0 or to what was paid out."""
    on = Stage(JupiterScenario(NEW, 5), stream="jupiter")
    on.play(islice(on.scenario.traffic(on.now), 1_500))
    rows = on.books.rows()
    kinds = {row["kind"] for row in rows["perps.position_changes"]}
    assert kinds == {"open", "increase", "decrease", "close", "liquidation"}
    base: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows["perps.position_changes"]:
        base[row["position_key"]] += row["size_delta"]
    last = {row["position_key"]: row for row in rows["perps.positions"]}
    for key, total in base.items():
        # The program rounds its average price; see docs/decisions/0037.
        assert abs(total - last[key]["size"]) <= Decimal("0.01"), key
    assert any(row["status"] == "open" for row in last.values())


def test_an_idl_of_another_program_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no event"):
        SCENARIOS["jupiter"](b'{"name": "x", "version": "0.1.0", "instructions": []}')
