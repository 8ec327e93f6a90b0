"""The database of a run: what is said when its server goes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heliograph_cli.store import Store
from heliograph_core.errors import DatabaseError
from heliograph_sql.tier import Edition, Tier

FULL_DISK = """\
LOG:  starting PostgreSQL
PANIC:  could not write to file "pg_wal/xlogtemp.1": No space left on device
LOG:  terminating any other active server processes
LOG:  database system is shut down
"""


async def test_a_server_that_ended_is_told_with_its_reason_and_not_its_farewell(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text(FULL_DISK)
    server: Any = SimpleNamespace(data_dir=tmp_path, pid=None)
    store = Store(database=SimpleNamespace(), url="", tier=Tier(Edition.PLAIN, "18"), server=server)  # type: ignore[arg-type]
    with pytest.raises(DatabaseError, match=r"ended by itself .*No space left on device"):
        await store.watch()
