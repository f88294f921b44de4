"""The sections that every task's report has, in the reader's words. In: parts, Phrases. Out: Section. Next: page.py."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from tellapart.bundle import Score
from tellapart.reporting.advice import MANY_WRONG
from tellapart.reporting.blocks import (
    Block,
    Charts,
    Column,
    DrawnChart,
    Facts,
    Group,
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
    FoldsPart,
    LabelsPart,
    LearningPart,
    MapPart,
    Said,
    Shown,
)
from tellapart.reporting.figures import SERIES
from tellapart.reporting.phrases import Phrases

Caption = Callable[[Shown], tuple[CaptionLine, ...]]


def next_section(advice: Sequence[Said], compared: Table | None, phrases: Phrases) -> Section:
    """What to do next, and what was compared where there was a choice."""
    items = [phrases(key, **values) for key, values in advice]
    blocks: list[Block] = [Steps(items=items) if items else Paragraph(text=phrases("next_nothing"))]
    if compared is not None:
        blocks += [Heading(text=phrases("compared")), compared]
    return Section(key="next", title=phrases("next"), blocks=blocks)


def compared_table(candidates: Sequence[tuple[str, float, float]], figure: str, phrases: Phrases) -> Table | None:
    """Strategy, log loss and `figure` (a share) of each candidate, the kept one first; None where there was no choice."""
    if len(candidates) < 2:
        return None
    numbers = [Column(name=phrases(key), kind="number") for key in ("log_loss", figure)]
    return Table(
        columns=[Column(name=""), *numbers, Column(name="")],
        rows=[
            (phrases(strategy), f"{loss:.3f}", phrases.percent(share), "" if row else phrases("kept"))
            for row, (strategy, loss, share) in enumerate(candidates)
        ],
        kept=0,
    )


def scores_table(scores: Sequence[tuple[str, Score]], numbers: Collection[str], phrases: Phrases) -> Table:
    """Scores with their intervals, in per cent but for those called `numbers`."""
    rows = []
    for key, score in scores:
        share = key not in numbers
        value = phrases.percent(score.value) if share else f"{score.value:.3f}"
        rows.append((phrases(key), value, phrases.interval(score, share=share)))
    columns = [
        Column(name=phrases("score")),
        Column(name=phrases("value"), kind="number"),
        Column(name=phrases("interval"), kind="number"),
    ]
    return Table(columns=columns, rows=rows)


def folds_section(part: FoldsPart, phrases: Phrases) -> Section:
    """What each of K folds found, and what that says of the model that is kept."""
    t = phrases
    values = [score.value for _, _, score in part.rows]
    lead = t("folds_lead", n=part.pictures, count=part.count)
    again = t("folds_repeats", n=part.repeats) if part.repeats > 1 else ""
    kept = t("folds_mean", n=part.networks) if part.networks else t("folds_one")
    columns = [
        Column(name=t("fold")),
        Column(name=t("pictures"), kind="number"),
        Column(name=t.named(part.headline), kind="number"),
        Column(name=t("interval"), kind="interval"),
    ]
    rows = [(name, f"{n:,}", t.percent(score.value), score) for name, n, score in part.rows]
    return Section(
        key="folds",
        title=t("folds"),
        blocks=[
            Paragraph(text=t.sentences(lead, again)),
            Paragraph(text=kept),
            Table(columns=columns, rows=rows),
            Paragraph(text=t("folds_spread", low=min(values), high=max(values)), tone="soft"),
        ],
    )


def data_section(part: DataPart, phrases: Phrases, *, two_labels: str = "two_labels") -> Section:
    """Counts, samples, sizes, what could not be read, copies; `two_labels` is what copies with different targets are called."""
    t = phrases
    train, validation, test = part.splits
    shown, classes = len(part.samples), part.n_classes
    blocks: list[Block] = [
        Paragraph(
            text=t("data_lead", n=part.n, classes=classes, train=train, validation=validation, test=test)
            if test
            else t("data_folds", n=part.n, classes=classes, train=train, validation=validation)
        ),
        Heading(text=t("samples") if shown == classes else t("samples_of", n=shown, classes=classes)),
        Pictures(layout="rows", groups=[Group(title=name, pictures=pictures) for name, pictures in part.samples]),
        Facts(rows=_data_facts(part, phrases)),
    ]
    if part.unreadable:
        columns = [Column(name=t("file")), Column(name=t("reason"))]
        blocks.append(Table(columns=columns, rows=part.unreadable))
        blocks += _rest(part.n_unreadable, len(part.unreadable), phrases)
    for title, count, clusters in (
        ("leaks", part.n_leaks, part.leaks),
        (two_labels, part.n_two_labels, part.two_labels),
        ("copies", part.n_near, part.copies),
        ("augmented", part.n_originals, part.augmented),
    ):
        if count:
            groups = [Group(pictures=captioned(cluster, by_label)) for cluster in clusters]
            blocks += [Heading(text=t(title), count=f"{count:,}"), Pictures(layout="boxes", groups=groups)]
            blocks += _rest(count, len(clusters), phrases)
    return Section(key="data", title=t("data"), blocks=blocks)


def _data_facts(part: DataPart, phrases: Phrases) -> list[tuple[str, str]]:
    t = phrases
    rows = []
    if part.widths is not None and part.heights is not None:
        (low, high, median), (least, most, middle) = part.widths, part.heights
        sizes = t("one_size", width=low, height=least)
        if low != high or least != most:
            wide = t("sizes", low=low, high=high, median=median)
            sizes = f"{wide}; {t('sizes_tall', low=least, high=most, median=middle)}"
        rows.append((t("size_of"), sizes))
    copies = t("copies_none")
    if part.n_exact or part.n_near:
        copies = t("copies_lead", exact=part.n_exact, near=part.n_near)
    augmented = []
    if part.n_augmented is not None:
        told = t("augmented_lead", n=part.n_augmented, originals=part.n_originals)
        augmented = [(t("augmented"), told if part.n_augmented else t("augmented_none"))]
    return [
        *rows,
        (t("formats"), ", ".join(f"{name} {count:,}" for name, count in part.formats)),
        (t("unreadable"), f"{part.n_unreadable:,}" if part.n_unreadable else t("unreadable_none")),
        (t("copies"), copies),
        *augmented,
    ]


def _rest(count: int, shown: int, phrases: Phrases) -> list[Block]:
    return [Paragraph(text=phrases("more", n=count - shown), tone="soft")] if count > shown else []


def learning_section(part: LearningPart, phrases: Phrases) -> Section:
    """How it was trained."""
    said = phrases("learning_probe")
    if part.epochs:
        said = phrases("learning_epochs", n=part.epochs, best=part.best_epoch)
    return Section(
        key="learning",
        title=phrases("learning"),
        blocks=[Paragraph(text=said), charts_block(part.charts, phrases)],
    )


def charts_block(charts: Sequence[Chart], phrases: Phrases) -> Charts:
    """Charts with their titles and notes in words."""
    return Charts(
        charts=[
            DrawnChart(
                title=phrases.named(chart.title),
                svg=chart.svg,
                legend=chart.legend,
                note=phrases(chart.lead[0], **chart.lead[1]) if chart.lead else "",
            )
            for chart in charts
        ]
    )


def labels_section(part: LabelsPart, phrases: Phrases, caption: Caption, *, counted: str = "labels_counts") -> Section:
    """What the label doctor found; `caption` says what stands under a picture whose label is probably wrong.

    `counted` is the key of the phrase that tells how many there are of each kind.
    """
    t = phrases
    wrong, outliers, ambiguous = part.counts
    found = t("labels_none")
    if sum(part.counts):
        found = t(counted, wrong=wrong, outliers=outliers, ambiguous=ambiguous)
    blocks: list[Block] = [Paragraph(text=t.sentences(t("labels_lead"), found))]
    if wrong > MANY_WRONG * part.labels:
        blocks.append(Paragraph(text=t("labels_weak"), tone="warning"))
    if part.n < part.n_all:
        blocks.append(Paragraph(text=t("labels_scope", n=part.n, all=part.n_all), tone="soft"))
    blocks.append(Pictures(layout="cards", groups=[Group(pictures=captioned(part.wrong, caption))]))
    for title, count, pictures in (("outliers", outliers, part.outliers), ("ambiguous", ambiguous, part.ambiguous)):
        if pictures:
            groups = [Group(pictures=captioned(pictures, by_label))]
            blocks += [Heading(text=t(title), count=f"{count:,}"), Pictures(layout="strip", groups=groups)]
    return Section(key="labels", title=t("labels"), blocks=blocks)


def map_section(part: MapPart, phrases: Phrases) -> Section:
    """Dots on a plane."""
    t = phrases
    some = t("map_some", n=part.n, all=part.n_all) if part.n < part.n_all else ""
    title, classes = t("map"), len(part.classes)
    more = t("more", n=classes - SERIES + 1) if classes > SERIES else ""
    return Section(
        key="map",
        title=title,
        blocks=[
            Paragraph(text=t.sentences(t("map_lead"), some)),
            Plane(part=part, title=title, splits=(t("train"), t("validation"), t("test")), more=more),
            Paragraph(text=t("map_own") if part.own else t("map_frozen"), tone="soft"),
        ],
    )


def about_section(part: AboutPart, phrases: Phrases) -> Section:
    """Where it came from."""
    rows = [(phrases(key), text) for key, text in part.facts]
    rows.append((phrases("versions"), ", ".join(f"{name} {version}" for name, version in part.versions)))
    blocks: list[Block] = [Facts(rows=rows, command=(phrases("try"), part.model, phrases("try_given")))]
    if part.missing:
        blocks.append(Paragraph(text=phrases("missing_pictures", n=part.missing), tone="soft"))
    return Section(key="about", title=phrases("about"), blocks=blocks)


def captioned(pictures: Sequence[Shown], caption: Caption) -> list[Shown]:
    """The same pictures with what stands under each."""
    return [replace(shown, caption=caption(shown)) for shown in pictures]


def by_label(shown: Shown) -> tuple[CaptionLine, ...]:
    """The label alone."""
    return (CaptionLine(text=shown.label),)
