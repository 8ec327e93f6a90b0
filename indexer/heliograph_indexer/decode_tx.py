"""What `heliograph decode tx` prints: a file's bytes and an IDL in, lines of JSON out. Pure.

In: a JSON-RPC getTransaction answer (or a batch of them, or its result), or `{"logs": […]}`. Out: one line an
event, and one a problem: what stands on a declared channel but cannot be decoded, and lines that are missing.
Raises TransactionError for a file that holds no transaction, or one without the IDL's program.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson

from heliograph_core.errors import DecodeError, TransactionError
from heliograph_core.event import Channel, RawEvent
from heliograph_core.transaction import Transaction
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.protocols import PROTOCOLS
from heliograph_indexer.transaction_json import find_results, parse_transaction
from heliograph_indexer.walk import complete_frames, invoke_lines, walk

SAFE_INTEGER = (1 << 53) - 1
"""The largest integer that every JSON reader keeps exact; larger ones are printed as text."""

DEFAULT_CHANNELS = frozenset({Channel.DATA, Channel.CPI})
"""Of a program that no protocol declares: those that Anchor writes."""

LOG_SPEAKERS: Mapping[str, frozenset[Channel]] = {"drift": frozenset({Channel.DATA, Channel.LOG})}
"""By the IDL's name: programs that also write events as `Program log:`, wherever they are deployed."""


class Printed(msgspec.Struct, frozen=True):
    """Lines of JSON without newlines. events go to stdout; problems to stderr, and any makes the exit status 1."""

    events: tuple[bytes, ...]
    problems: tuple[bytes, ...]


def decode_tx(document: bytes, decoder: Decoder, program: str | None = None) -> Printed:
    """The events that `program` emitted, by default the one that the IDL names, or else the file itself."""
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError as error:
        raise TransactionError(f"not JSON: {error}; give the answer of getTransaction") from error
    events: list[bytes] = []
    problems: list[bytes] = []
    for transaction, named in _transactions(parsed, program or decoder.idl.address):
        address = program or decoder.idl.address or named
        if address is None:
            raise TransactionError(f"the IDL {decoder.idl.name} names no address; say it with --program")
        if address not in _programs(transaction):
            raise TransactionError(
                f"{_called(transaction)} does not run {address}, the program of the IDL {decoder.idl.name}; "
                f"it runs {', '.join(sorted(_programs(transaction))) or 'none'}"
            )
        _print(transaction, address, decoder, events, problems)
    return Printed(tuple(events), tuple(problems))


def declared_channels(program: str, idl_name: str) -> frozenset[Channel]:
    """On which channels a program's events count: what its protocol declares, else Anchor's own."""
    for protocol in PROTOCOLS.values():
        declared = protocol.channels().get(program)
        if declared is not None:
            return declared
    return LOG_SPEAKERS.get(idl_name, DEFAULT_CHANNELS)


def _transactions(document: Any, program: str | None) -> Iterator[tuple[Transaction, str | None]]:
    """Each transaction in the file, with the program that the file names beside its lines."""
    if isinstance(document, Mapping) and "logs" in document and "transaction" not in document:
        yield _lines(document, program)
        return
    for result in find_results(document):
        yield parse_transaction(result), None


def _lines(document: Mapping[str, Any], program: str | None) -> tuple[Transaction, str | None]:
    logs, named = document["logs"], document.get("program")
    if not isinstance(logs, list) or not all(isinstance(line, str) for line in logs):
        raise TransactionError('"logs" is no list of lines of text')
    if not isinstance(named, str):
        named = None
    signature = document.get("signature")
    return Transaction(
        signature=signature if isinstance(signature, str) else "",
        tx_index=0,
        err=document.get("err"),
        # A cutting from a log may lack the lines that open and close its frames.
        logs=complete_frames(logs, program or named),
        instructions=None,
    ), named


def _programs(transaction: Transaction) -> set[str]:
    programs = {program for program, _ in invoke_lines(transaction.logs or ())}
    for instruction in transaction.instructions or ():
        programs.add(instruction.program)
        programs.update(inner.program for inner in instruction.inner)
    return programs


def _called(transaction: Transaction) -> str:
    return f"transaction {transaction.signature}" if transaction.signature else "the transaction"


def _print(
    transaction: Transaction, program: str, decoder: Decoder, events: list[bytes], problems: list[bytes]
) -> None:
    walked = walk(transaction, {program: declared_channels(program, decoder.idl.name)})
    for raw in walked.events:
        try:
            name, fields = decoder.event(raw.data)
        except DecodeError as error:
            # Text that happens to be base64 is no event; one that begins as an event does is.
            if raw.channel is not Channel.LOG or decoder.knows_event(raw.data):
                problems.append(orjson.dumps(_problem(raw, transaction, str(error))))
            continue
        line = {
            "program": raw.program,
            "name": name,
            "channel": raw.channel.value,
            "ordinal": raw.ordinal,
            "fields": as_json(fields),
        }
        events.append(orjson.dumps(line))
    if walked.truncated and not transaction.failed:
        reason = "log lines are missing: events after the hole cannot be known"
        problems.append(
            orjson.dumps({"signature": transaction.signature, "program": program, "reason": reason})
        )
    if _hides_cpi_events(transaction, program):
        reason = (
            "the program invokes itself and the file holds no inner instructions: events by self-CPI, if it has any, "
            "are missing; give the answer of getTransaction"
        )
        problems.append(
            orjson.dumps({"signature": transaction.signature, "program": program, "reason": reason})
        )


def _hides_cpi_events(transaction: Transaction, program: str) -> bool:
    """Whether no inner instructions are known, and the lines show that the program invoked itself, as emit_cpi! does."""
    if transaction.failed or any(each.inner for each in transaction.instructions or ()):
        return False
    stack: list[str] = []
    for invoked, depth in invoke_lines(transaction.logs or ()):
        del stack[depth - 1 :]
        if invoked == program and stack[-1:] == [program]:
            return True
        stack.append(invoked)
    return False


def _problem(raw: RawEvent, transaction: Transaction, reason: str) -> dict[str, Any]:
    return {
        "signature": transaction.signature,
        "program": raw.program,
        "channel": raw.channel.value,
        "ordinal": raw.ordinal,
        "data": base64.b64encode(raw.data).decode(),
        "reason": reason,
    }


def as_json(value: Any) -> Any:
    """A decoded value as JSON shows it: integers over 53 bits as text, bytes as base64, no number that is none."""
    match value:
        case bool() | str() | None:
            return value
        case int():
            return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {key: as_json(inner) for key, inner in value.items()}
        case list():
            return [as_json(inner) for inner in value]
    raise AssertionError(f"the decoder makes no {type(value).__name__}")
