"""Histograms count by upper bound, each bucket with those below it."""

from __future__ import annotations

from heliograph_core.figure import Histogram


def test_a_value_at_a_bound_belongs_to_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.observe(value)
    read = histogram.read()
    assert read.buckets == ((1.0, 2), (2.0, 4), (float("inf"), 5))
    assert read.sum == 14.0
