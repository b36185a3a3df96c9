"""Who may look at whom, against sets and counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stam_core.costs import SCHEMES, Sizes, cost
from stam_core.errors import ParameterError, UnknownNameError
from stam_core.schemes import (
    STEPS,
    keys_per_query,
    layers_to_meet,
    looks_directly,
    neighbours,
    reach_by_axis,
    window_sizes,
)

SMALL = (3, 2, 4)  # T, h, w


def lit(scheme: str, query: tuple[int, int, int], shape: tuple[int, int, int]) -> list[set]:
    masks = [seen.mask for seen in neighbours(scheme, query, shape)]
    return [{tuple(int(i) for i in place) for place in np.argwhere(mask)} for mask in masks]


@pytest.mark.parametrize("scheme", STEPS)
@pytest.mark.parametrize("shape", [SMALL, (16, 8, 8), (5, 7, 6)])
def test_three_axes_tell_what_every_patch_looks_at(
    scheme: str, shape: tuple[int, int, int]
) -> None:
    axes = reach_by_axis(scheme, shape)
    patches = [(0, 0, 0), tuple(size - 1 for size in shape), (shape[0] // 2, 1, shape[2] // 3)]
    for t, r, c in patches:
        for (frames, rows, columns), seen in zip(
            axes, neighbours(scheme, (t, r, c), shape), strict=True
        ):
            box = frames[t][:, None, None] & rows[r][:, None] & columns[c]
            assert np.array_equal(box, seen.mask)


FRAME_1 = {(1, r, c) for r in range(2) for c in range(4)}
PLACE = {(0, 0, 2), (1, 0, 2), (2, 0, 2)}
ALL = {(t, r, c) for t in range(3) for r in range(2) for c in range(4)}


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("space", [FRAME_1]),
        ("factorised", [FRAME_1]),
        ("joint", [ALL]),
        ("divided", [PLACE, FRAME_1]),
        ("axial", [PLACE, {(1, 0, c) for c in range(4)}, {(1, 0, 2), (1, 1, 2)}]),
        # half of 2 rows is 1: the row itself; half of 4 columns is 2: one before and the own
        (
            "sparse",
            [
                {(t, 0, c) for t in range(3) for c in (1, 2)},
                {(t, 0, c) for t in (0, 2) for c in (0, 2)},
            ],
        ),
        ("mixing", [FRAME_1, {(t, r, c) for t in (0, 2) for r in range(2) for c in range(4)}]),
        # windows of 3 frames, 1 row, 2 columns; shifted by 1 column alone
        (
            "windows",
            [
                {(t, 0, c) for t in range(3) for c in (2, 3)},
                {(t, 0, c) for t in range(3) for c in (1, 2)},
            ],
        ),
    ],
)
def test_a_patch_sees_what_the_scheme_says(scheme: str, expected: list[set]) -> None:
    assert lit(scheme, (1, 0, 2), SMALL) == expected


def test_the_first_frame_is_mixed_with_the_second_alone() -> None:
    assert lit("mixing", (0, 0, 0), SMALL)[1] == FRAME_1


def test_a_neighbourhood_ends_at_the_border() -> None:
    first, _ = neighbours("sparse", (0, 0, 0), (2, 4, 4))
    assert first.keys == 2 * 1 * 1 + 1  # of 2 x 2 places one lies inside
    inside, _ = neighbours("sparse", (0, 2, 2), (2, 4, 4))
    assert inside.keys == 2 * 2 * 2 + 1


@pytest.mark.parametrize("scheme", list(STEPS))
@pytest.mark.parametrize(("side", "frames"), [(224, 16), (128, 16), (96, 8)])
def test_counts_are_those_of_the_cost_model(scheme: str, side: int, frames: int) -> None:
    sizes = Sizes(frames=frames, side=side)
    if scheme == "windows" and side != 224:
        pytest.skip("there the lesson's windows are smaller than Video Swin's")
    shape = (frames, sizes.grid, sizes.grid)
    middle = (frames // 2, sizes.grid // 2, sizes.grid // 2)
    assert keys_per_query(scheme, middle, shape) == cost(scheme, sizes).keys_per_query


def test_every_scheme_of_the_costs_has_its_rules() -> None:
    assert list(STEPS) == list(SCHEMES)


def test_windows_are_the_published_ones_at_the_published_size() -> None:
    assert window_sizes((32, 14, 14)) == (8, 7, 7)
    assert window_sizes((4, 8, 8)) == (4, 4, 4)


FAR = ((0, 0, 0), (15, 7, 7))
SHAPE = (16, 8, 8)


@pytest.mark.parametrize(
    ("scheme", "a", "b", "layers", "directly"),
    [
        ("space", (2, 0, 0), (2, 7, 7), 1, True),
        ("space", *FAR, None, False),
        ("factorised", (2, 0, 0), (2, 7, 7), 1, True),
        ("factorised", (2, 3, 3), (3, 3, 3), None, False),
        ("joint", *FAR, 1, True),
        ("divided", *FAR, 1, False),
        ("divided", (0, 3, 3), (15, 3, 3), 1, True),
        ("axial", *FAR, 1, False),
        ("sparse", *FAR, 1, False),
        ("mixing", (5, 0, 0), (6, 7, 7), 1, True),
        ("mixing", (5, 0, 0), (9, 7, 7), 4, False),
        ("mixing", *FAR, None, False),  # 15 layers are needed, 12 there are
        ("windows", (0, 0, 0), (7, 3, 3), 1, True),
        ("windows", (7, 3, 3), (8, 4, 4), 2, True),
        # columns in windows of 4: 0-3 4-7; shifted 0-1 2-5 6-7. Layer 3 gives 7 its 4-7, layer 2
        # these 2-7, layer 1 everything.
        ("windows", (0, 0, 7), (0, 0, 0), 3, False),
    ],
)
def test_two_patches_meet_after_as_many_layers_as_by_hand(
    scheme: str, a: tuple, b: tuple, layers: int | None, directly: bool
) -> None:
    assert layers_to_meet(scheme, a, b, SHAPE, at_most=12) == layers
    assert looks_directly(scheme, a, b, SHAPE) is directly


@pytest.mark.parametrize("scheme", list(STEPS))
def test_a_patch_meets_itself_at_once(scheme: str) -> None:
    assert layers_to_meet(scheme, (1, 1, 3), (1, 1, 3), SMALL, at_most=1) == 1


@pytest.mark.parametrize("query", [(3, 0, 0), (0, 2, 0), (0, 0, -1)])
def test_a_patch_outside_the_clip_is_refused(query: tuple[int, int, int]) -> None:
    with pytest.raises(ParameterError, match="There is no"):
        neighbours("joint", query, SMALL)


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="divided"):
        neighbours("diagonal", (0, 0, 0), SMALL)
    with pytest.raises(UnknownNameError, match="divided"):
        layers_to_meet("diagonal", (0, 0, 0), (0, 0, 0), SMALL, at_most=2)
