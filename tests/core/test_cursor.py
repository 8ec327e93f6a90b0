"""Cursors come back as they left, or are refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph_core.cursor import (
    StreamPosition,
    decode_keyset,
    decode_stream,
    encode_keyset,
    encode_stream,
)
from heliograph_core.errors import CursorError

VALUES = st.lists(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20), max_size=6
)
POSITIONS = st.builds(
    StreamPosition,
    seq=st.integers(0, 2**63 - 1),
    slot=st.integers(-1, 2**63 - 1),
    tx_index=st.integers(0, 2**31 - 1),
    ordinal=st.integers(0, 2**31 - 1),
    part=st.integers(0, 2**15 - 1),
)


@given(st.text(max_size=30), VALUES)
def test_a_keyset_cursor_gives_back_its_values(order: str, values: list[str | int | bool | None]) -> None:
    assert decode_keyset(encode_keyset(order, values), order) == tuple(values)


@given(st.dictionaries(st.text(max_size=10), POSITIONS, max_size=4))
def test_a_stream_cursor_gives_back_its_positions(positions: dict[str, StreamPosition]) -> None:
    assert decode_stream(encode_stream(positions)) == positions


def test_a_keyset_cursor_is_refused_under_another_order() -> None:
    with pytest.raises(CursorError, match="another order"):
        decode_keyset(encode_keyset("time:asc", [1]), "price:desc")


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_a_forged_cursor_raises_only_the_cursor_error(text: str) -> None:
    for decode in (lambda: decode_keyset(text, "o"), lambda: decode_stream(text)):
        try:
            decode()
        except CursorError as error:
            assert error.code == "CURSOR_INVALID"


@pytest.mark.parametrize(
    "place",
    [
        "[3,100,1099511627776,0,0]",
        "[3,100,0,-1,0]",
        "[3,100,0,0,2147483648]",
        "[3,-2,0,0,0]",
        "[9223372036854775808,0,0,0,0]",
    ],
)
def test_a_position_that_no_row_can_have_is_refused(place: str) -> None:
    forged = base64.urlsafe_b64encode(f's{{"godark":{place}}}'.encode()).rstrip(b"=").decode()
    with pytest.raises(CursorError):
        decode_stream(forged)


def test_one_kind_of_cursor_does_not_pass_for_the_other() -> None:
    with pytest.raises(CursorError):
        decode_stream(encode_keyset("o", []))
    with pytest.raises(CursorError):
        decode_keyset(encode_stream({}), "o")


def test_a_huge_cursor_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(CursorError):
        decode_stream("A" * 100_000)


def test_a_position_after_a_commit_follows_all_of_its_rows() -> None:
    assert StreamPosition.after(4) > StreamPosition(4, 2**40, 5, 6, 7)
    assert StreamPosition.after(4) < StreamPosition(5, -1, 0, 0, 0)


@pytest.mark.parametrize("payload", [b'["Trade:slot",["\xf9"]]', b'{"\xf9":[1,1,1,1,1]}', b"[" * 20_000])
def test_a_forged_cursor_that_is_no_text_is_refused_as_any_other(payload: bytes) -> None:
    for kind, read in ((b"k", lambda text: decode_keyset(text, "Trade:slot")), (b"s", decode_stream)):
        text = base64.urlsafe_b64encode(kind + payload).rstrip(b"=").decode()
        with pytest.raises(CursorError):
            read(text)
