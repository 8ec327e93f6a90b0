"""The oracle by itself. (test_decoder.py compares it with the generated decoders.)"""

from __future__ import annotations

import pytest

from heliograph_core.errors import DecodeError
from heliograph_indexer.idl.interpreter import Interpreter
from heliograph_indexer.idl.model import Array, Idl, Number, Option, Type, Vec

INTERPRETER = Interpreter(Idl("made", None, {}))
U16 = Number("u16")


def test_a_value_is_read_where_it_stands() -> None:
    assert INTERPRETER.read(Vec(U16), b"\xff\x02\0\0\0\x01\0\x02\0rest", 1) == ([1, 2], 9)


@pytest.mark.parametrize("type_", [U16, Option(U16), Vec(U16), Array(U16, 2), Array(Option(U16), 2)])
def test_an_offset_beyond_the_bytes_is_refused(type_: Type) -> None:
    with pytest.raises(DecodeError):
        INTERPRETER.read(type_, b"", 5)


def test_memory_is_read_with_its_padding() -> None:
    body = Array(Option(U16, tag=Number("u8"), fixed=True), 2)
    data = bytes([1, 0xAA, 5, 0, 0, 0xAA, 6, 0])
    assert INTERPRETER.read(body, data, memory=True) == ([5, None], 8)


def test_an_error_carries_its_path() -> None:
    with pytest.raises(DecodeError) as caught:
        INTERPRETER.read(Vec(Vec(U16)), b"\x01\0\0\0\xff\0\0\0\0\0", name="Thing")
    assert caught.value.path == "$[0]"
    assert str(caught.value).endswith("at byte 8 of Thing")
