"""`heliograph decode tx | account`: reads files, prints the events of their transactions or their accounts, one JSON object a line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from solders.pubkey import Pubkey

from heliograph_cli.failure import FAILED
from heliograph_core.errors import IdlError, SettingsError, TransactionError
from heliograph_indexer.decode_accounts import decode_accounts
from heliograph_indexer.decode_tx import Printed
from heliograph_indexer.decode_tx import decode_tx as decoded
from heliograph_indexer.idl.decoder import Decoder
from heliograph_indexer.idl.reader import read_idl


def decode_tx(files: Sequence[str], *, idl: Path, program: str | None) -> int:
    """Returns 1 where something could not be decoded, else 0.

    Raises SettingsError and TransactionError, naming the file at fault.
    """
    decoder = _decoder(idl)
    if program is not None:
        try:
            Pubkey.from_string(program)
        except ValueError:
            raise SettingsError(f"--program {program!r} is no address: give 32 bytes in base58") from None

    return _print(files, lambda document: decoded(document, decoder, program))


def decode_account(files: Sequence[str], *, idl: Path) -> int:
    """As decode_tx."""
    decoder = _decoder(idl)
    return _print(files, lambda document: decode_accounts(document, decoder))


def _print(files: Sequence[str], decode: Callable[[bytes], Printed]) -> int:
    status = 0
    for file in files:
        try:
            printed = decode(_content(file))
        except TransactionError as error:
            raise TransactionError(f"{file}: {error}") from error
        for line in printed.events:
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
        for line in printed.problems:
            sys.stderr.buffer.write(line + b"\n")
            status = FAILED
        sys.stderr.buffer.flush()
    return status


def _decoder(path: Path) -> Decoder:
    document = _content(str(path), option="--idl")
    try:
        return Decoder(read_idl(document))
    except IdlError as error:
        # Not an IdlError anew: that would put its path in front a second time.
        raise SettingsError(f"IDL {path} is at fault at {error}") from error


def _content(file: str, option: str = "") -> bytes:
    if file == "-" and not option:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        named = f"{option} {file}" if option else file
        raise SettingsError(f"{named} cannot be read ({error.strerror}): name another file") from None
