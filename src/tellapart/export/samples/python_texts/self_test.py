"""Whether texts are made ready the same, step by step. In: golden.json. Out: what differs first. Next: prepare_text.py.

python self_test.py             this folder's own code, and the network if onnxruntime is installed
python self_test.py mine.json   yours: {"1": {"cleaned": "...", "parts": [{"found": [[...]], "tokens": [[...]]}]}, ...}; what is
                                left out is not looked at
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from prepare_text import Preparation

HERE = Path(__file__).resolve().parent.parent
NAMES = {"grams": "n-grams", "words": "words", "pieces": "word pieces"}


def own(steps: Preparation, text: str) -> dict[str, Any]:
    """What the code of this folder makes of a text."""
    found, rows = steps.found(text), steps.rows(text)
    told = [
        {
            "found": [[one if isinstance(one, str) else f"{one:016x}" for one in block] for block in blocks],
            "tokens": row,
        }
        for blocks, row in zip(found, rows, strict=True)
    ]
    return {"cleaned": steps.clean(text), "parts": told}


def trim(rows: list[list[int]], part: dict[str, Any]) -> list[list[int]]:
    """Without what only fills up."""
    keep = 1 if part["kind"] == "grams" else 0
    return [row[:keep] + [one for one in row[keep:] if one != part["padding"]] for row in rows]


def first_difference(steps: Preparation, given: dict[str, Any], golden: dict[str, Any]) -> str:
    """Which step differs first, and how; "" where none does."""
    if given.get("cleaned", golden["cleaned"]) != golden["cleaned"]:
        return f"step 1 (cleaning): {given['cleaned']!r}, not {golden['cleaned']!r}"
    for part, mine, right in zip(
        steps.told["parts"], given.get("parts", golden["parts"]), golden["parts"], strict=True
    ):
        name = NAMES[part["kind"]]
        found = mine.get("found", right["found"])
        if found != right["found"]:
            return f"step 2 ({name}): {found}, not {right['found']}"
        tokens = mine.get("tokens", right["tokens"])
        if trim(tokens, part) != trim(right["tokens"], part):
            return f"step 3 (numbers of {name}): {tokens}, not {right['tokens']}"
    return ""


def network_difference(steps: Preparation, golden: list[dict[str, Any]]) -> str:
    """The same of the network, where onnxruntime is installed."""
    try:
        import onnxruntime
    except ImportError:
        print("onnxruntime is not installed: the network was not asked")
        return ""
    session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])
    names = ["probabilities", "novelty"]
    for number, one in enumerate(golden, start=1):
        found = session.run(names, {"tokens": steps.tokens([one["text"]])})
        for name, values in zip(names, found, strict=True):
            if not np.allclose(values[0], one[name], atol=1e-4):
                return f"text {number}, step 4 (the network): {name} {values[0]}, not {one[name]}"
    print("the network says the same")
    return ""


def main(mine: Path | None) -> int:
    steps = Preparation(HERE)
    golden = json.loads((HERE / "golden.json").read_text(encoding="utf-8"))
    given = {} if mine is None else json.loads(mine.read_text(encoding="utf-8"))
    for number, one in enumerate(golden, start=1):
        told = given.get(str(number), {}) if mine else own(steps, one["text"])
        if different := first_difference(steps, told, one):
            print(f"text {number}, {different}")
            return 1
    print(f"{len(golden)} texts: cleaning, parts and numbers are the same")
    if mine is None and (different := network_difference(steps, golden)):
        print(different)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
