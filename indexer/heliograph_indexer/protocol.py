"""What a protocol has to say about its programs: where they are, how they speak, what their events mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol as Interface
from typing import TypeGuard, runtime_checkable

from heliograph_core.account import AccountState
from heliograph_core.event import Channel, Event
from heliograph_core.instruction import InstructionCall
from heliograph_core.records import Holding, Record, State


class Protocol(Interface):
    """One protocol. Its methods are pure: same values in, same values out, nothing kept between calls."""

    @property
    def name(self) -> str:
        """As registered in `heliograph_indexer.protocols.PROTOCOLS` and named in settings."""

    @property
    def programs(self) -> Mapping[str, str]:
        """IDL name to the address where the program is deployed."""

    def channels(self) -> Mapping[str, frozenset[Channel]]:
        """Program address to the channels on which it emits events; anything elsewhere is not an event."""

    def idls(self) -> Mapping[str, bytes]:
        """Program address to the IDL document that ships with Heliograph."""

    def project(self, stream: str, event: Event) -> Iterable[Record | State]:
        """The canonical records that one event means; none for an event that has no canonical table.

        Raises KeyError or another plain exception for an event whose fields are not those of the layout that
        the protocol knows; the caller keeps such an event as undecoded.
        """

    def project_account(self, stream: str, state: AccountState) -> Iterable[State | Holding]:
        """The state records that one decoded account means, and a Holding for every position that it holds.

        Keys of an account that holds several begin with its address and a dash.
        A position that the account held before and that is not among them is closed. Raises as project does: then
        what is known of the account's positions stays.
        """


@runtime_checkable
class InstructionProtocol(Interface):
    """What a protocol has besides whose instructions mean records: one whose events do not say everything."""

    def project_instruction(self, stream: str, call: InstructionCall) -> Iterable[Record | State]:
        """The canonical records that one instruction means: at its block_time, slot and tx_index, with `call.ordinal`.

        Also called for instructions of failed transactions (`call.failed`), which had no effect. A change of a
        position that an event of the same transaction tells replaces those that are made of its instructions. Raises as Protocol.project does.
        """


def reads_instructions(protocol: object) -> TypeGuard[InstructionProtocol]:
    """Whether the protocol has project_instruction."""
    return isinstance(protocol, InstructionProtocol)
