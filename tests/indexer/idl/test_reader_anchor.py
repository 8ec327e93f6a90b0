"""The two formats of Anchor."""

from __future__ import annotations

from typing import Any

import pytest

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.discriminators import (
    account_discriminator,
    event_discriminator,
    instruction_discriminator,
)
from heliograph_indexer.idl.model import (
    U32,
    AccountMeta,
    Array,
    Bytes,
    Defined,
    Enum,
    ErrorDef,
    Field,
    Number,
    Option,
    Pubkey,
    Struct,
    TypeDef,
    Variant,
    Vec,
)
from heliograph_indexer.idl.reader import read_idl

LEGACY: dict[str, Any] = {
    "version": "0.1.0",
    "name": "old",
    "metadata": {"address": "11111111111111111111111111111111"},
    "instructions": [
        {
            "name": "openPosition",
            "accounts": [
                {"name": "owner", "isMut": True, "isSigner": True},
                {
                    "name": "group",
                    "accounts": [{"name": "inner", "isMut": False, "isSigner": False, "isOptional": True}],
                },
            ],
            "args": [{"name": "size", "type": "u64"}],
        }
    ],
    "accounts": [
        {"name": "position", "type": {"kind": "struct", "fields": [{"name": "owner", "type": "publicKey"}]}}
    ],
    "types": [
        {
            "name": "Side",
            "type": {"kind": "enum", "variants": [{"name": "Long"}, {"name": "Short", "fields": []}]},
        }
    ],
    "events": [
        {
            "name": "Opened",
            "fields": [
                {"name": "side", "type": {"defined": "Side"}, "index": False},
                {"name": "tags", "type": {"vec": {"array": ["u8", 4]}}, "index": True},
            ],
        }
    ],
    "errors": [{"code": 6000, "name": "Bad", "msg": "is bad"}, {"code": 6001, "name": "Worse"}],
}


def test_a_legacy_idl_is_read() -> None:
    idl = read_idl(LEGACY)
    assert (idl.name, idl.address, idl.format) == ("old", "11111111111111111111111111111111", "legacy")
    (instruction,) = idl.instructions
    assert instruction.discriminator == instruction_discriminator("open_position")
    assert instruction.args == Struct((Field("size", Number("u64")),))
    assert instruction.accounts == (
        AccountMeta("owner", writable=True, signer=True),
        AccountMeta("group.inner", optional=True),
    )
    (account,) = idl.accounts
    assert account.discriminator == account_discriminator("Position")
    assert idl.types["position"].type == Struct((Field("owner", Pubkey()),))
    (event,) = idl.events
    assert event.discriminator == event_discriminator("Opened")
    assert event.type == Struct((Field("side", Defined("Side")), Field("tags", Vec(Array(Number("u8"), 4)))))
    # A variant with no fields in its list holds nothing.
    assert idl.types["Side"].type == Enum((Variant("Long", 0), Variant("Short", 1)))
    assert idl.error(6000) == ErrorDef(6000, "Bad", "is bad")
    assert idl.error(6001) == ErrorDef(6001, "Worse", None)
    assert idl.error(1) is None


def spec(**parts: Any) -> dict[str, Any]:
    return {"address": "x", "metadata": {"name": "new", "spec": "0.1.0"}, "instructions": [], **parts}


def struct(name: str, fields: list[Any], **parts: Any) -> dict[str, Any]:
    return {"name": name, "type": {"kind": "struct", "fields": fields}, **parts}


