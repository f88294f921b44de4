"""From pairs of contents to clusters of augmented copies, worked by hand."""

from __future__ import annotations

import pytest

from tellapart.data.augmented import Augmented, Scenes, comparable, join
from tellapart.data.examples import Inspection


def inspections(contents: str, areas: dict[str, int] | None = None) -> list[Inspection]:
    """A picture a letter, 100 x 100 unless said otherwise; "-" cannot be read."""
    return [
        Inspection(file_hash=str(index), problem="damaged")
        if letter == "-"
        else Inspection(file_hash=str(index), content_hash=letter, width=(areas or {}).get(letter, 100), height=100)
        for index, letter in enumerate(contents)
    ]


def joined(
    contents: str, *pairs: str, clusters: list[int] | None = None, areas: dict[str, int] | None = None
) -> Augmented:
    seen = inspections(contents, areas)
    scenes = Scenes(pairs=tuple((pair[0], pair[1]) for pair in pairs))
    return join(scenes, seen, clusters or list(range(len(seen))))


def test_without_pairs_nothing_is_joined() -> None:
    found = joined("abc")
    assert found.clusters == ()
    assert found.copies == frozenset()
    assert found.joined == (0, 1, 2)


def test_the_one_that_looks_original_in_most_pairs_stands_first() -> None:
    found = joined("xabc-y", "ab", "ac", "bc")
    assert found.clusters == ((1, 2, 3),)
    assert found.copies == {2, 3}
    assert found.joined[1] == found.joined[2] == found.joined[3]
    assert len(set(found.joined)) == 4


def test_chains_are_followed() -> None:
    found = joined("abcd", "ba", "bc", "cd")
    assert found.clusters == ((1, 0, 2, 3),)


def test_the_larger_is_the_original() -> None:
    assert joined("ab", "ab", areas={"b": 200}).clusters == ((1, 0),)
    assert joined("ab", "ab", areas={"b": 105}).clusters == ((0, 1),)


def test_exact_and_near_copies_of_the_original_are_no_augmented_copies() -> None:
    # 0 and 1 are exact copies, 2 a near copy of them; 3 and 4 (exact copies of each other) were made from them.
    found = joined("aabcc", "ac", clusters=[0, 0, 0, 1, 1])
    assert found.clusters == ((0, 1, 2, 3, 4),)
    assert found.copies == {3, 4}


def test_a_pair_within_a_cluster_of_near_copies_adds_nothing() -> None:
    found = joined("ab", "ab", clusters=[0, 0])
    assert found.clusters == ()
    assert found.copies == frozenset()


@pytest.mark.parametrize(
    ("width", "height", "enough"),
    [(64, 64, True), (63, 400, False), (256, 64, True), (64, 257, False), (28, 28, False), (4000, 3000, True)],
)
def test_small_and_long_pictures_are_not_compared(width: int, height: int, enough: bool) -> None:
    assert comparable(width, height) is enough
