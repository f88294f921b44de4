"""The pictures of a report. In: small files, a run made by hand. Out: which are shown, in what order, under which names."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import Manifest, Score
from tellapart.reporting.album import Album
from tellapart.reporting.facts import ClassRow, Shown
from tellapart.runs.embeddings import last_layer_strength
from tellapart.runs.parts import data_part
from tellapart.tasks.classification.pictures import sampled, worst_mistakes
from tellapart.tasks.classification.results import class_rows

from .made_run import ANT, BEE, CAT, HUES, colour_model, example, pixels, run_of


def names(shown: Sequence[Shown]) -> list[str]:
    return [one.name for one in shown]


@pytest.fixture
def hues(tmp_path: Path) -> dict[str, Path]:
    """red.png, green.png and blue.png, 300 x 150 pixels."""
    for name, hue in HUES.items():
        Image.new("RGB", (300, 150), hue).save(tmp_path / f"{name}.png")
    return {name: tmp_path / f"{name}.png" for name in HUES}


def test_an_album_shows_what_it_was_asked_for_in_that_order(hues: dict[str, Path]) -> None:
    gone = hues["red"].with_name("gone.png")
    shown = Album().show(
        [
            (hues["blue"], "sea", "sky", 0.75),
            (gone, "a", "b", 0.5),
            (hues["red"], "rose", "", None),
            (hues["blue"], "x", "y", 1.0),
        ]
    )
    assert [(one.name, one.label, one.predicted, one.probability, one.heat) for one in shown] == [
        ("blue.png", "sea", "sky", 0.75, None),
        ("gone.png", "a", "b", 0.5, None),
        ("red.png", "rose", "", None, None),
        ("blue.png", "x", "y", 1.0, None),
    ]
    assert shown[1].picture is None
    for one, hue in ((shown[0], "blue"), (shown[2], "red"), (shown[3], "blue")):
        found = pixels(one.picture)
        assert found.shape == (48, 96, 3)
        assert np.abs(found[24, 48].astype(int) - HUES[hue]).max() < 8


def test_a_thumbnail_is_made_once_for_each_size(hues: dict[str, Path]) -> None:
    album = Album()
    first = album.show([(hues["red"], "", "", None)])
    hues["red"].unlink()
    assert album.show([(hues["red"], "", "", None)]) == first
    assert album.show([(hues["red"], "", "", None)], side=160)[0].picture is None
    assert pixels(album.show([(hues["green"], "", "", None)], side=160)[0].picture).shape == (80, 160, 3)
    assert album.show([]) == []


def rows_of(count: int, recalls: Sequence[float]) -> list[ClassRow]:
    return [
        ClassRow(
            name=f"class {number:02}",
            train=10,
            validation=3,
            test=2,
            precision=None,
            f1=None,
            recall=Score(value=recall, low=None, high=None),
        )
        for number, recall in zip(range(count), recalls, strict=True)
    ]


def test_the_data_is_counted_by_split() -> None:
    examples = [example(f"{number}.png", "ant", "train" if number < 3 else "validation") for number in range(4)]
    tested = [example(f"test {number}", "cat", "test") for number in range(12)]
    rest = [example("x", "bee", "train"), example("y", "bee", problem="cut short")]
    run = run_of(examples=[*examples, *rest, *tested])
    part = data_part(run, sampled(class_rows(run)), Album())
    assert part.splits == (4, 1, 12)
    assert (part.n, part.n_classes) == (17, 3)


def test_sizes_and_formats_are_the_audit_s() -> None:
    run = run_of(audit={"formats": {"PNG": 3, "WEBP": 1, "JPEG": 20}})
    part = data_part(run, sampled(class_rows(run)), Album())
    assert (part.widths, part.heights) == ((10, 40, 20), (11, 41, 21))
    assert part.formats == [("JPEG", 20), ("PNG", 3), ("WEBP", 1)]
    for sizes in ({}, {"least_width": 0, "least_height": 0}):
        part = data_part(run_of(audit={"sizes": sizes}), sampled(class_rows(run)), Album())
        assert (part.widths, part.heights) == (None, None)


def test_twenty_unreadable_files_are_listed_and_all_are_counted() -> None:
    unreadable = [{"path": f"{number}.png", "reason": f"reason {number}"} for number in range(21)]
    run = run_of(audit={"unreadable": unreadable})
    part = data_part(run, sampled(class_rows(run)), Album())
    assert part.unreadable == [(f"{number}.png", f"reason {number}") for number in range(20)]
    assert part.n_unreadable == 21


def test_copies_are_shown_by_cluster_with_the_labels_that_they_stand_under() -> None:
    examples = [example("/nowhere/a.png", "ant"), example("/nowhere/b.png", "bee"), example("/nowhere/c.png", "cat")]
    audit: dict[str, Any] = {
        "duplicates": 5,
        "near_copies": [["/nowhere/a.png", "/nowhere/b.png"], ["/nowhere/c.png", "/nowhere/unknown.png"]],
        "augmented_copies": [["/nowhere/b.png", "/nowhere/c.png"]],
        "augmented": 1,
        "leaks": [{"paths": ["/nowhere/b.png", "/nowhere/a.png"], "splits": ["train", "test"]}] * 3,
        "two_labels": [{"paths": ["/nowhere/c.png", "/nowhere/a.png"], "labels": ["cat", "ant"]}] * 4,
    }
    run = run_of(examples=examples, audit=audit)
    part = data_part(run, sampled(class_rows(run)), Album())
    assert [[(one.name, one.label) for one in group] for group in part.copies] == [
        [("a.png", "ant"), ("b.png", "bee")],
        [("c.png", "cat"), ("unknown.png", "")],
    ]
    assert [names(group) for group in part.augmented] == [["b.png", "c.png"]]
    assert (part.n_augmented, part.n_originals) == (1, 1)
    assert [names(group) for group in part.leaks] == [["b.png", "a.png"]] * 3
    assert [names(group) for group in part.two_labels] == [["c.png", "a.png"]] * 4
    assert (part.n_exact, part.n_near, part.n_leaks, part.n_two_labels) == (5, 2, 3, 4)
    assert {(one.predicted, one.probability) for group in part.copies for one in group} == {("", None)}


def test_six_clusters_are_shown_and_four_pictures_of_each() -> None:
    clusters = [[f"{cluster}{letter}" for letter in "abcde"] for cluster in range(7)]
    run = run_of(audit={"near_copies": clusters})
    part = data_part(run, sampled(class_rows(run)), Album())
    assert [names(group) for group in part.copies] == [
        [f"{cluster}{letter}" for letter in "abcd"] for cluster in range(6)
    ]
    assert part.n_near == 7


def test_eight_samples_of_each_class_are_drawn_by_their_contents() -> None:
    contents = [f"content {number}" for number in range(12)]
    examples = [example(f"{content}.png", "bee", content=content) for content in contents]
    run = run_of(examples=[*examples, example("spoilt", "bee", content="", problem="cut short"), example("x", "dog")])
    samples = data_part(run, sampled(class_rows(run)), Album()).samples
    assert [name for name, _ in samples] == ["ant", "bee", "cat"]
    bees = samples[1][1]
    assert names(bees) == [
        f"{content}.png" for content in sorted(contents, key=lambda one: zlib.crc32(one.encode()))[:8]
    ]
    assert {(one.label, one.predicted, one.probability) for one in bees} == {("bee", "", None)}
    assert samples[0][1] == samples[2][1] == []


def test_of_many_classes_the_24_worst_are_sampled() -> None:
    recalls = [0.9] * 24 + [0.1]
    run = run_of()
    samples = data_part(run, sampled(rows_of(24, recalls[:24])), Album()).samples
    assert [name for name, _ in samples] == [f"class {number:02}" for number in range(24)]
    samples = data_part(run, sampled(rows_of(25, recalls)), Album()).samples
    assert [name for name, _ in samples] == ["class 24", *(f"class {number:02}" for number in range(23))]


def test_the_surest_mistakes_come_first() -> None:
    shown, heated = worst_mistakes(run_of(), Album())
    # The six that are wrong of the twelve; 4 and 7 are equally unsure, 3 and 10 equally sure.
    assert [(one.name, one.label, one.predicted, one.probability) for one in shown] == [
        ("11.png", "cat", "bee", 0.8125),
        ("3.png", "ant", "bee", 0.75),
        ("10.png", "cat", "bee", 0.75),
        ("2.png", "ant", "bee", 0.625),
        ("4.png", "ant", "cat", 0.5),
        ("7.png", "bee", "ant", 0.5),
    ]
    assert heated is False  # the files are gone
    assert {(one.heat, one.picture) for one in shown} == {(None, None)}


def test_twelve_mistakes_are_shown_and_of_none_none() -> None:
    answers = [(ANT, (0.1, 0.6 + number / 100, 0.3 - number / 100)) for number in range(13)]
    shown, _ = worst_mistakes(run_of(answers=answers), Album())
    assert names(shown) == [f"{number}.png" for number in range(12, 0, -1)]
    assert worst_mistakes(run_of(answers=[(ANT, (0.75, 0.125, 0.125))]), Album()) == ([], False)


@pytest.fixture
def squares(tmp_path: Path) -> list[Path]:
    """0.png, 1.png and 3.png, 16 x 16: dark, with a blue square at the upper left and a red one at the lower right."""
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[:4, :4, 2] = image[12:, 12:, 0] = 250
    for number in (0, 1, 3):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"no picture")
    return [tmp_path / f"{number}.png" for number in range(5)]


def hot(one: Shown) -> list[str]:
    """Where a heatmap lies over the picture of squares."""
    heat = pixels(one.heat)
    assert heat.shape == (160, 160, 3)
    # Heat is yellow at its hottest; what is cold is grey and dark.
    places = {"upper left": heat[15, 15], "lower right": heat[145, 145], "middle": heat[80, 80]}
    return [name for name, (_, green, _) in places.items() if green > 120]


def test_the_heat_lies_where_the_wrong_answer_came_from(
    squares: list[Path], tmp_path: Path, tiny_manifest: Manifest
) -> None:
    (tmp_path / "model.onnx").write_bytes(colour_model(tmp_path, tiny_manifest))
    answers = [
        (BEE, (0.9, 0.05, 0.05)),
        (ANT, (0.1, 0.1, 0.8)),
        (ANT, (0.1, 0.2, 0.7)),
        (CAT, (0.6, 0.1, 0.3)),
        (ANT, (0.3, 0.2, 0.5)),
        (CAT, (0.0, 0.0, 1.0)),
    ]
    run = run_of(answers=answers, folder=tmp_path, tested_paths=[*squares, squares[0]])
    shown, heated = worst_mistakes(run, Album())
    assert heated is True
    assert [(one.name, one.label, one.predicted, one.probability) for one in shown] == [
        ("0.png", "bee", "ant", pytest.approx(0.9)),
        ("1.png", "ant", "cat", pytest.approx(0.8)),
        ("2.png", "ant", "cat", pytest.approx(0.7)),
        ("3.png", "cat", "ant", pytest.approx(0.6)),
        ("4.png", "ant", "cat", pytest.approx(0.5)),
    ]
    assert [hot(one) for one in shown if one.heat] == [["upper left"], ["lower right"], ["upper left"]]
    # What cannot be read, or is gone, keeps its place.
    assert [(one.picture is None, one.heat is None) for one in shown] == [
        (False, False),
        (False, False),
        (True, True),
        (False, False),
        (True, True),
    ]


def test_a_large_picture_stands_beside_its_heat(hues: dict[str, Path], tmp_path: Path, tiny_manifest: Manifest) -> None:
    (tmp_path / "model.onnx").write_bytes(colour_model(tmp_path, tiny_manifest))
    run = run_of(answers=[(ANT, (0.1, 0.2, 0.7))], folder=tmp_path, tested_paths=[hues["red"]])
    (shown,), heated = worst_mistakes(run, Album())
    assert heated is True
    assert pixels(shown.picture).shape == (80, 160, 3)


def test_a_network_without_a_map_gives_no_heat(squares: list[Path], tiny_model: Path) -> None:
    run = run_of(answers=[(BEE, (0.9, 0.05, 0.05))], folder=tiny_model.parent, tested_paths=squares[:1])
    (shown,), heated = worst_mistakes(run, Album())
    assert (heated, shown.heat) == (False, None)
    assert shown.picture is not None


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ({"strength": 0.01}, 0.01),  # of a network that has no stages, or of before they were looked at
        ({"strength": 0.01, "stages": {"weighing": "last", "trials": []}}, 0.01),
        ({"strength": 0.01, "stages": {"weighing": "square_root", "trials": []}}, None),
        (None, None),
    ],
)
def test_a_strength_of_weighed_stages_is_none_of_the_last_layer(
    probe: dict[str, Any] | None, expected: float | None
) -> None:
    assert last_layer_strength(run_of(metrics={"training": {"probe": probe}})) == expected
