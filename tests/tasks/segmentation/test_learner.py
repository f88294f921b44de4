"""How a class a pixel is learned. In: made crops, small networks. Out: losses, figures, refusals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score
from torch import Tensor, nn

from tellapart.errors import SettingsError, TrainingError
from tellapart.models.trainable import NamedParameters
from tellapart.preprocessing import Preprocessing
from tellapart.settings.loop import LoopSettings
from tellapart.tasks.lesson import Lesson
from tellapart.tasks.segmentation.agreement import count_pixels, figures_of
from tellapart.tasks.segmentation.learner import SegmentationLearner, class_weights, teach
from tellapart.tasks.segmentation.loss import PixelLoss
from tellapart.tasks.segmentation.network import PixelNetwork
from tellapart.training.devices import Devices
from tellapart.training.learner import Batch

SIDE = 8
ALONE = Devices(threads=1)


class Encoder(nn.Module):
    def forward(self, images: Tensor) -> list[Tensor]:
        return [images]


class Brightness(PixelNetwork):
    """Answers the class that a picture's red channel names, three of them."""

    def __init__(self) -> None:
        super().__init__(Encoder(), class_count=3, preprocessing=Preprocessing(size=SIDE))
        self.factor = nn.Parameter(torch.tensor(4.0))

    def decode(self, maps: Sequence[Tensor]) -> Tensor:
        red = (maps[0][:, 0] + 1) * 127.5
        return self.factor * -torch.stack([(red - number).abs() for number in range(3)], dim=1)

    def layer_groups(self) -> list[NamedParameters]:
        return [[("factor", self.factor)]]


