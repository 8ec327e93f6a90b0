"""The entry point. Imports stay inside main(), so that Ctrl-C while the parts load is a stop like any other."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and ends the process: status 0, 1 (failed), 2 (usage or settings), 130 (interrupted)."""
    try:
        from heliograph_cli.app import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
