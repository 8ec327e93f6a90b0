"""Which peers our decoder is compared with, and where they are."""

from __future__ import annotations

from pathlib import Path

import platformdirs

CORAL = "@coral-xyz/anchor"
CORAL_VERSION = "0.32.1"
ANCHORPY = Path(".venv-anchorpy")
"""Beside the Makefile, which builds it."""


def npm_cache() -> Path:
    """Where npm packages are kept, outside the tree, from run to run."""
    return Path(platformdirs.user_cache_dir("heliograph"))
