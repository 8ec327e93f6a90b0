"""Reads values by walking the types: slow, plain, and the oracle that the generated decoders are held to.

In: an IDL, bytes and an offset. Out: a value and the offset after it. Raises DecodeError, which says where
in the value and what was found. Nothing is created that the bytes left cannot fill.
"""

from __future__ import annotations

import struct
from typing import Any, NoReturn

from solders.pubkey import Pubkey as Address

from heliograph_core.errors import DecodeError
from heliograph_indexer.idl.layout import PUBKEY_BYTES, Sizes
from heliograph_indexer.idl.model import (
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


class Interpreter:
    """Decodes values of one IDL's types."""

    def __init__(self, idl: Idl) -> None:
        self._idl = idl
        self._sizes = Sizes(idl)

    def read(
        self, type_: Type, data: bytes, offset: int = 0, *, memory: bool = False, name: str = "the data"
    ) -> tuple[Any, int]:
        """The value at `offset` and where it ends, read as borsh, or as memory. Errors call it `name`."""
        reading = _Reading(self._idl, self._sizes, data, offset, name)
        try:
            value = reading.memory(type_) if memory else reading.borsh(type_)
        except RecursionError:
            raise DecodeError(f"the values of {name} are nested too deep to be read") from None
        return value, reading.at


class _Reading:
    def __init__(self, idl: Idl, sizes: Sizes, data: bytes, offset: int, name: str) -> None:
        self.idl = idl
        self.sizes = sizes
        self.data = data
        self.at = offset
        self.name = name
        self.path: list[str] = ["$"]

    def fail(self, message: str) -> NoReturn:
        raise DecodeError(f"{message}, at byte {self.at} of {self.name}", path="".join(self.path))

    def take(self, size: int, what: str) -> bytes:
        left = len(self.data) - self.at
        if size > left:
            self.fail(f"{what} needs {size} bytes, {max(left, 0)} are left")
        self.at += size
        return self.data[self.at - size : self.at]

    def borsh(self, type_: Type) -> Any:
        match type_:
            case Option(item=item, tag=tag, fixed=fixed):
                present = self.tag(tag, "an option")
                if present:
                    return self.inside(".some", item)
                if fixed:
                    size = self.sizes.fixed(item)
                    assert size is not None
                    self.take(size, "an empty coption")
                return None
            case Vec(item=item, count=count):
                number = self.number(count)
                least = self.sizes.least(item)
                if number * least > len(self.data) - self.at:
                    self.fail(
                        f"a vec of {number} items of at least {least} bytes, {len(self.data) - self.at} are left"
                    )
                if number and not least:
                    self.fail(f"a vec of {number} items that take no bytes")
                return [self.inside(f"[{index}]", item) for index in range(number)]
            case Array(item=item, length=length):
                least = self.sizes.least(item) * length
                if least > len(self.data) - self.at:
                    self.fail(f"an array of at least {least} bytes, {len(self.data) - self.at} are left")
                return [self.inside(f"[{index}]", item) for index in range(length)]
            case Struct(fields=fields):
                return {field.name: self.inside(f".{field.name}", field.type) for field in fields}
            case Enum():
                return self.enum(type_)
            case Defined(name=name):
                return self.borsh(self.idl.types[name].type)
            case _:
                return self.plain(type_)

    def inside(self, step: str, type_: Type) -> Any:
        self.path.append(step)
        value = self.borsh(type_)
        self.path.pop()
        return value

    def plain(self, type_: Type) -> Any:
        """A value that is the same as borsh and as memory."""
        match type_:
            case Number():
                return self.number(type_)
            case Bool(tag=tag):
                return bool(self.tag(tag, "a bool"))
            case Pubkey():
                return str(Address.from_bytes(self.take(PUBKEY_BYTES, "pubkey")))
            case Bytes(length=length):
                return self.take(length if isinstance(length, int) else self.number(length), "bytes")
            case String(length=length):
                raw = self.take(length if isinstance(length, int) else self.number(length), "string")
                if isinstance(length, int):
                    raw = raw.rstrip(b"\0")
                try:
                    return raw.decode()
                except UnicodeDecodeError as error:
                    self.fail(f"a string that is not UTF-8 ({error.reason})")
            case _:
                raise AssertionError(type_)

    def number(self, number: Number) -> Any:
        raw = self.take(number.size, number.format)
        if number.is_float:
            form = (">" if number.big_endian else "<") + ("f" if number.size == 4 else "d")
            return struct.unpack(form, raw)[0]
        return int.from_bytes(raw, "big" if number.big_endian else "little", signed=number.is_signed)

    def tag(self, number: Number, what: str) -> int:
        value: int = self.number(number)
        if value not in (0, 1):
            self.at -= number.size
            self.fail(f"the tag of {what} is 0 or 1, found {value}")
        return value

    def enum(self, enum: Enum) -> Any:
        tag = self.number(enum.tag)
        for variant in enum.variants:
            if variant.tag == tag:
                if variant.fields is None:
                    return variant.name
                return {variant.name: self.inside(f".{variant.name}", variant.fields)}
        self.at -= enum.tag.size
        return self.fail(f"no variant of the enum has the tag {tag}")

    def memory(self, type_: Type) -> Any:
        size, align = self.sizes.memory(type_)
        start = self.at
        if size > len(self.data) - start:
            self.fail(f"a layout of {size} bytes, {len(self.data) - start} are left")
        value: Any
        match type_:
            case Array(item=item, length=length):
                value = [self.inside_memory(f"[{index}]", item) for index in range(length)]
            case Option(item=item, tag=tag):
                present = self.tag(tag, "an option")
                self.at = start + -(-tag.size // align) * align
                value = self.inside_memory(".some", item) if present else None
            case Enum():
                value = self.enum(type_)
            case Struct():
                value = self.memory_fields(type_, start)
            case Defined(name=name):
                body = self.idl.types[name].type
                value = self.memory_fields(type_, start) if isinstance(body, Struct) else self.memory(body)
            case _:
                value = self.plain(type_)
        self.at = start + size
        return value

    def memory_fields(self, type_: Type, start: int) -> dict[str, Any]:
        value = {}
        for offset, field in self.sizes.memory_fields(type_)[0]:
            self.at = start + offset
            value[field.name] = self.inside_memory(f".{field.name}", field.type)
        return value

    def inside_memory(self, step: str, type_: Type) -> Any:
        self.path.append(step)
        value = self.memory(type_)
        self.path.pop()
        return value
