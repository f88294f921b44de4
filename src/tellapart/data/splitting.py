"""A split as it was told: shares, where the test comes from, how many. In: SplitTerms. Out: AssignSplits. Next: carved.py."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tellapart.data.dataset import AssignSplits
from tellapart.data.examples import Example, Listing, Split
from tellapart.data.packed_entries import column_of
from tellapart.data.packed_examples import said_of
from tellapart.data.readers import READERS
from tellapart.data.split import FRACTIONS
from tellapart.errors import DataError

_LEAST = 3  # items of a class that a part of the data set keeps, where it has them: one for each split
_TINY = 1e-9  # a share that is none


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitTerms:
    """How a user wants the data split; what is None is as usual."""

    shares: tuple[float, float, float] | None = None  # train, validation, test; of all, in all 1
    validation: float | None = None  # of what is train, where nobody gave a validation split
    test_from: Literal["validation"] | None = None  # a fifth of the validation split that was given becomes the test
    seed: int | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing was told."""
        return self == SplitTerms()


def told_split(assign: AssignSplits, terms: SplitTerms) -> AssignSplits:
    """`assign` with the terms, which the usual shares give way to. What it gives raises: DataError."""
    if terms.plain:
        return assign

    def split(*, given: Sequence[Split | None], seed: int, tested: bool = True, **named: Any) -> list[Split]:
        seed = seed if terms.seed is None else terms.seed
        given = _test_from_validation(assign, given, seed, named) if terms.test_from else list(given)
        plain: Any = assign
        found: list[Split] = plain(given=given, seed=seed, tested=tested, fractions=_fractions(terms, given), **named)
        return found

    return split


def _fractions(terms: SplitTerms, given: Sequence[Split | None]) -> tuple[float, float, float]:
    if terms.shares is not None:
        return terms.shares
    if terms.validation is None:
        return FRACTIONS
    # Of what is train, whether a test split was given or is carved first.
    test = _TINY if "test" in given else FRACTIONS[2]
    validation = terms.validation * (1 - test)
    return (1 - test - validation, validation, test)


def _test_from_validation(
    assign: AssignSplits, given: Sequence[Split | None], seed: int, named: dict[str, Any]
) -> list[Split | None]:
    """The splits with a fifth of those that were given as validation made test, in whole groups, class by class."""
    chosen = [index for index, split in enumerate(given) if split == "validation"]
    if not chosen or "test" in given:
        what = "there is a test split already" if "test" in given else "no picture was given as validation"
        raise DataError(
            f"--test-from validation takes the test from the validation split that was given, and {what}. Leave it out."
        )
    part = {name: [values[index] for index in chosen] for name, values in named.items() if len(values) == len(given)}
    plain: Any = assign
    test = FRACTIONS[2]
    rest = (1 - test) / 2  # train and validation of this part are both validation
    found = plain(given=[None] * len(chosen), seed=seed, fractions=(rest, rest, test), **{**named, **part})
    result = list(given)
    for index, split in zip(chosen, found, strict=True):
        result[index] = "test" if split == "test" else "validation"
    return result


def limited(listing: Listing, limit: int, seed: int) -> Listing:
    """At most about so many entries, drawn at random: of each class and split its share, and three where it has so many.

    A function of the seed and of the paths; the entries keep their order.
    """
    if limit >= len(listing.entries):
        return listing
    strata: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for index, entry in enumerate(listing.entries):
        strata[entry.target.text, entry.split or ""].append(index)
    share, kept = limit / len(listing.entries), set()
    for members in strata.values():
        ranked = sorted(members, key=lambda index: _rank(listing, index, seed))
        kept.update(ranked[: max(min(_LEAST, len(members)), round(share * len(members)))])
    entries = tuple(entry for index, entry in enumerate(listing.entries) if index in kept)
    item = READERS[listing.task].words.item
    note = f"Of {len(listing.entries):,} {item}s {len(entries):,} are looked at, drawn at random (seed {seed})."
    return replace(listing, entries=entries, notes=(*listing.notes, note))


def _rank(listing: Listing, index: int, seed: int) -> str:
    path = os.path.relpath(listing.entries[index].path, listing.folder)
    return hashlib.sha256(f"{seed}:{path}".encode("utf-8", "surrogateescape")).hexdigest()


def told_test(listing: Listing, examples: Sequence[Example], terms: SplitTerms, seed: int) -> str:
    """Where the test items came from, in a sentence; `examples` are in the order of the listing.

    "" without a test, and where `tell_carved` tells it.
    """
    given = Counter(column_of(listing.entries, "split"))
    splits = zip(column_of(listing.entries, "split"), said_of(examples, "split", range(len(examples))), strict=True)
    test = Counter(source for source, split in splits if split == "test")
    if not test:
        return ""
    item, count = READERS[listing.task].words.item, test.total()
    seed = seed if terms.seed is None else terms.seed
    sources = set(test)
    if sources == {"test"}:
        return f"Test: your own test split, {count:,} {item}s."
    if sources == {"validation"}:
        whole = given["validation"]
        return f"Test: {count:,} of the {whole:,} {item}s given as validation, drawn with seed {seed}."
    if sources == {"train"}:
        return ""  # carved.py has said it
    whole = sum(given[source] for source in sources)
    return f"Test: {count:,} of {whole:,} {item}s, drawn with seed {seed}, copies kept together."
