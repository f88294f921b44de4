"""What became of the splits that a user gave. In: Listing, examples. Out: a sentence. Next: examples_csv.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tellapart.data.examples import SPLITS, Example, Listing, Split
from tellapart.data.packed_entries import column_of
from tellapart.data.packed_examples import said_of
from tellapart.data.readers import READERS


def tell_carved(listing: Listing, examples: Sequence[Example]) -> str:
    """How many pictures given as train went to splits that were given to nobody; "" where none did.

    `examples` are in the order of the listing.
    """
    pairs = Counter(
        zip(column_of(listing.entries, "split"), said_of(examples, "split", range(len(examples))), strict=True)
    )
    moved: Counter[Split] = Counter({split: pairs["train", split] for split in SPLITS if split != "train"})
    train = sum(count for (given, _), count in pairs.items() if given == "train")
    parts = [f"{moved[split]:,} became the {split} split" for split in SPLITS if moved[split]]
    item = READERS[listing.task].words.item
    return f"Of the {train:,} {item}s given as train, {' and '.join(parts)}: there was none." if parts else ""
