"""Our model of an IDL as a document of spec 0.1.0, the only format that @coral-xyz/anchor 0.32 reads."""

from __future__ import annotations

from typing import Any

from heliograph_indexer.idl.model import (
    U8,
    U32,
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    Idl,
    Number,
    Option,
    Pubkey,
    String,
    Struct,
    Type,
    Vec,
)


class NotInSpec(Exception):
    """The type has no counterpart in spec 0.1.0."""


def as_spec(idl: Idl, address: str) -> dict[str, Any]:
    """Events and accounts with their types; those that the format cannot say are left out."""
    return _Document(idl).write(address)


class _Document:
    def __init__(self, idl: Idl) -> None:
        self.idl = idl
        self.types: list[dict[str, Any]] = []

    def write(self, address: str) -> dict[str, Any]:
        kept = {}
        for name, definition in self.idl.types.items():
            try:
                kept[name] = self.body(definition.type, name)
            except NotInSpec:
                continue
        found: dict[str, list[Any]] = {"events": [], "accounts": []}
        for kind, layouts in (("events", self.idl.events), ("accounts", self.idl.accounts)):
            for layout in layouts:
                if layout.name not in kept:
                    try:
                        kept[layout.name] = self.body(self.resolved(layout.type), layout.name)
                    except NotInSpec:
                        continue
                found[kind].append({"name": layout.name, "discriminator": list(layout.discriminator)})
        types = [{"name": name, "type": body} for name, body in kept.items()]
        return {
            "address": address,
            "metadata": {"name": self.idl.name, "version": "0.1.0", "spec": "0.1.0"},
            "instructions": [],
            **found,
            "types": types + self.types,
        }

    def resolved(self, type_: Type) -> Type:
        while isinstance(type_, Defined):
            type_ = self.idl.types[type_.name].type
        return type_

    def body(self, body: Type, name: str) -> dict[str, Any]:
        match body:
            case Struct():
                return {"kind": "struct", "fields": self.fields(body, name)}
            case Enum(variants=variants, tag=tag) if tag == U8:
                return {
                    "kind": "enum",
                    "variants": [
                        {
                            "name": variant.name,
                            **(
                                {"fields": self.fields(variant.fields, name + variant.name)}
                                if variant.fields
                                else {}
                            ),
                        }
                        for variant in variants
                    ],
                }
            case Enum():
                raise NotInSpec
        return {"kind": "type", "alias": self.type(body, name)}

    def fields(self, body: Struct, name: str) -> list[Any]:
        if body.fields and body.fields[0].name == "0":
            return [self.type(field.type, f"{name}{field.name}") for field in body.fields]
        return [
            {"name": field.name, "type": self.type(field.type, f"{name}_{field.name}")}
            for field in body.fields
        ]

    def type(self, type_: Type, name: str) -> Any:
        """name: what a type without one is called."""
        match type_:
            case Number(format=format_, big_endian=False):
                return format_
            case Bool(tag=tag) if tag == U8:
                return "bool"
            case Pubkey():
                return "pubkey"
            case String(length=length) | Bytes(length=length) if length == U32:
                return type(type_).__name__.lower()
            case Bytes(length=int(length)):
                return {"array": ["u8", length]}
            case Option(item=item, tag=tag, fixed=False) if tag == U8:
                return {"option": self.type(item, name)}
            case Vec(item=item, count=count) if count == U32:
                return {"vec": self.type(item, name)}
            case Array(item=item, length=length):
                return {"array": [self.type(item, name), length]}
            case Defined(name=defined):
                return {"defined": {"name": defined}}
            case Struct() | Enum():
                self.types.append({"name": name, "type": self.body(type_, name)})
                return {"defined": {"name": name}}
        raise NotInSpec
