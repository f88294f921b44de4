"""Predictions in parts, by workers that are pretended. In: pictures wherever they lie. Out: the rows of one machine, each once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tellapart.answers.items import PathItem, expand
from tellapart.answers.plain_rows import plain_row
from tellapart.answers.predictor import load_predictor
from tellapart.cli.asked import why_barren
from tellapart.errors import DataError, StorageError
from tellapart.reporter import Silent
from tellapart.workflows.predict_parts import Predicted, predict_parts
from tellapart.workflows.scaling import parts
from tellapart.workflows.scaling.spread import Spread
from tests.answers.made_detector import CLASSES, detector_bytes, draw_things
from tests.answers.made_masker import masker_bytes


class Here:
    """Workers that are pretended: units one after the other, the last one first; ended after `most` of them."""

    def __init__(self, most: int | None = None) -> None:
        self.most, self.done, self.asked = most, 0, list[int]()

    def __call__(self, pictures: int) -> Spread:
        self.asked.append(pictures)
        return self.each

    def each(self, make: Any, given: Any, units: Sequence[Any]) -> Generator[tuple[int, Any], None, None]:
        work = make(given)
        for number in reversed(range(len(units))):
            if self.done == self.most:
                raise KeyboardInterrupt
            self.done += 1
            yield number, work(units[number])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Eight pictures in two folders, a damaged one among them, a text, and a folder without any."""
    folder = tmp_path / "pictures"
    for name, colours in (("a", ("red", "green", "blue")), ("b", ("navy", "lime", "white", "black"))):
        (folder / name).mkdir(parents=True)
        for number, colour in enumerate(colours):
            Image.new("RGB", (20 + number, 16), colour).save(folder / name / f"{number}.png")
    (folder / "a" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "a" / "notes.txt").write_text("no picture")
    return folder


def predicted(
    paths: Sequence[Path], out: Path, model: Path, workers: Here | None = None, *, loose: int = 3, **asked: Any
) -> Predicted:
    named = [str(path) for path in paths]
    roots = [path for path in dict.fromkeys(named) if Path(path).is_dir()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts.in_parts, "__kwdefaults__", {"loose": loose, "in_shard": 4})
        return predict_parts(
            expand(named, tolerant=True),
            out,
            model=model,
            spread=workers or Here(),
            reporter=Silent(),
            roots=roots,
            barren=why_barren,
            **{"thresholds": None, "top": 1, **asked},
        )


def rows_of(out: Path) -> list[dict[str, Any]]:
    """In the order of predictions.json, with maps as JSON has them."""
    index = json.loads((out / "predictions.json").read_text())
    rows = [row for part in index["parts"] for row in pq.read_table(out / part["file"]).to_pylist()]
    maps = ("probabilities", "counts")
    return [
        {name: dict(value) if name in maps and value is not None else value for name, value in row.items()}
        for row in rows
    ]


def expected(paths: Sequence[Path], model: Path, top: int = 1) -> list[dict[str, Any]]:
    predictor = load_predictor(model)
    answers = predictor.stream(expand([str(path) for path in paths]))
    return [json.loads(json.dumps(plain_row(one, predictor.answering, top=top))) for one in answers]


def test_every_picture_has_the_row_of_one_machine(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    found = predicted([pictures], tmp_path / "out", tiny_model, top=2)
    rows = rows_of(tmp_path / "out")
    assert rows == expected([pictures], tiny_model, top=2)
    assert [Path(row["path"]).name for row in rows if row["error"]] == ["broken.png"]
    assert replace(found, folder=pictures) == Predicted(
        folder=pictures, parts=3, there=0, rows=8, unreadable=1, unknown=0
    )


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_are_parts_of_their_own(kind: Any, pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), kind, pictures))
    predicted([pictures / "b", archive], tmp_path / "out", tiny_model)
    assert rows_of(tmp_path / "out") == expected([pictures / "b", archive], tiny_model)
    index = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [part["pictures"] for part in index["parts"]] == [
        3,
        1,
        4,
        4,
        1,
    ]  # nothing of the folder lies beside what is packed
    assert index["whole"] is True