def test_generics_unfold_to_a_type_per_set_of_arguments() -> None:
    generics = [{"kind": "type", "name": "T"}, {"kind": "const", "name": "N", "type": "usize"}]
    inner = struct(
        "Inner",
        [{"name": "items", "type": {"array": [{"generic": "T"}, {"generic": "N"}]}}],
        generics=generics,
    )
    outer = struct(
        "Outer",
        [
            {
                "name": "inner",
                "type": {
                    "defined": {
                        "name": "Inner",
                        "generics": [
                            {"kind": "type", "type": {"option": {"generic": "U"}}},
                            {"kind": "const", "value": "3"},
                        ],
                    }
                },
            }
        ],
        generics=[{"kind": "type", "name": "U"}],
    )
    fields = [
        {"name": name, "type": {"defined": {"name": "Outer", "generics": [{"kind": "type", "type": type_}]}}}
        for name, type_ in (("a", "u8"), ("b", "bool"), ("c", "u8"))
    ]
    idl = read_idl(
        spec(types=[inner, outer, struct("Event", fields)], events=[{"name": "Event", "discriminator": [1]}])
    )
    assert idl.types["Event"].type == Struct(
        (
            Field("a", Defined("Outer<u8>")),
            Field("b", Defined("Outer<bool>")),
            Field("c", Defined("Outer<u8>")),
        )
    )
    assert idl.types["Inner<option<u8>,3>"].type == Struct((Field("items", Array(Option(Number("u8")), 3)),))
    assert "Outer" not in idl.types


def test_the_generics_of_late_legacy_idls_are_read() -> None:
    legacy = {
        "name": "old",
        "instructions": [],
        "types": [
            {
                "name": "Many",
                "generics": ["T", "N"],
                "type": {
                    "kind": "struct",
                    "fields": [{"name": "x", "type": {"genericLenArray": [{"generic": "T"}, "N"]}}],
                },
            }
        ],
        "events": [
            {
                "name": "E",
                "fields": [
                    {
                        "name": "many",
                        "type": {
                            "definedWithTypeArgs": {"name": "Many", "args": [{"type": "u8"}, {"value": "2"}]}
                        },
                    }
                ],
            }
        ],
    }
    idl = read_idl(legacy)
    assert idl.types["Many<u8,2>"].type == Struct((Field("x", Array(Number("u8"), 2)),))


def test_every_way_to_define_a_type_is_read() -> None:
    idl = read_idl(
        spec(
            types=[
                struct("Tuple", ["u8", "bytes"]),
                {"name": "Alias", "type": {"kind": "type", "alias": {"coption": "pubkey"}}},
                {"name": "OldAlias", "type": {"kind": "alias", "value": "u8"}},
                struct("Unit", []),
                {"name": "NoFields", "type": {"kind": "struct"}},
                {
                    "name": "Mixed",
                    "type": {
                        "kind": "enum",
                        "variants": [
                            {"name": "A"},
                            {"name": "B", "fields": [{"name": "x", "type": "u8"}]},
                            {"name": "C", "fields": ["u8", "u8"]},
                        ],
                    },
                },
                struct(
                    "Memory",
                    [],
                    docs=["Zero copy."],
                    serialization="bytemuck",
                    repr={"kind": "c", "packed": True, "align": 4},
                ),
                struct(
                    "Sets",
                    [
                        {"name": "s", "type": {"hashSet": "u8"}},
                        {"name": "t", "type": {"tuple": ["u8", "bool"]}},
                    ],
                ),
            ]
        )
    )
    assert idl.types["Tuple"].type == Struct((Field("0", Number("u8")), Field("1", Bytes())))
    assert idl.types["Alias"].type == Option(Pubkey(), tag=U32, fixed=True)
    assert idl.types["OldAlias"].type == Number("u8")
    assert idl.types["Unit"].type == idl.types["NoFields"].type == Struct(())
    mixed = idl.types["Mixed"].type
    assert isinstance(mixed, Enum)
    assert mixed.variants[1] == Variant("B", 1, Struct((Field("x", Number("u8")),)))
    assert mixed.variants[2] == Variant("C", 2, Struct((Field("0", Number("u8")), Field("1", Number("u8")))))
    assert idl.types["Memory"] == TypeDef(
        "Memory", Struct(()), ("Zero copy.",), memory=True, packed=1, align=4
    )


