"""Methods about accounts."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from heliograph_localnet import base58
from heliograph_localnet.chain import Chain
from heliograph_localnet.draft import AccountData, Draft
from heliograph_localnet.rpc_error import RpcFault

Ask = Callable[..., Any]
MakeDraft = Callable[..., Draft]
Address = Callable[[str], str]
Held = Callable[..., AccountData]
PROCESSED = {"commitment": "processed"}


@pytest.fixture
def markets(chain: Chain, make_draft: MakeDraft, held: Held) -> None:
    chain.submit(make_draft(writes={"m1": held(b"\x01" + bytes(199)), "m2": held(b"\x02abc")}))
    chain.produce()


@pytest.mark.usefixtures("markets")
def test_an_account_is_seen_at_its_commitment(chain: Chain, ask: Ask, address: Address) -> None:
    wanted = {"encoding": "base64"}
    assert ask("getAccountInfo", address("m2"), wanted)["value"] is None
    answer = ask("getAccountInfo", address("m2"), wanted | PROCESSED)
    assert answer["context"]["slot"] == 1_000
    assert answer["value"] == {
        "data": [base64.b64encode(b"\x02abc").decode(), "base64"],
        "executable": False,
        "lamports": 1_000,
        "owner": address("program"),
        "rentEpoch": 2**64 - 1,
        "space": 4,
    }
    assert ask("getBalance", address("m2"), PROCESSED)["value"] == 1_000
    assert ask("getBalance", address("nobody"), PROCESSED)["value"] == 0


@pytest.mark.usefixtures("markets")
def test_base58_is_for_small_accounts(ask: Ask, address: Address) -> None:
    assert ask("getAccountInfo", address("m2"), PROCESSED)["value"]["data"] == base58.encode(b"\x02abc")
    with pytest.raises(RpcFault, match="please use Base64") as caught:
        ask("getAccountInfo", address("m1"), PROCESSED)
    assert caught.value.code == -32600
    cut = PROCESSED | {"encoding": "base58", "dataSlice": {"offset": 0, "length": 1}}
    assert ask("getAccountInfo", address("m1"), cut)["value"]["data"] == [base58.encode(b"\x01"), "base58"]


@pytest.mark.usefixtures("markets")
def test_zstd_answers_are_frames_of_stored_blocks(ask: Ask, address: Address) -> None:
    wanted = PROCESSED | {"encoding": "base64+zstd"}
    text, encoding = ask("getAccountInfo", address("m1"), wanted)["value"]["data"]
    frame = base64.b64decode(text)
    assert encoding == "base64+zstd"
    # Magic number, single segment with a size of four bytes, one last raw block (RFC 8878).
    assert frame[:5] == b"\x28\xb5\x2f\xfd\xa0"
    assert int.from_bytes(frame[5:9], "little") == 200
    assert int.from_bytes(frame[9:12], "little") == 200 << 3 | 1
    assert frame[12:] == b"\x01" + bytes(199)


@pytest.mark.usefixtures("markets")
def test_many_accounts_keep_their_order(ask: Ask, address: Address) -> None:
    asked = [address("m2"), address("nobody"), address("m1")]
    value = ask("getMultipleAccounts", asked, PROCESSED)["value"]
    assert [account and account["space"] for account in value] == [4, None, 200]
    with pytest.raises(RpcFault, match="max 100"):
        ask("getMultipleAccounts", asked * 34)


@pytest.mark.usefixtures("markets")
def test_program_accounts_are_filtered_cut_and_put_in_context(ask: Ask, address: Address) -> None:
    wanted = PROCESSED | {"encoding": "base64"}
    found = ask("getProgramAccounts", address("program"), wanted)
    assert {account["pubkey"] for account in found} == {address("m1"), address("m2")}
    filters = [{"dataSize": 200}, {"memcmp": {"offset": 0, "bytes": base58.encode(b"\x01")}}]
    cut = {"filters": filters, "dataSlice": {"offset": 0, "length": 2}, "withContext": True}
    answer = ask("getProgramAccounts", address("program"), wanted | cut)
    assert answer["context"]["slot"] == 1_000
    (only,) = answer["value"]
    assert only["pubkey"] == address("m1")
    assert only["account"]["data"][0] == base64.b64encode(b"\x01\x00").decode()
    assert only["account"]["space"] == 200


@pytest.mark.usefixtures("markets")
def test_closed_accounts_are_gone(chain: Chain, ask: Ask, address: Address, make_draft: MakeDraft) -> None:
    chain.submit(make_draft(writes={"m1": None}))
    chain.produce()
    wanted = PROCESSED | {"encoding": "base64"}
    assert [each["pubkey"] for each in ask("getProgramAccounts", address("program"), wanted)] == [
        address("m2")
    ]
    assert ask("getAccountInfo", address("m1"), wanted)["value"] is None
    before = wanted | {"commitment": "confirmed"}
    assert len(ask("getProgramAccounts", address("program"), before)) == 2


def test_a_context_that_is_not_reached_is_told(ask: Ask, address: Address) -> None:
    for method in ("getAccountInfo", "getProgramAccounts", "getBalance"):
        with pytest.raises(RpcFault) as caught:
            ask(method, address("program"), {"minContextSlot": 1_000})
        assert (caught.value.code, caught.value.data) == (-32016, {"contextSlot": 999})


def test_rent_is_what_mainnet_asks(ask: Ask) -> None:
    assert ask("getMinimumBalanceForRentExemption", 0) == 890_880
    assert ask("getMinimumBalanceForRentExemption", 165) == 2_039_280
