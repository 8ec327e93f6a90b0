"""A page as CSV (RFC 4180): one line of names, one line a row; a missing value is an empty one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import orjson

MEDIA_TYPE = "text/csv"


def write_csv(names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """Values are written as JSON has them: numbers exactly, times in ISO 8601, booleans as true and false."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_shown(row[name]) for name in names])
    return text.getvalue().encode()


def _shown(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
