"""What there is to learn from: one row a usable picture. In: Examined, Examples. Out: Dataset. Next: split.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import SPLITS, Example, PictureFile, Split
from tellapart.data.grouping import check_train
from tellapart.data.packed_entries import PackedEntries
from tellapart.data.packed_pictures import PicturesOf, pictures_at
from tellapart.data.split import assign_splits
from tellapart.data.survey import Examined
from tellapart.data.targets import Target, class_numbers
from tellapart.errors import DataError

VARIED = "augmented copy of a picture of test"  # why an example was set aside

Encode = Callable[[Sequence[Target], Sequence[str]], NDArray[Any]]  # targets [N], classes [K] -> an array of N rows


class AssignSplits(Protocol):
    """How a task splits its pictures; see `split.assign_splits`."""

    def __call__(
        self,
        *,
        targets: Sequence[Target],
        content_hashes: Sequence[str],
        groups: Sequence[str],
        given: Sequence[Split | None],
        seed: int,
        added: Sequence[bool],
        tested: bool = True,
    ) -> list[Split]:
        """A split for every picture; where it is not `tested`, no test split is carved. Raises: DataError."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Every picture that was listed, and arrays over the N rows that can be used."""

    classes: tuple[str, ...]
    examples: list[Example]  # every entry, in the listing's order, with problems
    indices: NDArray[np.int64]  # [N], into `examples`
    targets: NDArray[Any]  # as the task's learner takes them: int64 [N] classes, or float32 [N, K] in {0, 1, NaN}
    groups: NDArray[np.int64]  # [N]
    splits: NDArray[np.str_]  # [N]
    leaked: NDArray[np.bool_]  # [N]
    pictures: Sequence[PictureFile]  # [N]
    # The rows of each split, int64 [n] in 0..N-1, by content, so that nothing learned depends on the names of files.
    rows: Mapping[Split, NDArray[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", {split: self._ordered(split) for split in SPLITS})

    @property
    def clean_test(self) -> NDArray[np.int64]:
        """The test split's rows without those that have a copy in another split; all of them where that leaves none."""
        test = self.rows["test"]
        clean = test[~self.leaked[test]]
        return clean if len(clean) else test

    def _ordered(self, split: Split) -> NDArray[np.int64]:
        chosen = np.flatnonzero(self.splits == split)
        examples = [self.examples[self.indices[row]] for row in chosen]
        keys = [(example.content_hash, example.target.text) for example in examples]
        return chosen[sorted(range(len(chosen)), key=keys.__getitem__)]

    def without(self, problems: Mapping[int, str]) -> Dataset:
        """The same with the rows in `problems` set aside for the reasons given there.

        Raises: DataError when a split has no picture left.
        """
        examples = list(self.examples)
        for row, problem in problems.items():
            index = int(self.indices[row])
            examples[index] = replace(examples[index], split=None, problem=problem)
        kept = np.array([row for row in range(len(self.indices)) if row not in problems], dtype=np.int64)
        left = self._of(kept, examples)
        for split in SPLITS:
            if len(self.rows[split]) and not len(left.rows[split]):
                raise DataError(f"no picture of the {split} split is left that can be read. Add pictures to it.")
        return left

    def without_test(self) -> Dataset:
        """The same as one must see it who chooses among settings: the test split's rows and pictures are not in it."""
        examples = [replace(one, split=None) if one.split == "test" else one for one in self.examples]
        return self._of(np.flatnonzero(self.splits != "test"), examples)

    def _of(self, kept: NDArray[np.int64], examples: list[Example]) -> Dataset:
        return replace(
            self,
            examples=examples,
            indices=self.indices[kept],
            targets=self.targets[kept],
            groups=self.groups[kept],
            splits=self.splits[kept],
            leaked=self.leaked[kept],
            pictures=pictures_at(self.pictures, kept),
        )


def gather(
    examined: Examined, *, seed: int, split: AssignSplits = assign_splits, encode: Encode = class_numbers
) -> Dataset:
    """Split what can be read, copies together, and encode the N targets, [N, ...]; both as the task does it.

    Raises: DataError.
    """
    return _gathered(examined, split_examples(examined, seed=seed, split=split), encode)


def unsplit(examined: Examined, *, encode: Encode = class_numbers) -> Dataset:
    """What can be read, N pictures in no split, with the N targets encoded as the task does it."""
    examples = [
        Example(
            path=entry.path,
            target=entry.target,
            split=None,
            group=group,
            content_hash=inspection.content_hash,
            width=inspection.width,
            height=inspection.height,
            problem=inspection.problem,
        )
        for entry, inspection, group in zip(
            examined.listing.entries, examined.inspections, examined.audit.groups, strict=True
        )
    ]
    return _gathered(examined, examples, encode)


def _gathered(examined: Examined, examples: list[Example], encode: Encode) -> Dataset:
    usable = [index for index, example in enumerate(examples) if not example.problem]
    leaked = {examined.listing.entries[index].path for index in examined.audit.leaked_indices}
    _, groups = np.unique([examples[index].group for index in usable], return_inverse=True)
    return Dataset(
        classes=examined.audit.classes,
        examples=examples,
        indices=np.array(usable, dtype=np.int64),
        targets=encode([examples[index].target for index in usable], examined.audit.classes),
        groups=groups.astype(np.int64),
        splits=np.array([examples[index].split or "" for index in usable]),
        leaked=np.array([examples[index].path in leaked for index in usable], dtype=np.bool_),
        pictures=_pictures(examined, np.array(usable, dtype=np.int64)),
    )


def _pictures(examined: Examined, usable: NDArray[np.int64]) -> Sequence[PictureFile]:
    found = PicturesOf(examined.listing.entries, examined.inspections, usable)
    return found if isinstance(examined.listing.entries, PackedEntries) else tuple(found)


def split_examples(examined: Examined, *, seed: int, split: AssignSplits = assign_splits) -> list[Example]:
    """Every entry as an Example, with its split; entries with a problem have none. Raises: DataError.

    Corrections of what is tested on are set aside: a test that its own users can change proves nothing. So are augmented
    copies of what is tested on, unless the user's own split has them there: they would count one picture many times.
    """
    entries, inspections, audit = examined.listing.entries, examined.inspections, examined.audit
    usable = [index for index, inspection in enumerate(inspections) if not inspection.problem]
    splits = split(
        targets=[entries[index].target for index in usable],
        content_hashes=[inspections[index].content_hash for index in usable],
        groups=[audit.groups[index] for index in usable],
        given=[entries[index].split for index in usable],
        added=[entries[index].added for index in usable],
        seed=seed,
    )
    chosen: dict[int, Split] = dict(zip(usable, splits, strict=True))
    beside = {index: part for index, part in chosen.items() if entries[index].added and part != "train"}
    varied = {
        index
        for index in audit.augmented_indices & chosen.keys() - beside.keys()
        if chosen[index] == "test" and entries[index].split != "test"
    }
    aside = {index: f"corrected, and alike to a picture of {part}" for index, part in beside.items()}
    aside |= dict.fromkeys(varied, VARIED)
    for index in aside:
        del chosen[index]
    examples = [
        Example(
            path=entry.path,
            target=entry.train_target
            if entry.train_target is not None and chosen.get(index) == "train"
            else entry.target,
            split=chosen.get(index),
            group=audit.groups[index] if index in chosen else "",
            content_hash=inspection.content_hash,
            width=inspection.width,
            height=inspection.height,
            problem=aside.get(index, inspection.problem),
        )
        for index, (entry, inspection) in enumerate(zip(entries, inspections, strict=True))
    ]
    check_train([example.target for example in examples], [example.split for example in examples])
    return examples
