from __future__ import annotations

from heliograph_indexer.idl.model import Field, Number
from heliograph_indexer.idl.names import unique_fields


def names(*given: str) -> list[str]:
    return [field.name for field in unique_fields([Field(name, Number("u8")) for name in given])]


def test_names_that_are_unique_stay() -> None:
    assert names("a", "b") == ["a", "b"]
    assert names() == []


def test_the_last_of_a_repeated_name_keeps_it() -> None:
    assert names("padding", "x", "padding") == ["padding_1", "x", "padding"]
    assert names("p", "p", "p") == ["p_1", "p_2", "p"]


def test_a_name_that_is_taken_is_not_given_again() -> None:
    assert names("p", "p_1", "p") == ["p_2", "p_1", "p"]
