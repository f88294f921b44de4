"""What runs in a converter's or a runtime's own Python. In: requests, lines of JSON. Out: answers, likewise. Next: process.py.

Started as a script by another Python than ours, so it imports nothing of tellapart; the file of a format it loads by its
path. Arrays go through files of NumPy, without pickle. What libraries print goes to standard error.

Shapes: N pictures, S side of the picture.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_Compute = Callable[[NDArray[Any]], dict[str, NDArray[Any]]]
_TIMES_ONE, _TIMES = 20, 4  # how often a picture, and several at once, are timed
_SECONDS = 6.0  # of timing, for each number of pictures
_REASON = 1500  # characters of what went wrong


class Worker:
    """Converts, or opens a converted file and runs it."""

    def __init__(self, format_file: Path) -> None:
        specification = importlib.util.spec_from_file_location("format_file", format_file)
        if specification is None or specification.loader is None:
            raise ImportError(f"{format_file} is no Python file")
        self._format: Any = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(self._format)
        self._compute: _Compute | None = None
        self._batch: int | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked. Raises: whatever the libraries raise."""
        if request["do"] == "convert":
            function = getattr(self._format, request.get("by", "convert"))
            told = function(Path(request["source"]), Path(request["target"]), request["options"])
            return {"told": told or {}}
        if request["do"] == "load":
            self._compute = self._format.load(Path(request["path"]), request["options"])
            self._batch = request["options"].get("batch")
            return {}
        if request["do"] == "run":
            found = self._run(np.load(request["inputs"], allow_pickle=False))
            names = {}
            for number, (name, values) in enumerate(found.items()):
                names[name] = str(Path(request["folder"]) / f"output-{number}.npy")
                np.save(names[name], np.ascontiguousarray(values), allow_pickle=False)
            return {"outputs": names}
        if request["do"] == "time":
            images = np.load(request["inputs"], allow_pickle=False)
            rounds = ((1, _TIMES_ONE), (request["at_once"], _TIMES))
            return {"milliseconds": [self._time(images, count, most) for count, most in rounds]}
        raise ValueError(f"nobody knows how to {request['do']!r}")

    def _run(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """uint8 [N, S, S, 3] to arrays [N, ...], as many pictures at once as the file takes."""
        if self._compute is None:
            raise ValueError("nothing is loaded yet")
        step = self._batch or max(1, len(images))
        parts = [self._compute(images[start : start + step]) for start in range(0, len(images), step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _time(self, images: NDArray[Any], count: int, most: int) -> float:
        """Milliseconds a picture, the median of calls with `count` pictures."""
        batch = np.ascontiguousarray(np.resize(images, (count, *images.shape[1:])))
        self._run(batch)
        taken: list[float] = []
        began = time.perf_counter()
        while len(taken) < most and (len(taken) < 3 or time.perf_counter() - began < _SECONDS):
            start = time.perf_counter()
            self._run(batch)
            taken.append(time.perf_counter() - start)
        return 1000 * sorted(taken)[len(taken) // 2] / count


def main(format_file: Path, requests: IO[str], answers: IO[str]) -> None:
    """Answer until nobody asks any more; the first answer says whether the format's file could be loaded."""

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        worker = Worker(format_file)
    except Exception as error:
        tell({"error": _reason(error), "kind": type(error).__name__})
        return
    tell({"ready": True})
    for line in requests:
        try:
            tell(worker.answer(json.loads(line)))
        # Converters raise whatever they like, SystemExit among it.
        except (Exception, SystemExit) as error:
            tell({"error": _reason(error), "kind": type(error).__name__})


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:_REASON] or type(error).__name__


if __name__ == "__main__":
    # What is left of standard output is ours alone; libraries write theirs to standard error.
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(Path(sys.argv[1]), sys.stdin, ours)
