"""What a subscription sends: one message a commit, the same envelope for every entity."""

from __future__ import annotations

from dataclasses import dataclass

from heliograph_graphql.entity import Choice, Field, Kind

KIND = Choice(
    "CommitKind",
    "What a commit did.",
    {
        "apply": "Added rows of slots that were not covered.",
        "correct": "Replaced the rows of slots: discard what you hold of them.",
        "amend": "Folded late history into positions.",
        "accounts": "Updated account state.",
    },
)
ORIGIN = Choice(
    "CommitOrigin",
    "Where a commit's slots came from.",
    {
        "live": "The head of the chain.",
        "heal": "A gap that was filled.",
        "backfill": "History on request.",
        "replay": "Stored transactions, read again.",
    },
)

ENVELOPE = (
    Field("cursor", Kind.TEXT, "Opaque: pass it as `after` to resume behind this message."),
    Field("kind", KIND, "What the commit did."),
    Field("origin", ORIGIN, "Where its slots came from."),
    Field("stream", Kind.TEXT, "The stream."),
    Field("seq", Kind.BIGINT, "Number of the commit in its stream."),
    Field("first_slot", Kind.SLOT, "First slot of the commit."),
    Field("last_slot", Kind.SLOT, "Last slot of the commit."),
)
DISCARD = (
    Field("from_slot", Kind.SLOT, "First slot to discard."),
    Field("through_slot", Kind.SLOT, "Last slot to discard."),
)

OBJECT_ENVELOPE = (
    Field("cursor", Kind.TEXT, "Opaque: pass it as `after` to resume behind this message."),
    Field(
        "snapshot",
        Kind.BOOL,
        "True for the first message, which has all objects: forget what you hold. False for changes.",
    ),
    Field(
        "stream", Kind.TEXT, "The stream whose commit changed them; null in the first message.", nullable=True
    ),
    Field("seq", Kind.BIGINT, "Number of that commit in its stream.", nullable=True),
)
REMOVED = "removed"

TOUCHED_ENVELOPE = (
    Field("cursor", Kind.TEXT, "Opaque: pass it as `after` to resume behind this message."),
    Field("stream", Kind.TEXT, "The stream."),
    Field(
        "seq", Kind.BIGINT, "Number of the commit in its stream; of several that were missed, of the last."
    ),
)


@dataclass(frozen=True)
class MessageItem:
    """One selected member of a message: `name` is an envelope field, "discard", "nodes", "removed", "__typename" or what was gathered.

    members: of one that is an object, the response key and field name of each selected member.
    """

    key: str
    name: str
    members: tuple[tuple[str, str], ...] = ()
