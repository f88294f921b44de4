"""The kept network of pixels on the test split, and its file. In: Choice, Dataset. Out: Tested; model.onnx. Next: telling.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_files import class_colours
from tellapart.bundle import Manifest, SegmentationRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.calibration import softmax
from tellapart.evaluation.choosing import Choice
from tellapart.evaluation.unlike import Unlike
from tellapart.runs.proving import NOVELTY_TOLERANCE, PROOF, Expected
from tellapart.runs.writing import Tested, with_and_without
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.segmentation.abstaining import learn_to_abstain, warnings_of
from tellapart.tasks.segmentation.calibrating import PixelCalibration
from tellapart.tasks.segmentation.candidates import PixelCandidate, true_mask
from tellapart.tasks.segmentation.evaluating import mask_row
from tellapart.tasks.segmentation.export import EMBEDDING, assemble
from tellapart.tasks.segmentation.judging import JudgedMask, judge
from tellapart.tasks.segmentation.pooling import judged_as_arrays
from tellapart.tasks.segmentation.scoring import HEADLINE, evaluate

SCORES = (HEADLINE, "dice", "pixel_accuracy", "boundary_f1")
BACKGROUNDS = ("background", "_background_", "bg", "背景")  # what the class that is no thing is called
_FIGURES = ("iou", "dice", "pixel_accuracy")  # of the first answer, told beside those of a network that won


def test(settings: TrainSettings, choice: Choice[PixelCandidate], dataset: Dataset) -> Tested:
    """Score the winner on the test split: the only time that anything looks at it. The temperature comes from validation."""
    candidate, rows = choice.winner.candidate, np.flatnonzero(dataset.splits == "test")
    calibration: PixelCalibration = choice.winner.calibration
    abstention = learn_to_abstain(candidate, dataset, coverage=settings.coverage, seed=settings.seed)
    calibrated_on = len(dataset.rows["validation"])
    record = record_of(dataset.classes, calibration, calibrated_on=calibrated_on, abstention=abstention)
    judged = list(_judged(candidate, dataset, rows, record))
    metrics, clean = with_and_without(
        dataset.leaked[rows], lambda chosen: _measured(settings, dataset, rows, judged, record, chosen)
    )
    return Tested(
        rows=rows,
        record=record,
        metrics=metrics,
        metrics_without_leaked=clean,
        leaked=int(dataset.leaked[rows].sum()),
        shown=SCORES,
        beside={
            "calibration": calibration.as_json(),
            **_first_answer(settings, choice, dataset, rows),
            **({} if abstention is None else {"abstention": abstention.measured}),
        },
        lines=lambda examples: (
            mask_row(example, one, dataset.classes) for example, one in zip(examples, judged, strict=True)
        ),
        expected=_expected(candidate, dataset, rows[:PROOF], record, abstention),
        details=abstention,
        arrays=lambda: {
            **judged_as_arrays(judged),
            **({} if abstention is None else {"novelty": abstention.scores[np.argsort(dataset.clean_test)]}),
        },
        warning=" ".join(warnings_of(abstention)),
    )


def record_of(
    classes: Sequence[str], calibration: PixelCalibration, *, calibrated_on: int, abstention: Unlike | None = None
) -> SegmentationRecord:
    """What the manifest keeps of how pixels are decided; `calibrated_on` counts validation pictures."""
    background = background_of(classes)
    return SegmentationRecord(
        temperature=calibration.temperature,
        colours=class_colours(len(classes), background=background),
        background=background,
        calibrated_on=calibrated_on,
        novelty_threshold=None if abstention is None else abstention.threshold,
        known=None if abstention is None else abstention.known,
    )


def background_of(classes: Sequence[str]) -> int | None:
    """The number of the class that is called so that it is no thing; None where none is."""
    return next((number for number, name in enumerate(classes) if name.strip().lower() in BACKGROUNDS), None)


def common_class(dataset: Dataset) -> int:
    """The class with the largest share of the training pictures' pixels."""
    return int(np.asarray(dataset.targets[dataset.rows["train"]]).sum(axis=0).argmax())


def export(choice: Choice[PixelCandidate], tested: Tested, manifest: Manifest) -> bytes:
    """The bytes of model.onnx. Raises: StorageError when the network's file cannot be read."""
    abstention: Unlike | None = tested.details
    arrays = None if abstention is None else abstention.novelty.arrays()
    return assemble(choice.winner.candidate.backbone.network, manifest, novelty=arrays)


def _judged(
    candidate: PixelCandidate, dataset: Dataset, rows: NDArray[np.int64], record: SegmentationRecord
) -> Iterator[JudgedMask]:
    answers = candidate.answers(dataset, rows, record)
    for row, index, answer in zip(rows.tolist(), dataset.indices[rows].tolist(), answers, strict=True):
        yield judge(answer, true_mask(dataset, row), path=str(dataset.examples[index].path))


def _measured(
    settings: TrainSettings,
    dataset: Dataset,
    rows: NDArray[np.int64],
    judged: Sequence[JudgedMask],
    record: SegmentationRecord,
    chosen: NDArray[np.bool_] | slice,
) -> dict[str, Any]:
    kept = np.arange(len(rows))[chosen].tolist()
    return evaluate(
        [judged[at] for at in kept],
        classes=dataset.classes,
        common=common_class(dataset),
        background=record.background,
        groups=dataset.groups[rows[kept]],
        seed=settings.seed,
    )


def _first_answer(
    settings: TrainSettings, choice: Choice[PixelCandidate], dataset: Dataset, rows: NDArray[np.int64]
) -> dict[str, Any]:
    """Figures of the pixel probe on the same pictures, where another network won."""
    others = [one for one in choice.compared if one is not choice.winner and one.candidate.strategy == "probe"]
    if not others:
        return {}
    record = record_of(dataset.classes, others[0].calibration, calibrated_on=len(dataset.rows["validation"]))
    judged = list(_judged(others[0].candidate, dataset, rows, record))
    found = _measured(settings, dataset, rows, judged, record, slice(None))
    return {"probe_test": {name: found[name] for name in _FIGURES}}


def _expected(
    candidate: PixelCandidate,
    dataset: Dataset,
    rows: NDArray[np.int64],
    record: SegmentationRecord,
    abstention: Unlike | None,
) -> dict[str, Expected]:
    """What the finished file must say of the first test pictures as they are shown whole."""
    logits = candidate.at_once(dataset, rows)
    probabilities = np.moveaxis(softmax(np.moveaxis(logits, 1, -1) / record.temperature), -1, 1).astype(np.float32)
    expected = {"probabilities": Expected(of="probabilities", values=lambda _: probabilities)}
    if abstention is None:
        return expected
    novelty = Expected(
        of="novelty scores",
        values=lambda outputs: abstention.novelty.score(outputs[EMBEDDING]),
        reads=(EMBEDDING,),
        tolerance=NOVELTY_TOLERANCE,
    )
    return expected | {"novelty": novelty}
