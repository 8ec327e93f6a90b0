"""The one place where an error becomes a line on stderr and an exit status."""

from __future__ import annotations

import errno
import sys
import traceback

from heliograph_core.errors import HeliographError, IdlError, SettingsError

FAILED = 1
USAGE = 2
INTERRUPTED = 130


def report(error: BaseException, *, verbose: bool) -> int:
    """Prints one line that names what failed, and returns the status to exit with.

    An error that is none of ours is a defect of Heliograph: its traceback is shown with `verbose` alone.
    """
    error = _first_cause(error)
    if isinstance(error, HeliographError):
        line = " ".join(str(error).split())
        status = USAGE if isinstance(error, SettingsError | IdlError) else FAILED
    elif isinstance(error, OSError) and error.strerror:
        line, status = _of_the_system(error), FAILED
    else:
        first = next(iter(str(error).splitlines()), "")
        line = f"defect in Heliograph: {type(error).__name__}: {first}"
        if not verbose:
            line += "; run again with --verbose for the traceback"
        status = FAILED
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    print(f"heliograph: {line}", file=sys.stderr, flush=True)
    return status


def _of_the_system(error: OSError) -> str:
    named = f"{error.filename}: " if error.filename else ""
    advice = {
        errno.EACCES: "; give this user access to it or name another place",
        errno.EPERM: "; give this user access to it or name another place",
        errno.ENOSPC: "; free some space or name another place",
        errno.EROFS: "; name a place that can be written",
        errno.EMFILE: "; raise the limit of open files (ulimit -n)",
    }.get(error.errno or 0, "")
    return f"{named}{error.strerror}{advice}"


def _first_cause(error: BaseException) -> BaseException:
    """Of a group, the first error of ours, else the first of all."""
    while isinstance(error, BaseExceptionGroup):
        ours, _ = error.split(HeliographError)
        error = (ours or error).exceptions[0]
    return error
