"""Turns types of a fixed size into a struct format and a Python expression over what it unpacks.

`flatten(u128)` says: format `QQ`, variables `v1 v2`, expression `v1 | v2 << 64`. Everything that the bytes
alone cannot vouch for is left to the expression, which raises LookupError or ValueError: a bool is a look-up
in (False, True), an enum one in its names.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from heliograph_indexer.idl.layout import PUBKEY_BYTES, Sizes
from heliograph_indexer.idl.model import (
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    Idl,
    Number,
    NumberFormat,
    Option,
    Pubkey,
    String,
    Struct,
    Type,
)

MOST_LEAVES = 400
"""Values that are read side by side in one function; what is wider becomes a function of its own."""

MOST_ARRAY_LEAVES = 8
"""Values of an array that are unpacked one by one; longer arrays are unpacked as a whole."""

MOST_DEPTH = 16
"""Levels of nesting in one expression; Python's parser ends at about 100."""

CODES: dict[NumberFormat, str] = {
    "u8": "B",
    "u16": "H",
    "u32": "I",
    "u64": "Q",
    "i8": "b",
    "i16": "h",
    "i32": "i",
    "i64": "q",
    "f32": "f",
    "f64": "d",
}
"""Numbers that the struct module reads by itself."""


@dataclass(slots=True)
class Flat:
    """format: without a byte order (it is little-endian). names: the variables, one a format code that yields one."""

    format: str
    names: list[str]
    expression: str
    size: int


class Names:
    """The names of one generated module: fresh variables, and the constants that its functions use."""

    def __init__(self, pubkey: Callable[[bytes], str]) -> None:
        self._numbers = count(1)
        self._known: dict[Any, str] = {}
        self.namespace: dict[str, Any] = {
            "__builtins__": {"len": len, "list": list, "range": range, "int": int, "ValueError": ValueError},
            "address": pubkey,
            "FLAGS": (False, True),
        }

    def fresh(self) -> str:
        return f"v{next(self._numbers)}"

    def constant(self, prefix: str, key: Any, make: Callable[[], Any]) -> str:
        """The name of a constant, made once for each key."""
        known = (prefix, key)
        if known not in self._known:
            self._known[known] = name = f"{prefix}{len(self._known)}"
            self.namespace[name] = make()
        return self._known[known]

    def unpack(self, format_: str) -> str:
        return self.constant("unpack", format_, lambda: struct.Struct("<" + format_).unpack)

    def unpack_from(self, format_: str) -> str:
        return self.constant("unpack_from", format_, lambda: struct.Struct("<" + format_).unpack_from)

    def iter_unpack(self, format_: str) -> str:
        return self.constant("iter_unpack", format_, lambda: struct.Struct("<" + format_).iter_unpack)

    def variants(self, enum: Enum) -> str:
        """A sequence or a mapping from tag to name: both raise LookupError for a tag that stands for nothing."""
        names = {variant.tag: variant.name for variant in enum.variants}
        if list(names) == list(range(len(names))):
            return self.constant("NAMES", tuple(names.values()), lambda: tuple(names.values()))
        return self.constant("NAMES", tuple(names.items()), lambda: names)


