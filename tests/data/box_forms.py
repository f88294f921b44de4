"""The same pictures with boxes in every form that is read. In: pages. Out: folders. Next: test_boxes_listing.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from tellapart.data.targets import Box

Page = tuple[str, tuple[int, int], Sequence[Box]]  # a picture's name, its size, its boxes

PAGES: tuple[Page, ...] = (
    ("a.png", (200, 100), (Box("狗", 10, 20, 110, 70), Box("cat", 0, 0, 200, 100))),
    ("b.png", (64, 128), (Box("cat", 8.5, 16, 40, 100.25),)),
    ("c.png", (50, 50), ()),
)


def save_picture(path: Path, size: tuple[int, int], *, orientation: int = 1) -> None:
    """A picture of which no two are alike, by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.effect_noise(size, 60).convert("RGB")
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    image.save(path, exif=exif)


def voc_text(page: Page, *, size: tuple[int, int] | None = None, filename: str | None = None) -> str:
    """One picture's XML."""
    name, own, boxes = page
    width, height = size or own
    things = "".join(
        f"<object><name>{box.label}</name><truncated>{int(box.truncated)}</truncated><difficult>{int(box.difficult)}</difficult>"
        f"<bndbox><xmin>{box.left}</xmin><ymin>{box.top}</ymin><xmax>{box.right}</xmax><ymax>{box.bottom}</ymax></bndbox></object>"
        for box in boxes
    )
    named = name if filename is None else filename
    return (
        f"<annotation><filename>{named}</filename><size><width>{width}</width><height>{height}</height></size>"
        f"{things}</annotation>"
    )


