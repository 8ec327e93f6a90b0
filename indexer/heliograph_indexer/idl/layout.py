"""How many bytes a type takes, as borsh and as memory, and whether an IDL's types can be read at all.

As borsh fields follow each other without padding. As memory (bytemuck accounts) they follow the C rules:
each is aligned to its own alignment, and 128-bit numbers to 8 bytes, as on Solana's virtual machine.
"""

from __future__ import annotations

from collections.abc import Iterator

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.model import (
    Array,
    Bool,
    Bytes,
    Defined,
    Enum,
    Field,
    Idl,
    Number,
    Option,
    Pubkey,
    String,
    Struct,
    Type,
    TypeDef,
    Vec,
)

PUBKEY_BYTES = 32
WIDEST_ALIGNMENT = 8
MOST_EMPTY_VALUES = 64
"""Values of a type, beyond one a byte, that may stand for no byte at all: what decoders create out of nothing."""

MOST_LEVELS = 64
"""How deep types may be nested, named ones followed; a type that holds itself counts once."""

MOST_BYTES = 10 << 20
"""Of a value: the largest account that a cluster has."""


class Sizes:
    """Sizes of an IDL's types. Every method raises IdlError for a type that can have none."""

    def __init__(self, idl: Idl) -> None:
        self._idl = idl
        self._least: dict[str, int | None] = {}
        self._fixed: dict[str, int | None] = {}
        self._memory: dict[str, tuple[int, int] | None] = {}

    def least(self, type_: Type) -> int:
        """The fewest bytes that a value takes as borsh; 0 only for types that never take any."""
        match type_:
            case Number(size=size) | Bool(tag=Number(size=size)):
                return size
            case Pubkey():
                return PUBKEY_BYTES
            case String(length=length) | Bytes(length=length):
                return length if isinstance(length, int) else length.size
            case Option(item=item, tag=tag, fixed=fixed):
                return tag.size + (self.least(item) if fixed else 0)
            case Vec(count=count):
                return count.size
            case Array(item=item, length=length):
                return length * self.least(item) if length else 0
            case Struct(fields=fields):
                return sum(self.least(field.type) for field in fields)
            case Enum(variants=variants, tag=tag):
                return tag.size + min((self.least(v.fields or Struct(())) for v in variants), default=0)
            case Defined(name=name):
                if name not in self._least:
                    self._least[name] = None
                    self._least[name] = self.least(self._idl.types[name].type)
                found = self._least[name]
                if found is None:
                    raise IdlError("the type holds itself and would never end", path=f"$.types.{name}")
                return found

    def fixed(self, type_: Type) -> int | None:
        """The bytes that every value takes as borsh, None where they vary."""
        match type_:
            case Option(item=item, tag=tag, fixed=fixed):
                size = self.fixed(item)
                return None if size is None or not fixed else tag.size + size
            case Array(item=item, length=length):
                size = self.fixed(item)
                return None if size is None else length * size
            case Struct(fields=fields):
                sizes = [self.fixed(field.type) for field in fields]
                return None if None in sizes else sum(size for size in sizes if size is not None)
            case Enum(variants=variants, tag=tag):
                found = {self.fixed(variant.fields or Struct(())) for variant in variants}
                size = found.pop() if len(found) == 1 else None
                return None if size is None else tag.size + size
            case String(length=Number()) | Bytes(length=Number()) | Vec():
                return None
            case Defined(name=name):
                if name not in self._fixed:
                    # While it is being worked out: a type that holds itself has no fixed size.
                    self._fixed[name] = None
                    self._fixed[name] = self.fixed(self._idl.types[name].type)
                return self._fixed[name]
            case _:
                return self.least(type_)

    def memory(self, type_: Type, path: str = "$") -> tuple[int, int]:
        """Size and alignment as memory."""
        match type_:
            case Number(size=size) | Bool(tag=Number(size=size)):
                return size, min(size, WIDEST_ALIGNMENT)
            case Pubkey():
                return PUBKEY_BYTES, 1
            case String(length=int(length)) | Bytes(length=int(length)):
                return length, 1
            case Array(item=item, length=length):
                size, align = self.memory(item, f"{path}[0]")
                return size * length, align
            case Option(item=item, tag=tag, fixed=True):
                size, align = self.memory(item, f"{path}.some")
                align = max(align, tag.size)
                return _up(_up(tag.size, align) + size, align), align
            case Enum(variants=variants, tag=tag) if all(variant.fields is None for variant in variants):
                return tag.size, tag.size
            case Struct():
                return self._struct(TypeDef("", type_), type_, path)[1:]
            case Defined(name=name):
                if name not in self._memory:
                    definition = self._idl.types[name]
                    body = definition.type
                    self._memory[name] = None
                    if isinstance(body, Struct):
                        self._memory[name] = self._struct(definition, body, f"$.types.{name}")[1:]
                    else:
                        self._memory[name] = self.memory(body, f"$.types.{name}")
                found = self._memory[name]
                if found is None:
                    raise IdlError("the type holds itself and would never end", path=f"$.types.{name}")
                return found
            case _:
                raise IdlError(
                    f"{type(type_).__name__.lower()} has no fixed layout in memory, so a bytemuck type cannot hold it",
                    path=path,
                )

    def memory_fields(self, type_: Type) -> tuple[list[tuple[int, Field]], int]:
        """Offset of each field of a struct as memory, and the size of the whole."""
        definition = self._idl.types[type_.name] if isinstance(type_, Defined) else TypeDef("", type_)
        assert isinstance(definition.type, Struct), definition.name
        offsets, size, _ = self._struct(definition, definition.type, f"$.types.{definition.name}")
        return list(zip(offsets, definition.type.fields, strict=True)), size

    def _struct(self, definition: TypeDef, body: Struct, path: str) -> tuple[list[int], int, int]:
        offsets, at, widest = [], 0, definition.align
        for field in body.fields:
            size, align = self.memory(field.type, f"{path}.{field.name}")
            if definition.packed:
                align = min(align, definition.packed)
            widest = max(widest, align)
            at = _up(at, align)
            offsets.append(at)
            at += size
        return offsets, _up(at, widest), widest


