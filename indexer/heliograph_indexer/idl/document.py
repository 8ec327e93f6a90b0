"""A JSON document read by hand: every step knows its place, so that an IdlError can name it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from heliograph_core.errors import IdlError

SHOWN_CHARACTERS = 80
"""How much of a wrong value an error message repeats."""

MOST_DIGITS = 20
"""Of a number that is written as text."""


class Node:
    """A value in the document and the path to it, as in `$.events[2].fields[0].type`.

    Everything that reads raises IdlError, naming the path, when the value is not what was asked for.
    """

    __slots__ = ("path", "value")

    def __init__(self, value: Any, path: str = "$") -> None:
        self.value = value
        self.path = path

    def fail(self, message: str) -> NoReturn:
        raise IdlError(message, path=self.path)

    def wrong(self, wanted: str) -> NoReturn:
        text = repr(self.value)
        if len(text) > SHOWN_CHARACTERS:
            text = text[:SHOWN_CHARACTERS] + "…"
        self.fail(f"expected {wanted}, found {text}")

    def has(self, key: str) -> bool:
        """Whether the object has that key with a value other than null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def get(self, key: str) -> Node:
        """The member of that name; absent and null are the same."""
        if not isinstance(self.value, dict):
            self.wrong("an object")
        return Node(self.value.get(key), f"{self.path}.{key}")

    def at(self, index: int) -> Node:
        if not isinstance(self.value, list):
            self.wrong("a list")
        if index >= len(self.value):
            self.fail(f"expected at least {index + 1} items, found {len(self.value)}")
        return Node(self.value[index], f"{self.path}[{index}]")

    def items(self, key: str) -> Iterator[Node]:
        """The items of the list of that name; an absent list has none."""
        member = self.get(key)
        if member.value is None:
            return
        if not isinstance(member.value, list):
            member.wrong("a list")
        for index, value in enumerate(member.value):
            yield Node(value, f"{member.path}[{index}]")

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.wrong("text")
        return self.value

    def name(self) -> str:
        """The text of the member `name`, not empty."""
        member = self.get("name")
        if not member.text():
            member.wrong("a name")
        return member.text()

    def integer(self, least: int = 0) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < least:
            self.wrong(f"an integer of at least {least}")
        return self.value

    def error_code(self) -> int:
        """The member `code`; some generators write it as text."""
        member = self.get("code")
        written = member.digits()
        return member.integer() if written is None else written

    def digits(self) -> int | None:
        """The number that a text of decimal digits stands for, None for anything else."""
        text = self.value
        if isinstance(text, str) and len(text) <= MOST_DIGITS and text.isascii() and text.isdigit():
            return int(text)
        return None

    def flag(self, key: str) -> bool:
        """The boolean of that name; absent is false."""
        member = self.get(key)
        if member.value is None:
            return False
        if not isinstance(member.value, bool):
            member.wrong("true or false")
        return member.value

    def docs(self) -> tuple[str, ...]:
        member = self.get("docs")
        if isinstance(member.value, str):
            return (member.value,)
        return tuple(line.text() for line in self.items("docs"))

    def octets(self) -> bytes:
        """A list of numbers 0 to 255 as bytes."""
        if not isinstance(self.value, list):
            self.wrong("a list of bytes")
        for index, value in enumerate(self.value):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 255:
                Node(value, f"{self.path}[{index}]").wrong("a byte")
        return bytes(self.value)
