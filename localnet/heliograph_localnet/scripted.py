"""A program that does what a test tells it: events, accounts and instructions of any IDL, as drafts for a chain.

It knows nothing of what they mean. Of the indexer it uses the IDL encoder alone.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from heliograph_indexer.idl.encoder import EVENT_TAG, Encoder, event_authority
from heliograph_localnet.draft import AccountData, Draft, DraftInner, DraftInstruction

Manner = Literal["data", "log", "cpi"]
RENT = 1_000_000
_UNITS = 5_000


class Said(msgspec.Struct, frozen=True):
    """An event and how it is said: emit! as `data`, emit_cpi! as `cpi`, base64 behind `Program log:` as `log`."""

    event: str
    fields: Mapping[str, Any]
    manner: Manner = "data"


class ScriptedProgram:
    """address: where it is deployed; else the IDL tells (IdlError where it does not)."""

    def __init__(self, document: bytes, address: str | None = None) -> None:
        self.encoder = Encoder(document)
        self.address = address or self.encoder.address
        self._authority = event_authority(self.address)

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

        instruction: by its name in the IDL, with `args`; None sends bytes that are none. error: the IDL's name of the error
        that it ends with. caller: a program that invokes it, so that it runs at depth 2.
        """
        data = b"\0" if instruction is None else self.encoder.instruction(instruction, args or {})
        depth = 1 if caller is None else 2
        logs, inner = self._speak(said, depth)
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

    def _speak(self, said: Sequence[Said], depth: int) -> tuple[list[str], list[DraftInner]]:
        logs = [f"Program {self.address} invoke [{depth}]"]
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
