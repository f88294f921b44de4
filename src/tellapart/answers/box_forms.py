"""Found boxes in the forms that other programs read. In: pages of boxes. Out: texts by name. Next: form_folder.py.

Pascal VOC's XML, COCO's JSON, YOLO's text: for whoever corrects what a model found and trains on it. What is written so, the
readers of the data room read back as the same boxes, to a hundredth of a pixel. NumPy is not needed, nor anything that learns.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol, runtime_checkable

_DECIMALS = 2  # of a pixel
_SHARES = 7  # decimals of a share of a picture's side: a hundredth of a pixel in 100,000
_UNWRITTEN = {code: "\ufffd" for code in range(32) if code not in (9, 10, 13)}  # what XML may not hold


@dataclass(frozen=True, slots=True)
class PageBox:
    """One found thing, in pixels of the upright picture."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    score: float | None = None  # in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One picture and what was found in it."""

    path: str  # as seen from the folder that is written for, separated by /
    width: int  # pixels, upright
    height: int
    boxes: tuple[PageBox, ...] = ()


@runtime_checkable
class FindsBoxes(Protocol):
    """The Answering of a task that finds boxes."""

    def page(self, answer: Any, *, path: str) -> Page:
        """The boxes of a picture that could be read, as they are told; `path` as a Page has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxFormat:
    """How boxes are written: a file for each picture, files for all of them, or both."""

    title: str
    # Of a picture's path the name of its own file; None: it has none.
    name: Callable[[str], str] | None
    text: Callable[[Page, Sequence[str]], str] | None  # a page and the classes -> what stands in it
    whole: Callable[[Sequence[Page], Sequence[str]], Mapping[str, str]]  # all pages and the classes -> texts by name
    marks: tuple[str, ...]  # names of what is there once the form was written to a folder


def _coco_whole(pages: Sequence[Page], classes: Sequence[str]) -> dict[str, str]:
    """One JSON for all, annotations.json; `score` stands beside what COCO has."""
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    annotations: list[dict[str, object]] = []
    for image, page in enumerate(pages, start=1):
        for box in page.boxes:
            left, top, right, bottom = _sides(box)
            width, height = round(right - left, _DECIMALS), round(bottom - top, _DECIMALS)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": numbers[box.label],
                    "bbox": [left, top, width, height],
                    "area": round(width * height, _DECIMALS),
                    "iscrowd": 0,
                    **({} if box.score is None else {"score": round(box.score, 6)}),
                }
            )
    content = {
        "images": [
            {"id": image, "file_name": page.path, "width": page.width, "height": page.height}
            for image, page in enumerate(pages, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, start=1)],
    }
    # A name that is no UTF-8 is kept by its numbers, so that it is found again.
    return {"annotations.json": json.dumps(content, ensure_ascii=any(map(_is_odd, (page.path for page in pages))))}


def _yolo_whole(pages: Sequence[Page], classes: Sequence[str]) -> dict[str, str]:
    """data.yaml, which names the classes, and train.txt: a picture that it does not list is not said to show nothing."""
    # JSON's text is YAML's, too.
    names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(classes))
    return {
        "train.txt": "".join(f"./{page.path}\n" for page in pages),
        "data.yaml": f"train: train.txt\nval: train.txt\nnames:\n{names}",
    }


def _voc_page(page: Page, classes: Sequence[str]) -> str:
    things = "".join(
        f"  <object>\n    <name>{_text(box.label)}</name>\n    <pose>Unspecified</pose>\n    <truncated>0</truncated>\n"
        "    <difficult>0</difficult>\n"
        + ("" if box.score is None else f"    <confidence>{box.score:.6f}</confidence>\n")
        + "    <bndbox>"
        + "".join(
            f"<{name}>{value:.{_DECIMALS}f}</{name}>"
            for name, value in zip(("xmin", "ymin", "xmax", "ymax"), _sides(box), strict=True)
        )
        + "</bndbox>\n  </object>\n"
        for box in page.boxes
    )
    return (
        f"<annotation>\n  <filename>{_text(page.path.rpartition('/')[2])}</filename>\n  <path>{_text(page.path)}</path>\n"
        f"  <size><width>{page.width}</width><height>{page.height}</height><depth>3</depth></size>\n{things}</annotation>\n"
    )


def _yolo_page(page: Page, classes: Sequence[str]) -> str:
    numbers = {name: number for number, name in enumerate(classes)}
    lines = []
    for box in page.boxes:
        values = (
            (box.left + box.right) / 2 / page.width,
            (box.top + box.bottom) / 2 / page.height,
            (box.right - box.left) / page.width,
            (box.bottom - box.top) / page.height,
        )
        lines.append(f"{numbers[box.label]} " + " ".join(f"{value:.{_SHARES}f}" for value in values) + "\n")
    return "".join(lines)


def _yolo_name(path: str) -> str:
    """In labels/ for a picture in images/, else beside the picture."""
    stem, inside = _stem(path), _inside(path)
    return f"{stem}.txt" if inside == stem else f"labels/{inside}.txt"


def _inside(path: str) -> str:
    """The stem as from within images/: what an annotation is called that lies in a folder beside that one."""
    return _stem(path).removeprefix("images/")


def _stem(path: str) -> str:
    """The path without its extension: two pictures of one name in two folders have two annotations."""
    return os.path.splitext(path)[0].lstrip("/")


def _is_odd(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _sides(box: PageBox) -> tuple[float, float, float, float]:
    return (
        round(box.left, _DECIMALS),
        round(box.top, _DECIMALS),
        round(box.right, _DECIMALS),
        round(box.bottom, _DECIMALS),
    )


def _text(text: str) -> str:
    return escape(text.translate(_UNWRITTEN).encode("utf-8", "replace").decode(), quote=False)


FORMS: Mapping[str, BoxFormat] = {
    "voc": BoxFormat(
        title="Pascal VOC's XML",
        name=lambda path: f"Annotations/{_inside(path)}.xml",
        text=_voc_page,
        whole=lambda pages, classes: {},
        marks=("Annotations",),
    ),
    "coco": BoxFormat(title="COCO's JSON", name=None, text=None, whole=_coco_whole, marks=("annotations.json",)),
    "yolo": BoxFormat(
        title="YOLO's text files",
        name=_yolo_name,
        text=_yolo_page,
        whole=_yolo_whole,
        marks=("data.yaml", "train.txt", "labels"),
    ),
}
