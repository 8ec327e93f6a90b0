"""Serves the real API beside a test, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from tests.endtoend.indexing import PATIENCE_S

from heliograph_graphql.app import create_app
from heliograph_sql.database import Database

_POLL_S = 0.01


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[str]:
    """host:port of the API for the time of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(database), log_config=None, lifespan="on", ws="websockets-sansio", ws_ping_interval=None
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if server.started:
                    break
                if running.done():
                    await running
                await asyncio.sleep(_POLL_S)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()
