"""The table of errors, code by code: what is retried, what moves on, what is told and what stops."""

from __future__ import annotations

import pytest

from heliograph_core.errors import RpcRefused, RpcUnavailable
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.faults import Remedy, remedy

TABLE = {
    Remedy.WAIT: [-32004, -32014, -32016, -32019, -32017, 500, 502, 503, 504],
    Remedy.TELL: [-32007, -32009, -32020, 413],
    Remedy.NEVER: [-32001, -32010, -32011, 401, 403, -32601],
    Remedy.MOVE: [-32005, -32012, -32013, 429],
    Remedy.STOP: [-32015],
}
ROWS = [(code, wanted) for wanted, codes in TABLE.items() for code in codes]


@pytest.mark.parametrize(("code", "wanted"), ROWS)
def test_each_code_has_its_remedy(code: int, wanted: Remedy) -> None:
    error = faults.from_code("http://a:1", "getThing", code, "no")
    assert remedy(error) is wanted and error.code == code
    # What waits or moves may pass; the rest does not pass by itself.
    assert error.retry == (wanted in (Remedy.WAIT, Remedy.MOVE))


def test_no_answer_at_all_moves_on() -> None:
    assert remedy(faults.unreachable("http://a:1", "getThing", "refused")) is Remedy.MOVE
    assert remedy(RpcUnavailable("x")) is Remedy.MOVE and remedy(RpcRefused("x")) is Remedy.NEVER


def test_the_codes_that_move_are_those_of_the_table() -> None:
    assert {None, -32005, -32012, -32013, 429} <= faults.MOVING
    assert not {-32004, -32015, -32020, 403} & faults.MOVING


def test_a_node_cannot_make_up_labels() -> None:
    assert [faults.label(code) for code in (-32004, 429, 503, 7, -99999)] == [
        "-32004", "429", "503", "other", "other",
    ]  # fmt: skip
