"""Fetches a program's IDL from its cluster."""

from __future__ import annotations

import msgspec

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.chain import legacy_address, metadata_address, read_legacy, read_metadata
from heliograph_indexer.rpc.cluster import Cluster


class FetchedIdl(msgspec.Struct, frozen=True):
    """A document as the chain holds it. address: of its account. slot: at which it was read."""

    program: str
    address: str
    slot: int
    document: bytes


async def fetch_idl(cluster: Cluster, program: str) -> FetchedIdl:
    """Of Program Metadata, else of the account that Anchor before 1.0 kept.

    Raises IdlError where neither is there or what is there cannot be read; ValueError for what is no address.
    """
    places = (metadata_address(program), legacy_address(program))
    metadata, legacy = await cluster.accounts(places)
    if not metadata.closed:
        document = read_metadata(program, metadata.owner, metadata.data)
        return FetchedIdl(program, metadata.address, metadata.slot, document)
    if not legacy.closed:
        document = read_legacy(program, legacy.owner, legacy.data)
        return FetchedIdl(program, legacy.address, legacy.slot, document)
    raise IdlError(
        f"{program} has no IDL on chain, neither at {places[0]} (Program Metadata) nor at {places[1]} (Anchor)"
    )
