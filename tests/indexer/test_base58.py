from __future__ import annotations

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph_indexer.base58 import ALPHABET, MOST_CHARACTERS, decode_base58


@given(st.binary(max_size=600), st.integers(0, 5))
def test_what_the_reference_encodes_is_decoded(data: bytes, zeros: int) -> None:
    data = bytes(zeros) + data
    assert decode_base58(base58.b58encode(data).decode()) == data


@given(st.text(alphabet=ALPHABET.decode(), max_size=80))
def test_any_text_of_the_alphabet_reads_as_the_reference_reads_it(text: str) -> None:
    assert decode_base58(text) == base58.b58decode(text)


def test_the_longest_instruction_is_read() -> None:
    data = bytes(range(256)) * 40
    text = base58.b58encode(data).decode()
    assert len(text) <= MOST_CHARACTERS
    assert decode_base58(text) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", " ", "abc\n", "é", "a\0"])
def test_other_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no base58 character"):
        decode_base58(text)


def test_text_beyond_any_transaction_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 16384"):
        decode_base58("1" * (MOST_CHARACTERS + 1))
