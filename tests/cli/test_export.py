"""`heliograph export`: exact rows in either format, whole files or none, and what of them is complete."""

from __future__ import annotations

import csv
import datetime
import io
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from heliograph_cli.app import run
from heliograph_core.errors import SettingsError
from heliograph_sql.database import Database
from heliograph_sql.event_tables import EventLayout
from heliograph_sql.export import Request, parse_bound
from heliograph_sql.streams import add_stream
from heliograph_sql.table_making import make_tables

parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: heliograph[parquet]")


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Commands are run in this process, and one that ends leaves signals ignored: so would all tests that follow."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


GENESIS = 1_700_000_000
ROWS = 5_000
DIGITS = "12345678901234567.123456789012345678"
PRICES = [Decimal(f"{12345678901234567 + n}.123456789012345678") for n in range(ROWS)]


@pytest.fixture
async def filled(database: Database, database_url: str) -> str:
    """A database with stream `s`, slots 0..9999 covered but 4000..4099, a trade in every second slot."""
    await add_stream(database, "s", protocol="godark", programs=["P"], first_slot=0)
    layout = EventLayout(
        program="P",
        idl="sample",
        event="Said",
        fields=(
            ("amount", "numeric(20,0)"),
            ("wide", "numeric(39,0)"),
            ("widest", "numeric(78,0)"),
            ("what", "text"),
            ("nested", "jsonb"),
            ("yes", "boolean"),
            ("raw", "bytea"),
            ("ratio", "double precision"),
        ),
    )
    await make_tables(database, "s", [layout])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO perps.trades SELECT 's', to_timestamp(%s + n / 2), 2 * n, 0, 0, 0, 'sig' || n, 'P', 'M', n::text, "
            "'Taker', 'long', CASE WHEN n %% 2 = 0 THEN 'Maker' END, %s::numeric + n, 1, 1, 0, -0.5, NULL, NULL, NULL, "
            "CASE WHEN n %% 3 = 0 THEN '' END, false FROM generate_series(0, %s - 1) AS n",
            [GENESIS, DIGITS, ROWS],
        )
        connection.execute(
            "INSERT INTO heliograph.slots SELECT 's', 2 * n, NULL, NULL, to_timestamp(%s + n / 2), 1 FROM generate_series(0, %s - 1) AS n",
            [GENESIS, ROWS],
        )
        connection.execute("UPDATE heliograph.coverage SET slots = '{[0,4000),[4100,10000)}'")
        connection.execute(
            "UPDATE heliograph.streams SET head_slot = 9999, head_time = to_timestamp(%s)",
            [GENESIS + ROWS // 2],
        )
        connection.execute(
            "INSERT INTO s.said VALUES (to_timestamp(%s), 2, 0, 0, 'sig', 'P', NULL, %s, %s, %s, %s, %s, true, %s, 0.1), "
            "(to_timestamp(%s), 4, 0, 0, 'sig', 'P', 'C', NULL, NULL, NULL, '', NULL, false, NULL, NULL)",
            [
                GENESIS,
                2**64 - 1,
                2**128 - 1,
                2**256 - 1,
                'a "quoted",\nword',
                '{"a": [1, null]}',
                b"\x00\xff",
                GENESIS,
            ],
        )
    return database_url


@pytest.fixture
def export(
    filled: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """export(arguments…) -> exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def export(*arguments: str) -> tuple[int, str, str]:
        status = run(["export", *arguments, "--database", filled])
        told = capfd.readouterr()
        return status, told.out, told.err

    return export


Export = Callable[..., tuple[int, str, str]]


def test_csv_has_every_row_exactly_and_in_chain_order(export: Export) -> None:
    status, out, err = export("trades")
    assert status == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [int(row["slot"]) for row in rows] == [2 * n for n in range(ROWS)]
    assert [Decimal(row["price"]) for row in rows] == PRICES
    assert rows[0]["block_time"] == "2023-11-14 22:13:20+00"
    assert f"{ROWS} rows of perps.trades" in err


def test_parquet_has_the_same_rows_with_exact_types(export: Export, tmp_path: Path) -> None:
    status, out, err = export("perps.trades", "-o", "trades.parquet")
    assert (status, out) == (0, ""), err
    table = parquet.read_table(tmp_path / "trades.parquet")
    assert str(table.schema.field("price").type) == "decimal128(38, 18)"
    assert str(table.schema.field("block_time").type) == "timestamp[us, tz=UTC]"
    assert str(table.schema.field("slot").type) == "int64"
    rows = table.to_pylist()
    assert [row["price"] for row in rows] == PRICES
    assert rows[5]["block_time"] == datetime.datetime.fromtimestamp(GENESIS + 2, datetime.UTC)
    # NULL and an empty text are two things.
    assert [row["maker"] for row in rows[:2]] == ["Maker", None]
    assert [row["maker_order_id"] for row in rows[:2]] == ["", None]
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert metadata["heliograph.table"] == "perps.trades"
    assert json.loads(metadata["heliograph.completeness"])[0]["gaps"] == [[4000, 4099]]


def test_the_widest_integers_of_events_stay_exact(export: Export, tmp_path: Path) -> None:
    status, _, err = export("s.said", "--format", "parquet", "--output", "said")
    assert status == 0, err
    table = parquet.read_table(tmp_path / "said")
    types = {field.name: str(field.type) for field in table.schema}
    assert types["amount"] == "decimal128(20, 0)"
    assert types["wide"] == "decimal256(39, 0)"
    assert types["widest"] == "string"
    first, second = table.to_pylist()
    assert (first["amount"], first["wide"], int(first["widest"])) == (2**64 - 1, 2**128 - 1, 2**256 - 1)
    assert (first["what"], json.loads(first["nested"])) == ('a "quoted",\nword', {"a": [1, None]})
    assert (first["yes"], first["raw"], first["ratio"]) == (True, b"\x00\xff", 0.1)
    assert (second["amount"], second["what"], second["caller"], second["yes"]) == (None, "", "C", False)


def test_a_number_too_wide_for_a_decimal_stays_exact_as_text(
    export: Export, filled: str, tmp_path: Path
) -> None:
    digits = "1" * 21 + ".5"
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("UPDATE perps.trades SET quote = %s::numeric WHERE slot = 0", [digits])
    status, _, err = export("trades", "-o", "t.parquet")
    assert status == 0, err
    table = parquet.read_table(tmp_path / "t.parquet")
    assert str(table.schema.field("quote").type) == "string"
    assert table.column("quote")[0].as_py() == digits
    assert str(table.schema.field("price").type) == "decimal128(38, 18)"


@pytest.mark.parametrize(
    ("bounds", "slots"),
    [
        (("--from", "100", "--to", "200"), range(100, 201, 2)),
        (("--to", "7"), range(0, 8, 2)),
        (("--from", "9990"), range(9990, 10_000, 2)),
        (("--from", "50000", "--to", "60000"), range(0)),
        (("--from", "2023-11-14T22:13:21Z", "--to", "2023-11-14T22:13:23Z"), range(4, 12, 2)),
        (("--from", "2023-11-14 23:13:21+01:00", "--to", "2023-11-14 22:13:23"), range(4, 12, 2)),
        (("--to", "2023-11-14"), range(0)),
    ],
)
def test_a_range_is_slots_or_times(export: Export, bounds: tuple[str, ...], slots: range) -> None:
    status, out, err = export("trades", *bounds)
    assert status == 0, err
    assert [int(row["slot"]) for row in csv.DictReader(io.StringIO(out))] == list(slots)


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        (
            ("--from", "0", "--to", "3999"),
            "s: complete from slot 0 through slot 3999 (2023-11-14T22:29:59Z); nothing that was asked for is missing",
        ),
        (("--from", "0", "--to", "4000"), "slots 4000..4099 are missing from the export"),
        (("--from", "9000", "--to", "20000"), "what was asked for reaches beyond"),
        (("--from", "4100", "--to", "9999"), "nothing that was asked for is missing"),
        ((), "slots 4000..4099 are missing from the export"),
        (
            ("--from", "2023-11-14T22:13:20Z", "--to", "2023-11-14T22:20:00Z"),
            "nothing that was asked for is missing",
        ),
        (("--from", "2023-11-14T22:13:20Z", "--to", "2023-11-14T22:40:00Z"), "slots 4000..4099 are missing"),
        (("--from", "2020-01-01", "--to", "2023-11-14T22:20:00Z"), "what was asked for reaches beyond"),
    ],
)
def test_it_says_what_of_the_range_is_complete(export: Export, bounds: tuple[str, ...], told: str) -> None:
    status, _, err = export("trades", *bounds)
    assert status == 0 and told in err, err


def test_aggregates_and_states_are_exported_too(export: Export) -> None:
    status, out, err = export("candles_1h", "--from", "2023-11-14", "--to", "2023-11-15")
    assert status == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["bucket"] for row in rows} == {"2023-11-14 22:00:00+00", "2023-11-14 23:00:00+00"} - (
        set() if len(rows) == 2 else {"2023-11-14 23:00:00+00"}
    )
    status, out, err = export("positions")
    assert status == 0 and out.startswith("stream,position_key,"), err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trads",), "no table 'trads' to export: did you mean perps.trades?"),
        (("perps.candles_1hr",), "did you mean perps.candles_1h"),
        (("s.sayd",), "did you mean s.said"),
        (("pg_catalog.pg_authid",), "there is no table 'pg_catalog.pg_authid'"),
        (("trades", "--from", "yesterday"), "--from 'yesterday' is neither a slot nor a time"),
        (("trades", "--from", "9" * 30), "is no slot"),
        (("trades", "--from", "20", "--to", "10"), "nothing lies between --from 20 and --to 10"),
        (("trades", "--from", "2026-02-01", "--to", "2026-01-01"), "nothing lies between"),
        (("trades", "--from", "1", "--to", "2026-01-01"), "give two slots or two times"),
        (("positions", "--from", "1"), "perps.positions is not kept by slot"),
        (("positions", "--from", "2026-01-01"), "leave --from and --to out"),
        (("candles_1h", "--from", "1"), "give --from and --to as times"),
        (("trades", "--stream", "other"), "there is no stream 'other': there are s"),
        (("trades", "--format", "xml"), "--format 'xml' is none: it is csv or parquet"),
        (("trades", "-o", "."), "is a folder"),
        (("trades", "-o", "taken.csv"), "taken.csv exists"),
        (("trades", "-o", "absent/t.csv"), "there is no folder absent"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(
    export: Export, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "taken.csv").write_text("precious")
    status, out, err = export(*arguments)
    assert status in (1, 2) and out == ""
    assert told in err and err.startswith("heliograph: ") and err.count("\n") == 1, err
    assert [file.name for file in tmp_path.iterdir()] == ["taken.csv"]
    assert (tmp_path / "taken.csv").read_text() == "precious"


def test_overwriting_is_asked_for(export: Export, tmp_path: Path) -> None:
    (tmp_path / "taken.csv").write_text("old")
    status, _, err = export("trades", "-o", "taken.csv", "--overwrite")
    assert status == 0, err
    assert len((tmp_path / "taken.csv").read_text().splitlines()) == ROWS + 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(export: Export, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    status, _, err = export("trades", "-o", "trades.csv")
    assert status == 1 and "give this user access" in err


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "heliograph_cli", "export", *arguments]


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_full_disk_is_one_line_and_leaves_no_file(filled: str, tmp_path: Path, format_: str) -> None:
    """A limit on the size of files fails a write as a full disk does, with another errno."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        command("trades", "-o", str(tmp_path / "t"), "--format", format_, "--database", filled),
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_one_line(filled: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("trades", "--database", filled),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_reader_that_goes_away_ends_the_export_quietly(filled: str, format_: str) -> None:
    running = subprocess.Popen(
        command("trades", "--format", format_, "--database", filled),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None and running.stderr is not None
    running.stdout.read(1)
    running.stdout.close()
    told = running.stderr.read().decode()
    running.stderr.close()
    assert running.wait(30) == 1
    assert "Traceback" not in told and "defect" not in told, told


def test_an_export_that_is_interrupted_leaves_no_file(filled: str, tmp_path: Path) -> None:
    with psycopg.connect(filled, autocommit=True) as connection:
        # The lock holds the export up where it counts the rows.
        connection.execute("BEGIN")
        connection.execute("LOCK perps.trades IN ACCESS EXCLUSIVE MODE")
        running = subprocess.Popen(
            command("trades", "-o", str(tmp_path / "t.csv"), "--database", filled), stderr=subprocess.PIPE
        )
        with psycopg.connect(filled, autocommit=True) as watching:
            while not watching.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        told = running.stderr.read().decode()
        running.stderr.close()
        assert running.wait(30) == 130, told
        connection.execute("ROLLBACK")
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in told


def test_a_user_who_may_only_read_exports(filled: str, tmp_path: Path) -> None:
    """No migration is tried: reading is enough."""
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(
            "ALTER DATABASE " + connection.info.dbname + " SET default_transaction_read_only = on"
        )
    done = subprocess.run(
        command("trades", "--to", "10", "--database", filled), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 7


def test_memory_does_not_grow_with_the_rows(filled: str, tmp_path: Path) -> None:
    """Peak memory of the process at 20 times the rows stays within 1.5 times, in both formats."""
    peaks: dict[tuple[str, int], int] = {}
    for times in (1, 20):
        if times > 1:
            with psycopg.connect(filled, autocommit=True) as connection:
                connection.execute(
                    "INSERT INTO perps.trades SELECT stream, block_time, slot, tx_index, ordinal, n, signature, program, market, "
                    "trade_id, taker, taker_side, maker, price, size, quote, taker_fee, maker_fee, NULL, NULL, NULL, NULL, "
                    "liquidation FROM perps.trades, generate_series(1, 19) AS n"
                )
        for format_ in ("csv", "parquet"):
            script = (
                "import resource, sys; from heliograph_cli.app import run; status = run(sys.argv[1:]); "
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(status)"
            )
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    script,
                    "export",
                    "trades",
                    "--format",
                    format_,
                    "-o",
                    str(tmp_path / f"{times}.{format_}"),
                    "--database",
                    filled,
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            peaks[format_, times] = int(done.stdout)
    print(peaks)
    for format_ in ("csv", "parquet"):
        assert peaks[format_, 20] < 1.5 * peaks[format_, 1]


def test_a_bound_is_a_slot_or_a_time_in_utc() -> None:
    assert parse_bound("400000000", "--from") == 400_000_000
    assert parse_bound("2026-11-01", "--from") == datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    with pytest.raises(SettingsError, match="--to"):
        parse_bound("-5", "--to")
    assert Request("trades", 5, 5)
