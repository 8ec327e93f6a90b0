"""The command line: names, options and help. What a command does stands in `commands/`, imported when it runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from heliograph_cli.failure import FAILED, INTERRUPTED, report
from heliograph_cli.interrupt import leave_on_signal, run_until_stopped

app = typer.Typer(
    name="heliograph",
    help="Index Solana perpetual-futures programs into exact tables and serve them over GraphQL.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
stream_app = typer.Typer(help="Say what is indexed.", no_args_is_help=True)
decode_app = typer.Typer(help="Decode files; no database and no cluster needed.", no_args_is_help=True)
idl_app = typer.Typer(help="The layouts that programs' events are decoded with.", no_args_is_help=True)
app.add_typer(stream_app, name="stream")
app.add_typer(idl_app, name="idl")
app.add_typer(decode_app, name="decode")

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
PortOption = Annotated[int | None, typer.Option("--port", help="Port that the API listens on.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Write log lines to stderr.")]
LogFileOption = Annotated[
    Path | None, typer.Option("--log-file", metavar="FILE", help="Append log lines to this file.")
]
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
        print(f"heliograph: {message}; see heliograph --help", file=sys.stderr)
    return error.exit_code


def _logs(verbose: bool, log_file: Path | None) -> None:
    from heliograph_cli.logs import configure_logs

    configure_logs(verbose=verbose, file=log_file)


def _settings(
    config: Path | None,
    *,
    database: str | None = None,
    data_dir: Path | None = None,
    rpc: Sequence[str] | None = None,
    ws: Sequence[str] | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Any:
    from heliograph_cli.settings import load

    return load(
        file=config,
        environment=os.environ,
        options={
            "rpc": {**_first_and_more("url", rpc), **_first_and_more("ws_url", ws)},
            "database": {"url": database, "data_dir": data_dir},
            "api": {"host": host, "port": port},
        },
    )


def _first_and_more(key: str, given: Sequence[str] | None) -> dict[str, object]:
    if not given:
        return {}
    first, *more = given
    return {key: first, f"{key}s": tuple(more)}


def _until_done(work: Coroutine[Any, Any, int]) -> int:
    """For commands that end by themselves: ended by a signal, their work is not done."""
    return run_until_stopped(work, stopped=INTERRUPTED)


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
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """A simulated cluster with a perps exchange, indexed and served; nothing to configure."""
    leave_on_signal()
    _logs(verbose, log_file)
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
    return run_until_stopped(command.demo(settings, seconds=seconds, fresh=fresh, seed=seed))


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
    _logs(verbose, log_file)
    settings = _settings(config, rpc=rpc, ws=ws, database=database, data_dir=data_dir, host=host, port=port)
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
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """Index only."""
    leave_on_signal()
    _logs(verbose, log_file)
    settings = _settings(config, rpc=rpc, ws=ws, database=database, data_dir=data_dir)
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
    _logs(verbose, log_file)
    settings = _settings(config, database=database, data_dir=data_dir, host=host, port=port)
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
    _logs(verbose, None)
    settings = _settings(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import migrate as command

    return _until_done(command.migrate(settings))


@app.command()
def status(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """How far each stream is."""
    _logs(verbose, None)
    settings = _settings(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import status as command

    return _until_done(command.status(settings))


@app.command()
def backfill(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The stream whose history is wanted.")],
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
    _logs(verbose, log_file)
    settings = _settings(config, rpc=rpc, database=database, data_dir=data_dir)
    from heliograph_cli.commands import backfill as command

    return _until_done(command.backfill(settings, stream, first=first, last=last, since=since))


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
    seconds: Annotated[float | None, typer.Option(min=0, help="End by itself after so many seconds.")] = None,
    verbose: VerboseOption = False,
    log_file: LogFileOption = None,
) -> int:
    """Only the simulated cluster: JSON-RPC and WebSocket as a Solana node serves them."""
    leave_on_signal()
    _logs(verbose, log_file)
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
    )
    return run_until_stopped(command.localnet(settings, seconds=seconds))


@stream_app.command("add")
def stream_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The stream's name; it stays.")],
    addresses: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ADDRESS]", help="Programs; without one those of the protocol."),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", metavar="NAME", help="What gives the events their meaning.")
    ] = None,
    first_slot: Annotated[
        int | None,
        typer.Option(min=0, help="First slot to be complete from; without one, the first one indexed."),
    ] = None,
    config: ConfigOption = None,
    rpc: RpcOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Add a stream: a named set of programs that are indexed as one."""
    _logs(verbose, None)
    settings = _settings(config, rpc=rpc, database=database, data_dir=data_dir)
    from heliograph_cli.commands import stream as command

    return _until_done(
        command.add(settings, name, addresses or [], protocol=protocol or name, first_slot=first_slot)
    )


