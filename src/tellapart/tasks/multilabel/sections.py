"""The report of sets, section by section. In: OpenRun, Phrases. Out: Verdict, sections. Next: facts.py."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from tellapart.data.targets import Target
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
from tellapart.reporting.facts import CaptionLine, Shown
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
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import about_part, data_part, learning_part, map_part
from tellapart.tasks.multilabel.facts import DecisionPart, LabelRow, LabelsResultsPart, LabelsVerdictPart, MistakesPart
from tellapart.tasks.multilabel.pictures import doubt_labels, labels_part, names, sampled, worst_mistakes
from tellapart.tasks.multilabel.results import (
    HEADLINE,
    decision_part,
    label_rows,
    results_part,
    shows_image,
    verdict,
)

_NO_SHARES = ("log_loss", "micro_f1", "macro_f1")  # shown as numbers, not in per cent


def sections(run: OpenRun, phrases: Phrases, *, cache: Cache, reporter: Reporter) -> tuple[Verdict, list[Section]]:
    """Everything that the report says. Raises: DataError, ModelFileError, StorageError."""
    embedded, album = try_to_embed(run, cache, reporter), Album(run.preprocessing)
    with reporter.step("Writing the report", 5) as advance:
        rows = label_rows(run)
        data = data_part(run, sampled(rows), album, says=lambda target: names(target, phrases))
        advance(1)
        results = results_part(run, rows, phrases)
        advance(1)
        mistakes = worst_mistakes(run, album, phrases)
        advance(1)
        # A network that has learned the labels cannot say which of them are wrong.
        found = None if embedded is None or embedded.own else doubt_labels(run, embedded)
        advance(1)
        part = verdict(
            run,
            rows,
            wrong_labels=0 if found is None else len(found.cells),
            judged=0 if found is None else found.judged,
        )
        told = [
            next_section(part.advice, compared_table(part.compared, HEADLINE, phrases), phrases),
            data_section(data, phrases),
            learning_section(learning_part(run, phrases), phrases),
            _results(results, len(rows), phrases),
        ]
        if mistakes.missed or mistakes.false:
            told.append(_mistakes(mistakes, phrases))
        if embedded is not None and found is not None:
            doubts = labels_part(run, embedded, found, album, phrases)
            caption = functools.partial(_rather, phrases)
            told.append(labels_section(doubts, phrases, caption, counted="labels_cells_counts"))
        if embedded is not None:
            told.append(_map(run, embedded, phrases))
        told += [_decision(decision_part(run), phrases), about_section(about_part(run, phrases), phrases)]
        advance(1)
    return _verdict(part, phrases), told


def _map(run: OpenRun, embedded: EmbeddedExamples, phrases: Phrases) -> Section:
    """A dot has the colour of its picture's first class; those with none have one of their own."""
    none = phrases("labels_none_of_them")

    def first(target: Target) -> str:
        return target.classes[0] if target.classes else none

    plane = map_part(
        run,
        embedded.examples,
        embedded.vectors,
        embedded.n_all,
        own=embedded.own,
        colour_of=first,
        classes=[*run.classes, *([none] if any(not one.target.classes for one in embedded.examples) else [])],
    )
    section = map_section(plane, phrases)
    return Section(
        key=section.key,
        title=section.title,
        blocks=[*section.blocks, Paragraph(text=phrases("labels_map_colours"), tone="soft")],
    )


def _verdict(part: LabelsVerdictPart, phrases: Phrases) -> Verdict:
    t, score = phrases, part.score
    sentence = t("labels_verdict_plain", share=score.value, n=part.n_test)
    if score.low is not None:
        sentence = t("labels_verdict", share=score.value, n=part.n_test, low=score.low, high=score.high)
    share, exact = part.none
    references = [(share, t("labels_baseline_none", share=share, exact=exact))]
    if part.common is not None:
        always, share, exact = part.common
        said = t("labels_baseline_common", names=list(always), share=share, exact=exact)
        references.append((share, said))
    width = 100 * ((score.high or 1) - (score.low or 0))
    leaked = t("leaked_all", n=part.leaked) if part.leaked else ""
    if part.leaked and part.clean is not None:
        ends = {"low": part.clean.low or 0.0, "high": part.clean.high or 1.0}
        leaked = t("labels_leaked", n=part.leaked, rest=part.n_clean, share=part.clean.value, **ends)
    return Verdict(
        sentence=sentence,
        score=score,
        references=references,
        doubt=t("too_small", width=f"{width:.0f}") if part.too_small else "",
        warning=leaked,
        note=t("labels_verdict_note"),
    )


