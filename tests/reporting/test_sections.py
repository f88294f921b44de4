"""The sections that every report has. In: parts with figures of their own. Out: the sentences, in order."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.bundle import Score
from tellapart.reporting.blocks import (
    Block,
    Charts,
    Facts,
    Heading,
    Paragraph,
    Pictures,
    Plane,
    Section,
    Steps,
    Table,
)
from tellapart.reporting.facts import (
    AboutPart,
    CaptionLine,
    Chart,
    DataPart,
    LabelsPart,
    LearningPart,
    MapPart,
    Shown,
)
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.pictures import Sprites
from tellapart.reporting.sections import (
    about_section,
    by_label,
    compared_table,
    data_section,
    labels_section,
    learning_section,
    map_section,
    next_section,
    scores_table,
)

ENGLISH = Phrases("en")
LEAD = ENGLISH("labels_lead")


def picture(label: str) -> Shown:
    return Shown(name=f"{label}.png", picture=None, label=label)


def said(section: Section) -> list[str]:
    """Paragraphs and headings, in order."""
    return [block.text for block in section.blocks if isinstance(block, Paragraph | Heading)]


def of_kind(section: Section, kind: type[Block]) -> list[Any]:
    return [block for block in section.blocks if isinstance(block, kind)]


DATA: dict[str, Any] = {
    "n": 1000,
    "n_classes": 3,
    "splits": (600, 120, 280),
    "samples": [("cat", [picture("cat")]), ("dog", []), ("fox", [])],
    "widths": (10, 40, 20),
    "heights": (11, 41, 21),
    "formats": [("JPEG", 1200), ("PNG", 3)],
    "unreadable": [],
    "n_unreadable": 0,
    "n_exact": 0,
    "n_near": 0,
    "n_augmented": None,
    "n_originals": 0,
    "augmented": [],
    "copies": [],
    "leaks": [],
    "n_leaks": 0,
    "two_labels": [],
    "n_two_labels": 0,
}


def data(**changes: Any) -> Section:
    return data_section(DataPart(**DATA | changes), ENGLISH)


def test_what_to_do_next_is_a_list_or_nothing() -> None:
    told = next_section([("next_weak", {"accuracy": 0.5}), ("next_few", {"names": ["a", "b"]})], None, ENGLISH)
    (steps,) = of_kind(told, Steps)
    assert steps.items[0].startswith("The model is weak: 50.0\u00a0% right.")
    assert steps.items[1].startswith("Add test pictures of a, b:")
    assert said(next_section([], None, ENGLISH)) == ["Nothing stands out. Try the model on new pictures."]
    table = Table(columns=[], rows=[])
    assert next_section([], table, ENGLISH).blocks[-1] is table


def test_what_was_compared_is_a_table_with_the_kept_one_first() -> None:
    table = compared_table([("finetune", 0.12345, 0.99), ("probe", 0.2, 0.985)], "accuracy", ENGLISH)
    assert table is not None
    assert [column.name for column in table.columns] == ["", "log loss", "accuracy", ""]
    assert table.rows == [
        ("fine-tuned network", "0.123", "99.0\u00a0%", "kept"),
        ("classifier on the frozen network", "0.200", "98.5\u00a0%", ""),
    ]
    assert table.kept == 0
    assert compared_table([("probe", 0.2, 0.985)], "accuracy", ENGLISH) is None


def test_scores_are_shares_or_numbers() -> None:
    scores = [("accuracy", Score(value=0.5, low=0.25, high=1.0)), ("auroc", Score(value=0.5, low=0.25, high=1.0))]
    table = scores_table([*scores, ("macro_f1", Score(value=0.5))], ("auroc", "macro_f1"), ENGLISH)
    assert table.rows == [
        ("accuracy", "50.0\u00a0%", "25.0\u00a0% – 100.0\u00a0%"),
        ("AUROC", "0.500", "0.250 – 1.000"),
        ("macro F1", "0.500", "–"),
    ]


def test_the_data_is_counted_and_described() -> None:
    section = data()
    assert said(section) == [
        "1,000 pictures in 3 classes: 600 to train on, 120 to choose with, 280 to test on.",
        "Pictures of each class",
    ]
    (facts,) = of_kind(section, Facts)
    assert facts.rows == [
        ("Sizes", "10 to 40 pixels wide, median 20; 11 to 41 pixels high, median 21"),
        ("Formats", "JPEG 1,200, PNG 3"),
        ("Unreadable files, set aside", "Every file could be read."),
        ("Copies", "No copies were found."),
    ]
    (samples,) = of_kind(section, Pictures)
    assert [(group.title, len(group.pictures)) for group in samples.groups] == [("cat", 1), ("dog", 0), ("fox", 0)]


def test_pictures_of_one_size_and_of_unknown_ones() -> None:
    (facts,) = of_kind(data(widths=(28, 28, 28), heights=(30, 30, 30)), Facts)
    assert facts.rows[0] == ("Sizes", "all 28 × 30 pixels")
    (facts,) = of_kind(data(widths=(28, 28, 28), heights=(30, 31, 30)), Facts)
    assert facts.rows[0][1].startswith("28 to 28 pixels wide")
    (facts,) = of_kind(data(widths=None, heights=None), Facts)
    assert facts.rows[0][0] == "Formats"


def test_of_many_classes_some_are_shown() -> None:
    assert said(data(n_classes=30))[1] == "Pictures of 3 of 30 classes, the worst recognised first"


def test_what_is_wrong_with_the_data_is_shown_and_counted() -> None:
    pairs = [[picture("cat"), picture("dog")]]
    section = data(
        unreadable=[("a.png", "cut short")],
        n_unreadable=21,
        n_exact=5,
        n_near=1,
        copies=pairs,
        leaks=pairs * 2,
        n_leaks=9,
        two_labels=pairs,
        n_two_labels=1,
    )
    assert said(section)[2:] == [
        "and 20 more",
        "Copies across your splits",
        "and 7 more",
        "Copies under two labels",
        "Copies",
    ]
    assert [block.count for block in of_kind(section, Heading)] == ["", "9", "1", "1"]
    (table,) = of_kind(section, Table)
    assert table.rows == [("a.png", "cut short")]
    (facts,) = of_kind(section, Facts)
    assert [text for _, text in facts.rows[2:]] == [
        "21",
        "5 exact copies and 1 cluster of near copies. A split that tellapart makes keeps them together.",
    ]
    _, leaks, *_ = of_kind(section, Pictures)
    assert [[one.caption for one in group.pictures] for group in leaks.groups] == [
        [(CaptionLine(text="cat"),), (CaptionLine(text="dog"),)]
    ] * 2


def test_learning_tells_of_epochs_or_of_a_fit() -> None:
    chart = Chart(
        title="a_figure_without_phrase", svg="<svg/>", lead=("coverage_lead", {"share": 0.8, "accuracy": 1.0})
    )
    told = learning_section(LearningPart(epochs=12, best_epoch=7, charts=[chart]), ENGLISH)
    assert said(told) == ["12 epochs; the weights of epoch 7, the best on validation, were kept."]
    (charts,) = of_kind(told, Charts)
    assert charts.charts[0].title == "a figure without phrase"
    assert charts.charts[0].note.startswith("Answering only the surest 80.0\u00a0% of the pictures, 100.0\u00a0%")
    assert (
        "fitted to convergence" in said(learning_section(LearningPart(epochs=0, best_epoch=0, charts=[]), ENGLISH))[0]
    )


def labels(**changes: Any) -> Section:
    given: dict[str, Any] = {
        "n": 100,
        "n_all": 100,
        "labels": 100,
        "wrong": [picture("cat")],
        "outliers": [picture("dog")],
        "ambiguous": [],
        "counts": (15, 1, 0),
    }
    return labels_section(
        LabelsPart(**given | changes), ENGLISH, lambda shown: (CaptionLine(text="rather", name="owl"),)
    )


def test_doubtful_labels_are_counted_and_captioned() -> None:
    section = labels()
    assert said(section) == [
        f"{LEAD} 15 labels are probably wrong, 1 picture is like no other, 0 lie between two classes.",
        "Like no other picture",
    ]
    wrong, outliers = of_kind(section, Pictures)
    assert wrong.groups[0].pictures[0].caption == (CaptionLine(text="rather", name="owl"),)
    assert outliers.groups[0].pictures[0].caption == by_label(picture("dog"))


def test_so_many_doubtful_labels_that_the_classifier_is_doubtful_are_told() -> None:
    words = "The classifier agrees with too few labels for its doubts to say much about them."
    assert words not in said(labels())  # 15 of 100
    assert words in said(labels(counts=(16, 0, 0)))
    assert words not in said(labels(counts=(16, 0, 0), labels=300))  # three to each picture


def test_a_sample_of_the_labels_is_told() -> None:
    assert "Looked at 100 of 101 pictures, drawn at random" in said(labels(n_all=101))[1]
    assert said(labels(counts=(0, 0, 0), wrong=[], outliers=[])) == [f"{LEAD} No label stands out."]


@pytest.mark.parametrize(("classes", "more"), [(8, ""), (9, "and 2 more")])
def test_a_map_says_what_its_dots_are(classes: int, more: str) -> None:
    part = MapPart(
        own=classes == 8,
        n=2,
        n_all=classes,
        points=[],
        names=[],
        classes=[str(number) for number in range(classes)],
        sprites=Sprites(address="", side=40, columns=1),
    )
    section = map_section(part, ENGLISH)
    assert said(section)[0].endswith(f"{2} of {classes} pictures, drawn at random.")
    assert said(section)[1].startswith("Embeddings of the " + ("trained" if classes == 8 else "pretrained"))
    (plane,) = of_kind(section, Plane)
    assert (plane.more, plane.splits) == (more, ("train", "validation", "test"))


def test_a_run_is_described_with_what_to_type() -> None:
    part = AboutPart(facts=[("seed", "7")], versions=[("numpy", "2"), ("pillow", "12")], model="m.onnx", missing=0)
    section = about_section(part, ENGLISH)
    (facts,) = of_kind(section, Facts)
    assert facts.rows == [("seed", "7"), ("versions", "numpy 2, pillow 12")]
    assert facts.command == ("Try it", "m.onnx", "PICTURE")
    (of_texts,) = of_kind(about_section(part, Phrases("en", item="text")), Facts)
    assert of_texts.command == ("Try it", "m.onnx", "TEXTS.csv")
    assert said(section) == []
    gone = AboutPart(facts=[], versions=[], model="m.onnx", missing=1200)
    assert said(about_section(gone, ENGLISH)) == [
        "1,200 pictures are no longer where they were, so that the report shows a blank in the place of each."
    ]


def test_augmented_copies_stand_apart_from_the_other_copies() -> None:
    def facts(**changed: Any) -> list[str]:
        (found,) = of_kind(data(**changed), Facts)
        return [text for name, text in found.rows if name == "Augmented copies"]

    assert facts() == []  # a run from before they were looked for
    assert facts(n_augmented=0) == ["No augmented copies were found."]
    families = [[picture("cat"), picture("cat")]]
    section = data(n_augmented=12, n_originals=4, augmented=families)
    assert said(section)[2:] == ["Augmented copies", "and 3 more"]
    assert facts(n_augmented=12, n_originals=4, augmented=families) == [
        (
            "12 pictures are varied copies (turned, moved, cropped, mirrored, recoloured) of 4 others. A split that tellapart "
            "makes keeps them together and tests only on what looks like the original."
        )
    ]
