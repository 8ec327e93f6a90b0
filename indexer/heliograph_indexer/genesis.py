"""Binds a stream to its cluster: at the first use the genesis hash is remembered, another cluster is refused later."""

from __future__ import annotations

import structlog

from heliograph_core.errors import RpcRefused
from heliograph_indexer.rpc.cluster import Cluster
from heliograph_sql.database import Database
from heliograph_sql.streams import bind_genesis, get_stream

_log = structlog.get_logger(__name__)


async def bind_cluster(database: Database, stream: str, cluster: Cluster) -> None:
    """Before anything is read for the stream. Endpoints of another cluster are not used from here on.

    Raises RpcRefused, naming both genesis hashes, where every endpoint is of another cluster; RpcUnavailable where none
    answers; DatabaseError.
    """
    row = await get_stream(database, stream)
    known = row.genesis if row is not None else None
    if known is None:
        try:
            genesis = await cluster.genesis()
        except RpcRefused as error:
            # Without the method nothing can be compared; refusing such an endpoint would help nobody.
            _log.warning("cluster_not_checked", stream=stream, rpc=cluster.endpoint, why=str(error))
            return
        known = await bind_genesis(database, stream, genesis)
        _log.info("cluster_bound", stream=stream, rpc=cluster.endpoint, genesis=known)
    await cluster.bind(known, f"stream {stream!r}")
