"""From a picture to a prediction, by every way, with the same answer. In: a trained model. Out: equal probabilities."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import tellapart
from tellapart.bundle import read_manifest
from tellapart.errors import DataError, SettingsError
from tellapart.preprocessing import Preprocessing, load

COMMAND = [sys.executable, "-m", "tellapart.cli.main"]

SAVERS: dict[str, Callable[[Image.Image, Path], None]] = {
    "rgb.jpg": lambda picture, path: picture.save(path, quality=95),
    "large.jpg": lambda picture, path: picture.resize((2000, 2400)).save(path, quality=90),
    "turned.jpg": lambda picture, path: picture.save(path, exif=_turned(6)),
    "cmyk.jpg": lambda picture, path: picture.convert("CMYK").save(path),
    "grey.png": lambda picture, path: picture.convert("L").save(path),
    "bits.png": lambda picture, path: picture.convert("1").save(path),
    "palette.png": lambda picture, path: picture.convert("P").save(path),
    "alpha.png": lambda picture, path: _with_alpha(picture).save(path),
    "grey alpha.png": lambda picture, path: _with_alpha(picture).convert("LA").save(path),
    "palette alpha.png": lambda picture, path: picture.convert("P").save(path, transparency=3),
    "deep.png": lambda picture, path: Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(
        path
    ),
    "deep.tif": lambda picture, path: Image.fromarray(np.asarray(picture.convert("L")).astype(np.int32) * 200).save(
        path
    ),
    "float.tif": lambda picture, path: picture.convert("F").save(path),
    "lab.tif": lambda picture, path: _lab(picture).save(path),
    "moving.gif": lambda picture, path: picture.save(path, save_all=True, append_images=[picture.rotate(90)]),
    "moving.webp": lambda picture, path: picture.save(
        path, save_all=True, append_images=[picture.rotate(90)], lossless=True
    ),
    "wrong.bmp": lambda picture, path: picture.save(path, format="PNG"),
    "带 空格.png": lambda picture, path: picture.save(path),
}


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _with_alpha(picture: Image.Image) -> Image.Image:
    picture = picture.copy()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def _lab(picture: Image.Image) -> Image.Image:
    from PIL import ImageCms

    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    assert converted is not None
    return converted


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A real photograph (scikit-learn's flower) in every mode and format that the readers know."""
    from sklearn.datasets import load_sample_image

    folder = tmp_path_factory.mktemp("photographs")
    picture = Image.fromarray(load_sample_image("flower.jpg")).crop((150, 50, 500, 400))
    for name, save in SAVERS.items():
        save(picture, folder / name)
    return [folder / name for name in SAVERS]


def command(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_torch_onnx_python_and_command_agree_on_every_mode(trained_run: Any, photographs: list[Path]) -> None:
    import torch

    from tellapart.runs.network import rebuild_network
    from tellapart.settings.tree import TrainSettings

    manifest = read_manifest(trained_run.model)
    preprocessing = Preprocessing(**manifest.preprocessing.model_dump())
    images = np.stack([load(path.read_bytes(), preprocessing) for path in photographs])

    network = rebuild_network(
        trained_run.run / "weights.safetensors", manifest, lambda: TrainSettings(data=str(trained_run.run))
    )
    with torch.inference_mode():
        embeddings = network.embed(torch.from_numpy(images))
        by_torch = torch.softmax(network.classifier(embeddings) / manifest.record.temperature, dim=1).numpy()

    session = onnxruntime.InferenceSession(str(trained_run.model), providers=["CPUExecutionProvider"])
    by_onnx, by_graph = session.run(["probabilities", "embedding"], {"image": images})
    by_python = tellapart.load(trained_run.model).predict(photographs).probabilities
    answer = command("predict", trained_run.model, *photographs, "--format", "jsonl", "--top", 99)
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    by_command = [
        [{row["label"]: row["probability"] for row in line["top"]}[name] for name in manifest.classes] for line in lines
    ]

    np.testing.assert_allclose(by_graph, embeddings.numpy(), atol=1e-3)
    np.testing.assert_allclose(by_onnx, by_torch, atol=1e-4)
    np.testing.assert_allclose(by_python, by_torch, atol=1e-4)
    np.testing.assert_allclose(by_command, by_torch, atol=1e-4)
    assert [line["path"] for line in lines] == [str(path) for path in photographs]
    assert len({round(float(row.mean()), 4) for row in embeddings}) > 5  # the modes do differ: the test is not blind


def test_the_test_split_is_predicted_as_it_was_tested(trained_run: Any) -> None:
    with (trained_run.run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        tested = list(csv.DictReader(file))
    found = tellapart.load(trained_run.run).predict([row["path"] for row in tested])
    expected = [[float(row[f"probability of {name}"]) for name in found.classes] for row in tested]
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-4)
    assert list(found.labels) == [row["predicted"] for row in tested]


def test_csv_jsonl_and_table_say_the_same(tiny_model: Path, colours: Path) -> None:
    by_csv = rows_of(command("predict", tiny_model, colours, "--format", "csv", "--top", "2").stdout)
    by_json = [
        json.loads(line) for line in command("predict", tiny_model, colours, "--format", "jsonl").stdout.splitlines()
    ]
    table = command("predict", tiny_model, colours).stdout.splitlines()
    assert len(by_csv) == len(by_json) == len(table) == 9
    for row, record, line in zip(by_csv, by_json, table, strict=True):
        assert row["label"] == record["label"] == Path(row["path"]).parent.name
        assert row["label_2"] != row["label"]
        assert float(row["probability"]) >= float(row["probability_2"])
        assert row["label"] in line
        assert row["path"] in line


def test_a_bad_picture_gives_a_row_with_its_reason(tiny_model: Path, colours: Path, tmp_path: Path) -> None:
    good = colours / "blue" / "0.png"
    bad = tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:60])
    answer = command("predict", tiny_model, bad, tmp_path / "none.jpg", good, "--format", "csv")
    rows = rows_of(answer.stdout)
    assert answer.returncode == 0
    assert [row["label"] for row in rows] == ["", "", "blue"]
    assert "truncated" in rows[0]["error"]
    assert rows[1]["error"] == "no such file"
    assert "3 pictures, 2 unreadable" in answer.stderr
    assert command("predict", tiny_model, bad, "--format", "jsonl").returncode == 2
    found = tellapart.load(tiny_model).predict([bad, good])
    assert (found.labels, found.errors[1]) == (("", "blue"), "")
    assert np.isnan(found.probabilities[0]).all()


