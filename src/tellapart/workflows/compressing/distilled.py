"""A network learns from a better one. In: Compressible, a teacher's model. Out: Compressible. Next: taught.py.

The teacher is asked once about each picture, as it is, by its own preprocessing and its own file: however large it is, over however
many views, or several networks as one. The network that learns goes on from what it is, and looks at a picture once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.answers.items import expand, is_address
from tellapart.data.copies import find_copies
from tellapart.data.examples import PictureFile
from tellapart.data.inspection import inspect_all
from tellapart.errors import DataError, SettingsError
from tellapart.features.cache import Cache
from tellapart.features.mixed import Mixes
from tellapart.manifest import CompressionStep
from tellapart.models.staged import StagedNetwork
from tellapart.reporter import counted
from tellapart.runs.open import OpenRun
from tellapart.runtime import BATCH, cores
from tellapart.training.distilling import Lore
from tellapart.training.teachers import TableTeacher
from tellapart.workflows.compressing.compressible import Compressible
from tellapart.workflows.compressing.opened import LearnableNetwork, close_network, keep_frozen, open_network
from tellapart.workflows.compressing.taught import Course, Pupils, gather_pupils, teach
from tellapart.workflows.compressing.teacher import (
    Mixed,
    digest_of,
    kept_answers,
    open_teacher,
    seen_tests,
    teacher_network,
)
from tellapart.workflows.learning.examine import InspectionMemory

LEARNING_RATES = {"scratch": 1e-3}  # of networks whose first weights were drawn; of others:
LEARNING_RATE = 2e-4
_LEAST_SPREAD = 0.1  # of how much the numbers of an embedding vary on the whole
_RIDGE = 0.1  # of the mean square of an embedding's number
_LED_BY = 2048  # pictures, by which the map to the teacher's embedding begins
_WHOLE_EMBEDDING = 4096  # numbers; a longer one, as several networks give together, is not learned from


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillTerms:
    """From whom a network learns, and how long."""

    teacher: Path  # a run's folder or a model file
    unlabelled: Sequence[str] = ()  # folders, files, archives: pictures without labels
    epochs: int = 20
    learning_rate: float | None = None
    temperature: float = 2.0
    share: float = 0.7  # of the teacher in the loss; the labels have the rest
    embedding: float = 0.3  # weight of the embedding's distance
    mixed: float = 0.0  # pictures mixed of two training pictures, for each of these


def to_distilled(work: Compressible, terms: DistillTerms, folder: Path, cache: Cache) -> Compressible:
    """Train on under the teacher; `folder` keeps what a killed training goes on from.

    Raises: SettingsError for a teacher of another task or other classes; DataError where no unlabelled picture is left;
    TrainingError, ModelFileError, StorageError.
    """
    teacher = open_teacher(work, terms.teacher)
    opened = open_network(work)
    if work.task.head is not None:
        return _beside(work, opened, teacher, terms, folder)
    keep_frozen(work, opened.staged)
    unlabelled = _unlabelled(work, terms.unlabelled, cache) if terms.unlabelled else []
    pupils = gather_pupils(work, opened, unlabelled, terms.mixed)
    train = [work.dataset.pictures[row] for row in work.dataset.rows["train"].tolist()]
    told = kept_answers(work, teacher, [*train, *unlabelled, *_mixed(train, pupils.mixes)], folder)
    with_embedding = terms.embedding if told.embeddings.shape[1] <= _WHOLE_EMBEDDING else 0.0
    table = TableTeacher(outputs=torch.from_numpy(told.logits), embeddings=torch.from_numpy(told.embeddings))
    course = _course(work, opened, teacher, terms, embedding=with_embedding)
    lead = None
    if with_embedding:
        lead = first_lead(opened.staged, pupils, told.embeddings)
    spread = torch.from_numpy(spread_of(told.embeddings))
    fitted = teach(pupils, table, course, folder, lead=lead, spread=spread)
    mixed = 0 if pupils.mixes is None else len(pupils.mixes)
    step = _step(work, teacher, terms, fitted.best_epoch, unlabelled=len(unlabelled), mixed=mixed)
    return close_network(work, opened, step, one_view=True)


def _beside(
    work: Compressible, opened: LearnableNetwork, teacher: OpenRun, terms: DistillTerms, folder: Path
) -> Compressible:
    """Of a task whose targets move with their pictures: the teacher's network sees the very pictures, varied as they are."""
    if terms.unlabelled:
        raise SettingsError(
            f"--unlabelled is for classes; pictures of the task {work.task.name} come with their targets. Leave it out."
        )
    pupils = gather_pupils(work, opened)
    network = teacher_network(work, opened, teacher)
    course = _course(work, opened, teacher, replace(terms, temperature=1.0), embedding=0.0)
    fitted = teach(pupils, network, course, folder)
    return close_network(work, opened, _step(work, teacher, terms, fitted.best_epoch, unlabelled=0, mixed=0))


