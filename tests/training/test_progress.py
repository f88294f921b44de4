"""What is told of an epoch, whatever its figures are called. In: Epoch. Out: a line, a record."""

from __future__ import annotations

import dataclasses

import pytest

from tellapart.training.progress import Epoch

CLASSES = Epoch(
    number=3,
    train_loss=0.51239,
    validation_loss=0.25,
    train={"accuracy": 0.7512},
    validation={"accuracy": 0.875},
    rank=-0.25,
    learning_rate=0.125,
    seconds=2.0,
    pictures_per_second=64.0,
)
BOXES = dataclasses.replace(CLASSES, train={"box loss": 1.25}, validation={"AP": 0.5, "AP at 0.5": 0.75})


def test_the_line_of_a_classifier_is_what_it_always_was() -> None:
    assert CLASSES.summary == "train loss 0.5124, accuracy 75.1 %; validation loss 0.2500, accuracy 87.5 %"


def test_other_figures_are_shown_by_their_names_and_losses_are_no_shares() -> None:
    assert BOXES.summary == "train loss 0.5124, box loss 1.2500; validation loss 0.2500, AP 50.0 %, AP at 0.5 75.0 %"


def test_the_record_is_flat_and_has_the_keys_that_it_always_had() -> None:
    assert CLASSES.record() == {
        "number": 3,
        "train_loss": 0.51239,
        "train_accuracy": 0.7512,
        "validation_loss": 0.25,
        "validation_accuracy": 0.875,
        "rank": -0.25,
        "learning_rate": 0.125,
        "seconds": 2.0,
        "pictures_per_second": 64.0,
    }
    others = {key for key in BOXES.record() if key not in CLASSES.record()}
    assert others == {"train_box loss", "validation_AP", "validation_AP at 0.5"}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_no_figure_hides_the_loss(split: str) -> None:
    with pytest.raises(ValueError, match="no figure may be called loss"):
        dataclasses.replace(CLASSES, **{split: {"loss": 1.0}})