def write_voc(folder: Path, pages: Sequence[Page]) -> None:
    """JPEGImages/ and Annotations/."""
    for page in pages:
        save_picture(folder / "JPEGImages" / page[0], page[1])
        path = folder / "Annotations" / (Path(page[0]).stem + ".xml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(voc_text(page), encoding="utf-8")


def cvat_text(pages: Sequence[Page], inside: str = "images/") -> str:
    """One XML for all pictures, as CVAT for images exports it."""
    images = "".join(
        f'<image id="{number}" name="{inside}{name}" subset="default" width="{size[0]}" height="{size[1]}">'
        + "".join(
            f'<box label="{box.label}" source="manual" occluded="0" xtl="{box.left}" ytl="{box.top}" xbr="{box.right}" '
            f'ybr="{box.bottom}" z_order="0"></box>'
            for box in boxes
        )
        + "</image>"
        for number, (name, size, boxes) in enumerate(pages)
    )
    return f"<annotations><version>1.1</version><meta><job><id>1</id></job></meta>{images}</annotations>"


def write_cvat(folder: Path, pages: Sequence[Page]) -> None:
    """images/ and annotations.xml."""
    for name, size, _ in pages:
        save_picture(folder / "images" / name, size)
    (folder / "annotations.xml").write_text(cvat_text(pages), encoding="utf-8")


def coco_content(pages: Sequence[Page]) -> dict[str, list[dict[str, object]]]:
    """One JSON for all pictures."""
    names = sorted({box.label for _, _, boxes in pages for box in boxes})
    return {
        "images": [
            {"id": number, "file_name": name, "width": size[0], "height": size[1]}
            for number, (name, size, _) in enumerate(pages)
        ],
        "annotations": [
            {
                "id": 1000 * number + place,
                "image_id": number,
                "category_id": names.index(box.label) + 1,
                "bbox": [box.left, box.top, box.right - box.left, box.bottom - box.top],
                "iscrowd": int(box.crowd),
            }
            for number, (_, _, boxes) in enumerate(pages)
            for place, box in enumerate(boxes)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }


def write_coco(folder: Path, pages: Sequence[Page]) -> None:
    """images/ and annotations/instances.json."""
    for name, size, _ in pages:
        save_picture(folder / "images" / name, size)
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances.json").write_text(json.dumps(coco_content(pages)))


def write_yolo(folder: Path, pages: Sequence[Page]) -> None:
    """images/, labels/ and data.yaml."""
    names = sorted({box.label for _, _, boxes in pages for box in boxes})
    (folder / "labels").mkdir(parents=True)
    for name, (width, height), boxes in pages:
        save_picture(folder / "images" / name, (width, height))
        lines = [
            f"{names.index(box.label)} {(box.left + box.right) / 2 / width:.9f} {(box.top + box.bottom) / 2 / height:.9f} "
            f"{(box.right - box.left) / width:.9f} {(box.bottom - box.top) / height:.9f}\n"
            for box in boxes
        ]
        (folder / "labels" / (Path(name).stem + ".txt")).write_text("".join(lines))
    (folder / "data.yaml").write_text(
        f"nc: {len(names)}\nnames: {json.dumps(names)}\ntrain: images\n", encoding="utf-8"
    )


def write_labelme(folder: Path, pages: Sequence[Page]) -> None:
    """A JSON beside each picture."""
    for name, (width, height), boxes in pages:
        save_picture(folder / name, (width, height))
        shapes = [
            {"label": box.label, "shape_type": "rectangle", "points": [[box.right, box.bottom], [box.left, box.top]]}
            for box in boxes
        ]
        content = {"shapes": shapes, "imagePath": name, "imageWidth": width, "imageHeight": height}
        (folder / name).with_suffix(".json").write_text(json.dumps(content))


def studio_region(box: Box, size: tuple[int, int], **more: object) -> dict[str, object]:
    """A rectangle in percentages, as Label Studio has it in its short exports."""
    width, height = size
    return {
        "x": 100 * box.left / width,
        "y": 100 * box.top / height,
        "width": 100 * (box.right - box.left) / width,
        "height": 100 * (box.bottom - box.top) / height,
        "rotation": 0,
        "rectanglelabels": [box.label],
        "original_width": width,
        "original_height": height,
        **more,
    }


def write_label_studio(folder: Path, pages: Sequence[Page]) -> None:
    """images/ with the names that uploads get, and the JSON of a project."""
    tasks = []
    for name, size, boxes in pages:
        save_picture(folder / "images" / name, size)
        result = []
        for box in boxes:
            value = studio_region(box, size)
            sizes = {key: value.pop(key) for key in ("original_width", "original_height")}
            result.append(
                {**sizes, "image_rotation": 0, "type": "rectanglelabels", "from_name": "label", "value": value}
            )
        annotation = {"id": 7, "was_cancelled": False, "ground_truth": False, "result": result}
        address = f"/data/upload/1/0a1b2c3d-{name}"
        tasks.append({"id": 3, "annotations": [annotation], "data": {"image": address}, "file_upload": address})
    (folder / "project-1-at-2026-01-01.json").write_text(json.dumps(tasks))


def write_table(folder: Path, pages: Sequence[Page]) -> None:
    """table.csv beside the pictures."""
    lines = ["path,xmin,ymin,xmax,ymax,label"]
    for name, size, boxes in pages:
        save_picture(folder / name, size)
        lines += [f"{name},{box.left},{box.top},{box.right},{box.bottom},{box.label}" for box in boxes] or [
            f"{name},,,,,"
        ]
    (folder / "table.csv").write_text("\n".join(lines), encoding="utf-8")


def write_objects(folder: Path, pages: Sequence[Page]) -> None:
    """metadata.jsonl beside the pictures, as Hugging Face has it."""
    lines = []
    for name, size, boxes in pages:
        save_picture(folder / name, size)
        sides = [[box.left, box.top, box.right - box.left, box.bottom - box.top] for box in boxes]
        objects = {"bbox": sides, "categories": [box.label for box in boxes]}
        lines.append(json.dumps({"file_name": name, "objects": objects}, ensure_ascii=False))
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")


FORMS: Mapping[str, Callable[[Path, Sequence[Page]], None]] = {
    "voc": write_voc,
    "cvat": write_cvat,
    "coco": write_coco,
    "yolo": write_yolo,
    "labelme": write_labelme,
    "label_studio": write_label_studio,
    "objects": write_objects,
    "table": write_table,
}
