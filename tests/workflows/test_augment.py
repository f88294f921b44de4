"""`tellapart augment` draws what training will see. In: folders, CSVs, flags. Out: a contact sheet, or what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFont

from tellapart.cli.main import execute
from tellapart.data.augmentation import Augmentation, resolve
from tellapart.data.examples import ReadOptions
from tellapart.drawing.lettering import showable
from tellapart.errors import DataError, SettingsError, StorageError
from tellapart.reporter import Silent
from tellapart.workflows.augment import View, WrittenSheet, recipe_view, told_view, write_sheet

MARGIN, GAP, DIVIDE, LINE = 28, 8, 32, 22  # pixels of the sheet's layout


def gallery(pictures: Path, out: Path, augmentation: Augmentation | None = None, **changes: Any) -> WrittenSheet:
    options: dict[str, Any] = {"view": View(size=16), "rows": 4, "columns": 3, "seed": 0, "force": False, **changes}
    return write_sheet(pictures, out=out, augmentation=augmentation or resolve("medium"), reporter=Silent(), **options)


def cells(sheet: Path, rows: int, columns: int, cell: int = 112) -> np.ndarray[Any, Any]:
    """[rows, 2 + columns, cell, cell, 3], found from the bottom of the sheet."""
    pixels = np.asarray(Image.open(sheet).convert("RGB"))
    lefts = [MARGIN, MARGIN + cell + GAP]
    lefts += [MARGIN + 2 * cell + GAP + DIVIDE + number * (cell + GAP) for number in range(columns)]
    tops = [len(pixels) - MARGIN - cell - number * (cell + LINE + 14) for number in reversed(range(rows))]
    assert pixels.shape[1] == lefts[-1] + cell + MARGIN
    return np.stack([[pixels[top : top + cell, left : left + cell] for left in lefts] for top in tops])


def test_rows_are_spread_over_the_classes_and_show_picture_validation_training(colours: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    drawn = gallery(colours, out, resolve("none"))
    assert drawn.labels == tuple(sorted(drawn.labels))
    assert sorted(drawn.labels.count(label) for label in ("blue", "green", "红色")) == [1, 1, 2]
    assert (drawn.sheet, drawn.unreadable) == (out, ())
    with Image.open(out) as image:
        assert (image.format, image.size) == ("PNG", (drawn.width, drawn.height))
    for row, path in zip(cells(out, 4, 3), drawn.pictures, strict=True):
        colour = Image.open(path).getpixel((0, 0))
        for cell in row[1:]:  # nothing is varied: training sees what validation sees
            np.testing.assert_array_equal(cell, np.broadcast_to(colour, cell.shape))
        assert tuple(row[0][56, 56]) == colour
        assert tuple(row[0][56, 0]) != colour  # a tall picture does not fill its square


def test_variants_differ_and_the_seed_repeats_them(colours: Path, tmp_path: Path) -> None:
    sheets = {}
    for name, seed in (("first", 3), ("second", 3), ("third", 4)):
        out = tmp_path / f"{name}.png"
        gallery(colours, out, resolve("none", brightness=0.5), rows=3, seed=seed)
        sheets[name] = out.read_bytes()
    assert sheets["first"] == sheets["second"] != sheets["third"]
    for row in cells(tmp_path / "first.png", 3, 3):
        assert len({cell.tobytes() for cell in row[1:]}) == 4


def test_only_pictures_of_the_train_split_are_drawn(colours: Path, tmp_path: Path) -> None:
    table = tmp_path / "pictures.csv"
    splits = ("train", "val", "test")
    lines = [
        f"colours/{label}/{number}.png,{label},{split}"
        for label in ("blue", "green", "红色")
        for number, split in enumerate(splits)
    ]
    table.write_text("\n".join(["path,label,split", *lines]), encoding="utf-8")
    drawn = gallery(table, tmp_path / "sheet.png", rows=9)
    assert [path.name for path in drawn.pictures] == ["0.png"] * 3


def test_unreadable_pictures_are_passed_over_and_named(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        (colours / "blue" / f"{number}.png").write_bytes(b"no picture" if number else b"")
    out = tmp_path / "sheet.png"
    assert execute(["augment", str(colours), "--out", str(out), "--size", "16", "--columns", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{out}: 6 pictures with 1 variant each, ")
    assert f"! {colours / 'blue' / '0.png'} was passed over: empty file." in printed.err
    assert printed.err.count("was passed over: not a picture in a known format.") == 2
    for path in colours.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(
        DataError, match=r"no picture of .*colours' can be read; the first, .* is: empty file\. Run `tellapart check`"
    ):
        gallery(colours, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_mixed_pictures_are_shown_in_the_row_that_they_mostly_are(colours: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    gallery(colours, out, resolve("none", mixup=1), rows=3, columns=8)
    shares = []
    for label, row in enumerate(cells(out, 3, 8)):
        channel = (2, 1, 0)[label]  # blue, green, 红色
        for cell in row[2:]:
            values = cell[56, 56].astype(int)
            assert values.argmax() == channel
            shares.append(values[channel] / values.sum())
    assert min(shares) < 0.9


def test_mosaics_are_refused(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as fault:
        gallery(colours, tmp_path / "sheet.png", resolve("none", mosaic=0.5))
    assert str(fault.value) == (
        "mosaic is 0.5; a mosaic takes boxes along, which a contact sheet does not show. Set it to 0."
    )


def test_an_existing_file_is_replaced_only_when_forced(colours: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    out.write_bytes(b"mine")
    with pytest.raises(
        StorageError, match=r"sheet\.png exists already\. Choose another name, or give --force to replace it\."
    ):
        gallery(colours, out)
    assert out.read_bytes() == b"mine"
    gallery(colours, out, force=True)
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_sheet_never_becomes_a_picture_of_the_data_set(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError,
        match=r"lies inside .*colours, where it would become one of the pictures\. Choose another folder\.",
    ):
        gallery(colours, colours / "blue" / "sheet.png")
    gallery(colours, colours / "sheet.png")  # loose files beside the class folders are no pictures of the data set
    with pytest.raises(SettingsError, match=r"does not end in \.png\. Name it sheet\.png, for example\."):
        gallery(colours, tmp_path / "sheet.jpg")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(StorageError, match=r"folder\.png is a folder, not a file\. Choose another name\."):
        gallery(colours, tmp_path / "folder.png", force=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"view": View(size=7)}, "size is 7; it must be from 8 to 1024. Set it to 224, for example."),
        ({"rows": 0}, "rows is 0; it must be from 1 to 50. Set it to 8, for example."),
        ({"columns": 21}, "columns is 21; it must be from 1 to 20. Set it to 6, for example."),
    ],
)
def test_sizes_outside_their_range_are_refused(
    colours: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        gallery(colours, tmp_path / "sheet.png", **changes)
    assert str(caught.value) == message


def test_a_recipe_gives_the_settings_and_flags_win(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[settings.network]\nsize = 24\n[settings.augment]\npreset = "light"\nrotation = 30\nzoom = 0.3\n'
    )
    arguments = [
        "augment",
        str(colours),
        "--out",
        str(tmp_path / "sheet.png"),
        "--recipe",
        str(recipe),
        "--json",
        "--quiet",
    ]
    assert execute([*arguments, "--zoom", "0", "--quarter-turns", "--fill", "white"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["preset"] == "light"
    assert (
        record["settings"] == "horizontal flip 0.5, rotation 30, shift 0.05, brightness 0.1, quarter turns, fill white"
    )
    assert record["width"] == 2 * MARGIN + 8 * 120 + 6 * GAP + DIVIDE  # 24 pixels, five times enlarged
    assert len(record["pictures"]) == len(record["labels"]) == 8

    recipe.write_text("[settings.augment]\nrotate = 30\n")
    assert execute([*arguments, "--force"]) == 2
    assert "there is no setting 'augment.rotate'. Did you mean 'rotation'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("recipe", "view", "preset"),
    [
        ("[settings.augment]\nrotation = 20\n", View(), "light"),
        ('[settings]\nstrategy = "finetune"\n[settings.network]\ncrop = 1.0\n', View(crop=1.0), "light"),
        ('[settings]\nstrategy = "scratch"\n', View(size=64, crop=1.0), "light"),
        (
            (
                '[settings]\nstrategy = "scratch"\n[settings.network]\nname = "lenet5"\nchannels = 1\n'
                '[settings.augment]\npreset = "none"\n'
            ),
            View(size=32, crop=1.0, grey=True),
            "none",
        ),
    ],
)
def test_a_recipe_is_drawn_as_its_training_would_see_it(tmp_path: Path, recipe: str, view: View, preset: str) -> None:
    (tmp_path / "recipe.toml").write_text(recipe)
    values, found = recipe_view(tmp_path / "recipe.toml")
    assert found == view
    assert values["preset"] == preset


def test_grey_networks_are_shown_grey_pictures(colours: Path, tmp_path: Path) -> None:
    drawn = gallery(colours, tmp_path / "sheet.png", resolve("none"), view=View(size=16, crop=1.0, grey=True))
    pixels = cells(drawn.sheet, 4, 3)[:, 1:].astype(int)
    assert np.ptp(pixels, axis=-1).max() == 0


def test_a_wrong_flag_is_one_sentence(colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "sheet.png")
    assert execute(["augment", str(colours), "--out", out, "--rotation", "200"]) == 2
    assert capsys.readouterr().err == (
        "Error: rotation is 200.0; it must be from 0 to 180 (degrees). Set it to 15, for example.\n"
    )
    assert execute(["augment", str(tmp_path / "nowhere"), "--out", out]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert execute(["augment", str(colours), "--out", out, "--preset", "storng"]) == 2
    assert "Did you mean 'strong'?" in capsys.readouterr().err
    assert not os.path.exists(out)


def test_names_are_shown_where_a_font_has_their_letters_and_escaped_otherwise() -> None:
    assert showable("cat 7") == "cat 7"
    assert showable("line\nbreak\u200b") == r"line\nbreak\u200b"
    assert showable("\ue000\U000f0000x") in (
        r"\ue000\U000f0000x",
        "\ue000\U000f0000x",
    )  # for private use: hardly any font
    chinese = showable("猫 cat")
    assert chinese in ("猫 cat", r"\u732b cat")  # by what is installed
    try:
        ImageFont.truetype("DejaVuSans.ttf", 15)
    except OSError:
        return
    assert showable("größe кошка") == "größe кошка"


def test_long_names_do_not_leave_the_sheet(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for label in ("k" * 120, "猫"):
        (folder / label).mkdir(parents=True)
        Image.new("RGB", (9, 9), (10, 20, 30)).save(folder / label / f"{'x' * 200}.png")
    drawn = gallery(folder, tmp_path / "sheet.png", columns=1)
    pixels = np.asarray(Image.open(drawn.sheet))
    assert (pixels[:, -MARGIN:] == pixels[0, 0]).all()


def test_the_help_of_the_command_needs_no_torch() -> None:
    code = (
        "import sys; from tellapart.cli.augment import command; "
        "command.main(['--help'], standalone_mode=False); print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.endswith("False\n")
    assert "--horizontal-flip" in answer.stdout


def test_boxes_are_drawn_where_they_move(tmp_path: Path) -> None:
    """A dark square on a light ground: in every cell the line of its box runs around it, and what it is called is short."""
    picture = Image.new("RGB", (112, 112), (240, 240, 240))
    picture.paste((10, 10, 10), (28, 40, 76, 88))
    picture.save(tmp_path / "a.png")
    table = tmp_path / "boxes.csv"
    table.write_text("path,x,y,w,h,label\na.png,28,40,48,48,cat\n")
    moving = resolve("none", horizontal_flip=0.5, shift=0.2, fill="white")
    view = View(size=112, fit="pad", crop=1.0)
    drawn = gallery(table, tmp_path / "sheet.png", moving, view=view, rows=1, columns=4)
    assert drawn.labels == ("1 cat",)
    places = set()
    for cell in cells(tmp_path / "sheet.png", 1, 4)[0]:
        line = (np.abs(cell.astype(int) - (0, 114, 178)).sum(axis=2) < 60).nonzero()
        dark = (cell.max(axis=2) < 30).nonzero()
        left, right, top, bottom = dark[1].min(), dark[1].max(), dark[0].min(), dark[0].max()
        assert abs(line[1].min() - left) <= 4
        assert abs(line[1].max() - right) <= 4
        assert abs(line[0].min() - top) <= 4
        assert abs(line[0].max() - bottom) <= 4
        places.add((int(left), int(top)))
    assert len(places) > 2


def test_of_tiles_a_box_is_shown_in_its_own_pixels(tmp_path: Path) -> None:
    """A thing of 24 pixels in a picture of 1,000: shown whole it would be three pixels of 112."""
    picture = Image.new("RGB", (1000, 600), (240, 240, 240))
    picture.paste((10, 10, 10), (700, 400, 724, 424))
    picture.save(tmp_path / "a.png")
    table = tmp_path / "boxes.csv"
    table.write_text("path,x,y,w,h,label\na.png,700,400,24,24,cat\n")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[settings]\ndata = "x"\n[settings.network]\nsize = 112\nfit = "tile"\nscale = 2.0\n')
    _, view = recipe_view(recipe)
    assert (view.size, view.fit, view.crop, view.scale) == (112, "tile", 1.0, 2.0)
    for scale, side in ((1.0, 24), (2.0, 48)):
        shown = replace(view, scale=scale)
        gallery(table, tmp_path / "sheet.png", resolve("none"), view=shown, rows=1, columns=2, force=True)
        for cell in cells(tmp_path / "sheet.png", 1, 2)[0]:
            dark = (cell.max(axis=2) < 30).nonzero()
            line = (np.abs(cell.astype(int) - (0, 114, 178)).sum(axis=2) < 60).nonzero()
            for places, lines in zip(dark, line, strict=True):
                assert abs(places.min() - (112 - side) // 2) <= 5
                assert abs(places.max() - places.min() - side) <= 9
                assert abs(lines.min() - places.min()) <= 4


def test_what_suits_boxes_is_shown_where_nothing_is_told(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20)).save(tmp_path / "a.png")
    table = tmp_path / "boxes.csv"
    table.write_text("path,x,y,w,h,label\na.png,2,4,10,10,cat\n")
    out = tmp_path / "sheet" / "sheet.png"
    execute(["augment", str(table), "--out", str(out), "--json", "--quiet"])
    values, view, _ = told_view(None, ReadOptions(), None, "detection")
    assert (values["preset"], values["zoom"], view.size, view.fit, view.crop) == ("none", 0.55, 320, "pad", 1.0)
    assert told_view(None, ReadOptions(), 64, "classification")[:2] == ({"preset": "medium"}, View(size=64))
    assert out.is_file()


def test_what_bends_masks_is_shown_too(tmp_path: Path) -> None:
    (tmp_path / "striped").mkdir()
    stripes = np.repeat(np.array([0, 255], dtype=np.uint8), 8)[None].repeat(32, axis=0).repeat(2, axis=1)
    Image.fromarray(stripes).save(tmp_path / "striped" / "a.png")
    shown = {}
    for strength in (0.0, 0.1):
        out = tmp_path / f"{strength}.png"
        gallery(tmp_path, out, resolve("none", elastic=strength), rows=1, columns=8, view=View(size=16, crop=1.0))
        (row,) = cells(out, 1, 8)
        shown[strength] = [np.array_equal(cell, row[1]) for cell in row[2:]]
    assert shown == {0.0: [True] * 8, 0.1: [False] * 8}
