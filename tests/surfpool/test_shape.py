"""Shapes differ where types or keys do, at any depth, and nowhere else."""

from __future__ import annotations

import pytest
from tests.surfpool.shape import Difference, differences, shape_of


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        ({"slot": 1, "err": None}, {"err": None, "slot": 99}, []),
        ({"slot": 1}, {"slot": "1"}, [Difference("$.slot", "integer", "string")]),
        ({"slot": 1}, {"slot": 1.0}, [Difference("$.slot", "integer", "float")]),
        ({"slot": 1}, {"slot": True}, [Difference("$.slot", "integer", "boolean")]),
        ({"a": {"b": None}}, {"a": {}}, [Difference("$.a.b", "null", "absent")]),
        ([{"i": 1}, {"i": 2}], [{"i": 1}, {}], [Difference("$[*].i", "integer", "absent|integer")]),
        ([{"i": 1}, {}], [{}, {"i": 1}], []),
        ([None, {"i": 1}], [{"i": 1}], [Difference("$[*]", "null|object", "object")]),
        ([[1], [2, 3]], [[4]], []),
        ([], [1], [Difference("$[*]", "absent", "integer")]),
        ({"a": [{"b": 1}]}, {"a": None}, [Difference("$.a", "array", "null")]),
        ({"a": [{"b": 1}]}, {"a": {"b": 1}}, [Difference("$.a", "array", "object")]),
        ({"a": [{"b": 1}]}, {}, [Difference("$.a", "array", "absent")]),
        (
            {"error": {"code": -32602, "data": None}},
            {"error": {"code": -32004, "data": None}},
            [Difference("$.error", "error -32602", "error -32004")],
        ),
    ],
)
def test_shapes_are_compared_recursively(left: object, right: object, found: list[Difference]) -> None:
    assert differences(shape_of(left), shape_of(right)) == found
