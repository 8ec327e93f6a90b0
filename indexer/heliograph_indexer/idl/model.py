"""What an IDL says, whatever format it was written in: types, events, accounts, instructions, errors.

Every generic is resolved by the readers, so each `TypeDef` here is concrete, and a generic one stands once
per set of arguments, under a name such as `Pool<u64,8>`. Field names of one struct are unique (see `Field`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NumberFormat = Literal[
    "u8", "u16", "u32", "u64", "u128", "u256", "i8", "i16", "i32", "i64", "i128", "i256", "f32", "f64"
]

NUMBER_SIZES: Mapping[NumberFormat, int] = {
    "u8": 1,
    "u16": 2,
    "u32": 4,
    "u64": 8,
    "u128": 16,
    "u256": 32,
    "i8": 1,
    "i16": 2,
    "i32": 4,
    "i64": 8,
    "i128": 16,
    "i256": 32,
    "f32": 4,
    "f64": 8,
}
"""Bytes that a number takes."""


@dataclass(frozen=True, slots=True)
class Number:
    """An integer (two's complement where signed) or an IEEE 754 float."""

    format: NumberFormat
    big_endian: bool = False

    @property
    def size(self) -> int:
        return NUMBER_SIZES[self.format]

    @property
    def is_float(self) -> bool:
        return self.format[0] == "f"

    @property
    def is_signed(self) -> bool:
        return self.format[0] == "i"


U8 = Number("u8")
U32 = Number("u32")


@dataclass(frozen=True, slots=True)
class Bool:
    """0 or 1, nothing else, in as many bytes as `tag` has."""

    tag: Number = U8


@dataclass(frozen=True, slots=True)
class Pubkey:
    """32 bytes, shown as base58."""


@dataclass(frozen=True, slots=True)
class String:
    """UTF-8; `length` is the number that counts its bytes, or how many bytes it always has (padded with NUL)."""

    length: Number | int = U32


@dataclass(frozen=True, slots=True)
class Bytes:
    """Raw bytes; `length` as for String, unpadded."""

    length: Number | int = U32


@dataclass(frozen=True, slots=True)
class Option:
    """Tag 0: nothing, 1: an item. A fixed one takes an item's space either way (COption)."""

    item: Type
    tag: Number = U8
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Vec:
    """A count, then that many items."""

    item: Type
    count: Number = U32


@dataclass(frozen=True, slots=True)
class Array:
    """`length` items, not counted in the bytes."""

    item: Type
    length: int


@dataclass(frozen=True, slots=True)
class Field:
    """A named value. Tuple fields are called "0", "1", …

    Where an IDL repeats a name in one struct, the last keeps it (as @coral-xyz/anchor reads it) and the
    earlier ones are called `name_1`, `name_2`, … in order.
    """

    name: str
    type: Type
    docs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Struct:
    """Fields one after the other. A tuple struct is one whose fields are numbered."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A case of an enum: `tag` is the number that stands for it; `fields` is None where it holds nothing."""

    name: str
    tag: int
    fields: Struct | None = None


@dataclass(frozen=True, slots=True)
class Enum:
    """A tag, then the fields of the variant it names. Variants are in the order of the IDL."""

    variants: tuple[Variant, ...]
    tag: Number = U8


@dataclass(frozen=True, slots=True)
class Defined:
    """A reference to `Idl.types[name]`."""

    name: str


Type = Number | Bool | Pubkey | String | Bytes | Option | Vec | Array | Struct | Enum | Defined


@dataclass(frozen=True, slots=True)
class TypeDef:
    """A named type. The remaining fields matter where it is read as memory, not as borsh.

    memory: an account or event of this type is the C layout of its fields, padding included (bytemuck).
    packed: its fields have no padding; 0 is not packed, else the most that a field is aligned to.
    align: the least that the type itself is aligned to.
    """

    name: str
    type: Type
    docs: tuple[str, ...] = ()
    memory: bool = False
    packed: int = 0
    align: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """An event or an account: `discriminator` (never empty), then `type`."""

    name: str
    discriminator: bytes
    type: Type
    docs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountMeta:
    """An account that an instruction takes. Those of a group are called `group.name`."""

    name: str
    writable: bool = False
    signer: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class InstructionDef:
    """An instruction: `discriminator`, then `args` as borsh."""

    name: str
    discriminator: bytes
    args: Struct
    accounts: tuple[AccountMeta, ...] = ()
    docs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorDef:
    """A custom error code and what the program calls it."""

    code: int
    name: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Idl:
    """A program's interface. `address` is None where the document does not say it (most legacy ones)."""

    name: str
    address: str | None
    types: Mapping[str, TypeDef]
    events: tuple[Layout, ...] = ()
    accounts: tuple[Layout, ...] = ()
    instructions: tuple[InstructionDef, ...] = ()
    errors: tuple[ErrorDef, ...] = ()
    format: Literal["legacy", "0.1.0", "codama"] = "0.1.0"
    docs: tuple[str, ...] = field(default=())

    def error(self, code: int) -> ErrorDef | None:
        """The error of that custom code, or None."""
        return next((error for error in self.errors if error.code == code), None)
