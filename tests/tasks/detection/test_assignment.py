"""Which place answers for which box. In: boxes by hand, or many at random. Out: the same as plain loops say. Next: test_loss.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

from tellapart.tasks.detection.assignment import Assigned, assign, overlaps
from tellapart.tasks.detection.network import boxes_at, places

NAN = float("nan")
PLACES = places(64)
MIDDLES = PLACES[:, :2]
NONE = [NAN] * 6


def predictions(seed: int = 0, *, pictures: int = 1, classes: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(pictures, len(PLACES), classes, generator=generator)
    distances = torch.rand(pictures, len(PLACES), 4, generator=generator) * 4 + 0.1
    return scores, boxes_at(PLACES, distances)


def found(truth: list[list[list[float]]], seed: int = 0, scores: Tensor | None = None) -> Assigned:
    own, boxes = predictions(seed, pictures=len(truth))
    return assign(own if scores is None else scores, boxes, torch.tensor(truth), PLACES)


def by_loops(scores: Tensor, boxes: Tensor, truth: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The paper's rule for one picture in plain words: wanted scores [P, K], and which box each place answers for, -1 for none."""
    likely, truths = scores.sigmoid().double().numpy(), [row for row in truth.tolist() if row[0] == row[0]]
    iou = box_iou(torch.tensor([row[1:5] for row in truths], dtype=torch.float64), boxes.double()).numpy()
    chosen: dict[int, list[int]] = {}
    for number, row in enumerate(truths):
        across, down = (row[1] + row[3]) / 2, (row[2] + row[4]) / 2
        able = [
            place
            for place, (x, y, stride) in enumerate(PLACES.tolist())
            if row[1] < x < row[3] and row[2] < y < row[4] and max(abs(x - across), abs(y - down)) <= 2.5 * stride
        ]
        metric = {place: likely[place, int(row[0])] * iou[number, place] ** 6 for place in able}
        for place in sorted(able, key=lambda place: -metric[place])[:9]:
            chosen.setdefault(place, []).append(number)
    owner = np.full(len(MIDDLES), -1)
    for place, numbers in chosen.items():
        owner[place] = max(numbers, key=lambda number: iou[number, place])
    wanted = np.zeros(likely.shape)
    for number, row in enumerate(truths):
        mine = np.flatnonzero(owner == number)
        if len(mine):
            metric_of = likely[mine, int(row[0])] * iou[number, mine] ** 6
            wanted[mine, int(row[0])] = metric_of / metric_of.max() * iou[number, mine].max()
    return wanted, owner


