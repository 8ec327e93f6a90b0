"""How sure a cluster is of a block."""

from __future__ import annotations

import enum


class Commitment(enum.StrEnum):
    """Ordered from the newest and least sure to the oldest and surest."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"