DEFINED = {"defined": {"name": "G", "generics": [{"kind": "type", "type": "u8"}]}}
GENERIC = struct("G", [{"name": "x", "type": {"generic": "T"}}], generics=[{"kind": "type", "name": "T"}])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"types": [struct("A", ["u9"])]}, "$.types[0].type.fields[0]: type u9 is not defined in this IDL"),
        (
            {"types": [struct("A", [{"name": "x", "type": {"vec": 5}}])]},
            "$.types[0].type.fields[0].type.vec: expected a type",
        ),
        (
            {"types": [struct("A", []), struct("A", [])]},
            "$.types[1]: type A is defined twice, first at $.types[0]",
        ),
        (
            {"types": [{"name": "A", "type": {"kind": "union"}}]},
            "$.types[0].type.kind: expected struct, enum or type",
        ),
        (
            {"types": [struct("A", [], serialization={"custom": "x"})]},
            "$.types[0].serialization: expected borsh",
        ),
        (
            {"types": [struct("A", [], repr={"kind": "c", "align": 3})]},
            "$.types[0].repr.align: expected a power of two",
        ),
        ({"types": [struct("A", [{"array": ["u8", {"generic": "N"}]}])]}, "N is no constant parameter here"),
        (
            {"types": [struct("A", [{"array": ["u8", -1]}])]},
            "[1]: expected an integer of at least 0, found -1",
        ),
        (
            {"types": [struct("A", [{"array": ["u8", "9" * 5000]}])]},
            "[1]: 9999999999999999999",
        ),
        ({"types": [struct("A", [{"generic": "T"}])]}, "T is no type parameter here"),
        ({"types": [GENERIC, struct("A", [{"defined": "G"}])]}, "type G takes 1 generic arguments, found 0"),
        (
            {"types": [GENERIC, struct("A", [{"defined": {"name": "G", "generics": [{}]}}])]},
            "expected a generic argument",
        ),
        ({"events": [{"name": "E", "discriminator": [1]}]}, "$.events[0]: type E is not defined in this IDL"),
        (
            {"events": [{"name": "E", "discriminator": []}]},
            "$.events[0].discriminator: expected a discriminator of at least",
        ),
        (
            {"events": [{"name": "E", "discriminator": [256]}]},
            "$.events[0].discriminator[0]: expected a byte, found 256",
        ),
        (
            {"events": [{"name": name, "discriminator": [1], "fields": []} for name in "EF"]},
            "$.events: E and F have the same discriminator 01",
        ),
        ({"errors": [{"name": "Bad"}]}, "$.errors[0].code: expected an integer"),
        ({"errors": [{"name": "Bad", "code": "9" * 5000}]}, "$.errors[0].code: expected an integer"),
        ({"instructions": [{"discriminator": [1]}]}, "$.instructions[0].name: expected text"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(IdlError) as caught:
        read_idl(spec(**parts))
    assert message in str(caught.value)


def test_generics_that_double_their_argument_with_each_level_are_refused() -> None:
    pair: dict[str, Any] = {"tuple": [{"generic": "T"}, {"generic": "T"}]}
    levels = [
        struct(
            f"G{level}",
            [{"defined": {"name": f"G{level + 1}", "generics": [{"kind": "type", "type": pair}]}}],
            generics=[{"kind": "type", "name": "T"}],
        )
        for level in range(60)
    ]
    last = struct("G60", [{"generic": "T"}], generics=[{"kind": "type", "name": "T"}])
    first = {"defined": {"name": "G0", "generics": [{"kind": "type", "type": "u8"}]}}
    with pytest.raises(IdlError, match=r"the arguments of G\d+ are longer than 16384 characters"):
        read_idl(spec(types=[struct("A", [first]), *levels, last]))


def test_a_generic_that_grows_without_end_is_refused() -> None:
    grows = struct(
        "G",
        [
            {
                "name": "x",
                "type": {
                    "vec": {
                        "defined": {
                            "name": "G",
                            "generics": [{"kind": "type", "type": {"vec": {"generic": "T"}}}],
                        }
                    }
                },
            }
        ],
        generics=[{"kind": "type", "name": "T"}],
    )
    with pytest.raises(IdlError, match=r"nested too deep|unfold"):
        read_idl(spec(types=[grows, struct("A", [DEFINED])]))
