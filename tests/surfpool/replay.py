"""A transaction as a real runtime recorded it becomes the draft that lands the same on localnet. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from base58 import b58decode

from heliograph_localnet.draft import (
    NO_WRITES,
    SIGNATURE_FEE,
    AccountData,
    Draft,
    DraftInner,
    DraftInstruction,
    Version,
)

_VERSIONS: Mapping[object, Version] = {"legacy": "legacy", 0: "0", 1: "1"}


def draft_of(record: Mapping[str, Any], writes: Mapping[str, AccountData | None] = NO_WRITES) -> Draft:
    """record: a getTransaction result with encoding json and one signer; writes: what it did to accounts."""
    message, meta = record["transaction"]["message"], record["meta"]
    loaded = (*meta["loadedAddresses"]["writable"], *meta["loadedAddresses"]["readonly"])
    keys = (*message["accountKeys"], *loaded)
    inner = {group["index"]: group["instructions"] for group in meta["innerInstructions"]}
    return Draft(
        fee_payer=keys[0],
        instructions=tuple(
            DraftInstruction(
                program=keys[each["programIdIndex"]],
                accounts=tuple(keys[at] for at in each["accounts"]),
                data=b58decode(each["data"]),
                inner=tuple(
                    DraftInner(
                        program=keys[callee["programIdIndex"]],
                        accounts=tuple(keys[at] for at in callee["accounts"]),
                        data=b58decode(callee["data"]),
                        depth=callee["stackHeight"],
                    )
                    for callee in inner.get(index, ())
                ),
            )
            for index, each in enumerate(message["instructions"])
        ),
        logs=tuple(meta["logMessages"]),
        err=meta["err"],
        compute_units=meta["computeUnitsConsumed"],
        priority_fee=meta["fee"] - SIGNATURE_FEE,
        writes=writes,
        version=_VERSIONS[record["version"]],
        loaded=loaded,
    )
