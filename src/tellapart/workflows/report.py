"""report.html of a run. In: a run's folder. Out: one file that needs no network. Next: runs/record.py.

Everything is read back from the folder, so that a report made later is the one that training made, but for pictures
that are gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.bundle import Manifest
from tellapart.errors import BackboneError, DataError, SettingsError, StorageError
from tellapart.evaluation.labels import LabelReport, examine_labels
from tellapart.features.cache import Cache
from tellapart.reporter import Reporter
from tellapart.reporting.facts import AboutPart, AbstentionPart, Report
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Language, Phrases
from tellapart.runs.embeddings import Embedded, embed_run
from tellapart.runs.record import RunRecord, read_run
from tellapart.storage import write_bytes
from tellapart.tasks.classification.pictures import Album, data_part, labels_part, map_part, worst_mistakes
from tellapart.tasks.classification.results import class_rows, figure, learning_part, results_part, verdict
from tellapart.training.out_of_fold import out_of_fold

NAME = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReport:
    """Where a report is and what it could not show."""

    path: Path
    size_bytes: int
    missing: int  # pictures that are gone


def write_report(
    folder: Path, *, language: Language, cache: Cache, reporter: Reporter, out: Path | None = None
) -> WrittenReport:
    """Write a run's report, in place of an earlier one in its folder, or to `out`, which must not be there yet.

    Raises: SettingsError, DataError, ModelFileError, StorageError.
    """
    run = read_run(folder)
    target = out or folder / NAME
    if out is not None and out.exists():
        raise StorageError(
            f"{out} is there already, and nothing is overwritten unasked. Choose another --out or move it."
        )
    album = Album()
    report = _gather(run, Phrases(language), album, cache, reporter)
    data = render(report, Phrases(language)).encode("utf-8", "backslashreplace")
    write_bytes(target, data)
    return WrittenReport(path=target, size_bytes=len(data), missing=report.about.missing)


def _gather(run: RunRecord, phrases: Phrases, album: Album, cache: Cache, reporter: Reporter) -> Report:
    embedded = _embedded(run, cache, reporter)
    with reporter.step("Writing the report", 5) as advance:
        rows = class_rows(run)
        data = data_part(run, rows, album)
        advance(1)
        results = results_part(run, rows, album.show, phrases)
        advance(1)
        mistakes, heated = worst_mistakes(run, album)
        advance(1)
        # A network that has learned the labels cannot say which of them are wrong.
        found = None if embedded is None or embedded.own else _examine(run, embedded)
        advance(1)
        labels = plane = None
        if embedded is not None:
            plane = map_part(run, embedded.examples, embedded.vectors, embedded.n_all, own=embedded.own)
            if found is not None:
                labels = labels_part(run, embedded.examples, found, embedded.n_all, album)
        wrong = 0 if found is None else len(found.wrong)
        report = Report(
            name=run.manifest.data.name,
            made=run.manifest.created.replace("T", " ")[:16],
            verdict=verdict(
                run, rows, results, wrong_labels=wrong, examined=0 if embedded is None else len(embedded.examples)
            ),
            data=data,
            learning=learning_part(run, phrases),
            results=results,
            mistakes=mistakes,
            heated=heated,
            labels=labels,
            map=plane,
            abstention=_abstention(run),
            about=_about(run, phrases),
        )
        advance(1)
    return report


def _embedded(run: RunRecord, cache: Cache, reporter: Reporter) -> Embedded | None:
    try:
        embedded = embed_run(run, cache, reporter)
    except (BackboneError, SettingsError) as error:
        reporter.warn(f"The report has no map and no label doctor: {error}")
        return None
    return embedded if len(embedded.examples) >= 2 else None


def _examine(run: RunRecord, embedded: Embedded) -> LabelReport | None:
    number = {name: index for index, name in enumerate(run.classes)}
    labels = [number[example.target.text] for example in embedded.examples]
    groups = [example.group for example in embedded.examples]
    strength = (run.metrics["training"].get("probe") or {}).get("strength")
    try:
        chances = out_of_fold(
            embedded.vectors,
            np.array(labels),
            groups,
            class_count=len(run.classes),
            strength=strength,
            seed=run.settings.seed,
            class_weights=run.settings.class_weights,
        )
    except DataError:
        return None  # of a thousand classes, a sample may miss one
    return examine_labels(chances, np.array(labels), embedded.vectors, groups=groups)


def _abstention(run: RunRecord) -> AbstentionPart | None:
    found = run.metrics.get("abstention")
    if not found:
        return None
    return AbstentionPart(
        wanted=found["wanted"],
        measured=figure(found["coverage"]),
        size=found["mean_set_size"],
        unknown=None if found["known"] is None else 1 - found["known"]["value"],
        calibrated_on=found["calibrated_on"],
    )


def _views(manifest: Manifest, phrases: Phrases) -> list[tuple[str, str]]:
    key = {"none": "", "flip": "views_flip", "dihedral": "views_dihedral"}[manifest.backbone.test_time_augmentation]
    return [("views", phrases(key))] if key else []


def _about(run: RunRecord, phrases: Phrases) -> AboutPart:
    manifest = run.manifest
    missing = sum(not example.path.exists() for example in run.examples if not example.problem)
    facts = [
        ("strategy", phrases(manifest.strategy)),
        ("backbone", manifest.backbone.name),
        *_views(manifest, phrases),
        ("weights", manifest.backbone.weights_source),
        ("license", manifest.backbone.weights_license),
        ("seed", str(run.settings.seed)),
        ("time", phrases.duration(run.metrics["seconds"]["whole"])),
        ("made", manifest.created),
    ]
    return AboutPart(
        facts=facts, versions=sorted(manifest.versions.items()), model=str(run.folder / "model.onnx"), missing=missing
    )
