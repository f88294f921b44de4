"""What there is to learn from: one row a usable picture. In: Examined, Examples. Out: Dataset. Next: split.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import SPLITS, Example, PictureFile, Split
from tellapart.data.split import assign_splits, check_train
from tellapart.data.survey import Examined
from tellapart.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Every picture that was listed, and arrays over the N rows that can be used."""

    classes: tuple[str, ...]
    examples: list[Example]  # every entry, in the listing's order, with problems
    indices: NDArray[np.int64]  # [N], into `examples`
    targets: NDArray[Any]  # [N, ...], as the task's learner takes them
    groups: NDArray[np.int64]  # [N]
    splits: NDArray[np.str_]  # [N]
    leaked: NDArray[np.bool_]  # [N]
    file_hashes: Mapping[int, str]  # index into `examples` -> SHA-256 of the file

    def rows(self, split: Split) -> NDArray[np.int64]:
        """The rows of a split, in the order of their contents, so that nothing learned depends on names of files."""
        chosen = np.flatnonzero(self.splits == split)
        told = np.nan_to_num(np.asarray(self.targets[chosen], dtype=np.float64), nan=-1).tolist()
        hashes = [self.examples[index].content_hash for index in self.indices[chosen].tolist()]
        keys = list(zip(hashes, told, strict=True))
        return chosen[sorted(range(len(chosen)), key=keys.__getitem__)]

    def pictures(self, rows: NDArray[np.int64] | None = None) -> list[PictureFile]:
        """The files of some rows, or of all."""
        found = []
        for index in self.indices if rows is None else self.indices[rows]:
            example = self.examples[index]
            found.append(
                PictureFile(
                    path=example.path, file_hash=self.file_hashes[int(index)], content_hash=example.content_hash
                )
            )
        return found

    def without(self, problems: Mapping[int, str]) -> Dataset:
        """The same with the rows in `problems` set aside for the reasons given there.

        Raises: DataError when a split has no picture left.
        """
        examples = list(self.examples)
        for row, problem in problems.items():
            index = int(self.indices[row])
            examples[index] = replace(examples[index], split=None, problem=problem)
        kept = np.array([row for row in range(len(self.indices)) if row not in problems], dtype=np.int64)
        left = replace(
            self,
            examples=examples,
            indices=self.indices[kept],
            targets=self.targets[kept],
            groups=self.groups[kept],
            splits=self.splits[kept],
            leaked=self.leaked[kept],
        )
        for split in SPLITS:
            if not (left.splits == split).any():
                raise DataError(f"no picture of the {split} split is left that can be read. Add pictures to it.")
        return left


def gather(examined: Examined, *, seed: int) -> Dataset:
    """Split what can be read, copies together. Raises: DataError."""
    examples = split_examples(examined, seed=seed)
    usable = [index for index, example in enumerate(examples) if not example.problem]
    number = {label: index for index, label in enumerate(examined.audit.classes)}
    leaked = {examined.listing.entries[index].path for index in examined.audit.leaked_indices}
    _, groups = np.unique([examples[index].group for index in usable], return_inverse=True)
    return Dataset(
        classes=examined.audit.classes,
        examples=examples,
        indices=np.array(usable, dtype=np.int64),
        targets=np.array([number[examples[index].label] for index in usable], dtype=np.int64),
        groups=groups.astype(np.int64),
        splits=np.array([examples[index].split or "" for index in usable]),
        leaked=np.array([examples[index].path in leaked for index in usable], dtype=np.bool_),
        file_hashes={index: examined.inspections[index].file_hash for index in usable},
    )


def split_examples(examined: Examined, *, seed: int) -> list[Example]:
    """Every entry as an Example, with its split; entries with a problem have none. Raises: DataError.

    Corrections of what is tested on are set aside: a test that its own users can change proves nothing.
    """
    entries, inspections, audit = examined.listing.entries, examined.inspections, examined.audit
    usable = [index for index, inspection in enumerate(inspections) if not inspection.problem]
    splits = assign_splits(
        labels=[entries[index].label for index in usable],
        content_hashes=[inspections[index].content_hash for index in usable],
        groups=[audit.groups[index] for index in usable],
        given=[entries[index].split for index in usable],
        added=[entries[index].added for index in usable],
        seed=seed,
    )
    chosen: dict[int, Split] = dict(zip(usable, splits, strict=True))
    beside = {index: split for index, split in chosen.items() if entries[index].added and split != "train"}
    for index in beside:
        del chosen[index]
    examples = [
        Example(
            path=entry.path,
            label=entry.train_label if entry.train_label and chosen.get(index) == "train" else entry.label,
            split=chosen.get(index),
            group=audit.groups[index] if index in chosen else "",
            content_hash=inspection.content_hash,
            width=inspection.width,
            height=inspection.height,
            problem=f"corrected, and alike to a picture of {beside[index]}" if index in beside else inspection.problem,
        )
        for index, (entry, inspection) in enumerate(zip(entries, inspections, strict=True))
    ]
    check_train([example.label for example in examples], [example.split for example in examples])
    return examples
