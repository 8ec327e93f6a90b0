"""What we are compared with: the server's own COPY FROM files that lie on it, of the rows that we wrote, into the same tables.

The files lie in /tmp as the server sees it (which may run under chroot), so that it takes a superuser, and the server removes them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import LiteralString, Self

import psycopg
from psycopg import sql

from heliograph_sql.plan import TablePlan

FORMS = ("text", "binary")


class ServerCopy:
    """The tables of some plans. As a context: removes its files at the end."""

    def __init__(self, url: str, plans: Sequence[TablePlan]) -> None:
        self._url = url
        self.plans = sorted(plans, key=lambda plan: plan.full_name)

    def dump(self) -> int:
        """Writes the files from the tables; how many rows all have together."""
        rows = 0
        with psycopg.connect(self._url) as connection:
            for plan in self.plans:
                for form in FORMS:
                    # COPY TO says nothing of a hypertable's chunks, and a query does.
                    connection.execute(
                        self._statement("COPY (SELECT * FROM {}) TO {} (FORMAT {})", plan, form)
                    )
                counted = connection.execute(
                    sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(plan.schema, plan.name))
                ).fetchone()
                assert counted is not None
                rows += counted[0]
        return rows

    def copy(self, form: str) -> float:
        """Seconds for all tables, in one transaction, its commit with them."""
        with psycopg.connect(self._url) as connection:
            start = time.perf_counter()
            for plan in self.plans:
                connection.execute(self._statement("COPY {} FROM {} (FORMAT {})", plan, form))
            connection.commit()
            return time.perf_counter() - start

    def empty(self) -> None:
        """Leaves the tables as if nothing had been written, nor covered, and nothing to be done by a checkpoint."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            for plan in self.plans:
                connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(plan.schema, plan.name)))
            connection.execute("UPDATE heliograph.coverage SET slots = '{}', audited = '{}'")
            connection.execute("TRUNCATE heliograph.slots, heliograph.claims")
            connection.execute("CHECKPOINT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with psycopg.connect(self._url) as connection:
            for plan in self.plans:
                for form in FORMS:
                    command = sql.Literal(f"rm -f '{self._file(plan, form)}'")
                    connection.execute(sql.SQL("COPY (SELECT 1) TO PROGRAM {}").format(command))

    def _statement(self, text: LiteralString, plan: TablePlan, form: str) -> sql.Composed:
        return sql.SQL(text).format(
            sql.Identifier(plan.schema, plan.name),
            sql.Literal(self._file(plan, form)),
            sql.Identifier(form),
        )

    def _file(self, plan: TablePlan, form: str) -> str:
        return f"/tmp/heliograph-bench-{os.getpid()}-{plan.full_name}.{form}"
