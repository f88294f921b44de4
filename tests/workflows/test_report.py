"""A report from a run's folder. In: a run made by hand, written to disk. Out: report.html and what it says."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.errors import StorageError
from tellapart.evaluation.predictions import write_predictions
from tellapart.features.cache import Cache
from tellapart.reporting.facts import AbstentionPart, Score
from tellapart.reporting.phrases import Phrases
from tellapart.storage import write_json
from tellapart.workflows.report import _about, _abstention, _examine, write_report
from tellapart.workflows.report_embeddings import Embedded, embed_run
from tellapart.workflows.reporter import Silent
from tellapart.workflows.runs import recipe_text

from ..tasks.classification.made_run import CLASSES, colour_model, example, manifest, run_of

ABSTENTION: dict[str, Any] = {
    "wanted": 0.9,
    "coverage": {"value": 0.97, "low": 0.91, "high": 0.99, "method": "wilson"},
    "mean_set_size": 1.25,
    "known": {"value": 0.96, "low": 0.9, "high": 1.0, "method": "wilson"},
    "calibrated_on": 40,
}
SHADES = [(0, 0, 200), (0, 200, 0), (200, 0, 0)]  # of ants, bees and cats


def pictures(folder: Path, count: int) -> list[Example]:
    """`count` plain pictures in turn an ant, a bee and a cat, each a little darker than the last."""
    found = []
    for number in range(count):
        shade = tuple(max(0, value - number) for value in SHADES[number % 3])
        path = folder / f"{number:02}.png"
        Image.new("RGB", (16, 16), shade).save(path)
        found.append(example(path, CLASSES[number % 3], "test" if number < 12 else "train", content=f"{number:032x}"))
    return found


def write_run(run: MadeRun) -> Path:
    """A run's folder as training leaves it."""
    folder = run.folder
    folder.mkdir()
    (folder / "recipe.toml").write_text(recipe_text(run.settings), encoding="utf-8")
    write_json(folder / "metrics.json", run.metrics)
    write_json(folder / "audit.json", run.audit)
    write_examples(folder / "examples.csv", run.examples)
    write_predictions(
        folder / "predictions.csv",
        paths=[str(path) for path in run.tested],
        true_labels=[CLASSES[label] for label in true_labels(run)],
        probabilities=run.predictions.probabilities,
        classes=CLASSES,
    )
    (folder / "model.onnx").write_bytes(colour_model(folder, run.manifest))
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache", limit_bytes=10**8) as opened:
        yield opened


@pytest.fixture
def scratch(tmp_path: Path) -> Callable[..., MadeRun]:
    """A run from scratch, whose map needs no other network, with 12 test and 6 training pictures."""
    (tmp_path / "animals").mkdir()
    examples = pictures(tmp_path / "animals", 18)

    def make(**options: Any) -> MadeRun:
        paths = [one.path for one in examples[:12]]
        return run_of(folder=tmp_path / "run", examples=examples, tested_paths=paths, strategy="scratch", **options)

    return make


def words(path: Path) -> str:
    """The page's text, without its tags."""
    body = path.read_text(encoding="utf-8").partition("<body>")[2]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def test_a_report_says_what_its_run_found(scratch: Callable[..., MadeRun], cache: Cache) -> None:
    run = scratch(metrics={"abstention": ABSTENTION})
    run.examples.append(example("/nowhere/spoilt.png", "ant", problem="cut short"))
    folder = write_run(run)
    run.examples[17].path.unlink()
    written = write_report(folder, language="en", cache=cache, reporter=Silent())
    assert written.path == folder / "report.html"
    assert written.size_bytes == written.path.stat().st_size
    assert written.missing == 1  # one was unreadable from the first
    text = words(written.path)
    assert "animals 2026-03-04 05:06" in text
    assert "51.0 % of 12 test pictures, between 41.0 % and 61.0 %" in text
    assert "18 pictures in 3 classes: 6 to train on, 0 to choose with, 12 to test on." in text
    # 96 % are known, so 4 % are called unknown.
    assert "called unknown; 4.0 % of the test pictures are." in text
    assert "holds the true one 90.0 % of the time. Measured on the test split: 97.0 %" in text
    assert "Embeddings of the trained network" in text
    assert "Label doctor" not in text  # a network that has learned the labels cannot tell which are wrong


