"""A run learns from another. In: small runs. Out: a better one. Next: src/tellapart/workflows/compressing/concluding.py."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data.examples_csv import read_examples, write_examples
from tellapart.data.targets import ClassName
from tellapart.errors import DataError, SettingsError
from tellapart.features.caching import open_cache
from tellapart.preprocessing import load
from tellapart.reporter import Silent
from tellapart.runs.open import OpenRun
from tellapart.workflows.compress import compress
from tellapart.workflows.compressing import teacher as teacher_steps
from tellapart.workflows.compressing.compressible import open_compressible
from tellapart.workflows.compressing.distilled import DistillTerms, lead_from, spread_of, to_distilled
from tellapart.workflows.compressing.opened import open_network
from tellapart.workflows.compressing.taught import gather_pupils
from tellapart.workflows.compressing.teacher import ask_teacher, check_teacher, kept_answers, logits_of


class Telling(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(scope="module")
def distilled(small_run: Path, shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The run, taught by itself, with pictures without labels: two new ones, a copy of a known one, and no picture."""
    more = tmp_path_factory.mktemp("more")
    for number, seed in enumerate((5, 6)):
        pixels = np.random.default_rng(seed).integers(0, 250, (16, 16, 3), dtype=np.uint8)
        _save(more / f"{number}.png", pixels)
    (more / "copy.png").write_bytes(next(shapes.rglob("*.png")).read_bytes())
    (more / "note.txt").write_text("no picture")
    reporter = Telling()
    found = compress(
        small_run,
        reporter=reporter,
        distill=small_run,
        unlabelled=[str(more)],
        epochs=2,
        out=tmp_path_factory.mktemp("runs") / "taught",
    )
    return found, reporter.warnings


def _save(path: Path, pixels: Any) -> None:
    Image.fromarray(pixels).save(path)


def test_a_network_learns_from_a_teacher_and_from_pictures_without_labels(small_run: Path, distilled: Any) -> None:
    found, warnings = distilled
    (step,) = found.steps
    assert step.kind == "distilled"
    assert step.facts["unlabelled"] == 2
    assert step.facts["test_pictures_seen"] == 0
    assert "learned from blocks (scratch), by the training pictures and 2 pictures without labels" in step.told
    assert not any("flatters" in one for one in warnings)
    assert any("The teacher is the run itself, which looks at a picture once" in one for one in warnings)
    assert found.after.score.value > found.before.score.value - 0.2
    assert found.after.macs == found.before.macs


def test_what_is_asked_of_the_teacher_is_what_its_file_says(small_run: Path, tmp_path: Path) -> None:
    work = open_compressible(small_run, tmp_path, Silent())
    pictures = work.dataset.pictures[:5]
    told = ask_teacher(work, work.run, pictures)
    images = np.stack([load(one.path.read_bytes(), work.run.preprocessing) for one in pictures])
    probabilities, embeddings = work.run.run(images)
    exponents = np.exp(told.logits)
    np.testing.assert_allclose(exponents / exponents.sum(1, keepdims=True), probabilities, atol=1e-5)
    np.testing.assert_array_equal(told.embeddings, embeddings)


def test_mixed_pictures_stand_behind_those_with_labels(small_run: Path, tmp_path: Path) -> None:
    work = open_compressible(small_run, tmp_path, Silent())
    count = len(work.dataset.rows["train"])
    pupils = gather_pupils(work, open_network(work), mixed=0.5)
    assert pupils.mixes is not None
    assert (pupils.labelled, pupils.rows, len(pupils.mixes)) == (count, count + round(0.5 * count), round(0.5 * count))
    assert pupils.lesson.train_rows.tolist() == list(range(pupils.rows))
    assert len(pupils.lesson.train_targets) == len(pupils.strata) == pupils.rows
    assert pupils.lesson.train.get(np.array([count, 0]), 0).shape == (2, 16, 16, 3)
    plain = gather_pupils(work, open_network(work))
    assert (plain.labelled, plain.rows, plain.mixes) == (None, count, None)
    assert plain.contents != pupils.contents


def test_a_mixed_picture_is_what_the_teacher_is_shown(small_run: Path, tmp_path: Path) -> None:
    work = open_compressible(small_run, tmp_path, Silent())
    first, second = work.dataset.pictures[:2]
    told = ask_teacher(work, work.run, [first, (first, second, 1.0), (first, second, 0.0), second])
    np.testing.assert_allclose(told.logits[0], told.logits[1], atol=1e-5)
    np.testing.assert_allclose(told.logits[2], told.logits[3], atol=1e-5)


