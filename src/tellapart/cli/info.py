"""`tellapart info MODEL`. In: a model file. Out: its manifest on the screen. Next: models.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tellapart.cli.model_argument import MODEL
from tellapart.reporter import figure

if TYPE_CHECKING:
    from tellapart.bundle import Manifest, PreprocessingRecord

_VIEWS = {"flip": "the picture and its mirror image", "dihedral": "eight turned and flipped views of the picture"}


@click.command(
    "info",
    epilog="\b\nExamples:\n  tellapart info runs/latest\n  tellapart info model.onnx --json | jq .scores",
)
@click.argument("model", type=MODEL)
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest as JSON.")
def command(model: Path, as_json: bool) -> None:
    """Show what MODEL (a model.onnx or a run's folder) holds: classes, scores, origin, licences."""
    from tellapart.bundle import read_manifest

    manifest = read_manifest(model)
    if as_json:
        click.echo(manifest.model_dump_json(indent=2))
        return
    lines = {**_origin(manifest), **_made_smaller(manifest), **_answer(manifest), **_scores(manifest)}
    lines["versions"] = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    width = max(24, *map(len, lines))
    for name, value in lines.items():
        click.echo(f"{name:<{width}} {value}")


def _origin(manifest: Manifest) -> dict[str, str]:
    """What was learned, from which pictures, on which network, and what goes into it."""
    from tellapart.record_parts import NAMED

    backbone, data = manifest.backbone, manifest.data
    classes = ", ".join(manifest.classes[:NAMED]) + (" ..." if len(manifest.classes) > NAMED else "")
    made = "trained" if manifest.scores else "put together"
    lines = {
        "task": manifest.task,
        "classes": f"{len(manifest.classes)}: {classes}",
        made: f"{manifest.created} by tellapart {manifest.versions.get('tellapart', '?')} ({manifest.strategy})",
        "pictures"
        if manifest.pictures
        else "texts": f"{data.name}: {data.n_train:,} train, {data.n_validation:,} validation, {data.n_test:,} test",
        "data fingerprint": data.fingerprint,
        "backbone": f"{backbone.name}, {'embedding' if manifest.pictures else 'a table'} of {backbone.embedding:,}",
        **({} if backbone.embedded_by is None else {"embedded by": f"{backbone.embedded_by} (training pictures)"}),
        "weights": f"{backbone.weights_source}, licence {backbone.weights_license}",
    }
    if manifest.pictures is None:
        return lines | {"input": f"{manifest.record.takes} int32 [N, rows, L], numbers of what is known of a text"}
    preprocessing = manifest.pictures
    lines["input"] = (
        f"image uint8 [N, {preprocessing.size}, {preprocessing.size}, 3], "
        f"{preprocessing.interpolation}, {_fit(preprocessing)}"
    )
    if preprocessing.value_range is not None:
        from tellapart.deep_values import as_text

        lines["range of values"] = f"{as_text(preprocessing.value_range)}, of pictures of more than 8 bits"
    return lines


def _made_smaller(manifest: Manifest) -> dict[str, str]:
    """What was done to the trained network, and what it was before."""
    found = manifest.compression
    if found is None:
        return {}
    before, after, name = found.before, found.after, next(iter(manifest.scores), "score")
    score = figure(name, before.score.value, before.score.low, before.score.high)
    lines = {
        "made smaller": "; ".join(step.told for step in found.steps),
        "before that": f"{score}, {before.megabytes:.1f} MB (now {after.megabytes:.1f}), "
        f"{before.macs / 1e6:,.0f} million multiply-adds (now {after.macs / 1e6:,.0f})",
    }
    if (other := found.by_openvino) is not None:
        told = figure(name, other.score.value, other.score.low, other.score.high)
        lines[f"by {other.engine}"] = f"{told}, {other.flipped:,} answers are not ONNX Runtime's"
    return lines


def _answer(manifest: Manifest) -> dict[str, str]:
    """How the network's output becomes an answer."""
    record, views = manifest.record, manifest.backbone.test_time_augmentation
    mean = {} if views == "none" else {"answer": f"the mean over {_VIEWS[views]}"}
    return record.calibrated | mean | record.decided(manifest.classes)


def _scores(manifest: Manifest) -> dict[str, str]:
    """The test's figures, and what copies of test pictures in train or validation make of the first of them."""
    lines = {
        f"test {name.replace('_', ' ')}": figure(name, score.value, score.low, score.high)
        for name, score in manifest.scores.items()
    }
    if manifest.data.leaked:
        lines["leaked"] = f"{manifest.data.leaked:,} test pictures have a copy or group mate in train or validation"
        headline = next(iter(manifest.scores), "accuracy")
        clean = (manifest.scores_without_leaked or {}).get(headline)
        lines[f"{headline.replace('_', ' ')} without"] = (
            "unknown: no clean test picture" if clean is None else figure(headline, clean.value, clean.low, clean.high)
        )
    return lines


def _fit(preprocessing: PreprocessingRecord) -> str:
    if preprocessing.fit == "tile":
        scale = "" if preprocessing.scale == 1 else f" at {preprocessing.scale:g} times the picture's size"
        return f"tiles that share {preprocessing.overlap} pixels{scale}"
    if preprocessing.fit == "crop_or_pad":
        return "not scaled: cropped or padded"
    return f"crop {preprocessing.crop:g}" if preprocessing.fit == "crop" else f"whole pictures ({preprocessing.fit})"
