"""The report of masks, section by section. In: OpenRun, Phrases. Out: Verdict, sections. Next: facts.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tellapart.bundle import Score, SegmentationRecord
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
from tellapart.tasks.segmentation.facts import AreaRow, MaskDoubtsPart, MasksResultsPart, MasksVerdictPart, ShownMasks
from tellapart.tasks.segmentation.results import area_rows, results_part, verdict, worst_rows
from tellapart.tasks.segmentation.shown_masks import doubts_part, shown_part

_CODED = 5  # names that a sentence lists
_STRATEGIES = {"probe": "masks_probe", "finetune": "masks_finetune", "scratch": "masks_scratch"}
_FAULTS = {"missing": "masks_fault_missing", "surplus": "masks_fault_surplus", "swapped": "masks_fault_swapped"}


def sections(run: OpenRun, phrases: Phrases, *, cache: Cache, reporter: Reporter) -> tuple[Verdict, list[Section]]:
    """Everything that the report says; nothing of it needs `cache`. Raises: DataError, ModelFileError, StorageError."""
    with reporter.step("Writing the report", 4) as advance:
        rows = area_rows(run)
        sampled = [row.name for row in (rows if len(rows) <= SAMPLED else worst_rows(rows, SAMPLED))]
        data = data_part(run, sampled, Album(run.preprocessing), says=lambda target: target.said)
        advance(1)
        results = results_part(run, rows, phrases)
        advance(1)
        shown, doubts = shown_part(run, phrases), doubts_part(run, phrases)
        advance(1)
        doubted = sum(bool(line.doubts) for line in run.mask_predictions.lines)
        part = verdict(run, rows, doubted=doubted)
        pictures = data_section(data, phrases, two_labels="masks_differ")
        told = [
            next_section(part.advice, _compared(part.compared, phrases), phrases),
            replace(pictures, blocks=[*pictures.blocks, *_areas(rows, phrases)]),
            _learning(run, phrases),
            _results(results, len(rows), phrases),
            _seen(shown, lacking(run.classes), phrases),
            _mistakes(shown, phrases),
            _doubts(doubts, phrases),
            _decision(run, phrases),
            about_section(_about(run, phrases), phrases),
        ]
        advance(1)
    return _verdict(part, phrases), told


def _verdict(part: MasksVerdictPart, phrases: Phrases) -> Verdict:
    t, score = phrases, part.score
    counts = {"share": score.value, "n": part.n_test}
    sentence = t("masks_verdict_plain", **counts)
    if score.low is not None:
        sentence = t("masks_verdict", **counts, low=score.low, high=score.high)
    told = t("masks_verdict_told", dice=t.percent(part.dice), accuracy=t.percent(part.accuracy))
    name, always = part.common
    references = [(always, t("masks_baseline", label=name, share=always))]
    if part.probe is not None:
        references.append((part.probe, t("masks_baseline_probe", share=part.probe)))
    width = 100 * ((score.high or 1) - (score.low or 0))
    leaked = t("leaked_all", n=part.leaked) if part.leaked else ""
    if part.leaked and part.clean is not None:
        ends = {"low": part.clean.low or 0.0, "high": part.clean.high or 1.0}
        leaked = t("masks_leaked", n=part.leaked, rest=part.n_clean, share=part.clean.value, **ends)
    return Verdict(
        sentence=sentence,
        score=score,
        references=references,
        doubt=t("too_small", width=f"{width:.0f}") if part.too_small else "",
        warning=leaked,
        note=t.sentences(told, t("masks_verdict_note")),
    )


def _compared(candidates: Sequence[tuple[str, float, float]], phrases: Phrases) -> Table | None:
    """IoU and Dice of each candidate on validation, the kept one first; None where there was no choice."""
    if len(candidates) < 2:
        return None
    return Table(
        columns=[Column(name=""), *(Column(name=name, kind="number") for name in ("IoU", "Dice")), Column(name="")],
        rows=[
            (
                phrases(_STRATEGIES[strategy]),
                phrases.percent(iou),
                phrases.percent(dice),
                "" if row else phrases("kept"),
            )
            for row, (strategy, iou, dice) in enumerate(candidates)
        ],
        kept=0,
    )


def _areas(rows: Sequence[AreaRow], phrases: Phrases) -> list[Block]:
    """How many pictures show each class, and how much of the training pictures it is."""
    t = phrases
    return [
        Heading(text=t("masks_data")),
        Table(
            columns=[
                Column(name=t("class"), kind="name"),
                *(Column(name=t(key), kind="number") for key in ("train", "validation", "test", "masks_share")),
            ],
            rows=[
                (row.name, *(f"{count:,}" for count in (row.train, row.validation, row.test)), t.percent(row.share))
                for row in rows
            ],
        ),
        Paragraph(text=t("masks_share_note"), tone="soft"),
    ]


def _learning(run: OpenRun, phrases: Phrases) -> Section:
    """As every report has it; a pixel probe has no epochs to tell of."""
    part = learning_part(run, phrases)
    section = learning_section(part, phrases)
    if part.epochs:
        return section
    return replace(section, blocks=[Paragraph(text=phrases("masks_learned_probe"))])


def _results(part: MasksResultsPart, class_count: int, phrases: Phrases) -> Section:
    t, image = phrases, class_count > FEW_CLASSES
    distance = "–" if part.distance is None else _pixels(part.distance, phrases)
    note = t("masks_scores_note", n=part.tolerance, distance=distance, share=t.percent(part.count_error))
    blocks: list[Block] = [
        scores_table(part.scores, (), phrases),
        Paragraph(text=note, tone="soft"),
        Heading(text=t("per_class")),
    ]
    if len(part.classes) < class_count:
        blocks.append(Paragraph(text=t("masks_per_class_some", n=len(part.classes)), tone="soft"))
    blocks += [_classes(part.classes, phrases), Paragraph(text=t("masks_class_note"), tone="soft")]
    blocks += [
        charts_block(part.charts, phrases),
        Heading(text=t("confusion")),
        Paragraph(text=t.sentences(t("masks_confusion_lead"), t("confusion_hover") if image else ""), tone="soft"),
        Matrix(table=part.confusion, title=t("confusion"), rows=t("truth"), columns=t("answer")),
    ]
    return Section(key="results", title=t("results"), blocks=blocks)


def _pixels(score: Score, phrases: Phrases) -> str:
    ends = {
        "low": f"{score.value if score.low is None else score.low:.1f}",
        "high": f"{score.value if score.high is None else score.high:.1f}",
    }
    return phrases("masks_distance", value=f"{score.value:.1f}", **ends)


def _classes(rows: Sequence[AreaRow], phrases: Phrases) -> Table:
    t = phrases
    return Table(
        columns=[
            Column(name=t("class"), kind="name"),
            Column(name=t("pictures"), kind="number"),
            Column(name="IoU", kind="number"),
            Column(name=t("interval"), kind="interval"),
            Column(name="Dice", kind="number"),
            *(Column(name=t(key), kind="number") for key in ("precision", "recall", "boundary_f1", "masks_hausdorff")),
            *(Column(name=t(key), kind="number") for key in ("masks_parts", "masks_told_parts")),
        ],
        rows=[
            (
                row.name,
                f"{row.test:,}",
                t.percent(row.iou.value if row.iou else None),
                row.iou,
                *(t.percent(share) for share in (row.dice, row.precision, row.recall, row.boundary_f1)),
                "–" if row.hausdorff95 is None else f"{row.hausdorff95:.1f}",
                *("–" if count is None else f"{count:,}" for count in (row.parts, row.told_parts)),
            )
            for row in rows
        ],
    )


def _strips(pictures: Sequence[Shown]) -> Pictures:
    return Pictures(layout="strips", groups=[Group(pictures=pictures)])


def _seen(part: ShownMasks, coded: Sequence[str], phrases: Phrases) -> Section:
    """`coded` are the names of which some letters cannot be drawn."""
    blocks: list[Block] = [Paragraph(text=phrases("masks_seen_lead", n=len(part.sample), all=part.n))]
    if coded:
        names = phrases.joined([*coded[:_CODED], *(["..."] if len(coded) > _CODED else [])])
        blocks.append(Paragraph(text=phrases("boxes_codes", names=names), tone="soft"))
    return Section(key="seen", title=phrases("boxes_seen"), blocks=[*blocks, _strips(part.sample)])


def _mistakes(part: ShownMasks, phrases: Phrases) -> Section:
    blocks: list[Block] = []
    for title, pictures in (("masks_worst", part.worst), ("masks_best", part.best)):
        if pictures:
            blocks += [Heading(text=phrases(title)), _strips(pictures)]
    return Section(key="mistakes", title=phrases("masks_extremes"), blocks=blocks)


def _doubts(part: MaskDoubtsPart, phrases: Phrases) -> Section:
    t = phrases
    found = t.joined([t(_FAULTS[fault], n=count) for fault, count in part.counts])
    blocks: list[Block] = [Paragraph(text=t("masks_doubts_lead", n=part.n))]
    blocks.append(Paragraph(text=f"{found}{'。' if t.language == 'zh' else '.'}" if found else t("masks_doubts_none")))
    if part.shown:
        blocks.append(_strips(part.shown))
    whole = sum(count for _, count in part.counts)
    if len(part.shown) < whole:
        blocks.append(Paragraph(text=t("boxes_doubts_some", n=len(part.shown), all=whole), tone="soft"))
    return Section(key="doubts", title=t("masks_doubts"), blocks=blocks)


def _decision(run: OpenRun, phrases: Phrases) -> Section:
    record, calibration = run.manifest.record_of(SegmentationRecord), run.metrics.get("calibration")
    if calibration is None:
        blocks = [Paragraph(text=phrases("masks_mean"))]
    else:
        values = {"temperature": f"{record.temperature:.3g}", "n": calibration["pixels"]}
        errors = {name: f"{calibration[name]:.3f}" for name in ("before", "after")}
        blocks = [Paragraph(text=phrases("masks_temperature", **values, **errors))]
    if record.known is not None:
        blocks.append(Paragraph(text=phrases("abstention_novelty", share=1 - record.known.value)))
    elif run.metrics.get("abstention"):
        blocks.append(Paragraph(text=phrases("labels_novelty_few", n=record.calibrated_on), tone="warning"))
    return Section(key="decision", title=phrases("masks_decision"), blocks=blocks)


def _about(run: OpenRun, phrases: Phrases) -> AboutPart:
    """What every report says, with the strategy called what it is here."""
    part, strategy = about_part(run, phrases), run.manifest.strategy
    said = phrases(_STRATEGIES[strategy]) if strategy in _STRATEGIES else strategy
    return replace(part, facts=[(key, said if key == "strategy" else text) for key, text in part.facts])
