"""The GoDark programs: an operation and its facts become a transaction as those programs would have left it.

The order of events is GODARK's: an order, then for each fill OrderFilled and the consequences for taker and maker;
collateral is locked before a position grows and released after it shrank, by calls into the vault program.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable

import msgspec

from heliograph_indexer.idl.encoder import EVENT_TAG
from heliograph_localnet import encoding
from heliograph_localnet.addresses import (
    MEMO_PROGRAM,
    NOISE,
    POSITIONS,
    POSITIONS_AUTHORITY,
    POSITIONS_CODEC,
    ROUTER,
    TOKEN_PROGRAM,
    USDC,
    VAULT,
    VAULT_AUTHORITY,
    VAULT_CODEC,
    named,
    position_address,
    purse_address,
)
from heliograph_localnet.draft import COMPUTE_BUDGET_PROGRAM, AccountData, Draft
from heliograph_localnet.exchange.exchange import Exchange
from heliograph_localnet.exchange.facts import (
    CollateralLocked,
    CollateralReleased,
    Fact,
    FundingRatePaid,
    LiquidationExecuted,
    OrderFilled,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
)
from heliograph_localnet.exchange.refusal import Reason
from heliograph_localnet.manner import PLAIN, Manner, Noise
from heliograph_localnet.operation import Deposit, Liquidate, Operation, PlaceOrder, Withdraw
from heliograph_localnet.tape import Said, Tape

_Say = Callable[[Fact], bytes]
_BY_CPI = (PositionOpened, PositionUpdated, PositionClosed, LiquidationExecuted)
_TOUCHING = (PositionOpened, PositionUpdated, PositionClosed, FundingRatePaid)
_FLOOD_LINES = 18
"""Of 500 bytes: godark's first lines still fit under the limit of 10,000, not all of them."""
_TREASURY = named("godark", "token account")


class Spoken(msgspec.Struct, frozen=True, gc=False):
    """A transaction and what it says. markets: whose accounts it wrote.

    candidates: for each ordinal the index of its log line, None for an inner instruction.
    """

    draft: Draft
    said: tuple[Said, ...]
    markets: tuple[str, ...]
    candidates: tuple[int | None, ...]


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A client's own choice: the accounts of the instruction, and all keys that its transaction may touch."""

    accounts: tuple[str, ...]
    keys: frozenset[str]


def succeeded(
    operation: Operation,
    facts: list[Fact],
    exchange: Exchange,
    manner: Manner = PLAIN,
    sent: Sent | None = None,
    speech: encoding.Speech | None = None,
) -> Spoken:
    """The transaction of an operation that brought about `facts`; `exchange` is as they left it."""
    tape = Tape(manner.unit_limit, sent.keys if sent else None)
    say = encoding.event if speech is None else speech.event
    _open(tape, manner, operation.by, facts, call(operation, facts, sent), say)
    _instruct(tape, operation, facts, say)
    if manner.whispers and facts:
        tape.log(b64encode(say(facts[0])).decode())
    tape.leave()
    if manner.routed:
        tape.leave()
    for noise in manner.after:
        _make_noise(tape, noise, operation.by, facts, say)
    markets = tuple(dict.fromkeys(_markets(operation)))
    writes: dict[str, AccountData | None] = {
        market: encoding.market(exchange.markets[market]) for market in markets
    }
    for fact in facts:
        if isinstance(fact, _TOUCHING):
            held = exchange.position(fact.wallet, fact.market)
            writes[fact.position] = None if held is None else encoding.position(held)
    return Spoken(
        _draft(operation, manner, tape, writes=writes), tuple(tape.said), markets, tuple(tape.candidates)
    )