def test_a_damaged_source_is_a_row_among_the_others(tiny_model: Path, colours: Path, tmp_path: Path) -> None:
    damaged = [tmp_path / "a.zip", tmp_path / "b.npz"]
    for path in damaged:
        path.write_bytes(b"PK\x03\x04 cut short")
    answer = command("predict", tiny_model, damaged[0], colours, damaged[1], "--format", "csv")
    rows = rows_of(answer.stdout)
    assert answer.returncode == 0
    assert "11 pictures, 2 unreadable" in answer.stderr
    assert [row["path"] for row in rows if row["error"]] == list(map(str, damaged))
    assert "cannot be read" in rows[0]["error"]
    alone = command("predict", tiny_model, damaged[0])
    assert (alone.returncode, "1 picture, 1 unreadable" in alone.stderr) == (2, True)


def test_folders_skip_what_is_no_picture_and_globs_expand(tiny_model: Path, colours: Path) -> None:
    (colours / "notes.txt").write_text("text")
    (colours / ".hidden.png").write_bytes(b"")
    (colours / "blue" / "loop").symlink_to(colours)
    (colours / "UPPER.JPG").write_bytes(b"text")
    assert len(tellapart.load(tiny_model).predict(colours).paths) == 10
    assert len(rows_of(command("predict", tiny_model, f"{colours}/*/1.png", "--format", "csv").stdout)) == 3
    answer = command("predict", tiny_model, f"{colours}/*.nothing")
    assert answer.returncode == 2
    assert "no file matches" in answer.stderr


def test_a_list_on_standard_input(tiny_model: Path, colours: Path) -> None:
    paths = sorted(colours.rglob("*.png"))
    text = "\n".join(map(str, paths)) + "\n\n"
    rows = rows_of(command("predict", tiny_model, "-", "--format", "csv", input=text).stdout)
    assert [row["path"] for row in rows] == [str(path) for path in paths]