@pytest.mark.parametrize("seed", range(5))
def test_it_is_as_plain_loops_say(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = np.full((3, 6, 6), NAN, dtype=np.float32)
    for picture in range(3):
        for number in range(2 + picture * 2):
            left, top = generator.uniform(-4, 40, 2)
            wide, high = generator.uniform(10, 60, 2)
            truth[picture, number] = (generator.integers(0, 2), left, top, left + wide, top + high, 0)
    scores, boxes = predictions(seed, pictures=3)
    assigned = assign(scores, boxes, torch.from_numpy(truth), PLACES)
    for picture in range(3):
        wanted, owner = by_loops(scores[picture], boxes[picture], torch.from_numpy(truth[picture]))
        np.testing.assert_allclose(assigned.scores[picture].numpy(), wanted, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(assigned.weights[picture].numpy(), wanted.sum(1), rtol=1e-4, atol=1e-7)
        answering = np.flatnonzero(owner >= 0)
        own = truth[picture][owner[answering], 1:5]
        np.testing.assert_array_equal(assigned.boxes[picture].numpy()[answering], own)
    assert bool(assigned.counted.all())


def test_the_best_place_is_wanted_to_be_as_sure_as_its_box_is_good() -> None:
    assigned = found([[[1, 10, 10, 50, 60, 0]]])
    _, boxes = predictions()
    best = int(assigned.weights[0].argmax())
    iou = float(box_iou(torch.tensor([[10.0, 10, 50, 60]]), boxes[0, best : best + 1]))
    assert float(assigned.scores[0, best, 1]) <= 1
    assert float(assigned.weights[0, best]) >= iou - 1e-6
    assert int((assigned.weights > 0).sum()) == 9
    assert float(assigned.scores[0, :, 0].sum()) == 0


def test_of_a_large_box_each_level_has_as_many_places_that_may_answer() -> None:
    # One place at a time says the box rightly, so it answers, wherever it is: only the reach keeps it from that.
    large = places(320)
    truth = torch.tensor([[[0.0, 0, 0, 320, 320, 0]]])
    reached = []
    for stride, apart in ((8, 20), (16, 40), (32, 80)):
        level = large[:, 2] == stride
        for number in level.nonzero().flatten().tolist():
            boxes = torch.zeros(1, len(large), 4)
            boxes[0, number] = torch.tensor([0.0, 0, 320, 320])
            answers = bool(assign(torch.zeros(1, len(large), 1), boxes, truth, large).weights[0, number] > 0)
            assert answers == bool((large[number, :2] - 160).abs().amax() <= apart)
            reached += [stride] * answers
    assert [reached.count(stride) for stride in (8, 16, 32)] == [36, 36, 36]


def test_a_picture_without_boxes_wants_nothing_and_counts_everywhere() -> None:
    assigned = found([[NONE, NONE]])
    assert float(assigned.scores.sum()) == 0
    assert float(assigned.weights.sum()) == 0
    assert bool(assigned.counted.all())


def test_within_a_difficult_box_nobody_answers_and_nothing_counts() -> None:
    assigned = found([[[0, 0, 0, 32, 32, 1], NONE]])
    assert float(assigned.scores.sum()) == 0
    within = (MIDDLES < 32).all(1)
    assert assigned.counted[0].tolist() == (~within).tolist()


def test_a_box_within_a_difficult_one_is_still_learned() -> None:
    difficult, own = [0.0, 0, 0, 64, 64, 1], [0.0, 8, 8, 40, 40, 0]
    assigned, alone = found([[difficult, own]]), found([[own, NONE]])
    assert assigned.scores.equal(alone.scores)
    assert assigned.counted[0].tolist() == (assigned.weights[0] > 0).tolist()


def test_a_box_between_the_middles_gets_the_nearest_place() -> None:
    assigned = found([[[0, 13, 13, 15.5, 16, 0]]])
    (place,) = assigned.weights[0].nonzero().flatten().tolist()
    assert PLACES[place].tolist() == [12, 12, 8]  # not (16, 16), which is nearer but of the coarsest level


def test_of_two_boxes_at_one_place_the_one_that_it_overlaps_more_is_answered_for() -> None:
    # Both hold the same five middles; the boxes of all places are the second one exactly.
    scores = torch.zeros(1, len(PLACES), 2)
    boxes = torch.tensor([18.0, 18, 34, 34]).expand(1, len(PLACES), 4)
    truth = torch.tensor([[[0.0, 17, 17, 35, 35, 0], [1.0, 18, 18, 34, 34, 0]]])
    assigned = assign(scores, boxes, truth, PLACES)
    assert float(assigned.scores[0, :, 0].sum()) == 0
    assert int((assigned.scores[0, :, 1] == 1).sum()) == 5


def test_overlaps_are_torchvisions() -> None:
    generator = torch.Generator().manual_seed(3)
    corners = torch.rand(2, 12, 4, generator=generator) * 20
    boxes = torch.cat([corners[..., :2], corners[..., :2] + corners[..., 2:]], dim=-1)
    ours = overlaps(boxes[:, :5], boxes[:, 5:])
    for picture in range(2):
        torch.testing.assert_close(ours[picture], box_iou(boxes[picture, :5], boxes[picture, 5:]))
    assert overlaps(torch.zeros(1, 1, 4), torch.zeros(1, 1, 4)).tolist() == [[[0.0]]]
