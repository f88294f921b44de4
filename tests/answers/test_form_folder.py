"""A folder that fills with annotations: nothing replaced unasked, nothing written elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.answers.box_forms import FORMS, Page, PageBox
from tellapart.answers.form_folder import FormFolder
from tellapart.errors import StorageError

PAGE = Page(path="a.png", width=9, height=9, boxes=(PageBox("cat", 1, 2, 3, 4),))


@pytest.mark.parametrize(
    ("form", "mark"), [("voc", "Annotations"), ("coco", "annotations.json"), ("yolo", "data.yaml")]
)
def test_annotations_that_are_there_stay_unless_asked(form: str, mark: str, tmp_path: Path) -> None:
    (tmp_path / mark).mkdir() if "." not in mark else (tmp_path / mark).write_text("mine")
    with pytest.raises(
        StorageError, match=rf"{mark}' is there already, and nothing is overwritten unasked. Choose another"
    ):
        FormFolder(tmp_path, form, ["cat"])
    writer = FormFolder(tmp_path, form, ["cat"], force=True)
    writer.reserve(PAGE.path)
    writer.write(PAGE)
    writer.add(PAGE)
    writer.finish()
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == {"voc": 1, "coco": 1, "yolo": 3}[form]


def test_an_annotation_that_comes_up_meanwhile_stays(tmp_path: Path) -> None:
    writer = FormFolder(tmp_path, "voc", ["cat"])
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text("mine")
    with pytest.raises(StorageError, match=r"a.xml' is there already, and nothing is overwritten unasked."):
        writer.reserve("a.png")


@pytest.mark.parametrize("form", list(FORMS))
def test_nothing_is_written_elsewhere(form: str, tmp_path: Path) -> None:
    writer = FormFolder(tmp_path / "set", form, ["cat"])
    with pytest.raises(
        StorageError, match=r"^'../../x.png' would lie outside '.*set'. Give pictures that lie in one folder.$"
    ):
        writer.reserve("../../x.png")


def test_two_pictures_never_share_an_annotation(tmp_path: Path) -> None:
    for form in ("voc", "yolo"):
        writer = FormFolder(tmp_path / form, form, ["cat"])
        writer.reserve("x/a.png")
        writer.reserve("y/a.png")
        with pytest.raises(
            StorageError, match=r"^'x/a.png' and 'x/A.jpg' would have one annotation, '.*A.(?:xml|txt)'. Rename"
        ):
            writer.reserve("x/A.jpg")
    writer = FormFolder(tmp_path / "coco", "coco", ["cat"])
    writer.reserve("a.png")
    writer.reserve("a.jpg")
    with pytest.raises(
        StorageError, match="^'a.png' would be annotated twice in '.*coco'. Name each picture once, and --out"
    ):
        writer.reserve("a.png")
