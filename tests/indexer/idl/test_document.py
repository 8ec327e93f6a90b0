from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.document import Node


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda node: node.get("list").at(1).get("name").text(), "$.list[1].name: expected text, found 5"),
        (lambda node: node.get("list").at(7), "$.list: expected at least 8 items, found 2"),
        (lambda node: node.get("text").get("x"), "$.text: expected an object, found 'hello'"),
        (lambda node: list(node.items("text")), "$.text: expected a list, found 'hello'"),
        (lambda node: node.get("text").integer(), "$.text: expected an integer of at least 0"),
        (lambda node: node.get("yes").integer(), "$.yes: expected an integer of at least 0, found True"),
        (lambda node: node.get("list").octets(), "$.list[0]: expected a byte, found {}"),
        (lambda node: node.flag("text"), "$.text: expected true or false"),
        (lambda node: node.name(), "$.name: expected text, found None"),
        (lambda node: node.get("missing").wrong("anything"), "$.missing: expected anything, found None"),
    ],
)
def test_whatever_is_wrong_is_named_with_its_place(read: Any, message: str) -> None:
    node = Node({"list": [{}, {"name": 5}], "text": "hello", "yes": True})
    with pytest.raises(IdlError) as caught:
        read(node)
    assert message in str(caught.value)


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(IdlError) as caught:
        Node("x" * 10_000).wrong("something short")
    assert len(str(caught.value)) < 200


def test_absent_and_null_are_the_same() -> None:
    node = Node({"null": None})
    assert not node.has("null")
    assert list(node.items("null")) == list(node.items("absent")) == []
    assert node.flag("null") is False
    assert node.docs() == ()


def test_error_codes_may_be_written_as_text() -> None:
    assert Node({"code": "6000"}).error_code() == Node({"code": 6000}).error_code() == 6000
