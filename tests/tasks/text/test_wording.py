"""Messages of every command about texts. In: a run of made texts, what cannot be done. Out: sentences that speak of texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.cli.main import execute
from tellapart.runs.result import TrainResult


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "texts.csv").write_text("text,label\nso warm,<b>sun</b>\nso wet,rain\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("text,label\nso warm,snow\nso wet,rain\n", encoding="utf-8")
    (tmp_path / "empty.csv").write_text("text,label\n\u200b,rain\n", encoding="utf-8")
    (tmp_path / "split.csv").write_text(
        "text,label,split\n" + "".join(f"a b{n},{n % 2},validation\n" for n in range(12)), encoding="utf-8"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["evaluate", "RUN", "texts.csv", "--split", "test"],
            "holds no text of the test split. Give texts that are split",
        ),
        (["evaluate", "RUN", "other.csv"], "the label 'snow', of 1 text such as"),
        (["evaluate", "RUN", "empty.csv"], "of 1 text in"),
        (["train", "split.csv", "--out", "OUT"], "Say --train-split validation to learn from that"),
        (["label", "texts.csv"], "holds texts, and the desk shows pictures. Fill the column `label`"),
        (["augment", "texts.csv", "--out", "OUT.png"], "holds texts, which are learned as they are"),
        (["export", "RUN", "--to", "tensorflow"], "tensorflow takes inputs of one size"),
        (["gallery", "RUN"], "takes texts, and a gallery is of training pictures that are alike"),
        (["train", "texts.csv", "--small", "5ms", "--out", "OUT"], "texts"),
    ],
)
def test_what_cannot_be_done_with_texts_is_said_of_texts(
    command: list[str], message: str, folder: Path, learned: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"RUN": str(learned.run), "OUT": str(folder / "out"), "OUT.png": str(folder / "out.png")}
    asked = [named.get(one, str(folder / one) if one.endswith(".csv") else one) for one in command]
    assert execute([*asked]) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert message in said


def test_a_small_test_is_of_texts(folder: Path, learned: TrainResult, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["evaluate", str(learned.run), str(folder / "texts.csv"), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "1 test text (9 more would make 10)" in said
    assert "picture" not in said.replace(str(folder), "")