def test_results_stream_while_the_list_still_grows(tiny_model: Path, colours: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "predict", str(tiny_model), "-", "--format", "jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    picture = next(colours.rglob("*.png"))
    process.stdin.write(f"{picture}\n" * 200)  # fits in a pipe, so that nobody waits for the other
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["path"] == str(picture)
    process.stdin.close()
    assert len(process.stdout.readlines()) == 199
    process.stdout.close()
    assert process.wait(300) == 0


def test_out_is_written_whole_and_never_over_something(tiny_model: Path, colours: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "classes.csv"
    assert "Make it, or choose another --out" in command("predict", tiny_model, colours, "--out", out).stderr
    out.parent.mkdir()
    answer = command("predict", tiny_model, colours, "--format", "csv", "--out", out)
    assert answer.returncode == 0, answer.stderr
    assert len(rows_of(out.read_text(encoding="utf-8"))) == 9
    assert "9 pictures, 0 unreadable; written to" in answer.stderr
    again = command("predict", tiny_model, colours, "--out", out)
    assert again.returncode == 2
    assert "nothing is overwritten unasked" in again.stderr
    assert [path.name for path in out.parent.iterdir()] == ["classes.csv"]


def test_nothing_to_predict_is_an_error(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = command("predict", tiny_model, tmp_path / "empty")
    assert answer.returncode == 2
    assert "there is no picture in the paths given" in answer.stderr
    answer = command("predict", tiny_model, tmp_path / "empty", "--out", tmp_path / "new.csv")
    assert answer.returncode == 2
    assert not (tmp_path / "new.csv").exists()
    with pytest.raises(DataError, match="no file matches"):
        tellapart.load(tiny_model).predict(str(tmp_path / "*.png"))


def test_a_reader_that_goes_away_is_no_error(tiny_model: Path, colours: Path) -> None:
    code = f"{' '.join(COMMAND)} predict {tiny_model} - --format csv | head -1"
    text = f"{next(colours.rglob('*.png'))}\n" * 5000
    answer = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {code}"], input=text, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert "Traceback" not in answer.stderr


def test_predict_never_imports_torch(tiny_model: Path, colours: Path) -> None:
    picture = next(colours.rglob("*.png"))
    code = (
        "import sys; from tellapart.cli.main import execute\n"
        f"assert execute(['predict', {str(tiny_model)!r}, {str(picture)!r}]) == 0\n"
        "print(sorted({'torch', 'timm', 'sklearn', 'scipy', 'onnx'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_info_shows_everything(trained_run: Any) -> None:
    shown = command("info", trained_run.run).stdout
    manifest = read_manifest(trained_run.model)
    for text in (*manifest.classes, "Apache-2.0", "tf_efficientnet_lite0", manifest.data.fingerprint, "test accuracy"):
        assert text in shown
    assert json.loads(command("info", trained_run.model, "--json").stdout)["schema_version"] == 4


def test_evaluate_tells_seen_pictures_apart(trained_run: Any, tmp_path: Path) -> None:
    result = tellapart.evaluate(trained_run.model, trained_run.pictures)
    assert result.n == 120
    assert result.seen == result.n - trained_run.result.n_test
    assert result.metrics_unseen is not None
    assert result.metrics_unseen["n"] == trained_run.result.n_test
    tested = trained_run.result.metrics["test"]
    assert result.metrics_unseen["accuracy"]["value"] == pytest.approx(tested["accuracy"]["value"])
    assert result.metrics_unseen["log_loss"]["value"] == pytest.approx(tested["log_loss"]["value"], abs=1e-4)
    alone = tmp_path / "model.onnx"
    alone.write_bytes(trained_run.model.read_bytes())
    assert tellapart.evaluate(alone, trained_run.pictures).seen is None
    shown = command("evaluate", trained_run.model, trained_run.pictures, "--quiet").stdout
    assert "the score flatters it" in shown


@pytest.mark.long
def test_evaluate_knows_the_model_s_classes_by_names_that_are_nearly_the_same(trained_run: Any, tmp_path: Path) -> None:
    for folder in trained_run.pictures.iterdir():
        near = folder.name.replace("数字 0", "数字 \uff10").replace("数字 1", "数字  1 ")
        (tmp_path / near).mkdir()
        for picture in list(folder.iterdir())[:5]:
            (tmp_path / near / picture.name).write_bytes(picture.read_bytes())
    result = tellapart.evaluate(trained_run.model, tmp_path)
    assert result.renamed == {"数字 \uff10": "数字 0", "数字  1": "数字 1"}
    assert (result.n, result.as_json()["renamed"]) == (15, result.renamed)
    shown = command("evaluate", trained_run.model, tmp_path, "--quiet").stdout
    assert (
        "! Class names that are nearly the model's are read as its own: '数字  1' as '数字 1', '数字 \uff10' as '数字 0'."
        in shown
    )
    assert tellapart.evaluate(trained_run.model, trained_run.pictures).renamed == {}


def test_evaluate_refuses_what_it_cannot_score(trained_run: Any, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the label 'blue', of 3 pictures such as .*, is none of the model's classes"):
        tellapart.evaluate(trained_run.model, colours)
    with pytest.raises(DataError, match="holds no picture of the test split"):
        alone = tmp_path / "model.onnx"
        alone.write_bytes(trained_run.model.read_bytes())
        tellapart.evaluate(alone, trained_run.pictures, split="test")
    with pytest.raises(SettingsError, match="the split is 'val'; it must be one of train, validation, test"):
        tellapart.evaluate(trained_run.model, trained_run.pictures, split="val")
    tested = tellapart.evaluate(trained_run.model, trained_run.pictures, split="test")
    assert (tested.n, tested.seen) == (trained_run.result.n_test, 0)


def test_a_screen_that_lacks_a_character_shows_its_code(tiny_model: Path, colours: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    answer = command("predict", tiny_model, colours / "红色", env=environment)
    assert answer.returncode == 0, answer.stderr
    assert "\\u7ea2" in answer.stdout


def test_file_names_that_are_not_utf8_can_be_written(tiny_model: Path, colours: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(odd, "wb") as file:
        file.write((colours / "blue" / "0.png").read_bytes())
    out = tmp_path / "out.csv"
    answer = subprocess.run(
        [*COMMAND, "predict", str(tiny_model), odd, "--format", "csv", "--out", str(out)], check=False
    )
    assert answer.returncode == 0
    assert b"caf\xe9.png" in out.read_bytes()
