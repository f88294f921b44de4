"""What became of the splits that a user gave. In: Listing, examples. Out: a sentence. Next: examples_csv.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tellapart.data.examples import SPLITS, Example, Listing
from tellapart.data.readers import READERS


def tell_carved(listing: Listing, examples: Sequence[Example]) -> str:
    """How many pictures given as train went to splits that were given to nobody; "" where none did.

    `examples` are in the order of the listing.
    """
    pairs = list(zip(listing.entries, examples, strict=True))
    train = sum(entry.split == "train" for entry, _ in pairs)
    moved = Counter(
        example.split for entry, example in pairs if entry.split == "train" and example.split not in (None, "train")
    )
    parts = [f"{moved[split]:,} became the {split} split" for split in SPLITS if moved[split]]
    item = READERS[listing.task].words.item
    return f"Of the {train:,} {item}s given as train, {' and '.join(parts)}: there was none." if parts else ""
