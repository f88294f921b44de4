"""What a training reads of a data set, where that is parts of its pictures. In: nothing. Out: CutPictures. Next: task.py."""

from __future__ import annotations

from typing import NamedTuple

from tellapart.data.dataset import Dataset


class CutPictures(NamedTuple):
    """A data set of parts of pictures, and how many parts a network looks at that was trained on them."""

    dataset: Dataset  # what is learned from, and what an epoch is judged by; no test split
    validated: int  # of all validation pictures
    tested: int  # of all test pictures
