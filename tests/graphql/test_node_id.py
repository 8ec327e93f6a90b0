"""Global ids survive the way to the client and back, and nothing else passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliograph_graphql.node_id import NodeIdError, decode_id, encode_id, entity_of_id


@given(
    st.lists(
        st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1)),
        max_size=6,
    )
)
def test_an_id_gives_back_its_values(values: list[str | int]) -> None:
    text = encode_id("Trade", values)
    if len(text) <= 2048:
        assert decode_id(text, "Trade", len(values)) == tuple(values)
        assert entity_of_id(text) == "Trade"


@given(st.text())
def test_any_text_is_an_id_or_refused_as_one(text: str) -> None:
    with pytest.raises(NodeIdError):
        decode_id(text, "Trade", 3)
    with pytest.raises(NodeIdError):
        entity_of_id(text)


def test_an_id_of_another_type_or_length_is_refused() -> None:
    text = encode_id("Trade", ["a", 1])
    with pytest.raises(NodeIdError, match="not of type Market"):
        decode_id(text, "Market", 2)
    with pytest.raises(NodeIdError):
        decode_id(text, "Trade", 3)
