"""A heliograph process for tests: started as a user starts it, stopped as a user stops it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

COMMAND = str(Path(sys.executable).with_name("heliograph"))
READY_S = 90.0
STOP_S = 30.0


def clean_environment(home: Path) -> dict[str, str]:
    """The caller's environment without settings of ours, and with a home folder of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("HELIOGRAPH_")
    }
    return {**kept, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "TMPDIR": str(home)}


def run(
    folder: Path, *arguments: str, stdin: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs `heliograph <arguments>` in `folder` to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env={**clean_environment(folder), **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
    )


def refused(told: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """It ended with the status and nothing but one line on stderr, which holds the words."""
    assert told.returncode == status, told.stderr
    assert told.stdout == ""
    lines = told.stderr.splitlines()
    assert len(lines) == 1, told.stderr
    assert lines[0].startswith("heliograph: ")
    for word in words:
        assert word in lines[0]


class Heliograph:
    """A running command. stdout and stderr are files, so that no pipe fills up."""

    def __init__(self, folder: Path, arguments: tuple[str, ...]) -> None:
        self.folder = folder
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [COMMAND, *arguments], cwd=folder, env=clean_environment(folder), stdout=out, stderr=err
            )

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    def await_output(self, pattern: str) -> re.Match[str]:
        """The first match in stdout, once it is there."""
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            found = re.search(pattern, self.stdout)
            if found is not None:
                return found
            assert self.process.poll() is None, f"it ended: {self.stderr}"
            time.sleep(0.05)
        raise AssertionError(f"no {pattern!r} within {READY_S} s in {self.stdout!r}; stderr: {self.stderr!r}")

    def await_url(self) -> str:
        """The address of GraphQL, once it is served."""
        return self.await_output(r"GraphQL +(http://\S+/graphql)\n")[1]

    def await_file(self, pattern: str) -> None:
        """Until a path in the folder matches."""
        end = time.monotonic() + READY_S
        while not any(self.folder.glob(pattern)):
            assert self.process.poll() is None, f"it ended: {self.stderr}"
            assert time.monotonic() < end, f"no {pattern} within {READY_S} s"
            time.sleep(0.005)

    def leftovers(self) -> list[str]:
        """What is there of it: processes that it started, and folders of a demo."""
        found = [path.name for path in self.folder.glob("heliograph-demo-*")]
        for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            # The server names its folder in its command line; its own workers are children of it.
            if process.info["ppid"] == self.process.pid or str(self.folder) in command:
                found.append(f"{process.info['pid']}: {command}")
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Sends the signal and returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_S)

    def kill(self) -> None:
        """Ends whatever is left, for a test that failed."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                for process in psutil.Process(self.process.pid).children(recursive=True):
                    process.kill()
                self.process.kill()
                self.process.wait()


Start = Callable[..., Heliograph]
"""Starts `heliograph <arguments>`; it is stopped after the test."""
