"""Copies of texts. In: texts with planted copies. Out: what an exhaustive comparison says."""

from __future__ import annotations

import numpy as np

from tellapart.data.texts_copies import ALIKE, _signatures, find_text_copies, near_pairs
from tellapart.data.texts_look import inspect_text


def made_texts(count: int) -> list[str]:
    """Sentences of random words; every tenth is an earlier one with a changed end."""
    chance = np.random.default_rng(0)
    words = ["".join(chance.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(300)]
    texts: list[str] = []
    for number in range(count):
        if number % 10 == 9:
            texts.append(texts[-5][:-3] + "zzz")
        else:
            texts.append(" ".join(chance.choice(words, 12)))
    return texts


def pieces(text: str) -> set[str]:
    return {text[place : place + 4] for place in range(len(text) - 3)}


def test_near_pairs_are_those_of_comparing_all_with_all() -> None:
    texts = made_texts(200)
    sets = list(map(pieces, texts))
    wanted = [
        (one, other)
        for one in range(len(texts))
        for other in range(one + 1, len(texts))
        if len(sets[one] & sets[other]) >= ALIKE * len(sets[one] | sets[other])
    ]
    assert len(wanted) >= 20
    assert near_pairs(texts) == wanted


def test_signatures_are_those_of_each_text_alone() -> None:
    texts = ["the same film, again", "今天的天气非常好我们去公园散步吧", "a song \U0001f3b5 that goes on and on"]
    together = _signatures(texts)
    for text, found in zip(texts, together, strict=True):
        np.testing.assert_array_equal(_signatures([text])[0], found)


def test_copies_are_clusters_and_what_cannot_be_read_is_alone() -> None:
    texts = ["The same film, again.", "the same  film, again.", "The same film, agaim.", "", "another one entirely", ""]
    copies = find_text_copies(texts, [inspect_text(text) for text in texts])
    assert copies.exact == ((0, 1),)
    assert copies.near == ((0, 1, 2),)
    assert copies.cluster_of[0] == copies.cluster_of[1] == copies.cluster_of[2]
    assert len(set(copies.cluster_of)) == 4


def test_a_thousand_alike_are_found_without_comparing_all() -> None:
    texts = [f"breaking news of the hour, number {number:04}" for number in range(1000)]
    copies = find_text_copies(texts, [inspect_text(text) for text in texts])
    assert sum(map(len, copies.near)) > 900
