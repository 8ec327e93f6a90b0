"""Which IDL is whose: files matched with programs by address, and the chain for those that have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from solders.pubkey import Pubkey

from heliograph_core.errors import IdlError, SettingsError
from heliograph_indexer.idl.model import Idl
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.idl import fetch_idl
from heliograph_indexer.rpc.pool import Pool
from heliograph_indexer.settings import IndexerSettings


@dataclass(frozen=True)
class IdlFile:
    """One file. address: said with it, else the IDL's own; None where neither tells."""

    name: str
    address: str | None
    document: bytes


@dataclass(frozen=True)
class IdlFiles:
    """All that were given."""

    files: tuple[IdlFile, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of the programs that the files name."""
        return tuple(file.address for file in self.files if file.address is not None)

    def documents(self, programs: Sequence[str]) -> dict[str, bytes]:
        """By program. An IDL without an address is that of the only program. Raises SettingsError."""
        found: dict[str, bytes] = {}
        for file in self.files:
            address = file.address
            if address is None and len(programs) == 1:
                address = programs[0]
            if address is None:
                raise SettingsError(
                    f"IDL {file.name} names no address, and there are {len(programs)} programs: give --idl ADDRESS={file.name}"
                )
            if address not in programs:
                raise SettingsError(
                    f"IDL {file.name} is of {address}, none of the programs {', '.join(programs)}: "
                    f"where it is deployed elsewhere give --idl ADDRESS={file.name}"
                )
            if address in found:
                raise SettingsError(f"two IDLs are of {address}, the second is {file.name}: give one of them")
            found[address] = file.document
        return found


def read_files(given: Sequence[str]) -> IdlFiles:
    """Each is FILE, or ADDRESS=FILE. Raises SettingsError, naming the file."""
    files = []
    for each in given:
        address, separator, name = each.partition("=")
        if separator and not Path(each).exists():
            check_address(address)
        else:
            address, name = "", each
        idl, document = read_document(Path(name))
        files.append(IdlFile(name, address or idl.address, document))
    return IdlFiles(tuple(files))


def read_document(file: Path) -> tuple[Idl, bytes]:
    """Raises SettingsError, naming the file."""
    try:
        document = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read ({error.strerror}): name another file") from None
    try:
        return read_idl(document), document
    except IdlError as error:
        raise SettingsError(f"IDL {file} is at fault at {error}") from error


async def fetch_documents(settings: IndexerSettings, programs: Sequence[str]) -> dict[str, bytes]:
    """From the chain. Raises IdlError where a program has none there, RpcError."""
    async with Pool.open(settings.endpoint_urls, settings.rpc) as pool:
        cluster = Cluster(pool, settings.commitment)
        return {program: (await fetch_idl(cluster, program)).document for program in programs}


def check_address(address: str) -> None:
    """Raises SettingsError for what is no address."""
    try:
        Pubkey.from_string(address)
    except ValueError:
        raise SettingsError(f"{address!r} is no address: give a program's, 32 bytes in base58") from None
