"""A data set for every fold, and one for the network that is kept. In: Examined, folds. Out: Datasets. Next: dataset.py.

A fold's pictures are its test; of the others a validation split is carved as ever. So what is tuned in a fold is tuned on its own
training pictures, and nothing of what it tests is looked at before. For the network that is kept nothing is left to test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tellapart.data.dataset import AssignSplits, Dataset, Encode, gather
from tellapart.data.examples import Split
from tellapart.data.folds import NEVER, AssignFolds, given_folds, straddling
from tellapart.data.grouping import check_train
from tellapart.data.survey import Examined
from tellapart.errors import DataError
from tellapart.reporter import counted

KEPT_OUT = "given as test, which K folds leave alone"  # why an example was set aside
_ELSEWHERE = "has a copy or group mate in the fold that is tested"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldPlan:
    """Which pictures each fold tests. N entries, usable or not; R repeats."""

    examined: Examined  # without the pictures that were given as test
    names: tuple[str, ...]  # of the K folds
    folds: tuple[tuple[int, ...], ...]  # [R][N], from 0; NEVER for what is never tested
    seed: int
    notes: tuple[str, ...]  # what became of splits that were given, in sentences
    whole: frozenset[str] = field(default_factory=frozenset)  # groups that the folds, as they were given, part

    @property
    def usable(self) -> list[int]:
        """The entries that can be used."""
        return [index for index, one in enumerate(self.examined.inspections) if not one.problem]

    def dataset(self, repeat: int, fold: int, *, split: AssignSplits, encode: Encode) -> Dataset:
        """What one training learns from, its test split the fold; both count from 0. Raises: DataError."""
        folds = [self.folds[repeat][index] for index in self.usable]

        def assign(*, given: Sequence[Split | None], **named: Any) -> list[Split]:
            return split(given=["test" if one == fold else None for one in folds], **named)

        try:
            found = gather(self.examined, split=assign, encode=encode, seed=self.seed)
            return self._apart(_not_leaked(found))
        except DataError as error:
            raise DataError(
                f"What is left to train on beside the fold {self.names[fold]!r} does not suffice: {error}"
            ) from None

    def kept(self, *, split: AssignSplits, encode: Encode) -> Dataset:
        """The data set of the network that is kept: train and validation alone. Raises: DataError."""

        def assign(*, given: Sequence[Split | None], **named: Any) -> list[Split]:
            return split(given=[None] * len(given), tested=False, **named)

        return _not_leaked(gather(self.examined, split=assign, encode=encode, seed=self.seed))

    def _apart(self, dataset: Dataset) -> Dataset:
        """Without the training and validation pictures of groups that the tested fold has some of."""
        if not self.whole:
            return dataset
        examples = [dataset.examples[index] for index in dataset.indices.tolist()]
        tested = {one.group for one in examples if one.split == "test"} & self.whole
        left = dataset.without(
            {row: _ELSEWHERE for row, one in enumerate(examples) if one.group in tested and one.split != "test"}
        )
        check_train([one.target for one in left.examples], [one.split for one in left.examples])
        return left


def plan_folds(
    examined: Examined, *, assign: AssignFolds, count: int | None, repeats: int, column: str | None, seed: int
) -> FoldPlan:
    """Deal the pictures to `count` folds, `repeats` times, or to those of the column that was told.

    Pictures given as test stay out; the others are dealt whatever split they were given. Raises: DataError.
    """
    listing, inspections = examined.listing, list(examined.inspections)
    for index, entry in enumerate(listing.entries):
        if entry.split == "test" and not inspections[index].problem:
            inspections[index] = replace(inspections[index], problem=KEPT_OUT)
    notes = _notes(examined)
    left = replace(examined, inspections=inspections)
    usable = [index for index, one in enumerate(inspections) if not one.problem]
    if not usable:
        raise DataError("every picture is given as test, and K folds leave those alone. Give pictures that are not.")
    entries = [listing.entries[index] for index in usable]
    groups = [examined.audit.groups[index] for index in usable]
    dealt, names = [], [str(number + 1) for number in range(count or 0)]
    whole: set[str] = set()
    if column is not None:
        found, names = given_folds(entries, column, count)
        dealt.append(found)
        whole = straddling(found, groups)
        parted = sum(group in whole for group in groups)
        if parted:
            notes.append(
                f"{counted(parted, 'picture')} {'has' if parted == 1 else 'have'} a copy or group mate in another fold of "
                f"the column {column!r}. Where one of them is tested, the others are not learned from."
            )
    else:
        for repeat in range(repeats):
            dealt.append(
                assign(
                    targets=[entry.target for entry in entries],
                    content_hashes=[inspections[index].content_hash for index in usable],
                    groups=groups,
                    seed=seed + repeat,
                    count=count or 0,
                    added=[entry.added for entry in entries],
                )
            )
    folds = tuple(_spread(one, usable, len(inspections)) for one in dealt)
    return FoldPlan(
        examined=left, names=tuple(names), folds=folds, seed=seed, notes=tuple(notes), whole=frozenset(whole)
    )


def _spread(folds: Sequence[int], usable: Sequence[int], count: int) -> tuple[int, ...]:
    of: Mapping[int, int] = dict(zip(usable, folds, strict=True))
    return tuple(of.get(index, NEVER) for index in range(count))


def _notes(examined: Examined) -> list[str]:
    """What becomes of the splits that were given."""
    given = [entry.split for entry in examined.listing.entries]
    notes = []
    if tests := given.count("test"):
        notes.append(
            f"{counted(tests, 'picture')} given as test {'is' if tests == 1 else 'are'} left out of the folds, and of what the "
            "kept model learns from: with --kfold every other picture is tested instead. Test the model on them by: tellapart "
            "evaluate RUN PICTURES --split test"
        )
    if "validation" in given:
        notes.append(
            "What is given as train and as validation is dealt to the folds together; each fold has a validation split of its own."
        )
    return notes


def _not_leaked(dataset: Dataset) -> Dataset:
    """No picture of it is tested beside a copy, whatever splits were given."""
    return replace(dataset, leaked=np.zeros(len(dataset.indices), dtype=np.bool_))


def validated_twice(dataset: Dataset) -> Dataset:
    """The same with the validation pictures once more, as the test split: N + V rows of N pictures.

    What a network that is kept makes of pictures must be looked at somewhere, to write its file and to prove it. No figure of
    that is told as a test.
    """
    rows = dataset.rows["validation"]
    splits = np.concatenate([dataset.splits, np.full(len(rows), "test")])

    def twice(values: Any) -> Any:
        return np.concatenate([values, values[rows]])

    return replace(
        dataset,
        indices=twice(dataset.indices),
        targets=twice(dataset.targets),
        groups=twice(dataset.groups),
        splits=splits,
        leaked=twice(dataset.leaked),
        pictures=(*dataset.pictures, *(dataset.pictures[row] for row in rows.tolist())),
    )


def without_those(dataset: Dataset) -> Dataset:
    """The data set again without the rows that `validated_twice` added."""
    kept = np.flatnonzero(dataset.splits != "test")
    return replace(
        dataset,
        indices=dataset.indices[kept],
        targets=dataset.targets[kept],
        groups=dataset.groups[kept],
        splits=dataset.splits[kept],
        leaked=dataset.leaked[kept],
        pictures=tuple(dataset.pictures[row] for row in kept.tolist()),
    )
