"""`heliograph analyst add | list | remove`: logins that may read the tables and write nothing."""

from __future__ import annotations

import secrets
import sys

from heliograph_cli.parts import in_thread
from heliograph_cli.settings import Settings
from heliograph_cli.store import opened
from heliograph_core.errors import SettingsError
from heliograph_sql.analyst import add_analyst, list_analysts, remove_analyst

PASSWORD_BYTES = 24


async def add(
    settings: Settings, name: str, *, timeout_s: float, connections: int, password_stdin: bool
) -> int:
    password = (
        sys.stdin.readline().rstrip("\r\n") if password_stdin else secrets.token_urlsafe(PASSWORD_BYTES)
    )
    if not password:
        raise SettingsError(
            "stdin has no password: write it there in one line, or leave --password-stdin out"
        )
    async with opened(settings.database) as store:
        await in_thread(
            lambda: add_analyst(
                store.url, name, password, statement_timeout_s=timeout_s, connections=connections
            ),
            name="add analyst",
        )
    print(
        f"analyst {name} may read perps, heliograph and the streams' schemas; docs/sql.md says what is there"
    )
    if not password_stdin:
        print(f"password (shown this once): {password}")
    return 0


async def list_all(settings: Settings) -> int:
    async with opened(settings.database) as store:
        analysts = await in_thread(lambda: list_analysts(store.url), name="list analysts")
    for one in analysts:
        print(f"{one.name}  {one.connections} connections, {_limit(one.timeout)} a statement")
    if not analysts:
        print("no analysts yet: add one with `heliograph analyst add`")
    return 0


def _limit(timeout: str) -> str:
    """A statement_timeout as people read it: PostgreSQL means milliseconds where it keeps no unit, and by 0 none."""
    if timeout == "0":
        return "any time"
    return f"{int(timeout) / 1000:g} s" if timeout.isdecimal() else timeout


async def remove(settings: Settings, name: str) -> int:
    async with opened(settings.database) as store:
        await in_thread(lambda: remove_analyst(store.url, name), name="remove analyst")
    print(f"analyst {name} is removed")
    return 0
