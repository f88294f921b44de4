"""`tellapart compare` as it is typed. In: two tiny models that name colours, tables. Out: which is better."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import Manifest, MultilabelRecord
from tellapart.cli.compare import _more
from tellapart.cli.main import execute
from tellapart.data.content import content_hash
from tellapart.data.examples import Example, Split
from tellapart.data.examples_csv import write_examples
from tellapart.data.remembered import TARGET
from tellapart.data.targets import ClassName, Target
from tellapart.decoding import decode
from tellapart.export.assemble import assemble

Listed = Callable[[Mapping[Path, Target]], list[Example]]
COLOURS = {"blue": (0, 0, 250), "green": (0, 250, 0), "红色": (250, 0, 0)}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twelve of each colour, each a little different."""
    folder = tmp_path / "many"
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True)
        for number in range(12):
            pixels = np.random.default_rng([number, *colour]).integers(0, 60, size=(20, 20, 3)) + np.array(colour) * 0.7
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{label}{number}.png")
    return folder


@pytest.fixture
def blind(tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path) -> Path:
    """A model that calls green blue."""
    weight = np.array([[0, 12, 10], [0, 0, 0], [10, 0, 0]], dtype=np.float32)
    path = tmp_path / "blind.onnx"
    path.write_bytes(assemble(tiny_network, weight=weight, bias=np.zeros(3, dtype=np.float32), manifest=tiny_manifest))
    return path