def test_a_teacher_is_asked_once_however_often_a_training_goes_on(small_run: Path, tmp_path: Path) -> None:
    work = open_compressible(small_run, tmp_path, Silent())
    pictures = [*work.dataset.pictures[:2], (work.dataset.pictures[0], work.dataset.pictures[1], 0.5)]
    told = kept_answers(work, work.run, pictures, tmp_path / "kept")
    (file,) = (tmp_path / "kept").iterdir()
    written = file.stat().st_mtime_ns
    again = kept_answers(work, work.run, pictures, tmp_path / "kept")
    np.testing.assert_array_equal(told.logits, again.logits)
    np.testing.assert_array_equal(told.embeddings, again.embeddings)
    assert file.stat().st_mtime_ns == written
    file.write_bytes(b"cut short")  # damaged: asked again
    np.testing.assert_array_equal(kept_answers(work, work.run, pictures, tmp_path / "kept").logits, told.logits)
    kept_answers(work, work.run, pictures[:1], tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 2


class Killed(Exception):
    """As a process that ends in the middle."""


class Killing(Silent):
    """Ends the process in the second epoch."""

    def say(self, message: str) -> None:
        if message.startswith("epoch 2 of"):
            raise Killed


def test_what_was_killed_half_way_goes_on_with_the_same_command(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "taught"
    with pytest.raises(Killed):
        compress(small_run, reporter=Killing(), distill=small_run, epochs=2, out=out)
    assert [one.name for one in tmp_path.iterdir()] == [".taught-unfinished"]

    def asked(*_: object) -> None:
        raise AssertionError("the teacher was asked again")

    monkeypatch.setattr(teacher_steps, "ask_teacher", asked)
    heard = Hearing()
    made = compress(small_run, reporter=heard, distill=small_run, epochs=2, out=out)
    assert not any(one.startswith("epoch 1 of") for one in heard.said)
    assert any(one.startswith("epoch 2 of") for one in heard.said)
    assert [one.name for one in tmp_path.iterdir()] == ["taught"]
    assert made.steps[0].facts["epochs"] == 2


class Hearing(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def test_logits_give_the_probabilities_back() -> None:
    chances = np.array([[0.2, 0.8], [0.5, 0.5]])
    softmax, sigmoid = logits_of(chances, "softmax"), logits_of(chances, "sigmoid")
    np.testing.assert_allclose(np.exp(softmax) / np.exp(softmax).sum(1, keepdims=True), chances, rtol=1e-6)
    np.testing.assert_allclose(1 / (1 + np.exp(-sigmoid)), chances, rtol=1e-6)
    assert np.isfinite(logits_of(np.array([[0.0, 1.0]]), "sigmoid")).all()


def test_nothing_new_among_unlabelled_pictures_is_told(small_run: Path, shapes: Path, tmp_path: Path) -> None:
    work = open_compressible(small_run, tmp_path, Silent())
    terms = DistillTerms(teacher=small_run, unlabelled=(str(shapes / "bar"),))
    with (
        open_cache(Silent()) as cache,
        pytest.raises(DataError, match=r"of the 48 files in .* none is a picture that the run"),
    ):
        to_distilled(work, terms, tmp_path / "kept", cache)
    nowhere = DistillTerms(teacher=small_run, unlabelled=(str(tmp_path / "nowhere"),))
    with (
        open_cache(Silent()) as cache,
        pytest.raises(
            DataError, match=r"none of the pictures of --unlabelled can be read, such as .*nowhere: .*Name others"
        ),
    ):
        to_distilled(work, nowhere, tmp_path / "kept", cache)
    addresses = DistillTerms(teacher=small_run, unlabelled=("https://example.org/a.png",))
    with (
        open_cache(Silent()) as cache,
        pytest.raises(SettingsError, match=r"pictures on the web cannot be learned from"),
    ):
        to_distilled(work, addresses, tmp_path / "kept", cache)


def test_a_teacher_of_another_task_or_of_other_classes_is_refused(small_run: Path) -> None:
    manifest = OpenRun(small_run).manifest
    check_teacher(manifest, manifest.model_copy(update={"classes": ("dot", "bar")}), Path("t"))  # in any order
    with pytest.raises(
        SettingsError, match=r"t is of the task text, and the run of classification; a network learns from"
    ):
        check_teacher(manifest.model_copy(update={"task": "text"}), manifest, Path("t"))
    with pytest.raises(
        SettingsError, match=r"t and the run do not know the same classes: only one of them has dot, ring"
    ):
        check_teacher(manifest.model_copy(update={"classes": ("bar", "ring")}), manifest, Path("t"))


def test_a_teacher_that_has_seen_the_test_pictures_is_told_of(small_run: Path, shapes: Path, tmp_path: Path) -> None:
    examples = read_examples(small_run / "examples.csv", ClassName)
    teacher = tmp_path / "teacher"
    shutil.copytree(small_run, teacher)
    # As a run of other splits: what one tested the other has learned from.
    write_examples(teacher / "examples.csv", [replace(one, split="train") for one in examples])
    reporter = Telling()
    work = open_compressible(small_run, tmp_path, reporter)
    with open_cache(Silent()) as cache:
        made = to_distilled(work, DistillTerms(teacher=teacher, epochs=1, mixed=0.5), tmp_path / "kept", cache)
    tested = sum(one.split == "test" for one in examples)
    assert made.steps[0].facts["test_pictures_seen"] == tested > 0
    assert made.steps[0].facts["mixed"] == round(0.5 * len(work.dataset.rows["train"]))
    assert f"and {made.steps[0].facts['mixed']} mixed ones of two" in made.steps[0].told
    assert any(f"trained on {tested} pictures of the test split" in one for one in reporter.warnings)


def test_a_number_that_hardly_changes_counts_no_more_than_others() -> None:
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(200, 3)).astype(np.float32) * np.array([2.0, 1.0, 1e-6], dtype=np.float32)
    whole = np.sqrt((embeddings.std(axis=0) ** 2).mean())
    np.testing.assert_allclose(spread_of(embeddings), [*embeddings.std(axis=0)[:2], 0.1 * whole], rtol=1e-5)
    assert spread_of(np.ones((4, 2), dtype=np.float32)).min() > 0


def test_learning_begins_with_the_map_that_leads_nearest() -> None:
    random = np.random.default_rng(0)
    own, wanted = random.normal(size=(500, 6)).astype(np.float32), random.normal(size=(4, 6))
    taught = (own @ wanted.T + 3).astype(np.float32)
    weight, bias = lead_from(own, taught)
    found = own @ weight.numpy().T + bias.numpy()
    assert ((found - taught) ** 2).mean() < 0.05 * taught.var(axis=0).mean()
    np.testing.assert_allclose(found.mean(axis=0), taught.mean(axis=0), atol=1e-4)
