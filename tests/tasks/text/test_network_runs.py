"""Networks of texts from a table to answers. In: made sentences. Out: what was planted, resumed, told, explained."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import tellapart
from tellapart.bundle import TextRecord, read_manifest
from tellapart.cli.main import execute
from tellapart.explanation.word_reasons import check_method
from tellapart.reporter import Silent
from tellapart.runs.result import TrainResult
from tellapart.runs.run import resume_run
from tellapart.settings.reading import make_settings
from tellapart.workflows.train import train

OWN = {"<b>sun</b>": ["warm", "bright"], "rain": ["wet", "grey"]}
SMALL = {
    "network": {"text": {"embedding": 8, "filters": 6, "window": 12}},
    "loop": {"epochs": 4, "learning_rate": 0.02, "batch_size": 10},
}


def sentences(folder: Path, count: int = 160) -> Path:
    """A class by one word of seven, wherever it stands; the last two texts are longer than the window."""
    chance, rows = np.random.default_rng(0), []
    for number in range(count):
        label = list(OWN)[number % 2]
        words = [*(f"w{one}" for one in chance.integers(0, 40, 6)), str(chance.choice(OWN[label]))]
        rows.append((" ".join(chance.permutation(words)), label))
    rows += [("warm " + " ".join(f"w{one}" for one in chance.integers(0, 40, 20)), "<b>sun</b>") for _ in range(2)]
    path = folder / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


class Listening(Silent):
    """Notes what is said and warned; stops with the first update after so many epochs."""

    def __init__(self, after: int | None = None) -> None:
        self.after, self.told, self.epochs = after, list[str](), 0

    @contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Stops as told."""

        def advance(count: int) -> None:
            if count and self.after is not None and self.epochs == self.after:
                raise KeyboardInterrupt

        yield advance

    def say(self, text: str) -> None:
        """Note it."""
        self.told.append(text)
        self.epochs += text.startswith("epoch ")

    warn = say


def learn(table: Path, out: Path, reporter: Silent, **settings: Any) -> TrainResult:
    told = {"data": str(table), "out": str(out), "task": "text", "strategy": "scratch", "report": False}
    return train(make_settings({**told, **SMALL, **settings}), reporter=reporter)


@pytest.fixture(scope="module")
def heard() -> Listening:
    return Listening()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, heard: Listening) -> TrainResult:
    folder = tmp_path_factory.mktemp("networks")
    return learn(sentences(folder), folder / "runs", heard, report=True)


def weights(path: Path) -> dict[str, np.ndarray]:
    return {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}


def test_what_was_planted_is_learned_and_told(learned: TrainResult, heard: Listening) -> None:
    assert learned.strategy == "scratch"
    assert learned.scores["accuracy"].value > 0.9
    manifest = read_manifest(learned.model)
    record = manifest.record_of(TextRecord)
    assert record.grams is None
    assert record.words is not None
    assert (record.words.unit, record.words.window) == ("words", 12)
    assert manifest.backbone.name == "text_cnn"
    assert any("2 of 162 texts are longer than the network's window of 12 words" in line for line in heard.told)
    assert any("texts/s" in line for line in heard.told)
    details = json.loads((learned.run / "metrics.json").read_text(encoding="utf-8"))["training"]["scratch"]
    assert details["network"]["widths"] == [3, 4, 5]
    assert details["layers"][-1]["output"] == [2]
    assert len(details["history"]) <= 4
    assert (learned.run / "tensorboard").exists()
    norms = np.linalg.norm(weights(learned.model)["classifier.weight"], axis=1)
    assert (norms <= 3.0001).all()


def test_a_killed_training_goes_on_to_the_same_bits(learned: TrainResult, tmp_path: Path) -> None:
    table = learned.run.parent.parent / "t.csv"
    with pytest.raises(KeyboardInterrupt):
        learn(table, tmp_path / "runs", Listening(after=2))
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir() and not path.is_symlink())
    opened, reporter = resume_run(run), Listening()
    resumed = train(opened.settings, reporter=reporter, run=opened)
    assert reporter.epochs == 2
    first, second = weights(learned.model), weights(resumed.model)
    assert set(first) == set(second)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_a_free_strategy_with_time_tries_a_network_and_the_mean_of_both(learned: TrainResult, tmp_path: Path) -> None:
    table, reporter = learned.run.parent.parent / "t.csv", Listening()
    result = learn(table, tmp_path / "runs", reporter, strategy="auto", budget="10m", network={})
    metrics = json.loads((result.run / "metrics.json").read_text(encoding="utf-8"))
    called = {one["called"] for one in metrics["validation"]}
    assert called == {"classifier of n-grams", "text CNN", "mean of the classifier of n-grams and the text CNN"}
    assert "log loss and accuracy are" in metrics["choice"]
    assert reporter.epochs == 4
    assert set(metrics["training"]) == {"probe", "scratch"}
    short = learn(table, tmp_path / "runs", Listening(), strategy="auto", budget="1s", network={}, loop={})
    assert short.strategy == "probe"
    assert "No network was trained beside it: the budget does not allow one epoch." in short.choice


