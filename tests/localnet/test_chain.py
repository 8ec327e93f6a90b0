"""Slots, commitments, forks and history of the chain itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from heliograph_localnet.block import Block
from heliograph_localnet.chain import ENDOWMENT, Chain
from heliograph_localnet.chain_event import ChainEvent, Confirmed, Forked, Processed, Rooted
from heliograph_localnet.commitment import Commitment
from heliograph_localnet.draft import AccountData, Draft
from heliograph_localnet.logs import TRUNCATED

MakeDraft = Callable[..., Draft]
Address = Callable[[str], str]
Held = Callable[..., AccountData]


def produced(chain: Chain) -> Block:
    block = chain.produce()
    assert block is not None
    return block


def slots(chain: Chain) -> tuple[int, int, int]:
    newest, confirmed, final = (chain.slot_at(commitment) for commitment in Commitment)
    return newest, confirmed, final


def test_the_genesis_block_answers_before_any_block_is_made(chain: Chain) -> None:
    assert slots(chain) == (999, 999, 999)
    assert chain.open_slot == 1_000


def test_blocks_are_chained_over_skipped_slots(chain: Chain) -> None:
    first = produced(chain)
    assert chain.produce(skip=True) is None
    second = produced(chain)
    assert (first.slot, second.slot) == (1_000, 1_002)
    assert second.parent_slot == 1_000
    assert second.previous_blockhash == first.blockhash
    assert second.height == first.height + 1
    assert chain.block(1_001) is None


def test_several_slots_share_a_second_and_time_never_goes_back(chain: Chain) -> None:
    times = [produced(chain).time for _ in range(9)]
    assert times == [1_800_000_000] * 4 + [1_800_000_001] * 4 + [1_800_000_002]


def test_commitments_follow_their_lags(chain: Chain) -> None:
    for _ in range(40):
        chain.produce()
    assert slots(chain) == (1_039, 1_038, 1_007)
    chain.confirmed_lag, chain.finalized_lag = 0, 2
    chain.produce()
    assert slots(chain) == (1_040, 1_040, 1_038)
    chain.finalized_lag = 30
    chain.produce()
    assert slots(chain) == (1_041, 1_041, 1_038)


def test_a_skipped_slot_still_confirms_and_finalizes_older_blocks() -> None:
    chain = Chain(finalized_lag=2)
    chain.produce()
    chain.produce(skip=True)
    assert slots(chain) == (1, 1, 0)
    chain.produce(skip=True)
    assert slots(chain) == (1, 1, 1)


def test_transactions_of_a_skipped_slot_land_in_the_next(
    chain: Chain, make_draft: MakeDraft, held: Held
) -> None:
    signature = chain.submit(make_draft(writes={"market": held()}))
    chain.produce(skip=True)
    assert chain.transaction(signature) is None
    chain.produce()
    executed = chain.transaction(signature)
    assert executed is not None
    assert executed.place == (1_001, 0)


def test_events_are_told_in_order(chain: Chain, make_draft: MakeDraft) -> None:
    heard: list[tuple[type[ChainEvent], int]] = []
    chain.finalized_lag = 2

    def listen(event: ChainEvent) -> None:
        slot = event.blocks[0].slot if isinstance(event, Forked) else event.block.slot
        heard.append((type(event), slot))

    silence = chain.listen(listen)
    for _ in range(3):
        chain.produce()
    silence()
    chain.produce()
    assert heard == [
        (Processed, 1_000),
        (Processed, 1_001),
        (Confirmed, 1_000),
        (Processed, 1_002),
        (Confirmed, 1_001),
        (Rooted, 1_000),
    ]


def test_fees_leave_the_payer_and_failed_writes_leave_nothing(
    chain: Chain, make_draft: MakeDraft, address: Address, held: Held, failed: object
) -> None:
    chain.submit(make_draft(writes={"market": held()}, priority_fee=100))
    chain.submit(make_draft(writes={"market": held(b"never")}, err=failed))
    chain.produce()
    payer = chain.accounts.latest(address("payer"))
    assert payer is not None and payer.lamports == ENDOWMENT - 2 * 5_000 - 100
    assert chain.accounts.latest(address("market")) == held()


def test_a_long_log_is_cut_and_says_what_is_lost(chain: Chain, make_draft: MakeDraft) -> None:
    signature = chain.submit(make_draft(logs=("a" * 9_990, "b" * 50, "c")))
    chain.produce()
    executed = chain.transaction(signature)
    assert executed is not None
    assert executed.logs == ("a" * 9_990, TRUNCATED, "c")
    assert executed.lost == {1} and executed.truncated


def test_history_is_paged_newest_first_in_block_order(
    chain: Chain, make_draft: MakeDraft, address: Address
) -> None:
    signatures = []
    for _ in range(3):
        signatures += [chain.submit(make_draft()) for _ in range(4)]
        chain.produce()
    newest_first = signatures[::-1]
    program = address("program")

    def page(
        limit: int, before: str | None = None, until: str | None = None, newest: int = 1_002
    ) -> list[str]:
        older = None if before is None else chain.transaction(before)
        newer = None if until is None else chain.transaction(until)
        return [each.signature for each in chain.history(program, newest, limit, older, newer)]

    assert page(100) == newest_first
    assert page(5) == newest_first[:5]
    assert page(5, before=newest_first[4]) == newest_first[5:10]
    assert page(100, before=newest_first[4], until=newest_first[8]) == newest_first[5:8]
    assert page(100, newest=1_001) == newest_first[4:]
    assert page(100, before=newest_first[8], until=newest_first[4]) == []
    assert chain.history(address("stranger"), 1_002, 10) == []


def test_a_replaced_slot_takes_blocks_history_and_state_with_it(
    chain: Chain, make_draft: MakeDraft, address: Address, held: Held
) -> None:
    kept = chain.submit(make_draft(writes={"market": held(b"kept")}))
    chain.produce()
    lost = chain.submit(make_draft(writes={"market": held(b"lost"), "new": held()}))
    old = produced(chain)
    chain.produce()
    instead = make_draft(writes={"market": held(b"instead")})
    dropped = chain.replace(1_001, [[instead]])
    assert [block.slot for block in dropped] == [1_001, 1_002]
    assert chain.transaction(lost) is None
    assert chain.accounts.latest(address("market")) == held(b"instead")
    assert chain.accounts.latest(address("new")) is None
    block = chain.block(1_001)
    assert block is not None and block.blockhash != old.blockhash
    assert block.parent_slot == old.parent_slot
    assert chain.block(1_002) is None
    assert chain.open_slot == 1_003
    history = [each.signature for each in chain.history(address("program"), 2_000, 10)]
    assert history == [block.transactions[0].signature, kept]


def test_a_fork_below_the_confirmed_block_is_confirmed_anew(chain: Chain) -> None:
    for _ in range(5):
        chain.produce()
    events: list[ChainEvent] = []
    chain.listen(events.append)
    chain.replace(1_002, [[], [], []])
    assert slots(chain) == (1_004, 1_003, 999)
    assert isinstance(events[0], Forked)
    assert [type(event) for event in events[1:]] == [Processed] * 3 + [Confirmed] * 2


def test_a_dropped_slot_is_skipped_and_its_descendants_land_again(
    chain: Chain, make_draft: MakeDraft
) -> None:
    gone = chain.submit(make_draft())
    chain.produce()
    stays = chain.submit(make_draft())
    old = produced(chain)
    chain.drop([1_000])
    assert chain.block(1_000) is None
    assert chain.transaction(gone) is None
    executed = chain.transaction(stays)
    assert executed is not None and executed.place == (1_001, 0)
    block = chain.block(1_001)
    assert block is not None and block.parent_slot == 999 and block.blockhash != old.blockhash


def test_a_fork_executes_the_open_slot_again(
    chain: Chain, make_draft: MakeDraft, address: Address, held: Held
) -> None:
    chain.produce()
    pending = chain.submit(make_draft(writes={"market": held()}))
    chain.replace(1_000)
    assert [each.signature for each in chain.pending()] == [pending]
    assert produced(chain).slot == 1_001
    assert chain.accounts.latest(address("market")) == held()


def test_what_is_final_or_open_cannot_be_replaced(chain: Chain) -> None:
    chain.finalized_lag = 1
    for _ in range(3):
        chain.produce()
    for slot in (1_001, 1_003):
        with pytest.raises(ValueError, match=f"slot {slot} cannot be replaced"):
            chain.replace(slot)
    with pytest.raises(ValueError, match="reach the open slot"):
        chain.replace(1_002, [[], []])


def test_a_transaction_lands_once(chain: Chain, make_draft: MakeDraft) -> None:
    chain.submit(make_draft())
    again = chain.pending()[0].again()
    with pytest.raises(ValueError, match="executed already"):
        chain.submit(again)


def test_final_transactions_are_packed_and_still_whole(
    chain: Chain, make_draft: MakeDraft, address: Address
) -> None:
    chain.finalized_lag = 2
    signature = chain.submit(make_draft(version="0", loaded=(address("market"),)))
    executed = chain.pending()[0]
    meta, keys, logs = executed.meta, executed.keys, executed.logs
    for _ in range(3):
        chain.produce()
    assert chain.transaction(signature) is executed
    assert executed.draft is None
    assert (executed.meta, executed.keys, executed.logs) == (meta, keys, logs)
    with pytest.raises(ValueError, match="is final"):
        executed.again()


def test_retention_forgets_old_slots_whole(make_draft: MakeDraft, address: Address) -> None:
    chain = Chain(first_slot=1, finalized_lag=2, retention_slots=10)
    old = chain.submit(make_draft())
    for _ in range(300):
        chain.submit(make_draft(payer="other", program="other"))
        chain.produce()
    assert chain.first_available == 256 - 2 - 10
    assert chain.transaction(old) is None
    assert chain.block(1) is None
    assert chain.history(address("program"), 300, 10) == []
    assert chain.history(address("other"), 300, 1_000)[-1].slot == chain.first_available


def test_an_account_placed_at_the_beginning_outlives_forks(
    chain: Chain, address: Address, held: Held
) -> None:
    chain.produce()
    chain.set_account(address("mint"), held())
    chain.produce(skip=True)
    chain.replace(1_000)
    assert chain.accounts.latest(address("mint")) == held()


def test_the_same_seed_makes_the_same_bytes(make_draft: MakeDraft, held: Held) -> None:
    def run(seed: int) -> list[tuple[str, list[tuple[str, bytes, bytes]]]]:
        chain = Chain(seed=seed)
        for number in range(6):
            for _ in range(number):
                chain.submit(make_draft(writes={"market": held(bytes([number]))}, version="0"))
            chain.produce(skip=number == 3)
        chain.drop([4])
        blocks = chain.blocks(0, 100)
        return [(b.blockhash, [(t.signature, t.wire, t.meta) for t in b.transactions]) for b in blocks]

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize("wrong", [{"first_slot": 0}, {"slot_ms": 0}])
def test_nonsense_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Chain(**wrong)  # type: ignore[arg-type]


def test_the_clock_may_leap_ahead_of_the_slots() -> None:
    chain = Chain(genesis_time=1_000, slot_ms=1_000, first_slot=5)
    chain.produce()
    chain.leap(60)
    chain.produce()
    chain.leap(0)
    assert [chain.block(slot).time for slot in (5, 6)] == [1_000, 1_061]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="never go back"):
        chain.leap(-1)
