"""`tellapart next` as it is typed. In: a tiny run, embeddings that were made. Out: what more pictures would bring."""

from __future__ import annotations

import json
from dataclasses import replace
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
        f"{run} has too few pictures of some classes for a curve (copies, and pictures of one group, count once): 'blue' has 10, "
        "'green' has 10, '红色' has 10. Each needs 20: add 10 of 'blue' first." in capsys.readouterr().err
    )
    few = _embedded(61, apart=2.0)
    few.examples[:] = [replace(one, group="one" if row < 9 else "") for row, one in enumerate(few.examples)]
    _given(monkeypatch, few)
    assert execute(["next", str(run), "--quiet"]) == 2
    assert "'green' has 18, '红色' has 18, 'blue' has 19. Each needs 20: add 2 of 'green'" in capsys.readouterr().err
    enough = _embedded(60, apart=2.0)  # each class has just enough
    _given(monkeypatch, enough)
    assert execute(["next", str(run), "--quiet"]) == 0
    enough.examples[:] = [replace(one, group=str(row // 3 + row % 3 * 10)) for row, one in enumerate(enough.examples)]
    assert execute(["next", str(run), "--quiet"]) == 2
    assert (
        "has groups that hold several classes, and a group is learned from or judged as a whole"
        in capsys.readouterr().err
    )


def test_a_run_of_sets_has_no_curve(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tellapart.tasks.multilabel.task import MULTILABEL as TASK

    monkeypatch.setattr("tellapart.workflows.next_point.task_of", lambda _: TASK)
    assert execute(["next", str(run), "--quiet"]) == 2
    assert "the curve is drawn where each picture has one class." in capsys.readouterr().err
