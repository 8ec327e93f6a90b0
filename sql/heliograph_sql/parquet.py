"""Parquet from the CSV of an export, exact: decimals stay decimals, and where none is wide enough the text of the number.

Contract: takes the lines of COPY … (FORMAT csv, HEADER), gives a Parquet file. Raises SettingsError where pyarrow is
absent, OSError where the file cannot be written. A column's type follows from its declared type alone, but for plain
`numeric`: decimal(38, 18) where all values fit, which amounts and prices do, else text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from heliograph_core.errors import SettingsError
from heliograph_sql.export import ColumnOf

BLOCK_BYTES = 8 * 1024 * 1024
"""CSV that is made into one row group: what an export holds in memory, a few times."""
_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")


class ParquetSink:
    """Writes to a file, which need not be seekable. Raises SettingsError at once where pyarrow is absent."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            import pyarrow
        except ImportError:
            raise SettingsError(
                "Parquet needs pyarrow: run pip install pyarrow in the environment of Heliograph, or use --format csv"
            ) from None
        self._arrow = pyarrow
        self._file = file

    def write(
        self,
        columns: Sequence[ColumnOf],
        wide: frozenset[str],
        lines: Iterator[bytes],
        metadata: dict[str, str],
    ) -> None:
        from pyarrow import csv, parquet

        types = {column.name: self._type_of(column, wide) for column in columns}
        # What CSV cannot be read to in one step is read as text first.
        read = {
            name: self._arrow.string() if self._is_read_as_text(kind) else kind
            for name, kind in types.items()
        }
        schema = self._arrow.schema(list(types.items()), metadata=metadata)
        source = _Lines(lines)
        try:
            reader = csv.open_csv(
                source,
                read_options=csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    column_types=read,
                    null_values=[""],
                    true_values=["t"],
                    false_values=["f"],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    # "2026-01-01 00:00:00+00", "…00.5+00": what PostgreSQL writes of a timestamptz.
                    timestamp_parsers=[csv.ISO8601],
                ),
            )
            with parquet.ParquetWriter(self._file, schema, compression="zstd") as writer:
                for batch in reader:
                    arrays = [
                        self._from_text(column, kind) if self._is_read_as_text(kind) else column
                        for column, kind in zip(batch.columns, schema.types, strict=True)
                    ]
                    writer.write_batch(self._arrow.RecordBatch.from_arrays(arrays, schema=schema))
        except BaseException:
            # Arrow wraps what its source raises; the source's own word is the better one.
            if source.error is not None:
                raise source.error from None
            raise

    def _type_of(self, column: ColumnOf, wide: frozenset[str]) -> Any:
        arrow = self._arrow
        if column.type == "numeric":
            return arrow.string() if column.name in wide else arrow.decimal128(38, 18)
        declared = _NUMERIC.fullmatch(column.type)
        if declared is not None:
            precision, scale = int(declared[1]), int(declared[2])
            if precision <= 38:
                return arrow.decimal128(precision, scale)
            return arrow.decimal256(precision, scale) if precision <= 76 else arrow.string()
        return {
            "bigint": arrow.int64(),
            "integer": arrow.int32(),
            "smallint": arrow.int16(),
            "boolean": arrow.bool_(),
            "double precision": arrow.float64(),
            "real": arrow.float32(),
            "timestamp with time zone": arrow.timestamp("us", tz="UTC"),
            "bytea": arrow.binary(),
        }.get(column.type, arrow.string())

    def _is_read_as_text(self, kind: Any) -> bool:
        return bool(kind == self._arrow.binary() or self._arrow.types.is_decimal256(kind))

    def _from_text(self, column: Any, kind: Any) -> Any:
        if kind == self._arrow.binary():
            # PostgreSQL writes \\x0a0b.
            return self._arrow.array(
                [None if text is None else bytes.fromhex(text[2:]) for text in column.to_pylist()], type=kind
            )
        return column.cast(kind)


class _Lines(io.RawIOBase):
    """Lines as a file that is read from. error: what taking them raised."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""
        self.error: BaseException | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, held = [self._rest], len(self._rest)
        try:
            while size < 0 or held < size:
                line = next(self._lines, None)
                if line is None:
                    break
                parts.append(line)
                held += len(line)
        except BaseException as error:
            self.error = error
            raise
        whole = b"".join(parts)
        end = len(whole) if size < 0 else size
        self._rest = whole[end:]
        return whole[:end]
