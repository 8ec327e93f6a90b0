"""Exports a table as CSV or Parquet: one snapshot, one COPY, rows passed on as they come; memory does not grow with them.

Both formats are made of the server's CSV, which has every value exactly. What of the exported range is complete is read
in the same snapshot as the rows.
"""

from __future__ import annotations

import datetime
import difflib
import enum
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Protocol

import psycopg
from psycopg import sql

from heliograph_core.errors import DatabaseError, SettingsError
from heliograph_sql.failure import driver_errors
from heliograph_sql.queries import load

ROWS_BETWEEN_REPORTS = 1_000
Bound = int | datetime.datetime
"""A slot, or a time with its zone."""
_Connection = psycopg.Connection[tuple[Any, ...]]


class Format(enum.StrEnum):
    """What an export is written as."""

    CSV = "csv"
    PARQUET = "parquet"


class ExportStopped(Exception):
    """The export was asked to stop before it was done."""


@dataclass(frozen=True)
class Request:
    """What is wanted. first and last: both slots (inclusive) or both times (the last exclusive); None leaves that end open.

    table: `schema.name`, or the name alone for schema perps. stream: rows of this one alone.
    """

    table: str
    first: Bound | None = None
    last: Bound | None = None
    stream: str | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.first, self.last) if bound is not None]
        if len({isinstance(bound, int) for bound in bounds}) > 1:
            raise SettingsError("--from and --to are a slot and a time: give two slots or two times")
        if self.first is None or self.last is None:
            return
        wrong = (
            self.first > self.last  # type: ignore[operator]
            if isinstance(self.first, int)
            else self.first >= self.last  # type: ignore[operator]
        )
        if wrong:
            raise SettingsError(
                f"nothing lies between --from {self.first} and --to {self.last}: give the earlier one first"
            )


@dataclass(frozen=True)
class Completeness:
    """Of one stream: what of the exported range is there. complete: all of it. gaps: ranges that are not covered."""

    stream: str
    first_slot: int
    complete_through: int | None
    complete_through_time: int | None
    final_slot: int | None
    gaps: tuple[tuple[int, int], ...]
    complete: bool


@dataclass(frozen=True)
class ColumnOf:
    """One column; type as declared. key: place in the primary key, from 0."""

    name: str
    type: str
    key: int | None


@dataclass
class Export:
    """What is exported, as it goes on. rows: written; total: to be written, None until counted."""

    table: str = ""
    columns: tuple[ColumnOf, ...] = ()
    total: int | None = None
    rows: int = 0
    completeness: tuple[Completeness, ...] = ()
    _stop: threading.Event = field(default_factory=threading.Event)
    _connection: _Connection | None = None

    def stop(self) -> None:
        """Ends it from another thread: it raises ExportStopped soon."""
        self._stop.set()
        connection = self._connection
        if connection is not None and not connection.closed:
            connection.cancel()

    def run(self, url: str, request: Request, sink: Sink, note: Callable[[], None] = lambda: None) -> None:
        """Writes the rows to the sink. note: called now and then, as rows are written.

        Raises SettingsError for a table or range that there is none of, DatabaseError, ExportStopped, and what the sink
        raises (OSError).
        """
        with (
            driver_errors(f"export of {request.table}"),
            psycopg.connect(url, autocommit=True) as connection,
        ):
            self._connection = connection
            try:
                self._run(connection, request, sink, note)
            except psycopg.errors.QueryCanceled:
                if self._stop.is_set():
                    raise ExportStopped from None
                raise

    def _run(self, connection: _Connection, request: Request, sink: Sink, note: Callable[[], None]) -> None:
        queries = load("export.sql")
        for name in ("begin_snapshot", "lift_limits", "limit_nothing_idle", "write_times_in_utc"):
            connection.execute(queries[name])
        schema, table = _find_table(connection, request.table)
        self.table = f"{schema}.{table}"
        self.columns = tuple(
            ColumnOf(*row)
            for row in connection.execute(
                queries["list_columns"], {"schema": schema, "table": table}
            ).fetchall()
        )
        streams = _streams_of(connection, self, schema, request.stream)
        conditions = _conditions(connection, self, schema, streams, request)
        self.completeness = tuple(_completeness(connection, request, streams))
        source = sql.SQL("FROM {} WHERE {}").format(
            sql.Identifier(schema, table), sql.SQL(" AND ").join(conditions)
        )
        self.total, wide = _measure(connection, self.columns, source)
        note()
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in self.columns)
        order = _order(self.columns)
        rows = sql.SQL("COPY (SELECT {} {} {}) TO STDOUT (FORMAT csv, HEADER)").format(names, source, order)
        with connection.cursor().copy(rows) as copy:
            sink.write(self.columns, wide, self._counted(copy, note), self.metadata(request))
        connection.execute("COMMIT")

    def _counted(self, copy: Iterable[Any], note: Callable[[], None]) -> Iterator[bytes]:
        """The lines of the CSV, the header first; each comes as a message of its own."""
        for number, line in enumerate(copy):
            if self._stop.is_set():
                raise ExportStopped
            self.rows = number
            if number % ROWS_BETWEEN_REPORTS == 0:
                note()
            yield bytes(line)

    def metadata(self, request: Request) -> dict[str, str]:
        """What a file says of itself beside its rows."""
        return {
            "heliograph.table": self.table,
            "heliograph.from": "" if request.first is None else str(request.first),
            "heliograph.to": "" if request.last is None else str(request.last),
            "heliograph.completeness": json.dumps([asdict(one) for one in self.completeness]),
        }


