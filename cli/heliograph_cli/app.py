"""The command line: names, options and help. What a command does stands in `commands/`, imported when it runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

from heliograph_cli import analyst_app, decode_app, idl_app, key_app, stream_app
from heliograph_cli.failure import FAILED, INTERRUPTED, report
from heliograph_cli.interrupt import leave_on_signal, run_until_stopped
from heliograph_cli.options import (
    ConfigOption,
    DatabaseOption,
    DataDirOption,
    HostOption,
    LogFileOption,
    MetricsPortOption,
    PortOption,
    RpcOption,
    VerboseOption,
    WsOption,
    settings_of,
    until_done,
    write_logs,
)

app = typer.Typer(
    name="heliograph",
    help="Index Solana perpetual-futures programs into exact tables and serve them over GraphQL.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(stream_app.app, name="stream")
app.add_typer(idl_app.app, name="idl")
app.add_typer(decode_app.app, name="decode")
app.add_typer(analyst_app.app, name="analyst")
app.add_typer(key_app.app, name="key")

StreamsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[STREAM]", help="Streams to index; all without one.")
]


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns the exit status; every failure is one line on stderr."""
    try:
        status = app(list(arguments), prog_name="heliograph", standalone_mode=False)
    except TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`heliograph status | head -1`): nothing is left to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # noqa: BLE001 - the edge of the process: reported whole, never swallowed
        return report(error, verbose="--verbose" in arguments or "-v" in arguments)
    return status if isinstance(status, int) else 0


def _usage(error: TyperException) -> int:
    message = error.format_message().rstrip(".")
    # Empty where a group was called without a command, which has printed its help already.
    if message:
        context = getattr(error, "ctx", None)
        command = "heliograph" if context is None else context.command_path
        print(f"heliograph: {message}; see {command} --help", file=sys.stderr)
    return error.exit_code


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port that the API listens on.")] = 8000,
    seconds: Annotated[float | None, typer.Option(min=0, help="End by itself after so many seconds.")] = None,
    host: Annotated[str, typer.Option(help="Address that the API listens on.")] = "127.0.0.1",
    database: DatabaseOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete what an earlier demo left in the database that is named.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the simulated exchange.")] = 0,
    protocol: Annotated[
        str, typer.Option(metavar="NAME", help="Whose program trades: godark, or a real one with its IDL.")
    ] = "godark",
    idl: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="IDL of the real program; without it that of ../shared/idl."),
    ] = None,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """A simulated cluster with a perps exchange, indexed and served; nothing to configure."""
    leave_on_signal()
    write_logs(verbose, log_file)
    from heliograph_cli.commands import demo as command
    from heliograph_cli.settings import build

    settings = build(
        {},
        file_name="",
        # A demo reads no settings meant for a real cluster, only where the database is.
        environment={
            name: value
            for name, value in os.environ.items()
            if name == "DATABASE_URL" or name.startswith("HELIOGRAPH_DATABASE_")
        },
        options={"database": {"url": database}, "api": {"host": host, "port": port}},
    )
    exchange = command.choose_exchange(protocol, idl, seed)
    return run_until_stopped(command.demo(settings, exchange, seconds=seconds, fresh=fresh))


