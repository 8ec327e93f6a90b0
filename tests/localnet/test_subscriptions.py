"""Which chain events make which notifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from heliograph_localnet.block import Block
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import SYSTEM_PROGRAM, VOTE_PROGRAM, AccountData, Draft, DraftInstruction
from heliograph_localnet.rpc_error import RpcFault
from heliograph_localnet.rpc_subscribe import SUBSCRIBE
from heliograph_localnet.subscriptions import Subscriptions
from heliograph_localnet.view import View

MakeDraft = Callable[..., Draft]
Address = Callable[[str], str]
Held = Callable[..., AccountData]


class Inbox:
    """Keeps what it is told, parsed."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.forgotten: list[int] = []

    def deliver(self, method: str, result: object, text: bytes) -> None:
        self.messages.append(orjson.loads(text))

    def forget(self, subscription: int) -> None:
        self.forgotten.append(subscription)

    def values(self) -> list[Any]:
        """(slot, value) of each message, and forget them."""
        told = [message["params"]["result"] for message in self.messages]
        self.messages.clear()
        return [(each["context"]["slot"], each["value"]) for each in told]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def subscriptions(chain: Chain, view: View) -> Subscriptions:
    made = Subscriptions(view, shuffle=False)
    chain.listen(made.on_event)
    return made


@pytest.fixture
def subscribe(subscriptions: Subscriptions, inbox: Inbox) -> Callable[..., int]:
    return lambda method, *params: subscriptions.subscribe(SUBSCRIBE[method](list(params)), inbox)


Subscribe = Callable[..., int]


def at(commitment: str) -> dict[str, str]:
    return {"commitment": commitment}


def test_a_message_has_the_form_of_a_node(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft, address: Address, failed: object
) -> None:
    number = subscribe("logsSubscribe", {"mentions": [address("program")]}, at("processed"))
    signature = chain.submit(make_draft(err=failed))
    chain.produce()
    program = address("program")
    assert inbox.messages == [
        {
            "jsonrpc": "2.0",
            "method": "logsNotification",
            "params": {
                "result": {
                    "context": {"slot": 1_000},
                    "value": {
                        "signature": signature,
                        "err": failed,
                        "logs": [f"Program {program} invoke [1]", f"Program {program} success"],
                    },
                },
                "subscription": number,
            },
        }
    ]


def test_logs_are_filtered_by_mention_and_lookup_tables_count(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft, address: Address
) -> None:
    subscribe("logsSubscribe", {"mentions": [address("market")]}, at("processed"))
    chain.submit(make_draft(accounts=("other",)))
    static = chain.submit(make_draft())
    loaded = chain.submit(make_draft(version="0", loaded=(address("market"),)))
    chain.produce()
    assert [value["signature"] for _, value in inbox.values()] == [static, loaded]


def test_all_leaves_votes_out(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft
) -> None:
    everything = subscribe("logsSubscribe", "allWithVotes", at("processed"))
    subscribe("logsSubscribe", "all", at("processed"))
    chain.submit(make_draft(instructions=(DraftInstruction(VOTE_PROGRAM, (), b"vote"),)))
    chain.produce()
    assert [message["params"]["subscription"] for message in inbox.messages] == [everything]


def test_what_was_executed_before_the_subscription_has_no_logs_for_it(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft
) -> None:
    chain.submit(make_draft())
    chain.produce()
    chain.submit(make_draft())
    subscribe("logsSubscribe", "all", at("confirmed"))
    seen = chain.submit(make_draft())
    for _ in range(3):
        chain.produce()
    assert [(slot, value["signature"]) for slot, value in inbox.values()] == [(1_001, seen)]


def test_an_equal_subscription_of_another_client_shares_id_and_past(
    chain: Chain, subscriptions: Subscriptions, subscribe: Subscribe, make_draft: MakeDraft, inbox: Inbox
) -> None:
    first = subscribe("logsSubscribe", "all", at("confirmed"))
    chain.submit(make_draft())
    chain.produce()
    late = Inbox()
    assert subscriptions.subscribe(SUBSCRIBE["logsSubscribe"](["all", at("confirmed")]), late) == first
    chain.produce()
    assert len(late.messages) == len(inbox.messages) == 1
    assert len(subscriptions) == 1


