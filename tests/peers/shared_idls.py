"""IDLs of ../shared, by the name of their file; None where the folder is absent."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "idl"


def shared_idl(name: str) -> bytes | None:
    """name: without .json."""
    path = FOLDER / f"{name}.json"
    return path.read_bytes() if path.is_file() else None
