"""The methods of a Solana endpoint that indexing needs, typed. One method here is one JSON-RPC method."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from heliograph_core.account import AccountUpdate
from heliograph_core.errors import RpcError, RpcRefused
from heliograph_indexer.rpc import faults
from heliograph_indexer.rpc.caller import Caller
from heliograph_indexer.rpc.client import Call, RpcClient
from heliograph_indexer.rpc.pool import Pin, Pool
from heliograph_indexer.rpc.share import ClientShare

HIGHEST_TRANSACTION_VERSION = 1
"""Live on mainnet since September 2026; a lower number makes most blocks fail with -32015 (FACTS)."""


class SignatureRow(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A row of getSignaturesForAddress. transaction_index: None on nodes before Agave 4.0."""

    signature: str
    slot: int
    err: Any = None
    block_time: int | None = None
    transaction_index: int | None = None


class BlockHead(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A block without its transactions; `signatures` in block order."""

    blockhash: str
    parent_slot: int
    block_time: int | None = None
    signatures: tuple[str, ...] = ()


class _Context(msgspec.Struct, frozen=True):
    slot: int


class _Account(msgspec.Struct, frozen=True):
    lamports: int
    owner: str
    data: tuple[str, str]


class _Keyed(msgspec.Struct, frozen=True):
    pubkey: str
    account: _Account


class _Scan(msgspec.Struct, frozen=True):
    context: _Context
    value: list[_Keyed]


class _Accounts(msgspec.Struct, frozen=True):
    context: _Context
    value: list[_Account | None]


_STR: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_INT: msgspec.json.Decoder[int] = msgspec.json.Decoder(int)
_INT_OR_NONE: msgspec.json.Decoder[int | None] = msgspec.json.Decoder(int | None)
_INTS: msgspec.json.Decoder[list[int]] = msgspec.json.Decoder(list[int])
_BLOCK: msgspec.json.Decoder[BlockHead | None] = msgspec.json.Decoder(BlockHead | None)
_ROWS: msgspec.json.Decoder[list[SignatureRow]] = msgspec.json.Decoder(list[SignatureRow])
_ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)
_RECORD: msgspec.json.Decoder[dict[str, Any] | None] = msgspec.json.Decoder(dict[str, Any] | None)
_SCAN: msgspec.json.Decoder[_Scan] = msgspec.json.Decoder(_Scan)
_ACCOUNTS: msgspec.json.Decoder[_Accounts] = msgspec.json.Decoder(_Accounts)


class AccountScan(msgspec.Struct, frozen=True, gc=False):
    """All accounts of one program as of context slot `slot`."""

    slot: int
    accounts: tuple[AccountUpdate, ...]


class Cluster:
    """A Solana cluster as one endpoint, or any of several, shows it, at one commitment. Errors are the caller's."""

    def __init__(self, client: Caller, commitment: str = "confirmed") -> None:
        self._client = client
        self._commitment = commitment

    @property
    def endpoint(self) -> str:
        """Who is asked, as it may be printed."""
        return self._client.endpoint

    def pinned(self) -> tuple[Cluster, Pin]:
        """The cluster as one of its endpoints shows it, and what moves that to another one."""
        pin = self._pool().pin()
        return self._at(pin), pin

    def each(self) -> list[Cluster]:
        """The cluster as each of its endpoints shows it, in order of preference."""
        return [self._at(pin) for pin in self._pool().pins()]

    def finalized(self) -> Cluster:
        """The same endpoints at the commitment `finalized`."""
        return Cluster(self._client, "finalized")

    def _pool(self) -> Pool:
        client = self._client.whole if isinstance(self._client, ClientShare) else self._client
        if isinstance(client, Pool):
            return client
        if isinstance(client, RpcClient):
            return Pool([client])
        raise TypeError(f"{self.endpoint} is pinned already")

    def _at(self, pin: Pin) -> Cluster:
        client = self._client.of(pin) if isinstance(self._client, ClientShare) else pin
        return Cluster(client, self._commitment)

    async def genesis(self) -> str:
        """The genesis hash, which names the cluster."""
        return await self._client.call("getGenesisHash", decoder=_STR)

    async def bind(self, genesis: str, owner: str) -> None:
        """From here on only endpoints with this genesis hash are used. owner: whose cluster that is, for messages.

        Raises RpcRefused, naming both clusters, where every endpoint is of another one.
        """
        pool = self._pool()
        pool.bind(genesis, owner)
        await pool.check()

    async def slot(self, commitment: str | None = None) -> int:
        """The highest slot at the commitment."""
        return await self._client.call(
            "getSlot", {"commitment": commitment or self._commitment}, decoder=_INT
        )

    async def block(self, slot: int) -> BlockHead:
        """Raises RpcError with a code of faults.NOT_YET or faults.MISSING at once, without a retry."""
        head = (await self.blocks([slot]))[0]
        if isinstance(head, RpcError):
            raise head
        return head

    async def blocks(self, slots: Sequence[int]) -> list[BlockHead | RpcError]:
        """Several at once; the place of one that failed holds its error."""
        calls = [Call("getBlock", (slot, self._block_config())) for slot in slots]
        heads = await self._client.batch(calls, decoder=_BLOCK, give_back=faults.NOT_YET | faults.MISSING)
        return [self._not_null(slot, head) for slot, head in zip(slots, heads, strict=True)]

    async def blockhashes(self, slots: Sequence[int]) -> list[str | RpcError]:
        """As blocks(), for who wants no signatures: an answer of a few bytes instead of a block's thousands."""
        calls = [Call("getBlock", (slot, self._block_config("none"))) for slot in slots]
        heads = await self._client.batch(calls, decoder=_BLOCK, give_back=faults.NOT_YET | faults.MISSING)
        found = [self._not_null(slot, head) for slot, head in zip(slots, heads, strict=True)]
        return [head if isinstance(head, RpcError) else head.blockhash for head in found]

    async def is_alpenglow(self) -> bool:
        """Whether what is confirmed here is final already: such a cluster has a certificate of its genesis."""
        try:
            certificate = await self._client.call("getAgGenesisCert", decoder=_ANYTHING)
        except RpcRefused:
            # Gateways refuse methods that they do not know in many ways.
            return False
        return certificate is not None

    async def block_slots(self, first: int, last: int) -> list[int]:
        """Slots of first..last (at most 500,000 of them) that hold a block."""
        return await self._client.call(
            "getBlocks", first, last, {"commitment": self._commitment}, decoder=_INTS
        )

    async def block_time(self, slot: int) -> int | None:
        """Unix seconds, None where the block has none. Codes as for block()."""
        return await self._client.call(
            "getBlockTime", slot, decoder=_INT_OR_NONE, give_back=faults.NOT_YET | faults.MISSING
        )

    async def first_available_block(self) -> int:
        """The lowest slot whose block the endpoint still keeps."""
        return await self._client.call("getFirstAvailableBlock", decoder=_INT)

    async def signatures(
        self,
        address: str,
        *,
        limit: int,
        before: str | None = None,
        until: str | None = None,
        min_context_slot: int | None = None,
    ) -> list[SignatureRow]:
        """One page, newest first; `before` and `until` are not part of it."""
        config: dict[str, Any] = {"commitment": self._commitment, "limit": limit}
        if before is not None:
            config["before"] = before
        if until is not None:
            config["until"] = until
        if min_context_slot is not None:
            config["minContextSlot"] = min_context_slot
        return await self._client.call("getSignaturesForAddress", address, config, decoder=_ROWS)

    async def transactions(self, signatures: Sequence[str]) -> list[dict[str, Any] | RpcError | None]:
        """getTransaction results as JSON values; None for one that the endpoint does not return (yet)."""
        config = {
            "commitment": self._commitment,
            "encoding": "json",
            "maxSupportedTransactionVersion": HIGHEST_TRANSACTION_VERSION,
        }
        calls = [Call("getTransaction", (signature, config)) for signature in signatures]
        return await self._client.batch(calls, decoder=_RECORD)

    async def program_accounts(self, program: str, *, min_context_slot: int | None = None) -> AccountScan:
        """Every account that `program` owns, seen at `min_context_slot` or later."""
        config = {**self._account_config(min_context_slot), "withContext": True}
        scan = await self._client.call("getProgramAccounts", program, config, decoder=_SCAN)
        slot = scan.context.slot
        return AccountScan(
            slot, tuple(self._update(keyed.pubkey, keyed.account, slot) for keyed in scan.value)
        )

    async def accounts(
        self, addresses: Sequence[str], *, min_context_slot: int | None = None
    ) -> tuple[AccountUpdate, ...]:
        """Up to 100 accounts, seen at `min_context_slot` or later; one that does not exist comes back closed."""
        config = self._account_config(min_context_slot)
        found = await self._client.call("getMultipleAccounts", list(addresses), config, decoder=_ACCOUNTS)
        slot = found.context.slot
        if len(found.value) != len(addresses):
            raise faults.unreachable(
                self.endpoint,
                "getMultipleAccounts",
                f"{len(addresses)} accounts were asked for and {len(found.value)} came",
            )
        return tuple(
            self._update(address, account, slot)
            if account is not None
            else AccountUpdate(address, "", slot, 0, b"")
            for address, account in zip(addresses, found.value, strict=True)
        )

    def _account_config(self, min_context_slot: int | None) -> dict[str, Any]:
        config: dict[str, Any] = {"commitment": self._commitment, "encoding": "base64"}
        if min_context_slot is not None:
            config["minContextSlot"] = min_context_slot
        return config

    def _block_config(self, details: str = "signatures") -> dict[str, Any]:
        return {
            "commitment": self._commitment,
            "encoding": "json",
            "transactionDetails": details,
            "rewards": False,
            "maxSupportedTransactionVersion": HIGHEST_TRANSACTION_VERSION,
        }

    def _not_null(self, slot: int, head: BlockHead | RpcError | None) -> BlockHead | RpcError:
        if head is None:
            # Old nodes and some runtimes answer null where others answer -32004.
            return faults.from_code(
                self.endpoint, "getBlock", faults.BLOCK_NOT_AVAILABLE, f"null for slot {slot}"
            )
        return head

    def _update(self, address: str, account: _Account, slot: int) -> AccountUpdate:
        try:
            data = base64.b64decode(account.data[0], validate=True)
        except ValueError as error:
            raise faults.unreachable(
                self.endpoint, "account", f"the data of {address} is no base64: {error}"
            ) from error
        return AccountUpdate(address, account.owner, slot, account.lamports, data)