@pytest.mark.parametrize("make", [detector_bytes, masker_bytes])
def test_rows_of_every_task_are_columns(make: Callable[[], bytes], tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(make())
    draw_things(tmp_path / "pictures" / "a.png", (128, 64), [(CLASSES[0], 64, 2, 100, 50)])
    draw_things(tmp_path / "pictures" / "b.png", (64, 64), [])
    (tmp_path / "pictures" / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    predicted([tmp_path / "pictures"], tmp_path / "out", model, loose=1)
    assert rows_of(tmp_path / "out") == expected([tmp_path / "pictures"], model)
    schemas = {str(pq.read_schema(path).remove_metadata()) for path in (tmp_path / "out").glob("*.parquet")}
    assert len(schemas) == 1  # whatever a part holds


def test_a_killed_call_is_gone_on_with_and_nothing_is_answered_twice(
    pictures: Path, tiny_model: Path, tmp_path: Path
) -> None:
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "out"
    predicted([pictures], undisturbed, tiny_model, loose=2)
    with pytest.raises(KeyboardInterrupt):
        predicted([pictures], out, tiny_model, Here(most=2), loose=2)
    assert json.loads((out / "predictions.json").read_text())["whole"] is False
    (out / ".000001.parquet.x.part").write_bytes(b"half")  # of a process that was killed
    workers = Here()
    found = predicted([pictures], out, tiny_model, workers, loose=2)
    assert (found.parts, found.there, workers.done) == (5, 2, 3)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in undisturbed.iterdir()
    }
    again = Here()
    assert predicted([pictures], out, tiny_model, again, loose=2).there == 5
    assert (again.asked, again.done) == ([], 0)  # no worker is asked for where all is done


def test_a_file_that_is_cut_short_is_made_again(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    predicted([pictures], tmp_path / "out", tiny_model)
    whole = (tmp_path / "out" / "000001.parquet").read_bytes()
    (tmp_path / "out" / "000001.parquet").write_bytes(whole[:-20])
    assert predicted([pictures], tmp_path / "out", tiny_model).there == 2
    assert (tmp_path / "out" / "000001.parquet").read_bytes() == whole


def test_shards_that_were_added_cost_only_themselves(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    shutil.make_archive(str(shards / "b"), "tar", pictures / "b")
    predicted([shards], tmp_path / "out", tiny_model)
    shutil.make_archive(str(shards / "a"), "tar", pictures / "a")
    workers = Here()
    assert predicted([shards], tmp_path / "out", tiny_model, workers).there == 1
    assert workers.done == 2  # of five members at most four at a time
    assert rows_of(tmp_path / "out") == expected([shards], tiny_model)


def test_another_model_or_other_settings_are_refused(
    pictures: Path, tiny_model: Path, deciding: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predicted([pictures], out, tiny_model)
    with pytest.raises(
        StorageError, match=r"holds predictions by another top \(1; this time 2\). Choose another --out, or begin"
    ):
        predicted([pictures], out, tiny_model, top=2)
    with pytest.raises(
        StorageError, match=r"holds predictions by another model \([0-9a-f]{59}…; this time [0-9a-f]{59}…\). Choose"
    ):
        predicted([pictures], out, deciding)
    assert predicted([pictures], out, deciding, force=True).there == 0
    assert rows_of(out) == expected([pictures], deciding)


@pytest.fixture
def deciding(tiny_model: Path, tmp_path: Path) -> Path:
    """Another model."""
    path = tmp_path / "other.onnx"
    path.write_bytes(masker_bytes())
    return path


def test_pictures_that_changed_are_refused(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predicted([pictures], out, tiny_model)
    Image.new("RGB", (40, 40), "red").save(pictures / "a" / "0.png")
    with pytest.raises(StorageError) as caught:
        predicted([pictures], out, tiny_model)
    assert str(caught.value) == (
        f"the pictures of 1 part in {out}, of 3, changed or are not named any more. Choose another --out, or begin anew with "
        "--force."
    )
    predicted([pictures], out, tiny_model, force=True)
    assert rows_of(out) == expected([pictures], tiny_model)


def test_what_is_named_twice_has_two_rows(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    predicted([pictures / "b", pictures / "b"], tmp_path / "out", tiny_model, loose=4)
    assert rows_of(tmp_path / "out") == 2 * expected([pictures / "b"], tiny_model)


def test_a_folder_without_pictures_is_a_row_at_the_end(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    (empty / "notes.txt").write_text("no picture")
    found = predicted([empty, pictures], out, tiny_model)
    assert (rows_of(out)[-1]["path"], rows_of(out)[-1]["error"]) == (str(empty), "holds no picture")
    assert (found.rows, found.unreadable) == (9, 2)
    Image.new("RGB", (20, 20), "red").save(empty / "now.png")
    with pytest.raises(StorageError, match="changed or are not named any more"):  # it stands before the others
        predicted([empty, pictures], out, tiny_model)
    with pytest.raises(DataError, match="there is no picture in the paths given"):
        predicted([tmp_path / "nothing"], tmp_path / "other", tiny_model) if (
            tmp_path / "nothing"
        ).mkdir() is None else None


def test_a_folder_of_something_else_is_left_alone(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(
        StorageError, match="holds other files than predictions of an earlier call. Name a folder for --out that"
    ):
        predicted([pictures], out, tiny_model, force=True)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_two_calls_at_once_do_not_write_one_folder(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    class Meddler(Here):
        def each(self, make: Any, given: Any, units: Sequence[Any]) -> Generator[tuple[int, Any], None, None]:
            with pytest.raises(
                StorageError, match="another process is writing .* just now. Wait until it is done, or choose"
            ):
                predicted([pictures], out, tiny_model)
            yield from super().each(make, given, units)

    assert predicted([pictures], out, tiny_model, Meddler()).rows == 8


def test_a_damaged_index_is_told(pictures: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predicted([pictures], out, tiny_model)
    (out / "predictions.json").write_text('{"schema": 1, "parts": [3]}')
    with pytest.raises(
        StorageError, match="predictions.json is damaged, or of another version. Choose another --out, or begin"
    ):
        predicted([pictures], out, tiny_model)


def test_parts_hang_on_what_is_named_alone() -> None:
    items = [PathItem(path=f"x/{number}.png", named=False) for number in range(7)]

    def keys(found: Iterator[parts.PicturePart]) -> list[tuple[str, int]]:
        return [(part.key, len(part.items)) for part in found]

    assert [count for _, count in keys(parts.in_parts(iter(items), loose=3))] == [3, 3, 1]
    assert keys(parts.in_parts(iter(items), loose=3)) == keys(parts.in_parts(iter(items), loose=3))
    assert (
        keys(parts.in_parts(iter(items), loose=3))[0]
        != keys(parts.in_parts(iter([items[1], items[0], items[2]]), loose=3))[0]
    )
