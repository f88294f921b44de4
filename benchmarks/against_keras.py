"""tellapart beside the Keras tutorial, in one session. In: class folders. Out: seconds, ratio. Next: README.md.

Whole processes are timed, from start to exit, imports included; of ours also the time to its summary, which is printed before
the report is written, and which is what Keras' answer is compared with. First each program runs once untimed (Keras for one
epoch), so that bytecode and pictures are in memory for both. Then, in turn: Keras; `tellapart train` with an empty cache, which
is the very first run; with nothing but the network in its cache, which is a run on new pictures; and with the cache that the
first one filled, which is a second run on the same pictures. All see the processor only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERAS = HERE.parent / ".venv-keras"
TELLAPART = Path(sys.executable).with_name("tellapart")
RUNS = {
    "tellapart_cold": "empty cache",
    "tellapart_new_pictures": "the network in the cache",
    "tellapart_warm": "warm cache",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One process, from its start to its exit."""

    seconds: float  # wall clock, to the exit
    answered: float  # to the first line of the answer
    cpu_seconds: float  # user and system, all threads; well below cores x seconds where something else was running
    peak_mebibytes: int
    answer: dict[str, object]  # Keras: the JSON object on its last line; tellapart: metrics.json of its run


def main() -> None:
    parser = argparse.ArgumentParser(description="Time `tellapart train` against the Keras tutorial's recipe.")
    parser.add_argument("pictures", type=Path, metavar="PICTURES", help="a folder of class folders")
    parser.add_argument("--epochs", type=int, default=10, help="epochs of the Keras recipe (default: 10)")
    parser.add_argument("--repeats", type=int, default=1, help="rounds; the median counts (default: 1)")
    parser.add_argument("--only", choices=["keras", "tellapart"], help="time only one of the two")
    parser.add_argument("--no-warm-up", action="store_true", help="skip the untimed runs")
    arguments = parser.parse_args()
    pictures = arguments.pictures.resolve()
    if not pictures.is_dir():
        parser.error(f"{pictures} is no folder; give a folder of class folders")
    if arguments.only != "tellapart":
        make_keras_environment()
    load = round(os.getloadavg()[0], 2)
    if not arguments.no_warm_up:
        list(one_round(pictures, 1, arguments.only, note="untimed "))
    rounds = [dict(one_round(pictures, arguments.epochs, arguments.only)) for _ in range(arguments.repeats)]
    print(json.dumps({"cores": os.cpu_count(), "load_at_start": load, **summary(rounds)}, indent=2))


def one_round(pictures: Path, epochs: int, only: str | None, *, note: str = "") -> Iterator[tuple[str, Timing]]:
    """Keras, then tellapart with an empty cache, with the network that is then in it, and with all that is then in it."""
    with tempfile.TemporaryDirectory(prefix="against-keras-") as name:
        folder = Path(name)
        if only != "tellapart":
            python, script = KERAS / "bin" / "python", HERE / "keras_tutorial.py"
            recipe = [str(python), str(script), str(pictures), "--epochs", str(epochs)]
            timing, text = timed(f"{note}keras", recipe, folder, cache=folder / "none")
            yield "keras", replace(timing, answered=timing.seconds, answer=last_object(text))
        if only != "keras":
            command = [str(TELLAPART), "train", str(pictures)]
            filled, network = folder / "cache", folder / "network alone"
            for name, title in RUNS.items():
                if name == "tellapart_new_pictures":
                    shutil.copytree(filled / "backbones", network / "backbones")
                cache = network if name == "tellapart_new_pictures" else filled
                timing, _ = timed(f"{note}tellapart, {title}", command, folder, cache=cache)
                metrics = json.loads((folder / "runs" / "latest" / "metrics.json").read_text(encoding="utf-8"))
                yield name, replace(timing, answer=metrics["test"]["accuracy"])


def timed(title: str, command: Sequence[str], folder: Path, *, cache: Path) -> tuple[Timing, str]:
    """Run a command in `folder` with that cache. Raises: SystemExit with its messages if it fails."""
    environment = {**os.environ, "TELLAPART_CACHE": str(cache), "CUDA_VISIBLE_DEVICES": "-1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    messages = folder / "messages"
    with messages.open("wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, cwd=folder, env=environment)
        output = b""
        for line in process.stdout or ():
            output += line
            if line.strip() and not output[: -len(line)].strip():
                answered = time.perf_counter() - started
        # wait4, unlike subprocess, also tells what this one process used.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{title} failed with exit code {process.returncode}:\n{messages.read_text()[-4000:]}")
    cpu_seconds = usage.ru_utime + usage.ru_stime
    if not output.strip():
        raise SystemExit(f"{title} answered nothing:\n{messages.read_text()[-4000:]}")
    print(
        f"{title}: answer after {answered:.1f} s, end after {seconds:.1f} s, {cpu_seconds:.1f} s of processor time",
        file=sys.stderr,
    )
    unit = 2**20 if sys.platform == "darwin" else 2**10
    timing = Timing(
        seconds=round(seconds, 2),
        answered=round(answered, 2),
        cpu_seconds=round(cpu_seconds, 2),
        peak_mebibytes=usage.ru_maxrss // unit,
        answer={},
    )
    return timing, output.decode("utf-8", "replace")


def last_object(text: str) -> dict[str, object]:
    """The JSON object that a program's output ends with, on one line or on many."""
    lines = text.rstrip().splitlines()
    for first in range(len(lines) - 1, -1, -1):
        if lines[first].startswith("{"):
            parsed = json.loads("\n".join(lines[first:]))
            return dict(parsed)
    raise SystemExit(f"the program printed no JSON object, but:\n{text[-2000:]}")


def summary(rounds: Sequence[dict[str, Timing]]) -> dict[str, object]:
    median = {name: statistics.median(timings[name].seconds for timings in rounds) for name in rounds[0]}
    answered = {name: statistics.median(timings[name].answered for timings in rounds) for name in rounds[0]}
    found: dict[str, object] = {"median_seconds_to_answer": answered, "median_seconds": median}
    if "keras" in median and "tellapart_cold" in median:
        for name, seconds in (("times_quicker", answered), ("times_quicker_with_report", median)):
            found[name] = round(median["keras"] / seconds["tellapart_cold"], 1)
            found[f"{name}_new_pictures"] = round(median["keras"] / seconds["tellapart_new_pictures"], 1)
            found[f"{name}_second_time"] = round(median["keras"] / seconds["tellapart_warm"], 1)
    if "tellapart_cold" in median:
        found["accuracy"] = rounds[-1]["tellapart_cold"].answer
    found["rounds"] = [{name: asdict(timing) for name, timing in timings.items()} for timings in rounds]
    return found


def make_keras_environment() -> None:
    """Install TensorFlow beside the project, never into it: it needs other versions. About 1.5 GB, once."""
    complete = KERAS / ".complete"
    requirements = HERE / "keras_requirements.txt"
    if complete.is_file() and complete.read_text() == requirements.read_text():
        return
    print(f"installing TensorFlow into {KERAS} ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", KERAS], check=True)
    # Bytecode now: else the first timed run would compile it.
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode"]
    subprocess.run([*install, "--python", KERAS / "bin" / "python", "--requirement", requirements], check=True)
    complete.write_text(requirements.read_text())


if __name__ == "__main__":
    main()
