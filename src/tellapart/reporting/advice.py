"""What a person should do next. In: figures of a run. Out: phrases, the most useful first. Next: page.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tellapart.bundle import Score
from tellapart.reporting.facts import ClassRow, Pair, Said

WIDEST = 0.10  # of an interval that tells enough
FEWEST = 10  # test pictures of a class
_LOWER_BY = 0.05  # a class's recall below the accuracy, from which on more pictures of it come first
_PAIR_SHARE = 0.2  # of the mistakes
_OVERFIT = 0.08  # training accuracy above validation accuracy
TRUSTED = 0.6  # accuracy from which on doubts about labels are worth a look
MANY_WRONG = 0.15  # of the pictures; as many wrong labels are rather a weak classifier
_NAMED = 4
MOST = 6  # more than that nobody does


def advise(
    *,
    accuracy: Score,
    n_test: int,
    n_pictures: int,
    classes: Sequence[ClassRow],
    pairs: Sequence[Pair],
    mistakes: int,
    wrong_labels: int,
    leaks: int,
    two_labels: int,
    unreadable: int,
    by_files: float | None,
    more: Sequence[Said] = (),
    fitted: tuple[float, float] | None,
) -> list[Said]:
    """At most six pieces of advice.

    `n_pictures` are those whose labels were looked at, `classes` all classes, `pairs` the most often confused ones, most
    frequent first; `by_files` is the balanced accuracy by facts of the files alone, where that beats chance; `more` is what
    more pictures would bring; `fitted` is the accuracy on training and on validation pictures of a trained network.
    """
    found: list[Said] = []
    if leaks:
        found.append(("next_leaks", {"n": leaks}))
    if two_labels:
        found.append(("next_two_labels", {"n": two_labels}))
    if by_files is not None:
        found.append(("next_shortcut", {"share": by_files}))
    found += about_labels(accuracy, wrong_labels, n_pictures)
    found += about_size(accuracy, n_test, [(row.name, row.test) for row in classes])
    if accuracy.value < TRUSTED:
        found.insert(0, ("next_weak", {"accuracy": accuracy.value}))
    found += _about_classes(accuracy, classes, pairs, mistakes)
    found += more
    if fitted is not None and fitted[0] - fitted[1] > _OVERFIT:
        found.append(("next_overfit", {"train": fitted[0], "validation": fitted[1]}))
    if unreadable:
        found.append(("next_unreadable", {"n": unreadable}))
    return found[:MOST]


def about_size(score: Score, n_test: int, support: Sequence[tuple[str, int]]) -> list[Said]:
    """What a test split that is too small asks for; `support` holds the classes and how many test pictures each has."""
    found: list[Said] = []
    # An end of 0.0 is one.
    low, high = (score.value if end is None else end for end in (score.low, score.high))
    width = high - low
    if width > WIDEST:
        more = math.ceil(round(n_test * ((width / WIDEST) ** 2 - 1), 6))
        step = 10 ** max(0, len(str(more)) - 2)
        found.append(("next_test", {"n": math.ceil(more / step) * step}))
    few = [name for name, count in support if count < FEWEST]
    if few:
        found.append(("next_few", {"names": few[:_NAMED] + (["…"] if len(few) > _NAMED else [])}))
    return found


def about_labels(score: Score, wrong_labels: int, n_labels: int) -> list[Said]:
    """Where a classifier is hardly better than guessing, what it calls wrong says nothing about the labels."""
    trusted = wrong_labels and score.value >= TRUSTED and wrong_labels <= MANY_WRONG * n_labels
    return [("next_labels", {"n": wrong_labels})] if trusted else []


def _about_classes(accuracy: Score, classes: Sequence[ClassRow], pairs: Sequence[Pair], mistakes: int) -> list[Said]:
    found: list[Said] = []
    known = [row for row in classes if row.recall is not None and row.test >= FEWEST]
    if known:
        worst = min(known, key=lambda row: (row.recall.value if row.recall else 1.0, row.name))
        if worst.recall is not None and worst.recall.value < accuracy.value - _LOWER_BY:
            found.append(("next_class", {"label": worst.name, "recall": worst.recall.value, "n": worst.train}))
    if len(classes) > 2 and pairs and pairs[0].count >= 2 and pairs[0].count >= _PAIR_SHARE * mistakes:
        first = pairs[0]
        values = {"label": first.label, "predicted": first.predicted, "n": first.count, "mistakes": mistakes}
        found.append(("next_pair", values))
    return found
