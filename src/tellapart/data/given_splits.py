"""Which of the splits that were given is to be learned from. In: Listing, a name. Out: Listing. Next: readers.py."""

from __future__ import annotations

from dataclasses import replace

from tellapart.data.columns import split_named
from tellapart.data.examples import SPLITS, Listing
from tellapart.errors import DataError, SettingsError


def train_on(listing: Listing, name: str) -> Listing:
    """With the split called `name`, by any usual name of it, as train.

    Raises: SettingsError for no split's name; DataError where there is no such split, or one for training is there already.
    """
    split = split_named(name)
    if split is None:
        raise SettingsError(
            f"--train-split is {name!r}, which is no usual name of a split. Give one that is there, such as dev."
        )
    given = {entry.split for entry in listing.entries}
    if split not in given or (split != "train" and "train" in given):
        named = ", ".join(repr(one) for one in SPLITS if one in given) or "no split"
        why = f"{name!r} is not among them" if split not in given else "'train' is there to learn from"
        raise DataError(
            f"--train-split is {name!r}, and {str(listing.source)!r} gives {named}: {why}. Leave it out, or name another."
        )
    entries = tuple(replace(entry, split="train") if entry.split == split else entry for entry in listing.entries)
    return replace(listing, entries=entries)
