"""What of eight views' lead one view learns. In: elpv-dataset. Out: accuracy and log loss a split, as JSON lines.

Splits as in elpv.py (75/25, stratified). On the frozen network, its stages' means included and weighed as the probe does
(standardised, each layer's block divided by the square root of its size), brought to 500 numbers by principal components of the
training cells, four classifiers, each a logistic regression; the first three's penalty is chosen by the log loss of five folds:

- plain: of one view, the cell as it is; teacher: of the mean over eight views, which also answers by eight;
- labels: of the cell and, a third as heavy, its mirror image, by labels;
- taught: the same, but half of what it is told is what teachers say that have not seen the cell (ten folds, dealt twice), and
  its penalty is a tenth of the teacher's: what it is told is less noisy than labels.

    python benchmarks/elpv_views.py --first-seed 0 --seeds 16 --keep views.npy
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold, train_test_split

from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.engine import open_engine
from tellapart.models.symmetry import VIEWS
from tellapart.preprocessing import load
from tellapart.storage import cache_folder
from tellapart.training.standardising import standardisation
from tellapart.training.strips import worker_threads
from tellapart.workflows.demo import write_solar_table

Numbers = NDArray[np.float32]
COMPONENTS = 500
LEARNED_VIEWS = ((0, 3.0), (1, 1.0))  # of VIEWS["dihedral"], and how much each counts
SHARE = 0.5  # of the teachers' word in what the taught one is told
STRENGTHS = tuple(float(10.0**exponent) for exponent in np.arange(-0.5, -4.0, -0.5))
LIGHTER = 0.1  # the taught one's penalty, of the teacher's
DEALT, WORD_FOLDS, SEARCH_FOLDS = 2, 10, 5
_ENOUGH = 2e-9  # nats, of the distance to the minimum
_CLASSIFIERS = ("plain", "teacher", "labels", "taught")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """All cells as the frozen network sees them."""

    views: Numbers  # [8, N, D]
    labels: NDArray[np.float64]  # [N], 1 is defective
    blocks: tuple[int, ...]  # how many numbers each layer has


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What a classifier is fitted to: rows of numbers, how much each counts, and what is said of each."""

    views: Sequence[tuple[Numbers, float]]  # each [n, d], and its weight

    def stacked(self, rows: NDArray[np.int64]) -> tuple[Numbers, NDArray[np.float64]]:
        """Numbers [V n, d] of the cells `rows`, and their weights [V n], which are 1 together."""
        weights = np.repeat([weight for _, weight in self.views], len(rows))
        return np.concatenate([view[rows] for view, _ in self.views]), weights / weights.sum()


def see(size: int, keep: Path) -> Cells:
    """The eight views of each cell through tf_efficientnet_lite0; `keep` is a .npy file that has them, or will."""
    with write_solar_table(cache_folder() / "demo").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    backbone = prepare_backbone("tf_efficientnet_lite0", cache=cache_folder(), weights=None, size=size).wait()
    if not keep.is_file():
        np.save(keep, embed_views([Path(row["path"]) for row in rows], backbone))
    return Cells(
        views=np.load(keep),
        labels=np.array([row["label"] == "defective" for row in rows], dtype=np.float64),
        blocks=(*backbone.stages, backbone.embedding - sum(backbone.stages)),
    )


def embed_views(paths: Sequence[Path], backbone: ReadyBackbone) -> Numbers:
    """Embeddings [8, N, D] of the square's eight symmetries, in the order of `VIEWS`."""
    engine = open_engine(backbone, "cpu")
    views = np.empty((len(VIEWS["dihedral"]), len(paths), backbone.embedding), dtype=np.float32)
    for first in range(0, len(paths), engine.batch):
        part = paths[first : first + engine.batch]
        images = np.stack([load(path.read_bytes(), backbone.preprocessing) for path in part])
        for number, (turns, mirrored) in enumerate(VIEWS["dihedral"]):
            turned = np.rot90(images, turns, axes=(1, 2))
            turned = np.ascontiguousarray(turned[:, :, ::-1] if mirrored else turned)
            views[number, first : first + len(part)] = engine.embed(turned)
    return views


