"""What every connection can say about how complete it is."""

from __future__ import annotations

from heliograph_graphql.entity import Field, Kind, Part

COMPLETE_THROUGH = Part(
    name="CompleteThrough",
    description="Every row up to here is in: the end of the range covered without a gap from the streams' first slot, the minimum over the streams asked. Null where one is not covered there.",
    fragment="complete_through",
    fields=(
        Field("slot", Kind.SLOT, "The last complete slot."),
        Field("time", Kind.TIME, "Time of the last block at or below it.", nullable=True),
    ),
)

GAP = Part(
    name="Gap",
    description="Slots of a stream that are not covered; at most 1000 are listed, oldest first.",
    fragment="coverage_gaps",
    fields=(
        Field("stream", Kind.TEXT, "The stream."),
        Field("from_slot", Kind.SLOT, "First missing slot.", graphql_name="from"),
        Field("through", Kind.SLOT, "Last missing slot."),
    ),
)

COVERAGE = Part(
    name="Coverage",
    description="What is covered of the range that the filter on slot or blockTime asks for.",
    fragment="coverage",
    fields=(
        Field("from_slot", Kind.SLOT, "First slot of the range.", nullable=True, graphql_name="from"),
        Field("through", Kind.SLOT, "Last slot of the range, at most the head.", nullable=True),
        Field(
            "truncated", Kind.BOOL, "Whether a transaction of the range had its log lines cut by the cluster."
        ),
        Field(
            "settled",
            Kind.BOOL,
            "Whether the filter bounds slot or blockTime on both sides and the range is covered, final and folded: the same rows answer it later.",
        ),
    ),
    parts={"gaps": GAP},
)
