"""The TimescaleDB of the tests leaves nothing behind, also where a run was killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import platformdirs
import psycopg
import pytest
from tests.peers import debian_timescale, timescale
from tests.peers.debian_timescale import Impossible, Programs

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0
# A run of its own, which says where its server is and then never comes to its end.
RUN = """
import sys
import time
from pathlib import Path
from tests.peers import timescale
from tests.peers.debian_timescale import Programs
root, bin = sys.argv[1:]
with timescale.running(Programs(Path(root) if root else None, bin), {}) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def programs() -> Programs:
    try:
        return debian_timescale.find(Path(platformdirs.user_cache_dir("heliograph")))
    except Impossible as error:
        pytest.skip(f"no TimescaleDB: {error}")


def folder_of(programs: Programs, connection: psycopg.Connection[tuple[object, ...]]) -> Path:
    row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    return (programs.root or Path("/")) / Path(str(row[0])).parent.relative_to("/")


def test_the_folder_and_the_server_end_with_the_block(programs: Programs) -> None:
    with timescale.running(programs, {}) as url:
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW shared_preload_libraries").fetchone() == ("timescaledb",)
            folder = folder_of(programs, connection)
        assert folder.exists()
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_killed_run_takes_its_server_along_and_the_next_removes_its_folder(programs: Programs) -> None:
    command = [sys.executable, "-c", RUN, str(programs.root or ""), programs.bin]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        with psycopg.connect(process.stdout.readline().strip()) as connection:
            folder = folder_of(programs, connection)
        process.kill()
    end = time.monotonic() + PATIENCE_S
    while (folder / "data" / "postmaster.pid").exists():
        assert time.monotonic() < end, f"the server on {folder} outlives the run that started it"
        time.sleep(0.02)
    with timescale.running(programs, {}):
        assert not folder.exists()
