"""Which pictures the report of boxes shows, and what it says of them. In: runs made by hand. Out: views, captions, pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data.targets import Box, Boxes, ClassName
from tellapart.drawing.box_marks import colour_of
from tellapart.drawing.boxes import DrawnBox
from tellapart.preprocessing import Preprocessing
from tellapart.reporting.facts import Shown
from tellapart.reporting.phrases import Phrases
from tellapart.tasks.detection.boxed import BoxView, show_boxes
from tellapart.tasks.detection.drawn import class_samples, counted_in_words, doubts_part, drawn_part
from tellapart.tasks.detection.tested import match_test

from .made_run import PAGES, A, B, C, MadeRun, Page, example, run_of, write_run

ENGLISH, CHINESE = Phrases("en"), Phrases("zh")
PLAIN = Preprocessing(size=32, crop=1.0, fit="pad")


def said(shown: Shown) -> list[str]:
    return [f"{line.text} {line.name} {line.share}".strip() for line in shown.caption]


def pixels(shown: Shown) -> np.ndarray[Any, Any]:
    assert shown.picture is not None
    data = base64.b64decode(shown.picture.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def near(picture: np.ndarray[Any, Any], number: int) -> int:
    """How many pixels have about the colour of a class; JPEG keeps none exactly."""
    return int((np.abs(picture - colour_of(number)).max(axis=2) < 40).sum())


def test_boxes_are_counted_in_words() -> None:
    target = Boxes((Box("b", *A), Box("a", *B), Box("b", *C)))
    assert counted_in_words(target, ENGLISH) == "2 b, 1 a"
    assert counted_in_words(target, CHINESE) == "2 b、1 a"
    assert counted_in_words(Boxes(), ENGLISH) == "no box"
    assert counted_in_words(ClassName("a"), ENGLISH) == "no box"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    return write_run(tmp_path_factory.mktemp("drawn") / "run")


def test_a_view_draws_boxes_where_they_lie_in_the_file(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), (90, 90, 90)).save(tmp_path / "a.png")
    drawn = DrawnBox(sides=(100, 75, 300, 225), label="bee", number=1, named=False)
    view = BoxView(path=tmp_path / "a.png", size=(400, 300), label="bee", boxes=[drawn])
    (shown,) = show_boxes([view], PLAIN, side=200, least=200)
    found = pixels(shown)
    assert found.shape == (150, 200, 3)
    assert near(found[36:41, 60:140], 1) > 100
    assert near(found[50:100, 60:140], 1) == 0
    part = BoxView(path=tmp_path / "a.png", size=(400, 300), label="bee", boxes=[drawn], window=(80, 55, 180, 130))
    found = pixels(show_boxes([part], PLAIN, side=200, least=200)[0])
    assert found.shape == (150, 200, 3)
    assert near(found[36:46, 60:], 1) > 200  # the upper left corner is at 40, 40


def test_a_reduced_jpeg_has_its_boxes_in_their_places(tmp_path: Path) -> None:
    image = Image.new("RGB", (4000, 3000), (90, 90, 90))
    image.paste((200, 30, 30), (1000, 750, 3000, 2250))
    image.save(tmp_path / "a.jpg")
    drawn = DrawnBox(sides=(1000, 750, 3000, 2250), label="bee", number=2, named=False)
    view = BoxView(path=tmp_path / "a.jpg", size=(4000, 3000), label="bee", boxes=[drawn])
    found = pixels(show_boxes([view], PLAIN, side=200, least=100)[0])
    assert found.shape == (150, 200, 3)
    assert found[75, 58, 0] > 150  # red inside the line
    assert near(found[:, 49:54], 2) > 80  # green at its edge
    assert found[75, 44, 0] < 120


def test_a_picture_that_is_gone_keeps_its_place_and_its_words(tmp_path: Path) -> None:
    view = BoxView(path=tmp_path / "gone.png", size=(9, 9), label="bee")
    (shown,) = show_boxes([view], PLAIN, side=100, least=100)
    assert (shown.name, shown.picture, shown.label) == ("gone.png", None, "bee")


def test_samples_are_cut_out_of_their_pictures(written: MadeRun) -> None:
    samples = dict(class_samples(written, ["ant", "鸟"]))
    assert len(samples["ant"]) == 5  # one of a picture; those of the training split too
    assert len(samples["鸟"]) == 2
    dark = pixels(samples["鸟"][0])
    assert dark.mean() < 60  # nothing but the box
    assert max(dark.shape) == 96


def test_a_crowd_and_an_unreadable_picture_are_no_samples() -> None:
    run = run_of(examples=[example(Path("a.png"), [Box("ant", *A, crowd=True)])])
    assert class_samples(run, ["ant"]) == [("ant", [])]


def test_the_sample_shows_truth_and_answer(written: MadeRun) -> None:
    part = drawn_part(written, match_test(written), ENGLISH)
    assert (part.n, part.n_false, part.n_missed) == (6, 4, 4)
    captions = {one.name: said(one) for one in part.sample}
    assert captions == {
        "0.png": ["3 true, 3 told", "1 missed, 1 false"],
        "1.png": ["2 true, 3 told", "2 missed, 3 false"],
        "2.png": ["0 true, 0 told"],
        "3.png": ["1 true, 0 told", "1 missed"],
        "4.png": ["1 true, 1 told"],  # the difficult one counts neither way
        "5.png": ["2 true, 2 told"],
    }
    (first,) = (pixels(one) for one in part.sample if one.name == "0.png")
    assert [near(first, number) > 200 for number in (0, 1, 2)] == [True, True, True]
    (empty,) = (pixels(one) for one in part.sample if one.name == "2.png")
    assert [near(empty, number) for number in (0, 1, 2)] == [0, 0, 0]
    again = drawn_part(written, match_test(written), ENGLISH)
    assert [one.name for one in again.sample] == [one.name for one in part.sample]


def test_nine_pictures_are_drawn_at_random_by_the_seed() -> None:
    run = run_of([PAGES[5]] * 40)
    names = [one.name for one in drawn_part(run, match_test(run), ENGLISH).sample]
    assert len(set(names)) == 9
    run.__dict__["settings"] = run.settings.model_copy(update={"seed": 1})
    assert [one.name for one in drawn_part(run, match_test(run), ENGLISH).sample] != names


def test_false_and_missed_boxes_say_what_is_wrong_each_picture_once(written: MadeRun) -> None:
    part = drawn_part(written, match_test(written), ENGLISH)
    assert [(one.name, said(one)) for one in part.false] == [
        ("1.png", ["told bee 88\u00a0%", "it is “ant” (IoU 1.00)"]),
        ("0.png", ["told bee 38\u00a0%", "told twice"]),
    ]
    assert [(one.name, said(one)) for one in part.missed] == [
        ("3.png", ["missed bee", "no answer is near enough"]),
        ("1.png", ["missed bee", "no answer is near enough"]),
        ("0.png", ["missed 鸟", "seen with 25.0\u00a0%, under the threshold of 50.0\u00a0%"]),
    ]
    assert [line.bad for line in part.missed[0].caption] == [True, False]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (("鸟", 0.75, *C), "nothing is annotated here"),
        (("bee", 0.5, 140, 20, 180, 100), "badly placed: IoU 0.33 with “bee”"),
        (("ant", 0.75, 140, 20, 180, 100), "badly placed, and of another class"),
    ],
)
def test_each_kind_of_false_box_has_its_words(answer: Any, words: str) -> None:
    run = run_of([((Box("ant", *A), Box("bee", *B)), (("ant", 0.9, *A), answer))])
    (one,) = drawn_part(run, match_test(run), ENGLISH).false
    assert said(one)[1] == words


def test_eight_of_a_kind_are_shown() -> None:
    run = run_of([((Box("ant", *A),), (("bee", 0.5 + number / 32, *C),)) for number in range(9)])
    part = drawn_part(run, match_test(run), ENGLISH)
    assert [one.name for one in part.false] == [f"{number}.png" for number in range(8, 0, -1)]
    assert len(part.missed) == 8
    assert (part.n_false, part.n_missed) == (9, 9)


def planted() -> list[Page]:
    """Forty pictures that a model answers as they are annotated, and then a fault of each kind in one of them."""
    generator = np.random.default_rng(0)
    pages: list[Page] = []
    for _ in range(40):
        scores = generator.uniform(0.7, 0.99, 3)
        boxes = (Box("ant", *A), Box("bee", *B), Box("鸟", *C))
        told = tuple(
            (box.label, float(score), box.left, box.top, box.right, box.bottom)
            for box, score in zip(boxes, scores, strict=True)
        )
        pages.append((boxes, told))
    return pages


def doubts(pages: Sequence[Page]) -> list[tuple[str, list[str]]]:
    run = run_of(pages, test={}, whole=True)
    return [(one.name, said(one)) for one in doubts_part(run, match_test(run), ENGLISH).shown]


def test_planted_faults_are_at_the_top() -> None:
    pages = planted()
    assert doubts(pages) == []
    dropped, shifted, swapped, extra = 3, 11, 19, 31
    pages[dropped] = (pages[dropped][0][1:], pages[dropped][1])
    ant, _, bird = pages[shifted][0]
    pages[shifted] = ((ant, Box("bee", B[0] + 50, B[1], B[2] + 50, B[3]), bird), pages[shifted][1])
    pages[swapped] = ((Box("鸟", *A), *pages[swapped][0][1:]), pages[swapped][1])
    pages[extra] = ((*pages[extra][0], Box("ant", 5, 120, 40, 150)), pages[extra][1])
    found = dict(doubts(pages))
    assert set(found) == {f"{number}.png" for number in (dropped, shifted, swapped, extra)}
    assert found["3.png"] == [f"not annotated: ant {ENGLISH.percent(pages[dropped][1][0][1], 0)}"]
    assert found["11.png"] == ["labelled bee", f"rather placed as bee {ENGLISH.percent(pages[shifted][1][1][1], 0)}"]
    assert found["19.png"] == ["labelled 鸟", f"rather ant {ENGLISH.percent(pages[swapped][1][0][1], 0)}"]
    assert found["31.png"] == ["labelled ant", "nothing seems to be there"]


def test_what_a_model_overlooks_often_is_not_called_wrong() -> None:
    pages = planted()
    for number in range(0, 40, 4):
        pages[number] = (pages[number][0], pages[number][1][1:])
    assert doubts(pages) == []


def test_doubts_are_counted_by_kind_and_twelve_are_shown() -> None:
    pages = [(boxes[1:] if number < 20 else boxes, told) for number, (boxes, told) in enumerate(planted())]
    run = run_of(pages, test={}, whole=True)
    part = doubts_part(run, match_test(run), CHINESE)
    assert part.counts == [("missing", 20)]
    assert len(part.shown) == 12
    assert (part.n, part.judged) == (40, 100)
    assert part.shown[0].caption[0].text.startswith("此处未标注")