class Made:
    """A source of crops whose red channel is mostly their mask."""

    problems: dict[int, str] = {}  # noqa: RUF012

    def __init__(self, count: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self.masks = chance.integers(0, 3, (count, SIDE, SIDE), dtype=np.uint8)
        self.masks[0, 0] = 255
        shown = np.where(chance.random(self.masks.shape) < 0.8, self.masks, 2 - self.masks)
        self.pixels = np.repeat(np.where(self.masks == 255, 1, shown)[..., None], 3, axis=3).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.masks)

    def get(self, rows: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        return self.pixels[rows], self.masks[rows]


def lesson_of(
    network: nn.Module | None = None, *, balanced: bool = False, mixup: float = 0.0, **loop: object
) -> Lesson:
    train, validation = Made(6, 0), Made(11, 1)
    shares = np.full((6, 3), 1 / 3, dtype=np.float32)
    return Lesson(
        class_count=3,
        network=network or Brightness(),  # type: ignore[arg-type]
        start=0,
        loop=LoopSettings(**{"label_smoothing": 0.0, **loop}),  # type: ignore[arg-type]
        balanced=balanced,
        mixup=mixup,
        cutmix=0.0,
        train=train,
        train_targets=shares,
        train_rows=np.arange(6),
        validation=validation,
        validation_targets=np.full((11, 3), 1 / 3, dtype=np.float32),
        validation_rows=np.arange(11),
    )


def batch_of(learner: SegmentationLearner, source: Made) -> Batch:
    rows = np.arange(len(source))
    pixels, masks = (torch.from_numpy(one) for one in source.get(rows, 0))
    return learner.prepare(
        Batch(inputs=(pixels, masks), targets=torch.zeros(len(rows), 3), rows=torch.from_numpy(rows)), 0
    )


def test_a_batch_in_chunks_costs_what_the_whole_costs() -> None:
    lesson = lesson_of()
    learner = teach(lesson, ALONE)
    batch = batch_of(learner, Made(6, 0))
    whole = learner.losses(lesson.network, batch)
    parts = [learner.losses(lesson.network, chunk) for chunk in learner.chunks(batch, 4)]
    torch.testing.assert_close(torch.cat([part.items for part in parts]), whole.items)
    torch.testing.assert_close(whole.items, whole.parts["pixel_loss"] + whole.parts["overlap_loss"])
    assert whole.items.shape == (6,)
    assert set(whole.parts) == set(learner.parts)


def test_an_epoch_is_judged_by_all_pixels_together() -> None:
    lesson = lesson_of()
    judged = teach(lesson, ALONE).judge(lesson.network)
    source = lesson.validation
    truth, answer = source.masks, source.pixels[..., 0]  # type: ignore[attr-defined]
    counted = truth != 255
    expected = {
        "iou": jaccard_score(truth[counted], answer[counted], average="macro"),
        "dice": f1_score(truth[counted], answer[counted], average="macro"),
        "pixel_accuracy": float((truth == answer)[counted].mean()),
    }
    assert list(judged.figures) == list(expected)
    assert judged.figures == pytest.approx(expected)
    assert judged.rank == pytest.approx(judged.figures["iou"], abs=1e-2)
    assert judged.rank < judged.figures["iou"]


def test_classes_that_neither_occur_nor_are_answered_count_in_no_mean() -> None:
    counts = count_pixels(np.array([0, 0, 255, 1]), np.array([0, 1, 3, 1]), 4)
    assert counts[:2, :2].tolist() == [[1, 1], [0, 1]]
    assert counts.sum() == 3
    assert figures_of(counts)["iou"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert figures_of(np.zeros((2, 2), dtype=np.int64)) == {"iou": 0.0, "dice": 0.0, "pixel_accuracy": 0.0}


def test_a_machine_is_timed_without_masks() -> None:
    learner = teach(lesson_of(), ALONE)
    batch = Batch(
        inputs=torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8), targets=torch.zeros(2, 3), rows=torch.arange(2)
    )
    assert learner.prepare(batch, 0).targets.shape == (2, SIDE, SIDE)


def test_masks_with_classes_that_there_are_not() -> None:
    learner = teach(lesson_of(), ALONE)
    source = Made(2, 0)
    source.masks[1, 3, 3] = 7
    with pytest.raises(
        TrainingError,
        match=r"^a mask has a pixel of class number 7; it must be from 0 to 2, or 255\. Mend the masks\.$",
    ):
        batch_of(learner, source)
    with pytest.raises(ValueError, match="the masks of crops"):
        learner.prepare(
            Batch(
                inputs=(torch.zeros(1, 4, 4, 3, dtype=torch.uint8), torch.zeros(1, 4, 4)),
                targets=torch.zeros(1, 3),
                rows=torch.arange(1),
            ),
            0,
        )


def test_what_other_tasks_are_told_is_refused() -> None:
    with pytest.raises(
        SettingsError, match=r"^loop\.loss is asymmetric, which is not for a class a pixel\. Choose one of: cross"
    ):
        teach(lesson_of(loss="asymmetric"), ALONE)
    with pytest.raises(
        SettingsError, match=r"^augment\.mixup is 0\.2, which mixes pictures with one class each; masks have many\."
    ):
        teach(lesson_of(mixup=0.2), ALONE)
    with pytest.raises(TypeError, match="^a network Linear; this learner is for a class a pixel$"):
        teach(lesson_of(nn.Linear(1, 1)), ALONE)


def test_rare_classes_weigh_as_much_as_common_ones_up_to_twenty() -> None:
    shares = np.array([[0.9, 0.1, 0.0], [0.7, 0.3, 0.0]], dtype=np.float32)
    weights = class_weights(shares).numpy()
    assert (shares.sum(0) * weights)[:2] == pytest.approx([1.0, 1.0])
    assert weights[2] == 1.0
    assert class_weights(np.array([[0.999, 0.001]])).tolist() == pytest.approx([0.5005, 20.0], rel=1e-3)
    loss = teach(lesson_of(balanced=True), ALONE).loss
    assert loss.class_weights is not None
    assert loss.class_weights.tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert PixelLoss().class_weights is None
