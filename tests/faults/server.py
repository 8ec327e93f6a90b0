"""A PostgreSQL of a test's own, which may be killed, stopped and started again on the same data and address."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from heliograph_sql.embedded import EmbeddedServer
from heliograph_sql.migrate import migrate

OPTIONS = {"fsync": "off", "max_connections": "60"}
"""What was committed is in the hands of the operating system at least, so that only a power cut could lose it."""
_POLL_S = 0.02
_START_S = 60.0


class Server:
    """kills: how often it was killed."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self.url = server.url
        self.kills = 0
        self._killed: list[psutil.Process] = []
        main = psutil.Process(self._pid())
        self._command, self._environment = main.cmdline(), main.environ()
        self._user, self._group = main.uids().real, main.gids().real

    def kill(self) -> None:
        """kill -9 of every process of the server; its data stays."""
        self._killed = self._processes()
        for process in self._killed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.kills += 1

    async def start(self) -> None:
        """Starts it again as it was; returns once it takes connections."""
        # The next one cannot start before the last process of this one has let go of its memory, and of its id.
        await asyncio.to_thread(psutil.wait_procs, self._killed, _START_S)
        log = self._server.data_dir / "again.log"
        process = self._launch(log)
        async with asyncio.timeout(_START_S):
            while True:
                assert process.poll() is None, log.read_text()
                with suppress(psycopg.OperationalError):
                    await asyncio.to_thread(self._ask)
                    break
                await asyncio.sleep(_POLL_S)
        # Whoever stops the server waits for it by its id.
        process.returncode = 0

    def _launch(self, log: Path) -> subprocess.Popen[bytes]:
        root = os.getuid() == 0
        with log.open("ab") as output:
            return subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                user=self._user if root else None,
                group=self._group if root else None,
                extra_groups=[] if root else None,
            )

    def stop(self) -> None:
        """SIGSTOP to all of it: connections stay open, and nothing answers."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)

    def _ask(self) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute("SELECT 1")

    def _pid(self) -> int:
        pid = self._server.pid
        assert pid is not None, "the server does not run"
        return pid

    def _processes(self) -> list[psutil.Process]:
        """The first is the one that starts the others."""
        lines = (self._server.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
        main = psutil.Process(int(lines[0]))
        return [main, *main.children()]


@contextmanager
def own_server(**options: str) -> Iterator[Server]:
    """A migrated server for the time of the block."""
    with (
        tempfile.TemporaryDirectory(prefix="heliograph-faults-") as folder,
        EmbeddedServer.start(Path(folder), options={**OPTIONS, **options}) as embedded,
    ):
        migrate(embedded.url)
        server = Server(embedded)
        try:
            yield server
        finally:
            with suppress(psutil.NoSuchProcess, FileNotFoundError):
                server.resume()
