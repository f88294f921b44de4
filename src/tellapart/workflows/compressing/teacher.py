"""What a teacher says of pictures, asked once. In: Compressible, a teacher's run. Out: TeacherAnswers. Next: distilled.py."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.examples import PictureFile
from tellapart.errors import DataError, PictureError, SettingsError
from tellapart.features.mixed import blend
from tellapart.manifest import Manifest
from tellapart.models.overheard import Overheard
from tellapart.preprocessing import load
from tellapart.reporter import counted
from tellapart.runs.open import WEIGHTS, OpenRun
from tellapart.runtime import BATCH, cores
from tellapart.storage import storage_errors, write_bytes
from tellapart.training.distilling import Ending
from tellapart.training.teachers import NetworkTeacher
from tellapart.workflows.compressing.compressible import Compressible
from tellapart.workflows.compressing.opened import LearnableNetwork, ending_of
from tellapart.workflows.learning.processes import join

_LEAST = 1e-6  # of a probability, before its logarithm is taken
_NAMED = 5  # classes that a message names
Mixed: TypeAlias = tuple[PictureFile, PictureFile, float]  # two pictures, and how much of the first


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TeacherAnswers:
    """What the teacher says of N pictures."""

    logits: NDArray[np.float32]  # [N, K], in the order of the learner's classes
    embeddings: NDArray[np.float32]  # [N, T]


def kept_answers(
    work: Compressible, teacher: OpenRun, pictures: Sequence[PictureFile | Mixed], folder: Path
) -> TeacherAnswers:
    """Those that `folder` keeps of an earlier process, else asked now and kept there. Raises: DataError, StorageError."""
    asked = hashlib.sha256(digest_of(teacher).encode())
    for one in pictures:
        asked.update(
            repr([getattr(part, "content_hash", part) for part in (one if isinstance(one, tuple) else [one])]).encode()
        )
    path = folder / f"teacher-{asked.hexdigest()[:16]}.npz"
    with storage_errors(path):
        if path.is_file():
            try:
                with path.open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
                    return TeacherAnswers(logits=kept["logits"], embeddings=kept["embeddings"])
            except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
                pass  # damaged: asked again
    told = ask_teacher(work, teacher, pictures)
    file = io.BytesIO()
    np.savez(file, logits=told.logits, embeddings=told.embeddings)
    write_bytes(path, file.getvalue())
    return told


def ask_teacher(work: Compressible, teacher: OpenRun, pictures: Sequence[PictureFile | Mixed]) -> TeacherAnswers:
    """The teacher's answers to pictures, each read as the teacher reads it, or mixed of two.

    Raises: DataError where one can no longer be read.
    """
    order = [teacher.classes.index(name) for name in work.run.classes]
    ending = ending_of(teacher.manifest.record)
    logits, embeddings = [], []
    with (
        work.reporter.step("Asking the teacher", len(pictures)) as advance,
        ThreadPoolExecutor(cores(), thread_name_prefix="teacher") as pool,
    ):
        for start in range(0, len(pictures), 4 * BATCH):
            part = pictures[start : start + 4 * BATCH]
            images = np.stack(list(pool.map(lambda one: _read(one, teacher), part)))
            probabilities, embedding = teacher.run(images)
            logits.append(logits_of(probabilities[:, order], ending))
            embeddings.append(embedding.astype(np.float32))
            advance(len(part))
    return TeacherAnswers(logits=np.concatenate(logits), embeddings=np.concatenate(embeddings))


def logits_of(probabilities: NDArray[np.floating], ending: Ending) -> NDArray[np.float32]:
    """Logits [N, K] that give these probabilities [N, K]; of a softmax up to a number that all classes share."""
    sure = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(sure) if ending == "softmax" else np.log(sure / (1 - sure)), dtype=np.float32)


def _read(picture: PictureFile | Mixed, teacher: OpenRun) -> NDArray[np.uint8]:
    if isinstance(picture, tuple):
        first, second, share = picture
        both = (_read(first, teacher)[None], _read(second, teacher)[None])
        mixed: NDArray[np.uint8] = blend(*both, np.array([share], dtype=np.float32))[0]
        return mixed
    try:
        return load(picture.read(), teacher.preprocessing)
    except PictureError as error:
        raise DataError(f"{picture.path}: {error}. The teacher is asked about it; put it back as it was.") from None


def check_teacher(teacher: Manifest, learner: Manifest, given: Path) -> None:
    """Raises: SettingsError where `teacher`, which lies at `given`, is of another task or has other classes than the learner."""
    if teacher.task != learner.task:
        raise SettingsError(
            f"{given} is of the task {teacher.task}, and the run of {learner.task}; a network learns from one of its own task. "
            "Give another --distill."
        )
    only = sorted(set(teacher.classes) ^ set(learner.classes))
    if only:
        raise SettingsError(
            f"{given} and the run do not know the same classes: only one of them has {', '.join(only[:_NAMED])}. Give a "
            "teacher that was trained on the same classes."
        )


def open_teacher(work: Compressible, given: Path) -> OpenRun:
    """The teacher at `given`, a run's folder or a model file; who has learned from test pictures, or is the run itself, is told of.

    Raises: SettingsError, as `check_teacher`; ModelFileError, StorageError.
    """
    teacher = OpenRun(given)
    check_teacher(teacher.manifest, work.run.manifest, given)
    one_view = teacher.manifest.backbone.test_time_augmentation == "none"
    if one_view and not work.steps and digest_of(teacher) == digest_of(work.run):
        work.reporter.warn(
            "The teacher is the run itself, which looks at a picture once: it can tell the network little that this does not know. "
            "Give a better run to --distill."
        )
    seen = seen_tests(work, teacher)
    if seen:
        work.reporter.warn(
            f"The teacher was trained on {counted(seen, 'picture')} of the test split, so that what is measured there flatters the "
            "network that learns from it. Give a teacher of the same split for an honest figure."
        )
    return teacher


def teacher_network(work: Compressible, opened: LearnableNetwork, teacher: OpenRun) -> NetworkTeacher:
    """The teacher's own network in torch, to see what the learner sees. Raises: SettingsError where it says other things of it."""
    head, given, weights = work.task.head, teacher.folder, teacher.folder / WEIGHTS
    if head is None:
        raise TypeError(f"the task {work.task.name} asks its teacher by its file")
    if not weights.is_file():
        raise SettingsError(
            f"{weights} is not there; a teacher of the task {work.task.name} sees the pictures as they are varied, by its own "
            "weights. Give the folder of its run, with all its files."
        )
    if teacher.classes != work.run.classes:
        raise SettingsError(
            f"{given} has the classes in another order than the run ({', '.join(teacher.classes[:_NAMED])}). Give a teacher that "
            "was trained on the same data."
        )
    network = head.again(weights, teacher.manifest, teacher.settings).prepared.network.eval()
    sample, told = torch.zeros((1, *opened.prepared.shape), dtype=torch.uint8), list[list[list[int]]]()
    for one in (opened.network.eval(), network):
        ear = Overheard(one)
        try:
            with torch.inference_mode():
                ear(sample)
            told.append([list(output.shape) for output in ear.outputs])
        except (RuntimeError, ValueError):  # pictures of a size that it cannot take
            told.append([])
    if told[0] != told[1]:
        raise SettingsError(
            f"of a picture of {opened.prepared.shape[0]} pixels {given} and the run do not say as many numbers, or not at the same "
            "places. Give a teacher of the same kind and network.size."
        )
    return NetworkTeacher(network=Overheard(network), devices=join(opened.settings, "cpu"))


def seen_tests(work: Compressible, teacher: OpenRun) -> int:
    """How many of the run's test pictures the teacher has learned from, as far as its folder says."""
    if not teacher.lists_examples:
        return 0
    learned = {one.content_hash for one in teacher.examples if one.split in ("train", "validation")}
    return sum(work.dataset.pictures[row].content_hash in learned for row in work.dataset.rows["test"].tolist())


def digest_of(teacher: OpenRun) -> str:
    """SHA-256 of its file."""
    return hashlib.sha256(teacher.file.read_bytes()).hexdigest()
