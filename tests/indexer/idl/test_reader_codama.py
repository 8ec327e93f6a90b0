"""Codama's trees of nodes."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.encoder import Encoder
from heliograph_indexer.idl.model import (
    AccountMeta,
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    ErrorDef,
    Field,
    Number,
    Option,
    Pubkey,
    String,
    Struct,
    Variant,
    Vec,
)
from heliograph_indexer.idl.reader import read_idl

Json = dict[str, Any]


def number(form: str, endian: str = "le") -> Json:
    return {"kind": "numberTypeNode", "format": form, "endian": endian}


def field(name: str, type_: Json, **parts: Any) -> Json:
    return {"kind": "structFieldTypeNode", "name": name, "docs": [], "type": type_, **parts}


def struct(*fields: Json) -> Json:
    return {"kind": "structTypeNode", "fields": list(fields)}


def octets(size: int) -> Json:
    return {"kind": "fixedSizeTypeNode", "size": size, "type": {"kind": "bytesTypeNode"}}


def constant(data: str) -> Json:
    value = {"kind": "bytesValueNode", "data": data, "encoding": "base16"}
    return {"kind": "constantValueNode", "type": octets(len(data) // 2), "value": value}


def event(name: str, data: Json, discriminator: str) -> Json:
    found = {"kind": "constantDiscriminatorNode", "offset": 0, "constant": constant(discriminator)}
    return {"kind": "eventNode", "name": name, "docs": [], "data": data, "discriminators": [found]}


def root(**parts: Any) -> Json:
    return {
        "kind": "rootNode",
        "standard": "codama",
        "version": "1.5.1",
        "program": {
            "kind": "programNode",
            "name": "made",
            "publicKey": "11111111111111111111111111111111",
            **parts,
        },
        "additionalPrograms": [],
    }


def field_type(type_: Json, **parts: Any) -> Any:
    idl = read_idl(root(events=[event("said", struct(field("x", type_)), "01")], **parts))
    body = idl.events[0].type
    assert isinstance(body, Struct)
    return body.fields[0].type


@pytest.mark.parametrize(
    ("node", "type_"),
    [
        (number("u64"), Number("u64")),
        (number("i128", "be"), Number("i128", big_endian=True)),
        ({"kind": "amountTypeNode", "decimals": 6, "number": number("u64")}, Number("u64")),
        ({"kind": "dateTimeTypeNode", "number": number("i64")}, Number("i64")),
        ({"kind": "publicKeyTypeNode"}, Pubkey()),
        ({"kind": "booleanTypeNode", "size": number("u32")}, Bool(Number("u32"))),
        (
            {
                "kind": "sizePrefixTypeNode",
                "prefix": number("u32"),
                "type": {"kind": "stringTypeNode", "encoding": "utf8"},
            },
            String(),
        ),
        (
            {"kind": "sizePrefixTypeNode", "prefix": number("u16"), "type": {"kind": "bytesTypeNode"}},
            Bytes(Number("u16")),
        ),
        (octets(32), Bytes(32)),
        (
            {"kind": "fixedSizeTypeNode", "size": 9, "type": {"kind": "stringTypeNode", "encoding": "utf8"}},
            String(9),
        ),
        (
            {
                "kind": "fixedSizeTypeNode",
                "size": 9,
                "type": {"kind": "stringTypeNode", "encoding": "base58"},
            },
            Bytes(9),
        ),
        (
            {"kind": "optionTypeNode", "fixed": False, "item": number("u8"), "prefix": number("u8")},
            Option(Number("u8")),
        ),
        (
            {"kind": "optionTypeNode", "fixed": True, "item": number("u8"), "prefix": number("u32")},
            Option(Number("u8"), Number("u32"), fixed=True),
        ),
        (
            {"kind": "arrayTypeNode", "item": number("u8"), "count": {"kind": "fixedCountNode", "value": 3}},
            Array(Number("u8"), 3),
        ),
        (
            {
                "kind": "setTypeNode",
                "item": number("u8"),
                "count": {"kind": "prefixedCountNode", "prefix": number("u8")},
            },
            Vec(Number("u8"), Number("u8")),
        ),
        (
            {
                "kind": "mapTypeNode",
                "key": number("u8"),
                "value": number("u16"),
                "count": {"kind": "prefixedCountNode", "prefix": number("u32")},
            },
            Vec(Struct((Field("0", Number("u8")), Field("1", Number("u16"))))),
        ),
        ({"kind": "tupleTypeNode", "items": [number("u8")]}, Struct((Field("0", Number("u8")),))),
        (
            struct(field("a", number("u8")), field("a", number("u16"))),
            Struct((Field("a_1", Number("u8")), Field("a", Number("u16")))),
        ),
    ],
)
def test_every_node_that_anchor_programs_have_is_read(node: Json, type_: Any) -> None:
    assert field_type(node) == type_


def test_enums_of_every_kind_are_read() -> None:
    node = {
        "kind": "enumTypeNode",
        "size": number("u16"),
        "variants": [
            {"kind": "enumEmptyVariantTypeNode", "name": "none"},
            {
                "kind": "enumStructVariantTypeNode",
                "name": "named",
                "struct": struct(field("x", number("u8"))),
            },
            {
                "kind": "enumTupleVariantTypeNode",
                "name": "tuple",
                "discriminator": 300,
                "tuple": {"kind": "tupleTypeNode", "items": [number("u8")]},
            },
        ],
    }
    defined = [{"kind": "definedTypeNode", "name": "side", "type": node}]
    idl = read_idl(
        root(
            definedTypes=defined,
            events=[event("said", struct(field("x", {"kind": "definedTypeLinkNode", "name": "side"})), "01")],
        )
    )
    assert idl.types["side"].type == Enum(
        (
            Variant("none", 0),
            Variant("named", 1, Struct((Field("x", Number("u8")),))),
            Variant("tuple", 300, Struct((Field("0", Number("u8")),))),
        ),
        Number("u16"),
    )
    assert idl.events[0].type == Struct((Field("x", Defined("side")),))
    for value, data in (("none", "0000"), ({"named": {"x": 1}}, "010001"), ({"tuple": {"0": 2}}, "2c0102")):
        assert Encoder(idl).event("said", {"x": value}).hex() == "01" + data
        assert Decoder(idl).event(bytes.fromhex("01" + data)) == ("said", {"x": value})


def test_units_with_numbers_of_their_own_are_told_apart() -> None:
    variants = [
        {"kind": "enumEmptyVariantTypeNode", "name": name, "discriminator": tag}
        for name, tag in (("a", 7), ("b", 9))
    ]
    idl = read_idl(
        root(events=[event("said", struct(field("x", {"kind": "enumTypeNode", "variants": variants})), "01")])
    )
    assert Decoder(idl).event(b"\x01\x09") == ("said", {"x": "b"})
    assert Encoder(idl).event("said", {"x": "a"}) == b"\x01\x07"


def test_numbers_may_be_written_big_end_first() -> None:
    forms = ["u16", "i32", "f32", "f64", "u128", "i256", "u8"]
    fields = [field(form, number(form, "be")) for form in forms]
    idl = read_idl(root(events=[event("said", struct(*fields), "01")]))
    value = {"u16": 1, "i32": -2, "f32": 0.5, "f64": 1.5, "u128": 3, "i256": -4, "u8": 5}
    data = Encoder(idl).event("said", value)
    assert data[1:7].hex() == "0001fffffffe"
    assert Decoder(idl).event(data) == ("said", value)


def test_the_discriminator_is_no_field_however_it_is_written() -> None:
    hidden = {
        "kind": "hiddenPrefixTypeNode",
        "prefix": [constant("0a0b")],
        "type": struct(field("x", number("u8"))),
    }
    omitted = field(
        "discriminator", octets(2), defaultValueStrategy="omitted", defaultValue=constant("0c0d")["value"]
    )
    by_field = {"kind": "fieldDiscriminatorNode", "name": "discriminator", "offset": 0}
    tagged = field("discriminator", number("u8"), defaultValue={"kind": "numberValueNode", "number": 14})
    idl = read_idl(
        root(
            events=[event("hidden", hidden, "0a0b"), event("plain", struct(field("x", number("u8"))), "01")],
            accounts=[
                {
                    "kind": "accountNode",
                    "name": "kept",
                    "data": struct(omitted, field("x", number("u8"))),
                    "discriminators": [by_field],
                },
                {
                    "kind": "accountNode",
                    "name": "sized",
                    "data": struct(field("x", number("u8"))),
                    "discriminators": [{"kind": "sizeDiscriminatorNode", "size": 1}],
                },
            ],
            instructions=[
                {
                    "kind": "instructionNode",
                    "name": "go",
                    "accounts": [
                        {
                            "kind": "instructionAccountNode",
                            "name": "payer",
                            "isWritable": True,
                            "isSigner": "either",
                            "isOptional": False,
                        }
                    ],
                    "arguments": [
                        {**tagged, "kind": "instructionArgumentNode"},
                        {**field("x", number("u8"))},
                    ],
                    "discriminators": [by_field],
                }
            ],
            errors=[{"kind": "errorNode", "name": "bad", "code": "6000", "message": "is bad"}],
        )
    )
    x = Struct((Field("x", Number("u8")),))
    assert [(layout.name, layout.discriminator.hex(), layout.type) for layout in idl.events] == [
        ("hidden", "0a0b", x),
        ("plain", "01", x),
    ]
    # An account that only its size tells apart cannot be recognized.
    assert [(layout.name, layout.discriminator.hex(), layout.type) for layout in idl.accounts] == [
        ("kept", "0c0d", x)
    ]
    (instruction,) = idl.instructions
    assert (instruction.discriminator, instruction.args) == (b"\x0e", x)
    assert instruction.accounts == (AccountMeta("payer", writable=True),)
    assert idl.errors == (ErrorDef(6000, "bad", "is bad"),)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            {"kind": "sentinelTypeNode"},
            "$.program.events[0].data.fields[0].type.kind: expected a type that Anchor",
        ),
        (number("shortU16"), ".type.format: expected a number format, found 'shortU16'"),
        ({"kind": "bytesTypeNode"}, "expected a type that Anchor programs have"),
        ({"kind": "definedTypeLinkNode", "name": "gone"}, ".type: type gone is not defined in this IDL"),
        (
            {"kind": "sizePrefixTypeNode", "prefix": number("i8"), "type": {"kind": "bytesTypeNode"}},
            "expected an unsigned integer",
        ),
        (
            {"kind": "arrayTypeNode", "item": number("u8"), "count": {"kind": "remainderCountNode"}},
            ".count.kind: expected fixedCountNode",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(node: Json, message: str) -> None:
    with pytest.raises(IdlError) as caught:
        field_type(node)
    assert message in str(caught.value)


def test_a_discriminator_that_contradicts_its_prefix_is_refused() -> None:
    hidden = {"kind": "hiddenPrefixTypeNode", "prefix": [constant("0a")], "type": struct()}
    with pytest.raises(IdlError, match="it begins with 0a, but its discriminator is 0b"):
        read_idl(root(events=[event("said", hidden, "0b")]))


def test_an_instruction_without_a_discriminator_is_refused() -> None:
    with pytest.raises(IdlError, match="instruction go has no constant discriminator"):
        read_idl(
            root(instructions=[{"kind": "instructionNode", "name": "go", "accounts": [], "arguments": []}])
        )
