"""The API's socket and server: the port is taken before anything else starts, so that no work is done in vain."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from heliograph_cli.parts import Parts
from heliograph_core.errors import SettingsError
from heliograph_graphql.gateway.connections import Connections

BACKLOG = 2048


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A socket that accepts connections at host:port (0: any free port). Raises SettingsError where it cannot."""
    if not 0 <= port <= 65535:
        raise SettingsError(f"port {port} does not exist: name one between 1 and 65535 with {option}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise SettingsError(f"host {host!r} cannot be resolved ({error.strerror}): name another") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {port} on {host} is in use: stop what listens there or choose another with {option}"
            ) from None
        raise SettingsError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another with {option} or another host"
        ) from None
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: stopping is the process's business, not the server's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def serving(
    parts: Parts,
    app: Starlette,
    listener: socket.socket,
    connections: Connections,
    *,
    name: str = "API",
) -> AsyncIterator[None]:
    """`app` answers on `listener` inside the block. Errors of its lifespan pass through as they are.

    At its end WebSocket clients are told to connect elsewhere, and requests under way get some time to finish.
    """
    gateway = connections.settings
    # The lifespan is entered here and not by uvicorn, which would swallow its error and exit the process.
    async with app.router.lifespan_context(app):
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            http=connections.protocol,
            proxy_headers=bool(gateway.trusted_proxies),
            forwarded_allow_ips=list(gateway.trusted_proxies),
            timeout_graceful_shutdown=gateway.drain_s,  # type: ignore[arg-type]
        )
        server = _Server(config)

        def stop() -> None:
            drain = getattr(app.state, "drain", None)
            if drain is not None:
                drain()
            server.should_exit = True

        async with parts.running(name, server.serve(sockets=[listener]), stop=stop):
            yield


def url(listener: socket.socket, path: str = "") -> str:
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}{path}"