def components(cells: Cells, train: NDArray[np.int64]) -> Numbers:
    """Views [8, N, d], weighed and turned by what the training cells and their flips are like."""
    with worker_threads() as threads:
        counted = np.ones((1, len(train)), dtype=np.bool_)
        found = standardisation(cells.views[0][train], counted, threads, blocks=cells.blocks, power=0.5)
    mean, scale = (one[0].astype(np.float32) for one in found)
    standard = [(view - mean) * scale for view in cells.views]
    products = sum(standard[number][train].T @ standard[number][train] for number in (0, 1, 4, 5))
    turn = np.linalg.eigh(products)[1][:, ::-1][:, :COMPONENTS].astype(np.float32)
    return np.stack([view @ turn for view in standard])


def fit(
    vectors: Numbers,
    told: NDArray[np.float64],
    weights: NDArray[np.float64],
    strength: float,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Slopes and bias [d + 1] by Newton's method: log loss of `told` [n] in [0, 1] + strength / 2 x squared slopes."""
    found = start
    penalty = np.append(np.full(vectors.shape[1], strength), 1e-9)

    def loss(parameters: NDArray[np.float64]) -> float:
        scores = scores_of(vectors, parameters)
        return float(weights @ (np.logaddexp(0, scores) - told * scores)) + 0.5 * float(penalty @ parameters**2)

    for _ in range(50):
        probability = probability_of(scores_of(vectors, found))
        off = (weights * (probability - told)).astype(np.float32)
        gradient = np.append(vectors.T @ off, off.sum()) + penalty * found
        weighed = vectors * (weights * probability * (1 - probability)).astype(np.float32)[:, None]
        curvature = np.empty((len(found), len(found)))
        curvature[:-1, :-1] = vectors.T @ weighed
        curvature[-1, :-1] = curvature[:-1, -1] = weighed.sum(axis=0)
        curvature[-1, -1] = float(weights @ (probability * (1 - probability)))
        curvature[np.diag_indices_from(curvature)] += penalty
        step = np.linalg.solve(curvature, gradient)
        gain, length = float(gradient @ step), 1.0
        if gain > 1e-4:
            before = loss(found)
            while loss(found - length * step) > before - 1e-4 * length * gain and length > 1e-3:
                length /= 2
        found = found - length * step
        if gain < _ENOUGH:
            break
    return found


def scores_of(vectors: Numbers, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits [n] of being defective."""
    return (vectors @ parameters[:-1].astype(np.float32)).astype(np.float64) + parameters[-1]


def probability_of(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0, -scores)))


def log_loss(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    return float(np.logaddexp(0, -(2 * labels - 1) * scores).mean())


def dealt(labels: NDArray[np.float64], folds: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Stratified folds: rows to learn from, rows held out."""
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels))


def choose(
    lesson: Lesson, judged: Numbers, labels: NDArray[np.float64], train: NDArray[np.int64]
) -> tuple[NDArray[np.float64], float]:
    """The classifier [d + 1] of all cells `train`, and the penalty that five folds of them chose by `judged` [N, d]."""
    folds = [(train[learned], train[held_out]) for learned, held_out in dealt(labels[train], SEARCH_FOLDS, 0)]
    starts = [np.zeros(judged.shape[1] + 1)] * len(folds)
    losses = dict[float, float]()
    for strength in STRENGTHS:
        starts = [
            learn(lesson, labels, known, strength, start) for (known, _), start in zip(folds, starts, strict=True)
        ]
        scores = [scores_of(judged[held_out], start) for (_, held_out), start in zip(folds, starts, strict=True)]
        losses[strength] = log_loss(np.concatenate(scores), labels[np.concatenate([held_out for _, held_out in folds])])
        if losses[strength] > min(losses.values()):
            break
    best = min(losses, key=losses.__getitem__)
    return learn(lesson, labels, train, best, np.mean(starts, axis=0)), best


