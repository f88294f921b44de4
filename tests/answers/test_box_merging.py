"""Boxes of tiles as boxes of a picture. In: boxes by hand. Out: each thing once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Placement
from tellapart.answers.box_merging import BoxMerging
from tellapart.answers.tiling import tile_places
from tellapart.bundle import DetectionRecord
from tellapart.preprocessing import Preprocessing

TILE = 100
INPUTS = Preprocessing(size=TILE, fit="tile", overlap=30)
RECORD = DetectionRecord(
    scales=(1.0, 1.0),
    offsets=(0.0, 0.0),
    thresholds=(0.5, 0.5),
    threshold_rule="f1",
    calibrated_on=9,
    overlap=0.6,
    most=10,
    least_score=0.01,
)
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the picture
Found = tuple[Box, float, int]  # with score and class


def merge(width: int, height: int, found: Mapping[int, Sequence[Found]]) -> list[Found]:
    """What is found in some tiles, by their numbers, as what is found in the picture; two tiles come at a time."""
    whole = Placement(width=width, height=height, left=0, top=0, right=width, bottom=height)
    merging = BoxMerging(whole, RECORD)
    places = tile_places(width, height, INPUTS)
    for start in range(0, len(places), 2):
        part = places[start : start + 2]
        merging.add(_arrays([found.get(place.tile, []) for place in part], part), part)
    arrays = merging.finish()
    assert {name: array.shape[0] for name, array in arrays.items()} == {"boxes": 1, "scores": 1, "labels": 1}
    sides = np.array([width, height, width, height])
    return [
        ((*np.round(box * sides, 2).tolist(),), round(float(score), 4), int(label))
        for box, score, label in zip(arrays["boxes"][0], arrays["scores"][0], arrays["labels"][0], strict=True)
    ]


def _arrays(found: Sequence[Sequence[Found]], places: Sequence[Placement]) -> dict[str, NDArray[np.generic]]:
    """As a network gives them, filled up with boxes of score 0."""
    shape = (len(found), 1 + max(map(len, found)))
    boxes = np.zeros((*shape, 4), dtype=np.float32)
    scores, labels = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.int64)
    for row, (own, place) in enumerate(zip(found, places, strict=True)):
        for column, (box, score, label) in enumerate(own):
            corners = np.array(box).reshape(2, 2) - (place.left, place.top)
            boxes[row, column] = (corners / (place.right - place.left)).ravel()
            scores[row, column], labels[row, column] = score, label
    return {"boxes": boxes, "scores": scores, "labels": labels}


def test_tiles_lie_as_the_cases_below_take_them() -> None:
    assert [(place.left, place.top) for place in tile_places(170, 100, INPUTS)] == [(0, 0), (70, 0)]
    assert [(place.left, place.top) for place in tile_places(240, 170, INPUTS)] == [
        (x, y) for y in (0, 70) for x in (0, 70, 140)
    ]


def test_a_thing_that_two_tiles_see_whole_is_told_once() -> None:
    assert merge(170, 100, {0: [((74, 20, 86, 32), 0.7, 1)], 1: [((75, 21, 87, 33), 0.9, 1)]}) == [
        ((75, 21, 87, 33), 0.9, 1)
    ]


def test_things_of_other_classes_or_other_places_stay() -> None:
    found = merge(
        170, 100, {0: [((74, 20, 86, 32), 0.7, 1)], 1: [((74, 20, 86, 32), 0.9, 0), ((80, 40, 92, 52), 0.8, 1)]}
    )
    assert found == [((74, 20, 86, 32), 0.9, 0), ((80, 40, 92, 52), 0.8, 1), ((74, 20, 86, 32), 0.7, 1)]


def test_a_box_cut_by_the_edge_of_a_tile_gives_way_to_the_whole_one() -> None:
    """However certain it is; the higher score is the thing's."""
    found = merge(170, 100, {0: [((90, 20, 100, 32), 0.9, 1)], 1: [((91, 20, 120, 32), 0.3, 1)]})
    assert found == [((91, 20, 120, 32), 0.9, 1)]
    again = merge(170, 100, {1: [((70, 20, 80, 32), 0.9, 1)], 0: [((52, 20, 80, 32), 0.3, 1)]})
    assert again == [((52, 20, 80, 32), 0.9, 1)]


def test_a_thing_larger_than_what_tiles_share_is_put_together() -> None:
    """From end to end of three tiles, and over a corner where four meet."""
    parts = {0: [((20, 30, 100, 60), 0.6, 0)], 1: [((70, 31, 170, 60), 0.9, 0)], 2: [((140, 30, 200, 61), 0.5, 0)]}
    assert merge(240, 100, parts) == [((20, 30, 200, 61), 0.9, 0)]
    corner = {
        0: [((40, 50, 100, 100), 0.5, 0)],
        1: [((70, 50, 130, 100), 0.6, 0)],
        3: [((40, 70, 100, 120), 0.7, 0)],
        4: [((70, 70, 130, 120), 0.8, 0)],
    }
    assert merge(240, 170, corner) == [((40, 50, 130, 120), 0.8, 0)]


