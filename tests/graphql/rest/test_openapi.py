"""The OpenAPI document, checked by schemathesis: whatever it lets one ask is answered as it says, and never with a 500."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

_EXAMPLES = 8
# Not positive_data_acceptance: a cursor is a text to the document, and one that nobody made is refused.
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection,unsupported_method,response_headers_conformance"


async def test_the_api_keeps_what_its_document_promises(servers: Any, ledger: Any, tmp_path: Path) -> None:
    await ledger.put("perps.markets")
    await ledger.put("perps.positions")
    await ledger.commit(
        {
            slot: {
                f"perps.{name}": [{}]
                for name in ("trades", "funding_rates", "funding_payments", "liquidations", "oracle_prices")
            }
            for slot in range(100, 104)
        }
    )
    server = await servers.start(min_slot_wait_s=0.001)
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"http://127.0.0.1:{server.port}/api/openapi.json",
        "--checks",
        _CHECKS,
        "--phases",
        "coverage,fuzzing",
        "--max-examples",
        str(_EXAMPLES),
        "--seed",
        "7",
        "--no-color",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 0, told.decode()[-8000:]
    assert b"No issues found" in told or b"passed" in told
