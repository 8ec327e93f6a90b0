"""Decodes a program's events, accounts and instructions by its IDL.

In: bytes that begin with a discriminator. Out: the name of the layout and its fields (core's Event says how
values look). Raises DecodeError, and nothing else, for bytes that fit no layout; events and instructions must
consume every byte, accounts may leave zeros.

Each layout's decoder is generated when it is first needed (generator.py) and kept. Where it refuses, the
interpreter reads the same bytes again and says what is wrong with them and where.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from solders.pubkey import Pubkey as Address

from heliograph_core.errors import DecodeError
from heliograph_indexer.idl.discriminators import Matcher
from heliograph_indexer.idl.generator import REFUSALS, generate
from heliograph_indexer.idl.interpreter import Interpreter
from heliograph_indexer.idl.layout import Sizes, in_memory
from heliograph_indexer.idl.model import AccountMeta, Idl, InstructionDef, Layout, Type

MOST_ADDRESSES = 1 << 16
"""Addresses whose base58 text is kept; about 15 MB."""

Decoded = tuple[str, dict[str, Any]]


class Decoder:
    """Decodes for one IDL.

    `event`, `account` and `instruction` take bytes and return (name of the layout, fields).
    """

    def __init__(self, idl: Idl) -> None:
        self.idl = idl
        self._sizes = Sizes(idl)
        self._addresses = _Addresses()
        self._events = self._matcher("event", idl.events)
        self._accounts = self._matcher("account", idl.accounts)
        self._instructions = self._matcher("instruction", idl.instructions)
        self._instruction_accounts = {each.name: each.accounts for each in idl.instructions}

    def event(self, data: bytes) -> Decoded:
        events = self._events
        # Most programs have discriminators of one length: the first look-up is inlined, for speed.
        found = events.by_prefix.get(data[: events.longest]) or events.find(data)
        if found is None:
            raise self._unknown("event", data)
        try:
            value, end = found.read(data)
        except REFUSALS as error:
            return found.explain(data, error)
        if end != len(data):
            return found.explain(data, None)
        return found.name, value

    def account(self, data: bytes) -> Decoded:
        found = self._accounts.find(data)
        if found is None:
            raise self._unknown("account", data)
        try:
            value, end = found.read(data)
        except REFUSALS as error:
            return found.explain(data, error)
        if end != len(data) and data[end:].strip(b"\0"):
            return found.explain(data, None)
        return found.name, value

    def instruction(self, data: bytes) -> Decoded:
        found = self._instructions.find(data)
        if found is None:
            raise self._unknown("instruction", data)
        try:
            value, end = found.read(data)
        except REFUSALS as error:
            return found.explain(data, error)
        if end != len(data):
            return found.explain(data, None)
        return found.name, value

    def instruction_accounts(self, name: str) -> tuple[AccountMeta, ...]:
        """The accounts that an instruction takes, in order."""
        return self._instruction_accounts[name]

    def knows_event(self, data: bytes) -> bool:
        """Whether the bytes begin with the discriminator of an event, whatever follows."""
        return self._events.find(data) is not None

    def sources(self) -> dict[str, str]:
        """The generated source of every layout, by `<kind> <name>`: for reading, and for tests."""
        found = {}
        for matcher in (self._events, self._accounts, self._instructions):
            for reader in matcher.entries:
                reader.compile()
                found[f"{reader.kind} {reader.name}"] = reader.source
        return found

    def _matcher(self, kind: str, entries: Sequence[Layout | InstructionDef]) -> Matcher[_Reader]:
        return Matcher([(each.discriminator, _Reader(self, kind, each)) for each in entries])

    def _unknown(self, kind: str, data: bytes) -> DecodeError:
        return DecodeError(f"no {kind} of {self.idl.name} begins with {data[:8].hex() or 'no bytes'}")


class _Reader:
    """Reads one layout. `read` takes the bytes and returns the value and where it ends."""

    __slots__ = ("_decoder", "_memory", "_start", "_type", "kind", "name", "read", "source")

    def __init__(self, decoder: Decoder, kind: str, entry: Layout | InstructionDef) -> None:
        self.kind = kind
        self.name = entry.name
        self.source = ""
        self.read: Callable[[bytes], tuple[dict[str, Any], int]] = self._first
        self._decoder = decoder
        self._start = len(entry.discriminator)
        self._type: Type = entry.args if isinstance(entry, InstructionDef) else entry.type
        self._memory = in_memory(decoder.idl, self._type)

    def compile(self) -> None:
        if self.source:
            return
        decoder = self._decoder
        generated = generate(
            decoder.idl, decoder._sizes, self._type, self._start, self._memory, decoder._addresses
        )
        self.source = generated.source
        digest = sha256(self.source.encode()).hexdigest()[:12]
        # A name may hold anything that JSON does, a file's no NUL.
        file = f"<heliograph {decoder.idl.name} {self.kind} {self.name} {digest}>".replace("\0", "\u2400")
        # Tracebacks and profilers find the source here; the digest keeps versions apart.
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(keepends=True), file)
        # The source holds nothing of the IDL but names, and these only as quoted text (repr).
        exec(compile(self.source, file, "exec"), generated.namespace)  # noqa: S102
        self.read = generated.namespace["decode"]

    def _first(self, data: bytes) -> tuple[dict[str, Any], int]:
        self.compile()
        return self.read(data)

    def explain(self, data: bytes, error: Exception | None) -> Decoded:
        """Raises the DecodeError that says what the generated code found wrong."""
        idl = self._decoder.idl
        interpreter = Interpreter(idl)
        _, end = interpreter.read(self._type, data, self._start, memory=self._memory, name=self.name)
        left = len(data) - end
        if error is None:
            raise DecodeError(f"{self.name} ends at byte {end}, but {left} more bytes follow")
        raise DecodeError(
            f"the generated decoder of {self.name} refuses what the interpreter reads"
        ) from error


class _Addresses(dict[bytes, str]):
    """The base58 text of addresses, of which a program's events show few again and again."""

    def __missing__(self, key: bytes) -> str:
        if len(self) >= MOST_ADDRESSES:
            self.clear()
        text = self[key] = str(Address.from_bytes(key))
        return text
