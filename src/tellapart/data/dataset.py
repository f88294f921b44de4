"""What there is to learn from: one row a usable picture. In: Examined, Examples. Out: Dataset. Next: split.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import SPLITS, Example, PictureFile, Split
from tellapart.data.grouping import check_train
from tellapart.data.packed_entries import PackedEntries, column_of
from tellapart.data.packed_examples import packed_examples, said_of, usable_places
from tellapart.data.packed_inspections import contents_of, readable
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
    examples: Sequence[Example]  # every entry, in the listing's order, with problems; packed where they are very many
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
        places = self.indices[chosen].tolist()
        contents = [content.encode() for content in said_of(self.examples, "content_hash", places)]
        texts = [target.text for target in said_of(self.examples, "target", places)]
        place = {text: number for number, text in enumerate(sorted(set(texts)))}
        labels = np.array([place[text] for text in texts], dtype=np.int64)
        return chosen[np.lexsort((labels, np.array(contents, dtype=np.bytes_)))]

    def without(self, problems: Mapping[int, str]) -> Dataset:
        """The same with the rows in `problems` set aside for the reasons given there.

        Raises: DataError when a split has no picture left.
        """
        of_index = {int(self.indices[row]): problem for row, problem in problems.items()}
        examples = packed_examples(
            replace(one, split=None, problem=of_index[index]) if index in of_index else one
            for index, one in enumerate(self.examples)
        )
        kept = np.array([row for row in range(len(self.indices)) if row not in problems], dtype=np.int64)
        left = self._of(kept, examples)
        for split in SPLITS:
            if len(self.rows[split]) and not len(left.rows[split]):
                raise DataError(f"no picture of the {split} split is left that can be read. Add pictures to it.")
        return left

    def without_test(self) -> Dataset:
        """The same as one must see it who chooses among settings: the test split's rows and pictures are not in it."""
        examples = packed_examples(replace(one, split=None) if one.split == "test" else one for one in self.examples)
        return self._of(np.flatnonzero(self.splits != "test"), examples)

    def _of(self, kept: NDArray[np.int64], examples: Sequence[Example]) -> Dataset:
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
    examples = packed_examples(
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
    )
    return _gathered(examined, examples, encode)


def _gathered(examined: Examined, examples: Sequence[Example], encode: Encode) -> Dataset:
    indices = usable_places(examples)
    usable = indices.tolist()
    leaked = np.zeros(len(examples), dtype=np.bool_)
    leaked[list(examined.audit.leaked_indices)] = True
    return Dataset(
        classes=examined.audit.classes,
        examples=examples,
        indices=indices,
        targets=encode(list(said_of(examples, "target", usable)), examined.audit.classes),
        groups=_numbered(list(said_of(examples, "group", usable))),
        splits=np.array([split or "" for split in said_of(examples, "split", usable)]),
        leaked=leaked[indices],
        pictures=_pictures(examined, indices),
    )


def _numbered(groups: Sequence[str]) -> NDArray[np.int64]:
    """Each one's place among the different ones, sorted, [N]."""
    place = {group: number for number, group in enumerate(sorted(set(groups)))}
    return np.array([place[group] for group in groups], dtype=np.int64)


def _pictures(examined: Examined, usable: NDArray[np.int64]) -> Sequence[PictureFile]:
    found = PicturesOf(examined.listing.entries, examined.inspections, usable)
    return found if isinstance(examined.listing.entries, PackedEntries) else tuple(found)


def split_examples(examined: Examined, *, seed: int, split: AssignSplits = assign_splits) -> Sequence[Example]:
    """Every entry as an Example, with its split; entries with a problem have none. Raises: DataError.

    Corrections of what is tested on are set aside: a test that its own users can change proves nothing. So are augmented
    copies of what is tested on, unless the user's own split has them there: they would count one picture many times.
    """
    entries, inspections, audit = examined.listing.entries, examined.inspections, examined.audit
    places = readable(inspections)
    usable, added = places.tolist(), list(column_of(entries, "added", places))
    splits = split(
        targets=list(column_of(entries, "target", places)),
        content_hashes=[content.decode() for content in contents_of(inspections, places).tolist()],
        groups=[audit.groups[index] for index in usable],
        given=list(column_of(entries, "split", places)),
        added=added,
        seed=seed,
    )
    chosen: dict[int, Split] = dict(zip(usable, splits, strict=True))
    beside = {index: part for index, part, so in zip(usable, splits, added, strict=True) if so and part != "train"}
    varied = {
        index
        for index in audit.augmented_indices & chosen.keys() - beside.keys()
        if chosen[index] == "test" and entries[index].split != "test"
    }
    aside = {index: f"corrected, and alike to a picture of {part}" for index, part in beside.items()}
    aside |= dict.fromkeys(varied, VARIED)
    for index in aside:
        del chosen[index]
    examples = packed_examples(
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
    )
    every = range(len(examples))
    check_train(list(said_of(examples, "target", every)), list(said_of(examples, "split", every)))
    return examples
