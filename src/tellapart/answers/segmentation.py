"""A class a pixel: what is decided, and how it is told. In: probabilities, or a merged mask. Out: MaskAnswer. Next: table.py.

Every pixel of the upright picture has its most probable class. N pictures, K classes, H rows and W columns of a picture; an
input may reach beyond its picture, and is cut back here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import (
    InputRecord,
    OtherClasses,
    Output,
    Placement,
    Tally,
    Told,
    Truth,
    told_line,
)
from tellapart.answers.deciding import unknown_pictures
from tellapart.answers.mask_answer import MaskAnswer, area_rows, polygons_of
from tellapart.answers.mask_blending import KEPT_BYTES, MaskMerging, as_bytes, most_probable
from tellapart.answers.mask_files import Colour, Painted, as_base64, certainty_png, mask_png, read_base64
from tellapart.answers.mask_predictions import MaskPredictions
from tellapart.answers.mask_tensors import DEFAULTS, mask_outputs, mask_tensors
from tellapart.answers.pictures import AT_ONCE, prepare_picture, stack_pictures
from tellapart.answers.predictions import flags
from tellapart.tiling import Beyond

if TYPE_CHECKING:
    from tellapart.bundle import TaskRecord

_TOLERANCE = 1e-3  # from 1, of the sum of a pixel's probabilities
_NAMED = 4  # classes in a line for a person


class Segmentation:
    """The Answering of segmentation."""

    outputs: tuple[str, ...] = ("probabilities", "novelty")
    defaults: tuple[str, ...] = DEFAULTS
    figures = "shares"
    prepare = staticmethod(prepare_picture)
    stack = staticmethod(stack_pictures)
    graded = False
    local = True
    beyond: Beyond = "mirror"
    item = "picture"
    at_once = AT_ONCE
    pictured: tuple[str, ...] = ("mask", "certainty")

    def __init__(self, *, outlined: bool = False) -> None:
        """`outlined`: whether rows have the outlines of parts as polygons."""
        self._outlined = outlined

    def with_outlines(self) -> Segmentation:
        """The same, with the outlines of parts in its rows."""
        return Segmentation(outlined=True)

    def fits(self, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> bool:
        """Whether there are probabilities [N, K, H, W] that sum to 1 at each pixel."""
        found = arrays["probabilities"]
        if found.ndim != 4 or found.shape[1] != len(classes):
            return False
        return bool((np.abs(found.sum(axis=1) - 1) < _TOLERANCE).all())

    def merging(self, whole: Placement, inputs: InputRecord, record: TaskRecord) -> MaskMerging:
        """What takes the tiles of a picture. Raises: ValueError for another task's record."""
        if record.kind != "segmentation":
            raise ValueError(f"a record of {record.kind}")
        return MaskMerging(whole, classes=len(record.colours), overlap=inputs.overlap)

    def decide(
        self,
        arrays: Mapping[str, NDArray[Any]],
        places: Sequence[Placement],
        record: TaskRecord,
        *,
        classes: tuple[str, ...],
    ) -> list[MaskAnswer]:
        """Of a merged picture's `mask` and `certainty` [1, H, W], or of probabilities [N, K, h, w] of whole pictures.

        An input's pixels are its picture's own: what reaches beyond is cut off. Raises: ValueError for another task's record.
        """
        if record.kind != "segmentation":
            raise ValueError(f"a record of {record.kind}")
        novelty = arrays.get("novelty")
        unknown = unknown_pictures(novelty, record.novelty_threshold)
        answers = []
        for number, place in enumerate(places):
            mask, certainty, probabilities = (
                _merged(arrays, number) if "mask" in arrays else _cut(arrays, number, place)
            )
            answers.append(
                MaskAnswer(
                    classes=classes,
                    mask=mask,
                    certainty=certainty,
                    probabilities=probabilities,
                    confidence=float(certainty.mean(dtype=np.float64) / 255) if certainty.size else 0.0,
                    colours=record.colours,
                    background=record.background,
                    unknown=None if unknown is None else bool(unknown[number]),
                    novelty=None if novelty is None else float(novelty[number]),
                    warning=place.remark,
                )
            )
        return answers

    def unread(self, error: str, *, path: str = "", classes: tuple[str, ...]) -> MaskAnswer:
        """The answer for a picture that could not be read."""
        return MaskAnswer(path=path, classes=classes, error=error)

    def row(
        self, answer: MaskAnswer, *, top: int, figure: Callable[[float], float] = float, least: float | None = None
    ) -> dict[str, Any]:
        """Pixels, share and parts of every class, whatever `top` is; the mask as a PNG file in base64; null what is not known.

        With outlines each part's border too, the largest part first: x and y of corners in pixels.
        """
        read = answer.mask is not None
        row = {
            "path": answer.path,
            "areas": area_rows(answer, figure) if read else None,
            "width": answer.mask.shape[1] if answer.mask is not None else None,
            "height": answer.mask.shape[0] if answer.mask is not None else None,
            "confidence": None if answer.confidence is None else figure(answer.confidence),
            "unknown": answer.unknown,
            "novelty": None if answer.novelty is None else figure(answer.novelty),
            "error": answer.error or None,
            "warning": answer.warning or None,
            "mask": None if answer.mask is None else as_base64(mask_png(answer.mask, answer.colours)),
            "certainty": None if answer.certainty is None else as_base64(certainty_png(answer.certainty)),
        }
        return row | ({"polygons": polygons_of(answer)} if self._outlined else {})

    def read(self, row: Mapping[str, Any], *, path: str, classes: tuple[str, ...], told: Told) -> MaskAnswer:
        """The answer that a row tells. Raises: OtherClasses; KeyError, TypeError, ValueError for no such row."""
        if [one["label"] for one in row["areas"]] != list(classes):
            raise OtherClasses
        mask, certainty = read_base64(row["mask"]), read_base64(row["certainty"])
        if mask.shape != (row["height"], row["width"]) or certainty.shape != mask.shape:
            raise ValueError("the mask has another size than the picture")
        if mask.size and int(mask.max()) >= len(classes):
            raise ValueError("the mask has a class that there is not")
        background = told.get("background")
        return MaskAnswer(
            path=path,
            classes=classes,
            mask=mask,
            certainty=certainty,
            confidence=float(row["confidence"]),
            colours=tuple(_colour(one["colour"]) for one in row["areas"]),
            background=None if background is None else int(background),
            unknown=None if row["unknown"] is None else bool(row["unknown"]),
            novelty=None if row["novelty"] is None else float(row["novelty"]),
            warning=row.get("warning") or "",
        )

    def columns(self, classes: Sequence[str], *, top: int) -> list[str]:
        """path, width, height, four of each class, confidence, unknown, novelty, error, warning."""
        own = [f"{what} of {name}" for name in classes for what in ("pixels", "share", "parts", "sizes")]
        return ["path", "width", "height", *own, "confidence", "unknown", "novelty", "error", "warning"]

    def cells(self, answer: MaskAnswer, *, top: int) -> list[str]:
        """Sizes are a JSON list of pixels, the largest part first, 100 at most; all are empty where nothing is known."""
        if answer.mask is None:
            return [answer.path, *[""] * (2 + 4 * len(answer.classes) + 3), answer.error, answer.warning]
        own = [
            cell
            for one in area_rows(answer, float)
            for cell in (
                str(one["pixels"]),
                f"{one['share']:.6f}",
                "" if one["parts"] is None else str(one["parts"]),
                "" if one["sizes"] is None else json.dumps(one["sizes"], separators=(",", ":")),
            )
        ]
        return [
            answer.path,
            str(answer.mask.shape[1]),
            str(answer.mask.shape[0]),
            *own,
            "" if answer.confidence is None else f"{answer.confidence:.6f}",
            "" if answer.unknown is None else str(answer.unknown).lower(),
            "" if answer.novelty is None else f"{answer.novelty:.6g}",
            answer.error,
            answer.warning,
        ]

    def line(self, answer: MaskAnswer, *, top: int) -> str:
        """The share of each class that is there, the largest first, and the path."""
        if answer.mask is None:
            return told_line(answer, None)
        areas = answer.areas
        order = [number for number in np.argsort(-areas, kind="stable").tolist() if areas[number]]
        said = ", ".join(f"{100 * areas[one] / areas.sum():.1f}% {answer.classes[one]}" for one in order[:_NAMED])
        more = f" and {len(order) - _NAMED} more" if len(order) > _NAMED else ""
        return told_line(answer, said + more, "  (unknown: unlike the pictures trained on)" if answer.unknown else "")

    def collect(self, answers: Sequence[MaskAnswer], *, classes: tuple[str, ...], told: Told) -> MaskPredictions:
        """All answers together."""
        return MaskPredictions(
            paths=tuple(one.path for one in answers),
            masks=tuple(one.mask for one in answers),
            certainties=tuple(one.certainty for one in answers),
            areas=np.array([one.areas for one in answers], dtype=np.int64).reshape(-1, len(classes)),
            confidences=np.array(
                [np.nan if one.confidence is None else one.confidence for one in answers], dtype=np.float32
            ),
            errors=tuple(one.error for one in answers),
            classes=classes,
            warnings=tuple(one.warning for one in answers),
            unknown=flags([one.unknown for one in answers]) if told.get("novelty_threshold") is not None else None,
        )

    def painted(self, answer: MaskAnswer) -> Painted:
        """The mask of a picture that could be read, with its colours. Raises: ValueError for another."""
        if answer.mask is None:
            raise ValueError("a picture that could not be read has no mask")
        return Painted(mask=answer.mask, colours=answer.colours, background=answer.background)

    def describe(self, record: TaskRecord, *, classes: Sequence[str], outputs: Iterable[str]) -> list[Output]:
        """Those of mask_tensors.py. Raises: ValueError for another task's record."""
        if record.kind != "segmentation":
            raise ValueError(f"a record of {record.kind}")
        return mask_outputs(len(classes), novelty="novelty" in outputs, unknown=record.novelty_threshold is not None)

    def tensors(self, answers: Sequence[MaskAnswer]) -> Mapping[str, NDArray[Any] | list[bytes]]:
        """Masks as files and as arrays, areas, certainties; each is made when it is asked for."""
        return mask_tensors(answers)

    def tally(self, answers: Sequence[MaskAnswer]) -> Tally:
        """Every class that a picture shows, the background left out."""
        names = [one.classes[number] for one in answers for number in one.things if one.areas[number]]
        return Tally(names, sum(bool(one.unknown) for one in answers))

    def shown_class(self, answer: MaskAnswer) -> int:
        """The class with the most pixels; the background only where there is nothing else.

        Raises: ValueError for an unread picture.
        """
        if answer.mask is None:
            raise ValueError("there is no class to show of a picture that could not be read")
        areas = answer.areas
        return (
            max(answer.things, key=lambda number: int(areas[number]))
            if areas[list(answer.things)].any()
            else int(areas.argmax())
        )

    def read_truth(self, fields: Mapping[str, str]) -> Truth:
        """Raises: ValueError: a mask is corrected with a program that paints."""
        raise ValueError(
            "a form cannot hold a mask. Have the masks written (tellapart predict --masks FOLDER), correct them with a program "
            "that paints, and train on the folder"
        )


def _merged(
    arrays: Mapping[str, NDArray[Any]], number: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None]:
    probabilities = arrays.get("probabilities")
    return arrays["mask"][number], arrays["certainty"][number], None if probabilities is None else probabilities[number]


def _cut(
    arrays: Mapping[str, NDArray[Any]], number: int, place: Placement
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None]:
    """What an input shows of its own picture, decided."""
    top, left = max(0, -round(place.top)), max(0, -round(place.left))
    found = arrays["probabilities"][number][:, top : top + place.height, left : left + place.width]
    mask, certainty = most_probable(found)
    return mask, certainty, as_bytes(found) if found.size <= KEPT_BYTES else None


def _colour(text: object) -> Colour:
    """Red, green and blue of #rrggbb. Raises: ValueError."""
    if not isinstance(text, str):
        raise ValueError(f"a {type(text).__name__}, where a colour was expected")
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue
