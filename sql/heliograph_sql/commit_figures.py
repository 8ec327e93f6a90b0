"""What the writers of one stream in this process have committed: rows by table, and how long commits took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from heliograph_core.figure import Figure, Histogram, Reading

COMMIT_SECONDS = Figure(
    "heliograph_commit_seconds",
    "histogram",
    "Time that a transaction of a writer took, its retry over refused rows included.",
    ("stream", "kind"),
)
COMMITTED_ROWS = Figure(
    "heliograph_committed_rows_total", "counter", "Rows committed by this process.", ("stream", "table")
)
FIGURES = (COMMIT_SECONDS, COMMITTED_ROWS)


class CommitFigures:
    """Grows only. Shared by all writers of a stream in a process."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self._seconds: dict[str, Histogram] = {}

    def add_rows(self, rows: Mapping[str, int]) -> None:
        """rows: full name of a table to how many were committed to it."""
        self._rows.update(rows)

    def add_commit(self, kind: str, seconds: float) -> None:
        """kind: of the commit log."""
        self._seconds.setdefault(kind, Histogram()).observe(seconds)

    def readings(self, stream: str) -> Iterator[Reading]:
        for kind, histogram in sorted(self._seconds.items()):
            yield Reading(COMMIT_SECONDS, histogram.read(), (stream, kind))
        for table, count in sorted(self._rows.items()):
            yield Reading(COMMITTED_ROWS, count, (stream, table))