def failed(
    operation: Operation,
    reason: Reason,
    said: tuple[Fact, ...],
    manner: Manner = PLAIN,
    sent: Sent | None = None,
    speech: encoding.Speech | None = None,
) -> Draft:
    """The transaction of an operation that was refused, after it had announced `said`."""
    tape = Tape(manner.unit_limit, sent.keys if sent else None)
    say = encoding.event if speech is None else speech.event
    _open(tape, manner, operation.by, list(said), call(operation, list(said), sent), say)
    _instruct(tape, operation, list(said), say)
    at = len(tape.instructions)
    codec = POSITIONS_CODEC if operation.home == "positions" else VAULT_CODEC
    code = codec.error_code(reason)
    tape.log(f"AnchorError occurred. Error Code: {reason}. Error Number: {code}. Error Message: {reason}.")
    tape.fail(code)
    return _draft(operation, manner, tape, err={"InstructionError": [at, {"Custom": code}]})


def mention(by: str) -> Draft:
    """A transaction of foreign programs alone, one of which is merely shown godark's address."""
    tape = Tape(200_000)
    tape.enter(NOISE, (by, POSITIONS), b"\x07")
    tape.log("nothing to see")
    tape.leave()
    return Draft(
        fee_payer=by,
        instructions=tuple(tape.instructions),
        logs=tuple(tape.logs),
        compute_units=tape.consumed,
    )


def _draft(
    operation: Operation,
    manner: Manner,
    tape: Tape,
    *,
    writes: dict[str, AccountData | None] | None = None,
    err: object | None = None,
) -> Draft:
    writes = writes or {}
    loaded: tuple[str, ...] = ()
    if manner.lookup:
        # Writable ones first, as a lookup does; a top-level program can never come from a table.
        shared = [*_markets(operation), VAULT, POSITIONS, VAULT_AUTHORITY, POSITIONS_AUTHORITY]
        mentioned = {a for i in tape.instructions for a in (*i.accounts, *(x.program for x in i.inner))}
        programs = {i.program for i in tape.instructions}
        usable = [address for address in shared if address in mentioned and address not in programs]
        loaded = tuple(sorted(usable, key=lambda address: address not in writes))
    return Draft(
        fee_payer=operation.by,
        instructions=tuple(tape.instructions),
        logs=tuple(tape.logs),
        err=err,
        compute_units=tape.consumed,
        priority_fee=manner.priority_fee,
        writes=writes,
        version=manner.version,
        loaded=loaded,
    )


def _open(
    tape: Tape,
    manner: Manner,
    by: str,
    facts: list[Fact],
    called: tuple[str, tuple[str, ...], bytes],
    say: _Say,
) -> None:
    """Everything up to and including the invocation of godark."""
    for data in manner.budget_instructions:
        tape.enter(COMPUTE_BUDGET_PROGRAM, (), data)
        tape.leave()
    for noise in manner.before:
        _make_noise(tape, noise, by, facts, say)
    program, accounts, data = called
    if manner.routed:
        tape.enter(ROUTER, (*accounts, program), b"\x01" + data)
        tape.log("Instruction: Route")
    tape.enter(program, accounts, data)


def _instruct(tape: Tape, operation: Operation, facts: list[Fact], say: _Say) -> None:
    """What godark itself prints and calls, from its name on."""
    tape.log("Instruction: " + "".join(word.capitalize() for word in operation.name.split("_")))
    if isinstance(operation, Deposit | Withdraw) and facts and tape.knows(TOKEN_PROGRAM):
        tape.enter(
            TOKEN_PROGRAM,
            (purse_address(operation.by), USDC, _TREASURY, operation.by),
            b"\x0c" + struct.pack("<QB", operation.amount, 6),
        )
        tape.log("Instruction: TransferChecked")
        tape.leave()
    for fact in facts:
        payload = say(fact)
        if isinstance(fact, _BY_CPI):
            tape.emit_cpi(fact, payload, POSITIONS_AUTHORITY)
        elif isinstance(fact, CollateralLocked):
            tape.enter(VAULT, _vault_accounts(fact), VAULT_CODEC.instruction("lock", {"amount": fact.amount}))
            tape.log("Instruction: Lock")
            tape.emit(fact, payload)
            tape.leave()
        elif isinstance(fact, CollateralReleased):
            args = {"amount": fact.amount, "returned": fact.returned}
            tape.enter(VAULT, _vault_accounts(fact), VAULT_CODEC.instruction("release", args))
            tape.log("Instruction: Release")
            tape.emit_cpi(fact, payload, VAULT_AUTHORITY)
            tape.leave()
        else:
            tape.emit(fact, payload)


