"""The table of ImageNet's classes is whole and true. In: imagenet_classes.tsv. Out: faults. Next: test_weights.py."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

HEADER = "wnid\ten\tzh"
PLANTED = {
    "n01440764": ("tench", "丁鱥"),
    "n01608432": ("kite (bird)", "鸢"),
    "n02012849": ("crane (bird)", "鹤"),
    "n02099601": ("golden retriever", "金毛寻回犬"),
    "n02123045": ("tabby", "虎斑猫"),
    "n02124075": ("Egyptian cat", "埃及猫"),
    "n02504458": ("African elephant", "非洲象"),
    "n03126707": ("crane (machine)", "起重机"),
    "n03710637": ("maillot (tights)", "紧身衣"),
    "n03710721": ("maillot (tank suit)", "连体泳衣"),
    "n03792782": ("mountain bike", "山地自行车"),
    "n07697537": ("hot dog", "热狗"),
    "n09472597": ("volcano", "火山"),
    "n15075141": ("toilet paper", "卫生纸"),
}


def faults(text: str) -> list[str]:
    """What is wrong with a table of classes, given as its text; empty when it is right."""
    found = [] if text.startswith(HEADER + "\n") and text.endswith("\n") else ["no header, or no end of the last line"]
    rows = [line.split("\t") for line in text.split("\n")[1:-1]]
    found += [f"{row} has not three cells" for row in rows if len(row) != 3]
    if found:
        return found
    ids = [row[0] for row in rows]
    if ids != sorted(set(ids)) or not all(re.fullmatch(r"n\d{8}", one) for one in ids):
        found.append("the ids are not WordNet's in order, each once")
    for column in (1, 2):
        names = [row[column] for row in rows]
        folded = [name.casefold() for name in names]
        found += [f"{name} is there twice" for name in sorted({name for name in folded if folded.count(name) > 1})]
        found += [f"{name!r} has a blank end or a comma" for name in names if re.search(r"^\s|\s$|^$|[,，、\r]", name)]
    found += [f"{row[2]} has no Chinese character" for row in rows if not re.search(r"[\u3400-\u9fff]", row[2])]
    found += [f"{row[1]} is not English" for row in rows if not row[1].isascii()]
    return found


@pytest.fixture(scope="module")
def text(repository: Path) -> str:
    raw = (repository / "src" / "tellapart" / "models" / "imagenet_classes.tsv").read_bytes()
    assert b"\r" not in raw
    return raw.decode("utf-8")


def test_a_thousand_classes_have_one_name_in_each_language(text: str) -> None:
    assert faults(text) == []
    assert len(text.splitlines()) == 1 + 1000


def test_the_order_is_that_of_a_networks_outputs(text: str) -> None:
    found = find_spec("timm")
    listed = Path(found.origin or "").parent / "data" / "_info" / "imagenet_synsets.txt" if found else Path()
    if not listed.is_file():
        pytest.skip("timm does not bring its list of classes")
    assert [line.split("\t")[0] for line in text.splitlines()[1:]] == listed.read_text(encoding="utf-8").split()


def test_names_known_from_elsewhere_are_right(text: str) -> None:
    rows = {wnid: (english, chinese) for wnid, english, chinese in (line.split("\t") for line in text.splitlines())}
    assert {wnid: rows.get(wnid) for wnid in PLANTED} == PLANTED


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("n00000001\ta\t猫\nn00000002\tb\t狗\n", ""),
        ("n00000001\ta\t猫\nn00000002\tb\t狗", "no end of the last line"),
        ("n00000001\ta\t猫\nn00000002\tb\n", "not three cells"),
        ("n00000002\ta\t猫\nn00000001\tb\t狗\n", "in order"),
        ("n00000001\ta\t猫\nn00000001\tb\t狗\n", "each once"),
        ("n00000001\ta\t猫\nn00000002\tA\t狗\n", "a is there twice"),
        ("n00000001\ta\t猫\nn00000002\tb\t猫\n", "猫 is there twice"),
        ("n00000001\ta\t猫\nn00000002\tb \t狗\n", "blank end"),
        ("n00000001\ta\t猫\nn00000002\tb, c\t狗\n", "comma"),
        ("n00000001\ta\t猫\nn00000002\tb\tdog\n", "no Chinese character"),
        ("n00000001\ta\t猫\nn00000002\t狗\t犬\n", "not English"),
    ],
)
def test_a_fault_is_noticed(lines: str, fault: str) -> None:
    found = "; ".join(faults(f"{HEADER}\n{lines}"))
    assert fault in found
    assert bool(found) == bool(fault)
