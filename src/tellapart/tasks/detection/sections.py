"""The report of boxes, section by section. In: OpenRun, Phrases. Out: Verdict, sections. Next: facts.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tellapart.bundle import DetectionRecord
from tellapart.drawing.lettering import lacking
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
from tellapart.reporting.facts import AboutPart, Shown
from tellapart.reporting.matrix import FEW_CLASSES
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.sections import (
    about_section,
    charts_block,
    data_section,
    learning_section,
    next_section,
    scores_table,
)
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import SAMPLED, about_part, data_part, learning_part
from tellapart.tasks.detection.detectors import detector_kind
from tellapart.tasks.detection.drawn import class_samples, counted_in_words, doubts_part, drawn_part
from tellapart.tasks.detection.facts import (
    BoxDoubtsPart,
    BoxesResultsPart,
    BoxesVerdictPart,
    BoxRow,
    DrawnPart,
    ErrorRow,
)
from tellapart.tasks.detection.results import box_rows, results_part, verdict, worst_rows
from tellapart.tasks.detection.tested import match_test

_CODED = 5  # names that a sentence lists
_STRATEGIES = {"probe": "boxes_probe", "finetune": "boxes_finetune", "scratch": "boxes_scratch"}
_ERRORS = {
    "class": "boxes_error_class",
    "place": "boxes_error_place",
    "both": "boxes_error_both",
    "copy": "boxes_error_copy",
    "background": "boxes_error_background",
    "missed": "boxes_error_missed",
}
_FAULTS = {
    "missing": "boxes_fault_missing",
    "class": "boxes_fault_class",
    "place": "boxes_fault_place",
    "nothing": "boxes_fault_nothing",
}


def sections(run: OpenRun, phrases: Phrases, *, cache: Cache, reporter: Reporter) -> tuple[Verdict, list[Section]]:
    """Everything that the report says; nothing of it needs `cache`. Raises: DataError, ModelFileError, StorageError."""
    with reporter.step("Writing the report", 5) as advance:
        rows, tested = box_rows(run), match_test(run)
        advance(1)
        shown = [row.name for row in (rows if len(rows) <= SAMPLED else worst_rows(rows, SAMPLED))]
        album = Album(run.preprocessing)
        data = data_part(run, (), album, says=lambda target: counted_in_words(target, phrases))
        data = replace(data, samples=class_samples(run, shown))
        advance(1)
        results = results_part(run, rows, tested, phrases)
        advance(1)
        drawn = drawn_part(run, tested, phrases)
        advance(1)
        doubts = doubts_part(run, tested, phrases)
        part = verdict(run, rows, wrong_boxes=sum(count for _, count in doubts.counts), judged=doubts.judged)
        pictures = data_section(data, phrases, two_labels="boxes_differ")
        told = [
            next_section(part.advice, _compared(part.compared, phrases), phrases),
            replace(pictures, blocks=[*pictures.blocks, *_box_counts(run, rows, phrases)]),
            learning_section(learning_part(run, phrases), phrases),
            _results(results, len(rows), phrases),
            _seen(drawn, lacking(run.classes), phrases),
            _mistakes(drawn, phrases),
            _doubts(doubts, phrases),
            _decision(run, phrases),
            about_section(_about(run, phrases), phrases),
        ]
        advance(1)
    return _verdict(part, phrases), told


def _verdict(part: BoxesVerdictPart, phrases: Phrases) -> Verdict:
    t, score = phrases, part.score
    counts = {"share": score.value, "n": part.n_test, "boxes": part.boxes}
    sentence = t("boxes_verdict_plain", **counts)
    if score.low is not None:
        sentence = t("boxes_verdict", **counts, low=score.low, high=score.high)
    told = ""
    if part.precision is not None and part.recall is not None and part.count_error is not None:
        precision = t.percent(part.precision)
        told = t("boxes_verdict_told", precision=precision, recall=part.recall, share=part.count_error)
    width = 100 * ((score.high or 1) - (score.low or 0))
    leaked = t("leaked_all", n=part.leaked) if part.leaked else ""
    if part.leaked and part.clean is not None:
        ends = {"low": part.clean.low or 0.0, "high": part.clean.high or 1.0}
        leaked = t("boxes_leaked", n=part.leaked, rest=part.n_clean, share=part.clean.value, **ends)
    return Verdict(
        sentence=sentence,
        score=score,
        references=[],
        doubt=t("too_small", width=f"{width:.0f}") if part.too_small else "",
        warning=leaked,
        note=t.sentences(told, t("boxes_verdict_note")),
    )


def _compared(candidates: Sequence[tuple[str, float, float]], phrases: Phrases) -> Table | None:
    """AP and AP50 of each candidate on validation, the kept one first; None where there was no choice."""
    if len(candidates) < 2:
        return None
    return Table(
        columns=[Column(name=""), *(Column(name=name, kind="number") for name in ("AP", "AP50")), Column(name="")],
        rows=[
            (phrases(_STRATEGIES[strategy]), phrases.percent(ap), phrases.percent(ap50), "" if row else phrases("kept"))
            for row, (strategy, ap, ap50) in enumerate(candidates)
        ],
        kept=0,
    )


def _box_counts(run: OpenRun, rows: Sequence[BoxRow], phrases: Phrases) -> list[Block]:
    """How many boxes of each class there are, and how large."""
    t, sizes = phrases, (run.audit.get("boxes") or {}).get("box_sizes", {})
    splits = ("train", "validation", "test")
    return [
        Heading(text=t("boxes_data")),
        Table(
            columns=[
                Column(name=t("class"), kind="name"),
                *(Column(name=t(key), kind="number") for key in (*splits, "boxes_median")),
            ],
            rows=[
                (
                    row.name,
                    *(f"{count:,}" for count in (row.train, row.validation, row.test)),
                    t("boxes_pixels", n=round(sizes[row.name]["median"])) if row.name in sizes else "–",
                )
                for row in rows
            ],
        ),
        Paragraph(text=t("boxes_size_note"), tone="soft"),
    ]


def _results(part: BoxesResultsPart, class_count: int, phrases: Phrases) -> Section:
    t, image = phrases, class_count + 1 > FEW_CLASSES
    blocks: list[Block] = [
        scores_table(part.scores, (), phrases),
        Paragraph(text=t("boxes_scores_note"), tone="soft"),
        Heading(text=t("per_class")),
    ]
    if len(part.classes) < class_count:
        blocks.append(Paragraph(text=t("boxes_per_class_some", n=len(part.classes)), tone="soft"))
    blocks += [_classes(part.classes, phrases), Paragraph(text=t("boxes_class_note"), tone="soft")]
    blocks += [charts_block(part.charts, phrases), *_errors(part.errors, phrases)]
    blocks += [
        Heading(text=t("confusion")),
        Paragraph(text=t.sentences(t("boxes_confusion_lead"), t("confusion_hover") if image else ""), tone="soft"),
        Matrix(table=part.confusion, title=t("confusion"), rows=t("truth"), columns=t("answer")),
    ]
    return Section(key="results", title=t("results"), blocks=blocks)


def _classes(rows: Sequence[BoxRow], phrases: Phrases) -> Table:
    t = phrases
    return Table(
        columns=[
            Column(name=t("class"), kind="name"),
            *(Column(name=t(key), kind="number") for key in ("boxes_boxes", "pictures", "threshold")),
            *(Column(name=t(key), kind="number") for key in ("precision", "recall", "f1")),
            Column(name="AP50", kind="number"),
            Column(name=t("interval"), kind="interval"),
            Column(name="AP", kind="number"),
            Column(name=t("boxes_count_miss"), kind="number"),
        ],
        rows=[
            (
                row.name,
                f"{row.test:,}",
                f"{row.pictures:,}",
                f"{row.threshold:.2f}",
                *(t.percent(share) for share in (row.precision, row.recall, row.f1)),
                t.percent(row.ap50.value if row.ap50 else None),
                row.ap50,
                t.percent(row.ap),
                "–" if row.count_miss is None else f"{row.count_miss:.2f}",
            )
            for row in rows
        ],
    )


def _errors(rows: Sequence[ErrorRow], phrases: Phrases) -> list[Block]:
    t = phrases
    if not rows:
        return [Heading(text=t("boxes_errors")), Paragraph(text=t("boxes_errors_none"))]
    numbers = [Column(name=t(key), kind="number") for key in ("boxes_number", "boxes_lost")]
    table = Table(
        columns=[Column(name=t("boxes_error")), *numbers],
        rows=[(t(_ERRORS[row.kind]), f"{row.number:,}", t.percent(row.lost)) for row in rows],
    )
    lead = t.sentences(t("boxes_errors_lead"), t("boxes_errors_all"))
    return [Heading(text=t("boxes_errors")), Paragraph(text=lead, tone="soft"), table]


def _wide(pictures: Sequence[Shown], *, large: bool = False) -> Pictures:
    return Pictures(layout="wide", groups=[Group(pictures=pictures)], large=large)


def _seen(part: DrawnPart, coded: Sequence[str], phrases: Phrases) -> Section:
    """`coded` are the names of which some letters cannot be drawn."""
    blocks: list[Block] = [Paragraph(text=phrases("boxes_seen_lead", n=len(part.sample), all=part.n))]
    if coded:
        names = phrases.joined([*coded[:_CODED], *(["..."] if len(coded) > _CODED else [])])
        blocks.append(Paragraph(text=phrases("boxes_codes", names=names), tone="soft"))
    return Section(key="seen", title=phrases("boxes_seen"), blocks=[*blocks, _wide(part.sample, large=True)])


def _mistakes(part: DrawnPart, phrases: Phrases) -> Section:
    blocks: list[Block] = []
    for title, count, pictures in (
        ("boxes_false", part.n_false, part.false),
        ("boxes_missed", part.n_missed, part.missed),
    ):
        if pictures:
            blocks += [Heading(text=phrases(title), count=f"{count:,}"), _wide(pictures)]
    if not blocks:
        blocks.append(Paragraph(text=phrases("boxes_mistakes_none")))
    return Section(key="mistakes", title=phrases("mistakes"), blocks=blocks)


def _doubts(part: BoxDoubtsPart, phrases: Phrases) -> Section:
    t = phrases
    found = t.joined([t(_FAULTS[fault], n=count) for fault, count in part.counts])
    blocks: list[Block] = [Paragraph(text=t("boxes_doubts_lead", n=part.n, all=part.n_all))]
    blocks.append(Paragraph(text=f"{found}{'。' if t.language == 'zh' else '.'}" if found else t("boxes_doubts_none")))
    if part.shown:
        blocks.append(_wide(part.shown))
    whole = sum(count for _, count in part.counts)
    if len(part.shown) < whole:
        blocks.append(Paragraph(text=t("boxes_doubts_some", n=len(part.shown), all=whole), tone="soft"))
    return Section(key="doubts", title=t("boxes_doubts"), blocks=blocks)


def _decision(run: OpenRun, phrases: Phrases) -> Section:
    record = run.manifest.record_of(DetectionRecord)
    rule, _, wanted = record.threshold_rule.partition(" ")
    said = phrases("boxes_thresholds_f1", n=record.calibrated_on)
    if rule == "precision":
        said = phrases("boxes_thresholds_precision", n=record.calibrated_on, share=float(wanted))
    blocks = [Paragraph(text=said)]
    if record.known is not None:
        blocks.append(Paragraph(text=phrases("abstention_novelty", share=1 - record.known.value)))
    elif run.metrics.get("abstention"):
        blocks.append(Paragraph(text=phrases("labels_novelty_few", n=record.calibrated_on), tone="warning"))
    return Section(key="decision", title=phrases("boxes_decision"), blocks=blocks)


def _about(run: OpenRun, phrases: Phrases) -> AboutPart:
    """What every report says, with the strategy called what it is here, and the detector beside its backbone."""
    part, strategy = about_part(run, phrases), run.manifest.strategy
    said = phrases(_STRATEGIES[strategy]) if strategy in _STRATEGIES else strategy
    facts = [(key, said if key == "strategy" else text) for key, text in part.facts]
    place = [key for key, _ in facts].index("backbone")
    # By the recipe, since files of older versions do not say which it is.
    facts.insert(place, ("detector", detector_kind(run.settings.network.detector).name))
    return replace(part, facts=facts)
