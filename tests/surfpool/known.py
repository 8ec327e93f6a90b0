"""Every difference in shape between Surfpool 1.5.0 and localnet, and why it is there.

localnet answers as Agave 4.0 does. Where Surfpool differs from Agave, the indexer must live with Agave's answer and
may not need Surfpool's.
"""

from __future__ import annotations

from tests.surfpool.transcript import ACTS
from tests.surfpool.verdict import Known

_TRANSACTIONS = (*(f"transaction {act}" for act in ("create", *ACTS)), "transaction base64")
_PAGES = ("page", "page of one", "page before", "page until")
_NO_COST = "Surfpool does not tell costUnits, Agave has since 2.2"
_RETURN_DATA = "Surfpool shows returnData where a program returned none, Agave leaves it out"
_NOT_YET = "for a block that is not there yet Surfpool answers null, Agave -32004"
_UNCHECKED = "Surfpool reads any limit, Agave refuses what it does not serve"
_LOWEST_SLOT = (
    "Surfpool takes minContextSlot for the lowest slot of the rows, Agave for what the node must have reached"
)
_UNKNOWN_CURSOR = "Surfpool pages from an unknown signature as nodes before Agave 4.0 did"
_ERROR_DATA = "Surfpool puts the reason of a malformed address or signature into data, Agave into the message"
_NO_INDEX = "Surfpool has no transactionIndex, Agave has since 4.0: block order comes from getBlock"


def _refused(topic: str, surfpool: str, code: int, reason: str) -> tuple[Known, Known]:
    """Surfpool answers with a result where Agave answers with an error."""
    return (
        Known((topic,), "$.result", surfpool, "absent", reason),
        Known((topic,), "$.error", "absent", f"error {code}", reason),
    )


REQUESTS: tuple[Known, ...] = (
    Known(_PAGES, "$.result[*].transactionIndex", "absent", "integer", _NO_INDEX),
    Known(_TRANSACTIONS, "$.result.transactionIndex", "absent", "integer", _NO_INDEX),
    Known(_TRANSACTIONS, "$.result.meta.costUnits", "absent", "integer", _NO_COST),
    Known(("block whole",), "$.result.transactions[*].meta.costUnits", "absent", "integer", _NO_COST),
    Known(_TRANSACTIONS, "$.result.meta.returnData", "object", "absent", _RETURN_DATA),
    Known(("block whole",), "$.result.transactions[*].meta.returnData", "object", "absent", _RETURN_DATA),
    Known(
        ("block whole",),
        "$.result.transactions[*].meta.rewards",
        "null",
        "absent",
        "asked without rewards, Surfpool says null and Agave nothing",
    ),
    Known(
        ("account malformed", "page malformed", "transaction malformed"),
        "$.error.data",
        "string",
        "absent",
        _ERROR_DATA,
    ),
    *_refused("block to come", "null", -32004, _NOT_YET),
    *_refused("time to come", "null", -32004, _NOT_YET),
    *_refused("block processed", "object", -32602, "Agave serves no block below confirmed, Surfpool does"),
    *_refused("page before unknown", "array", -32020, _UNKNOWN_CURSOR),
    *_refused("page until unknown", "array", -32020, _UNKNOWN_CURSOR),
    *_refused("page not reached", "array", -32016, _LOWEST_SLOT),
    *_refused("page of none", "array", -32602, _UNCHECKED),
    *_refused("page too long", "array", -32602, _UNCHECKED),
    Known(("batch",), "$", "object", "array", "Surfpool takes no JSON-RPC batches and says so with -32600"),
    Known(("version",), "$.result.surfnet-version", "string", "absent", "Surfpool tells its own version too"),
)

ANSWERS: tuple[Known, ...] = (
    Known(("roots",), "$.error", "error -32091", "absent", "Surfpool has no rootSubscribe"),
    Known(("roots",), "$.result", "absent", "integer", "Surfpool has no rootSubscribe"),
    *_refused("two mentions", "integer", -32602, "Agave takes one mentioned address, Surfpool any number"),
    *_refused("no filter", "integer", -32602, "Surfpool subscribes to no logs at all, Agave wants a filter"),
)

NOTIFICATIONS: tuple[Known, ...] = (
    Known(
        ("logs", "all logs", "program", "account"),
        "$[*].params.result.context.apiVersion",
        "string",
        "absent",
        "Agave's notifications have the slot alone as context",
    ),
    Known(
        ("logs", "all logs"),
        "$[*].params.result.value.err",
        "null",
        "null|object",
        "Surfpool notifies failed transactions at confirmed without their error: the record tells it",
    ),
)
