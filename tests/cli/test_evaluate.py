"""`tellapart evaluate` as it is typed. In: a tiny model, folders, tables. Out: figures, notes, refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.bundle import Manifest
from tellapart.cli.main import execute
from tellapart.data.content import content_hash
from tellapart.data.remembered import TARGET
from tellapart.decoding import Colour, decode
from tellapart.errors import StorageError
from tellapart.export.assemble import assemble
from tests.test_colour_profiles import P3, profile, saved


def masks_beside(folder: Path) -> Path:
    for name, colour in (("images", (0, 0, 250)), ("masks", (0, 250, 0))):
        (folder / "set" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (20, 20), colour).save(folder / "set" / name / f"{number}.png")
    return folder / "set"


def test_a_data_set_of_another_task_is_refused_with_the_reason(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = masks_beside(tmp_path)
    assert execute(["evaluate", str(tiny_model), str(pictures), "--quiet"]) == 2
    assert "looks like a data set for segmentation: images/ beside masks/" in capsys.readouterr().err
    # Told that they are classes, it reads them, and finds that the model has none of that name.
    assert execute(["evaluate", str(tiny_model), str(pictures), "--quiet", "--task", "classification"]) == 2
    assert "the label 'images', of 3 pictures" in capsys.readouterr().err


def test_a_task_that_the_model_did_not_learn_is_refused(
    tiny_model: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["evaluate", str(tiny_model), str(colours), "--task", "multilabel"]) == 2
    told = capsys.readouterr().err
    assert f"the task is 'multilabel', and {tiny_model} learned classification. Leave --task out" in told


def test_quiet_keeps_how_the_pictures_were_read(
    tiny_model: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{path.relative_to(colours)},{path.parent.name},x" for path in sorted(colours.rglob("*.png"))]
    table = colours / "t.csv"
    table.write_text("\n".join(["image,species,subset", *rows]), encoding="utf-8")
    said = {}
    for flags in ((), ("--quiet",), ("--quiet", "--json")):
        assert execute(["evaluate", str(tiny_model), str(table), *flags]) == 0
        said[flags] = capsys.readouterr()
    for shown in said.values():
        assert "path from the column 'image', label from the column 'species'" in shown.err
        assert "'subset' may be a split, but is not read" in shown.err
        assert shown.err.count("species") == 1
    assert "Predicting" in said[()].err
    assert "Predicting" not in said[("--quiet",)].err
    notes = json.loads(said[("--quiet", "--json")].out)["notes"]
    assert [f"! {note}" for note in notes] == said[("--quiet", "--json")].err.splitlines()


@pytest.mark.parametrize("colour", ["stored", "srgb"])
def test_a_model_from_before_profiles_knows_its_training_pictures_again(
    tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str], colour: Colour
) -> None:
    """Its list has the hashes of pixels as they are stored; those of today's are of colours as their profile means them."""
    pictures, rows = tmp_path / "pictures", []
    icc = profile(P3, 2.2)
    for place, label in enumerate(tiny_manifest.classes):
        (pictures / label).mkdir(parents=True)
        for number in range(2):
            image = Image.new("RGB", (20 + number, 30), (40, 60 * place, 100))
            path = pictures / label / f"{number}.png"
            image.save(path, icc_profile=icc)
            digest = content_hash(decode(saved(image, None), target=TARGET))
            split = "train" if number else "test"
            rows.append(f"{path},{label},{split},{digest},{digest},{image.width},30,")
    run = tmp_path / "run"
    run.mkdir()
    head = "path,label,split,group,content_hash,width,height,problem"
    (run / "examples.csv").write_text("\n".join([head, *rows]), encoding="utf-8")
    read = tiny_manifest.preprocessing.model_copy(update={"colour": colour})
    manifest = tiny_manifest.model_copy(update={"pictures": read})
    weight, bias = np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
    (run / "model.onnx").write_bytes(assemble(tiny_network, weight=weight, bias=bias, manifest=manifest))
    assert execute(["evaluate", str(run / "model.onnx"), str(pictures), "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["seen_in_training"]) == (6, 3 if colour == "stored" else 0)
    code = execute(["evaluate", str(run / "model.onnx"), str(pictures), "--quiet", "--json", "--split", "test"])
    assert code == (0 if colour == "stored" else 2)


def test_what_the_model_says_of_each_picture_is_kept(
    tiny_model: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answers.csv"
    assert execute(["evaluate", str(tiny_model), str(colours), "--out", str(out)]) == 0
    assert f"What the model says of each picture: {out}" in capsys.readouterr().err
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = tellapart.load(tiny_model).predict([row["path"] for row in rows])
    assert [row["predicted"] for row in rows] == list(found.labels)
    assert [row["label"] for row in rows] == [Path(row["path"]).parent.name for row in rows]
    assert len(rows) == 9
    wanted = [[float(row[f"probability of {name}"]) for name in found.classes] for row in rows]
    np.testing.assert_allclose(found.probabilities, wanted, atol=1e-6)
    assert execute(["evaluate", str(tiny_model), str(colours), "--out", str(out)]) == 2
    assert "is there already, and nothing is overwritten unasked. Choose another --out" in capsys.readouterr().err
    with pytest.raises(StorageError, match="nothing is overwritten unasked"):
        tellapart.evaluate(tiny_model, colours, out=out)
    assert execute(["evaluate", str(tiny_model), str(colours), "--out", str(out), "--force"]) == 0
    assert execute(["evaluate", str(tiny_model), str(colours), "--out", str(tmp_path / "no" / "x.csv")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_all_classes_that_the_model_lacks_are_named(
    tiny_model: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (colours / "blue").rename(colours / "bird")
    assert execute(["evaluate", str(tiny_model), str(colours), "--quiet"]) == 2
    told = capsys.readouterr().err
    assert "the label 'bird', of 3 pictures such as" in told
    assert (
        "is none of the model's classes (blue, green, 红色). Call it as the model does, or leave those pictures out."
        in told
    )
    (colours / "green").rename(colours / "fish")
    assert execute(["evaluate", str(tiny_model), str(colours), "--quiet"]) == 2
    assert "(blue, green, 红色). Nor is 'fish' of 3 pictures. Call them as the model does" in capsys.readouterr().err


def test_pictures_beyond_what_the_model_knows_are_told(
    tiny_model: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures would fall without a reason: a model that learned 8 bits has no range for two pictures of 16."""
    for name in ("deep", "deeper"):
        Image.fromarray(np.full((20, 20), 3000, np.uint16)).save(colours / "blue" / f"{name}.png")
    for flags in ((), ("--quiet", "--json")):
        assert execute(["evaluate", str(tiny_model), str(colours), *flags]) == 0
        shown = capsys.readouterr()
        assert "2 pictures were read with a warning, such as blue/deep.png: it has more than 8 bits, and" in shown.err
    assert "blue/deep.png" in json.loads(shown.out)["notes"][0]
