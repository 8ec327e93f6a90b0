"""Writes events, accounts and instructions as the program of an IDL would.

In: names and values as the decoder gives them. Out: bytes. Imports nothing of ours but the IDL's model and
readers: localnet, which judges the indexer, encodes with it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from solders.pubkey import Pubkey as Address

from heliograph_core.errors import IdlError
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
    Vec,
)
from heliograph_indexer.idl.reader import read_idl

EVENT_TAG = bytes.fromhex("e445a52e51cb9a1d")
"""Anchor's emit_cpi! puts it before the discriminator."""

EVENT_AUTHORITY_SEED = b"__event_authority"

T = TypeVar("T")


def event_authority(program: str) -> str:
    """The address that signs a program's emit_cpi! instructions."""
    return str(Address.find_program_address([EVENT_AUTHORITY_SEED], Address.from_string(program))[0])


class Encoder:
    """Encodes for one IDL. A value that its type cannot hold raises ValueError, naming the place."""

    def __init__(self, document: bytes | str | dict[str, Any] | Idl) -> None:
        self.idl = document if isinstance(document, Idl) else read_idl(document)
        self._sizes = Sizes(self.idl)
        self._events = {layout.name: layout for layout in self.idl.events}
        self._accounts = {layout.name: layout for layout in self.idl.accounts}
        self._instructions = {entry.name: entry for entry in self.idl.instructions}
        self._errors = {error.name: error.code for error in self.idl.errors}

    @property
    def address(self) -> str:
        """The program's address; IdlError where the IDL does not say it."""
        if self.idl.address is None:
            raise IdlError(f"the IDL {self.idl.name} names no address")
        return self.idl.address

    def event(self, name: str, fields: Mapping[str, Any]) -> bytes:
        """Discriminator and fields; emit_cpi! puts EVENT_TAG before them."""
        return self._layout(_named(self._events, "event", name, self.idl), fields)

    def account(self, name: str, fields: Mapping[str, Any]) -> bytes:
        """Discriminator and fields."""
        return self._layout(_named(self._accounts, "account", name, self.idl), fields)

    def instruction(self, name: str, args: Mapping[str, Any]) -> bytes:
        """Discriminator and arguments."""
        entry = _named(self._instructions, "instruction", name, self.idl)
        return entry.discriminator + self.value(entry.args, args)

    def blank_event(self, name: str) -> dict[str, Any]:
        """An event of which every field is zero, empty, absent or its enum's first variant: to be filled in."""
        return dict(self._blank(_named(self._events, "event", name, self.idl).type))

    def blank_account(self, name: str) -> dict[str, Any]:
        """As blank_event."""
        return dict(self._blank(_named(self._accounts, "account", name, self.idl).type))

    def error_code(self, name: str) -> int:
        """The custom error code of that name."""
        return _named(self._errors, "error", name, self.idl)

    def value(self, type_: Type, value: Any, *, memory: bool = False) -> bytes:
        """One value of a type of this IDL, as borsh or as memory."""
        writing = _Writing(self.idl, self._sizes)
        if memory:
            writing.memory(type_, value)
        else:
            writing.borsh(type_, value)
        return bytes(writing.out)

    def _blank(self, type_: Type) -> Any:
        match type_:
            case Number(is_float=is_float):
                return 0.0 if is_float else 0
            case Bool():
                return False
            case Pubkey():
                return str(Address.default())
            case Bytes(length=length):
                return bytes(length) if isinstance(length, int) else b""
            case String():
                return ""
            case Option():
                return None
            case Vec():
                return []
            case Array(item=item, length=length):
                return [self._blank(item) for _ in range(length)]
            case Struct(fields=fields):
                return {field.name: self._blank(field.type) for field in fields}
            case Enum(variants=variants):
                first = variants[0]
                return first.name if first.fields is None else {first.name: self._blank(first.fields)}
            case Defined(name=name):
                return self._blank(self.idl.types[name].type)
        raise AssertionError(type_)

    def _layout(self, layout: Layout, fields: Mapping[str, Any]) -> bytes:
        memory = in_memory(self.idl, layout.type)
        return layout.discriminator + self.value(layout.type, fields, memory=memory)


def _named(entries: Mapping[str, T], kind: str, name: str, idl: Idl) -> T:
    if name not in entries:
        raise ValueError(f"the IDL {idl.name} has no {kind} {name}; it has {', '.join(entries) or 'none'}")
    return entries[name]


