"""A classifier's report, section by section. In: OpenRun, Phrases. Out: Verdict, sections. Next: facts.py."""

from __future__ import annotations

from collections.abc import Sequence

from tellapart.evaluation.labels import LabelReport
from tellapart.features.cache import Cache
from tellapart.reporter import Reporter
from tellapart.reporting.album import Album
from tellapart.reporting.blocks import (
    Block,
    Column,
    Group,
    Heading,
    Matrix,
    Paragraph,
    Pictures,
    Section,
    Table,
    Verdict,
)
from tellapart.reporting.facts import CaptionLine, ClassRow, CrossTable, Pair, Shown
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.sections import (
    about_section,
    captioned,
    charts_block,
    compared_table,
    data_section,
    labels_section,
    learning_section,
    map_section,
    next_section,
    scores_table,
)
from tellapart.runs.embeddings import EmbeddedExamples, try_to_embed
from tellapart.runs.more_pictures import PictureCurve
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import about_part, data_part, learning_part, map_part
from tellapart.tasks.classification.facts import AbstentionPart, ResultsPart, VerdictPart
from tellapart.tasks.classification.pictures import doubt_labels, labels_part, sampled, worst_mistakes
from tellapart.tasks.classification.results import abstention_part, class_rows, results_part, verdict
from tellapart.tasks.classification.shortcuts import FileTold, file_told, shortcut_section
from tellapart.tasks.more_classes import more_advice, more_part, more_section

_NO_SHARES = ("log_loss", "brier", "auroc", "macro_f1")  # shown as numbers, not in per cent


def sections(run: OpenRun, phrases: Phrases, *, cache: Cache, reporter: Reporter) -> tuple[Verdict, list[Section]]:
    """Everything that the report says. Raises: DataError, ModelFileError, StorageError."""
    embedded, album = try_to_embed(run, cache, reporter), Album(run.preprocessing)
    with reporter.step("Writing the report", 5) as advance:
        rows = class_rows(run)
        data = data_part(run, sampled(rows), album)
        advance(1)
        results = results_part(run, rows, album.show, phrases)
        advance(1)
        mistakes, heated = worst_mistakes(run, album)
        advance(1)
        # A network that has learned the labels cannot say which of them are wrong.
        found = None if embedded is None or embedded.own else doubt_labels(run, embedded)
        advance(1)
        files = file_told(run)
        more = None if embedded is None or embedded.own else more_part(run, embedded)
        part = verdict(
            run,
            rows,
            results,
            by_files=None if files is None or not files.told.tells else files.told.value,
            more=[] if more is None else more_advice(more),
            wrong_labels=0 if found is None else len(found.wrong),
            examined=0 if embedded is None else len(embedded.examples),
        )
        told = [
            next_section(part.advice, compared_table(part.compared, "accuracy", phrases), phrases),
            data_section(data, phrases),
            learning_section(learning_part(run, phrases), phrases),
            _results(results, len(rows), phrases),
        ]
        told += _asked(files, more, results, phrases)
        if mistakes:
            told.append(_mistakes(mistakes, heated, phrases))
        if embedded is not None:
            told += _embedded(run, embedded, found, album, phrases)
        abstention = abstention_part(run)
        if abstention is not None:
            told.append(_abstention(abstention, phrases))
        told.append(about_section(about_part(run, phrases), phrases))
        advance(1)
    return _verdict(part, phrases), told


def _asked(files: FileTold | None, more: PictureCurve | None, results: ResultsPart, phrases: Phrases) -> list[Section]:
    """What was asked of the pictures beside the test, as far as there is an answer."""
    told = []
    if files is not None:
        told.append(shortcut_section(files, dict(results.scores).get("balanced_accuracy"), phrases))
    if more is not None:
        told.append(more_section(more, phrases))
    return told


def _embedded(
    run: OpenRun, embedded: EmbeddedExamples, found: LabelReport | None, album: Album, phrases: Phrases
) -> list[Section]:
    """What embeddings tell: doubtful labels, where they could be judged, and the map."""
    told = []
    if found is not None:
        doubts = labels_part(run, embedded.examples, found, embedded.n_all, album)
        told.append(labels_section(doubts, phrases, lambda shown: _rather(shown, phrases)))
    plane = map_part(run, embedded.examples, embedded.vectors, embedded.n_all, own=embedded.own)
    return [*told, map_section(plane, phrases)]


