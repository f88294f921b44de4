"""`tellapart info MODEL`. In: a model file. Out: its manifest on the screen. Next: models.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.reporter import figure, percent

if TYPE_CHECKING:
    from tellapart.bundle import ClassificationRecord, MultilabelRecord, PreprocessingRecord, Score

_NAMED = 20  # classes that are listed
_VIEWS = {"flip": "the picture and its mirror image", "dihedral": "eight turned and flipped views of the picture"}


@click.command(
    "info",
    epilog="\b\nExamples:\n  tellapart info runs/latest\n  tellapart info model.onnx --json | jq .scores",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest as JSON.")
def command(model: Path, as_json: bool) -> None:
    """Show what MODEL (a model.onnx or a run's folder) holds: classes, scores, origin, licences."""
    from tellapart.bundle import read_manifest

    manifest = read_manifest(model)
    if as_json:
        click.echo(manifest.model_dump_json(indent=2))
        return
    preprocessing, backbone, data = manifest.preprocessing, manifest.backbone, manifest.data
    classes = ", ".join(manifest.classes[:_NAMED]) + (" ..." if len(manifest.classes) > _NAMED else "")
    lines = {
        "task": manifest.task,
        "classes": f"{len(manifest.classes)}: {classes}",
        "trained": f"{manifest.created} by tellapart {manifest.versions.get('tellapart', '?')} ({manifest.strategy})",
        "pictures": f"{data.name}: {data.n_train:,} train, {data.n_validation:,} validation, {data.n_test:,} test",
        "data fingerprint": data.fingerprint,
        "backbone": f"{backbone.name}, embedding of {backbone.embedding:,}",
        **({} if backbone.embedded_by is None else {"embedded by": f"{backbone.embedded_by} (training pictures)"}),
        "weights": f"{backbone.weights_source}, licence {backbone.weights_license}",
        "input": f"image uint8 [N, {preprocessing.size}, {preprocessing.size}, 3], "
        f"{preprocessing.interpolation}, {_fit(preprocessing)}",
    }
    if preprocessing.value_range is not None:
        from tellapart.deep_values import as_text

        lines["range of values"] = f"{as_text(preprocessing.value_range)}, of pictures of more than 8 bits"
    record = manifest.record
    if record.kind == "classification":
        lines["temperature"] = f"{record.temperature:.4g}"
    if backbone.test_time_augmentation != "none":
        lines["answer"] = f"the mean over {_VIEWS[backbone.test_time_augmentation]}"
    lines |= _classification(record) if record.kind == "classification" else _multilabel(record, manifest.classes)
    for name, score in manifest.scores.items():
        lines[f"test {name.replace('_', ' ')}"] = figure(name, score.value, score.low, score.high)
    if data.leaked:
        lines["leaked"] = f"{data.leaked:,} test pictures have a copy or group mate in train or validation"
        headline = next(iter(manifest.scores), "accuracy")  # of every task the first
        clean = (manifest.scores_without_leaked or {}).get(headline)
        lines[f"{headline.replace('_', ' ')} without"] = (
            "unknown: no clean test picture" if clean is None else figure(headline, clean.value, clean.low, clean.high)
        )
    lines["versions"] = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    for name, value in lines.items():
        click.echo(f"{name:<24} {value}")


def _fit(preprocessing: PreprocessingRecord) -> str:
    return f"crop {preprocessing.crop:g}" if preprocessing.fit == "crop" else f"whole pictures ({preprocessing.fit})"


def _classification(own: ClassificationRecord) -> dict[str, str]:
    """When the model says "one of these" or "none of these"; nothing for a file older than that."""
    record = own.abstention
    if record is None:
        return {}
    held = figure(
        "coverage", record.measured_coverage.value, record.measured_coverage.low, record.measured_coverage.high
    )
    return {
        "sets": f"every class at least {percent(record.threshold)} probable; {record.mean_set_size:.3g} a test picture",
        "set holds true class": f"{held} of test pictures; wanted {percent(record.coverage)}",
        "unknown": _unknown(record.novelty_threshold, record.known, record.calibrated_on),
    }


def _multilabel(record: MultilabelRecord, classes: tuple[str, ...]) -> dict[str, str]:
    """From which probability on each class is named, and when the model says "none of these"."""
    named = [f"{name} {percent(one)}" for name, one in zip(classes[:_NAMED], record.thresholds, strict=False)]
    return {
        "thresholds": f"{', '.join(named)}{' ...' if len(classes) > _NAMED else ''} (by {record.threshold_rule})",
        "unknown": _unknown(record.novelty_threshold, record.known, record.calibrated_on),
    }


def _unknown(threshold: float | None, known: Score | None, calibrated_on: int) -> str:
    if threshold is None or known is None:
        return f"nothing: {calibrated_on:,} validation pictures are too few to tell"
    share = figure("known", known.value, known.low, known.high)
    return f"a novelty above {threshold:.4g}; {share} of test pictures are known"
