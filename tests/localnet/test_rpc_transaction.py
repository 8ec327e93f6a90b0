"""How transactions are shown, in each encoding and version."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from solders.transaction import VersionedTransaction

from heliograph_localnet import base58
from heliograph_localnet.chain import ENDOWMENT, Chain
from heliograph_localnet.draft import AccountData, Draft
from heliograph_localnet.rpc_error import RpcFault

Ask = Callable[..., Any]
MakeDraft = Callable[..., Draft]
Address = Callable[[str], str]


def shown(chain: Chain, ask: Ask, draft: Draft, **config: object) -> dict[str, Any]:
    signature = chain.submit(draft)
    chain.produce()
    chain.produce()
    answer = ask("getTransaction", signature, {"commitment": "confirmed"} | config)
    assert isinstance(answer, dict)
    return answer


def test_json_has_the_message_and_the_meta_of_a_node(
    chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address, held: Callable[..., AccountData]
) -> None:
    answer = shown(chain, ask, make_draft(writes={"market": held(lamports=5)}, priority_fee=50))
    message = answer["transaction"]["message"]
    assert message["accountKeys"] == [address("payer"), address("market"), address("program")]
    assert message["header"] == {
        "numRequiredSignatures": 1,
        "numReadonlySignedAccounts": 0,
        "numReadonlyUnsignedAccounts": 1,
    }
    assert message["instructions"] == [
        {"programIdIndex": 2, "accounts": [0, 1], "data": base58.encode(b"\x00call"), "stackHeight": 1}
    ]
    assert "addressTableLookups" not in message
    assert answer["meta"] == {
        "err": None,
        "status": {"Ok": None},
        "fee": 5_050,
        "preBalances": [ENDOWMENT, 0, 0],
        "postBalances": [ENDOWMENT - 5_050, 5, 0],
        "innerInstructions": [
            {
                "index": 0,
                "instructions": [
                    {
                        "programIdIndex": 2,
                        "accounts": [1],
                        "data": base58.encode(b"\xe4\x45event"),
                        "stackHeight": 2,
                    }
                ],
            }
        ],
        "logMessages": [f"Program {address('program')} invoke [1]", f"Program {address('program')} success"],
        "preTokenBalances": [],
        "postTokenBalances": [],
        "rewards": [],
        "loadedAddresses": {"writable": [], "readonly": []},
        "computeUnitsConsumed": 1_234,
        "costUnits": 1_954,
    }


def test_a_failed_transaction_says_so_twice(
    chain: Chain, ask: Ask, make_draft: MakeDraft, failed: object
) -> None:
    meta = shown(chain, ask, make_draft(err=failed))["meta"]
    assert meta["err"] == failed
    assert meta["status"] == {"Err": failed}


def test_binary_encodings_hold_the_wire(chain: Chain, ask: Ask, make_draft: MakeDraft) -> None:
    draft = make_draft()
    answer = shown(chain, ask, draft, encoding="base64")
    wire = base64.b64decode(answer["transaction"][0])
    transaction = VersionedTransaction.from_bytes(wire)
    signature = str(transaction.signatures[0])

    def body(encoding: str) -> Any:
        wanted = {"commitment": "confirmed", "encoding": encoding}
        return ask("getTransaction", signature, wanted)["transaction"]

    assert body("base58") == [base58.encode(wire), "base58"]
    assert body("binary") == base58.encode(wire)


@pytest.mark.parametrize(("version", "shown_as"), [("legacy", "legacy"), ("0", 0), ("1", 1)])
def test_the_version_is_shown_to_whom_supports_it(
    chain: Chain, ask: Ask, make_draft: MakeDraft, version: str, shown_as: object
) -> None:
    for encoding in ("json", "base64", "jsonParsed"):
        draft = make_draft(version=version)
        answer = shown(chain, ask, draft, maxSupportedTransactionVersion=1, encoding=encoding)
        assert answer["version"] == shown_as


def test_without_a_supported_version_legacy_alone_is_shown(
    chain: Chain, ask: Ask, make_draft: MakeDraft
) -> None:
    assert "version" not in shown(chain, ask, make_draft())
    for version, config in (("0", {}), ("1", {"maxSupportedTransactionVersion": 0})):
        with pytest.raises(RpcFault) as caught:
            shown(chain, ask, make_draft(version=version), **config)
        assert caught.value.code == -32015
        assert caught.value.message == (
            f"Transaction version ({version}) is not supported by the requesting client. Please try the request"
            f' again with the following configuration parameter: "maxSupportedTransactionVersion": {version}'
        )


def test_one_unsupported_transaction_fails_the_block(chain: Chain, ask: Ask, make_draft: MakeDraft) -> None:
    shown(chain, ask, make_draft())
    chain.submit(make_draft(version="1"))
    chain.produce()
    chain.produce()
    for details in ("full", "accounts"):
        config = {
            "commitment": "confirmed",
            "maxSupportedTransactionVersion": 0,
            "transactionDetails": details,
        }
        with pytest.raises(RpcFault) as caught:
            ask("getBlock", 1_002, config)
        assert caught.value.code == -32015
    assert ask("getBlock", 1_002, {"commitment": "confirmed", "transactionDetails": "signatures"})[
        "signatures"
    ]


def test_lookup_tables_and_what_they_loaded_are_shown(
    chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address
) -> None:
    draft = make_draft(version="0", loaded=(address("market"),))
    answer = shown(chain, ask, draft, maxSupportedTransactionVersion=0)
    (lookup,) = answer["transaction"]["message"]["addressTableLookups"]
    assert (lookup["writableIndexes"], lookup["readonlyIndexes"]) == ([], [0])
    assert answer["meta"]["loadedAddresses"] == {"writable": [], "readonly": [address("market")]}
    assert len(answer["meta"]["preBalances"]) == 3


def test_version_1_shows_its_configuration(chain: Chain, ask: Ask, make_draft: MakeDraft) -> None:
    answer = shown(chain, ask, make_draft(version="1", priority_fee=9), maxSupportedTransactionVersion=1)
    assert answer["transaction"]["message"]["transactionConfig"]["priorityFee"] == 9


def test_parsed_names_accounts_in_place_of_indexes(
    chain: Chain, ask: Ask, make_draft: MakeDraft, address: Address
) -> None:
    draft = make_draft(version="0", loaded=(address("market"),))
    answer = shown(chain, ask, draft, maxSupportedTransactionVersion=0, encoding="jsonParsed")
    message = answer["transaction"]["message"]
    assert [account["source"] for account in message["accountKeys"]] == [
        "transaction",
        "transaction",
        "lookupTable",
    ]
    assert message["accountKeys"][0] == {
        "pubkey": address("payer"),
        "signer": True,
        "source": "transaction",
        "writable": True,
    }
    assert message["instructions"][0]["programId"] == address("program")
    (group,) = answer["meta"]["innerInstructions"]
    assert group["instructions"][0]["accounts"] == [address("market")]
    assert "loadedAddresses" not in answer["meta"]


def test_a_block_can_show_accounts_alone_and_no_rewards(
    chain: Chain, ask: Ask, make_draft: MakeDraft
) -> None:
    shown(chain, ask, make_draft())
    wanted = {"commitment": "confirmed", "transactionDetails": "accounts", "rewards": False}
    (transaction,) = ask("getBlock", 1_000, wanted)["transactions"]
    assert [account["writable"] for account in transaction["transaction"]["accountKeys"]] == [
        True,
        False,
        False,
    ]
    assert "logMessages" not in transaction["meta"]
    full = ask("getBlock", 1_000, {"commitment": "confirmed", "rewards": False})
    assert "rewards" not in full
    assert "rewards" not in full["transactions"][0]["meta"]
