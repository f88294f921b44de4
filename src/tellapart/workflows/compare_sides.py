"""What is compared: runs, model files, other tools' answers. In: paths. Out: Sides, the pictures for both. Next: compare.py."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.answers.formulas import SafeReader
from tellapart.answers.given import GivenItem
from tellapart.answers.items import PathItem
from tellapart.answers.predictor import Predictor, load_predictor
from tellapart.bundle import TaskName
from tellapart.data.readers import READERS
from tellapart.data.targets import ONE_CLASS, Target, class_numbers
from tellapart.errors import DataError, SettingsError
from tellapart.runs.open import OpenRun
from tellapart.storage import storage_errors
from tellapart.tasks.table import task_of
from tellapart.workflows.pretrained import named_model

MOST_BYTES = 512 * 2**20  # of a table of answers
_PATHS = ("path", "image", "filename", "file_name", "file", "id")
_ANSWERS = ("predicted", "prediction", "pred", "predicted_label", "class", "label", "category")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One picture, or text, that both are asked."""

    path: Path
    target: Target  # the truth
    group: str
    content_hash: str  # "" where it is not known
    text: str | None = None  # None of a picture

    @property
    def source(self) -> PathItem | GivenItem:
        """What a model is asked."""
        if self.text is None:
            return PathItem(path=str(self.path), named=True)
        return GivenItem(data=self.text, path=str(self.path))

    @property
    def label(self) -> str:
        """The class."""
        return self.target.text


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One of the two: a model, or a table of answers."""

    name: str  # as it was given
    run: OpenRun | None  # None of a table
    predictor: Predictor | None
    table: Mapping[str, str]  # path -> answer, of a table
    learned: Mapping[str, str] | None  # content -> split, of a run; None where it cannot be known what was learned from

    def saw(self, item: Question) -> bool:
        """Whether it was trained or tuned on this very picture."""
        return self.learned is not None and self.learned.get(item.content_hash) in ("train", "validation")


def open_side(path: Path) -> Side:
    """A run's folder, a model file, imagenet:NAME, or a table of answers (CSV with a path and an answer in each row).

    Raises: DataError, ModelFileError, StorageError; BackboneError, SettingsError of a network that cannot be had.
    """
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return Side(name=str(path), run=None, predictor=None, table=read_answers(path), learned=None)
    model = named_model(str(path))
    run = OpenRun(model)
    predictor = load_predictor(model)
    learned = None
    if run.lists_examples:
        learned = {example.content_hash: example.split for example in run.examples if example.split}
    return Side(name=str(path), run=run, predictor=predictor, table={}, learned=learned)


def read_answers(path: Path) -> dict[str, str]:
    """Path -> answer of each row, of a column called as these mostly are. Raises: DataError, StorageError."""
    with storage_errors(path):
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} has more than {MOST_BYTES // 2**20} MB, too much for a table of answers.")
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    try:
        rows = SafeReader(text)
        header = [cell.strip().lower() for cell in next(rows, [])]
        where, said = (next((name for name in names if name in header), None) for names in (_PATHS, _ANSWERS))
        if where is None or said is None:
            raise DataError(
                f"{path} has the columns {', '.join(header)[:200] or 'none'}; a table of answers has one of {', '.join(_PATHS)} "
                f"and one of {', '.join(_ANSWERS)}. Rename the columns."
            )
        place, answer = header.index(where), header.index(said)
        return {row[place]: row[answer].strip() for row in rows if len(row) > max(place, answer)}
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV table ({error}). Export it anew as CSV.") from None


def answers_of(table: Mapping[str, str], items: Sequence[Question]) -> list[str | None]:
    """What a table says of each item: by its whole path, else by the file's name where only one has it; None for nothing."""
    names = Counter(Path(path).name for path in table)
    by_name = {Path(path).name: answer for path, answer in table.items() if names[Path(path).name] == 1}
    asked = Counter(item.path.name for item in items)
    found = []
    for item in items:
        answer = table.get(str(item.path))
        if answer is None and asked[item.path.name] == 1:
            answer = by_name.get(item.path.name)
        found.append(answer or None)
    return found


def item_of(sides: Sequence[Side]) -> str:
    """What is compared on, in a word."""
    models = [side.predictor for side in sides if side.predictor is not None]
    return READERS[models[0].manifest.task].words.item if models else "picture"


def task_for(sides: Sequence[Side]) -> TaskName:
    """The task of the models, by which pictures are read; of two tables that of one class a picture.

    Raises: SettingsError where it is not the same.
    """
    told_tasks = [None if side.predictor is None else side.predictor.manifest.task for side in sides]
    known = [task for task in told_tasks if task is not None]
    of_classes = known[:1] if known and task_of(known[0]).encode is class_numbers else []
    usual: TaskName = next(iter(of_classes), ONE_CLASS)
    first, second = (task or usual for task in told_tasks)
    if first != second:
        told = [
            f"{side.name} is {'a table, of one class a picture' if side.predictor is None else f'a model of {task}'}"
            for side, task in zip(sides, (first, second), strict=True)
        ]
        raise SettingsError(f"{' and '.join(told)}. Compare two of one task.")
    return first
