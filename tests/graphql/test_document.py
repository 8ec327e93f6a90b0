"""Operations from text: what a client is told about a text that is none of this schema's."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema

from heliograph_graphql.document import Documents
from heliograph_graphql.failures import RequestError
from heliograph_graphql.settings import ApiSettings

SCHEMA = """
type Query { markets: MarketConnection! market: Market }
type MarketConnection { nodes: [Market!]! totalCount: Int! }
type Market { symbol: String! }
"""


def refusal(text: str) -> dict[str, Any]:
    with pytest.raises(RequestError) as caught:
        Documents(build_schema(SCHEMA), ApiSettings()).operation(text, None)
    (error,) = caught.value.errors
    return error


def test_a_field_of_the_rows_asked_of_their_page_is_shown_the_way() -> None:
    error = refusal("{ markets { symbol } }")
    assert error["message"].endswith(
        "on type 'MarketConnection'. Its rows have it: ask for nodes { symbol }."
    )
    assert error["locations"] == [{"line": 1, "column": 13}]
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize("text", ["{ markets { nonsense } }", "{ market { nodes } }", "{ nodes }"])
def test_other_unknown_fields_are_told_as_they_are(text: str) -> None:
    message = refusal(text)["message"]
    assert message.startswith("Cannot query field") and "rows" not in message
