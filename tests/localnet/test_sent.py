from __future__ import annotations

import base64

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from heliograph_localnet import catalogue
from heliograph_localnet.addresses import POSITIONS, VAULT_AUTHORITY, market_address, named
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.executor import Rejected
from heliograph_localnet.localnet import Localnet
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
from heliograph_localnet.rpc_send import send_transaction
from heliograph_localnet.sent import FUNDED_AT_ONCE, read
from heliograph_localnet.settings import LocalnetSettings

SOL = 10**9
USD = 10**6


@pytest.fixture
def localnet() -> Localnet:
    made = Localnet(LocalnetSettings(seed=1, rate=0, symbols=("SOL-PERP",)))
    made.produce()
    return made


@pytest.fixture
def alice() -> Keypair:
    return Keypair.from_seed(bytes(range(32)))


def sign(localnet: Localnet, signer: Keypair, *instructions: Instruction) -> VersionedTransaction:
    processed = localnet.chain.block(localnet.chain.slot_at(Commitment.PROCESSED))
    assert processed is not None
    message = Message.new_with_blockhash(
        list(instructions), signer.pubkey(), Hash.from_string(processed.blockhash)
    )
    return VersionedTransaction(message, [signer])


def send(localnet: Localnet, transaction: VersionedTransaction) -> str:
    text = base64.b64encode(bytes(transaction)).decode()
    sent = send_transaction(localnet.node.view, [text, {"encoding": "base64"}])
    assert isinstance(sent, str)
    return sent


def test_a_client_deposits_trades_and_withdraws(localnet: Localnet, alice: Keypair) -> None:
    wallet, market = str(alice.pubkey()), localnet.market("SOL-PERP")
    localnet.order("house", "SOL-PERP", "short", 5, price=185)
    localnet.deposit("house", 100_000)
    signatures = [
        send(localnet, sign(localnet, alice, localnet.instruction(operation)))
        for operation in (
            Deposit(wallet, 1_000 * USD),
            PlaceOrder(wallet, market, "long", 2 * SOL, None, False, 100 * USD),
            Withdraw(wallet, 10 * USD),
        )
    ]
    localnet.produce()
    truth = localnet.truth()
    mine = [row for row in truth["perps.transfers"] if row["wallet"] == wallet]
    assert [row["kind"] for row in mine] == ["deposit", "lock", "withdraw"]
    assert [row["signature"] for row in mine] == signatures
    assert [row["taker"] for row in truth["perps.trades"]] == [wallet]


def test_a_clients_compute_budget_is_kept_in_its_order(localnet: Localnet, alice: Keypair) -> None:
    deposit = localnet.instruction(Deposit(str(alice.pubkey()), USD))
    signed = sign(localnet, alice, set_compute_unit_price(5_000), set_compute_unit_limit(300_000), deposit)
    signature = send(localnet, signed)
    localnet.produce()
    executed = localnet.chain.transaction(signature)
    assert executed is not None
    assert executed.draft is not None
    assert [instruction.data[0] for instruction in executed.draft.instructions[:2]] == [3, 2]
    assert executed.draft.priority_fee == 1_500


def test_preflight_refuses_what_the_exchange_refuses_and_changes_nothing(
    localnet: Localnet, alice: Keypair
) -> None:
    signed = sign(localnet, alice, localnet.instruction(Withdraw(str(alice.pubkey()), USD)))
    with pytest.raises(Exception, match="0x1770"):
        send(localnet, signed)
    localnet.produce()
    assert localnet.chain.transaction(str(signed.signatures[0])) is None
    assert str(signed.signatures[0]) not in str(localnet.truth()["heliograph.transactions"])


def test_a_clients_transaction_survives_a_fork(localnet: Localnet, alice: Keypair) -> None:
    signature = send(localnet, sign(localnet, alice, localnet.instruction(Deposit(str(alice.pubkey()), USD))))
    localnet.produce()
    assert localnet.fork(1) == ()
    assert [row["signature"] for row in localnet.truth()["perps.transfers"]] == [signature]


@pytest.mark.parametrize(
    "make",
    [
        lambda by, market: Deposit(by, 7),
        lambda by, market: Withdraw(by, 2**64 - 1),
        lambda by, market: PlaceOrder(by, market, "long", 5, 77, True, 9),
        lambda by, market: PlaceOrder(by, market, "short", 5, None, False, 0),
        lambda by, market: SetPrice(by, market, 5, 6, -7),
        lambda by, market: UpdateFunding(by, market),
        lambda by, market: SettleFunding(by, market, FUNDED_AT_ONCE),
        lambda by, market: Liquidate(by, market, named("somebody")),
        lambda by, market: CreateMarket(by, market_address("X-PERP"), catalogue.terms("X-PERP", 60)),
    ],
)
def test_what_the_encoder_writes_is_read_back(localnet: Localnet, alice: Keypair, make: object) -> None:
    assert callable(make)
    operation = make(str(alice.pubkey()), localnet.market("SOL-PERP"))
    assert isinstance(operation, Operation)
    signed = sign(localnet, alice, localnet.instruction(operation))
    assert read(signed, lambda position: named("somebody")).operation == operation


def test_what_is_no_instruction_of_godark_is_refused(localnet: Localnet, alice: Keypair) -> None:
    key = Pubkey.from_string(POSITIONS)
    metas = [AccountMeta(alice.pubkey(), True, True)] * 6
    cases = [
        Instruction(Pubkey.from_string(named("nobody")), b"", []),
        Instruction(key, b"12345678", metas),
        Instruction(key, localnet.instruction(UpdateFunding(str(alice.pubkey()), named("m"))).data, []),
        Instruction(
            key, localnet.instruction(PlaceOrder(str(alice.pubkey()), named("m"), "long", 1)).data, metas
        ),
    ]
    for instruction in cases:
        with pytest.raises(Rejected):
            read(sign(localnet, alice, instruction), lambda position: None)


def test_truncated_arguments_are_refused(localnet: Localnet, alice: Keypair) -> None:
    whole = localnet.instruction(PlaceOrder(str(alice.pubkey()), localnet.market("SOL-PERP"), "long", 1, 5))
    assert VAULT_AUTHORITY in [str(meta.pubkey) for meta in whole.accounts]
    for length in range(8, len(whole.data)):
        cut = Instruction(whole.program_id, whole.data[:length], whole.accounts)
        with pytest.raises(Rejected):
            read(sign(localnet, alice, cut), lambda position: None)


def test_a_market_that_does_not_exist_is_refused(localnet: Localnet, alice: Keypair) -> None:
    signed = sign(localnet, alice, localnet.instruction(UpdateFunding(str(alice.pubkey()), named("m"))))
    with pytest.raises(Rejected, match="no market"):
        localnet.ledger.execute(signed)
