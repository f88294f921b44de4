"""Versions come and go while others serve. In: models on disk. Out: what is served, and what was said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tellapart.answers.answering import Placement
from tellapart.bundle import ClassificationRecord
from tellapart.errors import ModelFileError, PictureError
from tellapart.serving.pictures import Encoded, Pixels, Ready, make_ready
from tellapart.serving.refusals import NotAllowed, Refusal, Unknown
from tellapart.serving.repository import Repository
from tellapart.serving.versions import read_sources

from .conftest import Start, png

Open = Callable[..., tuple[Repository, list[str]]]


@pytest.fixture
def opened(models: Path) -> Open:
    def open_one(*sources: str, **options: object) -> tuple[Repository, list[str]]:
        said: list[str] = []
        arguments = {"max_pixels": 10_000, "say": said.append, **options}
        repository = Repository(read_sources(sources or [str(models)]), **arguments)  # type: ignore[arg-type]
        repository.start()
        return repository, said

    return open_one


def test_latest_number_and_label_choose_a_version(opened: Open) -> None:
    repository, _ = opened()
    assert repository.get("colours").number == 2
    assert repository.get("colours", version=0).number == 2
    assert repository.get("colours", version=1).number == 1
    assert repository.get("colours", label="stable").number == 1
    with pytest.raises(Unknown, match=r"there is no model 'nobody'\. Models: colours, single\."):
        repository.get("nobody")
    with pytest.raises(Unknown, match=r"'colours' has no version 3\. Versions that serve: 2, 1\."):
        repository.get("colours", version=3)
    with pytest.raises(Unknown, match=r"no version label 'beta'\. Its labels: canary, stable\."):
        repository.get("colours", label="beta")


def test_a_new_version_is_switched_to_and_the_old_finishes(opened: Open, models: Path) -> None:
    repository, said = opened()
    old = repository.get("single")
    shutil.copytree(models / "colours" / "1", models / "colours" / "3")
    repository.refresh()
    assert repository.get("colours").number == 3
    assert sorted(repository.serving["colours"].versions) == [1, 2, 3]  # two newest, and one with a label
    assert repository.get("single") is old  # what did not change is not opened again
    assert "model 'colours' version 3 serves" in said


def test_only_the_newest_are_kept_and_those_with_a_label(opened: Open, models: Path) -> None:
    (models / "colours" / "labels.json").unlink()
    repository, said = opened(keep=1)
    assert list(repository.serving["colours"].versions) == [2]
    (models / "colours" / "labels.json").write_text('{"stable": 1}')
    repository.refresh()
    assert sorted(repository.serving["colours"].versions) == [1, 2]
    (models / "colours" / "labels.json").write_text("{}")
    repository.refresh()
    assert list(repository.serving["colours"].versions) == [2]
    assert said[-1] == "model 'colours' version 1 is no longer served"


def test_a_broken_version_is_refused_once_and_the_old_keeps_serving(
    opened: Open, models: Path, tiny_bytes: bytes
) -> None:
    repository, said = opened()
    (models / "colours" / "3").mkdir()
    broken = models / "colours" / "3" / "model.onnx"
    broken.write_bytes(tiny_bytes[:-20])
    for _ in range(3):
        repository.refresh()
    assert repository.get("colours").number == 2
    assert len([line for line in said if "version 3 is refused" in line]) == 1
    rows = [row for row in repository.index() if row["version"] == "3"]
    assert rows[0]["state"] == "UNAVAILABLE"
    assert "cut short" in rows[0]["reason"]
    broken.write_bytes(tiny_bytes)  # the copy was under way, and is whole now
    repository.refresh()
    assert repository.get("colours").number == 3
    assert not repository.serving["colours"].refused


def test_a_file_replaced_in_place_is_opened_again(opened: Open, models: Path, tiny_bytes: bytes) -> None:
    repository, said = opened(str(models / "single"))
    old = repository.get("single")
    file = models / "single" / "model.onnx"
    file.write_bytes(b"broken")
    repository.refresh()
    assert repository.get("single") is old
    assert "the old one keeps serving" in said[-1]
    file.write_bytes(tiny_bytes)
    repository.refresh()
    new = repository.get("single")
    assert new is not old
    assert new.model.manifest.record_of(ClassificationRecord).abstention is None
    # What is under way on the old one still runs.
    assert old.run(np.zeros((1, 16, 16, 3), dtype=np.uint8))["probabilities"].shape == (1, 3)


def test_a_vanished_version_leaves_the_last_good_one(opened: Open, models: Path) -> None:
    repository, _ = opened()
    shutil.rmtree(models / "colours" / "2")
    repository.refresh()
    assert repository.get("colours").number == 1
    shutil.rmtree(models / "colours" / "1")
    for _ in range(3):
        repository.refresh()
    assert repository.get("colours").number == 1


def test_a_model_is_taken_away_with_its_folder_at_two_looks(opened: Open, models: Path) -> None:
    repository, said = opened()
    (models / "single").rename(models.parent / "single")
    repository.refresh()
    (models.parent / "single").rename(models / "single")  # it was away for a moment
    repository.refresh()
    shutil.rmtree(models / "single")
    repository.refresh()
    assert "single" in repository.serving
    repository.refresh()
    assert list(repository.serving) == ["colours"]
    assert said[-1] == "model 'single' is gone from the disk: no longer served"


def test_models_serve_on_while_their_folder_cannot_be_listed(opened: Open, models: Path) -> None:
    repository, _ = opened()
    models.rename(models.parent / "aside")
    for _ in range(3):
        repository.refresh()
    assert sorted(repository.serving) == ["colours", "single"]
    assert repository.ready


def test_a_folder_whose_name_cannot_be_one_is_told_once(opened: Open, models: Path) -> None:
    shutil.copytree(models / "single", models / "two words")
    repository, said = opened()
    repository.refresh()
    (told,) = [text for text in said if "two words" in text]
    assert f"{models / 'two words'} is not served: 'two words' cannot be a model's name. Letters, digits" in told
    assert f"Rename it, or name it: 'NAME={models / 'two words'}'" in told
    assert "two words" not in repository.serving


def test_wrong_labels_are_told_once(opened: Open, models: Path) -> None:
    repository, said = opened()
    labels = models / "colours" / "labels.json"
    right = labels.read_text()
    for _ in range(2):
        labels.write_text("[]")
        for _ in range(3):
            repository.refresh()
        assert repository.get("colours", label="stable").number == 1
        labels.write_text(right)
        repository.refresh()
    assert len([line for line in said if "must hold names and version numbers" in line]) == 2  # once a change


def test_loading_asks_of_the_newest_version_only(opened: Open, models: Path) -> None:
    (models / "colours" / "1" / "model.onnx").write_bytes(b"broken")
    repository, _ = opened(control=True)
    repository.load("colours")
    shutil.copytree(models / "colours" / "1", models / "colours" / "3")
    with pytest.raises(Refusal, match="not a tellapart model"):
        repository.load("colours")
    assert repository.get("colours").number == 2


def test_a_named_model_that_vanishes_keeps_serving(opened: Open, models: Path) -> None:
    repository, _ = opened(str(models / "single"))
    shutil.rmtree(models / "single")
    repository.refresh()
    assert repository.get("single").number == 1
    assert repository.ready


def test_load_and_unload_need_control(opened: Open, models: Path) -> None:
    repository, _ = opened()
    with pytest.raises(NotAllowed, match=r"started without --control.* Start it with --control"):
        repository.unload("single")
    with pytest.raises(NotAllowed, match=r"started without --control"):
        repository.load("single")
    repository, _ = opened(control=True)
    repository.unload("single")
    repository.refresh()
    assert list(repository.serving) == ["colours"]
    assert {"name": "single", "version": "", "state": "UNAVAILABLE", "reason": "unloaded"} in repository.index()
    repository.load("single")
    assert repository.get("single").number == 1
    with pytest.raises(Unknown, match=r"no model '\.\./single' on disk"):
        repository.load("../single")
    (models / "single" / "model.onnx").write_bytes(b"broken")
    with pytest.raises(Refusal, match="not a tellapart model"):
        repository.load("single")
    assert repository.get("single").number == 1


def test_a_server_does_not_start_on_a_broken_model(opened: Open, models: Path, tiny_bytes: bytes) -> None:
    (models / "single" / "model.onnx").write_bytes(tiny_bytes[:-20])
    with pytest.raises(ModelFileError, match=r"model 'single' cannot be served: .*cut short"):
        opened(str(models / "single"))
    repository, _ = opened()  # in a repository the others serve
    assert not repository.ready
    assert repository.get("colours").number == 2
    os.truncate(models / "colours" / "2" / "model.onnx", 100)
    repository, _ = opened()
    assert repository.get("colours").number == 1


def test_changes_are_told(opened: Open, models: Path) -> None:
    changes: list[list[str]] = []
    repository, _ = opened()
    repository.watch(lambda one: changes.append(sorted(one.serving)))
    repository.refresh()
    assert changes == [["colours", "single"]]
    shutil.rmtree(models / "single")
    repository.refresh()
    repository.refresh()
    assert changes[1:] == [["colours"]]


def test_metrics_follow_what_serves(start: Start, models: Path) -> None:
    server = start(control=True)

    def shown(name: str) -> tuple[str | None, str | None]:
        lines = dict(line.rsplit(" ", 1) for line in server.get("/metrics").body.decode().splitlines())
        return tuple(lines.get(f'tellapart_model_{kind}{{model="{name}"}}') for kind in ("version", "versions_refused"))

    assert shown("colours") == ("2.0", "0.0")
    shutil.copytree(models / "single", models / "colours" / "3")
    (models / "colours" / "4").mkdir()
    (models / "colours" / "4" / "model.onnx").write_bytes(b"broken")
    shutil.copytree(models / "single", models / "later")
    server.repository.refresh()
    assert shown("colours") == ("3.0", "1.0")
    assert shown("later") == ("1.0", "0.0")
    assert server.post("/v2/repository/models/single/unload").status == 200
    assert shown("single") == ("0.0", "0.0")
    assert server.post("/v2/repository/models/single/load").status == 200
    assert shown("single") == ("1.0", "0.0")


def test_pixels_are_treated_as_their_file_would_be(opened: Open, pictures: list[bytes]) -> None:
    from .conftest import pixels

    version = opened()[0].get("single")
    for data in pictures:
        of_file, of_pixels = version.prepare(Encoded(data)), version.prepare(Pixels(pixels(data)))
        np.testing.assert_array_equal(of_file[0], of_pixels[0])
        assert of_file[1] == of_pixels[1]


def test_a_prepared_picture_goes_in_as_it_is(opened: Open) -> None:
    version = opened()[0].get("single")
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    found, place = version.prepare(Ready(image))
    assert found is image
    assert place == Placement(width=16, height=16, left=0, top=0, right=16, bottom=16)
    with pytest.raises(
        PictureError, match=r"prepared picture of 17 x 16; this network takes 16 x 16\. Send it without"
    ):
        version.prepare(Ready(np.zeros((16, 17, 3), dtype=np.uint8)))


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (Encoded(b""), "empty file"),
        (Encoded(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "a drawing in PostScript, which is not read"),
        (Encoded(png((1, 2, 3))[:60]), "damaged or truncated"),
        (Encoded(png((1, 2, 3), (200, 100))), "200 x 100 pixels; the limit is 10,000 in all. Store it smaller"),
        (Pixels(np.zeros((200, 100, 3), dtype=np.uint8)), "100 x 200 pixels; the limit is 10,000"),
        (Pixels(np.zeros((0, 5, 3), dtype=np.uint8)), "pixels of shape [0, 5, 3]"),
    ],
)
def test_what_is_no_picture_says_why(opened: Open, picture: Encoded | Pixels, words: str) -> None:
    version = opened()[0].get("single")
    with pytest.raises(PictureError) as refusal:
        make_ready(picture, version.answering, version.model.preprocessing, max_pixels=10_000)
    assert words in str(refusal.value)


def test_what_a_version_freed_is_given_back_once_at_the_next_look(opened: Open, models: Path) -> None:
    given: list[bool] = []
    repository, _ = opened(keep=1, control=True, give_back=lambda: given.append(True))
    assert given == []
    repository.refresh()  # what opening took
    repository.refresh()
    assert len(given) == 1
    shutil.copytree(models / "colours" / "1", models / "colours" / "3")
    repository.refresh()  # the old one may still be at work
    assert len(given) == 1
    repository.refresh()
    repository.refresh()
    assert len(given) == 2
    repository.unload("single")
    repository.load("single")
    assert len(given) == 3
