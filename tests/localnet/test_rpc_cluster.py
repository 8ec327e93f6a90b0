"""Methods about the cluster and the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from solders.hash import Hash

from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import Draft
from heliograph_localnet.rpc_error import RpcFault
from heliograph_localnet.view import View

Ask = Callable[..., Any]


def test_the_slot_depends_on_the_commitment(chain: Chain, ask: Ask) -> None:
    for _ in range(40):
        chain.produce()
    assert ask("getSlot") == ask("getSlot", {"commitment": "finalized"}) == 1_007
    assert ask("getSlot", {"commitment": "confirmed"}) == 1_038
    assert ask("getSlot", {"commitment": "processed"}) == 1_039
    with pytest.raises(RpcFault) as caught:
        ask("getSlot", {"minContextSlot": 1_008})
    assert (caught.value.code, caught.value.data) == (-32016, {"contextSlot": 1_007})


def test_an_alpenglow_cluster_alone_has_a_certificate_of_its_genesis(view: View, ask: Ask) -> None:
    with pytest.raises(RpcFault) as caught:
        ask("getAgGenesisCert")
    assert caught.value.code == -32601
    view.alpenglow = True
    assert ask("getAgGenesisCert")["slot"] == view.chain.first_slot


def test_heights_and_counts_leave_skipped_slots_out(
    chain: Chain, ask: Ask, make_draft: Callable[..., Draft]
) -> None:
    chain.submit(make_draft())
    chain.produce()
    chain.produce(skip=True)
    chain.produce()
    processed = {"commitment": "processed"}
    assert ask("getBlockHeight", processed) == 1_001
    assert ask("getTransactionCount", processed) == 1
    assert ask("getEpochInfo", processed) == {
        "absoluteSlot": 1_002,
        "blockHeight": 1_001,
        "epoch": 0,
        "slotIndex": 1_002,
        "slotsInEpoch": 432_000,
        "transactionCount": 1,
    }


def test_blockhashes_stay_good_for_150_blocks(chain: Chain, ask: Ask) -> None:
    answer = ask("getLatestBlockhash", {"commitment": "processed"})
    blockhash = answer["value"]["blockhash"]
    assert answer["value"]["lastValidBlockHeight"] == 999 + 150
    for _ in range(150):
        chain.produce()
    assert ask("isBlockhashValid", blockhash, {"commitment": "processed"})["value"] is True
    chain.produce()
    assert ask("isBlockhashValid", blockhash, {"commitment": "processed"})["value"] is False


def test_the_node_tells_who_it_is(chain: Chain, ask: Ask) -> None:
    assert ask("getVersion")["solana-core"].startswith("4.")
    Hash.from_string(ask("getGenesisHash"))
    assert ask("getGenesisHash") == chain.genesis_hash != Chain(seed=8).genesis_hash


def test_an_unhealthy_node_says_how_far_behind_it_is(view: View, ask: Ask) -> None:
    assert ask("getHealth") == "ok"
    view.healthy = False
    view.lag_slots = 42
    with pytest.raises(RpcFault) as caught:
        ask("getHealth")
    assert caught.value.json() == {
        "code": -32005,
        "message": "Node is behind by 42 slots",
        "data": {"numSlotsBehind": 42},
    }
    view.lag_slots = 0
    with pytest.raises(RpcFault, match="Node is unhealthy"):
        ask("getHealth")