def test_the_file_answers_without_torch(learned: TrainResult) -> None:
    code = (
        "import sys, tellapart; found = tellapart.load(sys.argv[1]).predict(['so warm w1', 'w2 grey ' + 'w3 ' * 20]);"
        "print(found.labels, found.warnings, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(learned.model)], capture_output=True, text=True, check=True)
    assert "('<b>sun</b>', 'rain')" in done.stdout
    assert "of its 22 words the first 12 alone are looked at" in done.stdout
    assert done.stdout.strip().endswith("False")


def test_vectors_of_a_file_are_taken_and_kept(learned: TrainResult, tmp_path: Path) -> None:
    table, reporter = learned.run.parent.parent / "t.csv", Listening()
    lines = [f"{word} {number} 0 1 0" for number, words in enumerate(OWN.values()) for word in words]
    (tmp_path / "words.vec").write_text("\n".join([f"{len(lines) + 1} 4", *lines, "w1 2 3"]), encoding="utf-8")
    text = {"vectors": str(tmp_path / "words.vec"), "channels": "static", "filters": 4}
    result = learn(table, tmp_path / "runs", reporter, network={"text": text}, loop={**SMALL["loop"], "epochs": 1})
    assert any("4 of 44 known words have a vector in" in line for line in reporter.told)
    assert any(
        "1 line of" in line and "line 6: 2 numbers, where the first line has 4" in line for line in reporter.told
    )
    rows = weights(result.model)["table"].tolist()
    assert rows.count([1.0, 0.0, 1.0, 0.0]) == 2
    assert read_manifest(result.model).backbone.weights_source == "vectors of words.vec, the rest drawn at random"
    with pytest.raises(tellapart.errors.SettingsError, match="embedding is 8, and the vectors in .* have 4 numbers"):
        learn(table, tmp_path / "runs", reporter, network={"text": {**text, "embedding": 8}})
    (tmp_path / "other.vec").write_text("zz 1 2\nyy 3 4\n", encoding="utf-8")
    with pytest.raises(tellapart.errors.SettingsError, match="no word of the training texts has a vector in"):
        learn(table, tmp_path / "runs", reporter, network={"text": {"vectors": str(tmp_path / "other.vec")}})


def test_chinese_is_read_character_by_character(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance, reporter = np.random.default_rng(0), Listening()
    plain, own = "天地人山水火木金土石田中上下左右", {"晴": "日光", "雨": "云伞"}
    rows = [("text", "label")]
    for number in range(60):
        label = "晴雨"[number % 2]
        rows.append(
            ("".join(chance.permutation([*chance.choice(list(plain), 7), chance.choice(list(own[label]))])), label)
        )
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    network = {**SMALL["network"], "name": "dpcnn"}
    result = learn(
        tmp_path / "t.csv", tmp_path / "runs", reporter, loop={**SMALL["loop"], "epochs": 1}, network=network
    )
    words = read_manifest(result.model).record_of(TextRecord).words
    assert words is not None
    assert words.unit == "characters"
    assert any("Texts are read character by character" in line for line in reporter.told)
    assert read_manifest(result.model).backbone.name == "dpcnn"
    (tmp_path / "one.txt").write_text("天地日光", encoding="utf-8")
    assert execute(["explain", str(result.model), str(tmp_path / "one.txt")]) == 0
    assert "By occlusion." in capsys.readouterr().out
    assert execute(["explain", str(result.model), str(tmp_path / "one.txt"), "--method", "integrated_gradients"]) != 0
    assert "integrated gradients are told of a text_cnn alone" in capsys.readouterr().err


def test_nothing_of_a_text_or_class_is_markup_in_the_report(learned: TrainResult) -> None:
    assert learned.report is not None
    page = learned.report.read_text(encoding="utf-8")
    assert "<b>sun</b>" not in page
    assert "&lt;b&gt;sun&lt;/b&gt;" in page
    for told in (
        "convolution over 3 words, largest, ReLU",
        "The network",
        "By integrated gradients",
        "By leaving words out",
    ):
        assert told in page
    assert "text_cnn reads the first 12 words of a text, of which it knows 44" in page
    found = json.loads((learned.run / "metrics.json").read_text(encoding="utf-8"))["faithfulness"]["methods"]
    assert set(found) == {"occlusion", "integrated_gradients"}
    assert all(one["deletion"] < one["chance"] for one in found.values())


def test_info_tells_of_the_words(learned: TrainResult, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["info", str(learned.model)]) == 0
    told = capsys.readouterr().out
    assert "the first 12 words, in their order" in told
    assert "text_cnn" in told


@pytest.mark.parametrize("method", [(), ("--method", "integrated_gradients")])
def test_words_are_weighed_and_believed(
    method: tuple[str, ...], learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.txt").write_text("w1 w2 <i>wet w3, grey w4 " + "w5 " * 9, encoding="utf-8")
    told = ["explain", str(learned.model), str(tmp_path / "one.txt"), *method]
    assert execute([*told, "--json", "--out", str(tmp_path / "page.html")]) == 0
    (found,) = json.loads(capsys.readouterr().out)["texts"]
    assert (found["label"], found["over"]) == ("rain", "<b>sun</b>")
    assert found["method"] == (method[-1] if method else "occlusion")
    weights = {one["word"].strip(): one["weight"] for one in found["words"]}
    assert "".join(one["word"] for one in found["words"]) == "w1 w2 <i>wet w3, grey w4 " + "w5 " * 8 + "w5"
    assert min(weights["wet"], weights["grey"]) > max(abs(weights[word]) for word in ("w1", "w2", "w3", "<"))
    assert found["faithfulness"]["deletion"] < found["faithfulness"]["chance"]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<i>" not in page
    assert "While these words are deleted" in page
    assert execute(told) == 0
    assert "the class keeps on average" in capsys.readouterr().out


def test_what_words_cannot_be_weighed_by_is_refused(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.txt").write_text("so wet", encoding="utf-8")
    told = ["explain", str(learned.model), str(tmp_path / "one.txt")]
    assert execute([*told, "--method", "gradcam"]) != 0
    assert "is about pictures, and the model is of texts. Leave it out." in capsys.readouterr().err
    assert execute([*told, "--method", "occlusion", "--method", "integrated_gradients"]) != 0
    assert "--method is given 2 times" in capsys.readouterr().err
    with pytest.raises(
        tellapart.errors.SettingsError, match="there is no method 'oclusion' for texts. Did you mean occlusion?"
    ):
        check_method("oclusion")


def test_layers_are_listed(learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["explain", str(learned.run), "--network"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told[:-1]] == [
        "table",
        "convolution.0",
        "convolution.1",
        "convolution.2",
        "classifier",
    ]
    layers = ("table", "convolution.", "classifier.weight", "classifier.bias")
    count = sum(value.size for name, value in weights(learned.model).items() if name.startswith(layers))
    assert f"{count:,} weights, " in told[-1]
    assert execute(["explain", str(learned.run), "--layers", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["network"]
    assert found["name"] == "text_cnn"
    assert found["parameters"] == count
    assert execute(["network", "recipes/headlines_text_cnn.toml"]) != 0
    assert "whose network is made of what its training data hold" in capsys.readouterr().err
    grams = tellapart.train(learned.run.parent.parent / "t.csv", out=tmp_path / "runs", task="text", report=False)
    assert execute(["explain", str(grams.run), "--network"]) != 0
    assert "this model counts n-grams: there is no network in it" in capsys.readouterr().err


def test_weights_of_a_network_are_kept_in_fewer_bytes(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = {"network": {"text": {"embedding": 150, "filters": 6, "window": 12}}, "loop": {"epochs": 1}}
    run = learn(learned.run.parent.parent / "t.csv", tmp_path / "runs", Listening(), **wide).run
    (tmp_path / "new.txt").write_text("so warm w1", encoding="utf-8")
    wanted = tellapart.load(run).predict(["so warm w1", "grey w2 w3"]).probabilities
    for flag, share in (("--int8", 0.4), ("--float16", 0.6)):
        out = tmp_path / flag.strip("-")
        assert execute(["compress", str(run), flag, "--out", str(out), "--json", "--quiet", "--no-report"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["after"]["megabytes"] < share * told["before"]["megabytes"]
        found = tellapart.load(out).predict(["so warm w1", "grey w2 w3"]).probabilities
        np.testing.assert_allclose(found, wanted, atol=0.02)
        (out / "why").mkdir()
        asked = ["explain", str(out), str(tmp_path / "new.txt"), "--method", "integrated_gradients"]
        assert execute([*asked, "--out", str(out / "why"), "--json", "--quiet"]) == 0
        capsys.readouterr()


def test_what_makes_a_network_no_smaller_is_refused(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags, message in (
        (["--int8", "--float16"], "of a model of texts both keep the same weights in fewer bytes. Give one of them."),
        (["--int8"], "its weights are in 8 bits already, or too few. Leave it as it is."),
    ):
        assert execute(["compress", str(learned.run), *flags, "--out", str(tmp_path / "x"), "--quiet"]) == 2
        assert message in " ".join(capsys.readouterr().err.split())