@app.command()
def up(
    config: ConfigOption = None,
    rpc: RpcOption = None,
    ws: WsOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    host: HostOption = None,
    port: PortOption = None,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """Index a real cluster and serve it, from heliograph.toml: `index` and `serve` in one process."""
    leave_on_signal()
    write_logs(verbose, log_file)
    settings = settings_of(config, rpc=rpc, ws=ws, database=database, data_dir=data_dir, host=host, port=port)
    from heliograph_cli.commands import up as command

    return run_until_stopped(command.up(settings))


@app.command()
def index(
    streams: StreamsArgument = None,
    config: ConfigOption = None,
    rpc: RpcOption = None,
    ws: WsOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    metrics_port: MetricsPortOption = None,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """Index only."""
    leave_on_signal()
    write_logs(verbose, log_file)
    settings = settings_of(
        config, rpc=rpc, ws=ws, database=database, data_dir=data_dir, metrics_port=metrics_port
    )
    from heliograph_cli.commands import up as command

    return run_until_stopped(command.index(settings, streams or []))


@app.command()
def serve(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    host: HostOption = None,
    port: PortOption = None,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """Serve only: GraphQL over what is indexed."""
    leave_on_signal()
    write_logs(verbose, log_file)
    settings = settings_of(config, database=database, data_dir=data_dir, host=host, port=port)
    from heliograph_cli.commands import up as command

    return run_until_stopped(command.serve(settings))


@app.command()
def migrate(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Bring the database to this version."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import migrate as command

    return until_done(command.migrate(settings))


@app.command()
def move(
    target: Annotated[
        str,
        typer.Option("--to", metavar="URL", help="An empty database on the server that is to have the rows."),
    ],
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Copy an embedded or plain PostgreSQL database to another server, such as a TimescaleDB; all or nothing."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import move as command

    return until_done(command.move(settings, target))


@app.command()
def status(
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    config: ConfigOption = None,
    rpc: RpcOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """How far each stream is, who leads it, and what went wrong; with --rpc also how far behind the cluster."""
    write_logs(verbose, None)
    settings = settings_of(config, rpc=rpc, database=database, data_dir=data_dir)
    from heliograph_cli.commands import status as command

    return until_done(command.status(settings, json=json))


@app.command()
def backfill(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The stream whose history is wanted.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]", help="With --archive: files of getTransaction answers."),
    ] = None,
    archive: Annotated[
        bool,
        typer.Option(
            "--archive",
            help="Take transactions from files (.json, .jsonl, each also .zst), and ask no cluster. They complete nothing.",
        ),
    ] = False,
    first: Annotated[int | None, typer.Option("--from", metavar="SLOT", min=0, help="First slot.")] = None,
    last: Annotated[
        int | None,
        typer.Option("--to", metavar="SLOT", min=0, help="Last slot; the newest final one without it."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Instead of --from: so long ago, as in 7d.")
    ] = None,
    config: ConfigOption = None,
    rpc: RpcOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """Fill what is missing of a range of slots; run again, it goes on where it ended. May run beside `up`."""
    leave_on_signal()
    write_logs(verbose, log_file)
    settings = settings_of(config, rpc=rpc, database=database, data_dir=data_dir)
    if archive or files:
        from heliograph_cli.commands import archive as archive_command

        ranged = first is not None or last is not None or since is not None
        return until_done(
            archive_command.archive(settings, stream, files or [], asked=archive, ranged=ranged)
        )
    from heliograph_cli.commands import backfill as command

    return until_done(command.backfill(settings, stream, first=first, last=last, since=since))


@app.command()
def localnet(
    port: Annotated[
        int, typer.Option(min=1, max=65534, help="Port of JSON-RPC; the WebSocket is on the next.")
    ] = 8899,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="Seed of the simulated exchange.")] = 0,
    slot_ms: Annotated[int, typer.Option(min=1, help="Milliseconds a slot.")] = 250,
    rate: Annotated[float, typer.Option(min=0, help="Transactions a second.")] = 40,
    traders: Annotated[int, typer.Option(min=2, help="Wallets that trade.")] = 400,
    funding_seconds: Annotated[
        int, typer.Option(min=1, help="Seconds between two settlements of funding.")
    ] = 3600,
    retention_slots: Annotated[
        int | None,
        typer.Option(min=1, help="Final slots of history that are kept; without it all, in memory."),
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="End by itself after so many seconds.")] = None,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """Only the simulated cluster: JSON-RPC and WebSocket as a Solana node serves them."""
    leave_on_signal()
    write_logs(verbose, log_file)
    from heliograph_cli.commands import localnet as command
    from heliograph_localnet.settings import LocalnetSettings

    settings = LocalnetSettings(
        host=host,
        port=port,
        seed=seed,
        slot_ms=slot_ms,
        rate=rate,
        traders=traders,
        funding_interval_seconds=funding_seconds,
        genesis_time=int(time.time()),
        retention_slots=retention_slots,
        keep_truth=False,
    )
    return run_until_stopped(command.localnet(settings, seconds=seconds))


@app.command()
def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="trades, perps.trades, STREAM.event_name, …")],
    first: Annotated[
        str | None, typer.Option("--from", metavar="SLOT|TIME", help="First slot, or the time to begin at.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="SLOT|TIME", help="Last slot, or the time to end before.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option("--stream", metavar="NAME", help="Rows of this stream alone.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="csv|parquet", help="Without one, what the file's name ends with; csv."
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where to; stdout without one.")
    ] = "-",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file where there is one.")
    ] = False,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """The rows of a table as CSV or Parquet, and through which slot they are complete."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import export as command

    return until_done(
        command.export(
            settings,
            table,
            first=first,
            last=last,
            stream=stream,
            wanted=format_,
            output=output,
            overwrite=overwrite,
        )
    )