def _up(offset: int, align: int) -> int:
    return -(-offset // align) * align


def in_memory(idl: Idl, type_: Type) -> bool:
    """Whether a value that stands alone, as an account does, is memory and not borsh."""
    return isinstance(type_, Defined) and idl.types[type_.name].memory


def check(idl: Idl) -> None:
    """Raises IdlError where no decoder can be made: endless types, layouts without a size, doubled discriminators."""
    sizes = Sizes(idl)
    limits = _Limits(idl, sizes)
    for name, definition in idl.types.items():
        sizes.least(Defined(name))
        for place, type_ in _inner(definition.type, f"$.types.{name}"):
            _check_type(sizes, type_, place)
            limits.check(type_, place)
    for kind, layouts in (("events", idl.events), ("accounts", idl.accounts)):
        for layout in layouts:
            place = f"$.{kind}.{layout.name}"
            for inner_place, type_ in _inner(layout.type, place):
                _check_type(sizes, type_, inner_place)
                limits.check(type_, inner_place)
            if in_memory(idl, layout.type):
                limits.check_size(sizes.memory(layout.type, place)[0], place)
    for instruction in idl.instructions:
        for place, type_ in _inner(instruction.args, f"$.instructions.{instruction.name}"):
            _check_type(sizes, type_, place)
            limits.check(type_, place)
    for kind, entries in (
        ("events", [(layout.discriminator, layout.name) for layout in idl.events]),
        ("accounts", [(layout.discriminator, layout.name) for layout in idl.accounts]),
        ("instructions", [(entry.discriminator, entry.name) for entry in idl.instructions]),
    ):
        seen: dict[bytes, str] = {}
        for discriminator, name in entries:
            if discriminator in seen:
                raise IdlError(
                    f"{seen[discriminator]} and {name} have the same discriminator {discriminator.hex()}",
                    path=f"$.{kind}",
                )
            seen[discriminator] = name


def _inner(type_: Type, path: str) -> Iterator[tuple[str, Type]]:
    """The type and those written inside it; named ones are not followed."""
    yield path, type_
    match type_:
        case Option(item=item):
            yield from _inner(item, f"{path}.option")
        case Vec(item=item):
            yield from _inner(item, f"{path}.vec")
        case Array(item=item):
            yield from _inner(item, f"{path}.array")
        case Struct(fields=fields):
            for field in fields:
                yield from _inner(field.type, f"{path}.{field.name}")
        case Enum(variants=variants):
            for variant in variants:
                yield from _inner(variant.fields or Struct(()), f"{path}.{variant.name}")


def _check_type(sizes: Sizes, type_: Type, path: str) -> None:
    match type_:
        case Option(item=item, fixed=True) if sizes.fixed(item) is None:
            raise IdlError("a coption holds its item's space, but this item has no fixed size", path=path)
        case Enum(variants=variants, tag=tag):
            tags = {variant.tag for variant in variants}
            names = {variant.name for variant in variants}
            if len(tags) != len(variants) or len(names) != len(variants):
                raise IdlError("two variants of the enum share a tag or a name", path=path)
            if any(number >= 1 << (8 * tag.size) for number in tags):
                raise IdlError(f"more variants than a {tag.format} can tell apart", path=path)


class _Limits:
    """Refuses types that make decoders create values out of nothing, or that are nested without reason."""

    def __init__(self, idl: Idl, sizes: Sizes) -> None:
        self._idl = idl
        self._sizes = sizes
        self._empty: dict[str, int] = {}
        self._levels: dict[str, int] = {}

    def check(self, type_: Type, path: str) -> None:
        self.check_size(self._sizes.least(type_), path)
        if self._empty_values(type_) > MOST_EMPTY_VALUES + self._sizes.least(type_):
            raise IdlError(f"it makes more than {MOST_EMPTY_VALUES} values out of no bytes", path=path)
        if self._depth(type_) > MOST_LEVELS:
            raise IdlError(f"it is nested deeper than {MOST_LEVELS} levels", path=path)

    def check_size(self, size: int, path: str) -> None:
        if size > MOST_BYTES:
            raise IdlError(
                f"its values take more than {MOST_BYTES} bytes, more than an account has", path=path
            )

    def _empty_values(self, type_: Type) -> int:
        """How many of its values take no bytes."""
        match type_:
            case Array(item=item, length=length):
                inner = self._empty_values(item) * length
                return inner if self._sizes.least(type_) else inner + 1
            case Struct(fields=fields):
                inner = sum(self._empty_values(field.type) for field in fields)
                return inner if self._sizes.least(type_) else inner + 1
            case Defined(name=name):
                if name not in self._empty:
                    self._empty[name] = 0
                    self._empty[name] = self._empty_values(self._idl.types[name].type)
                return self._empty[name]
            case _:
                return 0

    def _depth(self, type_: Type) -> int:
        match type_:
            case Option(item=item) | Vec(item=item) | Array(item=item):
                return 1 + self._depth(item)
            case Struct(fields=fields):
                return 1 + max((self._depth(field.type) for field in fields), default=0)
            case Enum(variants=variants):
                return 1 + max((self._depth(v.fields) for v in variants if v.fields), default=0)
            case Defined(name=name):
                if name not in self._levels:
                    self._levels[name] = 0
                    self._levels[name] = self._depth(self._idl.types[name].type)
                return self._levels[name]
            case _:
                return 0
