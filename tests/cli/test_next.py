"""`tellapart next` as it is typed. In: a tiny run, embeddings that were made. Out: what more pictures would bring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.cli.main import execute
from tellapart.data.examples import Example
from tellapart.data.targets import ClassName
from tellapart.runs.embeddings import EmbeddedExamples

CLASSES = ("blue", "green", "红色")


@pytest.fixture
def run(tiny_bytes: bytes, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(tiny_bytes)
    return folder


def _embedded(number: int, *, apart: float, n_all: int | None = None) -> EmbeddedExamples:
    """Pictures whose classes lie `apart`, among noise that more pictures teach to pass over."""
    random = np.random.default_rng(0)
    labels = np.arange(number) % 3
    vectors = random.normal(size=(number, 60)).astype(np.float32)
    vectors[np.arange(number), labels] += apart
    examples = [
        Example(
            path=Path(f"{row}.png"),
            target=ClassName(CLASSES[label]),
            split="train",
            group="",
            content_hash=f"{row}",
            width=1,
            height=1,
        )
        for row, label in enumerate(labels.tolist())
    ]
    return EmbeddedExamples(examples=examples, vectors=vectors, n_all=n_all or number, own=False)


def _given(monkeypatch: pytest.MonkeyPatch, embedded: EmbeddedExamples) -> None:
    monkeypatch.setattr("tellapart.workflows.next_point.embed_run", lambda *_: embedded)


def test_the_curve_and_what_comes_next(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _given(monkeypatch, _embedded(600, apart=1.5))
    assert execute(["next", str(run), "--json", "--quiet"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["pictures"], found["drawn"], found["usable"]) == (480, 600, 600)
    errors = [one["error"] for one in found["curve"]]
    assert [one["pictures"] for one in found["curve"]] == [60, 120, 240, 480]
    assert errors[0] > errors[-1]
    gains = [found["gains"][times] for times in ("1.5", "2", "4")]
    assert gains[0]["value"] < gains[1]["value"] < gains[2]["value"]
    assert all(0 <= gain["low"] <= gain["value"] <= gain["high"] for gain in gains)
    assert set(found["classes"]) == set(CLASSES)

    assert execute(["next", str(run), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert f"2 times as many would bring +{100 * gains[1]['value']:.1f} points" in told
    assert "More pictures are worth their price: begin with the classes at the top." in told


def test_where_nothing_is_wrong_no_more_are_asked_for(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _given(monkeypatch, _embedded(300, apart=12.0, n_all=9_000))
    assert execute(["next", str(run), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "That more pictures would bring something is not sure" in told
    assert "Of 9,000 pictures 300 were drawn for the curve." in told


def test_too_few_pictures_have_no_curve(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _given(monkeypatch, _embedded(30, apart=2.0))
    assert execute(["next", str(run), "--quiet"]) == 2
    assert (
        f"of 30 pictures of {run} a class has too few for a curve: an eighth of those that are learned from must be two. Add "
        "pictures to the smallest class." in capsys.readouterr().err
    )


def test_a_run_of_sets_has_no_curve(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tellapart.tasks.multilabel.task import MULTILABEL as TASK

    monkeypatch.setattr("tellapart.workflows.next_point.task_of", lambda _: TASK)
    assert execute(["next", str(run), "--quiet"]) == 2
    assert "the curve is drawn where each picture has one class." in capsys.readouterr().err
