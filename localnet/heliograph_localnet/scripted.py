"""A program that does what it is told: events, accounts and instructions of any IDL, as drafts for a chain.

It knows nothing of what they mean; who tells it may state what must come of them (`act`). Of the indexer it uses the IDL
encoder alone.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import msgspec

from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder, event_authority
from heliograph_localnet.act import Act, Row, Stated
from heliograph_localnet.draft import AccountData, Draft, DraftInner, DraftInstruction
from heliograph_localnet.idl_account import deploy_idl

Manner = Literal["data", "log", "cpi"]
RENT = 1_000_000
_UNITS = 5_000


class Said(msgspec.Struct, frozen=True):
    """An event and how it is said: emit! as `data`, emit_cpi! as `cpi`, base64 behind `Program log:` as `log`.

    rows: (table, columns) of what must come of it; see Stated.
    """

    event: str
    fields: Mapping[str, Any]
    manner: Manner = "data"
    rows: tuple[tuple[str, Row], ...] = ()


class ScriptedProgram:
    """address: where it is deployed; else the IDL tells (IdlError where it does not). layout: counts the IDLs that it has

    had, where a scenario upgrades it.
    """

    def __init__(self, document: bytes, address: str | None = None, *, layout: int = 0) -> None:
        self.document = document
        self.layout = layout
        self.encoder = Encoder(document)
        self.address = address or self.encoder.address
        self._authority = event_authority(self.address)

    def upgraded(self, document: bytes) -> Self:
        """The same program as it speaks with another IDL."""
        return type(self)(document, self.address, layout=self.layout + 1)

    def deploy(self, payer: str) -> Act:
        """Puts the IDL on the chain, or in the place of the one before."""
        return Act(deploy_idl(self.address, self.document, payer))

    def act(
        self,
        payer: str,
        said: Sequence[Said] = (),
        *,
        rows: Sequence[tuple[str, Row]] = (),
        instruction: str | None = None,
        **rest: Any,
    ) -> Act:
        """A transaction as `draft` makes it, with what must come of it: nothing where it fails.

        rows: of the accounts that it writes.
        """
        draft = self.draft(payer, said, instruction=instruction, **rest)
        if draft.err is not None:
            return Act(draft)
        first = 0 if instruction is None else 1
        of_events = [
            Stated(table, row, self.address, first + at, each.event, self.layout)
            for at, each in enumerate(said)
            for table, row in each.rows
        ]
        of_accounts = [Stated(table, row, self.address, layout=self.layout) for table, row in rows]
        return Act(draft, (*of_events, *of_accounts))

    def draft(
        self,
        payer: str,
        said: Sequence[Said] = (),
        *,
        instruction: str | None = None,
        args: Mapping[str, Any] | None = None,
        accounts: Sequence[str] = (),
        writes: Mapping[str, AccountData | None] | None = None,
        error: str | None = None,
        caller: str | None = None,
    ) -> Draft:
        """One transaction with one instruction of the program; it says `said` in order.

        instruction: by its name in the IDL, with `args`, announced by a line as Anchor has it; None sends bytes that are
        none. error: the IDL's name of the error
        that it ends with. caller: a program that invokes it, so that it runs at depth 2.
        """
        data = b"\0" if instruction is None else self.encoder.instruction(instruction, args or {})
        depth = 1 if caller is None else 2
        logs, inner = self._speak(instruction, said, depth)
        program = self.address
        err = None
        if error is not None:
            code = self.encoder.error_code(error)
            err = {"InstructionError": [0, {"Custom": code}]}
            logs.append(f"Program {program} failed: custom program error: {code:#x}")
        else:
            logs.append(f"Program {program} success")
        if caller is None:
            outer = DraftInstruction(program, tuple(accounts), data, tuple(inner))
        else:
            called = DraftInner(program, tuple(accounts), data, 2)
            outer = DraftInstruction(caller, (program, *accounts), b"call", (called, *inner))
            end = "success" if error is None else logs[-1].partition(" ")[2].partition(" ")[2]
            logs = [f"Program {caller} invoke [1]", *logs, f"Program {caller} {end}"]
        return Draft(
            fee_payer=payer,
            instructions=(outer,),
            logs=tuple(logs),
            err=err,
            compute_units=_UNITS,
            writes=writes or {},
        )

    def account(self, name: str, fields: Mapping[str, Any], *, padding: int = 0) -> AccountData:
        """An account of the program. padding: zeros behind what the IDL says."""
        return AccountData(self.address, RENT, self.encoder.account(name, fields) + bytes(padding))

    def _speak(
        self, instruction: str | None, said: Sequence[Said], depth: int
    ) -> tuple[list[str], list[DraftInner]]:
        logs = [f"Program {self.address} invoke [{depth}]"]
        if instruction is not None:
            logs.append(f"Program log: Instruction: {_pascal(instruction)}")
        inner = []
        for each in said:
            payload = self.encoder.event(each.event, each.fields)
            text = base64.b64encode(payload).decode()
            match each.manner:
                case "data":
                    logs.append(f"Program data: {text}")
                case "log":
                    logs.append(f"Program log: {text}")
                case "cpi":
                    inner.append(DraftInner(self.address, (self._authority,), EVENT_TAG + payload, depth + 1))
                    logs.append(f"Program {self.address} invoke [{depth + 1}]")
                    logs.append(f"Program {self.address} success")
        return logs, inner


def _pascal(name: str) -> str:
    """openPosition and open_position as OpenPosition."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
