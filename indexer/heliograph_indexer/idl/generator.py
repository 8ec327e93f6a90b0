"""Writes the Python source of a decoder for one layout.

In: an IDL and a layout's type. Out: a module's source and the constants it uses. The source holds a function
`decode(d)`, which takes all bytes and returns the value and the offset after it, and one function for each type
that repeats, recurs or is too wide to be read in place. What does not fit raises one of REFUSALS: struct.error
(too short), LookupError (a tag that stands for nothing) or ValueError.

A run of fields with a fixed size becomes one unpack; the tag or count that follows is part of the run.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from heliograph_indexer.idl.flat import MOST_DEPTH, MOST_LEAVES, Flattener, Names, dictionary
from heliograph_indexer.idl.layout import Sizes
from heliograph_indexer.idl.model import (
    Array,
    Bytes,
    Defined,
    Enum,
    Idl,
    Number,
    Option,
    String,
    Struct,
    Type,
    Vec,
)

MOST_DISPLAYED = 15
"""Keys of a dictionary that Python makes in one step. A larger one is made by copying one that has the keys already,

which is faster than growing one, and an absent option then needs no assignment at all."""

REFUSALS = (struct.error, LookupError, ValueError, RecursionError)
"""What generated code raises for bytes that do not fit."""


@dataclass(frozen=True, slots=True)
class Generated:
    source: str
    namespace: dict[str, Any]


def generate(idl: Idl, sizes: Sizes, type_: Type, start: int, memory: bool, pubkey: Any) -> Generated:
    """The decoder of a layout whose bytes begin at `start`, after the discriminator.

    pubkey: maps 32 bytes to base58 by `pubkey[bytes]`.
    """
    return _Module(idl, sizes, Names(pubkey)).write(type_, start, memory)


class _Module:
    def __init__(self, idl: Idl, sizes: Sizes, names: Names) -> None:
        self.idl = idl
        self.sizes = sizes
        self.names = names
        self.flatteners = {
            memory: Flattener(idl, sizes, names, memory, self.function) for memory in (False, True)
        }
        self.functions: dict[tuple[Type, bool], str] = {}
        self.wanted: list[tuple[Type, bool]] = []

    def function(self, type_: Type, memory: bool) -> str:
        """The name of the function that reads a type at an offset; it is written later."""
        key = (type_, memory)
        if key not in self.functions:
            self.functions[key] = f"read{len(self.functions)}"
            self.wanted.append(key)
        return self.functions[key]

    def write(self, type_: Type, start: int, memory: bool) -> Generated:
        parts = [_Function(self, memory).write("decode(d)", type_, start)]
        while self.wanted:
            inner, of_memory = key = self.wanted.pop()
            parts.append(_Function(self, of_memory).write(f"{self.functions[key]}(d, o)", inner, None))
        return Generated("\n\n".join(parts) + "\n", self.names.namespace)


class _Function:
    """One function being written. `d` are the bytes, `e` their number, `o` the offset once it is not constant."""

    def __init__(self, module: _Module, memory: bool) -> None:
        self.module = module
        self.names = module.names
        self.memory = memory
        self.flattener = module.flatteners[memory]
        self.lines: list[str] = []
        self.indent = 1
        self.moving = False
        self.at = 0
        self.run_at = 0
        self.run_format = ""
        self.run_names: list[str] = []
        self.pending: list[str] = []
        self.leaves = 0
        self.checked = False
        self.recurring: set[str] = set()

    def write(self, signature: str, type_: Type, start: int | None) -> str:
        self.moving = start is None
        self.at = start or 0
        expression = self.read(type_, 0)
        self.flush()
        self.line(f"return {expression}, {self.place()}")
        # The number of bytes is needed only where a count or a length is checked against it.
        length = ["    e = len(d)"] if self.checked else []
        return "\n".join([f"def {signature}:", *length, *self.lines])

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def place(self, add: int = 0) -> str:
        """An expression for the offset reached."""
        at = self.at + add
        if not self.moving:
            return str(at)
        return f"o + {at}" if at else "o"

    def move(self, expression: str) -> None:
        """Continues at an offset that only the bytes know."""
        self.flush()
        if expression != "o":
            self.line(f"o = {expression}")
        self.moving, self.at = True, 0

    def append(self, format_: str, names: list[str], size: int) -> None:
        """Adds to the run of fields that are unpacked at once."""
        if not self.run_format:
            self.run_at = self.at
        self.run_format += format_
        self.run_names += names
        self.at += size

    def flush(self) -> None:
        """Writes the run's unpack, then what waited for its values."""
        if self.run_format:
            here = f"o + {self.run_at}" if self.run_at else "o"
            here = here if self.moving else str(self.run_at)
            if self.run_format == "B":
                self.line(f"{self.run_names[0]} = d[{here}]")
            else:
                unpack = f"{self.names.unpack_from(self.run_format)}(d, {here})"
                targets = ", ".join(self.run_names) + ("," if len(self.run_names) == 1 else "")
                self.line(f"{targets} = {unpack}" if targets else unpack)
            self.run_format, self.run_names = "", []
        for text in self.pending:
            self.line(text)
        self.pending.clear()

    def tag(self, number: Number) -> str:
        """Reads a number now; the name of the variable that holds it."""
        flat = self.flattener.flatten(number)
        assert flat is not None
        self.append(flat.format, flat.names, flat.size)
        self.flush()
        if flat.expression in flat.names:
            return flat.expression
        name = self.names.fresh()
        self.line(f"{name} = {flat.expression}")
        return name

    def read(self, type_: Type, depth: int) -> str:
        """Writes what reads the type here; an expression for its value, good once the run is flushed."""
        if not depth:
            body = type_
            while isinstance(body, Defined):
                self.recurring.add(body.name)
                type_, body = body, self.module.idl.types[body.name].type
            if isinstance(body, Struct):
                return self.fields(type_, body)
            type_ = body
        if self.is_full(depth) and isinstance(type_, Defined | Struct | Array | Option | Vec | Enum):
            return self.call(type_)
        flat = self.flattener.flatten(type_) if not self.is_large(type_) else None
        if flat is not None:
            self.leaves += len(flat.names)
            if flat.format:
                self.append(flat.format, flat.names, flat.size)
            return flat.expression
        match type_:
            case Struct():
                return self.sequence(type_, depth + 1)
            case Defined(name=name):
                if name in self.recurring:
                    return self.call(type_)
                self.recurring.add(name)
                expression = self.read(self.module.idl.types[name].type, depth + 1)
                self.recurring.discard(name)
                return expression
            case Option(item=item, tag=tag):
                return self.option(item, tag, depth)
            case Enum():
                return self.enum(type_, depth)
            case String(length=Number() as count):
                return self.counted(count, ".decode()")
            case Bytes(length=Number() as count):
                return self.counted(count, "")
            case Vec(item=item, count=count):
                return self.vec(item, count)
            case Array(item=item, length=length):
                return self.array(item, length)
        raise AssertionError(type_)

    def fields(self, type_: Type, body: Struct) -> str:
        """The struct that the function is for: its own fields, each in place or called, whatever their number."""
        if not self.memory:
            return self.sequence(body, 1)
        places, size = self.module.sizes.memory_fields(type_)
        start, expressions = self.at, []
        for offset, field in places:
            self.pad(start + offset)
            expressions.append(self.read(field.type, 1))
        self.pad(start + size)
        return dictionary(body, expressions)

    def is_large(self, type_: Type) -> bool:
        """Whether the type is a struct whose dictionary is made by copying."""
        if self.memory:
            return False
        body = self.module.idl.types[type_.name].type if isinstance(type_, Defined) else type_
        return isinstance(body, Struct) and len(body.fields) > MOST_DISPLAYED

    def sequence(self, body: Struct, depth: int) -> str:
        """The fields of a struct as borsh."""
        if len(body.fields) <= MOST_DISPLAYED:
            return dictionary(body, [self.read(field.type, depth) for field in body.fields])
        keys = tuple(field.name for field in body.fields)
        value = self.names.fresh()
        self.line(f"{value} = {self.names.constant('blank', keys, lambda: dict.fromkeys(keys).copy)}()")
        known = None
        for field, following in zip(body.fields, (*body.fields[1:], None), strict=True):
            target = f"{value}[{field.name!r}]"
            if isinstance(field.type, Option) and not field.type.fixed and (known or not self.is_full(depth)):
                ahead = self.names.fresh() if following and _begins_with_a_tag(following.type) else None
                self.option(field.type.item, field.type.tag, depth, target, known, ahead)
                known = ahead
            else:
                expression = self.read(field.type, depth)
                self.pending.append(f"{target} = {expression}")
        return value

    def is_full(self, depth: int) -> bool:
        """Whether what follows should be left to a function of its own."""
        return self.leaves > MOST_LEAVES or depth > MOST_DEPTH

    def pad(self, end: int) -> None:
        if end > self.at:
            self.append("x" * (end - self.at), [], end - self.at)

    def call(self, type_: Type) -> str:
        """Leaves the type to a function of its own."""
        self.flush()
        name, function = self.names.fresh(), self.module.function(type_, self.memory)
        if self.memory:
            self.line(f"{name} = {function}(d, {self.place()})[0]")
            self.at += self.module.sizes.memory(type_)[0]
        else:
            self.line(f"{name}, o = {function}(d, {self.place()})")
            self.moving, self.at = True, 0
        return name

    def assign(self, value: str, expression: str, ahead: str | None) -> None:
        """Gives the expression's value a name of its own. ahead: as in option()."""
        last = len(self.run_names) - 1
        if ahead is not None:
            self.append("B", [ahead], 1)
        if last >= 0 and expression == self.run_names[last]:
            self.run_names[last] = value
            self.flush()
        else:
            self.flush()
            self.line(f"{value} = {expression}")

    @contextmanager
    def branch(self, head: str) -> Iterator[None]:
        """A block that begins where the code before it ended, and ends with `o` at its own end."""
        self.line(head)
        self.indent += 1
        moving, at, before = self.moving, self.at, len(self.lines)
        yield
        self.move(self.place())
        if len(self.lines) == before:
            self.line("pass")
        self.indent -= 1
        self.moving, self.at = moving, at

    def option(
        self,
        item: Type,
        tag: Number,
        depth: int,
        target: str | None = None,
        known: str | None = None,
        ahead: str | None = None,
    ) -> str:
        """target: where the value goes; it holds None already.

        known: the variable that holds the tag, where that was read already. ahead: the variable for the byte that follows the
        option, the tag of the next one: it comes with the value, in one unpack.
        """
        present = known or self.tag(tag)
        value = target or self.names.fresh()
        with self.branch(f"if {present} == 1:"):
            self.assign(value, self.read(item, depth + 1), ahead)
        with self.branch(f"elif {present} == 0:"):
            if target is None:
                self.line(f"{value} = None")
            if ahead is not None:
                self.append("B", [ahead], 1)
        self.refuse_else()
        self.moving, self.at = True, 0
        return value

    def enum(self, enum: Enum, depth: int) -> str:
        tag = self.tag(enum.tag)
        value = self.names.fresh()
        if not enum.variants:
            # A type without values: whatever the tag is, it stands for nothing.
            self.line("raise ValueError")
        word = "if"
        for variant in enum.variants:
            with self.branch(f"{word} {tag} == {variant.tag}:"):
                if variant.fields is None:
                    self.line(f"{value} = {variant.name!r}")
                else:
                    expression = self.read(variant.fields, depth + 1)
                    self.flush()
                    self.line(f"{value} = {{{variant.name!r}: {expression}}}")
            word = "elif"
        if enum.variants:
            self.refuse_else()
        self.moving, self.at = True, 0
        return value

    def refuse(self, condition: str) -> None:
        self.checked = True
        self.line(f"if {condition}:")
        self.line("    raise ValueError")

    def refuse_else(self) -> None:
        self.line("else:")
        self.line("    raise ValueError")

    def counted(self, count: Number, suffix: str) -> str:
        size = self.tag(count)
        start, value = self.place(), self.names.fresh()
        end = self.names.fresh()
        self.line(f"{end} = {start} + {size}")
        self.refuse(f"{end} > e")
        self.line(f"{value} = d[{start}:{end}]{suffix}")
        self.move(end)
        return value

    def vec(self, item: Type, count: Number) -> str:
        number = self.tag(count)
        value = self.names.fresh()
        least = self.module.sizes.least(item)
        if not least:
            self.refuse(f"{number}")
            return "[]"
        size = f"{number} * {least}" if least > 1 else number
        flat = self.flattener.flatten(item)
        if flat is None:
            self.refuse(f"{size} > e - {self.parenthesized()}")
            self.repeat(item, value, number)
            return value
        start, end = self.place(), self.names.fresh()
        self.line(f"{end} = {start} + {size}")
        self.refuse(f"{end} > e")
        if item == Number("u8"):
            self.line(f"{value} = list(d[{start}:{end}])")
        else:
            self.line(f"{value} = {self.flattener.items(item, f'd[{start}:{end}]')}")
        self.move(end)
        return value

    def array(self, item: Type, length: int) -> str:
        self.flush()
        value = self.names.fresh()
        least = self.module.sizes.least(item) * length
        if least:
            self.refuse(f"{least} > e - {self.parenthesized()}")
        self.repeat(item, value, str(length))
        return value

    def parenthesized(self) -> str:
        place = self.place()
        return f"({place})" if " " in place else place

    def repeat(self, item: Type, value: str, number: str) -> None:
        read, each = self.module.function(item, False), self.names.fresh()
        self.move(self.place())
        self.line(f"{value} = []")
        self.line(f"for _ in range({number}):")
        self.line(f"    {each}, o = {read}(d, o)")
        self.line(f"    {value}.append({each})")


def _begins_with_a_tag(type_: Type) -> bool:
    return isinstance(type_, Option) and not type_.fixed and type_.tag == Number("u8")
