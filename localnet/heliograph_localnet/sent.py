"""What a client's transaction asks of GoDark: wire transaction in, operation out. The inverse of the IDL encoder's
instructions, written by hand, because localnet may not use the indexer's decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec
from solders.message import MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from heliograph_localnet.addresses import (
    POSITIONS,
    POSITIONS_AUTHORITY,
    POSITIONS_CODEC,
    VAULT,
    VAULT_AUTHORITY,
    VAULT_CODEC,
)
from heliograph_localnet.draft import COMPUTE_BUDGET_PROGRAM, Version
from heliograph_localnet.exchange.facts import Terms
from heliograph_localnet.executor import Rejected, unknown_program
from heliograph_localnet.manner import Manner
from heliograph_localnet.operation import (
    CreateMarket,
    Deposit,
    Liquidate,
    Operation,
    PlaceOrder,
    SetPrice,
    SettleFunding,
    UpdateFunding,
    Withdraw,
)

FUNDED_AT_ONCE = 16
"""Positions that one settle_funding of a client settles."""

DEFAULT_UNITS = 200_000
"""Compute units of a transaction that asks for none."""

Owner = Callable[[str], str | None]
"""Position address -> the wallet whose position it is."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """keys: all that the transaction may touch. accounts: those of the instruction."""

    operation: Operation
    manner: Manner
    keys: frozenset[str]
    accounts: tuple[str, ...]


def read(transaction: VersionedTransaction, owner: Owner) -> Request:
    """Raises Rejected for anything but compute budget instructions and one instruction of godark."""
    message = transaction.message
    keys = tuple(map(str, message.account_keys))
    manner = Manner(version=_version(transaction), unit_limit=DEFAULT_UNITS, budget=())
    found: tuple[Operation, tuple[str, ...]] | None = None
    for at, instruction in enumerate(message.instructions):
        program = keys[instruction.program_id_index]
        data = bytes(instruction.data)
        if program == COMPUTE_BUDGET_PROGRAM:
            if found is not None:
                raise _refuse(
                    at, "InvalidInstructionData", "put the compute budget ahead of godark's instruction"
                )
            manner = _budget(manner, data, at)
            continue
        if program not in (POSITIONS, VAULT):
            raise unknown_program()
        if found is not None:
            raise _refuse(at, "InvalidInstructionData", "one godark instruction a transaction, no more")
        accounts = tuple(keys[index] for index in instruction.accounts if index < len(keys))
        found = _operation(program, accounts, data, owner, at), accounts
    if found is None:
        raise unknown_program()
    return Request(found[0], manner, frozenset(keys), found[1])


def _version(transaction: VersionedTransaction) -> Version:
    if isinstance(transaction.message, MessageV0):
        return "0"
    return "1" if isinstance(transaction.message, MessageV1) else "legacy"


def _budget(manner: Manner, data: bytes, at: int) -> Manner:
    """A compute budget instruction: 2 sets the limit (u32), 3 the price (u64)."""
    budget = (*(manner.budget or ()), data)
    if data[:1] == b"\x02" and len(data) == 5:
        return msgspec.structs.replace(manner, budget=budget, unit_limit=struct.unpack_from("<I", data, 1)[0])
    if data[:1] == b"\x03" and len(data) == 9:
        return msgspec.structs.replace(manner, budget=budget, unit_price=struct.unpack_from("<Q", data, 1)[0])
    if data[:1] in (b"\x01", b"\x04") and len(data) == 5:
        return msgspec.structs.replace(manner, budget=budget)
    raise _refuse(at, "InvalidInstructionData", "no compute budget instruction that localnet knows")


def _operation(program: str, accounts: tuple[str, ...], data: bytes, owner: Owner, at: int) -> Operation:
    home, name = _NAMES.get((program, data[:8]), ("", ""))
    if not home:
        raise _refuse(at, {"Custom": 101}, f"{program} has no instruction {data[:8].hex()}")
    need = _ACCOUNTS[name]
    if len(accounts) < need:
        raise _refuse(at, "NotEnoughAccountKeys", f"{name} takes {need} accounts, {len(accounts)} were given")
    try:
        return _read(name, accounts, data[8:], owner, at)
    except (struct.error, UnicodeDecodeError, IndexError):
        raise _refuse(at, {"Custom": 102}, f"the arguments of {name} cannot be read") from None


def _read(name: str, accounts: tuple[str, ...], args: bytes, owner: Owner, at: int) -> Operation:
    by, second = accounts[0], accounts[1]
    if name in ("deposit", "withdraw"):
        (amount,) = _exactly("<Q", args)
        return Deposit(by, amount) if name == "deposit" else Withdraw(by, amount)
    if name == "update_oracle":
        return SetPrice(by, second, *_exactly("<QQq", args))
    if name == "update_funding":
        return UpdateFunding(by, second)
    if name == "settle_funding":
        return SettleFunding(by, second, FUNDED_AT_ONCE)
    if name == "create_market":
        return _create_market(by, second, args)
    missing = [
        address for address in (VAULT, VAULT_AUTHORITY, POSITIONS_AUTHORITY) if address not in accounts
    ]
    if missing:
        text = f"{name} calls the vault and itself: add {missing[0]} to the accounts"
        raise _refuse(at, "MissingAccount", text)
    if name == "liquidate":
        wallet = owner(accounts[2])
        if wallet is None:
            raise _refuse(at, {"Custom": 3012}, f"{accounts[2]} is no open position")
        return Liquidate(by, second, wallet)
    side, kind, priced = args[0], args[1], args[2]
    if side > 1 or kind > 1 or priced > 1 or priced != kind:
        raise IndexError
    price, rest = (_exactly("<Q", args[3:11])[0], args[11:]) if priced else (None, args[3:])
    size, reduce_only, collateral = _exactly("<Q?Q", rest)
    return PlaceOrder(by, second, "short" if side else "long", size, price, reduce_only, collateral)


def _create_market(by: str, market: str, args: bytes) -> CreateMarket:
    texts = []
    for _ in range(3):
        (length,) = struct.unpack_from("<I", args)
        texts.append(args[4 : 4 + length].decode())
        args = args[4 + length :]
    oracle = str(Pubkey.from_bytes(args[:32])) if len(args) >= 32 else ""
    tick, lot, initial, maintenance, taker, maker, interval = _exactly("<QQIIiiI", args[32:])
    terms = Terms(
        symbol=texts[0],
        base_asset=texts[1],
        quote_asset=texts[2],
        oracle=oracle,
        tick_size=tick,
        lot_size=lot,
        initial_margin_ratio=initial,
        maintenance_margin_ratio=maintenance,
        taker_fee_rate=taker,
        maker_fee_rate=maker,
        funding_interval_seconds=interval,
    )
    return CreateMarket(by, market, terms)


def _exactly(layout: str, data: bytes) -> tuple[Any, ...]:
    """Raises struct.error unless `data` is all of `layout`."""
    return struct.unpack(layout, data)


def _refuse(at: int, kind: object, text: str) -> Rejected:
    return Rejected(f"Error processing Instruction {at}: {text}", err={"InstructionError": [at, kind]})


_ACCOUNTS = {
    "create_market": 4,
    "update_oracle": 2,
    "update_funding": 2,
    "place_order": 6,
    "settle_funding": 4,
    "liquidate": 6,
    "deposit": 4,
    "withdraw": 4,
}
"""Instructions that a client may send, and how many accounts each takes at least."""

_NAMES = {
    (codec.address, entry.discriminator): (codec.address, entry.name)
    for codec in (POSITIONS_CODEC, VAULT_CODEC)
    for entry in codec.idl.instructions
    if entry.name in _ACCOUNTS
}
