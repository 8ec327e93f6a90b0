"""TimescaleDB's Apache edition from Debian's packages: the one that is installed, or one unpacked into a cache folder.

`find` returns the programs, or says in one line why this machine can have none. Nothing of the system is changed but for
a build machine that runs Debian 13, where the package is installed. The mirror is the one that apt is configured with.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RELEASE = "trixie"
"""The first Debian release that packages a TimescaleDB at or above our floor."""
RELEASE_VERSION = "13"
PACKAGE = "postgresql-17-timescaledb"
# What `extract` leaves out because nothing configures the packages: initdb starts a shell, and setpriv the server.
_PACKAGES = (PACKAGE, "postgresql-17", "libc-bin", "coreutils", "dash", "util-linux")
_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
# Half a gigabyte otherwise: what compiles queries (off, in tests), and what people read.
_NEEDLESS = (
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3*",
    "usr/lib/postgresql/*/lib/bitcode",
    *(f"usr/share/{name}" for name in ("doc", "info", "locale", "man")),
    "var/cache/apt",
    "var/lib/apt",
)
_UNREACHABLE = (
    "Could not resolve",
    "Could not connect",
    "Unable to connect",
    "Temporary failure",
    "timed out",
)
_TIMEOUT_S = 600


class Impossible(Exception):
    """This machine can have no TimescaleDB; the message says why, in one line."""


@dataclass(frozen=True)
class Programs:
    """root: the folder that holds them as `/` would, None where they are the system's own; bin: inside of root."""

    root: Path | None
    bin: str


def find(cache: Path) -> Programs:
    """Raises Impossible; RuntimeError with the tool's own words where it should be possible and is not."""
    installed = _installed(Path("/"))
    if installed is not None:
        return Programs(None, installed)
    release = _os_release()
    if release.get("ID") != "debian":
        raise Impossible(f"{PACKAGE} is not installed, and this system is not Debian, whose mirror has it")
    if os.geteuid() != 0:
        raise Impossible(f"{PACKAGE} is not installed, and unpacking it to run under chroot takes root")
    if release.get("VERSION_ID") == RELEASE_VERSION and os.environ.get("CI"):
        _install()
        installed = _installed(Path("/"))
        if installed is None:
            raise RuntimeError(f"{PACKAGE} is installed and has no server in /usr/lib/postgresql")
        return Programs(None, installed)
    root = _unpacked(cache)
    inside = _installed(root)
    if inside is None:
        raise RuntimeError(f"{root} has no TimescaleDB in usr/lib/postgresql: delete that folder")
    return Programs(root, inside)


def _installed(root: Path) -> str | None:
    """The folder of the server's programs inside root, the newest version that has the extension."""
    found = sorted((root / "usr/lib/postgresql").glob("*/lib/timescaledb.so"), reverse=True)
    return f"/{found[0].parent.parent.relative_to(root)}/bin" if found else None


def _install() -> None:
    # Without this the package makes a cluster of its own and starts it.
    drop_in = Path("/etc/postgresql-common/createcluster.d/no-main-cluster.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text("create_main_cluster = false\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "-q", "update"], environment)
    _run(["apt-get", "-q", "install", "-y", "--no-install-recommends", PACKAGE], environment)


def _unpacked(cache: Path) -> Path:
    """The unpacked packages, fetched once a machine."""
    root = cache / f"timescaledb-{RELEASE}-{platform.machine()}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{root.name}.lock").open("wb") as lock:
        # Another run may be at it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="installing-") as made:
                target = Path(made) / "root"
                _unpack(target, Path(made))
                target.rename(root)
    return root


def _unpack(target: Path, scratch: Path) -> None:
    mirror = _mirror()
    command = [*_mmdebstrap(scratch), "--variant=extract", f"--include={','.join(_PACKAGES)}", "--quiet"]
    _run([*command, RELEASE, str(target), mirror], os.environ)
    for name, place in _LINKS.items():
        if not (target / name).is_symlink() and (target / place).is_dir():
            (target / name).symlink_to(place)
    # initdb asks who runs it; the name of the account is that of the cluster's owner.
    (target / "etc/passwd").write_text(f"postgres:x:{ACCOUNT}:{ACCOUNT}::/:/bin/sh\n")
    (target / "tmp").mkdir(exist_ok=True)
    (target / "tmp").chmod(0o1777)
    target.chmod(0o755)
    for pattern in _NEEDLESS:
        for path in target.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


ACCOUNT = 65534
"""Whom the server runs as: Debian's `nobody`, who owns nothing."""


def _mirror() -> str:
    told = _run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ],
        os.environ,
    )
    for line in told.splitlines():
        address, _, rest = line.partition(" ")
        # bookworm, not bookworm-updates or bookworm-security, whose addresses have no other releases.
        if rest.endswith(" main") and "-" not in rest:
            return address
    raise Impossible(f"{PACKAGE} is not installed, and apt is configured with no mirror of Debian")


def _mmdebstrap(scratch: Path) -> list[str]:
    """The command; where it is not installed, a copy of it that is used once."""
    if shutil.which("mmdebstrap") is not None:
        return ["mmdebstrap"]
    if shutil.which("perl") is None:
        raise Impossible(f"{PACKAGE} is not installed, and unpacking it takes mmdebstrap or perl")
    lists = scratch / "lists"
    (lists / "partial").mkdir(parents=True)
    apt = ["apt-get", "-q", "-o", f"Dir::State::Lists={lists}", "-o", "APT::Sandbox::User=root"]
    _run([*apt, "update"], os.environ)
    _run([*apt, "download", "mmdebstrap"], os.environ, scratch)
    (package,) = scratch.glob("mmdebstrap_*.deb")
    _run(["dpkg-deb", "-x", str(package), str(scratch / "mmdebstrap")], os.environ)
    return ["perl", str(scratch / "mmdebstrap/usr/bin/mmdebstrap")]


def _run(command: Sequence[str], environment: Mapping[str, str], folder: Path = Path("/")) -> str:
    told = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=_TIMEOUT_S,
        cwd=folder,
        env=dict(environment),
    )
    said = told.stdout + told.stderr
    if told.returncode != 0 or any(sign in said for sign in _UNREACHABLE):
        if any(sign in said for sign in _UNREACHABLE):
            raise Impossible(f"{PACKAGE} is not installed, and apt's mirror cannot be reached to unpack it")
        raise RuntimeError(f"{' '.join(command[:2])} failed:\n{said}")
    return told.stdout


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
