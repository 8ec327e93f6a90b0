"""`heliograph analyst`: names, options and help."""

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

app = typer.Typer(help="Who may read the tables with SQL.", no_args_is_help=True)


@app.command("add")
def analyst_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the login role.")],
    timeout: Annotated[float, typer.Option(help="Seconds that one statement may run.")] = 300.0,
    connections: Annotated[int, typer.Option(help="Connections at a time.")] = 5,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin; without, one is made up.")
    ] = False,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Add a login that may read everything that analysts may, and write nothing."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import analyst as command

    return until_done(
        command.add(settings, name, timeout_s=timeout, connections=connections, password_stdin=password_stdin)
    )


@app.command("list")
def analyst_list(
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """List the logins of analysts."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import analyst as command

    return until_done(command.list_all(settings))


@app.command("remove")
def analyst_remove(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    config: ConfigOption = None,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    verbose: VerboseOption = False,
) -> int:
    """Remove a login."""
    write_logs(verbose, None)
    settings = settings_of(config, database=database, data_dir=data_dir)
    from heliograph_cli.commands import analyst as command

    return until_done(command.remove(settings, name))
