"""Nodes that lag or prune."""

from __future__ import annotations

from collections.abc import Callable

from heliograph_localnet.chain import Chain
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.draft import AccountData, Draft
from heliograph_localnet.view import View


def test_a_lagging_node_is_behind_at_every_commitment(chain: Chain) -> None:
    view = View(chain, lag_slots=3)
    for _ in range(50):
        chain.produce()
    for commitment in Commitment:
        assert view.slot_at(commitment) == chain.slot_at(commitment) - 3
    assert view.block(1_047) is None
    assert view.block(1_046) is not None


def test_a_lagging_node_reads_accounts_as_they_were(
    chain: Chain,
    make_draft: Callable[..., Draft],
    held: Callable[..., AccountData],
    address: Callable[[str], str],
) -> None:
    for number in range(100):
        chain.submit(make_draft(writes={"market": held(bytes([number]))}))
        chain.produce()
    slot = View(chain, lag_slots=20).slot_at(Commitment.FINALIZED)
    version = chain.accounts.read(address("market"), slot)
    assert version == (slot, held(bytes([slot - 1_000])))
    assert len(list(chain.accounts.owned_by(address("program"), slot))) == 1


def test_a_lagging_node_never_goes_below_the_beginning(chain: Chain) -> None:
    assert View(chain, lag_slots=100).slot_at(Commitment.PROCESSED) == 999


def test_a_pruning_node_forgets_what_the_chain_still_has(
    chain: Chain, make_draft: Callable[..., Draft]
) -> None:
    signature = chain.submit(make_draft())
    for _ in range(60):
        chain.produce()
    view = View(chain)
    assert view.transaction(signature, Commitment.FINALIZED) is not None
    view.keep_slots = 5
    assert view.first_available == chain.slot_at(Commitment.FINALIZED) - 5
    assert view.transaction(signature, Commitment.FINALIZED) is None
    assert view.block(1_000) is None
    assert view.blocks(0, 2_000)[0].slot == view.first_available


def test_a_transaction_is_seen_once_its_commitment_is_reached(
    chain: Chain, make_draft: Callable[..., Draft]
) -> None:
    view = View(chain)
    signature = chain.submit(make_draft())
    chain.produce()
    assert view.transaction(signature, Commitment.PROCESSED) is not None
    assert view.transaction(signature, Commitment.CONFIRMED) is None
    assert view.status(1_000) is Commitment.PROCESSED
    chain.produce()
    assert view.transaction(signature, Commitment.CONFIRMED) is not None
    assert view.status(1_000) is Commitment.CONFIRMED
