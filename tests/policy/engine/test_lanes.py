"""Rows of small numbers in one integer, against plain lists."""

from __future__ import annotations

from random import Random

import pytest

from llmroute.policy.engine.lanes import Lanes

#: The largest sum that still has lanes of 31 bits, and the one after it.
NARROW, WIDE = (1 << 31) - 1, 1 << 31
#: Sizes around the number of places that are read bit by bit.
SIZES = (1, 2, 23, 24, 25, 26, 100)


@pytest.mark.parametrize("most", [1, NARROW, WIDE, (1 << 63) - 1])
@pytest.mark.parametrize("size", SIZES)
def test_rows_add_and_compare_like_lists(size, most):
    rng, lanes = Random(size), Lanes(size, most)
    half = [rng.choice((0, 1, most // 2)) for _ in range(size)]
    rest = [rng.choice((0, most - most // 2)) for _ in range(size)]
    row, wanted = (
        lanes.pack(half) + lanes.pack(rest),
        [a + b for a, b in zip(half, rest, strict=True)],
    )
    assert list(lanes.unpack(row)) == wanted
    assert [lanes.at(row, place) for place in range(size)] == wanted
    for least in {*wanted, 0, -1, -most, 1, most}:
        reached = [place for place, value in enumerate(wanted) if value >= least]
        assert sorted(lanes.reaching(row, least)) == reached


@pytest.mark.parametrize("most", [NARROW, WIDE])
def test_a_mask_keeps_whole_lanes_and_nothing_of_the_others(most):
    lanes = Lanes(5, most)
    row = lanes.pack([most] * 5)
    mask = lanes.mask([True, False, False, True, False])
    assert lanes.unpack(row & mask) == (most, 0, 0, most, 0)
    assert lanes.unpack(row & lanes.everyone) == (most,) * 5
    assert lanes.unpack(row & lanes.single(4)) == (0, 0, 0, 0, most)
    assert lanes.unpack(lanes.put(2, most)) == (0, 0, most, 0, 0)
    assert lanes.unpack(lanes.ones) == (1,) * 5


def test_there_may_be_no_lane():
    lanes = Lanes(0, 5)
    assert lanes.unpack(lanes.everyone) == ()
    assert lanes.reaching(lanes.ones, 0) == []
