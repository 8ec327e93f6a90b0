"""What the encoder refuses, and the addresses and codes that it knows. (test_decoder.py tests the bytes.)"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder, event_authority

DOCUMENT: dict[str, Any] = {
    "name": "made",
    "instructions": [{"name": "go", "accounts": [], "args": [{"name": "size", "type": "u8"}]}],
    "types": [
        {
            "name": "Side",
            "type": {"kind": "enum", "variants": [{"name": "Long"}, {"name": "Data", "fields": ["u8"]}]},
        }
    ],
    "errors": [{"code": 6001, "name": "Bad"}],
}


def encoder(type_: Any) -> Encoder:
    return Encoder({**DOCUMENT, "events": [{"name": "E", "fields": [{"name": "x", "type": type_}]}]})


@pytest.mark.parametrize(
    ("type_", "value", "message"),
    [
        ("u8", 256, "$.x: expected u8, found 256"),
        ("u8", -1, "$.x: expected u8"),
        ("u8", True, "$.x: expected u8"),
        ("u8", 1.0, "$.x: expected u8"),
        ("u8", None, "$.x: expected u8"),
        ("f32", 1e300, "$.x: expected f32"),
        ("f64", "1", "$.x: expected f64"),
        ("bool", 1, "$.x: expected true or false, found 1"),
        ("pubkey", "abc", "$.x: expected an address in base58"),
        ("pubkey", b"x", "$.x: expected an address in base58"),
        ("string", b"x", "$.x: expected text"),
        ("bytes", "x", "$.x: expected bytes"),
        ({"vec": "u8"}, b"ab", "$.x: expected a list"),
        ({"vec": "u8"}, [1, 256], "$.x[1]: expected u8"),
        ({"array": ["u8", 2]}, [1], "$.x: expected a list of 2 items"),
        ({"option": "u8"}, "a", "$.x.some: expected u8"),
        ({"defined": "Side"}, "Short", "$.x: expected one of Long, Data, found 'Short'"),
        ({"defined": "Side"}, "Data", "$.x: expected one of Long, Data"),
        ({"defined": "Side"}, {"Data": {"0": 256}}, "$.x.Data.0: expected u8"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_place(type_: Any, value: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        encoder(type_).event("E", {"x": value})
    assert message in str(caught.value)


@pytest.mark.parametrize("fields", [{}, {"x": 1, "y": 2}, {"y": 1}])
def test_missing_and_unknown_fields_are_named(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"missing|unknown"):
        encoder("u8").event("E", fields)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    made = encoder("u8")
    with pytest.raises(ValueError, match="has no event F; it has E"):
        made.event("F", {})
    with pytest.raises(ValueError, match="has no account A; it has none"):
        made.account("A", {})
    with pytest.raises(ValueError, match="has no error Worse; it has Bad"):
        made.error_code("Worse")
    assert made.error_code("Bad") == 6001
    with pytest.raises(IdlError, match="the IDL made names no address"):
        assert made.address


def test_instructions_are_encoded_with_their_hash() -> None:
    assert encoder("u8").instruction("go", {"size": 3})[8:] == b"\x03"


def test_the_event_authority_is_the_programs_own() -> None:
    # Jupiter Perpetuals and its authority, as its transactions show them.
    authority = event_authority("PERPHjGBqRHArX4DySjwM6UJHiR3sWAatqfdBS2qQJu")
    assert authority == "37hJBDnntwqhGbK7L6M1bLyvccj4u55CCUiLPdYkiqBN"
    assert EVENT_TAG.hex() == "e445a52e51cb9a1d"


def test_localnet_gets_nothing_of_the_indexer_with_the_encoder() -> None:
    """localnet judges the indexer, so what it imports must not bring the walk, the decoder or the pipeline."""
    code = (
        "import sys, heliograph_indexer.idl.encoder\n"
        "print(*sorted(name for name in sys.modules if name.startswith('heliograph_')))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = [name for name in loaded if name.startswith("heliograph_indexer.")]
    assert ours
    assert all(name.startswith("heliograph_indexer.idl") for name in ours)
    assert not {"heliograph_indexer.idl.decoder", "heliograph_indexer.idl.interpreter"} & set(ours)


def test_a_blank_is_encoded_as_zeros_and_has_every_field() -> None:
    made = encoder({"array": [{"option": "u64"}, 2]})
    assert made.blank_event("E") == {"x": [None, None]}
    for type_ in ("u8", "f64", "bool", "pubkey", "string", "bytes", {"vec": "u8"}, {"defined": "Side"}):
        one = encoder(type_)
        assert set(one.event("E", one.blank_event("E"))[8:]) <= {0}, type_