class Sink(Protocol):
    """Where an export goes."""

    def write(
        self,
        columns: Sequence[ColumnOf],
        wide: frozenset[str],
        lines: Iterator[bytes],
        metadata: dict[str, str],
    ) -> None:
        """Takes all lines. wide: numeric columns without a declared precision that have a value beyond decimal(38, 18)."""


class CsvSink:
    """Writes the lines as they are. NULL is empty, an empty text is two quotes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(
        self,
        columns: Sequence[ColumnOf],
        wide: frozenset[str],
        lines: Iterator[bytes],
        metadata: dict[str, str],
    ) -> None:
        for line in lines:
            self._file.write(line)
        self._file.flush()


def parse_bound(text: str, option: str) -> Bound:
    """A slot where it is a number, else a time as ISO 8601 writes it; without a zone it is UTC. Raises SettingsError."""
    if text.isascii() and text.isdigit():
        if int(text) >= 2**63:
            raise SettingsError(f"{option} {text} is no slot: they are below {2**63}")
        return int(text)
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"{option} {text!r} is neither a slot nor a time: write 400000000, 2026-11-01 or 2026-11-01T12:30:00Z"
        ) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)


def _find_table(connection: _Connection, wanted: str) -> tuple[str, str]:
    queries = load("export.sql")
    found = connection.execute(queries["find_schema"]).fetchone()
    if found is None or not found[0]:
        raise DatabaseError("the database has no tables of heliograph: run `heliograph migrate` on it first")
    tables = [(str(schema), str(table)) for schema, table in connection.execute(queries["list_tables"])]
    schema, _, table = wanted.rpartition(".")
    if (schema or "perps", table) in tables:
        return schema or "perps", table
    names = [f"{schema}.{table}" for schema, table in tables]
    bare = {table: f"{schema}.{table}" for schema, table in reversed(tables)}
    close = [
        *difflib.get_close_matches(wanted, names, n=3),
        *(bare[name] for name in difflib.get_close_matches(table, bare, n=3, cutoff=0.7)),
    ]
    hint = (
        f"did you mean {' or '.join(dict.fromkeys(close))}?"
        if close
        else f"there are {', '.join(names) or 'none that this user may read'}"
    )
    raise SettingsError(f"there is no table {wanted!r} to export: {hint}")


def _streams_of(connection: _Connection, export: Export, schema: str, wanted: str | None) -> list[str]:
    known = [str(name) for (name,) in connection.execute(load("export.sql")["list_streams"])]
    if wanted is not None and wanted not in known:
        raise SettingsError(
            f"there is no stream {wanted!r}: there {'are ' + ', '.join(known) if known else 'is none yet'}"
        )
    if schema in known:
        if wanted not in (None, schema):
            raise SettingsError(f"{export.table} has rows of stream {schema}, none of {wanted}")
        return [schema]
    if wanted is not None and not _has(export.columns, "stream"):
        raise SettingsError(f"{export.table} has no column stream: leave --stream out")
    return known if wanted is None else [wanted]


def _conditions(
    connection: _Connection, export: Export, schema: str, streams: Sequence[str], request: Request
) -> list[sql.Composable]:
    found: list[sql.Composable] = [sql.SQL("true")]
    if request.stream is not None and schema != request.stream:
        found.append(sql.SQL("stream = {}").format(request.stream))
    if request.first is None and request.last is None:
        return found
    if isinstance(request.first, int) or isinstance(request.last, int):
        if not _has(export.columns, "slot") or not _has(export.columns, "block_time"):
            raise SettingsError(f"{export.table} is not kept by slot: {_advice(export.columns)}")
        bounds = {"streams": list(streams), "first": request.first or 0, "last": request.last}
        times = connection.execute(load("export.sql")["find_times"], bounds).fetchone()
        column, slot = "block_time", True
        earliest, latest = times or (None, None)
    else:
        column = next((name for name in ("block_time", "bucket") if _has(export.columns, name)), "")
        if not column:
            raise SettingsError(f"{export.table} is not kept by time: {_advice(export.columns)}")
        slot, earliest, latest = False, request.first, request.last
    at = sql.Identifier(column)
    # As text: psycopg has no datetime for infinity, and a literal serves COPY, which takes no parameters.
    if request.first is not None and earliest is not None:
        found.append(sql.SQL("{} >= {}::timestamptz").format(at, _literal(earliest)))
    if request.last is not None and latest is not None:
        sign = sql.SQL("<=" if slot else "<")
        found.append(sql.SQL("{} {} {}::timestamptz").format(at, sign, _literal(latest)))
    if slot and request.first is not None:
        found.append(sql.SQL("slot >= {}").format(request.first))
    if slot and request.last is not None:
        found.append(sql.SQL("slot <= {}").format(request.last))
    return found


def _literal(at: Any) -> sql.Literal:
    return sql.Literal(at.isoformat() if isinstance(at, datetime.datetime) else str(at))


def _advice(columns: Sequence[ColumnOf]) -> str:
    if _has(columns, "bucket"):
        return "give --from and --to as times"
    return "leave --from and --to out to export its current state"


def _has(columns: Sequence[ColumnOf], name: str) -> bool:
    return any(column.name == name for column in columns)


def _order(columns: Sequence[ColumnOf]) -> sql.Composable:
    """By the key, which is the chain's order, so that two exports of the same rows are the same bytes."""
    key = sorted((column.key, column.name) for column in columns if column.key is not None) or [
        (number, name)
        for number, name in enumerate(("bucket", "stream", "market", "price_kind"))
        if _has(columns, name)
    ]
    if not key:
        return sql.SQL("")
    return sql.SQL("ORDER BY {}").format(sql.SQL(", ").join(sql.Identifier(name) for _, name in key))