def test_each_commitment_tells_in_its_own_time(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft
) -> None:
    chain.finalized_lag = 3
    names = {
        subscribe("logsSubscribe", "all", at(name)): name for name in ("processed", "confirmed", "finalized")
    }
    chain.submit(make_draft())
    told = []
    for _ in range(4):
        chain.produce()
        told.append([names[message["params"]["subscription"]] for message in inbox.messages])
        inbox.messages.clear()
    assert told == [["processed"], ["confirmed"], [], ["finalized"]]


def test_confirmed_walks_every_block_when_it_jumps(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft
) -> None:
    chain.confirmed_lag = 10
    subscribe("logsSubscribe", "all", at("confirmed"))
    for _ in range(5):
        chain.submit(make_draft())
        chain.produce()
    assert inbox.values() == []
    chain.confirmed_lag = 0
    chain.produce()
    assert [slot for slot, _ in inbox.values()] == [1_000, 1_001, 1_002, 1_003, 1_004]


def test_finalized_reads_one_root_and_repeats_it_when_it_stays(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft
) -> None:
    chain.finalized_lag = 10
    subscribe("logsSubscribe", "all", at("finalized"))
    for _ in range(5):
        chain.submit(make_draft())
        chain.produce()
    chain.finalized_lag = 1
    chain.produce()
    assert [slot for slot, _ in inbox.values()] == [1_004]
    chain.finalized_lag = 10
    chain.produce()
    assert [slot for slot, _ in inbox.values()] == [1_004]


def test_a_fork_is_told_again_from_its_first_slot(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft
) -> None:
    subscribe("logsSubscribe", "all", at("confirmed"))
    old = chain.submit(make_draft())
    for _ in range(2):
        chain.produce()
    chain.replace(1_000, [[make_draft()], []])
    told = inbox.values()
    assert [slot for slot, _ in told] == [1_000, 1_000]
    assert told[0][1]["signature"] == old != told[1][1]["signature"]


def test_notifications_of_a_block_have_an_order_of_their_own(
    chain: Chain, view: View, make_draft: MakeDraft
) -> None:
    def order() -> list[str]:
        other = Chain(seed=3)
        shuffled, inbox = Subscriptions(View(other)), Inbox()
        other.listen(shuffled.on_event)
        shuffled.subscribe(SUBSCRIBE["logsSubscribe"](["all", at("processed")]), inbox)
        for _ in range(20):
            other.submit(make_draft())
        block = other.produce()
        assert isinstance(block, Block)
        told = [value["signature"] for _, value in inbox.values()]
        assert told != [executed.signature for executed in block.transactions]
        assert sorted(told) == sorted(executed.signature for executed in block.transactions)
        return told

    assert order() == order()


def test_program_accounts_are_told_once_a_slot_and_never_when_closed(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft, address: Address, held: Held
) -> None:
    subscribe("programSubscribe", address("program"), at("processed") | {"encoding": "base64"})
    chain.submit(make_draft(writes={"m1": held(b"first")}))
    chain.submit(make_draft(writes={"m1": held(b"second"), "m2": held(b"x", program="other")}))
    chain.produce()
    ((slot, value),) = inbox.values()
    assert slot == 1_000
    assert value["pubkey"] == address("m1")
    assert value["account"]["data"] == ["c2Vjb25k", "base64"]
    chain.submit(make_draft(writes={"m1": None}))
    chain.produce()
    assert inbox.values() == []


def test_program_accounts_are_filtered_and_not_cut(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft, address: Address, held: Held
) -> None:
    config = {"encoding": "base64", "filters": [{"dataSize": 5}], "dataSlice": {"offset": 0, "length": 1}}
    subscribe("programSubscribe", address("program"), at("processed") | config)
    chain.submit(make_draft(writes={"m1": held(b"12345"), "m2": held(b"1234")}))
    chain.produce()
    ((_, value),) = inbox.values()
    assert value["account"]["data"][0] == "MTIzNDU="


def test_accounts_of_a_block_before_the_subscription_are_told_when_it_is_confirmed(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft, address: Address, held: Held
) -> None:
    chain.submit(make_draft(writes={"m1": held()}))
    chain.produce()
    subscribe("programSubscribe", address("program"), at("confirmed"))
    chain.produce()
    assert [slot for slot, _ in inbox.values()] == [1_000]


