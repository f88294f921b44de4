"""A client of a model of texts. In: a real server of a made model. Out: what the model says here, by each door."""

from __future__ import annotations

import asyncio
import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.cli.main import execute
from tellapart.client.connection import Connection
from tellapart.client.pictures import Item
from tellapart.workflows.serving.heatmaps import make_explainer

from ..serving.conftest import Running, Start  # noqa: TID252
from ..serving.test_texts import TEXTS, model_file  # noqa: F401, TID252
from .test_client import same, url


@pytest.fixture
def mood(start: Start, model_file: Path) -> Running:  # noqa: F811
    return start(f"mood={model_file}", explain=make_explainer())


def test_both_clients_say_what_the_model_says(mood: Running, model_file: Path) -> None:  # noqa: F811
    asked = [*TEXTS, b"\xff\xfe", "", "🎬🎬", *(f"rain {number}" for number in range(90))]
    wanted = tellapart.load(model_file).predict(asked)
    with tellapart.Client(url(mood)) as client:
        same(client.predict(asked), wanted)
        assert client.predict("a fine film").labels == wanted.labels[:1]
        explained = client.predict(["so dull", ""], explain=True)
    assert explained.heatmaps is None
    assert explained.reasons is not None
    assert explained.reasons[1] is None
    assert [one["word"] for one in explained.reasons[0]["words"]] == ["so", " dull"]  # type: ignore[index]

    async def ask() -> object:
        async with tellapart.AsyncClient(url(mood)) as client:
            return await client.predict(asked)

    same(asyncio.run(ask()), wanted)  # type: ignore[arg-type]


def test_a_column_of_a_table_is_taken_and_pictures_are_not(mood: Running) -> None:
    pandas = pytest.importorskip("pandas")
    with tellapart.Client(url(mood)) as client:
        found = client.predict(pandas.DataFrame({"number": [1, 2, 3], "text": ["fine", None, pandas.NA]}))
        assert found.errors == ("", *2 * ["empty: there is no text"])
        with pytest.raises(tellapart.errors.DataError, match=r"text 0 is .*; a text is a str, or bytes in UTF-8"):
            client.predict([np.zeros((2, 2, 3), np.uint8)])


def test_the_command_prints_what_the_model_prints(
    mood: Running,
    model_file: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "one.txt").write_text("a fine film", encoding="utf-8")
    (tmp_path / "bad.txt").write_bytes(b"\xff")
    (tmp_path / "new.csv").write_text("review,other\nso dull,fine\ndull rain,weather\n", encoding="utf-8")
    (tmp_path / "lines").write_bytes("fine\n\ndull 雨\n".encode())
    files = [str(tmp_path / name) for name in ("one.txt", "bad.txt")]
    for arguments in (files, [str(tmp_path / "new.csv")], [str(tmp_path / "new.csv"), "--text-column", "other"], ["-"]):
        told = []
        for door in ([str(model_file)], ["--server", url(mood)]):
            with (tmp_path / "lines").open() as file:
                monkeypatch.setattr(sys, "stdin", file)
                assert execute(["predict", *door, *arguments, "--format", "csv"]) == 0
            said = capsys.readouterr()
            told.append((list(csv.DictReader(io.StringIO(said.out))), said.err))
        (here, note), (there, other_note) = told
        assert (len(here), note) == (2, other_note)
        for one, other in zip(here, there, strict=True):
            assert float(one.pop("probability") or 0) == pytest.approx(float(other.pop("probability") or 0), abs=1e-5)
            assert one == other


def test_texts_go_as_json_and_what_is_none_as_bytes() -> None:
    here = Connection(url="http://127.0.0.1:1", api_key=None, timeout=1.0, retries=0, model=None)
    good = here.request("mood", [Item(name="", data="雨".encode())], explain=0, texts=True)
    assert good["json"] == {"text": ["雨"]}
    assert "files" in here.request("mood", [Item(name="", data=b"\xff")], explain=0, texts=True)
