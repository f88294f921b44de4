"""A report from a run's folder. In: a run made by hand, written to disk. Out: report.html and what it says."""

from __future__ import annotations

import csv
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
from tellapart.features.cache import Cache
from tellapart.reporter import Silent
from tellapart.runs.embeddings import embed_run
from tellapart.runs.recipe import recipe_text
from tellapart.storage import write_json
from tellapart.workflows.report import write_report

from .made_run import CLASSES, MadeRun, colour_model, example, run_of

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
    table = run.predictions
    with (folder / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "predicted", *(f"probability of {name}" for name in CLASSES)])
        writer.writerows(zip(table.paths, table.targets, table.answers, *table.probabilities.T.tolist(), strict=True))
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


def test_sets_too_large_to_help_are_told(scratch: Callable[..., MadeRun], cache: Cache) -> None:
    run = scratch(metrics={"abstention": ABSTENTION | {"mean_set_size": 2.5}})
    report = write_report(write_run(run), language="en", cache=cache, reporter=Silent()).path.read_text(
        encoding="utf-8"
    )
    assert "Sets this large are of no use: more than 2 classes on average." in html.unescape(report)


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
