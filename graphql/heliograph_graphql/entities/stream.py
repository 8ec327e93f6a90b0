"""Streams: what is indexed and how far."""

from __future__ import annotations

from heliograph_graphql.entities.chain import ID
from heliograph_graphql.entity import Entity, Field, Kind

ENTITY = Entity(
    name="Stream",
    root="streams",
    table="heliograph.streams",
    description="A named set of programs that is indexed, covered, numbered and finalized as one.",
    key=("name",),
    stream="name",
    fields=(
        ID,
        Field("name", Kind.TEXT, "Its name."),
        Field("protocol", Kind.TEXT, "The protocol that its events are projected by."),
        Field("programs", Kind.TEXTS, "Addresses of its programs."),
        Field("first_slot", Kind.SLOT, "The first slot asked for; completeness counts from here."),
        Field("seq", Kind.BIGINT, "Number of its latest commit."),
        Field("head_slot", Kind.SLOT, "Highest slot that any commit covered.", nullable=True),
        Field("head_time", Kind.TIME, "Time of the last block at or below it.", nullable=True),
        Field("final_slot", Kind.SLOT, "Rows at or below are final.", nullable=True),
        Field("accounts_through", Kind.SLOT, "Context slot of the last account snapshot.", nullable=True),
        Field("genesis", Kind.TEXT, "Genesis hash of its cluster.", nullable=True),
        Field("created_at", Kind.TIME, "When it was added."),
    ),
)
