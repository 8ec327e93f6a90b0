"""The options that several commands share, and what they are turned into."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from heliograph_cli.failure import INTERRUPTED
from heliograph_cli.interrupt import run_until_stopped

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file; ./heliograph.toml where there is one."),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", help="PostgreSQL to use; without one an embedded server is started."
    ),
]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Where the embedded server keeps its data.")
]
RpcOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rpc",
        metavar="URL",
        help="The cluster's JSON-RPC address; several, in order of preference, for failover.",
    ),
]
WsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ws",
        metavar="URL",
        help="Its WebSocket address, where it is not the usual one; several for failover.",
    ),
]
HostOption = Annotated[str | None, typer.Option("--host", help="Address that the API listens on.")]
MetricsPortOption = Annotated[
    int | None,
    typer.Option("--metrics-port", help="Port that /metrics is served on; without one it is not served."),
]
PortOption = Annotated[int | None, typer.Option("--port", help="Port that the API listens on.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Write log lines to stderr.")]
LogFileOption = Annotated[
    Path | None, typer.Option("--log-file", metavar="FILE", help="Append log lines to this file.")
]


def write_logs(verbose: bool, log_file: Path | None) -> None:
    """HELIOGRAPH_LOG_FORMAT says whether a line is text or JSON."""
    from heliograph_cli.logs import configure_logs

    configure_logs(verbose=verbose, file=log_file, form=os.environ.get("HELIOGRAPH_LOG_FORMAT") or "text")


def settings_of(
    config: Path | None,
    *,
    database: str | None = None,
    data_dir: Path | None = None,
    rpc: Sequence[str] | None = None,
    ws: Sequence[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
) -> Any:
    from heliograph_cli.settings import load

    return load(
        file=config,
        environment=os.environ,
        options={
            "rpc": {**_first_and_more("url", rpc), **_first_and_more("ws_url", ws)},
            "database": {"url": database, "data_dir": data_dir},
            "api": {"host": host, "port": port},
            "metrics": {"port": metrics_port},
        },
    )


def _first_and_more(key: str, given: Sequence[str] | None) -> dict[str, object]:
    if not given:
        return {}
    first, *more = given
    return {key: first, f"{key}s": tuple(more)}


def until_done(work: Coroutine[Any, Any, int]) -> int:
    """For commands that end by themselves: ended by a signal, their work is not done."""
    return run_until_stopped(work, stopped=INTERRUPTED)