def _results(part: LabelsResultsPart, class_count: int, phrases: Phrases) -> Section:
    t = phrases
    blocks: list[Block] = [scores_table(part.scores, _NO_SHARES, phrases)]
    if part.unknown_cells:
        blocks.append(Paragraph(text=t("labels_unknown", n=part.unknown_cells), tone="soft"))
    blocks.append(Heading(text=t("per_class")))
    if len(part.classes) < class_count:
        blocks.append(Paragraph(text=t("labels_per_class_some", n=len(part.classes)), tone="soft"))
    blocks += [_classes(part.classes, phrases), *_together(part, phrases), charts_block(part.charts, phrases)]
    return Section(key="results", title=t("results"), blocks=blocks)


def _together(part: LabelsResultsPart, phrases: Phrases) -> list[Block]:
    """What comes together; beside it what is named together, where there is room for both."""
    t, image = phrases, shows_image(part)
    lead = t.sentences(t("together_lead"), t("confusion_hover") if image else "")
    row, column = t("together_of"), t("together_with")

    def matrix(table_of: str) -> Matrix:
        table = part.together if table_of == "truth" else part.said_together
        return Matrix(table=table, title=t("together"), rows=row, columns=column, off_is_wrong=False)

    blocks: list[Block] = [Heading(text=t("together")), Paragraph(text=lead, tone="soft"), matrix("truth")]
    if not image:
        blocks += [Heading(text=t("together_said")), matrix("answer")]
    return blocks


def _classes(rows: Sequence[LabelRow], phrases: Phrases) -> Table:
    t = phrases
    counts, figures = ("train", "validation", "test", "threshold", "recall"), ("precision", "f1")
    ranks = ("average_precision", "auroc")
    return Table(
        columns=[
            Column(name=t("class"), kind="name"),
            *(Column(name=t(key), kind="number") for key in counts),
            Column(name=t("interval"), kind="interval"),
            *(Column(name=t(key), kind="number") for key in (*figures, *ranks)),
        ],
        rows=[
            (
                row.name,
                *(f"{count:,}" for count in (row.train, row.validation, row.test)),
                f"{row.threshold:.2f}",
                t.percent(row.recall.value if row.recall else None),
                row.recall,
                *(t.percent(share) for share in (row.precision, row.f1, row.average_precision)),
                "–" if row.auroc is None else f"{row.auroc:.3f}",
            )
            for row in rows
        ],
    )


def _mistakes(part: MistakesPart, phrases: Phrases) -> Section:
    t = phrases

    def caption(key: str, shown: Shown) -> tuple[CaptionLine, ...]:
        label = CaptionLine(text=t(key), name=shown.predicted, share=t.percent(shown.probability), bad=True)
        return CaptionLine(text=t("labels_shows"), name=shown.label), label

    blocks: list[Block] = [Paragraph(text=t("labels_mistakes_lead") if part.heated else t("labels_mistakes_plain"))]
    for title, key, pictures in (
        ("labels_missed", "labels_missed_one", part.missed),
        ("labels_false", "labels_false_one", part.false),
    ):
        if pictures:
            groups = [Group(pictures=captioned(pictures, functools.partial(caption, key)))]
            blocks += [Heading(text=t(title)), Pictures(layout="cards", groups=groups, large=True)]
    return Section(key="mistakes", title=t("mistakes"), blocks=blocks)


def _rather(phrases: Phrases, shown: Shown) -> tuple[CaptionLine, ...]:
    key = "labels_rather_with" if shown.predicted.startswith("+") else "labels_rather_without"
    return (
        CaptionLine(text=phrases("labelled"), name=shown.label, bad=True),
        CaptionLine(text=phrases(key), name=shown.predicted[1:], share=phrases.percent(shown.probability, 0)),
    )


def _decision(part: DecisionPart, phrases: Phrases) -> Section:
    t = phrases
    said = t("labels_thresholds_f1", n=part.calibrated_on)
    if part.precision is not None:
        said = t("labels_thresholds_precision", n=part.calibrated_on, share=part.precision)
    unknown = Paragraph(text=t("labels_novelty_few", n=part.calibrated_on), tone="warning")
    if part.unknown is not None:
        unknown = Paragraph(text=t("abstention_novelty", share=part.unknown))
    return Section(key="abstention", title=t("labels_decision"), blocks=[Paragraph(text=said), unknown])
