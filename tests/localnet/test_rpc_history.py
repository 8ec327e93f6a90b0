"""Methods about blocks and transactions, with the error codes of a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heliograph_localnet.block import MEMO_PROGRAM
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import Draft, DraftInstruction
from heliograph_localnet.rpc_error import RpcFault
from heliograph_localnet.view import UnknownCursor, View

Ask = Callable[..., Any]
MakeDraft = Callable[..., Draft]
Address = Callable[[str], str]
CONFIRMED = {"commitment": "confirmed"}
UNKNOWN = "1" * 64


def land(chain: Chain, *drafts: Draft, blocks: int = 2) -> list[str]:
    """Land the drafts in one block, then make it confirmed."""
    signatures = [chain.submit(draft) for draft in drafts]
    for _ in range(blocks):
        chain.produce()
    return signatures


def refused(ask: Ask, *call: object) -> RpcFault:
    with pytest.raises(RpcFault) as caught:
        ask(*call)
    return caught.value


class TestSignaturesForAddress:
    def test_an_entry_has_every_field_of_agave_4(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address, failed: object
    ) -> None:
        first, second = land(chain, make_draft(), make_draft(err=failed))
        page = ask("getSignaturesForAddress", address("program"), CONFIRMED)
        assert page == [
            {
                "signature": second,
                "slot": 1_000,
                "err": {"InstructionError": [0, {"Custom": 6000}]},
                "memo": None,
                "blockTime": 1_800_000_000,
                "confirmationStatus": "confirmed",
                "transactionIndex": 1,
            },
            {
                "signature": first,
                "slot": 1_000,
                "err": None,
                "memo": None,
                "blockTime": 1_800_000_000,
                "confirmationStatus": "confirmed",
                "transactionIndex": 0,
            },
        ]

    def test_the_default_commitment_is_finalized(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address
    ) -> None:
        land(chain, make_draft())
        assert ask("getSignaturesForAddress", address("program")) == []
        for _ in range(31):
            chain.produce()
        (entry,) = ask("getSignaturesForAddress", address("program"))
        assert entry["confirmationStatus"] == "finalized"

    def test_memos_are_shown(self, chain: Chain, ask: Ask, make_draft: MakeDraft) -> None:
        land(chain, make_draft(instructions=(DraftInstruction(MEMO_PROGRAM, (), b"hello"),)))
        (entry,) = ask("getSignaturesForAddress", MEMO_PROGRAM, CONFIRMED)
        assert entry["memo"] == "[5] hello"

    def test_pages_meet_without_hole_or_double(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address
    ) -> None:
        signatures = []
        for _ in range(5):
            signatures += land(chain, *[make_draft() for _ in range(7)], blocks=1)
        chain.produce()
        found: list[str] = []
        before: dict[str, str] = {}
        while page := ask("getSignaturesForAddress", address("program"), CONFIRMED | {"limit": 4} | before):
            found += [entry["signature"] for entry in page]
            before = {"before": found[-1]}
        assert found == signatures[::-1]

    def test_until_stops_short_of_its_signature(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address
    ) -> None:
        signatures = land(chain, *[make_draft() for _ in range(5)])
        page = ask("getSignaturesForAddress", address("program"), CONFIRMED | {"until": signatures[2]})
        assert [entry["signature"] for entry in page] == signatures[:2:-1]

    def test_a_cursor_need_not_mention_the_address(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address
    ) -> None:
        mine, other, _ = land(chain, make_draft(), make_draft(program="other"), make_draft())
        page = ask("getSignaturesForAddress", address("program"), CONFIRMED | {"before": other})
        assert [entry["signature"] for entry in page] == [mine]

    def test_an_account_from_a_lookup_table_is_found(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address
    ) -> None:
        (signature,) = land(chain, make_draft(version="0", loaded=(address("market"),)))
        (entry,) = ask("getSignaturesForAddress", address("market"), CONFIRMED)
        assert entry["signature"] == signature

    @pytest.mark.parametrize("cursor", ["before", "until"])
    def test_an_unknown_cursor_is_an_error(self, ask: Ask, address: Address, cursor: str) -> None:
        fault = refused(ask, "getSignaturesForAddress", address("program"), {cursor: UNKNOWN})
        assert (fault.code, fault.message) == (-32020, f"Transaction {UNKNOWN} not found")

    def test_a_cursor_above_the_commitment_is_unknown(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address
    ) -> None:
        (signature,) = land(chain, make_draft())
        assert (
            refused(ask, "getSignaturesForAddress", address("program"), {"until": signature}).code == -32020
        )

    @pytest.mark.parametrize(("behaviour", "before", "until"), [("empty", 0, 3), ("ignore", 3, 3)])
    def test_older_nodes_do_not_tell(
        self,
        chain: Chain,
        view: View,
        ask: Ask,
        make_draft: MakeDraft,
        address: Address,
        behaviour: UnknownCursor,
        before: int,
        until: int,
    ) -> None:
        land(chain, *[make_draft() for _ in range(3)])
        view.unknown_cursor = behaviour
        program = address("program")
        assert len(ask("getSignaturesForAddress", program, CONFIRMED | {"before": UNKNOWN})) == before
        assert len(ask("getSignaturesForAddress", program, CONFIRMED | {"until": UNKNOWN})) == until

    def test_nodes_before_agave_4_give_no_index(
        self, chain: Chain, view: View, ask: Ask, make_draft: MakeDraft, address: Address
    ) -> None:
        (signature,) = land(chain, make_draft())
        view.transaction_index = False
        (entry,) = ask("getSignaturesForAddress", address("program"), CONFIRMED)
        assert "transactionIndex" not in entry
        assert "transactionIndex" not in ask("getTransaction", signature, CONFIRMED)

    @pytest.mark.parametrize("limit", [0, 1_001, -1])
    def test_the_limit_is_1_to_1000(self, ask: Ask, address: Address, limit: int) -> None:
        fault = refused(ask, "getSignaturesForAddress", address("program"), {"limit": limit})
        assert (fault.code, fault.message) == (-32602, "Invalid limit; max 1000")

    def test_a_context_that_is_not_reached_is_told(self, ask: Ask, address: Address) -> None:
        wanted = CONFIRMED | {"minContextSlot": 5_000}
        fault = refused(ask, "getSignaturesForAddress", address("program"), wanted)
        assert (fault.code, fault.data) == (-32016, {"contextSlot": 999})

    @pytest.mark.parametrize(
        "params",
        [
            (),
            (5,),
            ("not base58 0OIl",),
            ("abc",),
            ("11111111111111111111111111111111", {"before": "abc"}),
            ("11111111111111111111111111111111", {"limit": "many"}),
            ("11111111111111111111111111111111", {"commitment": "perhaps"}),
            ("11111111111111111111111111111111", {"commitment": "processed"}),
        ],
    )
    def test_invalid_params_are_refused(self, ask: Ask, params: tuple[object, ...]) -> None:
        assert refused(ask, "getSignaturesForAddress", *params).code == -32602


class TestTransaction:
    def test_it_is_null_until_its_commitment(self, chain: Chain, ask: Ask, make_draft: MakeDraft) -> None:
        (signature,) = land(chain, make_draft(), blocks=1)
        assert ask("getTransaction", signature, CONFIRMED) is None
        chain.produce()
        assert ask("getTransaction", signature, CONFIRMED)["slot"] == 1_000
        assert ask("getTransaction", signature) is None
        assert ask("getTransaction", UNKNOWN) is None

    def test_place_and_time_are_told(self, chain: Chain, ask: Ask, make_draft: MakeDraft) -> None:
        _, signature = land(chain, make_draft(), make_draft())
        answer = ask("getTransaction", signature, CONFIRMED)
        assert (answer["slot"], answer["blockTime"], answer["transactionIndex"]) == (1_000, 1_800_000_000, 1)
        assert answer["transaction"]["signatures"] == [signature]

    def test_the_encoding_may_stand_for_the_configuration(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft
    ) -> None:
        (signature,) = land(chain, make_draft(), blocks=34)
        assert ask("getTransaction", signature, "base64")["transaction"][1] == "base64"

    def test_processed_is_refused(self, ask: Ask) -> None:
        fault = refused(ask, "getTransaction", UNKNOWN, {"commitment": "processed"})
        assert fault.message == "Method does not support commitment below `confirmed`"

    def test_a_node_without_history_says_so(self, view: View, ask: Ask, address: Address) -> None:
        view.history = False
        for call in (
            ("getTransaction", UNKNOWN),
            ("getSignaturesForAddress", address("program")),
            ("getBlock", 999),
            ("getBlocks", 999),
            ("getBlocksWithLimit", 999, 5),
        ):
            assert refused(ask, *call).code == -32011


class TestBlock:
    def test_blocks_name_their_parent(self, chain: Chain, ask: Ask, make_draft: MakeDraft) -> None:
        signatures = land(chain, make_draft(), make_draft(), blocks=1)
        chain.produce(skip=True)
        chain.produce()
        chain.produce()
        first = ask("getBlock", 1_000, CONFIRMED | {"transactionDetails": "signatures", "rewards": False})
        assert first["signatures"] == signatures
        assert set(first) == {
            "previousBlockhash",
            "blockhash",
            "parentSlot",
            "signatures",
            "blockTime",
            "blockHeight",
        }
        second = ask("getBlock", 1_002, CONFIRMED | {"transactionDetails": "none"})
        assert second["parentSlot"] == 1_000
        assert second["previousBlockhash"] == first["blockhash"]
        assert second["blockHeight"] == first["blockHeight"] + 1
        assert second["rewards"] == []
        assert "transactions" not in second and "signatures" not in second

    def test_full_is_the_default_and_in_block_order(
        self, chain: Chain, ask: Ask, make_draft: MakeDraft
    ) -> None:
        signatures = land(chain, make_draft(), make_draft())
        block = ask("getBlock", 1_000, CONFIRMED)
        assert [each["transaction"]["signatures"][0] for each in block["transactions"]] == signatures

    def test_a_skipped_slot_is_not_available_until_a_later_root_proves_it(
        self, chain: Chain, ask: Ask
    ) -> None:
        chain.produce(skip=True)
        chain.produce()
        chain.produce()
        fault = refused(ask, "getBlock", 1_000, CONFIRMED)
        assert (fault.code, fault.message) == (-32004, "Block not available for slot 1000")
        for _ in range(32):
            chain.produce()
        fault = refused(ask, "getBlock", 1_000, CONFIRMED)
        assert fault.code == -32007
        assert fault.message == "Slot 1000 was skipped, or missing due to ledger jump to recent snapshot"
        assert refused(ask, "getBlockTime", 1_000).code == -32007

    def test_the_future_and_the_unconfirmed_are_not_available(self, chain: Chain, ask: Ask) -> None:
        chain.produce()
        assert refused(ask, "getBlock", 1_000, CONFIRMED).code == -32004
        assert refused(ask, "getBlock", 9_999, CONFIRMED).code == -32004
        chain.produce()
        assert refused(ask, "getBlock", 1_000).code == -32004

    def test_what_was_pruned_is_cleaned_up(self, chain: Chain, view: View, ask: Ask) -> None:
        for _ in range(60):
            chain.produce()
        view.keep_slots = 3
        fault = refused(ask, "getBlock", 1_000)
        first = view.first_available
        assert fault.code == -32001
        assert (
            fault.message == f"Block 1000 cleaned up, does not exist on node. First available block: {first}"
        )
        assert ask("getFirstAvailableBlock") == ask("minimumLedgerSlot") == first

    def test_processed_is_refused(self, ask: Ask) -> None:
        assert refused(ask, "getBlock", 999, {"commitment": "processed"}).code == -32602

    @pytest.mark.parametrize("slot", [-1, "1", None, 2**64, 1.5])
    def test_a_slot_is_an_unsigned_integer(self, ask: Ask, slot: object) -> None:
        assert refused(ask, "getBlock", slot).code == -32602

    def test_ranges_list_blocks_and_leave_skipped_slots_out(self, chain: Chain, ask: Ask) -> None:
        chain.produce()
        chain.produce(skip=True)
        for _ in range(4):
            chain.produce()
        assert ask("getBlocks", 1_000, 1_003, CONFIRMED) == [1_000, 1_002, 1_003]
        assert ask("getBlocks", 1_000, CONFIRMED) == [1_000, 1_002, 1_003, 1_004]
        assert ask("getBlocks", 1_000, None, CONFIRMED) == [1_000, 1_002, 1_003, 1_004]
        assert ask("getBlocks", 1_000) == []
        assert ask("getBlocks", 1_003, 1_000, CONFIRMED) == []
        assert ask("getBlocksWithLimit", 1_001, 2, CONFIRMED) == [1_002, 1_003]

    def test_ranges_end_at_500_000(self, ask: Ask) -> None:
        assert refused(ask, "getBlocks", 0, 500_001).message == "Slot range too large; max 500000"
        assert refused(ask, "getBlocksWithLimit", 0, 500_001).message == "Limit too large; max 500000"

    def test_block_time_is_the_blocks(self, chain: Chain, ask: Ask) -> None:
        for _ in range(6):
            chain.produce()
        assert ask("getBlockTime", 1_005) == 1_800_000_001
        assert refused(ask, "getBlockTime", 1_006).code == -32004


class TestStatuses:
    def test_a_status_grows_up(self, chain: Chain, ask: Ask, make_draft: MakeDraft, failed: object) -> None:
        good, bad = land(chain, make_draft(), make_draft(err=failed), blocks=1)
        answer = ask("getSignatureStatuses", [good, UNKNOWN, bad])
        assert answer["context"]["slot"] == 1_000
        first, missing, second = answer["value"]
        assert first == {
            "slot": 1_000,
            "confirmations": 0,
            "err": None,
            "status": {"Ok": None},
            "confirmationStatus": "processed",
        }
        assert missing is None
        assert second["status"] == {"Err": failed}
        chain.produce()
        (status,) = ask("getSignatureStatuses", [good])["value"]
        assert (status["confirmations"], status["confirmationStatus"]) == (1, "confirmed")
        for _ in range(31):
            chain.produce()
        (status,) = ask("getSignatureStatuses", [good])["value"]
        assert (status["confirmations"], status["confirmationStatus"]) == (None, "finalized")

    def test_old_ones_need_the_history(self, chain: Chain, ask: Ask, make_draft: MakeDraft) -> None:
        (signature,) = land(chain, make_draft(), blocks=340)
        assert ask("getSignatureStatuses", [signature])["value"] == [None]
        (status,) = ask("getSignatureStatuses", [signature], {"searchTransactionHistory": True})["value"]
        assert status["slot"] == 1_000

    def test_at_most_256_are_asked(self, ask: Ask) -> None:
        assert (
            refused(ask, "getSignatureStatuses", [UNKNOWN] * 257).message
            == "Too many inputs provided; max 256"
        )
