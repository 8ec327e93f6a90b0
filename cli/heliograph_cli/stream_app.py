"""`heliograph stream`: names, options and help."""

from __future__ import annotations

from typing import Annotated

import typer

from heliograph_cli.failure import FAILED
from heliograph_cli.options import (
    ConfigOption,
    DatabaseOption,
    DataDirOption,
    RpcOption,
    VerboseOption,
    settings_of,
    until_done,
    write_logs,
)

app = typer.Typer(help="Say what is indexed.", no_args_is_help=True)


@app.command("add")
def stream_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The stream's name; it stays.")],
    addresses: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ADDRESS]", help="Programs; without one those of the IDLs or the protocol."),
    ] = None,
    idls: Annotated[
        list[str] | None,
        typer.Option(
            "--idl",
            metavar="[ADDRESS=]FILE",
            help="A program's IDL, matched by its address; without one it is fetched from the chain.",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="What gives the events their meaning; without one that of the programs, else `anchor`: they are stored as they are.",
        ),
    ] = None,
    instructions: Annotated[
        bool,
        typer.Option(
            "--instructions", help="Instructions get tables too; every transaction is fetched then."
        ),
    ] = False,
    log_events: Annotated[
        bool,
        typer.Option(
            "--log-events",
            help="Text behind `Program log:` may be an event in base64. Only for programs that print nobody else's text.",
        ),
    ] = False,
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
    """Add a stream: a named set of programs that are indexed as one. Any Anchor program will do."""
    write_logs(verbose, None)
    settings = settings_of(config, rpc=rpc, database=database, data_dir=data_dir)
    from heliograph_cli.commands import stream as command

    return until_done(
        command.add(
            settings,
            name,
            addresses or [],
            idls=idls or [],
            protocol=protocol,
            first_slot=first_slot,
            instructions=instructions,
            log_events=log_events,
        )
    )


@app.command("list")
def stream_list(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """List the streams."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import stream as command

    return until_done(command.list_all(settings))


@app.command("tables")
def stream_tables(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """List the tables made from a stream's IDLs: table, column, the IDL's name of the field, type and docs."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import stream as command

    return until_done(command.tables(settings, name))


@app.command("remove")
def stream_remove(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Remove a stream and every row of it."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import stream as command

    if not yes and not typer.confirm(f"Delete stream {name} and every row of it?"):
        print("nothing is removed")
        return FAILED
    return until_done(command.remove(settings, name))