def learn(
    lesson: Lesson, told: NDArray[np.float64], rows: NDArray[np.int64], strength: float, start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The classifier [d + 1] of cells `rows`; `told` [N] is what is said of every cell."""
    vectors, weights = lesson.stacked(rows)
    return fit(vectors, np.tile(told[rows], len(lesson.views)), weights, strength, start)


def unseen_word(
    mean: Numbers, labels: NDArray[np.float64], rows: NDArray[np.int64], strength: float
) -> NDArray[np.float64]:
    """What teachers say of cells `rows` that they have not seen, the mean over `DEALT` ways to deal folds; [N], 0 elsewhere."""
    word, teacher = np.zeros(len(labels)), np.zeros(mean.shape[1] + 1)  # the first starts from nothing, others near by
    for seed in range(DEALT):
        for learned, held_out in dealt(labels[rows], WORD_FOLDS, 100 + seed):
            teacher = learn(Lesson(views=[(mean, 1.0)]), labels, rows[learned], strength, teacher)
            word[rows[held_out]] += probability_of(scores_of(mean[rows[held_out]], teacher)) / DEALT
    return word


def measure(cells: Cells, seed: int) -> dict[str, dict[str, float]]:
    """Accuracy, log loss and penalty of each classifier on the test cells of a split."""
    labels = cells.labels
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.25, stratify=labels.astype(int), random_state=seed
    )
    views = components(cells, train)
    mean, plain = views.mean(axis=0), views[0]
    several = Lesson(views=[(views[number], weight) for number, weight in LEARNED_VIEWS])

    teacher, strength = choose(Lesson(views=[(mean, 1.0)]), mean, labels, train)
    told = (1 - SHARE) * labels + SHARE * unseen_word(mean, labels, train, strength)
    labelled, penalty = choose(several, plain, labels, train)
    found = {
        "plain": (plain, *choose(Lesson(views=[(plain, 1.0)]), plain, labels, train)),
        "teacher": (mean, teacher, strength),
        "labels": (plain, labelled, penalty),
        "taught": (plain, learn(several, told, train, LIGHTER * strength, labelled), LIGHTER * strength),
    }
    scores = {name: (scores_of(looked[test], head), chosen) for name, (looked, head, chosen) in found.items()}
    return {
        name: {
            "accuracy": float(((said > 0) == (labels[test] == 1)).mean()),
            "log_loss": log_loss(said, labels[test]),
            "strength": chosen,
        }
        for name, (said, chosen) in scores.items()
    }


def conclude(rows: Sequence[dict[str, dict[str, float]]]) -> dict[str, object]:
    """Means over the splits; of the teacher's lead what each other wins back, with a 95 % interval by drawing splits again."""
    draws = np.random.default_rng(0).integers(0, len(rows), (10_000, len(rows)))
    concluded: dict[str, object] = {"splits": len(rows)}
    for figure in ("accuracy", "log_loss"):
        table = np.array([[row[name][figure] for name in _CLASSIFIERS] for row in rows])
        concluded[figure] = dict(zip(_CLASSIFIERS, table.mean(axis=0).round(5).tolist(), strict=True))
        for place, name in ((2, "labels"), (3, "taught")):
            means = table.mean(axis=0)
            again = table[draws].mean(axis=1)
            shares = (again[:, place] - again[:, 0]) / (again[:, 1] - again[:, 0])
            concluded[f"{figure}_share_of_{name}"] = {
                "share": float((means[place] - means[0]) / (means[1] - means[0])),
                "interval": np.quantile(shares, [0.025, 0.975]).tolist(),
                "better_than_plain": int(
                    ((table[:, place] > table[:, 0]) if figure == "accuracy" else (table[:, place] < table[:, 0])).sum()
                ),
            }
    return concluded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--keep", type=Path, required=True, help="a file that has the embeddings, or will")
    arguments = parser.parse_args()
    cells = see(arguments.size, arguments.keep)
    rows = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        rows.append(measure(cells, seed))
        print(json.dumps({"seed": seed, **rows[-1]}), flush=True)
    print(json.dumps(conclude(rows)))


if __name__ == "__main__":
    main()
