"""A client that only wants its page: asks every few milliseconds until stdin ends, then prints what it got.

Usage: good_client.py URL KEY PAUSE_MS. Output: one JSON object, {"ms": [milliseconds a request], "wrong": [what was not the page]}.
A process of its own, so that what it measures is the server and not the attackers' event loop.
"""

from __future__ import annotations

import json
import select
import sys
import time

import httpx2

QUERY = (
    "query Page($first: Int) { trades(first: $first, orderBy: [{blockTime: DESC}]) "
    "{ nodes { id slot price size taker } pageInfo { hasNextPage } completeThrough { slot } } }"
)


def main(url: str, key: str, pause_ms: str) -> None:
    took: list[float] = []
    wrong: list[str] = []
    with httpx2.Client(headers={"x-api-key": key}, timeout=60) as http:
        while not select.select([sys.stdin], [], [], float(pause_ms) / 1000)[0]:
            began = time.perf_counter()
            response = http.post(url, json={"query": QUERY, "variables": {"first": 20}})
            took.append((time.perf_counter() - began) * 1000)
            body = response.json()
            if response.status_code != 200 or len(body["data"]["trades"]["nodes"]) != 20:
                wrong.append(response.text[:200])
    print(json.dumps({"ms": took, "wrong": wrong[:5]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