class Flattener:
    """Flattens types of one IDL, as borsh or as memory.

    function: names the generated function that reads a type, for types that are too wide or nested too deep.
    """

    def __init__(
        self, idl: Idl, sizes: Sizes, names: Names, memory: bool, function: Callable[[Type, bool], str]
    ) -> None:
        self._idl = idl
        self._sizes = sizes
        self._names = names
        self._memory = memory
        self._function = function
        self._widths: dict[str, int] = {}
        self._tagged: dict[str, bool] = {}

    def flatten(self, type_: Type) -> Flat | None:
        """None for a type whose size varies, or whose layout depends on a tag."""
        if not self._memory and (self._sizes.fixed(type_) is None or self._is_tagged(type_)):
            return None
        return self._flat(type_, 0)

    def items(self, item: Type, source: str, depth: int = 0) -> str:
        """An expression for the list of items, of a type with a size above 0, that fill the bytes `source`."""
        flat = self._flat(item, depth + 1)
        targets = "".join(f"{name}, " for name in flat.names)
        return f"[{flat.expression} for {targets}in {self._names.iter_unpack(flat.format)}({source})]"

    def width(self, type_: Type) -> int:
        """How many values the type is unpacked to."""
        match type_:
            case Number(format="u128" | "i128"):
                return 2
            case Option(item=item):
                return 1 + self.width(item)
            case Array(item=item, length=length):
                width = self.width(item) * length
                return width if width <= MOST_ARRAY_LEAVES else 1
            case Struct(fields=fields):
                return sum(self.width(field.type) for field in fields)
            case Defined(name=name):
                if name not in self._widths:
                    self._widths[name] = self.width(self._idl.types[name].type)
                return self._widths[name] if self._widths[name] <= MOST_LEAVES else 1
            case _:
                return 1

    def _is_tagged(self, type_: Type) -> bool:
        """Whether a variant with fields is somewhere in it. (Then equal sizes do not mean equal layouts.)"""
        match type_:
            case Option(item=item) | Array(item=item):
                return self._is_tagged(item)
            case Struct(fields=fields):
                return any(self._is_tagged(field.type) for field in fields)
            case Enum(variants=variants):
                return any(variant.fields is not None for variant in variants)
            case Defined(name=name):
                if name not in self._tagged:
                    self._tagged[name] = self._is_tagged(self._idl.types[name].type)
                return self._tagged[name]
            case _:
                return False

    def _size(self, type_: Type) -> int:
        return self._sizes.memory(type_)[0] if self._memory else self._sizes.least(type_)

    def _flat(self, type_: Type, depth: int) -> Flat:
        match type_:
            case Number():
                return self._number(type_)
            case Bool(tag=tag):
                return self._looked_up("FLAGS", tag)
            case Pubkey():
                return self._bytes(PUBKEY_BYTES, lambda name: f"address[{name}]")
            case Bytes(length=int(length)):
                return self._bytes(length, lambda name: name)
            case String(length=int(length)):
                return self._bytes(length, lambda name: rf'{name}.rstrip(b"\0").decode()')
            case Enum(tag=tag):
                return self._looked_up(self._names.variants(type_), tag)
        wide = isinstance(type_, Defined) and self.width(self._idl.types[type_.name].type) > MOST_LEAVES
        if wide or depth > MOST_DEPTH:
            return self._bytes(
                self._size(type_), lambda name: f"{self._function(type_, self._memory)}({name}, 0)[0]"
            )
        match type_:
            case Option(item=item, tag=tag):
                return self._option(item, tag, depth)
            case Array(item=item, length=length):
                return self._array(item, length, depth)
            case Struct():
                return self._struct(type_, type_, depth)
            case Defined(name=name):
                body = self._idl.types[name].type
                if isinstance(body, Struct):
                    return self._struct(type_, body, depth)
                return self._flat(body, depth + 1)
        raise AssertionError(type_)

    def _bytes(self, size: int, expression: Callable[[str], str]) -> Flat:
        name = self._names.fresh()
        return Flat(f"{size}s", [name], expression(name), size)

    def _number(self, number: Number) -> Flat:
        code = CODES.get(number.format)
        if number.big_endian and number.size > 1:
            if code is not None:
                unpack = self._names.constant("unpack_big", code, lambda: struct.Struct(">" + code).unpack)
                return self._bytes(number.size, lambda name: f"{unpack}({name})[0]")
            return self._bytes(
                number.size, lambda name: f'int.from_bytes({name}, "big", signed={number.is_signed})'
            )
        if code is not None:
            name = self._names.fresh()
            return Flat(code, [name], name, number.size)
        if number.size == 16:
            low, high = self._names.fresh(), self._names.fresh()
            return Flat("Qq" if number.is_signed else "QQ", [low, high], f"({low} | {high} << 64)", 16)
        return self._bytes(
            number.size, lambda name: f'int.from_bytes({name}, "little", signed={number.is_signed})'
        )

    def _looked_up(self, table: str, tag: Number) -> Flat:
        flat = self._number(tag)
        return replace(flat, expression=f"{table}[{flat.expression}]")

    def _option(self, item: Type, tag: Number, depth: int) -> Flat:
        flag = self._looked_up("FLAGS", tag)
        some = self._flat(item, depth + 1)
        gap, rest = 0, 0
        if self._memory:
            size, align = self._sizes.memory(item)
            align = max(align, tag.size)
            gap = -tag.size % align
            rest = -(tag.size + gap + size) % align
        return Flat(
            flag.format + "x" * gap + some.format + "x" * rest,
            flag.names + some.names,
            f"({some.expression} if {flag.expression} else None)",
            flag.size + gap + some.size + rest,
        )

    def _array(self, item: Type, length: int, depth: int) -> Flat:
        size = self._size(item)
        if isinstance(item, Number) and item.format == "u8":
            return self._bytes(length, lambda name: f"list({name})")
        if size and isinstance(item, Number) and item.format in CODES and not item.big_endian:
            unpack = self._names.unpack(f"{length}{CODES[item.format]}")
            return self._bytes(size * length, lambda name: f"list({unpack}({name}))")
        if size and self.width(item) * length > MOST_ARRAY_LEAVES:
            return self._bytes(size * length, lambda name: self.items(item, name, depth))
        return _sequence(
            [self._flat(item, depth + 1) for _ in range(length)],
            lambda expressions: f"[{', '.join(expressions)}]",
        )

    def _struct(self, type_: Type, body: Struct, depth: int) -> Flat:
        fields = [self._flat(field.type, depth + 1) for field in body.fields]
        if self._memory:
            places, size = self._sizes.memory_fields(type_)
            ends = [offset for offset, _ in places[1:]] + [size]
            for (offset, _), flat, end in zip(places, fields, ends, strict=True):
                flat.format += "x" * (end - offset - flat.size)
                flat.size = end - offset
        return _sequence(fields, lambda expressions: dictionary(body, expressions))


def _sequence(flats: Sequence[Flat], expression: Callable[[list[str]], str]) -> Flat:
    return Flat(
        "".join(flat.format for flat in flats),
        [name for flat in flats for name in flat.names],
        expression([flat.expression for flat in flats]),
        sum(flat.size for flat in flats),
    )


def dictionary(body: Struct, expressions: Sequence[str]) -> str:
    """A display of the dictionary of a struct's fields."""
    entries = zip(body.fields, expressions, strict=True)
    return "{" + ", ".join(f"{field.name!r}: {expression}" for field, expression in entries) + "}"