def _verdict(part: VerdictPart, phrases: Phrases) -> Verdict:
    t, score = phrases, part.accuracy
    sentence = t("verdict_plain", accuracy=score.value, n=part.n_test)
    if score.low is not None:
        sentence = t("verdict", accuracy=score.value, n=part.n_test, low=score.low, high=score.high)
    width = 100 * ((score.high or 1) - (score.low or 0))
    leaked = t("leaked_all", n=part.leaked) if part.leaked else ""
    if part.leaked and part.clean is not None:
        clean = part.clean
        ends = {"low": clean.low or 0.0, "high": clean.high or 1.0}
        leaked = t("leaked", n=part.leaked, rest=part.n_clean, accuracy=clean.value, **ends)
    return Verdict(
        sentence=sentence,
        score=score,
        references=[(part.baseline, t("baseline", label=part.baseline_label, share=part.baseline))],
        doubt=t("too_small", width=f"{width:.0f}") if part.too_small else "",
        warning=leaked,
        note=t("verdict_note"),
    )


def _results(part: ResultsPart, class_count: int, phrases: Phrases) -> Section:
    t = phrases
    blocks: list[Block] = [
        scores_table(part.scores, _NO_SHARES, phrases),
        *_confusion(part.confusion, phrases),
        Heading(text=t("per_class")),
    ]
    if len(part.classes) < class_count:
        blocks.append(Paragraph(text=t("per_class_some", n=len(part.classes)), tone="soft"))
    blocks.append(_classes(part.classes, phrases))
    if part.pairs:
        groups = [_pair(pair, phrases) for pair in part.pairs]
        blocks += [Heading(text=t("pairs")), Pictures(layout="rows", groups=groups)]
    else:
        blocks.append(Paragraph(text=t("no_mistakes")))
    blocks.append(charts_block(part.charts, phrases))
    return Section(key="results", title=t("results"), blocks=blocks)


def _confusion(table: CrossTable | None, phrases: Phrases) -> list[Block]:
    t = phrases
    if table is None:
        return []
    lead = t.sentences(t("confusion_lead"), t("confusion_hover") if table.image else "")
    matrix = Matrix(table=table, title=t("confusion"), rows=t("truth"), columns=t("answer"))
    return [Heading(text=t("confusion")), Paragraph(text=lead, tone="soft"), matrix]


def _classes(rows: Sequence[ClassRow], phrases: Phrases) -> Table:
    t = phrases
    return Table(
        columns=[
            Column(name=t("class"), kind="name"),
            *(Column(name=t(key), kind="number") for key in ("train", "validation", "test", "recall")),
            Column(name=t("interval"), kind="interval"),
            *(Column(name=t(key), kind="number") for key in ("precision", "f1")),
        ],
        rows=[
            (
                row.name,
                *(f"{count:,}" for count in (row.train, row.validation, row.test)),
                t.percent(row.recall.value if row.recall else None),
                row.recall,
                t.percent(row.precision),
                t.percent(row.f1),
            )
            for row in rows
        ],
    )


def _pair(pair: Pair, phrases: Phrases) -> Group:
    return Group(
        pictures=pair.pictures,
        title=phrases("pair", label=pair.label, predicted=pair.predicted),
        count=phrases("once") if pair.count == 1 else phrases("times", n=pair.count),
    )


def _mistakes(mistakes: Sequence[Shown], heated: bool, phrases: Phrases) -> Section:
    def taken(shown: Shown) -> tuple[CaptionLine, ...]:
        share = phrases.percent(shown.probability)
        return (
            CaptionLine(text=phrases("is"), name=shown.label),
            CaptionLine(text=phrases("taken_for"), name=shown.predicted, share=share, bad=True),
        )

    lead = phrases("mistakes_lead") if heated else phrases("mistakes_plain")
    groups = [Group(pictures=captioned(mistakes, taken))]
    return Section(
        key="mistakes",
        title=phrases("mistakes"),
        blocks=[Paragraph(text=lead), Pictures(layout="cards", groups=groups, large=True)],
    )


def _rather(shown: Shown, phrases: Phrases) -> tuple[CaptionLine, ...]:
    share = phrases.percent(shown.probability, 0)
    return (
        CaptionLine(text=phrases("labelled"), name=shown.label, bad=True),
        CaptionLine(text=phrases("rather"), name=shown.predicted, share=share),
    )


def _abstention(part: AbstentionPart, phrases: Phrases) -> Section:
    t, measured = phrases, part.measured
    ends = {"low": measured.low or 0.0, "high": measured.high or 1.0}
    lead = t("abstention_lead", wanted=part.wanted)
    found = t("abstention_measured", measured=measured.value, size=f"{part.size:.2f}", **ends)
    if part.unknown is not None:
        unknown = Paragraph(text=t("abstention_novelty", share=part.unknown))
    else:
        unknown = Paragraph(text=t("abstention_few", n=part.calibrated_on), tone="warning")
    blocks: list[Block] = [Paragraph(text=t.sentences(lead, found))]
    if part.size > part.useful:
        blocks.append(Paragraph(text=t("abstention_useless", most=f"{part.useful:g}"), tone="warning"))
    return Section(key="abstention", title=t("abstention"), blocks=[*blocks, unknown])
