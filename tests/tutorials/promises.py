"""What each command of the tutorials promises. In: its options, what it said, what lies there. Out: it was kept."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.bundle import read_manifest
from tellapart.settings.reading import parse_assignment

AS_USUAL = "loop.weight_decay=0.05"  # is what AdamW has anyway, and then no line of a recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ended well."""

    folder: Path
    found: dict[str, Any]  # its options and arguments
    said: str  # on standard output
    before: Path | None  # the newest run before it
    latest: Path | None  # and after it


def is_written(path: Path, line: str) -> None:
    """A file that holds something, or a folder with something in it."""
    assert path.exists(), f"{line}: {path} is not there"
    assert path.stat().st_size > 0 if path.is_file() else any(path.iterdir()), f"{line}: {path} is empty"


def train(done: Done) -> None:
    latest = done.latest
    assert latest is not None
    assert (latest != done.before) or done.found.get("resume")
    manifest = read_manifest(latest / "model.onnx")
    assert "%" in done.said, done.said
    recipe = tomllib.loads((latest / "recipe.toml").read_text(encoding="utf-8"))["settings"]
    wanted = done.found.get("strategy")
    given = done.found.get("recipe")
    if given and (done.folder / given).is_file():
        asked = tomllib.loads((done.folder / given).read_text(encoding="utf-8")).get("settings", {})
        wanted = wanted or asked.get("strategy")
        kept = {
            key: value for key, value in asked.get("loop", {}).items() if key != "epochs" and not done.found.get(key)
        }
        assert {key: recipe["loop"][key] for key in kept} == kept
    if wanted in ("finetune", "scratch", "probe"):
        assert manifest.strategy == wanted
    if done.found.get("unfreeze"):
        assert recipe["finetune"]["unfreeze"] == done.found["unfreeze"]
    metrics = json.loads((latest / "metrics.json").read_text(encoding="utf-8"))
    if done.found.get("kfold"):
        assert metrics["kfold"]["count"] == int(done.found["kfold"])
    for assignment in done.found.get("assignments") or ():
        if not assignment.startswith("network.size="):  # which the walk makes smaller
            has(recipe, assignment)


def has(recipe: dict[str, Any], assignment: str) -> None:
    """A line of --set stands in the run's recipe."""
    at: Any = recipe
    wanted: Any = parse_assignment(assignment)
    while isinstance(wanted, dict) and wanted:
        ((key, wanted),) = wanted.items()
        at = at[key] if key in at or assignment != AS_USUAL else wanted
    assert at == wanted, assignment


def search(done: Done) -> None:
    latest = done.latest
    assert latest is not None
    assert latest != done.before
    tomllib.loads((latest / "best.toml").read_text(encoding="utf-8"))
    trials = (latest / "search" / "trials.csv").read_text(encoding="utf-8").splitlines()
    assert len(trials) >= 3, trials


def check(done: Done) -> None:
    assert re.search(r"\d+ (pictures|texts)|^all +\d+", done.said, re.MULTILINE), done.said


def augment(done: Done) -> None:
    from PIL import Image

    with Image.open(done.folder / (done.found.get("out") or "augmented.png")) as sheet:
        assert min(sheet.size) > 100


def recipe(done: Done) -> None:
    made = tomllib.loads((done.folder / done.found["out"]).read_text(encoding="utf-8"))
    assert made["settings"]["augment"]


def network(done: Done) -> None:
    assert re.search(r"Total params: [\d,]+", done.said), done.said


def models(done: Done) -> None:
    assert "tf_efficientnet_lite0" in done.said


def demo(done: Done) -> None:
    if done.found.get("data_only"):
        assert Path(done.said.strip().splitlines()[-1]).exists(), done.said
    else:
        assert "digits" in done.said, done.said


def evaluate(done: Done) -> None:
    assert "%" in done.said
    assert done.latest is not None
    if read_manifest(done.latest / "model.onnx").task in ("classification", "text"):
        assert "true class, told as" in done.said, done.said


def report(done: Done) -> None:
    page = done.folder / (done.found.get("out") or f"{done.found['run']}/report.html")
    text = page.read_text(encoding="utf-8")
    language = done.found.get("lang") or done.found.get("language") or "en"
    assert f'<html lang="{"zh" if language == "zh" else "en"}' in text, text[:200]


def predict(done: Done) -> None:
    out = done.folder / str(done.found.get("out") or "")
    answers = out.read_text(encoding="utf-8") if out.is_file() else done.said
    assert answers.strip() or out != done.folder, "nothing was answered"
    if done.found.get("layout") in ("csv", "jsonl"):
        assert len(answers.strip().splitlines()) >= (2 if done.found["layout"] == "csv" else 1), answers


def explain(done: Done) -> None:
    assert done.said.strip()
    for place in re.findall(r"^Written to (\S+)$", done.said, re.MULTILINE):
        is_written(done.folder / place, done.said)


def info(done: Done) -> None:
    assert "tellapart" in done.said.lower(), done.said


def next_pictures(done: Done) -> None:
    assert "%" in done.said or done.found.get("unlabelled"), done.said


def export(done: Done) -> None:
    for name in done.found["formats"]:
        card = done.folder / done.found["run"] / "exports" / name / "card.json"
        assert json.loads(card.read_text(encoding="utf-8"))
        assert name in done.said, done.said


def cache(done: Done) -> None:
    assert os.environ["TELLAPART_CACHE"] in done.said, done.said


def compress(done: Done) -> None:
    assert "%" in done.said
    made = done.folder / done.found["out"] if done.found.get("out") else None
    if made is not None:
        assert read_manifest(made / "model.onnx").compression is not None


def compare(done: Done) -> None:
    assert "%" in done.said, done.said


PROMISES: Mapping[str, Callable[[Done], None]] = {
    "train": train,
    "search": search,
    "check": check,
    "augment": augment,
    "recipe": recipe,
    "network": network,
    "models": models,
    "demo": demo,
    "evaluate": evaluate,
    "report": report,
    "predict": predict,
    "explain": explain,
    "info": info,
    "next": next_pictures,
    "export": export,
    "cache": cache,
    "compress": compress,
    "compare": compare,
}
