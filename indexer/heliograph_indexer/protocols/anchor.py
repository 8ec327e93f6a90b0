"""Any program with an IDL: its events and accounts are stored as they are, and no canonical record is made of them.

Channels: `Program data:` lines and self-invocations, which only the program itself can make. Text behind
`Program log:` counts where the stream says so: a program that prints what somebody gave it could be made to print an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from heliograph_core.account import AccountState
from heliograph_core.event import Channel, Event
from heliograph_core.records import Holding, Record, State

ANCHOR = "anchor"
"""Its name, as `--protocol` takes it."""


class AnyProgram:
    """The programs of one stream. IDLs: those that were added to the stream."""

    name = ANCHOR
    programs: Mapping[str, str] = {}

    def __init__(self, programs: Iterable[str], *, log_events: bool = False) -> None:
        heard = {Channel.DATA, Channel.CPI, *([Channel.LOG] if log_events else [])}
        self._channels = dict.fromkeys(programs, frozenset(heard))

    def channels(self) -> Mapping[str, frozenset[Channel]]:
        return self._channels

    def idls(self) -> Mapping[str, bytes]:
        return {}

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        return ()

    def project_account(self, stream: str, state: AccountState) -> Iterable[State | Holding]:
        return ()