def _measure(
    connection: _Connection, columns: Sequence[ColumnOf], source: sql.Composable
) -> tuple[int, frozenset[str]]:
    """How many rows there are, and which columns of plain numeric have a value that decimal(38, 18) cannot hold."""
    plain = [column.name for column in columns if column.type == "numeric"]
    fits = [
        sql.SQL("coalesce(bool_and(min_scale({0}) <= 18 AND abs({0}) < 1e20), true)").format(
            sql.Identifier(name)
        )
        for name in plain
    ]
    question = sql.SQL("SELECT {} {}").format(sql.SQL(", ").join([sql.SQL("count(*)"), *fits]), source)
    row = connection.execute(question).fetchone()
    assert row is not None
    count, *held = row
    return int(count), frozenset(name for name, good in zip(plain, held, strict=True) if not good)


def _completeness(
    connection: _Connection, request: Request, streams: Sequence[str]
) -> Iterator[Completeness]:
    slots = [bound if isinstance(bound, int) else None for bound in (request.first, request.last)]
    times = [
        bound if isinstance(bound, datetime.datetime) else None for bound in (request.first, request.last)
    ]
    asked = {
        "streams": list(streams),
        "first": slots[0],
        "last": slots[1],
        "begin": times[0],
        "end": times[1],
    }
    for stream, first, through, at, final, gaps, inside in connection.execute(
        load("export.sql")["find_completeness"], asked
    ):
        ranges = tuple((int(one), int(other)) for one, other in gaps)
        yield Completeness(
            stream, first, through, at, final, ranges, bool(inside) and not ranges and through is not None
        )
