"""The generated decoders: against a table of extremes, against the encoder, against the interpreter, against noise."""

from __future__ import annotations

import base64
import json
import math
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey as Address

from heliograph_core.errors import DecodeError
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import Encoder
from heliograph_indexer.idl.interpreter import Interpreter
from heliograph_indexer.idl.layout import Sizes, in_memory
from heliograph_indexer.idl.model import (
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    Idl,
    Layout,
    Number,
    Option,
    Pubkey,
    String,
    Struct,
    Type,
    Variant,
    Vec,
)
from heliograph_indexer.idl.reader import read_idl

SHARED = Path(__file__).resolve().parents[4] / "shared"

needs_shared = pytest.mark.skipif(
    not (SHARED / "samples").is_dir(),
    reason="the shared folder with samples and IDLs is not beside the checkout",
)

Json = dict[str, Any]

# An IDL made by hand


def document(
    event: list[Json],
    types: list[Json] | None = None,
    discriminator: tuple[int, ...] = (7,),
    account: Json | None = None,
) -> Json:
    """An IDL of spec 0.1.0 with one event, `Said`, and one account, `Kept`, where it is given."""
    defined = [{"name": "Said", "type": {"kind": "struct", "fields": event}}, *(types or ())]
    if account is not None:
        defined.append({"name": "Kept", **account})
    return {
        "address": "11111111111111111111111111111111",
        "metadata": {"name": "made", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [],
        "events": [{"name": "Said", "discriminator": list(discriminator)}],
        "accounts": [{"name": "Kept", "discriminator": [9, 9]}] if account is not None else [],
        "types": defined,
    }


def one_field(type_: Any, types: list[Json] | None = None) -> tuple[Decoder, Encoder]:
    idl = read_idl(document([{"name": "x", "type": type_}], types))
    return Decoder(idl), Encoder(idl)


def read_by_both(decoder: Decoder, data: bytes) -> Any:
    """What the generated decoder reads, once the interpreter has read the same."""
    layout = next(layout for layout in decoder.idl.events if data.startswith(layout.discriminator))
    name, fields = decoder.event(data)
    value, end = Interpreter(decoder.idl).read(layout.type, data, len(layout.discriminator))
    assert (name, end) == (layout.name, len(data))
    assert repr(value) == repr(fields)
    return fields


def shown(value: Any) -> str:
    """Text that tells 0.0 from -0.0 and True from 1, whatever the order of the fields."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key!r}: {shown(value[key])}" for key in sorted(value)) + "}"
        case list():
            return f"[{', '.join(map(shown, value))}]"
        case _:
            return repr(value)


# Extremes of each type

COLOURS: Json = {"name": "Colour", "type": {"kind": "enum", "variants": [{"name": "Red"}, {"name": "Green"}]}}
SHAPES: Json = {
    "name": "Shape",
    "type": {
        "kind": "enum",
        "variants": [
            {"name": "Dot"},
            {"name": "Circle", "fields": [{"name": "radius", "type": "u16"}]},
            {"name": "Pair", "fields": ["u8", {"option": "u8"}]},
        ],
    },
}
POINT: Json = {"name": "Point", "type": {"kind": "struct", "fields": ["i16", "i16"]}}
ALIAS: Json = {"name": "Amount", "type": {"kind": "type", "alias": "u64"}}
POOL: Json = {
    "name": "Pool",
    "generics": [{"kind": "type", "name": "T"}, {"kind": "const", "name": "N", "type": "usize"}],
    "type": {
        "kind": "struct",
        "fields": [{"name": "items", "type": {"array": [{"generic": "T"}, {"generic": "N"}]}}],
    },
}
NODE: Json = {
    "name": "Node",
    "type": {
        "kind": "struct",
        "fields": [
            {"name": "id", "type": "u8"},
            {"name": "under", "type": {"vec": {"defined": {"name": "Node"}}}},
        ],
    },
}
TYPES = [COLOURS, SHAPES, POINT, ALIAS, POOL, NODE]
POOL_OF_TWO = {
    "defined": {"name": "Pool", "generics": [{"kind": "type", "type": "u8"}, {"kind": "const", "value": "2"}]}
}


def _integers() -> list[tuple[Any, Any, str]]:
    rows: list[tuple[Any, Any, str]] = []
    for size in (1, 2, 4, 8, 16, 32):
        unsigned, signed = f"u{size * 8}", f"i{size * 8}"
        rows += [
            (unsigned, 0, "00" * size),
            (unsigned, 1, "01" + "00" * (size - 1)),
            (unsigned, (1 << (8 * size)) - 1, "ff" * size),
            (signed, -1, "ff" * size),
            (signed, (1 << (8 * size - 1)) - 1, "ff" * (size - 1) + "7f"),
            (signed, -(1 << (8 * size - 1)), "00" * (size - 1) + "80"),
        ]
    return rows


EXTREMES: list[tuple[Any, Any, str]] = [
    *_integers(),
    ("f32", 0.0, "00000000"),
    ("f32", struct.unpack("<f", b"\xff\xff\x7f\x7f")[0], "ffff7f7f"),
    ("f32", math.inf, "0000807f"),
    ("f32", -math.inf, "000080ff"),
    ("f64", -0.0, "0000000000000080"),
    ("f64", 5e-324, "0100000000000000"),
    ("f64", 1.7976931348623157e308, "ffffffffffffef7f"),
    ("bool", False, "00"),
    ("bool", True, "01"),
    ("string", "", "00000000"),
    ("string", "a\0é𝄞", "0800000061" + "00" + "c3a9" + "f09d849e"),
    ("bytes", b"", "00000000"),
    ("bytes", b"\x00\xff", "0200000000ff"),
    ("pubkey", "11111111111111111111111111111111", "00" * 32),
    ("pubkey", str(Address.from_bytes(b"\xff" * 32)), "ff" * 32),
    ({"option": "u8"}, None, "00"),
    ({"option": "u8"}, 255, "01ff"),
    ({"option": {"option": "bool"}}, None, "00"),
    ({"option": {"option": "bool"}}, True, "010101"),
    ({"coption": "u16"}, None, "00000000" + "0000"),
    ({"coption": "u16"}, 65535, "01000000" + "ffff"),
    ({"coption": "pubkey"}, None, "00000000" + "00" * 32),
    ({"vec": "u16"}, [], "00000000"),
    ({"vec": "u16"}, [0, 65535], "02000000" + "0000ffff"),
    ({"vec": "u8"}, [1, 2], "02000000" + "0102"),
    ({"vec": "string"}, ["", "b"], "02000000" + "00000000" + "0100000062"),
    ({"vec": "bool"}, [True, False], "02000000" + "0100"),
    ({"array": ["u8", 3]}, [1, 2, 255], "0102ff"),
    ({"array": ["u64", 0]}, [], ""),
    ({"array": ["i128", 9]}, [-1] * 9, "ff" * 144),
    ({"array": [{"array": ["i8", 2]}, 2]}, [[-1, 0], [1, -128]], "ff000180"),
    ({"array": ["string", 2]}, ["", "b"], "00000000" + "0100000062"),
    ({"defined": {"name": "Colour"}}, "Red", "00"),
    ({"defined": {"name": "Colour"}}, "Green", "01"),
    ({"defined": {"name": "Shape"}}, "Dot", "00"),
    ({"defined": {"name": "Shape"}}, {"Circle": {"radius": 65535}}, "01ffff"),
    ({"defined": {"name": "Shape"}}, {"Pair": {"0": 9, "1": None}}, "020900"),
    ({"defined": {"name": "Shape"}}, {"Pair": {"0": 9, "1": 8}}, "02090108"),
    ({"defined": {"name": "Point"}}, {"0": -1, "1": 1}, "ffff0100"),
    ({"defined": {"name": "Amount"}}, (1 << 64) - 1, "ff" * 8),
    (POOL_OF_TWO, {"items": [1, 2]}, "0102"),
    (
        {"defined": {"name": "Node"}},
        {"id": 1, "under": [{"id": 2, "under": []}]},
        "01" + "01000000" + "02" + "00000000",
    ),
    ({"hashMap": ["u8", "bool"]}, [{"0": 1, "1": True}], "01000000" + "0101"),
]


@pytest.mark.parametrize(("type_", "value", "hexadecimal"), EXTREMES, ids=lambda part: str(part)[:40])
def test_the_extremes_of_every_type_are_read_and_written(type_: Any, value: Any, hexadecimal: str) -> None:
    decoder, encoder = one_field(type_, TYPES)
    data = b"\x07" + bytes.fromhex(hexadecimal)
    assert encoder.event("Said", {"x": value}) == data
    assert repr(read_by_both(decoder, data)) == repr({"x": value})


def test_a_number_that_is_none_stays_one() -> None:
    decoder, _ = one_field("f64")
    assert math.isnan(decoder.event(b"\x07" + struct.pack("<d", math.nan))[1]["x"])


@pytest.mark.parametrize(
    ("type_", "hexadecimal", "place"),
    [
        ("bool", "02", "$.x: the tag of a bool is 0 or 1, found 2"),
        ({"option": "u8"}, "0205", "$.x: the tag of an option is 0 or 1, found 2"),
        ({"coption": "u8"}, "0200000005", "$.x: the tag of an option"),
        ("string", "01000000ff", "$.x: a string that is not UTF-8"),
        ({"defined": {"name": "Colour"}}, "02", "$.x: no variant of the enum has the tag 2"),
        (
            {"vec": {"defined": {"name": "Shape"}}},
            "0200000000" + "01ff",
            "$.x[1].Circle.radius: u16 needs 2 bytes, 1 are",
        ),
        (
            {"array": ["string", 2]},
            "00000000" + "05000000" + "61",
            "$.x[1]: string needs 5 bytes, 1 are left",
        ),
        ("u64", "00", "$.x: u64 needs 8 bytes, 1 are left"),
        ("u8", "0000", "Said ends at byte 2, but 1 more bytes follow"),
    ],
)
def test_a_refusal_says_where_and_what(type_: Any, hexadecimal: str, place: str) -> None:
    decoder, _ = one_field(type_, TYPES)
    with pytest.raises(DecodeError) as caught:
        decoder.event(b"\x07" + bytes.fromhex(hexadecimal))
    assert place in str(caught.value)


# Discriminators


def test_the_longest_discriminator_that_fits_wins() -> None:
    made = document([{"name": "x", "type": "u8"}])
    made["events"] = [
        {"name": "Short", "discriminator": [1]},
        {"name": "Long", "discriminator": [1, 2, 3]},
        {"name": "Middle", "discriminator": [1, 2]},
    ]
    made["types"] += [
        {"name": name, "type": {"kind": "struct", "fields": [{"name": "x", "type": {"array": ["u8", size]}}]}}
        for name, size in (("Short", 1), ("Long", 1), ("Middle", 1))
    ]
    decoder = Decoder(read_idl(made))
    assert decoder.event(bytes([1, 5])) == ("Short", {"x": [5]})
    assert decoder.event(bytes([1, 2, 5])) == ("Middle", {"x": [5]})
    assert decoder.event(bytes([1, 2, 3, 5])) == ("Long", {"x": [5]})
    # The longest prefix decides, even where a shorter one would have fitted the length.
    with pytest.raises(DecodeError, match="Middle"):
        decoder.event(bytes([1, 2]))


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x08" * 40])
def test_bytes_that_begin_as_nothing_known_are_refused(data: bytes) -> None:
    decoder, _ = one_field("u8")
    assert not decoder.knows_event(data)
    for decode in (decoder.event, decoder.account, decoder.instruction):
        with pytest.raises(DecodeError, match="begins with"):
            decode(data)


# Accounts and instructions

KEPT: Json = {"type": {"kind": "struct", "fields": [{"name": "x", "type": "u16"}]}}


def test_an_account_may_leave_zeros_and_nothing_else() -> None:
    decoder = Decoder(read_idl(document([], account=KEPT)))
    assert decoder.account(b"\x09\x09\x05\x00") == ("Kept", {"x": 5})
    assert decoder.account(b"\x09\x09\x05\x00" + bytes(2000)) == ("Kept", {"x": 5})
    with pytest.raises(DecodeError, match="Kept ends at byte 4, but 2 more bytes follow"):
        decoder.account(b"\x09\x09\x05\x00\x00\x01")


def test_a_zero_copy_account_is_read_with_the_padding_of_c() -> None:
    fields = [
        {"name": "small", "type": "u8"},
        {"name": "wide", "type": "u128"},
        {"name": "flag", "type": "bool"},
        {"name": "inner", "type": {"array": [{"defined": {"name": "Inner"}}, 2]}},
        {"name": "last", "type": "u8"},
    ]
    inner: Json = {
        "name": "Inner",
        "serialization": "bytemuckunsafe",
        "repr": {"kind": "c"},
        "type": {"kind": "struct", "fields": [{"name": "a", "type": "u8"}, {"name": "b", "type": "u32"}]},
    }
    account = {
        "serialization": "bytemuckunsafe",
        "repr": {"kind": "c"},
        "type": {"kind": "struct", "fields": fields},
    }
    idl = read_idl(document([], [inner], account=account))
    value = {
        "small": 1,
        "wide": 2,
        "flag": True,
        "inner": [{"a": 3, "b": 4}, {"a": 5, "b": 6}],
        "last": 7,
    }
    memory = struct.pack("<B7xQQB3xB3xIB3xIB3x", 1, 2, 0, 1, 3, 4, 5, 6, 7)
    assert Encoder(idl).account("Kept", value) == b"\x09\x09" + memory
    # Memory that Rust never wrote may hold anything.
    dirty = bytearray(memory)
    dirty[1] = 0xAA
    assert Decoder(idl).account(b"\x09\x09" + bytes(dirty)) == ("Kept", value)
    with pytest.raises(DecodeError, match="48 bytes"):
        Decoder(idl).account(b"\x09\x09" + memory[:-1])


def test_a_packed_zero_copy_account_has_no_padding() -> None:
    fields = [{"name": "a", "type": "u8"}, {"name": "b", "type": "u64"}]
    account = {
        "serialization": "bytemuck",
        "repr": {"kind": "c", "packed": True},
        "type": {"kind": "struct", "fields": fields},
    }
    idl = read_idl(document([], account=account))
    data = b"\x09\x09" + struct.pack("<BQ", 1, 2)
    assert Decoder(idl).account(data) == ("Kept", {"a": 1, "b": 2})
    assert Encoder(idl).account("Kept", {"a": 1, "b": 2}) == data


def test_instructions_decode_like_events() -> None:
    made = document([])
    made["instructions"] = [
        {"name": "open", "discriminator": [4, 4], "accounts": [], "args": [{"name": "size", "type": "u8"}]}
    ]
    decoder = Decoder(read_idl(made))
    assert decoder.instruction(b"\x04\x04\x01") == ("open", {"size": 1})
    with pytest.raises(DecodeError):
        decoder.instruction(b"\x04\x04\x01\x00")


# Generated code


def test_tracebacks_show_the_generated_source() -> None:
    import linecache

    decoder, _ = one_field("u8")
    decoder.event(b"\x07\x01")
    source = decoder.sources()["event Said"]
    assert "def decode(d):" in source
    assert any(source == "".join(lines[2]) for name, lines in linecache.cache.items() if len(lines) == 4)


def test_names_from_an_idl_are_text_and_never_code() -> None:
    evil = "x': __import__('os')}\n    raise SystemExit\n#{"
    idl = read_idl(document([{"name": evil, "type": {"option": "u8"}}, {"name": "{}", "type": "string"}]))
    value = {evil: 3, "{}": "{v1}"}
    assert Decoder(idl).event(Encoder(idl).event("Said", value)) == ("Said", value)


def test_a_name_may_hold_nul() -> None:
    event = {"name": "a\0b", "discriminator": [1], "fields": [{"name": "\0", "type": "u8"}]}
    idl = read_idl({"version": "0.1.0", "name": "\0", "events": [event]})
    assert Decoder(idl).event(b"\1\7") == ("a\0b", {"\0": 7})


def test_an_enum_without_variants_has_no_value() -> None:
    never = {"name": "Never", "type": {"kind": "enum", "variants": []}}
    fields: list[Json] = [
        {"name": "text", "type": "string"},
        {"name": "never", "type": {"defined": {"name": "Never"}}},
    ]
    idl = read_idl(document(fields, [never]))
    (layout,) = idl.events
    with pytest.raises(DecodeError, match="never"):
        Decoder(idl).event(layout.discriminator + bytes(8))


def test_a_layout_of_thousands_of_fields_is_split_into_functions() -> None:
    wide = {
        "name": "Wide",
        "type": {"kind": "struct", "fields": [{"name": f"f{index}", "type": "u16"} for index in range(900)]},
    }
    event: list[Json] = [{"name": name, "type": {"defined": {"name": "Wide"}}} for name in ("a", "b")]
    event += [{"name": f"o{index}", "type": {"option": {"defined": {"name": "Wide"}}}} for index in range(3)]
    event += [{"name": "many", "type": {"vec": {"defined": {"name": "Wide"}}}}]
    idl = read_idl(document(event, [wide]))
    each = {f"f{index}": index for index in range(900)}
    value = {"a": each, "b": each, "o0": None, "o1": each, "o2": each, "many": [each, each]}
    decoder = Decoder(idl)
    assert read_by_both(decoder, Encoder(idl).event("Said", value)) == value
    assert "def read" in decoder.sources()["event Said"]


def test_large_structs_with_options_strings_and_structs_inside_are_read() -> None:
    large = {
        "name": "Large",
        "type": {
            "kind": "struct",
            "fields": [
                {"name": f"f{index}", "type": type_}
                for index, type_ in enumerate(
                    ["u8", {"option": "u8"}, "string", {"option": "string"}, "pubkey", {"vec": "u16"}] * 5
                )
            ],
        },
    }
    fields = [{"name": f"x{index}", "type": {"defined": {"name": "Large"}}} for index in range(3)]
    fields += [
        {"name": f"o{index}", "type": {"option": {"defined": {"name": "Large"}}}} for index in range(20)
    ]
    idl = read_idl(document(fields, [large]))
    decoder = Decoder(idl)
    for some in (False, True):
        value = _zero(idl, Defined("Said"), some)
        assert read_by_both(decoder, Encoder(idl).event("Said", value)) == value
    # Nothing of one value is left in the next one.
    assert read_by_both(decoder, Encoder(idl).event("Said", _zero(idl, Defined("Said"), False)))["o0"] is None


def test_nesting_beyond_what_python_parses_becomes_functions() -> None:
    type_: Any = "u8"
    value: Any = 1
    for _ in range(25):
        type_, value = {"option": {"array": [type_, 1]}}, [value]
    decoder, encoder = one_field(type_)
    assert read_by_both(decoder, encoder.event("Said", {"x": value})) == {"x": value}


def test_values_nested_without_end_are_refused() -> None:
    decoder, _ = one_field({"defined": {"name": "Node"}}, [NODE])
    with pytest.raises(DecodeError, match="nested too deep"):
        decoder.event(b"\x07" + b"\x01\x01\x00\x00\x00" * 100_000)


@pytest.mark.parametrize(
    "type_",
    [
        "string",
        "bytes",
        *({"vec": item} for item in ("u8", "bool", "u256", "string", "pubkey", {"option": "u8"})),
    ],
    ids=str,
)
def test_a_length_of_four_gigabytes_is_refused_at_once(type_: Any) -> None:
    decoder, _ = one_field(type_)
    data = b"\x07\xff\xff\xff\xff" + bytes(1000)
    with pytest.raises(DecodeError):
        decoder.event(data)
    tracemalloc.start()
    with pytest.raises(DecodeError):
        decoder.event(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_vec_of_items_without_bytes_is_refused() -> None:
    empty = {"name": "Empty", "type": {"kind": "struct", "fields": []}}
    decoder, encoder = one_field({"vec": {"defined": {"name": "Empty"}}}, [empty])
    assert read_by_both(decoder, encoder.event("Said", {"x": []})) == {"x": []}
    with pytest.raises(DecodeError, match="take no bytes"):
        decoder.event(b"\x07\xff\xff\xff\xff")
    with pytest.raises(ValueError, match="take no bytes"):
        encoder.event("Said", {"x": [{}]})


# Random IDLs

SCALARS = [
    *(f"{sign}{bits}" for sign in "ui" for bits in (8, 16, 32, 64, 128, 256)),
    *("f32", "f64", "bool", "string", "bytes", "pubkey"),
]
FIXED = [name for name in SCALARS if name not in ("string", "bytes")]
MEMORY = [name for name in FIXED if name not in ("u256", "i256")]

names = st.sampled_from(
    ["a", "b", "amount", "position_key", "ünïcode", "class", "x y", "'", "{", "d", "o", "e"]
)


def types(defined: list[str]) -> st.SearchStrategy[Any]:
    leaves: st.SearchStrategy[Any] = st.sampled_from(SCALARS)
    if defined:
        leaves = leaves | st.sampled_from(defined).map(lambda name: {"defined": {"name": name}})
    generic = st.tuples(st.sampled_from(FIXED), st.integers(0, 3)).map(
        lambda pair: {
            "defined": {
                "name": "Generic",
                "generics": [{"kind": "type", "type": pair[0]}, {"kind": "const", "value": str(pair[1])}],
            }
        }
    )
    return st.recursive(
        leaves | generic,
        lambda inner: st.one_of(
            inner.map(lambda item: {"option": item}),
            inner.map(lambda item: {"vec": item}),
            st.sampled_from(FIXED).map(lambda item: {"coption": item}),
            st.tuples(inner, st.integers(0, 12)).map(lambda pair: {"array": list(pair)}),
        ),
        max_leaves=4,
    )


@st.composite
def fields(draw: st.DrawFn, defined: list[str], least: int = 0) -> list[Any]:
    most = draw(st.sampled_from([3, 6, 24]))
    found = draw(st.lists(st.tuples(names, types(defined)), min_size=least, max_size=most))
    return [{"name": name, "type": type_} for name, type_ in found]


@st.composite
def definitions(draw: st.DrawFn, name: str, defined: list[str]) -> Json:
    kind = draw(st.sampled_from(["struct", "tuple", "units", "enum", "alias", "recursive"]))
    body: Json
    if kind == "struct":
        body = {"kind": "struct", "fields": draw(fields(defined, 1))}
    elif kind == "tuple":
        body = {"kind": "struct", "fields": draw(st.lists(types(defined), min_size=1, max_size=3))}
    elif kind == "units":
        body = {
            "kind": "enum",
            "variants": [{"name": f"V{index}"} for index in range(draw(st.integers(1, 4)))],
        }
    elif kind == "enum":
        body = {
            "kind": "enum",
            "variants": [
                {"name": "Unit"},
                {"name": "Named", "fields": draw(fields(defined, 1))},
                {"name": "Tuple", "fields": draw(st.lists(types(defined), min_size=1, max_size=2))},
            ],
        }
    elif kind == "recursive":
        own = {"defined": {"name": name}}
        body = {
            "kind": "struct",
            "fields": [{"name": "first", "type": {"vec": own}}, {"name": "rest", "type": {"option": own}}],
        }
    else:
        body = {"kind": "type", "alias": draw(types(defined))}
    return {"name": name, "type": body}


GENERIC = {
    "name": "Generic",
    "generics": [{"kind": "type", "name": "T"}, {"kind": "const", "name": "N", "type": "usize"}],
    "type": {
        "kind": "struct",
        "fields": [
            {"name": "one", "type": {"generic": "T"}},
            {"name": "many", "type": {"array": [{"generic": "T"}, {"generic": "N"}]}},
            {"name": "some", "type": {"vec": {"generic": "T"}}},
        ],
    },
}


@st.composite
def documents(draw: st.DrawFn) -> Json:
    defined: list[str] = []
    made: list[Json] = [GENERIC]
    for index in range(draw(st.integers(0, 3))):
        made.append(draw(definitions(f"T{index}", list(defined))))
        defined.append(f"T{index}")
    discriminator = tuple(draw(st.binary(min_size=1, max_size=9)))
    memory_types: st.SearchStrategy[Any] = st.sampled_from(MEMORY)
    memory_types |= st.tuples(memory_types, st.integers(1, 9)).map(lambda pair: {"array": list(pair)})
    memory = [
        {"name": f"m{index}", "type": t} for index, t in enumerate(draw(st.lists(memory_types, max_size=6)))
    ]
    account = {
        "serialization": "bytemuckunsafe",
        "repr": {"kind": "c", "packed": draw(st.booleans())},
        "type": {"kind": "struct", "fields": memory},
    }
    return document(draw(fields(defined)), made, discriminator, account)


def values(idl: Idl, sizes: Sizes, type_: Type, depth: int = 0) -> st.SearchStrategy[Any]:
    match type_:
        case Number(format="f32"):
            return st.floats(width=32, allow_nan=False)
        case Number(format="f64"):
            return st.floats(allow_nan=False)
        case Number(size=size, is_signed=True):
            return st.integers(-(1 << (8 * size - 1)), (1 << (8 * size - 1)) - 1)
        case Number(size=size):
            return st.integers(0, (1 << (8 * size)) - 1)
        case Bool():
            return st.booleans()
        case Pubkey():
            return st.binary(min_size=32, max_size=32).map(lambda raw: str(Address.from_bytes(raw)))
        case String():
            return st.text(max_size=6)
        case Bytes():
            return st.binary(max_size=6)
        case Option(item=item):
            return st.none() if depth > 3 else st.none() | values(idl, sizes, item, depth + 1)
        case Vec(item=item):
            most = 0 if depth > 3 or not sizes.least(item) else 3
            return st.lists(values(idl, sizes, item, depth + 1), max_size=most) if most else st.just([])
        case Array(item=item, length=length):
            return st.lists(values(idl, sizes, item, depth + 1), min_size=length, max_size=length)
        case Struct(fields=inner):
            return st.fixed_dictionaries({f.name: values(idl, sizes, f.type, depth + 1) for f in inner})
        case Enum(variants=variants):
            return st.sampled_from(variants).flatmap(
                lambda variant: variant_values(idl, sizes, variant, depth)
            )
        case Defined(name=name):
            return values(idl, sizes, idl.types[name].type, depth)


def variant_values(idl: Idl, sizes: Sizes, variant: Variant, depth: int) -> st.SearchStrategy[Any]:
    if variant.fields is None:
        return st.just(variant.name)
    return values(idl, sizes, variant.fields, depth + 1).map(lambda inner: {variant.name: inner})


@st.composite
def idls_with_values(draw: st.DrawFn) -> tuple[Idl, Json, Json]:
    idl = read_idl(draw(documents()))
    sizes = Sizes(idl)
    return idl, draw(values(idl, sizes, idl.events[0].type)), draw(values(idl, sizes, idl.accounts[0].type))


EXAMPLES = 150
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW, print_blob=True)
@given(idls_with_values())
def test_decoding_what_was_encoded_is_the_identity(made: tuple[Idl, Json, Json]) -> None:
    idl, event, account = made
    encoder, decoder = Encoder(idl), Decoder(idl)
    data = encoder.event("Said", event)
    assert shown(read_by_both(decoder, data)) == shown(event)
    with pytest.raises(DecodeError):
        decoder.event(data + b"\0")
    for cut in range(len(idl.events[0].discriminator), len(data)):
        with pytest.raises(DecodeError):
            decoder.event(data[:cut])
    kept = encoder.account("Kept", account)
    assert shown(decoder.account(kept + b"\0")[1]) == shown(account)
    assert in_memory(idl, idl.accounts[0].type)
    value, end = Interpreter(idl).read(idl.accounts[0].type, kept, 2, memory=True)
    assert (shown(value), end) == (shown(account), len(kept))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW, print_blob=True)
@given(
    documents(),
    st.lists(
        st.binary(max_size=60) | st.binary(max_size=40).map(lambda raw: bytes(byte & 3 for byte in raw)),
        min_size=1,
        max_size=20,
    ),
)
def test_noise_is_refused_or_read_as_the_interpreter_reads_it(made: Json, noise: list[bytes]) -> None:
    idl = read_idl(made)
    decoder, encoder, interpreter = Decoder(idl), Encoder(idl), Interpreter(idl)
    layout = idl.events[0]
    for raw in noise:
        data = layout.discriminator + raw
        try:
            _, fields_ = decoder.event(data)
        except DecodeError as error:
            assert "refuses what the interpreter reads" not in str(error)
            continue
        value, end = interpreter.read(layout.type, data, len(layout.discriminator))
        assert (repr(value), end) == (repr(fields_), len(data))
        if "nan" not in repr(value) and "coption" not in json.dumps(made):
            assert encoder.event("Said", value) == data


# Real IDLs and samples


def _zero(idl: Idl, type_: Type, some: bool) -> Any:
    """A value of a type: the least one, or one where everything optional is there."""
    match type_:
        case Number():
            return 0.0 if type_.is_float else 1
        case Bool():
            return some
        case Pubkey():
            return "11111111111111111111111111111112"
        case String(length=length):
            return "é" if isinstance(length, Number) else ""
        case Bytes(length=length):
            return b"ab" if isinstance(length, Number) else bytes(length)
        case Option(item=item):
            return _zero(idl, item, some) if some else None
        case Vec(item=item):
            return [_zero(idl, item, False)] if some and Sizes(idl).least(item) else []
        case Array(item=item, length=length):
            return [_zero(idl, item, some)] * length
        case Struct(fields=inner):
            return {field.name: _zero(idl, field.type, some) for field in inner}
        case Enum(variants=variants):
            variant = variants[-1 if some else 0]
            return (
                variant.name if variant.fields is None else {variant.name: _zero(idl, variant.fields, some)}
            )
        case Defined(name=name):
            return _zero(idl, idl.types[name].type, some)


@needs_shared
@pytest.mark.parametrize("file", sorted((SHARED / "idl").glob("*.json")), ids=lambda file: file.stem)
def test_every_layout_of_every_real_idl_decodes_what_it_encodes(file: Path) -> None:
    idl = read_idl(file.read_bytes())
    encoder, decoder, interpreter = Encoder(idl), Decoder(idl), Interpreter(idl)
    for some in (False, True):
        for kind, layouts in (("event", idl.events), ("account", idl.accounts)):
            for layout in layouts:
                value = _zero(idl, layout.type, some)
                data = getattr(encoder, kind)(layout.name, value)
                assert getattr(decoder, kind)(data) == (layout.name, value)
                memory = kind == "account" and in_memory(idl, layout.type)
                assert interpreter.read(layout.type, data, len(layout.discriminator), memory=memory) == (
                    value,
                    len(data),
                )
        for instruction in idl.instructions:
            value = _zero(idl, instruction.args, some)
            data = encoder.instruction(instruction.name, value)
            assert decoder.instruction(data) == (instruction.name, value)


def _sample(name: str) -> Json:
    found: Json = json.loads((SHARED / "samples" / name).read_bytes())
    return found


def _shared_decoder(name: str) -> Decoder:
    return Decoder(read_idl((SHARED / name).read_bytes()))


@needs_shared
def test_every_sample_account_decodes_with_every_byte_consumed() -> None:
    feed = _sample("accounts/switchboard_pull_feed_dsol.json")
    name, fields_ = _shared_decoder(feed["idl"]).account(base64.b64decode(feed["data_base64"]))
    assert name == "PullFeedAccountData"
    assert len(fields_["submissions"]) == 32

    prices = _sample("accounts/pyth_price_update_v2.json")
    for idl in (prices["idl"], "idl/pyth_solana_receiver.legacy.json"):
        decoder = _shared_decoder(idl)
        for account in prices["accounts"]:
            name, fields_ = decoder.account(base64.b64decode(account["data_base64"]))
            expected = account["checker"]["data"]
            assert name == "priceUpdateV2"
            assert fields_["verificationLevel"] == expected["verificationLevel"]
            assert fields_["postedSlot"] == expected["postedSlot"]
            message = dict(fields_["priceMessage"])
            message["feedId"] = bytes(message["feedId"]).hex()
            assert message == expected["priceMessage"]

    markets = _sample("accounts/drift_perp_markets.json")
    decoder = _shared_decoder("idl/drift_v2.json")
    for account in markets["accounts"]:
        name, fields_ = decoder.account(base64.b64decode(account["data_base64"]))
        checker = account["checker"]
        assert name == "PerpMarket"
        assert bytes(fields_["name"]).decode().strip() == checker["name"]
        for key in ("pubkey", "marketIndex", "status", "numberOfUsers"):
            assert fields_[key] == checker[key]
        for key in ("oracle", "lastFundingRateTs", "baseAssetAmountShort", "oracleSource"):
            assert fields_["amm"][key] == checker[key]

    pool = _sample("accounts/jupiter_perps_pool_JLP.json")
    name, fields_ = _shared_decoder("idl/jupiter_perpetuals.codama_2026.json").account(
        base64.b64decode(pool["data_base64"])
    )
    assert (name, fields_["name"], len(fields_["custodies"])) == ("pool", "Pool", 5)
    # An older layout ends before the bytes do: refused, not read as garbage.
    with pytest.raises(DecodeError, match="more bytes follow"):
        _shared_decoder("idl/jupiter_perpetuals.legacy.json").account(base64.b64decode(pool["data_base64"]))


@needs_shared
def test_every_sample_event_decodes_with_every_byte_consumed() -> None:
    found: list[str] = []
    for file in sorted((SHARED / "samples" / "tx").glob("*.json")):
        sample = json.loads(file.read_bytes())
        if "idl" not in sample:
            continue
        decoder = _shared_decoder(sample["idl"])
        for line in sample["logs"]:
            for prefix in ("Program data: ", "Program log: "):
                if not line.startswith(prefix):
                    continue
                try:
                    data = base64.b64decode(line.removeprefix(prefix), validate=True)
                except ValueError:
                    continue
                if decoder.knows_event(data):
                    read_by_both(decoder, data)
                    found.append(decoder.event(data)[0])
    assert sorted(found) == sorted(
        [
            *["PerpUpdateFundingLogV2", "UpdateIndexLog", "PerpUpdateFundingLogV2", "SettlePnlRecord"],
            *["SpotInterestRecord", "SwapRecord", "CurveRecord", "FundingRateRecord"],
            *["OrderActionRecord", "OrderActionRecord"],
        ]
    )


CPI_SAMPLES = [
    ("jupiter_perps_borrow_from_custody_5mYEUYXC.json", "jupiter_perpetuals.codama_2026.json", 1),
    ("jup_dca_cpi_events_XbXyUniN.json", "vixen_dca.codama.json", 2),
    ("jup_limit_order_v2_cpi_event_VLzYfuPu.json", "vixen_limit_order_v2.codama.json", 1),
]


@needs_shared
@pytest.mark.parametrize(("file", "idl", "least"), CPI_SAMPLES)
def test_every_sample_event_by_cpi_decodes_with_every_byte_consumed(file: str, idl: str, least: int) -> None:
    sample = _sample(f"tx/{file}")
    decoder = _shared_decoder(f"idl/{idl}")
    payloads = [
        bytes.fromhex(each["data_hex"])[8:]
        for each in sample["instructions"]
        if each["data_hex"].startswith("e445a52e51cb9a1d")
    ]
    assert len(payloads) >= least
    for payload in payloads:
        fields_ = read_by_both(decoder, payload)
        expected = sample.get("expected", {}).get("BorrowFromCustodyEvent", {})
        assert {key: fields_[key] for key in expected} == expected


def test_layouts_have_names_for_people() -> None:
    idl = read_idl(document([{"name": "x", "type": "u8"}]))
    assert idl.events == (Layout("Said", b"\x07", Defined("Said")),)