def test_a_cut_box_that_no_neighbour_sees_stays() -> None:
    assert merge(170, 100, {0: [((90, 20, 100, 32), 0.9, 1)]}) == [((90, 20, 100, 32), 0.9, 1)]


def test_things_beside_each_other_keep_their_own_boxes() -> None:
    """Two that overlap by nearly half, each seen by both tiles, a pixel off: two, not one and not four."""
    found = merge(
        170,
        100,
        {
            0: [((72, 20, 92, 40), 0.9, 1), ((78, 20, 98, 40), 0.8, 1)],
            1: [((73, 20, 93, 40), 0.85, 1), ((79, 20, 99, 40), 0.7, 1)],
        },
    )
    assert found == [((72, 20, 92, 40), 0.9, 1), ((78, 20, 98, 40), 0.8, 1)]


def test_what_touches_the_edge_of_the_picture_is_not_cut() -> None:
    """At the picture's own edge a box is as whole as it can be: the more certain of two stays."""
    found = merge(170, 100, {0: [((75, 0, 90, 10), 0.9, 1)], 1: [((75, 1, 91, 11), 0.4, 1)]})
    assert found == [((75, 0, 90, 10), 0.9, 1)]


def test_nothing_found_is_an_answer() -> None:
    assert merge(240, 170, {}) == []


def test_without_suppression_in_the_graph_it_is_done_tile_by_tile() -> None:
    whole = Placement(width=170, height=100, left=0, top=0, right=170, bottom=100)
    merging = BoxMerging(whole, RECORD)
    boxes = np.array([[[0.75, 0.2, 0.85, 0.3], [0.76, 0.2, 0.86, 0.3]], [[0.05, 0.2, 0.15, 0.3], [0.5, 0.5, 0.6, 0.6]]])
    scores = np.array([[[0.9, 0.0], [0.8, 0.0]], [[0.7, 0.0], [0.0, 0.6]]])
    novelty = np.array([0.5, 1.5], dtype=np.float32)
    merging.add(
        {"boxes": boxes.astype(np.float32), "scores": scores, "novelty": novelty}, tile_places(170, 100, INPUTS)
    )
    found = merging.finish()
    np.testing.assert_allclose(
        found["boxes"][0] * (170, 100, 170, 100), [[75, 20, 85, 30], [120, 50, 130, 60]], atol=1e-4
    )
    np.testing.assert_allclose(found["scores"], [[0.9, 0.6]])
    assert found["labels"].tolist() == [[0, 1]]
    assert found["novelty"].tolist() == [1.0]


def test_many_tiles_and_many_things_are_each_told_once() -> None:
    """A row of small things over all seams of a large picture: every tile that holds one tells it, cut as its edge cuts it."""
    width, height, side = 1000, 600, 12
    generator = np.random.default_rng(3)
    corners = np.stack(np.meshgrid(np.arange(5, width - side, 31), np.arange(5, height - side, 29)), axis=-1).reshape(
        -1, 2
    )
    labels = generator.integers(0, 2, len(corners))
    found: dict[int, list[Found]] = {}
    for place in tile_places(width, height, INPUTS):
        own = found.setdefault(place.tile, [])
        for (left, top), label in zip(corners.tolist(), labels.tolist(), strict=True):
            low = max(left, place.left), max(top, place.top)
            high = min(left + side, place.right), min(top + side, place.bottom)
            if (high[0] - low[0]) * (high[1] - low[1]) >= side * side / 4 and min(
                high[0] - low[0], high[1] - low[1]
            ) > 0:
                own.append(((*low, *high), float(generator.uniform(0.5, 1)), label))
    told = merge(width, height, found)
    corners_and_labels = zip(corners.tolist(), labels.tolist(), strict=True)
    wanted = {((x, y, x + side, y + side), label) for (x, y), label in corners_and_labels}
    assert len(told) == len(wanted)
    assert {(box, label) for box, _, label in told} == wanted


def test_of_each_tile_one_box_is_of_the_thing() -> None:
    """Of two beside each other one tile sees one, the other both: the second is nobody's copy."""
    found = merge(
        170, 100, {0: [((72, 20, 92, 40), 0.9, 1)], 1: [((73, 20, 93, 40), 0.85, 1), ((79, 20, 99, 40), 0.7, 1)]}
    )
    assert found == [((72, 20, 92, 40), 0.9, 1), ((79, 20, 99, 40), 0.7, 1)]


def test_a_whole_box_takes_what_agrees_with_it_and_not_what_agrees_with_that() -> None:
    """Three tiles meet, and each tells a box a third further to the right: the first and the last are of two things."""
    first, second, third = (((x, 74, x + 12, 94), score, 0) for x, score in ((72, 0.9), (76, 0.8), (80, 0.7)))
    assert merge(240, 170, {0: [first], 1: [second], 3: [third]}) == [first, third]


def test_at_the_right_edge_of_the_picture_nothing_is_cut() -> None:
    found = merge(240, 170, {2: [((225, 75, 240, 95), 0.9, 1)], 5: [((226, 76, 238, 94), 0.4, 1)]})
    assert found == [((225, 75, 240, 95), 0.9, 1)]
