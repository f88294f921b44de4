"""The label doctor for masks. In: masks with planted faults. Out: the faults, and cleanlab's qualities."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.tasks.segmentation.region_doubts import doubt_regions, label_quality, own_probabilities
from tests.tasks.segmentation.made_masks import discs


def test_the_quality_of_labels_is_cleanlabs() -> None:
    from cleanlab.segmentation.rank import get_label_quality_scores

    chance = np.random.default_rng(3)
    logits = chance.normal(size=(4, 3, 16, 20)) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = probabilities.argmax(1)
    labels[1, :4, :4] = 2
    labels[2] = chance.integers(0, 3, (16, 20))
    theirs, _ = get_label_quality_scores(labels, probabilities, method="softmin", batch_size=100, verbose=False)
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    assert [label_quality(one.reshape(-1)) for one in own] == pytest.approx(theirs.tolist(), abs=1e-6)


def test_probabilities_of_labels_where_none_are_kept() -> None:
    label, mask = np.array([[0, 1], [255, 1]], np.uint8), np.array([[0, 0], [1, 1]], np.uint8)
    certainty = np.array([[200, 180], [90, 255]], np.uint8)
    assert own_probabilities(label, mask, certainty, None)[[0, 0, 1], [0, 1, 1]].tolist() == [200, 75, 255]
    kept = np.stack([255 - certainty, certainty])
    assert own_probabilities(label, mask, certainty, kept)[[0, 0, 1], [0, 1, 1]].tolist() == [55, 180, 255]


@pytest.mark.parametrize("seed", range(5))
def test_planted_faults_are_found_and_nothing_else(seed: int) -> None:
    """A thing left out, one drawn where nothing is, one that has another's class; and borders off by a pixel everywhere."""
    mask = np.zeros((120, 120), dtype=np.uint8)
    ys, xs = np.mgrid[:120, :120]
    places = {"missing": (30, 30), "swapped": (30, 90), "right": (90, 30), "surplus": (90, 90)}
    for number, (y, x) in enumerate(places.values()):
        if number < 3:
            mask[(ys - y) ** 2 + (xs - x) ** 2 <= (12 + seed) ** 2] = 1
    label = np.roll(mask, (1, -1), axis=(0, 1))
    label[:60, :60] = 0
    label[:60, 60:][label[:60, 60:] == 1] = 2
    label[84:98, 84:98] = 1
    certainty = np.full(mask.shape, 240, dtype=np.uint8)
    found = doubt_regions(label, mask, certainty, background=0)
    assert {one.fault for one in found} == {"missing", "swapped", "surplus"}
    assert len(found) == 3
    for one in found:
        left, top, right, bottom = one.box
        y, x = places[one.fault]
        assert left < x < right
        assert top < y < bottom
        assert one.certainty == pytest.approx(240 / 255)
    assert [one.weight for one in found] == sorted((one.weight for one in found), reverse=True)
    swapped = next(one for one in found if one.fault == "swapped")
    assert (swapped.label, swapped.suggested) == (2, 1)


def test_a_model_that_is_not_sure_and_labels_that_do_not_count_give_no_doubt() -> None:
    mask = discs(1)
    empty = np.zeros_like(mask)
    assert doubt_regions(empty, mask, np.full(mask.shape, 255, np.uint8), background=0)
    assert doubt_regions(empty, mask, np.full(mask.shape, 150, np.uint8), background=0) == []
    assert doubt_regions(np.full_like(mask, 255), mask, np.full(mask.shape, 255, np.uint8), background=0) == []
    assert doubt_regions(mask, mask, np.full(mask.shape, 255, np.uint8), background=0) == []
