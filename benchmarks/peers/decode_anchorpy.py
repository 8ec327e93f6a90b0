"""Times anchorpy's EventCoder on event payloads: python decode_anchorpy.py IDL PAYLOADS

Runs in an environment of its own, which cannot hold ours. Takes the events whose layout anchorpy can load, and of
the payloads those that belong to them.
"""

from __future__ import annotations

import json
import sys
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

from anchorpy.coder.event import EventCoder  # type: ignore[import-not-found]
from anchorpy_core.idl import Idl  # type: ignore[import-not-found]


def loadable(document: dict[str, Any]) -> EventCoder:
    """A coder of every event that anchorpy can load by itself."""
    kept = []
    for event in document["events"]:
        try:
            EventCoder(Idl.from_json(json.dumps({**document, "events": [event]})))
        except Exception as error:  # noqa: BLE001
            # Whatever it raises, that event is not one to compare with.
            print(f"anchorpy cannot load {event['name']}: {error}", file=sys.stderr)
            continue
        kept.append(event)
    return EventCoder(Idl.from_json(json.dumps({**document, "events": kept})))


def main() -> None:
    document = json.loads(Path(sys.argv[1]).read_bytes())
    document = {**document, "instructions": [], "accounts": [], "errors": []}
    coder = loadable(document)
    payloads = [b64decode(text) for text in json.loads(Path(sys.argv[2]).read_bytes())]
    payloads = [payload for payload in payloads if payload[:8] in coder.discriminators]
    for payload in payloads[:500]:
        coder.parse(payload)
    start, busy = time.perf_counter(), time.process_time()
    for payload in payloads:
        coder.parse(payload)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - busy
    print(json.dumps({"events": len(payloads), "seconds": seconds, "cpu_seconds": cpu_seconds}))


if __name__ == "__main__":
    main()
