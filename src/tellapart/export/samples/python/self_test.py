"""Tests every step against the golden pictures. In: the bundle. Out: which step differs first. Next: prepare_picture.py.

    python self_test.py                     tests this sample
    python self_test.py --inputs FOLDER     tests what another program made: FOLDER/01.bin ..., bytes or float32 of its first input

Needs numpy and Pillow, and onnxruntime for the network; nothing of tellapart.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from prepare_picture import Pixels, ShownPart, decode, parts, prepare
from usual_faults import InputVerdict, judge

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "golden"
DECODED = 3.0  # levels on average that decoders of the same JPEG may differ by
NETWORK = 1e-3  # of an output, relative where it is over 1
STEPS = ("decode", "input", "network", "answer", "whole way")


class StepResult(NamedTuple):
    """Of one step: whether it is right, in words, and what was done wrong."""

    same: bool
    says: str
    fault: str = ""


def read_ppm(path: Path) -> Pixels:
    """uint8 [H, W, 3]."""
    head, _, data = path.read_bytes().partition(b"\n")
    _, width, height, _ = head.split()
    return np.frombuffer(data, dtype=np.uint8).reshape(int(height), int(width), 3)


def test_own(one: dict[str, Any], model: dict[str, Any], session: Any) -> dict[str, StepResult]:
    """Every step of this sample, each from the right result of the one before."""
    settings, right = model["preprocessing"], read_ppm(GOLDEN / one["decoded"]["file"])
    image = Image.fromarray(right)
    steps = {"decode": _decoding(one, right, model)}
    places = parts(one["width"], one["height"], settings)
    if len(places) != len(one["parts"]):
        return steps | {"input": StepResult(False, f"{len(places)} tiles, not {len(one['parts'])}")}
    verdicts = [
        judge(read_ppm(GOLDEN / kept["file"]), prepare(image, place, settings), image, place, settings)
        for kept, place in zip(one["inputs"], places, strict=False)
    ]
    steps["input"] = _told(max(verdicts, key=lambda verdict: verdict.most))
    return steps | ({} if session is None else _running(one, model, session))


def test_other(one: dict[str, Any], model: dict[str, Any], folder: Path) -> dict[str, StepResult]:
    """What another program feeds to its network."""
    right = read_ppm(GOLDEN / one["inputs"][0]["file"])
    file = folder / f"{one['name']}.bin"
    if not file.is_file():
        print(
            f"{file} is not there; it must hold the input of {one['source']['file']}, {right.size} numbers as bytes or float32."
        )
        raise SystemExit(2)
    data = file.read_bytes()
    found: NDArray[Any] = np.frombuffer(data, dtype="<f4" if len(data) == 4 * right.size else np.uint8)
    image = Image.fromarray(read_ppm(GOLDEN / one["decoded"]["file"]))
    return {"input": _told(judge(right, found, image, ShownPart(*one["parts"][0]), model["preprocessing"]))}


def _decoding(one: dict[str, Any], right: Pixels, model: dict[str, Any]) -> StepResult:
    image, _, _ = decode((GOLDEN / one["source"]["file"]).read_bytes(), model["preprocessing"])
    if (image.height, image.width) != right.shape[:2]:
        return StepResult(
            False, f"{image.width} x {image.height}", "EXIF's orientation is not followed" if one["turned"] else ""
        )
    apart = np.abs(np.asarray(image).astype(int) - right)
    if not apart.any():
        return StepResult(True, "same")
    return StepResult(apart.mean() <= DECODED, f"{apart.max()} levels at most, {apart.mean():.2f} on average")


def _running(one: dict[str, Any], model: dict[str, Any], session: Any) -> dict[str, StepResult]:
    names = list(one["outputs"])
    found = dict(
        zip(names, session.run(names, {"image": read_ppm(GOLDEN / one["inputs"][0]["file"])[None]}), strict=True)
    )
    most = 0.0
    for name, kept in one["outputs"].items():
        right = np.fromfile(GOLDEN / kept["file"], dtype="<f4").reshape(kept["shape"])
        most = max(most, float((np.abs(found[name][0] - right) / np.maximum(1, np.abs(right))).max(initial=0)))
    steps = {"network": StepResult(most <= NETWORK, f"differs by {most:.0e}")}
    steps["whole way"] = _whole_way(one, model, session)
    wanted = json.loads((GOLDEN / one["answer"]).read_text(encoding="utf-8"))
    said = _said(found, model)
    if said is None:
        return steps
    right_said = wanted["label"] if "label" in wanted else ", ".join(wanted["labels"])
    return steps | {
        "answer": StepResult(said == right_said, said if said == right_said else f"{said}, not {right_said}")
    }


def _whole_way(one: dict[str, Any], model: dict[str, Any], session: Any) -> StepResult:
    """From the file to the outputs, all by this sample: how much of it a user would see."""
    settings, names = model["preprocessing"], list(one["outputs"])
    image, width, height = decode((GOLDEN / one["source"]["file"]).read_bytes(), settings)
    own = prepare(image, parts(width, height, settings)[0], settings)
    most = 0.0
    for name, found in zip(names, session.run(names, {"image": own[None]}), strict=True):
        right = np.fromfile(GOLDEN / one["outputs"][name]["file"], dtype="<f4").reshape(found.shape[1:])
        most = max(most, float(np.abs(found[0] - right).max(initial=0)))
    return StepResult(True, f"outputs differ by {most:.0e}")


def _said(found: dict[str, NDArray[Any]], model: dict[str, Any]) -> str | None:
    """The classes of the picture; None where an answer is more than names."""
    if model["task"] == "classification":
        return str(model["classes"][int(found["probabilities"][0].argmax())])
    if model["task"] == "multilabel":
        chosen = found["probabilities"][0] >= np.float32(model["record"]["thresholds"])
        return ", ".join(name for name, there in zip(model["classes"], chosen, strict=True) if there)
    return None


def _told(verdict: InputVerdict) -> StepResult:
    if verdict.most <= 1:
        return StepResult(True, "same" if verdict.most == 0 else f"a level at most, {verdict.mean:.0e} on average")
    return StepResult(False, f"{verdict.most:.0f} levels at most, {verdict.mean:.2f} on average", verdict.fault)


def conclude(results: list[dict[str, StepResult]]) -> tuple[str, bool]:
    """The first step that differs, over all pictures, in words; and whether there is one."""
    for step in STEPS:
        wrong = [found[step] for found in results if step in found and not found[step].same]
        if wrong:
            faults = dict.fromkeys(one.fault for one in wrong if one.fault)
            why = (
                f"It looks like this: {'; or '.join(faults)}."
                if faults
                else "No usual fault explains it: compare with preprocessing.json."
            )
            return f'The first step that differs is "{step}", in {len(wrong)} of {len(results)} pictures. {why}', True
    return f"All steps that were tested give what they should, for {len(results)} pictures.", False


def main() -> int:
    """0 where everything is as it should be, 1 where something differs, 2 where a file is missing."""
    parser = argparse.ArgumentParser(description="Tests every step against the golden pictures.")
    parser.add_argument(
        "--inputs", type=Path, help="a folder with 01.bin ...: the first inputs that another program made"
    )
    parser.add_argument("--no-network", action="store_true", help="pixels alone")
    given = parser.parse_args()
    model = json.loads((ROOT / "preprocessing.json").read_text(encoding="utf-8"))
    session = None
    if not given.no_network and given.inputs is None:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(ROOT / "model.onnx"), providers=["CPUExecutionProvider"])
    results = []
    for one in json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))["pictures"]:
        found = test_own(one, model, session) if given.inputs is None else test_other(one, model, given.inputs)
        print(one["name"], "  ".join(f"{step}: {found[step].says}" for step in STEPS if step in found))
        results.append(found)
    text, failed = conclude(results)
    print(text)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