def test_an_account_is_told_when_it_changes_closes_or_falls_back(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft, address: Address, held: Held
) -> None:
    chain.submit(make_draft(writes={"m1": held(b"v1")}))
    chain.produce()
    subscribe("accountSubscribe", address("m1"), at("processed") | {"encoding": "base64"})
    chain.produce()
    assert inbox.values() == []
    chain.submit(make_draft(writes={"m1": held(b"v2")}))
    chain.produce()
    ((slot, value),) = inbox.values()
    assert (slot, value["data"][0]) == (1_002, "djI=")
    chain.replace(1_002, [[]])
    ((slot, value),) = inbox.values()
    assert (slot, value["data"][0]) == (1_002, "djE=")
    chain.submit(make_draft(writes={"m1": None}))
    chain.produce()
    chain.produce()
    ((slot, value),) = inbox.values()
    assert (slot, value["lamports"], value["owner"], value["data"][0]) == (1_003, 0, SYSTEM_PROGRAM, "")


def test_a_signature_is_told_once_and_ends(
    chain: Chain, subscriptions: Subscriptions, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft
) -> None:
    signature = chain.submit(make_draft())
    config = at("confirmed") | {"enableReceivedNotification": True}
    number = subscribe("signatureSubscribe", signature, config)
    chain.produce()
    assert inbox.values() == [(1_000, "receivedSignature")]
    chain.produce()
    assert inbox.values() == [(1_000, {"err": None})]
    assert inbox.forgotten == [number]
    assert len(subscriptions) == 0


def test_slots_and_roots_are_told(chain: Chain, subscribe: Subscribe, inbox: Inbox) -> None:
    chain.finalized_lag = 2
    subscribe("slotSubscribe")
    subscribe("rootSubscribe")
    chain.produce()
    chain.produce(skip=True)
    chain.produce()
    told = [(message["method"], message["params"]["result"]) for message in inbox.messages]
    assert told == [
        ("slotNotification", {"slot": 1_000, "parent": 999, "root": 999}),
        ("slotNotification", {"slot": 1_002, "parent": 1_000, "root": 1_000}),
        ("rootNotification", 1_000),
    ]


def test_slot_updates_tell_the_life_of_a_block(chain: Chain, subscribe: Subscribe, inbox: Inbox) -> None:
    subscribe("slotsUpdatesSubscribe")
    chain.finalized_lag = 1
    chain.produce()
    chain.produce()
    told = [message["params"]["result"] for message in inbox.messages]
    assert [each["type"] for each in told if each["slot"] == 1_000] == [
        "createdBank",
        "frozen",
        "optimisticConfirmation",
        "root",
    ]


def test_blocks_are_told_whole_or_by_mention(
    chain: Chain, subscribe: Subscribe, inbox: Inbox, make_draft: MakeDraft, address: Address
) -> None:
    config = at("confirmed") | {"encoding": "json", "maxSupportedTransactionVersion": 0}
    mention = subscribe("blockSubscribe", {"mentionsAccountOrProgram": address("other")}, config)
    chain.submit(make_draft())
    signature = chain.submit(make_draft(program="other"))
    chain.produce()
    chain.submit(make_draft(program="other", version="1"))
    chain.produce()
    chain.produce()
    first, second = inbox.messages
    assert first["params"]["subscription"] == mention
    value = first["params"]["result"]["value"]
    assert [each["transaction"]["signatures"][0] for each in value["block"]["transactions"]] == [signature]
    assert second["params"]["result"]["value"] == {
        "slot": 1_001,
        "block": None,
        "err": {"UnsupportedTransactionVersion": 1},
    }


def test_unsubscribing_ends_it_for_one_client_alone(
    chain: Chain, subscriptions: Subscriptions, subscribe: Subscribe, inbox: Inbox
) -> None:
    number = subscribe("slotSubscribe")
    other = Inbox()
    subscriptions.subscribe(SUBSCRIBE["slotSubscribe"]([]), other)
    assert subscriptions.unsubscribe(number, inbox) is True
    chain.produce()
    assert (len(inbox.messages), len(other.messages)) == (0, 1)
    with pytest.raises(RpcFault, match="Invalid subscription id"):
        subscriptions.unsubscribe(number, inbox)
    subscriptions.leave(other)
    assert len(subscriptions) == 0


def test_a_node_refuses_more_subscriptions_than_its_limit(view: View) -> None:
    subscriptions = Subscriptions(view, limit=1)
    subscriptions.subscribe(SUBSCRIBE["slotSubscribe"]([]), Inbox())
    with pytest.raises(RpcFault, match="limit reached"):
        subscriptions.subscribe(SUBSCRIBE["rootSubscribe"]([]), Inbox())
