"""Reads a getTransaction result (encoding json) into a Transaction.

In: the result as parsed JSON, of any transaction version. Out: a Transaction. Raises TransactionError for a
record that is none or contradicts itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from heliograph_core.errors import TransactionError
from heliograph_core.transaction import InnerInstruction, Instruction, Transaction
from heliograph_indexer.base58 import decode_base58
from heliograph_indexer.walk import PRECOMPILES, invoke_lines

LAMPORTS_PER_SIGNATURE = 5000


def parse_transaction(result: Mapping[str, Any], tx_index: int | None = None) -> Transaction:
    """The transaction; `tx_index` where the block's order is known otherwise, else its own transactionIndex, else 0.

    Account keys are the static ones, then those loaded from lookup tables, writable before readonly. Where an
    old record lacks the stack heights they are taken from the log lines; where these do not match, every inner
    instruction counts as a direct callee.
    """
    return _Record(result).parse(tx_index)


class _Record:
    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = result
        self.signature = "?"

    def fail(self, message: str) -> NoReturn:
        raise TransactionError(f"transaction {self.signature}: {message}")

    def parse(self, tx_index: int | None) -> Transaction:
        transaction = self.member(self.result, "transaction", dict)
        signatures = self.member(transaction, "signatures", list)
        if not signatures or not isinstance(signatures[0], str):
            self.fail("it has no signature")
        self.signature = signatures[0]
        message = self.member(transaction, "message", dict)
        meta = self.member(self.result, "meta", dict)
        logs = self.logs(meta)
        keys = self.keys(message, meta)
        instructions = self.instructions(message, meta, keys, logs)
        fee = self.optional(meta, "fee", int)
        if tx_index is None:
            tx_index = self.optional(self.result, "transactionIndex", int) or 0
        return Transaction(
            signature=self.signature,
            tx_index=tx_index,
            err=meta.get("err"),
            logs=logs,
            instructions=instructions,
            fee=fee,
            fee_payer=keys[0] if keys else None,
            priority_fee=None if fee is None else _priority_fee(fee, len(signatures), instructions),
            compute_units=self.optional(meta, "computeUnitsConsumed", int),
            version=str(self.result.get("version", "legacy")),
        )

    def logs(self, meta: Mapping[str, Any]) -> tuple[str, ...] | None:
        logs = self.optional(meta, "logMessages", list)
        if logs is None:
            return None
        if not all(isinstance(line, str) for line in logs):
            self.fail("logMessages holds something that is not text")
        return tuple(logs)

    def keys(self, message: Mapping[str, Any], meta: Mapping[str, Any]) -> list[str]:
        keys: list[Any] = []
        for key in self.member(message, "accountKeys", list):
            # jsonParsed spells them as objects, lookup-table keys included.
            keys.append(key.get("pubkey") if isinstance(key, dict) else key)
        parsed = any(isinstance(key, dict) for key in message["accountKeys"])
        loaded = self.optional(meta, "loadedAddresses", dict)
        if loaded is not None and not parsed:
            keys += self.member(loaded, "writable", list)
            keys += self.member(loaded, "readonly", list)
        if not all(isinstance(key, str) for key in keys):
            self.fail("an account key is not text")
        return keys

    def instructions(
        self,
        message: Mapping[str, Any],
        meta: Mapping[str, Any],
        keys: Sequence[str],
        logs: Sequence[str] | None,
    ) -> tuple[Instruction, ...] | None:
        outer = self.member(message, "instructions", list)
        groups: dict[int, list[Any]] = {}
        recorded = self.optional(meta, "innerInstructions", list)
        for group in recorded or ():
            index = self.member(group, "index", int)
            if not 0 <= index < len(outer):
                self.fail(f"inner instructions of instruction {index}, but it has {len(outer)}")
            inner = self.member(group, "instructions", list)
            if not all(isinstance(each, dict) for each in inner):
                self.fail(f"an inner instruction of instruction {index} is no object; ask for encoding json")
            groups.setdefault(index, []).extend(inner)
        if recorded is None and logs is None:
            return None
        programs = [self.program(each, keys) for each in outer]
        depth = self.depths(outer, programs, groups, keys, logs)
        return tuple(
            Instruction(
                program=programs[index],
                accounts=self.accounts(each, keys),
                data=self.data(each),
                inner=tuple(
                    InnerInstruction(
                        program=self.program(inner, keys),
                        accounts=self.accounts(inner, keys),
                        data=self.data(inner),
                        depth=depth(inner),
                    )
                    for inner in groups.get(index, ())
                ),
            )
            for index, each in enumerate(outer)
        )

    def depths(
        self,
        outer: Sequence[Any],
        programs: Sequence[str],
        groups: Mapping[int, Sequence[Any]],
        keys: Sequence[str],
        logs: Sequence[str] | None,
    ) -> Callable[[Mapping[str, Any]], int]:
        """A function that tells the stack height of each inner instruction, asked in order."""
        if all(isinstance(each.get("stackHeight"), int) for group in groups.values() for each in group):
            return lambda inner: int(inner["stackHeight"])
        order: list[str] = []
        tops: list[bool] = []
        for index in range(len(outer)):
            if programs[index] not in PRECOMPILES:
                order.append(programs[index])
                tops.append(True)
            for inner in groups.get(index, ()):
                order.append(self.program(inner, keys))
                tops.append(False)
        invokes = invoke_lines(logs or ())
        if [program for program, _ in invokes] != order or [depth == 1 for _, depth in invokes] != tops:
            return lambda inner: 2
        heights = iter([depth for _, depth in invokes if depth > 1])
        return lambda inner: next(heights)

    def program(self, instruction: Any, keys: Sequence[str]) -> str:
        index: int = self.member(instruction, "programIdIndex", int)
        if not 0 <= index < len(keys):
            self.fail(f"an instruction names account {index}, but it has {len(keys)}")
        return keys[index]

    def accounts(self, instruction: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
        indexes = self.member(instruction, "accounts", list)
        for index in indexes:
            if not isinstance(index, int) or not 0 <= index < len(keys):
                self.fail(f"an instruction names account {index}, but it has {len(keys)}")
        return tuple([keys[index] for index in indexes])

    def data(self, instruction: Mapping[str, Any]) -> bytes:
        text = self.member(instruction, "data", str)
        try:
            return decode_base58(text)
        except ValueError as error:
            self.fail(f"instruction data: {error}")

    def member(self, value: Any, key: str, kind: type) -> Any:
        found = value.get(key) if isinstance(value, dict) else None
        if not isinstance(found, kind) or isinstance(found, bool):
            self.fail(f"its {key} is missing or no {_KINDS[kind]}; ask for encoding json")
        return found

    def optional(self, value: Mapping[str, Any], key: str, kind: type) -> Any:
        return None if value.get(key) is None else self.member(value, key, kind)


_KINDS: Mapping[type, str] = {list: "list", int: "integer", str: "text", dict: "object"}


def _priority_fee(fee: int, signatures: int, instructions: Sequence[Instruction] | None) -> int:
    """What was paid above the base fee. The signatures that a precompile checks cost as much as the sender's."""
    for instruction in instructions or ():
        # The first byte of a precompile's data counts the signatures to check.
        if instruction.program in PRECOMPILES and instruction.data:
            signatures += instruction.data[0]
    return max(0, fee - signatures * LAMPORTS_PER_SIGNATURE)


def find_results(document: Any) -> Iterator[Mapping[str, Any]]:
    """The getTransaction results in an answer, a batch of answers, or a result by itself."""
    if isinstance(document, list):
        for each in document:
            yield from find_results(each)
    elif isinstance(document, dict):
        if "jsonrpc" in document or ("result" in document and "transaction" not in document):
            if isinstance(document.get("error"), dict):
                raise TransactionError(f"the answer is an error: {document['error'].get('message')}")
            if document.get("result") is None:
                raise TransactionError("the answer's result is null: the node does not have that transaction")
            document = document["result"]
        yield document
    else:
        raise TransactionError(f"no transaction record but {type(document).__name__}")
