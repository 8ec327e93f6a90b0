"""Sizes, memory layouts, and the types that no decoder can be made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.layout import MOST_BYTES, Sizes
from heliograph_indexer.idl.model import Defined, Idl, Struct
from heliograph_indexer.idl.reader import read_idl

SHARED = Path(__file__).resolve().parents[4] / "shared" / "idl"


def idl_of(*types: dict[str, Any], events: list[Any] | None = None, accounts: list[Any] | None = None) -> Idl:
    return read_idl(
        {
            "address": "x",
            "metadata": {"name": "made", "spec": "0.1.0"},
            "instructions": [],
            "types": list(types),
            "events": events or [],
            "accounts": accounts or [],
        }
    )


def struct(name: str, *fields: Any, **parts: Any) -> dict[str, Any]:
    named = [{"name": f"f{index}", "type": type_} for index, type_ in enumerate(fields)]
    return {"name": name, "type": {"kind": "struct", "fields": named}, **parts}


def enum(name: str, *variants: list[Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": {
            "kind": "enum",
            "variants": [{"name": f"V{i}", "fields": f} for i, f in enumerate(variants)],
        },
    }


@pytest.mark.parametrize(
    ("type_", "least", "fixed"),
    [
        (struct("T", "u8", "u128", "pubkey"), 49, 49),
        (struct("T", "string"), 4, None),
        (struct("T", {"option": "u64"}), 1, None),
        (struct("T", {"coption": "u64"}), 12, 12),
        (struct("T", {"vec": "u64"}, "u8"), 5, None),
        (struct("T", {"array": ["u16", 3]}), 6, 6),
        (struct("T", {"array": ["string", 3]}), 12, None),
        (struct("T"), 0, 0),
        (struct("T", {"vec": {"defined": {"name": "T"}}}), 4, None),
        (struct("T", {"option": {"defined": {"name": "T"}}}), 1, None),
        (enum("T", [], []), 1, 1),
        (enum("T", [], ["u8"]), 1, None),
        (enum("T", ["u16"], ["u8", "u8"]), 3, 3),
    ],
)
def test_sizes_as_borsh(type_: dict[str, Any], least: int, fixed: int | None) -> None:
    sizes = Sizes(idl_of(type_))
    assert (sizes.least(Defined("T")), sizes.fixed(Defined("T"))) == (least, fixed)


@pytest.mark.parametrize(
    ("type_", "offsets", "size", "align"),
    [
        (struct("T", "u8", "u16", "u8"), [0, 2, 4], 6, 2),
        (struct("T", "u8", "u128"), [0, 8], 24, 8),
        (struct("T", "u8", "pubkey", "bool"), [0, 1, 33], 34, 1),
        (struct("T", "u8", {"array": ["u32", 2]}), [0, 4], 12, 4),
        (struct("T", "u8", "u64", repr={"kind": "c", "packed": True}), [0, 1], 9, 1),
        (struct("T", "u8", repr={"kind": "c", "align": 16}), [0], 16, 16),
        (struct("T", "u8", {"coption": "u64"}), [0, 8], 24, 8),
        (struct("T"), [], 0, 1),
    ],
)
def test_layouts_as_memory(type_: dict[str, Any], offsets: list[int], size: int, align: int) -> None:
    sizes = Sizes(idl_of(type_))
    places, whole = sizes.memory_fields(Defined("T"))
    assert [offset for offset, _ in places] == offsets
    assert sizes.memory(Defined("T")) == (whole, align) == (size, align)


BYTEMUCK = {"serialization": "bytemuck", "repr": {"kind": "c"}}


@pytest.mark.parametrize(
    "held", ["string", "bytes", {"vec": "u8"}, {"option": "u8"}, {"defined": {"name": "Data"}}]
)
def test_a_zero_copy_account_holds_only_what_has_a_layout(held: Any) -> None:
    types = [struct("Kept", "u8", held, **BYTEMUCK), enum("Data", ["u8"], [])]
    with pytest.raises(IdlError) as caught:
        idl_of(*types, accounts=[{"name": "Kept", "discriminator": [1]}])
    assert "$.types." in str(caught.value)
    assert "has no fixed layout in memory" in str(caught.value)


def own(name: str) -> dict[str, Any]:
    return {"defined": {"name": name}}


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ([struct("T", own("T"))], "$.types.T: the type holds itself and would never end"),
        ([struct("T", own("U")), struct("U", {"array": [own("T"), 2]})], "would never end"),
        ([{"name": "T", "type": {"kind": "type", "alias": own("T")}}], "would never end"),
        ([struct("T", {"coption": "string"})], "$.types.T.f0: a coption holds its item's space"),
        ([struct("E"), struct("T", {"array": [own("E"), 1 << 40]})], "values out of no bytes"),
        ([struct("T", {"array": [{"array": ["u8", 0]}, 1000]})], "values out of no bytes"),
        ([enum("T", *[[]] * 257)], "$.types.T: more variants than a u8 can tell apart"),
        (
            [{"name": "T", "type": {"kind": "enum", "variants": [{"name": "A"}, {"name": "A"}]}}],
            "$.types.T: two variants of the enum share a tag or a name",
        ),
    ],
)
def test_types_that_cannot_be_read_are_refused(types: list[Any], message: str) -> None:
    with pytest.raises(IdlError) as caught:
        idl_of(*types)
    assert message in str(caught.value)


def test_types_that_multiply_without_bytes_are_refused() -> None:
    doubling = [struct("D0")] + [struct(f"D{n}", own(f"D{n - 1}"), own(f"D{n - 1}")) for n in range(1, 40)]
    with pytest.raises(IdlError, match="values out of no bytes"):
        idl_of(*doubling)


@pytest.mark.parametrize("length", [MOST_BYTES + 1, 1 << 62, 10**20 - 1])
def test_types_larger_than_any_account_are_refused(length: int) -> None:
    kept = struct("Kept", {"array": ["u8", MOST_BYTES]})
    assert Sizes(idl_of(kept)).least(Defined("Kept")) == MOST_BYTES
    for item in ("u8", "bool"):
        with pytest.raises(IdlError, match=r"\$\.types\.Large.*more than 10485760 bytes"):
            idl_of(struct("Large", {"array": [item, length]}))
    doubling = [struct("D0", "u8")] + [
        struct(f"D{n}", own(f"D{n - 1}"), own(f"D{n - 1}")) for n in range(1, 40)
    ]
    with pytest.raises(IdlError, match="more than 10485760 bytes"):
        idl_of(*doubling)


def test_types_nested_without_reason_are_refused() -> None:
    chain = [struct("C0", "u8")] + [struct(f"C{n}", own(f"C{n - 1}")) for n in range(1, 100)]
    with pytest.raises(IdlError, match="nested deeper than 64 levels"):
        idl_of(*chain)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared folder with IDLs is not beside the checkout")
def test_real_bytemuck_types_have_no_padding_when_wide_numbers_align_to_eight() -> None:
    """bytemuck refuses types with padding, so real ones prove the alignment of u128 on Solana's machine."""
    seen = 0
    for file in SHARED.glob("*.json"):
        text = file.read_bytes()
        if b'"bytemuck"' not in text:
            continue
        idl = read_idl(text)
        sizes = Sizes(idl)
        for name, definition in idl.types.items():
            if definition.memory and isinstance(definition.type, Struct):
                assert sizes.memory(Defined(name))[0] == sizes.fixed(Defined(name)), f"{file.name} {name}"
                seen += 1
    assert seen > 100
