"""Nine pictures at once. In: one picture, a data set. Out: a PNG with the right pictures in the right places, or why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tellapart.cli.main import main
from tellapart.data.augmentation import resolve
from tellapart.data.examples import Entry
from tellapart.data.listing import read_listing
from tellapart.data.mask_targets import MaskFile
from tellapart.data.targets import ClassName
from tellapart.errors import SettingsError
from tellapart.reporter import Silent
from tellapart.workflows.augment import write_sheet
from tellapart.workflows.augment_grid import PictureGrid, grid_of_pictures, parse_grid
from tellapart.workflows.augment_sample import View, told_label

RED, BLUE = (220, 20, 20), (20, 20, 220)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for name, colour in (("red", RED), ("blue", BLUE)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (64, 64), colour).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["augment", *map(str, arguments)])
    return result.exit_code, result.output


def test_pictures_of_a_folder_stand_under_their_labels(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    code, said = run(pictures, "--grid", "2x2", "--size", 64, "--out", out, "--json")
    assert code == 0, said
    sheet = np.asarray(Image.open(out)).astype(int)
    assert json.loads(said.splitlines()[-1])["settings"] == ""
    # Two of each class, blue first, as their names sort: no colour is changed before any training.
    assert (np.abs(sheet - BLUE).max(axis=2) < 3).any()
    blue = np.argwhere(np.abs(sheet - BLUE).max(axis=2) < 3)
    red = np.argwhere(np.abs(sheet - RED).max(axis=2) < 3)
    assert len(blue) == len(red) > 50_000
    assert blue[:, 0].max() < red[:, 0].min()


def test_a_mask_not_yet_opened_is_called_by_its_name() -> None:
    path = Path("far/away/masks/7.png")
    assert told_label(Entry(path=Path("images/7.png"), target=MaskFile(path), split=None)) == "7.png"
    assert told_label(Entry(path=Path("cat/7.png"), target=ClassName("cat"), split=None)) == "cat"


def test_variants_of_one_picture_differ(pictures: Path, tmp_path: Path) -> None:
    picture, out = tmp_path / "one.png", tmp_path / "grid.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(picture)
    code, said = run(picture, "--grid", "1x2", "--size", 64, "--out", out, "--rotation", 90)
    assert code == 0, said
    assert "1 x 2 pictures" in said
    sheet = np.asarray(Image.open(out)).astype(int)
    height, width, _ = sheet.shape
    assert np.abs(sheet[height // 2 :, : width // 2] - sheet[height // 2 :, -(width // 2) :]).mean() > 10


def test_a_setting_varies_pictures_of_a_folder(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    code, said = run(pictures, "--grid", "1x2", "--size", 64, "--out", out, "--brightness-shift", 1, "--json")
    assert code == 0, said
    sheet = np.asarray(Image.open(out)).astype(int)
    assert not (np.abs(sheet - BLUE).max(axis=2) < 3).any()


def test_what_is_told_is_said_in_the_language_of_the_sheet_once(pictures: Path, tmp_path: Path) -> None:
    """The settings word by word; titles, labels and values never."""
    asked: list[str] = []

    def say(text: str) -> str:
        asked.append(text)
        return text

    listing, told = read_listing(pictures), ["As validation and test see them."]
    for preset in ("none", "light"):
        view, augmentation = View(size=64), resolve(preset)
        grid, more = PictureGrid(1, 2), {"augmentation": augmentation, "view": view, "seed": 0, "say": say}
        grid_of_pictures(listing, out=tmp_path / "grid.png", grid=grid, **more)
    light = ["horizontal flip", "shift", "zoom", "brightness", "fill", "Drawn at random."]
    assert asked == told + light
    asked.clear()
    write_sheet(pictures, out=tmp_path / "sheet.png", rows=1, columns=1, force=False, reporter=Silent(), **more)
    heads = ["the picture", "validation and test", "training", "Augmentation: light"]
    assert asked == [*heads, *light[:-1], "Network input 64 x 64.", "Drawn at random."]


def test_grids() -> None:
    assert parse_grid(" 3x4 ") == PictureGrid(3, 4)
    for wrong in ("3", "0x3", "3x21", "axb", "-1x3"):
        with pytest.raises(SettingsError, match="it is rows x columns, each from 1 to 20"):
            parse_grid(wrong)


@pytest.mark.parametrize("name", ["missing.png", "text.png"])
def test_what_is_no_picture(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.png").write_text("no picture")
    code, _ = run(tmp_path / name, "--grid", "2x2", "--out", tmp_path / "grid.png")
    assert code != 0
    assert not (tmp_path / "grid.png").exists()


def test_one_picture_without_a_grid(pictures: Path, tmp_path: Path) -> None:
    asked = ["augment", str(pictures / "red" / "0.png"), "--out", str(tmp_path / "sheet.png")]
    with pytest.raises(
        SettingsError, match="0.png is one picture, of which a sheet shows no classes. Ask for a grid of it: "
    ):
        CliRunner().invoke(main, asked, standalone_mode=False, catch_exceptions=False)
    assert not (tmp_path / "sheet.png").exists()


def test_a_picture_in_an_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 32, 32), np.uint8))
    code, said = run(
        tmp_path / "a.npz" / "x-0000001.png", "--grid", "1X2", "--size", 32, "--out", tmp_path / "grid.png"
    )
    assert code == 0, said
