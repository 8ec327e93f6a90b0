"""Surfpool with our program deployed at GoDark's addresses and at a stranger's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.surfpool import surfnet
from tests.surfpool.godark import POSITIONS, STRANGER, VAULT
from tests.surfpool.sbf_program import event_program
from tests.surfpool.surfnet import Surfnet


@dataclass(frozen=True)
class Surfpool:
    """What a runtime is started from. installed: npm's folder; programs: address -> ELF file."""

    installed: Path
    programs: Mapping[str, Path]


@pytest.fixture(scope="session")
def surfpool(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Surfpool:
    """Installed once; skips where the machine cannot run it, fails where it should and does not."""
    reason = surfnet.missing()
    if reason is not None:
        pytest.skip(reason)
    cache = pytestconfig.cache
    folder = tmp_path_factory.mktemp("surfpool") if cache is None else cache.mkdir("surfpool")
    program = tmp_path_factory.mktemp("program") / "program.so"
    program.write_bytes(event_program())
    return Surfpool(surfnet.install(folder), dict.fromkeys((POSITIONS, VAULT, STRANGER), program))


@pytest.fixture(scope="session")
def runtime(surfpool: Surfpool) -> Iterator[Surfnet]:
    """One for all tests that do not mind each other."""
    with surfnet.start(surfpool.installed, surfpool.programs) as running:
        yield running


@pytest.fixture
def fresh_runtime(surfpool: Surfpool) -> Iterator[Surfnet]:
    """One of the test's own, on which nothing has happened yet."""
    with surfnet.start(surfpool.installed, surfpool.programs) as running:
        yield running
