"""The label doctor of texts. In: made sentences with wrong labels. Out: the planted ones; corrections that are taken."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tellapart.cli.main import execute
from tellapart.tasks.text.doubting import doubt

from .conftest import OWN, sentence

FLIPPED = (3, 40, 77)


def rows(count: int) -> list[tuple[str, str]]:
    chance, names = np.random.default_rng(1), list(OWN)
    made = [(sentence(chance, names[number % 2]), names[number % 2]) for number in range(count)]
    return [
        (text, names[1 - names.index(label)] if number in FLIPPED else label)
        for number, (text, label) in enumerate(made)
    ]


def test_planted_labels_are_found() -> None:
    made = rows(200)
    names = tuple(sorted(OWN))
    targets = np.array([names.index(label) for _, label in made])
    told: list[int] = []
    found = doubt([text for text, _ in made], targets, [""] * 200, classes=names, folds=5, seed=0, advance=told.append)
    assert {one.row for one in found.wrong} == set(FLIPPED)
    assert all(one.suggested != one.label for one in found.wrong)
    assert found.judged == 200
    assert found.agreement is not None
    assert found.agreement > 0.9
    assert len(told) == 5


def test_the_table_of_doubts_is_a_table_of_corrections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "t.csv", tmp_path / "labels.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows(200)])
    assert execute(["check", str(data), "--labels", "--out", str(out), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "Probably wrong labels (3):\n  text " in told
    assert "picture" not in told
    with out.open(encoding="utf-8-sig", newline="") as file:
        doubts = [one for one in csv.DictReader(file) if one["kind"] == "label"]
    assert {one["path"] for one in doubts} == {f"t.csv:{number + 2}" for number in FLIPPED}
    by_path = {f"t.csv:{number + 2}": text for number, (text, _) in enumerate(rows(200))}
    assert all(one["text"] == by_path[one["path"]] for one in doubts)
    with out.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("path", "label"), *((one["path"], one["suggested"]) for one in doubts[:2]), ("t.csv:9", "")]
        )
    assert execute(["check", str(data), "--corrections", str(out), "--json", "--quiet"]) == 0
    audit = json.loads(capsys.readouterr().out)
    assert sum(audit["counts"][""].values()) == 199


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--backbone", "resnet18"], "--backbone is 'resnet18', which is about a network that looks at pictures"),
        (["--device", "cpu"], "--device is 'cpu', which is about a network that looks at pictures"),
        (["--tiles"], "--tiles is given, which is for boxes in large pictures"),
    ],
)
def test_flags_about_networks_are_refused(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("text,label\nwarm,a\nwet,b\n", encoding="utf-8")
    assert execute(["check", str(tmp_path / "t.csv"), "--labels", "--quiet", *flags]) != 0
    assert message in " ".join(capsys.readouterr().err.split())


def test_texts_that_people_corrected_are_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept" / "mood"
    kept.mkdir(parents=True)
    (kept / "ab.txt").write_text("a new warm text", encoding="utf-8")
    (kept / "labels.csv").write_text("path,label\nab.txt,<b>sun</b>\n", encoding="utf-8")
    data = tmp_path / "t.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows(60)])
    assert execute(["check", str(data), "--corrections", str(tmp_path / "kept"), "--json", "--quiet"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["counts"][""].values()) == 61
