"""Which kinds of cell are in a blood smear. In: the folder bccd_voc. Out: a CSV path,labels,split beside nothing else.

    python benchmarks/bccd_labels.py ../shared/data/bccd_voc bccd.csv

Pascal VOC names the objects of each picture; a kind that is there once is as good as one that is there twenty times. The
split is the data set's own. The XML is read by the standard library's ElementTree, whose parser (expat) loads no external
entities; a file that declares entities of its own, which could grow without end while they are expanded, is refused.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

SPLITS = {"train": "train", "val": "validation", "test": "test"}


def kinds_in(annotation: Path) -> list[str]:
    """The names of the objects of one Pascal VOC file, each once, sorted."""
    text = annotation.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise SystemExit(f"{annotation} declares a document type; annotations need none. Remove the declaration.")
    found = ElementTree.fromstring(text).iterfind("object/name")
    return sorted({(name.text or "").strip() for name in found} - {""})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("table", type=Path)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    with arguments.table.open("x", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "labels", "split"])
        for name, split in SPLITS.items():
            for stem in (arguments.folder / "ImageSets" / "Main" / f"{name}.txt").read_text().split():
                picture = (arguments.folder / "JPEGImages" / f"{stem}.jpg").resolve()
                kinds = kinds_in(arguments.folder / "Annotations" / f"{stem}.xml")
                table.writerow([picture, "|".join(kinds), split])
                counts["|".join(kinds)] += 1
    print(f"{sum(counts.values())} pictures in {arguments.table}: {dict(counts.most_common())}")


if __name__ == "__main__":
    main()
