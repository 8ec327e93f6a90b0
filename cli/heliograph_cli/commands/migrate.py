"""`heliograph migrate`: brings the database to this version."""

from __future__ import annotations

import sys

from heliograph_cli.settings import Settings
from heliograph_cli.store import migrated, reachable, shown


async def migrate(settings: Settings) -> int:
    async with reachable(settings.database) as (url, _):
        found = await migrated(url, settings.storage)
    for name in found.applied:
        print(f"applied {name}")
    for warning in found.warnings:
        print(f"heliograph: warning: {warning}", file=sys.stderr)
    print(f"{shown(url)} ({found.tier.label}) is up to date")
    return 0
