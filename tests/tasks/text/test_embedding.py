"""A network of sentences beside the n-grams. In: texts whose words never come twice. Out: one file that embeds them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.bundle import TextRecord, open_model, read_manifest
from tellapart.cli.main import execute
from tellapart.errors import SettingsError
from tellapart.runs.result import TrainResult
from tellapart.settings.reading import make_settings
from tellapart.tasks.table import TASKS
from tests.features.made_sentences import write_network

COUNT = 120


def word(chance: np.random.Generator) -> str:
    return "".join(chance.choice(list("abcdefghijklmnopqrstuvwxyz"), 9))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """The network knows of every word which class it is for, and n-grams cannot."""
    folder, chance = tmp_path_factory.mktemp("embedded"), np.random.default_rng(0)
    words: dict[str, list[float]] = {}
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for number in range(COUNT):
            label = ("warm", "wet")[number % 2]
            own = [word(chance) for _ in range(3)]
            for one in own:
                middle = np.array([2.0, 0.0, 0.0]) if label == "warm" else np.array([0.0, 2.0, 0.0])
                words[one] = (middle + chance.normal(size=3)).round(3).tolist()
            rows.writerow([" ".join(own), label])
    write_network(folder / "tiny", words)
    return tellapart.train(folder / "t.csv", out=folder / "runs", embeddings=folder / "tiny", task="text")


def test_what_wins_on_validation_is_kept_and_told(learned: TrainResult) -> None:
    assert learned.scores["accuracy"].value > 0.9
    assert learned.choice.startswith("Kept the classifier on tiny: on ")
    manifest = read_manifest(learned.model)
    record = manifest.record_of(TextRecord)
    assert record.grams is None
    assert record.pieces is not None
    assert record.pieces.network == "tiny"
    assert record.promised == ("probabilities", "novelty", "pieces")
    assert manifest.backbone.name == "tiny"
    assert '"method": "sentence embeddings"' in (learned.run / "metrics.json").read_text(encoding="utf-8")
    assert learned.report is not None


def test_one_file_answers_without_the_folder(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = open_model(learned.model)
    assert model.session.inputs["tokens"] == ("N", 1, "L")
    with (learned.run.parent.parent / "t.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    moved = tmp_path / "alone.onnx"
    moved.write_bytes(learned.model.read_bytes())
    found = tellapart.load(moved).predict([row["text"] for row in rows])
    assert np.mean([label == row["label"] for label, row in zip(found.labels, rows, strict=True)]) > 0.9
    assert execute(["info", str(moved)]) == 0
    told = capsys.readouterr().out
    assert "the sentence embedding of tiny (its first 256 word pieces)" in told


def test_pictures_take_no_network_of_sentences() -> None:
    with pytest.raises(SettingsError, match="--embeddings is 'x', a network of sentences, which is for texts alone"):
        TASKS["classification"].prefer(make_settings({"data": "x", "task": "classification", "embeddings": "x"}))
