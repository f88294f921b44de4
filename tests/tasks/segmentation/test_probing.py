"""The pixel probe is fitted. In: made crops. Out: its answers, its refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tellapart.errors import DataError
from tellapart.tasks.segmentation.probing import best_way, fit_pixel_probe
from tellapart.tasks.segmentation.sampled import chosen_rows
from tellapart.training.probe import fit_probe

from .made_halves import crops_in, network


def test_it_tells_bright_from_dark_and_never_what_no_pixel_has(tmp_path: Path) -> None:
    crops, probe, told = crops_in(tmp_path), network(), list[int]()
    details = fit_pixel_probe(probe, crops, seed=0, advance=told.append)
    assert sum(told) == len(chosen_rows(crops, seed=0)) == 6
    assert details["features"] == 3 * (9 * 3 + 2)
    assert details["pixels"] == 6 * 1200
    pixels, masks = crops.get(np.arange(6), 0)
    with torch.inference_mode():
        answer = probe(torch.from_numpy(pixels)).argmax(1).numpy()
    assert (answer == masks).mean() > 0.97
    assert not (answer == 2).any()
    again = network()
    fit_pixel_probe(again, crops, seed=0, advance=told.append)
    for one, other in zip(probe.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        ((1, 1), r"are all of class number 1 of 3 \(counted from 0\); there must be 2 classes\. Add masks"),
        ((255, 255), "^no pixel of the training pictures counts; 1 must"),
    ],
)
def test_masks_that_teach_nothing(shown: tuple[int, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        fit_pixel_probe(network(), crops_in(tmp_path, shown=shown, count=2), seed=0, advance=lambda _: None)


def test_between_equal_and_true_shares_stands_what_finds_most() -> None:
    chance = np.random.default_rng(0)
    labels = np.repeat([0, 1], 600)
    features = chance.normal(size=(1200, 1)).astype(np.float32) + 1.5 * labels[:, None].astype(np.float32)
    probe = fit_probe(features, labels, groups=[""] * 1200, class_count=2, strengths=(1e-2, 1e-3), folds=3, seed=0)
    equal = np.ones(1200)
    assert best_way(probe, labels, equal, np.zeros(2)) == 0.0
    # Where a drawn pixel of the first class stands for thirty, most of what is taken for the second is of the first.
    counts = np.where(labels == 0, 30.0, 1.0)
    priors = np.log([30 / 31, 1 / 31]) - np.log([0.5, 0.5])
    assert best_way(probe, labels, counts, priors) >= 0.5
