"""What a node's preflight says no to."""

from __future__ import annotations

from heliograph_core.errors import RpcRefused


class Rejected(RpcRefused):
    """A sent transaction that never lands. err: the TransactionError as JSON value; logs: what was printed."""

    def __init__(self, message: str, *, err: object, logs: tuple[str, ...] = ()) -> None:
        super().__init__(message, code=-32002)
        self.err = err
        self.logs = logs


def unknown_program() -> Rejected:
    return Rejected("Attempt to load a program that does not exist", err="ProgramAccountNotFound")
