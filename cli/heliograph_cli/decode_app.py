"""`heliograph decode`: names, options and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heliograph_cli.options import (
    VerboseOption,
    write_logs,
)

app = typer.Typer(help="Decode files; no database and no cluster needed.", no_args_is_help=True)


@app.command("tx")
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
    write_logs(verbose, None)
    from heliograph_cli.commands import decode as command

    return command.decode_tx(files, idl=idl, program=program)


@app.command("account")
def decode_account(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="JSON of getAccountInfo; - is stdin.")],
    idl: Annotated[Path, typer.Option("--idl", metavar="FILE", help="The program's IDL.")],
    verbose: VerboseOption = False,
) -> int:
    """One JSON object per account on stdout; what cannot be decoded goes to stderr, with status 1."""
    write_logs(verbose, None)
    from heliograph_cli.commands import decode as command

    return command.decode_account(files, idl=idl)