class _Writing:
    def __init__(self, idl: Idl, sizes: Sizes) -> None:
        self.idl = idl
        self.sizes = sizes
        self.out = bytearray()
        self.path: list[str] = ["$"]

    def fail(self, wanted: str, value: Any) -> NoReturn:
        raise ValueError(f"{''.join(self.path)}: expected {wanted}, found {value!r:.80}")

    def borsh(self, type_: Type, value: Any) -> None:
        match type_:
            case Option(item=item, tag=tag, fixed=fixed):
                self.number(tag, 0 if value is None else 1)
                if value is not None:
                    self.inside(".some", item, value)
                elif fixed:
                    self.out += bytes(self.sizes.fixed(item) or 0)
            case Vec(item=item, count=count):
                items = self.items(value, None)
                self.number(count, len(items))
                if items and not self.sizes.least(item):
                    self.fail("an empty list, as its items take no bytes", value)
                for index, each in enumerate(items):
                    self.inside(f"[{index}]", item, each)
            case Array(item=item, length=length):
                for index, each in enumerate(self.items(value, length)):
                    self.inside(f"[{index}]", item, each)
            case Struct():
                for field, each in self.fields(type_, value):
                    self.inside(f".{field.name}", field.type, each)
            case Enum():
                self.enum(type_, value)
            case Defined(name=name):
                self.borsh(self.idl.types[name].type, value)
            case _:
                self.plain(type_, value)

    def inside(self, step: str, type_: Type, value: Any) -> None:
        self.path.append(step)
        self.borsh(type_, value)
        self.path.pop()

    def items(self, value: Any, length: int | None) -> list[Any]:
        if not isinstance(value, list | tuple) or (length is not None and len(value) != length):
            self.fail("a list" if length is None else f"a list of {length} items", value)
        return list(value)

    def fields(self, struct_: Struct, value: Any) -> Iterable[tuple[Any, Any]]:
        if not isinstance(value, Mapping):
            self.fail("a mapping of fields", value)
        names = [field.name for field in struct_.fields]
        if set(value) != set(names):
            missing = [name for name in names if name not in value]
            extra = [name for name in value if name not in names]
            self.fail(f"the fields {', '.join(names)} (missing: {missing}, unknown: {extra})", value)
        return [(field, value[field.name]) for field in struct_.fields]

    def plain(self, type_: Type, value: Any) -> None:
        match type_:
            case Number():
                self.number(type_, value)
            case Bool(tag=tag):
                if not isinstance(value, bool):
                    self.fail("true or false", value)
                self.number(tag, int(value))
            case Pubkey():
                try:
                    self.out += bytes(Address.from_string(value))
                except (ValueError, TypeError):
                    self.fail("an address in base58", value)
            case Bytes(length=length):
                if not isinstance(value, bytes | bytearray):
                    self.fail("bytes", value)
                self.counted(length, bytes(value), value, pad=False)
            case String(length=length):
                if not isinstance(value, str):
                    self.fail("text", value)
                self.counted(length, value.encode(), value, pad=True)
            case _:
                raise AssertionError(type_)

    def counted(self, length: Number | int, raw: bytes, value: Any, *, pad: bool) -> None:
        if isinstance(length, Number):
            self.number(length, len(raw))
        elif len(raw) > length or (len(raw) < length and not pad):
            self.fail(f"{length} bytes", value)
        else:
            raw = raw.ljust(length, b"\0")
        self.out += raw

    def number(self, number: Number, value: Any) -> None:
        order = ">" if number.big_endian else "<"
        try:
            if number.is_float:
                self.out += struct.pack(order + ("f" if number.size == 4 else "d"), value)
            elif isinstance(value, bool) or not isinstance(value, int):
                self.fail(number.format, value)
            else:
                self.out += value.to_bytes(
                    number.size, "big" if number.big_endian else "little", signed=number.is_signed
                )
        except (OverflowError, struct.error):
            self.fail(number.format, value)

    def enum(self, enum: Enum, value: Any) -> None:
        name, inner = value, None
        if isinstance(value, Mapping) and len(value) == 1:
            name, inner = next(iter(value.items()))
        for variant in enum.variants:
            if variant.name == name and (variant.fields is None) == (inner is None):
                self.number(enum.tag, variant.tag)
                if variant.fields is not None:
                    self.inside(f".{name}", variant.fields, inner)
                return
        self.fail(f"one of {', '.join(variant.name for variant in enum.variants)}", value)

    def memory(self, type_: Type, value: Any) -> None:
        start = len(self.out)
        size, align = self.sizes.memory(type_)
        match type_:
            case Array(item=item, length=length):
                for index, each in enumerate(self.items(value, length)):
                    self.inside_memory(f"[{index}]", item, each)
            case Option(item=item, tag=tag):
                self.number(tag, 0 if value is None else 1)
                self.pad(start + -(-tag.size // align) * align)
                if value is not None:
                    self.inside_memory(".some", item, value)
            case Enum():
                self.enum(type_, value)
            case Struct():
                self.memory_fields(type_, type_, value, start)
            case Defined(name=name):
                body = self.idl.types[name].type
                if isinstance(body, Struct):
                    self.memory_fields(type_, body, value, start)
                else:
                    self.memory(body, value)
            case _:
                self.plain(type_, value)
        self.pad(start + size)

    def memory_fields(self, type_: Type, body: Struct, value: Any, start: int) -> None:
        offsets = [offset for offset, _ in self.sizes.memory_fields(type_)[0]]
        for offset, (field, each) in zip(offsets, self.fields(body, value), strict=True):
            self.pad(start + offset)
            self.inside_memory(f".{field.name}", field.type, each)

    def inside_memory(self, step: str, type_: Type, value: Any) -> None:
        self.path.append(step)
        self.memory(type_, value)
        self.path.pop()

    def pad(self, end: int) -> None:
        self.out += bytes(end - len(self.out))