def _json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert execute(["compare", *map(str, arguments), "--json", "--quiet"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_better_one_is_told(
    blind: Path, tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _json(capsys, blind, tiny_model, pictures)
    assert found["common"] == 36
    assert (found["won"], found["lost"]) == (12, 0)
    assert found["difference"]["value"] == pytest.approx(1 / 3, abs=1e-5)
    assert found["difference"]["low"] > 0
    assert found["p_value"] == pytest.approx(0.5**12, abs=1e-6)
    assert found["verdict"] == "b is better"
    assert found["more_pictures"] is None
    assert found["a"]["accuracy"]["value"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["b"]["accuracy"]["value"] == 1.0
    assert found["a"]["log_loss"] > found["b"]["log_loss"] > 0
    assert found["a"]["milliseconds"] > 0
    assert found["a"]["megabytes"] >= 0
    assert found["per_class"]["green"]["difference"]["value"] == 1.0
    assert found["per_class"]["blue"]["difference"]["value"] == 0.0
    assert {one["label"] for one in found["won_pictures"]} == {"green"}
    assert found["won_pictures"][0]["a"] == "blue"
    assert found["unknown_training"] == [str(blind), str(tiny_model)]


def test_it_is_told_in_words(blind: Path, tiny_model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["compare", str(blind), str(tiny_model), str(pictures), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "B is better: +33.3 points (95 %: " in told
    assert "on 36 pictures. Only B gets 12, only A 0; mid-p McNemar 0.000." in told
    assert "green                           +100.0 points on 12 pictures (+12, -0)" in told
    assert f"! Nobody knows what {blind} has learned from: pictures among those would flatter it." in told


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--fail-if-worse",), 1)])
def test_a_script_can_stop_at_a_worse_model(
    blind: Path, tiny_model: Path, pictures: Path, flags: tuple[str, ...], code: int
) -> None:
    assert execute(["compare", str(tiny_model), str(blind), str(pictures), "--quiet", *flags]) == code
    assert execute(["compare", str(blind), str(tiny_model), str(pictures), "--quiet", *flags]) == 0


def test_another_tools_table_is_a_side(
    tiny_model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "other.csv"
    rows = [
        f"{path.name},{'green' if path.parent.name == 'blue' else path.parent.name}" for path in pictures.rglob("*.png")
    ]
    table.write_text("\n".join(["Image,Prediction", *rows[:-1]]), encoding="utf-8")
    found = _json(capsys, tiny_model, table, pictures)
    assert found["common"] == 35
    assert found["left_out"]["unanswered"] == 1
    assert (found["won"], found["lost"]) == (0, sum("blue" in row for row in rows[:-1]))
    assert found["b"]["log_loss"] is None
    assert found["b"]["milliseconds"] is None


def _run(folder: Path, model: Path, pictures: Path, as_listed: Listed, test: int, learned: int = 4) -> Path:
    """A run that learned from the first `learned` pictures of each class, and has `test` others for its test."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.read_bytes())
    examples = []
    for one in as_listed({path: ClassName(path.parent.name) for path in sorted(pictures.rglob("*.png"))}):
        number = int("".join(filter(str.isdigit, one.path.stem)))
        own = content_hash(decode(one.path.read_bytes(), target=TARGET))
        split: Split = "train" if number < learned else "test"
        if number < learned + test:
            examples.append(replace(one, split=split, content_hash=own))
    write_examples(folder / "examples.csv", examples)
    return folder


def test_runs_are_compared_on_their_tests_without_what_either_learned(
    blind: Path,
    tiny_model: Path,
    pictures: Path,
    tmp_path: Path,
    as_listed: Listed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = _run(tmp_path / "first", blind, pictures, as_listed, test=4)  # learned 0 to 3, tests 4 to 7
    second = _run(tmp_path / "second", tiny_model, pictures, as_listed, test=4, learned=6)  # tests 6 to 9
    found = _json(capsys, first, second)
    # 4 to 9 are in a test; the second has learned from 4 and 5.
    assert found["common"] == 3 * 4
    assert found["left_out"]["learned"] == {str(first): 0, str(second): 6}
    assert found["unknown_training"] == []
    assert found["won"] == 4


def test_a_model_that_saw_all_of_them_cannot_be_compared(
    tiny_model: Path, blind: Path, pictures: Path, tmp_path: Path, as_listed: Listed, capsys: pytest.CaptureFixture[str]
) -> None:
    run = _run(tmp_path / "run", tiny_model, pictures, as_listed, test=0, learned=12)
    assert execute(["compare", str(run), str(blind), str(pictures), "--quiet"]) == 2
    assert (
        f"of 36 pictures none is left that neither side has learned from ({run} has from 36). Give pictures that are new to both."
        in capsys.readouterr().err
    )


def test_corrections_are_a_set_of_their_own(
    blind: Path, tiny_model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "corrections"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes((pictures / "green" / f"green{number}.png").read_bytes())
    (folder / "labels.csv").write_text("path,label\n0.png,green\n1.png,green\n2.png,blue\n", encoding="utf-8")
    found = _json(capsys, blind, tiny_model, pictures, "--corrections", folder)
    assert found["corrections"] == {"n": 3, "a": 1, "b": 2}
    assert execute(["compare", str(blind), str(tiny_model), str(pictures), "--corrections", str(pictures)]) == 2
    assert f"{pictures} holds no labels.csv with corrections." in capsys.readouterr().err


def test_the_page_has_both_answers_in_both_languages(
    blind: Path, tiny_model: Path, pictures: Path, tmp_path: Path
) -> None:
    for language, said in (("en", "The second model is better: +33.3 points on 36 pictures"), ("zh", "第二个模型更好")):
        out = tmp_path / f"{language}.html"
        flags = ["--out", str(out), "--lang", language, "--quiet"]
        assert execute(["compare", str(blind), str(tiny_model), str(pictures), *flags]) == 0
        page = out.read_text(encoding="utf-8")
        assert said in page
        assert page.count("data:image") >= 24  # twelve pictures, for each of the two
    assert execute(["compare", str(blind), str(tiny_model), str(pictures), "--out", str(out), "--quiet"]) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", "has the columns a, b; a table of answers has one of path, image"),
        ('path,predicted\n"x', "is not a CSV table ("),
    ],
)
def test_what_is_no_table_of_answers_is_refused(
    tiny_model: Path, pictures: Path, tmp_path: Path, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "other.csv"
    table.write_text(text, encoding="utf-8")
    assert execute(["compare", str(tiny_model), str(table), str(pictures), "--quiet"]) == 2
    assert reason in capsys.readouterr().err


def test_a_table_of_other_pictures_has_nothing_in_common(
    tiny_model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "other.csv"
    table.write_text("path,predicted\nelsewhere.png,blue\n", encoding="utf-8")
    assert execute(["compare", str(tiny_model), str(table), str(pictures), "--quiet"]) == 2
    assert "of 36 pictures there is none of which both sides say something." in capsys.readouterr().err


def test_without_pictures_and_runs_there_is_nothing_to_ask(
    tiny_model: Path, blind: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["compare", str(tiny_model), str(blind), "--quiet"]) == 2
    assert (
        "neither side is a run with its list of pictures, so there is no test split to compare on."
        in capsys.readouterr().err
    )


@pytest.fixture
def sets(tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path) -> Callable[..., Path]:
    """A model of sets, by its weights [3, 3] on the colours and its biases."""

    def make(name: str, weight: Any, bias: Any) -> Path:
        record = MultilabelRecord(
            scales=(1.0,) * 3, offsets=(0.0,) * 3, thresholds=(0.5,) * 3, threshold_rule="f1", calibrated_on=9
        )
        manifest = tiny_manifest.model_copy(update={"task": "multilabel", "record": record})
        arrays = {"weight": np.array(weight, dtype=np.float32), "bias": np.array(bias, dtype=np.float32)}
        (tmp_path / name).write_bytes(assemble(tiny_network, **arrays, manifest=manifest))
        return tmp_path / name

    return make


@pytest.fixture
def both_sets(sets: Callable[..., Path]) -> tuple[Path, Path]:
    """One that names green nowhere, and one that names each colour where it is."""
    weight = np.array([[0, 0, 10], [0, 10, 0], [10, 0, 0]])
    return sets("blind.onnx", weight * [[1], [0], [1]], [-4, -4, -4]), sets("seeing.onnx", weight, [-4, -4, -4])


@pytest.fixture
def table(pictures: Path) -> Path:
    rows = [f"{path.relative_to(pictures)},{path.parent.name}" for path in sorted(pictures.rglob("*.png"))]
    (pictures / "sets.csv").write_text("\n".join(["path,labels", *rows]), encoding="utf-8")
    return pictures / "sets.csv"


def test_models_of_sets_are_compared_by_their_figure_and_by_picture(
    both_sets: tuple[Path, Path], table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = both_sets
    found = _json(capsys, first, second, table)
    assert (found["task"], found["figure"]) == ("multilabel", "mean_average_precision")
    assert found["common"] == 36
    assert found["b"]["score"]["value"] == 1.0
    change = found["difference"]
    assert change["value"] == pytest.approx(1.0 - found["a"]["score"]["value"], abs=1e-5)
    assert 0 < change["low"] <= change["value"] <= change["high"]
    assert (found["verdict"], found["more_pictures"]) == ("b is better", None)
    assert (found["won"], found["lost"]) == (12, 0)  # all that are green
    assert found["p_value"] == pytest.approx(0.5**12, abs=1e-6)
    assert (found["by_picture"]["figure"], found["b"]["by_picture"]) == ("f1", 1.0)
    assert found["by_picture"]["difference"]["value"] == pytest.approx(1 / 3, abs=1e-5)
    assert {Path(one["path"]).parent.name for one in found["won_pictures"]} == {"green"}
    assert {(one["a"], one["b"]) for one in found["won_pictures"]} == {(0.0, 1.0)}

    same = _json(capsys, second, second, table)
    assert (same["difference"]["value"], same["verdict"], same["more_pictures"]) == (0.0, "undecided", None)
    assert execute(["compare", str(second), str(first), str(table), "--quiet", "--fail-if-worse"]) == 1
    told = capsys.readouterr().out
    assert "B is worse: -" in told
    assert "By picture: -33.3 points (95 %: " in told
    assert "B answers 0 better, A 12; mid-p sign test 0.000." in told
    assert "A answers better (12), by f1:" in told
    assert ": A 100 %, B 0 %" in told


def test_the_page_of_figures_is_in_both_languages(both_sets: tuple[Path, Path], table: Path, tmp_path: Path) -> None:
    for language, said in (("en", "The second answers better"), ("zh", "第二个答得更好")):
        out = tmp_path / f"{language}.html"
        flags = ["--out", str(out), "--lang", language, "--quiet"]
        assert execute(["compare", *map(str, both_sets), str(table), *flags]) == 0
        page = out.read_text(encoding="utf-8")
        assert said in page
        assert page.count("data:image") >= 12


def test_what_cannot_be_compared_by_a_figure_is_told(
    both_sets: tuple[Path, Path], table: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = map(str, both_sets)
    (tmp_path / "other.csv").write_text("path,predicted\na.png,blue\n")
    for sides, more, words in (
        (
            (first, str(tiny_model)),
            (),
            f"{first} is a model of multilabel and {tiny_model} is a model of classification.",
        ),
        (
            (first, str(tmp_path / "other.csv")),
            (),
            "other.csv is a table, of one class a picture. Compare two of one task.",
        ),
        ((first, second), ("--corrections", "x"), "--corrections x counts answers that are right or wrong"),
    ):
        assert execute(["compare", *sides, str(table), *more, "--quiet"]) == 2
        assert words in capsys.readouterr().err
    table.write_text(table.read_text(encoding="utf-8").replace(",green", ",greenish"), encoding="utf-8")
    assert execute(["compare", first, second, str(table), "--quiet"]) == 2
    assert "the pictures show 'greenish', which is none of the classes of" in capsys.readouterr().err


def test_runs_without_a_test_split_say_so(
    blind: Path,
    tiny_model: Path,
    pictures: Path,
    tmp_path: Path,
    as_listed: Listed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As after K folds, where the model kept has learned from all pictures."""
    sides = [
        str(_run(tmp_path / name, model, pictures, as_listed, test=0, learned=12))
        for name, model in (("first", blind), ("second", tiny_model))
    ]
    assert execute(["compare", *sides, "--quiet"]) == 2
    assert (
        "the runs keep no test pictures to compare on: after K folds every picture is learned from. Compare two runs with K "
        "folds of one class a picture, or give labelled pictures that are new to both." in capsys.readouterr().err
    )


def test_two_runs_with_folds_are_compared_by_what_their_folds_said(
    blind: Path,
    tiny_model: Path,
    pictures: Path,
    tmp_path: Path,
    as_listed: Listed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The models that were kept are not asked: they have learned from all of these pictures."""
    sides = []
    for name, wrong, learned in (("first", "green", 12), ("second", "", 11)):
        folder = _run(tmp_path / name, tiny_model, pictures, as_listed, test=0, learned=learned)
        rows = ["path,label,predicted,probability of blue,probability of green,probability of 红色"]
        for path in sorted(pictures.rglob("*.png")):
            label = path.parent.name
            said = "blue" if label == wrong else label
            chances = ",".join("0.8" if one == said else "0.1" for one in COLOURS)
            if int("".join(filter(str.isdigit, path.stem))) < learned:
                rows += [
                    f"{path},{label},{said},{chances}",
                    f"{path},{label},blue,0.8,0.1,0.1",
                ]  # repeated: the first counts
        (folder / "predictions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps({"test": {"n": 6 * learned}, "kfold": {"count": 5}}))
        sides.append(str(folder))
    found = _json(capsys, *sides)
    assert found["out_of_fold"]
    assert (found["common"], found["won"], found["lost"]) == (33, 11, 0)
    assert found["unknown_training"] == []
    assert found["left_out"] == {"learned": dict.fromkeys(sides, 0), "unanswered": 0}
    assert execute(["compare", *sides, "--quiet", "--out", str(tmp_path / "page.html"), "--lang", "en"]) == 0
    assert "What the networks of the folds said: each of pictures that it had not seen." in capsys.readouterr().out
    assert "Compared is what the networks of the folds said" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (None, []),
        (1, ["If it stays so, about 1 more test picture would decide."]),
        (1_200, ["If it stays so, about 1,200 more test pictures would decide."]),
    ],
)
def test_how_many_pictures_would_decide_is_told(more: int | None, lines: list[str]) -> None:
    assert _more({"more_pictures": more}) == lines
