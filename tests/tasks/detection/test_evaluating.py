"""A detector's file against pictures with boxes: the same figures as scoring gives, and a line a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.answers.answering import Placement
from tellapart.answers.detection import BoxesAnswer, Detection
from tellapart.cli.main import execute
from tellapart.data.examples import Entry
from tellapart.data.targets import Box, Boxes, ClassName
from tellapart.runs.answered_boxes import read_box_lines
from tellapart.tasks.detection.evaluating import box_row, score, write_answers
from tellapart.tasks.detection.matching import truth_of
from tellapart.tasks.detection.scoring import evaluate
from tests.answers.made_detector import CLASSES, detector_bytes, detector_manifest, draw_things
from tests.data.box_forms import write_coco, write_voc
from tests.tasks.detection.made_boxes import Answer, by_pycocotools, made

BLUE, RED = CLASSES


def answer_of(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> BoxesAnswer:
    order = np.argsort(-scores, kind="stable")
    return BoxesAnswer(
        path="a.png",
        classes=CLASSES,
        boxes=boxes[order].astype(np.float32),
        scores=scores[order].astype(np.float32),
        labels=labels[order],
        chosen=np.ones(len(scores), dtype=np.bool_),
        width=800,
        height=600,
    )


def test_figures_are_those_of_pycocotools_crowds_among_them() -> None:
    """Answers in single precision, as a file gives them; a crowd is matched by the answer's own area, as COCO does."""
    found, truths = made(3, classes=2, crowds=0.3)
    targets = [
        Boxes(
            tuple(
                Box(CLASSES[label], *sides, crowd=bool(crowd))
                for label, sides, crowd in zip(one.labels.tolist(), one.boxes.tolist(), one.crowd.tolist(), strict=True)
            )
        )
        for one in truths
    ]
    assert sum(box.crowd for target in targets for box in target.boxes) > 5
    answers = [answer_of(one.boxes, one.scores, one.labels) for one in found]
    figures = score(detector_manifest((0.3, 0.4)), answers, targets, groups=None, seed=0)
    kept = [Answer(boxes=one.boxes, scores=one.scores, labels=one.labels) for one in answers]  # type: ignore[arg-type]
    stats = by_pycocotools(kept, truths, 2).stats
    assert figures["ap"]["value"] == pytest.approx(stats[0], abs=1e-6)
    assert figures["ap50"]["value"] == pytest.approx(stats[1], abs=1e-6)
    assert figures["per_class"][BLUE]["threshold"] == 0.3
    same = evaluate(
        kept,
        [truth_of(one, CLASSES) for one in targets],
        classes=CLASSES,
        thresholds=np.array([0.3, 0.4]),
        groups=None,
        seed=0,
    )
    assert figures == same


def test_a_line_tells_truth_and_answer_with_their_marks(tmp_path: Path) -> None:
    target = Boxes(
        (Box(RED, 1.5, 2, 3, 4), Box(BLUE, 1, 2, 3, 4, difficult=True), Box(BLUE, 5, 6, 700, 80, crowd=True))
    )
    answer = answer_of(np.array([[1, 2, 3.25, 4], [5, 6, 7, 8]]), np.array([0.25, 1 / 3]), np.array([0, 1]))
    entry = Entry(path=Path("图") / "a.png", target=target, split=None)
    assert json.loads(json.dumps(box_row(entry, answer))) == {
        "path": "图/a.png",
        "width": 800,
        "height": 600,
        "truth": [[RED, 1.5, 2, 3, 4, 0], [BLUE, 1, 2, 3, 4, 1], [BLUE, 5, 6, 700, 80, 2]],
        "answer": [[RED, 0.3333333, 5, 6, 7, 8], [BLUE, 0.25, 1, 2, 3.25, 4]],
    }
    write_answers(tmp_path / "x.jsonl", detector_manifest(), [entry], [answer])
    again = read_box_lines(tmp_path / "x.jsonl", CLASSES)
    assert (again.paths, again.truths, again.sizes) == ([entry.path], [target], [(800, 600)])
    assert answer.boxes is not None
    np.testing.assert_array_equal(again.answers[0].boxes, answer.boxes)


def test_what_cannot_be_scored_is_refused() -> None:
    unread = Detection().unread("cut short", path="a.png", classes=CLASSES)
    with pytest.raises(ValueError, match="^a.png could not be read: cut short$"):
        score(detector_manifest(), [unread], [Boxes()], groups=None, seed=0)
    (there,) = Detection().decide(
        {
            "boxes": np.zeros((1, 1, 4), np.float32),
            "scores": np.zeros((1, 1), np.float32),
            "labels": np.zeros((1, 1), np.int64),
        },
        [Placement(width=9, height=9, left=0, top=0, right=9, bottom=9)],
        detector_manifest().record,
        classes=CLASSES,
    )
    with pytest.raises(ValueError, match="^a target of ClassName where boxes are scored$"):
        score(detector_manifest(), [there], [ClassName("x")], groups=None, seed=0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(detector_bytes())
    return path


PAGES = (
    ("a.png", (128, 64), (Box(BLUE, 64, 2, 100, 50), Box(RED, 10, 20, 60, 40))),
    ("b.png", (64, 64), (Box(RED, 8, 8, 40, 40),)),
    ("c.png", (64, 64), ()),
)


def drawn(folder: Path) -> None:
    """The things of PAGES in the pictures that the annotations are about."""
    for name, size, boxes in PAGES:
        (path,) = folder.rglob(name)
        things = [(box.label, *map(int, (box.left, box.top, box.right, box.bottom))) for box in boxes]
        draw_things(path, size, things)  # type: ignore[arg-type]


@pytest.mark.parametrize("write", [write_voc, write_coco])
def test_evaluate_reads_every_form(write, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(tmp_path / "set", PAGES)
    drawn(tmp_path / "set")
    out = tmp_path / "answers.jsonl"
    result = tellapart.evaluate(model, tmp_path / "set", out=out)
    assert (result.task, result.n, result.unreadable) == ("detection", 3, 0)
    assert result.metrics["ap"]["value"] == pytest.approx(1.0)
    assert result.metrics["boxes"] == 3
    assert result.metrics["recall"]["value"] == pytest.approx(1 / 3)  # a red thing is found, and not told
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(Path(row["path"]).name, len(row["truth"]), len(row["answer"])) for row in rows] == [
        ("a.png", 2, 2),
        ("b.png", 1, 1),
        ("c.png", 0, 0),
    ]


def test_names_that_are_nearly_the_models_are_its_own_and_others_are_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near = [(name, size, tuple(Box(box.label.upper(), *_sides(box)) for box in boxes)) for name, size, boxes in PAGES]
    write_voc(tmp_path / "near", near)
    drawn(tmp_path / "near")
    assert execute(["evaluate", str(model), str(tmp_path / "near")]) == 0
    assert "! Class names that are nearly the model's are read as its own: 'RED' as 'red'" in capsys.readouterr().out
    other = [(name, size, (*boxes, Box("bird", 1, 2, 3, 4), Box("fish", 1, 2, 9, 9))) for name, size, boxes in PAGES]
    write_voc(tmp_path / "other", other)
    assert execute(["evaluate", str(model), str(tmp_path / "other"), "--quiet"]) == 2
    told = capsys.readouterr().err
    assert "the label 'bird', of 3 pictures such as " in told
    assert f"is none of the model's classes ({BLUE}, red). Nor is 'fish' of 3 pictures." in told


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom
