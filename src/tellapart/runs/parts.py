"""What every report of a run with pictures says, whatever the task. In: OpenRun. Out: parts. Next: reporting/facts.py."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest, Score
from tellapart.data.examples import SPLITS, Example
from tellapart.data.targets import Target
from tellapart.evaluation.projection import project
from tellapart.reporting.album import Album
from tellapart.reporting.facts import AboutPart, Chart, DataPart, FoldsPart, LearningPart, MapPart, Shown
from tellapart.reporting.figures import Line, draw_lines
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.pictures import Sprites, sprites, thumbnails
from tellapart.runs.open import OpenRun

DOT_SIDE = 40  # pixels
MAP_PICTURES = 2_000
SAMPLED = 24  # classes that pictures are shown of
_SAMPLES = 8  # of each
_CLUSTERS, _IN_CLUSTER = 6, 4
_LISTED = 20
_FEW_EPOCHS = 40  # up to here each has a dot

Says = Callable[[Target], str]  # what stands under a picture


def its_text(target: Target) -> str:
    """The target as a table shows it."""
    return target.text


def data_part(run: OpenRun, sampled: Sequence[str], album: Album, says: Says = its_text) -> DataPart:
    """Counts, samples of the classes `sampled`, sizes, what could not be read, copies."""
    audit, sizes = run.audit, run.audit["sizes"]
    said = {str(example.path): says(example.target) for example in run.examples}

    def clusters(groups: Sequence[Sequence[str]]) -> list[list[Shown]]:
        return [
            album.show([(Path(path), said.get(path, ""), "", None) for path in group[:_IN_CLUSTER]])
            for group in groups[:_CLUSTERS]
        ]

    counts = [sum(example.split == split for example in run.examples) for split in SPLITS]
    return DataPart(
        n=sum(counts),
        n_classes=len(run.classes),
        splits=(counts[0], counts[1], counts[2]),
        samples=_samples(run, sampled, album),
        widths=_range(sizes, "width"),
        heights=_range(sizes, "height"),
        formats=sorted(audit["formats"].items(), key=lambda item: -item[1]),
        unreadable=[(one["path"], one["reason"]) for one in audit["unreadable"][:_LISTED]],
        n_unreadable=len(audit["unreadable"]),
        n_exact=audit["duplicates"],
        n_near=len(audit["near_copies"]),
        copies=clusters(audit["near_copies"]),
        n_augmented=audit.get("augmented"),  # runs from before these were looked for do not say
        n_originals=len(audit.get("augmented_copies") or ()),
        augmented=clusters(audit.get("augmented_copies") or ()),
        leaks=clusters([one["paths"] for one in audit["leaks"]]),
        n_leaks=len(audit["leaks"]),
        two_labels=clusters([one["paths"] for one in audit["two_labels"]]),
        n_two_labels=len(audit["two_labels"]),
    )


def _range(sizes: dict[str, Any], side: str) -> tuple[int, int, int] | None:
    least = sizes.get(f"least_{side}")
    return None if not least else (int(least), int(sizes[f"most_{side}"]), int(sizes[f"median_{side}"]))


def _samples(run: OpenRun, names: Sequence[str], album: Album) -> list[tuple[str, Sequence[Shown]]]:
    """A few pictures of each class; which, depends on their contents alone."""
    of_class: dict[str, list[Example]] = {name: [] for name in names}
    for example in run.examples:
        for name in () if example.problem else example.target.classes:
            if name in of_class:
                of_class[name].append(example)
    samples: list[tuple[str, Sequence[Shown]]] = []
    for name, examples in of_class.items():
        drawn = sorted(examples, key=lambda example: zlib.crc32(example.content_hash.encode()))[:_SAMPLES]
        samples.append((name, album.show([(example.path, name, "", None) for example in drawn])))
    return samples


def folds_part(run: OpenRun) -> FoldsPart | None:
    """What each fold found; None of a run without folds."""
    told = run.metrics.get("kfold")
    if told is None:
        return None
    several = told["repeats"] > 1
    rows = [
        (f"{one['fold']} ({one['repeat']})" if several else str(one["fold"]), int(one["n"]), Score.of(one))
        for one in told["folds"]
    ]
    return FoldsPart(
        count=told["count"],
        repeats=told["repeats"],
        pictures=told["pictures"],
        networks=len(rows) if told["kept"] == "ensemble" else 0,
        headline=told["folds"][0]["name"],
        rows=rows,
    )


def pictures_tested(run: OpenRun) -> int:
    """How many pictures its figures are of; one that folds have tested several times is one."""
    told = run.metrics.get("kfold")
    return int(run.metrics["test"]["n"] if told is None else told["pictures"])


def learning_part(run: OpenRun, phrases: Phrases) -> LearningPart:
    """Curves of the network's training, or of the classifier's cross-validation."""
    details = run.metrics["training"].get(run.manifest.strategy) or {}
    history = details.get("history") or []
    if not history:
        return LearningPart(epochs=0, best_epoch=0, charts=_cross_validation(details, phrases))
    best, last = details["best_epoch"], history[-1]
    # The loss and whatever the task's learner told; runs from before figures had names hold the same keys.
    names = [key.removeprefix(split) for split in ("validation_", "train_") for key in last if key.startswith(split)]
    rate = _line(history, "learning_rate", 3)
    drawn = _over_epochs([rate], "learning_rate", best, phrases, share=False)
    charts = [_figure_chart(history, name, best, phrases) for name in dict.fromkeys(names)]
    return LearningPart(epochs=len(history), best_epoch=best, charts=[*charts, Chart(title="learning_rate", svg=drawn)])


def _cross_validation(details: Mapping[str, Any], phrases: Phrases) -> list[Chart]:
    """What was tried: strengths of the penalty, or of very many classes shrinkages of the covariance that was taken."""
    along = "shrinkage" if "shrinkage" in details else "strength"
    records = [one for one in details.get("trials", []) if one.get("covariance") == details.get("covariance")]
    trials = sorted((trial[along], trial["log_loss"]) for trial in records)
    if len(trials) < 2:
        return []
    line = Line(x=[one for one, _ in trials], y=[loss for _, loss in trials], colour=1, dotted=True)
    svg = draw_lines([line], x=phrases(along), y=phrases("log_loss"), logarithmic=True)
    return [Chart(title="cross_validation", svg=svg)]


def _figure_chart(history: Sequence[dict[str, Any]], name: str, best: int, phrases: Phrases) -> Chart:
    """A figure over the epochs, of the validation split and of the training, as far as they have it."""
    splits = [one for one in (("validation", 1, False), ("train", 2, True)) if f"{one[0]}_{name}" in history[-1]]
    lines = [_line(history, f"{split}_{name}", colour, dashed=dashed) for split, colour, dashed in reversed(splits)]
    legend = [(phrases(split), colour, dashed) for split, colour, dashed in splits]
    share = not name.endswith("loss")
    return Chart(title=name, svg=_over_epochs(lines, name, best, phrases, share=share), legend=legend)


def _line(history: Sequence[dict[str, Any]], key: str, colour: int, *, dashed: bool = False) -> Line:
    return Line(
        x=[epoch["number"] for epoch in history],
        y=[epoch[key] for epoch in history],
        colour=colour,
        dashed=dashed,
        dotted=len(history) < _FEW_EPOCHS,
    )


def _over_epochs(lines: Sequence[Line], name: str, best: int, phrases: Phrases, *, share: bool) -> str:
    mark = (best, phrases("best_epoch"))
    return draw_lines(
        lines, x=phrases("epoch"), y=phrases.named(name), mark=mark, whole=True, shares="y" if share else ""
    )


def map_part(
    run: OpenRun,
    examples: Sequence[Example],
    vectors: NDArray[np.float32],
    n_all: int,
    *,
    own: bool,
    colour_of: Callable[[Target], str] = its_text,
    classes: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
) -> MapPart:
    """Dots for at most 2,000 of N `examples`, with embeddings `vectors` [N, D]; their colours are those of `classes`.

    With `texts` [N], these are shown, and no pictures.
    """
    chosen = np.arange(len(examples))
    if len(examples) > MAP_PICTURES:
        chosen = np.sort(np.random.default_rng(run.settings.seed).choice(len(examples), MAP_PICTURES, replace=False))
    places = np.rint(project(vectors[chosen], seed=run.settings.seed) * 1000).astype(int)
    names = list(run.classes if classes is None else classes)
    number = {name: index for index, name in enumerate(names)}
    kept = [examples[row] for row in chosen.tolist()]
    return MapPart(
        own=own,
        n=len(kept),
        n_all=n_all,
        points=[
            (int(x), int(y), number[colour_of(example.target)], SPLITS.index(example.split or "train"))
            for (x, y), example in zip(places.tolist(), kept, strict=True)
        ],
        names=[example.path.name for example in kept] if texts is None else [texts[row] for row in chosen.tolist()],
        classes=names,
        sprites=_dots(run, [example.path for example in kept]) if texts is None else None,
    )


def _dots(run: OpenRun, paths: Sequence[Path]) -> Sprites:
    return sprites(thumbnails(paths, side=DOT_SIDE, read_as=run.preprocessing), side=DOT_SIDE)


def about_part(run: OpenRun, phrases: Phrases) -> AboutPart:
    """Where the run came from."""
    manifest = run.manifest
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
    return AboutPart(facts=facts, versions=sorted(manifest.versions.items()), model=str(run.file), missing=run.missing)


def _views(manifest: Manifest, phrases: Phrases) -> list[tuple[str, str]]:
    key = {"none": "", "flip": "views_flip", "dihedral": "views_dihedral"}[manifest.backbone.test_time_augmentation]
    return [("views", phrases(key))] if key else []
