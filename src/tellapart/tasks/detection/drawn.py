"""Which test pictures are shown, and what is said of them. In: MatchedTest. Out: DrawnPart, BoxDoubtsPart. Next: boxed.py."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tellapart.data.examples import Example
from tellapart.data.targets import Box, Boxes, Target
from tellapart.drawing.boxes import DrawnBox, Sides, window_around
from tellapart.reporting.facts import CaptionLine, Shown
from tellapart.reporting.phrases import Phrases
from tellapart.runs.open import OpenRun
from tellapart.tasks.detection.box_doubts import BoxDoubt, doubt_boxes, worth_a_look
from tellapart.tasks.detection.boxed import BoxView, show_boxes
from tellapart.tasks.detection.facts import BoxDoubtsPart, DrawnPart
from tellapart.tasks.detection.tested import FalseBox, MatchedTest, MissedBox

_WHOLE, _LEAST_WHOLE, _PART, _CROP = 560, 480, 360, 96  # pixels of the longer side
_SAMPLE, _MISTAKES, _DOUBTS, _CROPS = 9, 8, 12, 8
_FALSE = {
    "class": "boxes_false_class",
    "place": "boxes_false_place",
    "both": "boxes_false_both",
    "copy": "boxes_false_copy",
    "background": "boxes_false_background",
}
_DOUBTED = {
    "missing": "boxes_doubt_missing",
    "class": "boxes_doubt_class",
    "place": "boxes_doubt_place",
    "nothing": "boxes_doubt_nothing",
}


def counted_in_words(target: Target, phrases: Phrases) -> str:
    """How many boxes of each class a target has."""
    found = Counter(box.label for box in target.boxes) if isinstance(target, Boxes) else Counter[str]()
    return phrases.joined([f"{count} {name}" for name, count in found.items()]) or phrases("boxes_none")


def class_samples(run: OpenRun, names: Sequence[str]) -> list[tuple[str, Sequence[Shown]]]:
    """A few boxes of each class, cut out; which, depends on the contents of the pictures alone."""
    found: dict[str, list[BoxView]] = {name: [] for name in names}
    for example in sorted(run.examples, key=lambda one: zlib.crc32(one.content_hash.encode())):
        for label, box in _one_of_each(example).items():
            if len(found.get(label, ())) < _CROPS and label in found:
                found[label].append(_crop(example, box))
    shown = iter(
        show_boxes([view for views in found.values() for view in views], run.preprocessing, side=_CROP, least=_CROP)
    )
    return [(name, [next(shown) for _ in views]) for name, views in found.items()]


def drawn_part(run: OpenRun, tested: MatchedTest, phrases: Phrases) -> DrawnPart:
    """A random sample of the test pictures, the surest false boxes and the largest missed ones, each picture once a kind."""
    count = len(tested.truths)
    sample = np.random.default_rng(run.settings.seed).permutation(count)[:_SAMPLE].tolist()
    false, missed = tested.false(), tested.missed()
    wrong, said = Counter(one.picture for one in false), tested.counted.said.sum(axis=0)
    whole = [_sampled(tested, one, run.classes, phrases, told=int(said[one]), false=wrong[one]) for one in sample]
    return DrawnPart(
        sample=show_boxes(whole, run.preprocessing, side=_WHOLE, least=_LEAST_WHOLE),
        false=_parts(run, [_false(tested, one, run.classes, phrases) for one in _once(false)]),
        missed=_parts(run, [_missed(tested, one, run.classes, phrases) for one in _once(missed)]),
        n=count,
        n_false=len(false),
        n_missed=len(missed),
    )


def doubts_part(run: OpenRun, tested: MatchedTest, phrases: Phrases) -> BoxDoubtsPart:
    """The boxes of the test split that the model, which has not seen them, takes for wrong; the most suspicious first."""
    found = worth_a_look(doubt_boxes(tested.table.answers, tested.truths, len(run.classes)))
    views = [_doubted(tested, one, run.classes, phrases) for one in found[:_DOUBTS]]
    return BoxDoubtsPart(
        n=len(tested.truths),
        n_all=sum(not example.problem for example in run.examples),
        counts=Counter(one.kind for one in found).most_common(),
        shown=_parts(run, views),
        judged=sum(len(truth.labels) for truth in tested.truths),
    )


def _parts(run: OpenRun, views: Sequence[BoxView]) -> list[Shown]:
    return show_boxes(views, run.preprocessing, side=_PART, least=_PART)


def _once(found: Sequence[Any]) -> list[Any]:
    """The first of each picture, as many as are shown."""
    first = {one.picture: one for one in reversed(found)}
    return [one for one in found if first[one.picture] is one][:_MISTAKES]


def _one_of_each(example: Example) -> dict[str, Box]:
    """The first box of each class of a picture; none of a crowd, or of a picture that could not be read."""
    boxes = example.target.boxes if isinstance(example.target, Boxes) and not example.problem else ()
    return {box.label: box for box in reversed(boxes) if not box.crowd}


def _crop(example: Example, box: Box) -> BoxView:
    size = (example.width, example.height)
    left, top = min(int(box.left), size[0] - 1), min(int(box.top), size[1] - 1)
    right, bottom = min(int(np.ceil(box.right)), size[0]), min(int(np.ceil(box.bottom)), size[1])
    window = (left, top, max(right, left + 1), max(bottom, top + 1))
    return BoxView(path=example.path, size=size, label=box.label, window=window)


def _sampled(
    tested: MatchedTest, picture: int, classes: Sequence[str], phrases: Phrases, *, told: int, false: int
) -> BoxView:
    """All true and told boxes, the true ones named where no told box found them; `told` and `false` count what counts."""
    truth, found = tested.truths[picture], tested.found(picture)
    counts = ~truth.ignored
    boxes = [
        *_answers(tested, picture, classes, named=np.flatnonzero(tested.told(picture)).tolist()),
        *_truths(tested, picture, classes, named=np.flatnonzero(~found & counts).tolist()),
    ]
    said = phrases("boxes_picture", n=int(counts.sum()), told=told)
    lines = [CaptionLine(text=said)]
    wrong = (("boxes_picture_missed", int((counts & ~found).sum())), ("boxes_picture_false", false))
    faults = phrases.joined([phrases(key, n=number) for key, number in wrong if number])
    if faults:
        lines.append(CaptionLine(text="", name=faults, bad=True))
    return _view(tested, picture, label=said, boxes=boxes, caption=lines)


def _false(tested: MatchedTest, one: FalseBox, classes: Sequence[str], phrases: Phrases) -> BoxView:
    answer, truth = tested.table.answers[one.picture], tested.truths[one.picture]
    label = classes[answer.labels[one.answer]]
    meant = classes[truth.labels[one.box]] if one.box >= 0 else ""
    lines = [
        CaptionLine(text=phrases("boxes_told"), name=label, share=phrases.percent(one.score, 0), bad=True),
        CaptionLine(text=phrases(_FALSE[one.kind], label=meant, overlap=f"{one.overlap:.2f}")),
    ]
    boxes = [
        *_answers(tested, one.picture, classes, named=[one.answer]),
        *_truths(tested, one.picture, classes, named=[one.box]),
    ]
    return _view(tested, one.picture, label=label, boxes=boxes, caption=lines, around=answer.boxes[one.answer].tolist())


def _missed(tested: MatchedTest, one: MissedBox, classes: Sequence[str], phrases: Phrases) -> BoxView:
    truth = tested.truths[one.picture]
    number = int(truth.labels[one.box])
    under = phrases("boxes_missed_nothing")
    if one.best is not None:
        under = phrases("boxes_missed_under", share=one.best, least=phrases.percent(float(tested.thresholds[number])))
    lines = [CaptionLine(text=phrases("boxes_missed_one"), name=classes[number], bad=True), CaptionLine(text=under)]
    boxes = [
        *_answers(tested, one.picture, classes, named=[]),
        *_truths(tested, one.picture, classes, named=[one.box]),
    ]
    around = truth.boxes[one.box].tolist()
    return _view(tested, one.picture, label=classes[number], boxes=boxes, caption=lines, around=around)


def _doubted(tested: MatchedTest, one: BoxDoubt, classes: Sequence[str], phrases: Phrases) -> BoxView:
    """All true boxes, and of the answers the one that speaks against the truth."""
    answer, truth = tested.table.answers[one.picture], tested.truths[one.picture]
    given = classes[truth.labels[one.box]] if one.box >= 0 else ""
    lines = [CaptionLine(text=phrases("labelled"), name=given, bad=True)] if given else []
    said = CaptionLine(text=phrases(_DOUBTED[one.kind]))
    if one.answer >= 0:
        score = phrases.percent(float(answer.scores[one.answer]), 0)
        said = CaptionLine(text=said.text, name=classes[answer.labels[one.answer]], share=score)
    seen = _answers(tested, one.picture, classes, named=[one.answer], only=[one.answer])
    boxes = [*seen, *_truths(tested, one.picture, classes, named=[one.box])]
    around = (truth.boxes[one.box] if one.box >= 0 else answer.boxes[one.answer]).tolist()
    return _view(tested, one.picture, label=said.text, boxes=boxes, caption=[*lines, said], around=around)


def _view(
    tested: MatchedTest,
    picture: int,
    *,
    label: str,
    boxes: Sequence[DrawnBox],
    caption: Sequence[CaptionLine],
    around: Sides | None = None,
) -> BoxView:
    """What is named comes first, so that there is room for its name."""
    width, height = tested.table.sizes[picture]
    return BoxView(
        path=tested.table.paths[picture],
        size=(width, height),
        label=label,
        boxes=sorted(boxes, key=lambda box: not box.named),
        window=None if around is None else window_around(around, width=width, height=height),
        caption=tuple(caption),
    )


def _answers(
    tested: MatchedTest,
    picture: int,
    classes: Sequence[str],
    *,
    named: Sequence[int],
    only: Sequence[int] | None = None,
) -> Iterator[DrawnBox]:
    """The told boxes of a picture, or those answers that `only` lists; with their names where `named` lists them."""
    answer = tested.table.answers[picture]
    chosen = np.flatnonzero(tested.told(picture)).tolist() if only is None else [one for one in only if one >= 0]
    for place in chosen:
        number = int(answer.labels[place])
        left, top, right, bottom = answer.boxes[place].tolist()
        yield DrawnBox(
            sides=(left, top, right, bottom),
            label=classes[number],
            number=number,
            score=float(answer.scores[place]),
            named=place in named,
        )


def _truths(tested: MatchedTest, picture: int, classes: Sequence[str], *, named: Sequence[int]) -> Iterator[DrawnBox]:
    truth = tested.truths[picture]
    for place, (sides, number) in enumerate(zip(truth.boxes.tolist(), truth.labels.tolist(), strict=True)):
        left, top, right, bottom = sides
        yield DrawnBox(
            sides=(left, top, right, bottom), label=classes[number], number=number, true=True, named=place in named
        )