@stream_app.command("list")
def stream_list(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """List the streams."""
    _logs(verbose, None)
    settings = _settings(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import stream as command

    return _until_done(command.list_all(settings))


@stream_app.command("remove")
def stream_remove(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Remove a stream and every row of it."""
    _logs(verbose, None)
    settings = _settings(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import stream as command

    if not yes and not typer.confirm(f"Delete stream {name} and every row of it?"):
        print("nothing is removed")
        return FAILED
    return _until_done(command.remove(settings, name))


@decode_app.command("tx")
def decode_tx(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="JSON of getTransaction; - is stdin.")],
    idl: Annotated[Path, typer.Option("--idl", metavar="FILE", help="The program's IDL.")],
    program: Annotated[
        str | None,
        typer.Option("--program", metavar="ADDRESS", help="Where the program is; else the IDL tells."),
    ] = None,
    verbose: VerboseOption = False,
) -> int:
    """One JSON object per event on stdout; what cannot be decoded goes to stderr, with status 1."""
    _logs(verbose, None)
    from heliograph_cli.commands import decode as command

    return command.decode_tx(files, idl=idl, program=program)


@decode_app.command("account")
def decode_account(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="JSON of getAccountInfo; - is stdin.")],
    idl: Annotated[Path, typer.Option("--idl", metavar="FILE", help="The program's IDL.")],
    verbose: VerboseOption = False,
) -> int:
    """One JSON object per account on stdout; what cannot be decoded goes to stderr, with status 1."""
    _logs(verbose, None)
    from heliograph_cli.commands import decode as command

    return command.decode_account(files, idl=idl)


@idl_app.command("fetch")
def idl_fetch(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The program's address.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.")
    ] = None,
    config: ConfigOption = None,
    rpc: RpcOption = None,
    verbose: VerboseOption = False,
) -> int:
    """A program's IDL as its cluster has it: of Program Metadata, else of Anchor's older account."""
    _logs(verbose, None)
    settings = _settings(config, rpc=rpc)
    from heliograph_cli.commands import idl as command

    return _until_done(command.fetch(settings, address, output=output))


@idl_app.command("diff")
def idl_diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="File of an IDL.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="File of a later IDL of the same program.")],
    verbose: VerboseOption = False,
) -> int:
    """What a new IDL does to the tables: which appear, change or stay."""
    _logs(verbose, None)
    from heliograph_cli.commands import idl as command

    return command.diff(old, new)


@idl_app.command("list")
def idl_list(
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]", help="One stream; all without.")] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """The IDLs of the streams' programs, each from the slot at which it is in force."""
    _logs(verbose, None)
    settings = _settings(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import idl as command

    return _until_done(command.list_all(settings, stream))


@idl_app.command("add")
def idl_add(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="The stream that has the program.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The IDL.")],
    from_slot: Annotated[int, typer.Option("--from-slot", min=0, help="First slot at which it is in force.")],
    program: Annotated[
        str | None,
        typer.Option("--program", metavar="ADDRESS", help="Where the program is; else the IDL tells."),
    ] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Add an IDL; what nothing could decode until now is decoded with it where it fits."""
    _logs(verbose, None)
    settings = _settings(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import idl as command

    return _until_done(command.add(settings, stream, file, from_slot=from_slot, program=program))
