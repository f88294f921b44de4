"""Layouts that people bring: splits by other names, folders in between, data sets of other tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.folder import scan
from tellapart.data.layouts import split_of
from tellapart.data.listing import read_listing
from tellapart.errors import DataError

VOC = "<annotation><object><name>cat</name><bndbox><xmin>1</xmin></bndbox></object></annotation>"
YOLO = "0 0.5 0.5 0.1 0.1\n1 0.25 0.5 0.1 0.2\n"
COCO = '{"info": {}, "images": [], "annotations": []}'
LABELME = '{"version": "5", "shapes": [{"label": "cat", "points": [[1, 2]]}]}'


def make(root: Path, *files: str, **texts: str) -> Path:
    """Empty files, and texts by the name of a constant: their paths come after it."""
    for file in files:
        path, _, text = file.partition("=")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(texts.get(text, ""))
    return root


def found(listing: Listing) -> dict[str, str | None]:
    """Path of a picture -> its split and class."""
    return {
        entry.path.relative_to(listing.source).as_posix(): f"{entry.split} {entry.target.text}"
        for entry in listing.entries
    }


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train_set", "test_set"), ("train", "test")),
        (("seg_train", "seg_test"), ("train", "test")),
        (("train", "dev"), ("train", "validation")),
        (("training", "validation", "testing"), ("train", "validation", "test")),
        (("训练集", "验证集", "测试集"), ("train", "validation", "test")),
        (("訓練", "驗證", "測試"), ("train", "validation", "test")),
        (("train2017", "val2017"), ("train", "validation")),
        (("Train Images", "Test Images"), ("train", "test")),
        (("trainset", "valset", "testset"), ("train", "validation", "test")),
        (("\uff34rain", "\uff34est"), ("train", "test")),
        (("trn", "tst"), ("train", "test")),
        (("entrenamiento", "validación", "prueba"), ("train", "validation", "test")),
        (("entraînement", "test"), ("train", "test")),
        (("Trainingsdaten", "Testdaten"), ("train", "test")),
        (("обучающая", "тестовая"), ("train", "test")),
        (("学習用データ", "検証用データ", "テストデータ"), ("train", "validation", "test")),
        (("학습", "검증", "시험"), ("train", "validation", "test")),
    ],
)
def test_splits_by_their_usual_names(tmp_path: Path, names: tuple[str, ...], splits: tuple[str, ...]) -> None:
    make(tmp_path, *(f"{name}/{label}/{name}.jpg" for name in names for label in ("cat", "dog")))
    listing = scan(tmp_path)
    assert listing.classes == ("cat", "dog")
    assert {entry.path.stem: entry.split for entry in listing.entries} == dict(zip(names, splits, strict=True))


@pytest.mark.parametrize(
    "name", ["train_station", "test tube", "trains", "validator", "testament", "data", "2017", "", "训"]
)
def test_names_that_hold_such_a_word_and_are_none(name: str) -> None:
    found = split_of(name)
    assert found is None or found.stem


def test_classes_that_hold_such_a_word_stay_classes(tmp_path: Path) -> None:
    make(tmp_path, "train_station/a/1.jpg", "test_tube/b/1.jpg", "tea/c/1.jpg")
    assert scan(tmp_path).classes == ("tea", "test_tube", "train_station")


def test_a_split_folder_in_itself(tmp_path: Path) -> None:
    make(tmp_path, "seg_train/seg_train/sea/1.jpg", "seg_train/seg_train/ice/1.jpg", "seg_test/seg_test/sea/2.jpg")
    make(tmp_path, "seg_pred/seg_pred/3.jpg")
    listing = scan(tmp_path)
    assert found(listing) == {
        "seg_test/seg_test/sea/2.jpg": "test sea",
        "seg_train/seg_train/ice/1.jpg": "train ice",
        "seg_train/seg_train/sea/1.jpg": "train sea",
    }
    assert listing.ignored == {"folder beside the split folders": 1}
    assert any(
        "read as splits by their names: 'seg_test' as test, 'seg_train' as train." in note for note in listing.notes
    )


def test_a_split_of_one_class_is_not_gone_down_into(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/a/1.jpg", "train/cat/b/2.jpg", "val/cat/3.jpg", "val/dog/4.jpg", "train/dog/5.jpg")
    make(tmp_path, "test/cat/a/6.jpg", "test/cat/b/7.jpg")
    assert scan(tmp_path).classes == ("cat", "dog")


def test_a_test_folder_without_classes_is_left_out_and_told(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test1/1.jpg", "test1/2.jpg")
    listing = scan(tmp_path)
    assert found(listing) == {"train/cat/1.jpg": "train cat", "train/dog/1.jpg": "train dog"}
    assert listing.ignored == {"picture in a split folder, in no class folder": 2}
    assert any(
        "there is no folder of the validation or test split" in note and "--test-from" not in note
        for note in listing.notes
    )
    assert any(
        "test1: 2 pictures in no class folder" in note and "`tellapart predict`" in note for note in listing.notes
    )


def test_a_split_that_is_empty_or_missing_is_told(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg")
    (tmp_path / "val").mkdir()
    notes = scan(tmp_path).notes
    assert f"{tmp_path / 'val'}: the name of a split, but no pictures in it." in notes
    assert any(
        "no folder of the validation or test split, so a training takes them out of its train" in note for note in notes
    )
    make(tmp_path, "val/cat/2.jpg", "val/dog/2.jpg")
    assert any(
        note.endswith(
            "takes it out of its train pictures, or, with --test-from validation, out of the validation pictures."
        )
        for note in scan(tmp_path).notes
    )
    make(tmp_path, "test/cat/3.jpg")
    assert scan(tmp_path).notes == ()


def test_splits_of_loose_pictures_have_no_classes(tmp_path: Path) -> None:
    make(tmp_path, "train/cat.0.jpg", "train/dog.1.jpg", "test1/1.jpg")
    with pytest.raises(DataError, match="the split folders 'test1', 'train' in .* hold files but no class folders"):
        scan(tmp_path)


@pytest.mark.parametrize("between", ["dataset", "a/b/c", "raw-img"])
def test_folders_in_between_are_gone_down_through_and_told(tmp_path: Path, between: str) -> None:
    make(tmp_path, f"{between}/cat/1.jpg", f"{between}/dog/1.jpg", "readme.txt", "docs/readme.txt")
    listing = scan(tmp_path)
    assert listing.classes == ("cat", "dog")
    assert listing.notes == (
        f"{tmp_path}: only {between!r} in it holds pictures, so the folders in that are the classes.",
    )


def test_splits_below_a_folder_in_between(tmp_path: Path) -> None:
    make(tmp_path, "data/train/cat/1.jpg", "data/train/dog/1.jpg", "data/test/cat/2.jpg", "data/val/dog/2.jpg")
    assert {entry.split for entry in scan(tmp_path).entries} == {"train", "test", "validation"}


def test_a_class_of_folders_beside_classes_of_pictures_is_told(tmp_path: Path) -> None:
    make(tmp_path, "cat/1.jpg", "dog/1.jpg", "more/cow/1.jpg", "more/ox/1.jpg")
    listing = scan(tmp_path)
    assert listing.classes == ("cat", "dog", "more")
    assert len(listing.notes) == 1
    assert listing.notes[0] == (
        f"{tmp_path}: the folder 'more' holds no pictures but in folders of its own ('cow', 'ox'), unlike others. It is read as "
        "one class; move its folders up where they are the classes."
    )
    make(tmp_path, "more/1.jpg")
    assert scan(tmp_path).notes == ()
    make(tmp_path / "deep", "cat/1.jpg", "dog/all/1.jpg")
    assert scan(tmp_path / "deep").notes == ()


def test_upper_and_lower_classes_are_told(tmp_path: Path) -> None:
    make(tmp_path, "animals/cat/1.jpg", "animals/dog/1.jpg", "plants/oak/1.jpg")
    listing = scan(tmp_path)
    assert listing.classes == ("animals", "plants")
    assert len(listing.notes) == 1
    assert (
        "hold folders themselves ('animals' has 'cat', 'dog'). The upper ones are read as classes" in listing.notes[0]
    )


@pytest.mark.parametrize(
    ("inner", "what"), [(("left", "right"), "views or parts"), (("train", "test"), "splits within classes")]
)
def test_classes_that_hold_the_same_folders_are_asked_about(tmp_path: Path, inner: tuple[str, ...], what: str) -> None:
    make(tmp_path, *(f"{label}/{name}/1.jpg" for label in ("cat", "dog") for name in inner))
    with pytest.raises(DataError, match=f"all hold the same folders .*looks like {what}.*give --task classification"):
        scan(tmp_path)
    assert scan(tmp_path, told=True).classes == ("cat", "dog")
    assert read_listing(tmp_path, ReadOptions(task="classification")).classes == ("cat", "dog")


def test_one_folder_in_each_class_is_no_question(tmp_path: Path) -> None:
    make(tmp_path, "cat/images/1.jpg", "dog/images/1.jpg")
    listing = scan(tmp_path)
    assert (listing.classes, listing.notes) == (("cat", "dog"), ())


@pytest.mark.parametrize(
    ("files", "task", "example"),
    [
        (["Annotations/1.xml=VOC", "JPEGImages/1.jpg", "ImageSets/Main/train.txt"], "detection", "Annotations/1.xml"),
        (["train/1.jpg", "train/1.xml=VOC", "test/2.jpg", "test/2.xml=VOC"], "detection", "test/2.xml"),
        (["images/train/1.jpg", "labels/train/1.txt=YOLO", "images/val/2.jpg"], "detection", "labels/train/1.txt"),
        (["train/images/1.jpg", "train/labels/1.txt=YOLO", "data.yaml=YAML"], "detection", "data.yaml"),
        (["obj/1.jpg", "obj/1.txt=YOLO"], "detection", "obj/1.txt"),
        (
            ["annotations/instances_val2017.json=COCO", "val2017/1.jpg"],
            "detection",
            "annotations/instances_val2017.json",
        ),
        (["train/_annotations.coco.json=COCO", "train/1.jpg"], "detection", "train/_annotations.coco.json"),
        (["a/1.jpg", "a/1.json=LABELME", "b/2.jpg"], "detection or segmentation", "a/1.json"),
        (["images/1.jpg", "masks/1.png"], "segmentation", "masks"),
        (["train/image/0.png", "train/label/0.png", "test/0.png"], "segmentation", "train/label"),
        (["JPEGImages/1.jpg", "SegmentationClass/1.png"], "segmentation", "SegmentationClass"),
        (
            ["images/1.jpg", "annotations/list.txt", "annotations/trimaps/1.png", "annotations/xmls/1.xml=VOC"],
            "detection",
            "annotations/xmls/1.xml",
        ),
        (["data/images/1.jpg", "data/masks/1.png"], "segmentation", "data/masks"),
    ],
)
def test_data_sets_of_other_tasks_are_named(tmp_path: Path, files: list[str], task: str, example: str) -> None:
    make(tmp_path, *files, VOC=VOC, YOLO=YOLO, COCO=COCO, LABELME=LABELME, YAML="names: [a]\nnc: 1\ntrain: x\n")
    with pytest.raises(DataError, match=f"looks like a data set for {task}") as caught:
        scan(tmp_path)
    assert f"such as {example!r}" in str(caught.value).replace("\\\\", "/")
    assert "give --task classification" in str(caught.value)


def test_what_lies_beside_pictures_and_holds_no_boxes_is_no_matter(tmp_path: Path) -> None:
    make(tmp_path, "cat/1.jpg", "cat/1.txt=TEXT", "dog/1.jpg", "dog/1.xml=XML", "dog/meta.json=JSON", "data.yaml=YAML")
    texts = {
        "TEXT": "a photo of a cat\n",
        "XML": "<annotation>a</annotation>",
        "JSON": '{"images": 3}',
        "YAML": "names: a\n",
    }
    make(tmp_path, "cat/1.txt=TEXT", "dog/1.xml=XML", "dog/meta.json=JSON", "data.yaml=YAML", **texts)
    assert scan(tmp_path).classes == ("cat", "dog")


def test_whoever_says_classification_gets_folders_as_classes(tmp_path: Path) -> None:
    make(tmp_path, "images/1.jpg", "masks/1.png", "images/1.xml=VOC", VOC=VOC)
    listing = read_listing(tmp_path, ReadOptions(task="classification"))
    assert listing.classes == ("images", "masks")
    assert any("looks like a data set for segmentation: images/ beside masks/" in note for note in listing.notes)


@pytest.mark.parametrize(
    ("names", "task"), [(("images/1.jpg", "masks/1.png"), "segmentation"), (("a/1.txt", "b/2.txt"), "text")]
)
def test_whoever_says_classification_hears_what_it_looks_like(
    tmp_path: Path, names: tuple[str, ...], task: str
) -> None:
    make(tmp_path, *names)
    (note,) = read_listing(tmp_path, ReadOptions(task="classification")).notes
    assert f"looks like a data set for {task}: " in note
    assert note.endswith("if they are none, leave it out.")
    read = read_listing(tmp_path, ReadOptions(task="text" if task == "text" else None)).notes
    assert not any("since --task=classification" in note for note in read)  # which was not given
    plain = tmp_path / "plain"
    make(plain, "cat/1.jpg", "dog/1.jpg")
    assert read_listing(plain, ReadOptions(task="classification")).notes == ()


def test_a_folder_of_archives_or_with_a_table_says_what_to_give(tmp_path: Path) -> None:
    make(tmp_path / "a", "train.zip", "test.zip")
    with pytest.raises(DataError, match=r"Or unpack its archives, or give one, such as '.*test.zip'"):
        scan(tmp_path / "a")
    make(tmp_path / "b", "labels.csv", "1.jpg")
    with pytest.raises(DataError, match=r"Or give its table '.*labels.csv'"):
        scan(tmp_path / "b")
    make(tmp_path / "c", "labels.csv", "x/1.jpg", "y/1.jpg")
    assert scan(tmp_path / "c").notes == (
        f"{tmp_path / 'c'}: the table beside the folders is not read; to read it, give {tmp_path / 'c' / 'labels.csv'}.",
    )


@pytest.mark.parametrize("name", ["x.7z", "x.rar", "x.tar.bz2", "x.tar.xz"])
def test_archives_that_are_not_read_in_place_say_so(tmp_path: Path, name: str) -> None:
    make(tmp_path, name)
    with pytest.raises(
        DataError, match="of a kind that is not read in place. Unpack it and give the folder, or pack it as .zip"
    ):
        scan(tmp_path / name)


def test_one_of_several_data_sets_that_is_for_another_task_is_named_and_another_suggested(tmp_path: Path) -> None:
    make(
        tmp_path,
        "cells/image/1.png",
        "cells/label/1.png",
        "dents/1.jpg",
        "pets/cat/1.jpg",
        "pets/dog/a_1.jpg",
    )
    (tmp_path / "dents" / "1.xml").write_bytes(b"<annotation><object><bndbox></bndbox></object></annotation>")
    with pytest.raises(DataError) as caught:
        read_listing(tmp_path)
    assert str(caught.value) == (
        f"{str(tmp_path)!r} holds 3 folders with pictures, and 'cells' in it looks like a data set for segmentation: image/ "
        f"beside label/ with pictures in both, such as 'cells/label'. Give one data set, such as {str(tmp_path / 'pets')!r}. If "
        "the folders are classes all the same, give --task classification."
    )
    assert read_listing(tmp_path, ReadOptions(task="classification")).classes == ("cells", "dents", "pets")
