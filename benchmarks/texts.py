"""How quick texts are, and how much memory many of them take.

    python benchmarks/texts.py --speed MODEL TEXTS.txt             # answers a second of processor; TEXTS: a text a line
    python benchmarks/texts.py --scale TEXTS.txt --counts 10000,100000,1000000

TEXTS is a file of a text a line, behind a tab the class. For `--scale` its lines are repeated, with a third of the letters of each
changed, written as a table, and `check` and `train` run on it, each in a process of its own: processor time and the most memory.
`--speed` counts the whole way of `tellapart.load(MODEL).predict`, and its parts.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_ROUNDS = 5
_RUN = """
import json, resource, sys, time
from pathlib import Path
from tellapart.reporter import Silent
what, table, out = sys.argv[1:]
if what == "train":
    import tellapart
    tellapart.train(table, task="text", out=out)
else:
    from tellapart.data.examples import ReadOptions
    from tellapart.workflows.check import check
    check(Path(table), reporter=Silent(), options=ReadOptions(task="text"))
most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({"processor": time.process_time(), "megabytes": most / 1024}))
"""


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--scale", action="store_true")
    parser.add_argument("--counts", default="10000,100000")
    parser.add_argument("--only", choices=["check", "train"], action="append")
    given = parser.parse_args()
    if given.speed:
        model, texts = given.texts
        speed(model, [line.split("\t")[0] for line in read_lines(texts)])
    if given.scale:
        for count in map(int, given.counts.split(",")):
            scale(read_lines(given.texts[0]), count, given.only or ["check", "train"])


def read_lines(path: Path) -> list[str]:
    """The lines of a file, without those that are blank."""
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def speed(model: Path, texts: Sequence[str]) -> None:
    """Microseconds of processor time a text: the least of several rounds."""
    import tellapart
    from tellapart.answers.given_texts import gather_texts
    from tellapart.bundle import open_model
    from tellapart.texts.inputs import TextInputs, as_input

    predictor, opened = tellapart.load(model), open_model(model)
    assert isinstance(opened.inputs, TextInputs)
    at_once = opened.inputs.at_once
    batches = [texts[start : start + at_once] for start in range(0, len(texts), at_once)]
    inputs = [as_input(batch, opened.inputs) for batch in batches]
    ways: dict[str, Callable[[], object]] = {
        "whole, as answers come": lambda: sum(1 for _ in predictor.stream(gather_texts(texts))),
        "whole, predict": lambda: predictor.predict(texts),
        "texts to numbers": lambda: [as_input(batch, opened.inputs) for batch in batches],
        "the network alone": lambda: [opened.compute(one, ("probabilities", "novelty")) for one in inputs],
    }
    for name, way in ways.items():
        way()
        spent = min(_processor(way) for _ in range(_ROUNDS)) / len(texts)
        print(f"{name:<24}{1e6 * spent:8.1f} µs a text, {1 / spent:,.0f} a second of one core", flush=True)


def _processor(way: Callable[[], object]) -> float:
    begun = time.process_time()
    way()
    return time.process_time() - begun


def scale(lines: Sequence[str], count: int, verbs: Sequence[str]) -> None:
    """`check` and `train` on so many texts made of these."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "texts.csv"
        write_table(table, lines, count)
        for verb in verbs:
            begun = time.monotonic()
            command = [sys.executable, "-c", _RUN, verb, str(table), str(Path(folder) / "runs")]
            found = json.loads(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            )
            print(
                f"{count:>9,} texts, {verb}: {found['processor']:.0f} s of processor, {time.monotonic() - begun:.0f} s, "
                f"{found['megabytes']:,.0f} MB at most",
                flush=True,
            )


def write_table(table: Path, lines: Sequence[str], count: int) -> None:
    """The lines over and over; of the repetitions a third of the letters are others."""
    chance = random.Random(0)
    letters = sorted({letter for line in lines for letter in line.split("\t")[0]})
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for number in range(count):
            text, _, label = lines[number % len(lines)].partition("\t")
            if number >= len(lines):
                changed = list(text)
                for _ in range(max(3, len(changed) // 3)):
                    changed[chance.randrange(len(changed))] = chance.choice(letters)
                text = "".join(changed)
            rows.writerow([text, label])


if __name__ == "__main__":
    main()
