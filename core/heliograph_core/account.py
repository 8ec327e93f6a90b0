"""Account changes: a sample of state, not events (DESIGN section 3)."""

from __future__ import annotations

from typing import Any

import msgspec


class AccountUpdate(msgspec.Struct, frozen=True, gc=False):
    """One account as seen at `slot`: the context slot of the notification or snapshot that showed it.

    A closed account has 0 lamports and empty data.
    """

    address: str
    owner: str
    slot: int
    lamports: int
    data: bytes

    @property
    def closed(self) -> bool:
        return self.lamports == 0


class AccountState(msgspec.Struct, frozen=True, gc=False):
    """A decoded account. name: the IDL's account type, None where no layout fits (`reason` says why).

    since: first slot of the IDL that read it, where there are several.
    """

    address: str
    program: str
    slot: int
    lamports: int
    data: bytes
    name: str | None
    fields: dict[str, Any] | None
    reason: str | None = None
    since: int = 0
