"""The report of a classifier of texts. In: OpenRun, Phrases. Out: Verdict, sections. Next: telling.py."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tellapart.bundle import Score
from tellapart.evaluation.abstention import most_useful
from tellapart.features.cache import Cache
from tellapart.reporter import Reporter
from tellapart.reporting.blocks import Block, Column, Heading, Matrix, Paragraph, Section, Table, Verdict, Words
from tellapart.reporting.matrix import cross_table
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.sections import about_section, scores_table
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import about_part
from tellapart.tasks.text.looking import look_again, told_sections
from tellapart.tasks.text.network_section import network_of, network_sections

_SCORES = ("accuracy", "balanced_accuracy", "top_5", "macro_f1", "auroc", "log_loss", "brier")
_NO_SHARES = ("log_loss", "brier", "auroc", "macro_f1")  # shown as numbers, not in per cent
_MOST_ROWS = 60  # of the table of classes


def sections(run: OpenRun, phrases: Phrases, *, cache: Cache, reporter: Reporter) -> tuple[Verdict, list[Section]]:
    """Everything that the report says. Raises: DataError, StorageError."""
    with reporter.step("Writing the report", 2) as advance:
        looked = look_again(run)
        advance(1)
        told = [_results(run, phrases), *_telling(run, phrases), *_mistakes(run, phrases)]
        told += told_sections(run, looked, phrases)
        told += network_sections(run, phrases)
        if run.metrics.get("abstention"):
            told.append(_abstention(run, phrases))
        told.append(about_section(about_part(run, phrases), phrases))
        advance(1)
    return _verdict(run, phrases), told


def _verdict(run: OpenRun, phrases: Phrases) -> Verdict:
    t, test, clean = phrases, run.metrics["test"], run.metrics.get("test_without_leaked")
    score, baseline = Score.of(test["accuracy"]), test["majority_baseline"]
    common = max(test["per_class"], key=lambda name: test["per_class"][name]["support"])
    low, high = score.low or 0.0, score.high or 1.0
    leaked = ""
    if run.metrics["leaked"] and clean is not None:
        other = Score.of(clean["accuracy"])
        ends = {"low": other.low or 0.0, "high": other.high or 1.0}
        leaked = t("texts_leaked", n=run.metrics["leaked"], rest=clean["n"], accuracy=other.value, **ends)
    return Verdict(
        sentence=t("texts_verdict", accuracy=score.value, n=test["n"], low=low, high=high),
        score=score,
        references=[(baseline, t("baseline", label=common, share=baseline))],
        doubt=t("too_small", width=f"{100 * (high - low):.0f}") if test["too_small_to_tell"] else "",
        warning=leaked,
        note=t("texts_note"),
    )


def _results(run: OpenRun, phrases: Phrases) -> Section:
    t, test = phrases, run.metrics["test"]
    scores = [(name, Score.of(test[name])) for name in _SCORES if isinstance(test.get(name), dict)]
    blocks: list[Block] = [scores_table(scores, _NO_SHARES, phrases)]
    if test["confusion_matrix"] is not None:
        table = cross_table(run.classes, np.array(test["confusion_matrix"], dtype=np.int64))
        matrix = Matrix(table=table, title=t("confusion"), rows=t("truth"), columns=t("answer"))
        blocks += [Heading(text=t("confusion")), Paragraph(text=t("confusion_lead"), tone="soft"), matrix]
    blocks += [Heading(text=t("per_class")), _classes(run, phrases)]
    return Section(key="results", title=t("results"), blocks=blocks)


def _classes(run: OpenRun, phrases: Phrases) -> Table:
    t, per_class = phrases, run.metrics["test"]["per_class"]
    counts = Counter((example.split, example.target.text) for example in run.examples)
    names = (
        sorted(run.classes, key=lambda name: _least(per_class[name])) if len(run.classes) > _MOST_ROWS else run.classes
    )
    rows = []
    for name in names[:_MOST_ROWS]:
        row = per_class[name]
        own = row.get("recall_interval") or {}
        recall = None
        if row["recall"] is not None:
            recall = Score(value=row["recall"], low=own.get("low"), high=own.get("high"))
        there = (counts["train", name], counts["validation", name], row["support"])
        rows.append(
            (
                name,
                *(f"{count:,}" for count in there),
                t.percent(row["recall"]),
                recall,
                t.percent(row["precision"]),
                t.percent(row["f1"]),
            )
        )
    numbers = [Column(name=t(key), kind="number") for key in ("train", "validation", "test", "recall")]
    rates = [Column(name=t(key), kind="number") for key in ("precision", "f1")]
    columns = [Column(name=t("class"), kind="name"), *numbers, Column(name=t("interval"), kind="interval"), *rates]
    return Table(columns=columns, rows=rows)


def _least(row: dict[str, Any]) -> float:
    return 1.0 if row["recall"] is None else float(row["recall"])


def _telling(run: OpenRun, phrases: Phrases) -> list[Section]:
    """The n-grams that speak for each class."""
    t, found = phrases, run.metrics.get("telling") or {}
    if not any(found.values()):
        return []
    rows = [
        (name, ", ".join(f"“{one['gram'].strip() or one['gram']}” ({one['texts']:,})" for one in grams))
        for name, grams in list(found.items())[:_MOST_ROWS]
    ]
    columns = [Column(name=t("class"), kind="name"), Column(name=t("telling_column"))]
    blocks: list[Block] = [Paragraph(text=t("telling_lead"), tone="soft"), Table(columns=columns, rows=rows)]
    return [Section(key="telling", title=t("telling"), blocks=blocks)]


def _mistakes(run: OpenRun, phrases: Phrases) -> list[Section]:
    """The surest wrong answers, word by word."""
    t, found = phrases, run.metrics.get("mistakes") or []
    if not found:
        return []
    lead = t("texts_mistakes_words") if network_of(run) else t("texts_mistakes_lead")
    blocks: list[Block] = [Paragraph(text=lead)]
    for one in found:
        values = {"label": one["label"], "predicted": one["predicted"], "share": one["probability"]}
        words = [(str(word), round(3 * float(heat))) for word, heat in one["words"]]
        blocks.append(Words(title=t("texts_mistake", **values), words=words))
    return [Section(key="mistakes", title=t("texts_mistakes"), blocks=blocks)]


def _abstention(run: OpenRun, phrases: Phrases) -> Section:
    found, classes = run.metrics["abstention"], len(run.classes)
    t, measured = phrases, Score.of(found["coverage"])
    ends = {"low": measured.low or 0.0, "high": measured.high or 1.0}
    lead = t("texts_abstention", wanted=found["wanted"])
    size = found["mean_set_size"]
    blocks: list[Block] = [
        Paragraph(text=t.sentences(lead, t("texts_measured", measured=measured.value, size=f"{size:.2f}", **ends)))
    ]
    if size > most_useful(classes):
        blocks.append(Paragraph(text=t("abstention_useless", most=f"{most_useful(classes):g}"), tone="warning"))
    if found["known"] is not None:
        unknown = {"share": 1 - found["known"]["value"]}
        said = t("texts_novelty_words", **unknown) if network_of(run) else t("texts_novelty", **unknown)
        blocks.append(Paragraph(text=said))
    return Section(key="abstention", title=t("abstention"), blocks=blocks)
