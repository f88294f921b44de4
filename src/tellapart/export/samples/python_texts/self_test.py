"""Whether texts are made ready the same, step by step. In: golden.json. Out: what differs first. Next: prepare_text.py.

python self_test.py             this folder's own code, and the network if onnxruntime is installed
python self_test.py mine.json   yours: {"1": {"cleaned": "...", "tokens": [[...], ...]}, ...}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from prepare_text import Preparation

HERE = Path(__file__).resolve().parent.parent


def trim(rows: list[list[int]], nothing: int) -> list[list[int]]:
    """Without what only fills up."""
    return [row[:1] + [one for one in row[1:] if one != nothing] for row in rows]


def main(mine: Path | None) -> int:
    steps = Preparation(HERE)
    golden = json.loads((HERE / "golden.json").read_text(encoding="utf-8"))
    given = {} if mine is None else json.loads(mine.read_text(encoding="utf-8"))
    nothing = len(steps.place)
    for number, one in enumerate(golden, start=1):
        own = (
            given.get(str(number), {})
            if mine
            else {
                "cleaned": steps.clean(one["text"]),
                "tokens": steps.tokens([one["text"]])[0].tolist(),
            }
        )
        if own.get("cleaned", one["cleaned"]) != one["cleaned"]:
            print(f"text {number}, step 1 (cleaning): {own['cleaned']!r}, not {one['cleaned']!r}")
            return 1
        if trim(own.get("tokens", []), nothing) != trim(one["tokens"], nothing):
            print(f"text {number}, steps 2 and 3 (n-grams, numbers): {own.get('tokens')}, not {one['tokens']}")
            return 1
    print(f"{len(golden)} texts: cleaning, n-grams and numbers are the same")
    try:
        import onnxruntime
    except ImportError:
        print("onnxruntime is not installed: the network was not asked")
        return 0
    session = onnxruntime.InferenceSession(str(HERE / "model.onnx"))
    names = ["probabilities", "novelty"]
    for number, one in enumerate(golden, start=1):
        found = session.run(names, {"tokens": steps.tokens([one["text"]])})
        for name, values in zip(names, found, strict=True):
            if not np.allclose(values[0], one[name], atol=1e-4):
                print(f"text {number}, step 4 (the network): {name} {values[0]}, not {one[name]}")
                return 1
    print("the network says the same")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
