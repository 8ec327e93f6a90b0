"""What all fault runs have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_LEFT_OPEN = (
    "ignore:Exception ignored in. <(socket.socket|function _SelectorTransport.__del__):"
    "pytest.PytestUnraisableExceptionWarning"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A connection whose opening a deadline cut off may be left to the garbage collector, which tells of it whenever it runs.

    Deadlines cut off a lot here, and more on a busy machine. Elsewhere such a warning stays an error.
    """
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(_LEFT_OPEN))
