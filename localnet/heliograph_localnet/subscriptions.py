"""Subscriptions of one node: chain events in, notifications out. Does no I/O.

As in Agave, equal subscriptions share one id, also across connections. Semantics by commitment: `confirmed`
sees every confirmed block once; `processed` and `finalized` read one bank each time a block is processed, so
a root that jumps leaves slots out and a root that stays is told again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec
import orjson

from heliograph_localnet.account_filter import Filter
from heliograph_localnet.block import Block, Executed
from heliograph_localnet.chain_event import ChainEvent, Confirmed, Forked, Processed, Rooted
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.draft import SYSTEM_PROGRAM, AccountData
from heliograph_localnet.rpc_accounts import account_json
from heliograph_localnet.rpc_error import RpcFault, invalid_params
from heliograph_localnet.rpc_params import AccountEncoding, Details, TransactionEncoding
from heliograph_localnet.rpc_transaction import block_json
from heliograph_localnet.view import View

_GONE = AccountData(SYSTEM_PROGRAM, 0)


class Logs(msgspec.Struct, frozen=True):
    """address: None for all. votes: whether simple votes count."""

    address: str | None
    votes: bool
    commitment: Commitment


class Program(msgspec.Struct, frozen=True):
    """filters: their JSON text, which tells equal subscriptions."""

    address: str
    encoding: AccountEncoding
    filters: bytes
    commitment: Commitment
    allows: Filter


class Account(msgspec.Struct, frozen=True):
    address: str
    encoding: AccountEncoding
    commitment: Commitment


class SignatureOf(msgspec.Struct, frozen=True):
    signature: str
    received: bool
    commitment: Commitment


class Blocks(msgspec.Struct, frozen=True):
    address: str | None
    encoding: TransactionEncoding
    details: Details
    rewards: bool
    max_version: int | None
    commitment: Commitment


class Slots(msgspec.Struct, frozen=True):
    pass


class SlotsUpdates(msgspec.Struct, frozen=True):
    pass


class Roots(msgspec.Struct, frozen=True):
    pass


Subject = Logs | Program | Account | SignatureOf | Blocks | Slots | SlotsUpdates | Roots

_NOTIFICATION: dict[type, str] = {
    Logs: "logsNotification",
    Program: "programNotification",
    Account: "accountNotification",
    SignatureOf: "signatureNotification",
    Blocks: "blockNotification",
    Slots: "slotNotification",
    SlotsUpdates: "slotsUpdatesNotification",
    Roots: "rootNotification",
}


class Outbox(Protocol):
    """Where notifications of one connection go."""

    def deliver(self, method: str, result: object, text: bytes) -> None:
        """result: the JSON value; text: the whole message, rendered."""

    def forget(self, subscription: int) -> None:
        """The node ended this subscription by itself."""


class _Subscription:
    """since: executions before it were logged without this filter. notified: accounts: the slot told last."""

    def __init__(self, number: int, subject: Subject, since: int, notified: int) -> None:
        self.number = number
        self.subject = subject
        self.since = since
        self.notified = notified
        self.outboxes: dict[Outbox, None] = {}


class Subscriptions:
    """limit: of distinct subscriptions; further ones are refused. shuffle: tell a block's transactions and
    accounts in an order of their own, as a node does that executes in parallel.
    """

    def __init__(self, view: View, *, limit: int = 1_000_000, shuffle: bool = True) -> None:
        self._view = view
        self._limit = limit
        self._shuffle = shuffle
        self._next = 0
        self._by_number: dict[int, _Subscription] = {}
        self._by_subject: dict[tuple[object, ...], _Subscription] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def subscribe(self, subject: Subject, outbox: Outbox) -> int:
        """The subscription's id. Raises RpcFault where the node's limit is reached."""
        key = _identity(subject)
        subscription = self._by_subject.get(key)
        if subscription is None:
            if len(self._by_number) >= self._limit:
                message = "Internal Error: Subscription refused. Node subscription limit reached"
                raise RpcFault(-32603, message)
            subscription = _Subscription(
                self._next, subject, self._view.chain.executions, self._told_already(subject)
            )
            self._next += 1
            self._by_subject[key] = self._by_number[subscription.number] = subscription
        subscription.outboxes[outbox] = None
        return subscription.number

    def unsubscribe(self, number: int, outbox: Outbox) -> bool:
        """Raises RpcFault for an id that is not of this connection."""
        subscription = self._by_number.get(number)
        if subscription is None or outbox not in subscription.outboxes:
            raise invalid_params("Invalid subscription id.")
        self._remove(subscription, outbox)
        return True

    def leave(self, outbox: Outbox) -> None:
        """The connection is gone."""
        for subscription in [each for each in self._by_number.values() if outbox in each.outboxes]:
            self._remove(subscription, outbox)

    def on_event(self, event: ChainEvent) -> None:
        match event:
            case Processed(block):
                self._on_processed(block)
            case Confirmed(block):
                self._slots_update({"type": "optimisticConfirmation", **self._when(block)})
                for subscription in self._watching(Commitment.CONFIRMED):
                    self._notify(subscription, block)
            case Rooted(block):
                self._slots_update({"type": "root", **self._when(block)})
                for subscription in self._about(Roots):
                    self._send(subscription, block.slot)
            case Forked():
                # A node does not tell of forks: what replaces the blocks is simply told again.
                pass

    def _on_processed(self, block: Block) -> None:
        root = self._view.chain.slot_at(Commitment.FINALIZED)
        for subscription in self._about(Slots):
            self._send(subscription, {"slot": block.slot, "parent": block.parent_slot, "root": root})
        self._slots_update({"type": "createdBank", **self._when(block), "parent": block.parent_slot})
        failed = sum(executed.err is not None for executed in block.transactions)
        stats = {
            "maxTransactionsPerEntry": len(block.transactions),
            "numFailedTransactions": failed,
            "numSuccessfulTransactions": len(block.transactions) - failed,
            "numTransactionEntries": 1 if block.transactions else 0,
        }
        self._slots_update({"type": "frozen", **self._when(block), "stats": stats, "hash": block.blockhash})
        for subscription in self._about(SignatureOf):
            subject = subscription.subject
            assert isinstance(subject, SignatureOf)
            if subject.received and any(t.signature == subject.signature for t in block.transactions):
                self._send_value(subscription, block.slot, "receivedSignature")
        for subscription in self._watching(Commitment.PROCESSED):
            self._notify(subscription, block)
        rooted = self._view.chain.block(root)
        if rooted is not None:
            for subscription in self._watching(Commitment.FINALIZED):
                self._notify(subscription, rooted)

    def _notify(self, subscription: _Subscription, block: Block) -> None:
        match subscription.subject:
            case Logs() as logs:
                for executed in self._order(block):
                    if executed.serial >= subscription.since and _logged(logs, executed):
                        value = {"signature": executed.signature, "err": executed.err, "logs": executed.logs}
                        self._send_value(subscription, block.slot, value)
            case Program() as program:
                for address, account in self._modified(block):
                    if account.owner == program.address and program.allows(account.data):
                        shown = {"pubkey": address, "account": account_json(account, program.encoding)}
                        self._send_value(subscription, block.slot, shown)
            case Account() as watched:
                slot, found = self._account(watched.address, block.slot)
                if slot != subscription.notified:
                    self._send_value(subscription, block.slot, account_json(found, watched.encoding))
                    subscription.notified = slot
            case SignatureOf(signature):
                executed_here = self._view.chain.transaction(signature)
                if executed_here is not None and executed_here.slot == block.slot:
                    self._send_value(subscription, block.slot, {"err": executed_here.err})
                    self._end(subscription)
            case Blocks() as blocks:
                self._notify_block(subscription, blocks, block)

    def _notify_block(self, subscription: _Subscription, wanted: Blocks, block: Block) -> None:
        if wanted.address is not None:
            chosen = tuple(t for t in block.transactions if wanted.address in t.keys)
            if not chosen:
                return
            block = msgspec.structs.replace(block, transactions=chosen)
        value: dict[str, Any] = {"slot": block.slot, "block": None, "err": None}
        try:
            value["block"] = block_json(
                block, wanted.encoding, wanted.details, wanted.max_version, rewards=wanted.rewards
            )
        except RpcFault:
            newest = max(t.version for t in block.transactions if t.version != "legacy")
            value["err"] = {"UnsupportedTransactionVersion": int(newest)}
        self._send_value(subscription, block.slot, value)

    def _account(self, address: str, slot: int) -> tuple[int, AccountData]:
        version = self._view.chain.accounts.read(address, slot)
        if version is None or version[1] is None:
            return 0, _GONE
        return version[0], version[1]

    def _told_already(self, subject: Subject) -> int:
        if not isinstance(subject, Account):
            return 0
        return self._account(subject.address, self._view.slot_at(subject.commitment))[0]

    def _modified(self, block: Block) -> list[tuple[str, AccountData]]:
        live = [pair for pair in self._view.chain.accounts.modified(block.slot) if pair[1] is not None]
        if self._shuffle:
            random.Random(block.blockhash).shuffle(live)
        return [(address, account) for address, account in live if account is not None]

    def _order(self, block: Block) -> list[Executed]:
        transactions = list(block.transactions)
        if self._shuffle:
            random.Random(block.blockhash).shuffle(transactions)
        return transactions

    def _when(self, block: Block) -> dict[str, int]:
        return {"slot": block.slot, "timestamp": block.time * 1000}

    def _slots_update(self, value: dict[str, Any]) -> None:
        for subscription in self._about(SlotsUpdates):
            self._send(subscription, value)

    def _about(self, kind: type[Subject]) -> Iterator[_Subscription]:
        return self._those(lambda subject: isinstance(subject, kind))

    def _watching(self, commitment: Commitment) -> Iterator[_Subscription]:
        return self._those(lambda subject: getattr(subject, "commitment", None) is commitment)

    def _those(self, wanted: Callable[[Subject], bool]) -> Iterator[_Subscription]:
        # A copy: a signature's subscription ends while it is told.
        for subscription in tuple(self._by_number.values()):
            if wanted(subscription.subject):
                yield subscription

    def _send_value(self, subscription: _Subscription, slot: int, value: object) -> None:
        self._send(subscription, {"context": {"slot": slot}, "value": value})

    def _send(self, subscription: _Subscription, result: object) -> None:
        method = _NOTIFICATION[type(subscription.subject)]
        text = notification_json(method, result, subscription.number)
        for outbox in tuple(subscription.outboxes):
            outbox.deliver(method, result, text)

    def _end(self, subscription: _Subscription) -> None:
        for outbox in tuple(subscription.outboxes):
            outbox.forget(subscription.number)
            self._remove(subscription, outbox)

    def _remove(self, subscription: _Subscription, outbox: Outbox) -> None:
        del subscription.outboxes[outbox]
        if not subscription.outboxes:
            del self._by_number[subscription.number]
            del self._by_subject[_identity(subscription.subject)]


def notification_json(method: str, result: object, number: int) -> bytes:
    params = {"result": result, "subscription": number}
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})


def _logged(logs: Logs, executed: Executed) -> bool:
    if logs.address is not None:
        return logs.address in executed.keys
    return logs.votes or not executed.vote


def _identity(subject: Subject) -> tuple[object, ...]:
    if isinstance(subject, Program):
        return Program, subject.address, subject.encoding, subject.filters, subject.commitment
    return type(subject), *msgspec.structs.astuple(subject)