def test_a_report_elsewhere_replaces_nothing(scratch: Callable[..., MadeRun], cache: Cache, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    out.write_text("mine")
    with pytest.raises(StorageError, match="is there already, and nothing is overwritten unasked"):
        write_report(write_run(scratch()), language="en", cache=cache, reporter=Silent(), out=out)
    assert out.read_text() == "mine"


def test_the_pictures_of_a_map_are_those_that_can_be_read(scratch: Callable[..., MadeRun], cache: Cache) -> None:
    run = scratch()
    run.examples.insert(0, example("/nowhere/spoilt.png", "ant", problem="cut short"))
    write_run(run)
    run.examples[3].path.unlink()
    embedded = embed_run(run, cache, Silent())
    assert [one.path.name for one in embedded.examples] == [f"{number:02}.png" for number in range(18) if number != 2]
    assert (embedded.n_all, embedded.own) == (18, True)
    # The network's embedding is the mean of red, green and blue.
    np.testing.assert_allclose(embedded.vectors[:2] * 255, [[0, 0, 200], [0, 199, 0]], atol=0.1)
    assert len(embedded.vectors) == 17


def test_what_is_unknown_is_the_rest_of_what_is_known() -> None:
    measured = Score(value=0.97, low=0.91, high=0.99)
    found = _abstention(run_of(metrics={"abstention": ABSTENTION}))
    assert found == AbstentionPart(
        wanted=0.9, measured=measured, size=1.25, unknown=pytest.approx(0.04), calibrated_on=40
    )
    found = _abstention(run_of(metrics={"abstention": ABSTENTION | {"known": None}}))
    assert found == AbstentionPart(wanted=0.9, measured=measured, size=1.25, unknown=None, calibrated_on=40)
    assert _abstention(run_of()) is None
    run = run_of()
    del run.metrics["abstention"]  # a run of before there was any
    assert _abstention(run) is None


def test_a_run_is_described(tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    examples = [
        example(tmp_path / "there.png", "ant"),
        example(tmp_path / "gone.png", "bee"),
        example(tmp_path / "spoilt.png", "bee", problem="cut short"),
    ]
    part = _about(run_of(examples=examples, folder=tmp_path, seed=7), Phrases("en"))
    assert part.facts == [
        ("strategy", "classifier on the frozen network"),
        ("backbone", "tiny"),
        ("weights", "made here"),
        ("license", "none"),
        ("seed", "7"),
        ("time", "1 min 15 s"),
        ("made", "2026-03-04T05:06:07+00:00"),
    ]
    assert part.versions == [("numpy", "2.0"), ("tellapart", "0.1.0")]
    assert (part.model, part.missing) == (str(tmp_path / "model.onnx"), 1)


@pytest.mark.parametrize(
    ("views", "said"),
    [
        ("flip", "mean over the picture and its mirror image"),
        ("dihedral", "mean over eight turned and flipped views of the picture"),
    ],
)
def test_a_model_that_answers_for_several_views_is_described_so(views: Any, said: str) -> None:
    told = manifest(CLASSES)
    told = told.model_copy(update={"backbone": told.backbone.model_copy(update={"test_time_augmentation": views})})
    assert _about(run_of(told=told), Phrases("en")).facts[2] == ("views", said)


def clouds(seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """Sixty vectors in three clouds far apart, twenty each, and the class of each."""
    numbers = [number for number in range(3) for _ in range(20)]
    noise = np.random.default_rng(seed).normal(size=(60, 8)) * 0.1
    return (3 * np.eye(8)[numbers] + noise).astype(np.float32), numbers


def test_a_label_that_its_neighbours_contradict_is_found() -> None:
    vectors, numbers = clouds()
    examples = [example(f"{row}.png", CLASSES[number]) for row, number in enumerate(numbers)]
    examples[25] = example("25.png", "cat")  # lies among bees
    embedded = Embedded(examples=examples, vectors=vectors, n_all=60, own=False)
    found = _examine(run_of(metrics={"training": {"probe": {"strength": 0.01}}}), embedded)
    assert found is not None
    assert [(doubt.row, doubt.label, doubt.suggested) for doubt in found.wrong] == [(25, 2, 1)]
    assert found.judged == 60


def test_copies_do_not_vouch_for_each_other() -> None:
    vectors, numbers = clouds()
    vectors[[25, 26]] = 0.0
    vectors[[25, 26], 7] = 3.0  # two copies of one picture, unlike any other
    copied = [example(f"{row}.png", CLASSES[number]) for row, number in enumerate(numbers)]
    for row in (25, 26):
        copied[row] = example(f"{row}.png", "bee", group="copy")
    embedded = Embedded(examples=copied, vectors=vectors, n_all=60, own=False)
    found = _examine(run_of(), embedded)
    assert found is not None
    assert {25, 26} <= {doubt.row for doubt in found.doubts}


def test_where_a_sample_lacks_a_class_no_label_is_judged() -> None:
    vectors, numbers = clouds()
    examples = [example(f"{row}.png", CLASSES[number]) for row, number in enumerate(numbers[:40])]
    embedded = Embedded(examples=examples, vectors=vectors[:40], n_all=60, own=False)
    assert _examine(run_of(), embedded) is None
