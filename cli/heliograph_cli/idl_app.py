"""`heliograph idl`: names, options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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

app = typer.Typer(help="The layouts that programs' events are decoded with.", no_args_is_help=True)


@app.command("fetch")
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
    write_logs(verbose, None)
    settings = settings_of(config, rpc=rpc)
    from heliograph_cli.commands import idl as command

    return until_done(command.fetch(settings, address, output=output))


@app.command("diff")
def idl_diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="File of an IDL.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="File of a later IDL of the same program.")],
    verbose: VerboseOption = False,
) -> int:
    """What a new IDL does to the tables: which appear, change or stay."""
    write_logs(verbose, None)
    from heliograph_cli.commands import idl as command

    return command.diff(old, new)


@app.command("list")
def idl_list(
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]", help="One stream; all without.")] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """The IDLs of the streams' programs, each from the slot at which it is in force."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import idl as command

    return until_done(command.list_all(settings, stream))


@app.command("add")
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
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import idl as command

    return until_done(command.add(settings, stream, file, from_slot=from_slot, program=program))
