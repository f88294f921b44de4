"""Files that name the values of masks. In: text in the usual forms. Out: names by number or colour."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.examples import ReadOptions
from tellapart.data.mask_class_files import read_class_file, told_values
from tellapart.errors import DataError, SettingsError


def write(path: Path, text: str, encoding: str = "utf-8") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return str(path)


@pytest.mark.parametrize(
    ("text", "names", "numbers", "colours"),
    [
        ("road\nsky\n\n", ("road", "sky"), {}, {}),
        ("traffic light\nsky", ("traffic light", "sky"), {}, {}),
        ("__ignore__\n_background_\n裂缝\n", ("background", "裂缝"), {}, {}),
        ("0 background\n7 crack\n", ("background", "crack"), {0: "background", 7: "crack"}, {}),
        ("0: background\n7: wide crack\n", ("background", "wide crack"), {0: "background", 7: "wide crack"}, {}),
        ("300 1 2 x\n", ("1 2 x",), {300: "1 2 x"}, {}),
        ("name,id\nroad,3\nsky,4\n", ("road", "sky"), {3: "road", 4: "sky"}, {}),
        (
            "64 128 64\tAnimal\n192 0 128\t\tArchway\n",
            ("Animal", "Archway"),
            {},
            {0x408040: "Animal", 0xC00080: "Archway"},
        ),
        ("name,r,g,b\nVoid,0,0,0\nCar,64,0,128\n", ("Void", "Car"), {}, {0: "Void", 0x400080: "Car"}),
        ("1 road 128 64 128\n2 sky 70 130 180\n", ("road", "sky"), {}, {0x804080: "road", 0x4682B4: "sky"}),
        (
            "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\n",
            ("background", "cat"),
            {},
            {0: "background", 0xFA3253: "cat"},
        ),
    ],
)
def test_each_usual_form(
    tmp_path: Path, text: str, names: tuple[str, ...], numbers: dict[int, str], colours: dict[int, str]
) -> None:
    told = read_class_file(write(tmp_path / "classes.txt", text, "utf-8-sig"))
    assert told is not None
    assert (told.names, told.numbers, told.colours) == (names, numbers, colours)
    assert told.where == str(tmp_path / "classes.txt")


def test_a_file_that_was_told_must_hold_names(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.txt", "\n# nothing\n")
    with pytest.raises(
        DataError, match=r"mine\.txt', which --classes names, has no classes in it\. Write a name a line"
    ):
        told_values(ReadOptions(classes=path))
    assert told_values(ReadOptions(classes=write(tmp_path / "mine.txt", "a\nb"))).names == ("a", "b")
    assert told_values(ReadOptions(classes="x, y")).names == ("x", "y")
    with pytest.raises(
        SettingsError, match=r"^--classes is 'gone\.txt', and there is no such file\. Give its path, or the names"
    ):
        told_values(ReadOptions(classes="gone.txt"))


def test_the_most_telling_file_is_found(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "classes.txt", "a\nb\n"),
        write(tmp_path / "sub" / "label_colors.txt", "0 0 0 x\n255 0 0 y\n"),
        write(tmp_path / "train.txt", "1\n2\n"),
        write(tmp_path / "a" / "b" / "c" / "label_colors.txt", "1 1 1 deep"),
    ]
    told = told_values(ReadOptions(), files, str(tmp_path))
    assert (told.names, told.found) == (("x", "y"), True)
    assert told_values(ReadOptions(), files[2:3], str(tmp_path)).names == ()
    # One that contradicts itself is none.
    broken = [write(tmp_path / "labels.txt", "a\na\n"), files[0]]
    assert told_values(ReadOptions(), broken, str(tmp_path)).names == ("a", "b")


def test_another_encoding_is_refused_and_not_guessed(tmp_path: Path) -> None:
    message = r"classes\.txt', which names classes, is not in UTF-8 \(line 2\)\. Save it as UTF-8"
    path = write(tmp_path / "classes.txt", "ground\n裂缝\n", "gb18030")
    with pytest.raises(DataError, match=message):
        read_class_file(path)
    with pytest.raises(DataError, match=message):
        told_values(ReadOptions(classes=path))
    with pytest.raises(DataError, match=message):  # found in silence, its classes would be called by numbers in silence
        told_values(ReadOptions(), [path], str(tmp_path))
    told = read_class_file(write(tmp_path / "classes.txt", "ground\n裂缝\n", "utf-16"))
    assert told is not None
    assert told.names == ("ground", "裂缝")
    (tmp_path / "labels.txt").write_bytes(b"\x00\x01\x02")
    assert told_values(ReadOptions(), [str(tmp_path / "labels.txt")], str(tmp_path)).names == ()
