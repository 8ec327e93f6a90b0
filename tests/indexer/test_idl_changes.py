"""A new IDL is told in terms of tables."""

from __future__ import annotations

from typing import Any

from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.idl_changes import changes


def idl(**events: dict[str, Any]) -> Any:
    return read_idl(
        {
            "address": "11111111111111111111111111111112",
            "metadata": {"name": "made", "version": "0.1.0", "spec": "0.1.0"},
            "instructions": [],
            "events": [
                {"name": name, "discriminator": fields.get("_", [number + 1])}
                for number, (name, fields) in enumerate(events.items())
            ],
            "types": [
                {
                    "name": name,
                    "type": {
                        "kind": "struct",
                        "fields": [{"name": key, "type": kind} for key, kind in fields.items() if key != "_"],
                    },
                }
                for name, fields in events.items()
            ],
        }
    )


def told(old: Any, new: Any) -> list[str]:
    return [str(change) for change in changes(old, new)]


def test_nothing_new_is_no_change() -> None:
    assert told(idl(A={"x": "u8"}), idl(A={"x": "u8"})) == []


def test_tables_and_columns_appear_change_their_type_and_stay() -> None:
    old = idl(A={"x": "u8", "y": "u64", "z": "bool"}, Gone={"x": "u8"})
    new = idl(A={"x": "u8", "w": "pubkey", "y": "u128"}, Born={"a": "u8", "b": "u8"})
    assert told(old, new) == [
        "new column: A.w (text)",
        "type changes: A.y (numeric(20,0) to numeric(39,0))",
        "column stays empty: A.z (the new IDL has it no more)",
        "new table: Born (2 columns)",
        "table stays: Gone (the new IDL has it no more)",
    ]


def test_a_new_discriminator_is_told() -> None:
    assert told(idl(A={"x": "u8"}), idl(A={"x": "u8", "_": [9, 9]})) == [
        "discriminator changes: A (01 to 0909)"
    ]


def test_accounts_are_told_of_too() -> None:
    def held(kind: str) -> Any:
        pool = {"name": "Pool", "type": {"kind": "struct", "fields": [{"name": "x", "type": kind}]}}
        return read_idl(
            {"name": "made", "version": "0.1.0", "instructions": [], "accounts": [pool], "types": []}
        )

    assert told(held("u8"), held("u16")) == ["type changes: account Pool.x (smallint to integer)"]
