"""A program's IDL is fetched from the place where its cluster has it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator

import pytest
from solders.pubkey import Pubkey

from heliograph_core.errors import IdlError
from heliograph_indexer.idl.chain import METADATA_PROGRAM, legacy_address, metadata_address
from heliograph_indexer.idl.reader import read_idl
from heliograph_indexer.rpc.client import RpcClient
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_indexer.rpc.idl import fetch_idl
from heliograph_localnet.addresses import POSITIONS_IDL
from heliograph_localnet.draft import AccountData, Draft
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.settings import LocalnetSettings

STRANGER = "11111111111111111111111111111112"


@pytest.fixture
async def localnet() -> AsyncIterator[Localnet]:
    localnet = Localnet(LocalnetSettings(seed=1, port=0))
    await localnet.start()
    await localnet.step(2)
    yield localnet
    await localnet.stop()


@pytest.fixture
async def cluster(localnet: Localnet) -> AsyncIterator[Cluster]:
    async with RpcClient(localnet.rpc_url) as client:
        yield Cluster(client)


async def test_localnet_keeps_it_where_older_anchor_does(cluster: Cluster) -> None:
    program = read_idl(POSITIONS_IDL).address
    assert program is not None
    found = await fetch_idl(cluster, program)
    assert (found.address, found.document) == (legacy_address(program), POSITIONS_IDL)


async def test_program_metadata_comes_first(localnet: Localnet, cluster: Cluster) -> None:
    program = read_idl(POSITIONS_IDL).address
    assert program is not None
    packed = zlib.compress(b'{"newer": true}')
    head = struct.pack("<B32s32s??16sBBBBI5x", 2, bytes(Pubkey.from_string(program)), bytes(32), True, True,
                       b"idl", 1, 2, 1, 0, len(packed))  # fmt: skip
    account = AccountData(METADATA_PROGRAM, 1, head + packed)
    localnet.chain.submit(Draft(STRANGER, (), writes={metadata_address(program): account}))
    await localnet.step(2)
    assert (await fetch_idl(cluster, program)).document == b'{"newer": true}'


async def test_a_program_without_one_is_told_with_both_places(cluster: Cluster) -> None:
    with pytest.raises(IdlError, match=f"{metadata_address(STRANGER)}.*{legacy_address(STRANGER)}"):
        await fetch_idl(cluster, STRANGER)
