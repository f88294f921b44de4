"""FoundBoxes boxes in the forms that other programs read. In: pages of boxes. Out: files, as text by name. Next: formulas.py.

Pascal VOC's XML, COCO's JSON, YOLO's text: for whoever corrects what a model found and trains on it. What is written so, the
readers of the data room read back as the same boxes, to a hundredth of a pixel. NumPy is not needed, nor anything that learns.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tellapart.errors import StorageError
from tellapart.storage import storage_errors, write_bytes

_DECIMALS = 2  # of a pixel
_SHARES = 7  # decimals of a share of a picture's side: a hundredth of a pixel in 100,000
_UNWRITTEN = {code: "\ufffd" for code in range(32) if code not in (9, 10, 13)}  # what XML may not hold


@dataclass(frozen=True, slots=True, kw_only=True)
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


Form = Callable[[Sequence[Page], Sequence[str]], Mapping[str, str]]


def voc(pages: Sequence[Page], classes: Sequence[str]) -> dict[str, str]:
    """An XML for each picture, Annotations/NAME.xml. A picture without boxes has one, too: there is nothing."""
    return {f"Annotations/{_stem(page)}.xml": _voc_page(page) for page in pages}


def coco(pages: Sequence[Page], classes: Sequence[str]) -> dict[str, str]:
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
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }
    return {"annotations.json": json.dumps(content, ensure_ascii=False)}


def yolo(pages: Sequence[Page], classes: Sequence[str]) -> dict[str, str]:
    """A text for each picture, labels/NAME.txt beside images/NAME, and data.yaml, which names the classes."""
    numbers = {name: number for number, name in enumerate(classes)}
    texts = {f"labels/{_stem(page).removeprefix('images/')}.txt": _yolo_page(page, numbers) for page in pages}
    # JSON's text is YAML's, too.
    names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for name, number in numbers.items())
    return {**texts, "data.yaml": f"train: images\nval: images\nnames:\n{names}"}


FORMS: Mapping[str, Form] = {"voc": voc, "coco": coco, "yolo": yolo}


def write_forms(
    folder: Path, form: str, pages: Sequence[Page], classes: Sequence[str], *, force: bool = False
) -> list[Path]:
    """Write pages into `folder` in one of the FORMS; the files, in the order in which they were written.

    Nothing is written where any of them is there already, unless `force` is set, or would lie outside the folder.
    Raises: StorageError.
    """
    texts = FORMS[form](pages, classes)
    paths = {folder / name: text for name, text in texts.items()}
    for path in paths:
        if not os.path.normpath(path).startswith(os.path.normpath(folder) + os.sep):
            raise StorageError(
                f"{str(path)!r} would lie outside {str(folder)!r}. Give pictures that lie in one folder."
            )
        if path.exists() and not force:
            raise StorageError(f"{str(path)!r} exists. Choose another folder, or replace it with --force.")
    for path, text in paths.items():
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode("utf-8"))
    return list(paths)


def _voc_page(page: Page) -> str:
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


def _yolo_page(page: Page, numbers: Mapping[str, int]) -> str:
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


def _stem(page: Page) -> str:
    """The path without its extension: two pictures of one name in two folders have two annotations."""
    return os.path.splitext(page.path)[0].lstrip("/")


def _sides(box: PageBox) -> tuple[float, float, float, float]:
    return (
        round(box.left, _DECIMALS),
        round(box.top, _DECIMALS),
        round(box.right, _DECIMALS),
        round(box.bottom, _DECIMALS),
    )


def _text(text: str) -> str:
    return escape(text.translate(_UNWRITTEN))
