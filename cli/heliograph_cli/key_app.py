"""`heliograph key`: names, options and help."""

from __future__ import annotations

from typing import Annotated

import typer

from heliograph_cli.options import (
    ConfigOption,
    DatabaseOption,
    DataDirOption,
    VerboseOption,
    settings_of,
    until_done,
    write_logs,
)

app = typer.Typer(help="Keys that clients of the API send.", no_args_is_help=True)


@app.command("add")
def key_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    rate: Annotated[
        int | None,
        typer.Option(
            "--rate", min=1, max=2**31 - 1, help="Requests a minute; without it, as the settings say."
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", min=1, max=36_500, help="Days it is good for; without it, until it is revoked."
        ),
    ] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Make a key and show it, this once."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import key as command

    return until_done(command.add(settings, name, rate=rate, days=days))


@app.command("list")
def key_list(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """List the keys, oldest first."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import key as command

    return until_done(command.list_all(settings))


@app.command("revoke")
def key_revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="The part behind hg_, as `list` shows it.")],
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Let a key count no more."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import key as command

    return until_done(command.revoke(settings, id))
