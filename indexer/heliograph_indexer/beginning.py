"""Where live indexing begins when an indexer takes the lead, and what it leaves to the healer.

Subscribe first, note the cluster's slot at the acknowledgement, then begin: above that slot at once, so that rows of
now are never late because of rows of then. The notifications decide nothing (the record is pulled, and a span is
proved by the rules of DESIGN section 3 wherever it begins), so the noted slot is the one at the stream's commitment:
whatever is at or below it stands in the record already, and is history.

A gap of at most `catch_up_slots`, as a restart of some seconds leaves it, live catches up in order instead. Its
signatures are one page that live has to ask for anyway, and it costs a second or two of latency once; healed, it costs a claim, a
proof and pages of its own, and it makes every position that moved in it dirty: folded wrong by live, marked, and folded anew.
"""

from __future__ import annotations

from heliograph_core.intervals import SlotSet


def live_begins(coverage: SlotSet, first_slot: int, noted: int, catch_up_slots: int) -> int:
    """The first slot of live spans; everything uncovered below it is the healer's. Pure.

    noted: the cluster's slot when the subscription was acknowledged. Never a slot that is covered, nor below first_slot.
    """
    top = max(coverage.ranges[-1][1] if coverage else -1, first_slot - 1)
    if noted - top <= catch_up_slots:
        return top + 1
    return noted + 1