def _course(
    work: Compressible, opened: LearnableNetwork, teacher: OpenRun, terms: DistillTerms, *, embedding: float
) -> Course:
    strategy = work.run.manifest.strategy
    return Course(
        epochs=terms.epochs,
        learning_rate=terms.learning_rate or LEARNING_RATES.get(strategy, LEARNING_RATE),
        lore=Lore(
            ending=opened.ending,
            temperature=terms.temperature,
            share=terms.share,
            embedding=embedding,
        ),
        title=f"Learning from {terms.teacher.name}",
        facts={"teacher": digest_of(teacher), "of": work.candidate.backbone.fingerprint, "steps": len(work.steps)},
    )


def _mixed(train: Sequence[PictureFile], mixes: Mixes | None) -> list[Mixed]:
    if mixes is None:
        return []
    triples = zip(mixes.first.tolist(), mixes.second.tolist(), mixes.share.tolist(), strict=True)
    return [(train[first], train[second], share) for first, second, share in triples]


def spread_of(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each number of embeddings [N, T] varies, [T]; at least a tenth of what they do on the whole.

    Without that a number that hardly ever changes would count for more than all others.
    """
    spread = embeddings.std(axis=0)
    least = max(_LEAST_SPREAD * float(np.sqrt((spread**2).mean())), 1e-6)
    return np.asarray(np.maximum(spread, least), dtype=np.float32)


def first_lead(network: StagedNetwork, pupils: Pupils, taught: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Where the map from the network's embedding to the teacher's [N, T] begins: by pictures varied as in the first epoch."""
    rows = pupils.lesson.train_rows
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _LED_BY)).astype(np.int64))]
    network.eval()
    with torch.inference_mode():
        own = [
            network.embed(torch.as_tensor(np.asarray(pupils.lesson.train.get(part, 0)))).numpy()
            for part in np.array_split(rows, -(-len(rows) // BATCH))
        ]
    return lead_from(np.concatenate(own), taught[rows])


def lead_from(own: NDArray[np.floating], taught: NDArray[np.floating]) -> tuple[Tensor, Tensor]:
    """The map [T, D], [T] from embeddings [N, D] to a teacher's [N, T] by ridge regression: where learning begins."""
    centre, aim = own.mean(axis=0, dtype=np.float64), taught.mean(axis=0, dtype=np.float64)
    left, right = own.astype(np.float64) - centre, taught.astype(np.float64) - aim
    square = left.T @ left
    square[np.diag_indices_from(square)] += _RIDGE * max(float(np.trace(square)) / len(square), 1e-12)
    weight = np.linalg.solve(square, left.T @ right).T
    return torch.from_numpy(weight.astype(np.float32)), torch.from_numpy((aim - weight @ centre).astype(np.float32))


def _unlabelled(work: Compressible, given: Sequence[str], cache: Cache) -> list[PictureFile]:
    """The pictures that can be read, each once, without those that the run has. Raises: DataError, SettingsError."""
    found = [item.path for item in expand(given)]
    if any(is_address(one) for one in found):
        raise SettingsError("pictures on the web cannot be learned from. Download them, and name their folder.")
    with work.reporter.step("Checking the unlabelled pictures", len(found)) as advance:
        seen = inspect_all(
            [Path(one) for one in found], workers=cores(), remembered=InspectionMemory(cache), advance=advance
        )
    known = {picture.content_hash for picture in work.dataset.pictures}
    clusters, taken, kept = find_copies(seen).cluster_of, set[int](), []
    for path, one, cluster in zip(found, seen, clusters, strict=True):
        if not one.problem and one.content_hash not in known and cluster not in taken:
            taken.add(cluster)
            kept.append(PictureFile(path=Path(path), file_hash=one.file_hash, content_hash=one.content_hash))
    if not kept:
        wrong = [f"{path}: {one.problem}" for path, one in zip(found, seen, strict=True) if one.problem]
        if len(wrong) == len(found) > 0:
            raise DataError(f"none of the pictures of --unlabelled can be read, such as {wrong[0]}. Name others.")
        raise DataError(
            f"of the {counted(len(found), 'file')} in {', '.join(given)} none is a picture that the run does not have already. "
            "Name other pictures, or leave --unlabelled out."
        )
    return kept


def _step(
    work: Compressible, teacher: OpenRun, terms: DistillTerms, best_epoch: int, *, unlabelled: int, mixed: int
) -> CompressionStep:
    scores = {name: score.value for name, score in teacher.manifest.scores.items()}
    more = f" and {counted(unlabelled, 'picture')} without labels" if unlabelled else ""
    more += f" and {counted(mixed, 'mixed one')} of two" if mixed else ""
    return CompressionStep(
        kind="distilled",
        told=f"learned from {teacher.manifest.backbone.name} ({teacher.manifest.strategy}), by the training pictures{more}",
        facts={
            "teacher": digest_of(teacher),
            "backbone": teacher.manifest.backbone.name,
            "views": teacher.manifest.backbone.test_time_augmentation,
            "scores": scores,
            "test_pictures_seen": seen_tests(work, teacher),
            "epochs": terms.epochs,
            "best_epoch": best_epoch,
            "temperature": terms.temperature,
            "share": terms.share,
            "unlabelled": unlabelled,
            "mixed": mixed,
        },
    )