def _vault_accounts(fact: CollateralLocked | CollateralReleased) -> tuple[str, ...]:
    return (
        POSITIONS_AUTHORITY,
        purse_address(fact.wallet),
        VAULT_AUTHORITY,
        VAULT,
        fact.wallet,
        fact.position,
    )


def call(
    operation: Operation, facts: list[Fact], sent: Sent | None = None
) -> tuple[str, tuple[str, ...], bytes]:
    """(program, accounts, data) of the instruction; accounts as the IDL orders them, then the remaining ones.

    What a client has to send for it too, with no facts yet.
    """
    if sent is not None:
        codec = VAULT_CODEC if operation.home == "vault" else POSITIONS_CODEC
        return codec.address, sent.accounts, codec.instruction(operation.name, operation.args())
    if operation.home == "vault":
        data = VAULT_CODEC.instruction(operation.name, operation.args())
        vault = purse_address(operation.by)
        return VAULT, (operation.by, vault, VAULT_AUTHORITY, VAULT, USDC, _TREASURY, TOKEN_PROGRAM), data
    data = POSITIONS_CODEC.instruction(operation.name, operation.args())
    (market,) = _markets(operation)
    accounts: tuple[str, ...] = (operation.by, market)
    if isinstance(operation, PlaceOrder):
        accounts += (position_address(operation.by, market), VAULT, POSITIONS_AUTHORITY, POSITIONS)
        accounts += (VAULT_AUTHORITY, purse_address(operation.by))
    elif isinstance(operation, Liquidate):
        accounts += (position_address(operation.wallet, market), VAULT, POSITIONS_AUTHORITY, POSITIONS)
        accounts += (VAULT_AUTHORITY, purse_address(operation.wallet))
    elif operation.name in ("create_market", "settle_funding"):
        accounts += (POSITIONS_AUTHORITY, POSITIONS)
    remaining: dict[str, None] = {}
    for fact in facts:
        if isinstance(fact, _TOUCHING):
            remaining[fact.position] = None
        elif isinstance(fact, CollateralLocked | CollateralReleased):
            remaining.update(dict.fromkeys(_vault_accounts(fact)))
        elif isinstance(fact, OrderFilled):
            remaining.update(dict.fromkeys((fact.taker, fact.maker)))
    return POSITIONS, (*accounts, *(address for address in remaining if address not in accounts)), data


def _markets(operation: Operation) -> tuple[str, ...]:
    market = getattr(operation, "market", None)
    return () if market is None else (market,)


def _make_noise(tape: Tape, noise: Noise, by: str, facts: list[Fact], say: _Say) -> None:
    payload = say(facts[0]) if facts else EVENT_TAG + b"nothing"
    if noise == "memo":
        text = f"gm from {by[:6]}"
        tape.enter(MEMO_PROGRAM, (by,), text.encode())
        tape.log(f'Memo (len {len(text)}): "{text}"')
        tape.leave()
        return
    tape.enter(NOISE, (by, NOISE), noise.encode())
    if noise == "spoof":
        tape.log(f"Program {POSITIONS} invoke [1]")
        tape.data(payload)
        tape.log(b64encode(payload).decode())
        tape.log(f"two lines\nProgram data: {b64encode(payload).decode()}")
        tape.log(f"Program {POSITIONS} success")
    elif noise == "spoof_cpi":
        tape.enter(NOISE, (by,), EVENT_TAG + payload)
        tape.leave()
    elif noise == "flood":
        for _ in range(_FLOOD_LINES):
            tape.log("." * 500)
    else:
        tape.data(payload, payload[:7])
    tape.leave()
