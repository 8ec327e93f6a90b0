"""Packages of npm that tests and benchmarks compare with, each in a folder of its own outside the tree.

`missing()` says why there can be none; `install` fetches a package once and returns the folder where Node finds it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

_INSTALL_TIMEOUT_S = 300


def missing() -> str | None:
    """Why npm packages cannot run here, None where they can."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def install(cache: Path, name: str, package: str, version: str) -> Path:
    """The folder `<name>-<version>` below `cache`. Raises RuntimeError with npm's own words."""
    return _install(cache, f"{name}-{version}", {package: version})


def install_all(cache: Path, name: str, packages: Mapping[str, str]) -> Path:
    """The folder below `cache` that has these packages, version by name, together. Raises as `install` does."""
    digest = hashlib.sha256(repr(sorted(packages.items())).encode()).hexdigest()[:12]
    return _install(cache, f"{name}-{digest}", packages)


def _install(cache: Path, name: str, packages: Mapping[str, str]) -> Path:
    folder = cache / name
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="installing-") as made:
        target = Path(made) / "package"
        target.mkdir()
        wanted = [f"{package}@{version}" for package, version in packages.items()]
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--no-package-lock"]
        done = subprocess.run(
            [*command, "--prefix", str(target), *wanted],
            cwd=target,
            capture_output=True,
            text=True,
            timeout=_INSTALL_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"npm could not install {', '.join(wanted)}:\n{done.stdout}{done.stderr}")
        try:
            os.rename(target, folder)
        except OSError:
            # Another run was first; its copy is the same package.
            if not folder.exists():
                raise
    return folder
