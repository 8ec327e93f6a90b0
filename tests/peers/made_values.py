"""Values for any type of an IDL, by chance, as the decoder shows them; extremes come often."""

from __future__ import annotations

import math
import struct
from random import Random
from typing import Any

from solders.pubkey import Pubkey as Address

from heliograph_indexer.idl.layout import Sizes
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

MOST_ITEMS = 3
DEEPEST = 8
"""Below it lists are empty and options absent, so that a type that holds itself comes to an end."""
_LETTERS = "aZ09 _-/\\\"'\n;%éß→🜁"


class MadeValues:
    """The same seed makes the same values."""

    def __init__(self, idl: Idl, chance: Random) -> None:
        self._idl = idl
        self._chance = chance
        self._sizes = Sizes(idl)

    def struct(self, type_: Type) -> dict[str, Any]:
        """A value of a type that is a struct."""
        value = self.of(type_)
        assert isinstance(value, dict)
        return value

    def of(self, type_: Type, depth: int = 0) -> Any:
        chance = self._chance
        match type_:
            case Number():
                return self._number(type_)
            case Bool():
                return chance.random() < 0.5
            case Pubkey():
                return str(Address.from_bytes(chance.randbytes(32)))
            case Bytes(length=length):
                return chance.randbytes(length if isinstance(length, int) else chance.randrange(5))
            case String(length=length):
                text = "".join(chance.choices(_LETTERS, k=chance.randrange(8)))
                if isinstance(length, int):
                    text = text.encode()[:length].decode(errors="ignore")
                return text
            case Option(item=item):
                return None if depth > DEEPEST or chance.random() < 0.3 else self.of(item, depth + 1)
            case Vec(item=item):
                # No program counts what takes no bytes.
                empty = depth > DEEPEST or not self._sizes.least(item)
                count = 0 if empty else chance.randrange(MOST_ITEMS + 1)
                return [self.of(item, depth + 1) for _ in range(count)]
            case Array(item=item, length=length):
                return [self.of(item, depth + 1) for _ in range(length)]
            case Struct(fields=fields):
                return {field.name: self.of(field.type, depth + 1) for field in fields}
            case Enum(variants=variants):
                chosen = chance.choice(variants)
                if chosen.fields is None:
                    return chosen.name
                return {chosen.name: self.of(chosen.fields, depth + 1)}
            case Defined(name=name):
                return self.of(self._idl.types[name].type, depth)

    def _number(self, number: Number) -> int | float:
        chance = self._chance
        if number.is_float:
            value = chance.choice((0.0, -1.5, math.pi, 1e30, -1e-30))
            layout = "<f" if number.size == 4 else "<d"
            found: float = struct.unpack(layout, struct.pack(layout, value))[0]
            return found
        bits = 8 * number.size
        least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if number.is_signed else (0, 2**bits - 1)
        return chance.choice((least, most, 0, 1, chance.randint(least, most)))
