"""A small chain, drafts for it and ways to ask it, for every test of localnet."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec
import orjson
import pytest
from solders.pubkey import Pubkey

from heliograph_localnet import rpc
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import AccountData, Draft, DraftInner, DraftInstruction
from heliograph_localnet.node import Node
from heliograph_localnet.view import View

Address = Callable[[str], str]
MakeDraft = Callable[..., Draft]
Ask = Callable[..., Any]


@pytest.fixture
def address() -> Address:
    """An address by name: the same in every run."""
    return lambda name: str(Pubkey.from_bytes(hashlib.sha256(name.encode()).digest()))


@pytest.fixture
def make_draft(address: Address) -> MakeDraft:
    """A draft that calls `program`, which calls itself once; keywords go to Draft. Names, not addresses."""

    def make(
        program: str = "program",
        payer: str = "payer",
        accounts: tuple[str, ...] = ("market",),
        writes: Mapping[str, AccountData | None] | None = None,
        data: bytes = b"\x00call",
        **rest: Any,
    ) -> Draft:
        owner = address(program)
        loaded = tuple(address(name) for name in accounts)
        inner = DraftInner(owner, loaded[:1], b"\xe4\x45event", 2)
        settings: dict[str, Any] = {
            "fee_payer": address(payer),
            "instructions": (DraftInstruction(owner, (address(payer), *loaded), data, (inner,)),),
            "logs": (f"Program {owner} invoke [1]", f"Program {owner} success"),
            "compute_units": 1_234,
            "writes": {address(name): account for name, account in (writes or {}).items()},
        }
        return Draft(**(settings | rest))

    return make


@pytest.fixture
def chain() -> Chain:
    return Chain(seed=7, genesis_time=1_800_000_000, slot_ms=250, first_slot=1_000)


@pytest.fixture
def view(chain: Chain) -> View:
    return View(chain)


@pytest.fixture
def ask(view: View) -> Ask:
    """Call a JSON-RPC method of the view; the result as a client would see it. Raises RpcFault."""

    def call(method: str, *params: object) -> Any:
        request = rpc.Request(method, list(params), 1, True)
        return orjson.loads(orjson.dumps(rpc.call(view, request)))

    return call


@pytest.fixture
async def node(chain: Chain) -> AsyncIterator[Node]:
    running = Node(chain)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def held(address: Address) -> Callable[..., AccountData]:
    """Contents of an account that `program` owns."""

    def make(data: bytes = b"data", program: str = "program", lamports: int = 1_000) -> AccountData:
        return AccountData(address(program), lamports, data)

    return make


@pytest.fixture
def failed() -> object:
    """The error of a custom program error 6000 in the first instruction."""
    return msgspec.json.decode(b'{"InstructionError": [0, {"Custom": 6000}]}')
