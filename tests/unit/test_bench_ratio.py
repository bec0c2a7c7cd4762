"""Ratios of pairs, and how sure they are."""

from __future__ import annotations

import random

from callpool.bench.ratio import Ratio, upper_bound


def test_pairs_are_compared_with_each_other() -> None:
    """A slow moment that strikes both of a pair moves nothing."""
    without = [1.0, 5.0, 1.0, 1.0]
    found = Ratio.of("latency", without, [each * 1.02 for each in without])
    assert (round(found.middle, 6), found.pairs) == (1.02, 4)
    assert (found.without, found.with_it) == (1.0, 1.02)


def test_more_pairs_make_it_surer() -> None:
    """The upper bound comes down to the median, and is never below it."""
    dice = random.Random(7)
    few = [dice.gauss(1.0, 0.1) for _ in range(10)]
    many = [dice.gauss(1.0, 0.1) for _ in range(1000)]
    assert 1.0 < upper_bound(many) < upper_bound(few)
    assert upper_bound(few) >= sorted(few)[len(few) // 2]


def test_a_cost_that_is_there_is_found() -> None:
    """Ten percent in forty noisy pairs is above a limit of three."""
    dice = random.Random(3)
    assert upper_bound([1.1 * dice.gauss(1.0, 0.05) for _ in range(40)]) > 1.08
