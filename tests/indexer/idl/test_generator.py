"""The shape of the generated source. (test_decoder.py tests what it reads.)"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.model import Field, Number, Option, Struct
from heliograph_indexer.idl.reader import read_idl


def source_of(*types: Any) -> str:
    fields = [{"name": f"f{index}", "type": type_} for index, type_ in enumerate(types)]
    idl = read_idl({"name": "made", "instructions": [], "events": [{"name": "E", "fields": fields}]})
    return Decoder(idl).sources()["event E"]


def test_a_run_of_fixed_fields_is_one_unpack() -> None:
    source = source_of(
        "u8", "i128", "pubkey", "bool", {"array": ["u64", 3]}, {"array": ["u8", 500]}, {"coption": "u8"}
    )
    assert source.count("unpack_from") == 1
    assert source.count("\n") == 3


def test_the_tag_that_follows_belongs_to_the_run() -> None:
    source = source_of("u64", "pubkey", {"option": "u64"})
    assert source.count("unpack_from") == 2
    source = source_of("u64", "string", "u64")
    assert source.count("unpack_from") == 2


def test_offsets_are_constant_until_something_varies() -> None:
    assert "o = " not in source_of("u64", "u64")
    assert "o = " in source_of("string", "u64")


def test_only_a_tag_of_one_byte_is_read_with_the_value_before_it() -> None:
    """Codama has options with wider tags; sixteen fields make a struct whose options are read in a row."""
    some = Field("first", Option(Number("u64")))
    wide = Field("second", Option(Number("u64"), tag=Number("u32")))
    rest = tuple(Field(f"f{index}", Number("u8")) for index in range(16))
    given = read_idl({"name": "made", "instructions": [], "events": [{"name": "E", "fields": []}]})
    (event,) = given.events
    idl = replace(given, events=(replace(event, type=Struct((some, wide, *rest))),))
    data = event.discriminator + b"\1" + b"\2" + bytes(7) + b"\1\0\0\0" + b"\3" + bytes(7) + bytes(16)
    _, value = Decoder(idl).event(data)
    assert (value["first"], value["second"]) == (2, 3)
