"""The page without a server: one folder. In: a model, ONNX Runtime for browsers. Out: index.html. Next: web_runtime.py.

It is the server's own page (serving/pages/), with another file in place of the one that asks the server. Any web server can give
out the folder; a double click on index.html opens it too, where scripts hold the files that a browser would not read then.
"""

from __future__ import annotations

import base64
import importlib.resources
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tellapart.bundle import Model, open_model
from tellapart.export.begun import begun_folder, take_place
from tellapart.export.one_script import one_script
from tellapart.export.samples import read_sample
from tellapart.export.specification import specification
from tellapart.export.text_specification import text_specification, vocabularies
from tellapart.reporting.phrases import table
from tellapart.serving.page_text import LANGUAGES, render
from tellapart.storage import check_free, check_replaceable, write_bytes
from tellapart.texts.inputs import TextInputs
from tellapart.workflows.exporting.bundle import MODEL, write_bundle
from tellapart.workflows.exporting.web_runtime import FILES, VERSION, web_runtime

PROOF = "proof"  # the folder of the bundle
_PAGE, _SAMPLE, _TEXTS, _ALONE = "page", "sample", "texts", "file"
_SCRIPT, _GLUE, _NETWORK = FILES  # what the page runs, and what that loads
# Nothing may be loaded from, or sent to, anywhere else. `file:` and `blob:` are for a page opened by a double click.
_POLICY = (
    "default-src 'none'; script-src 'self' file: blob: 'wasm-unsafe-eval'; style-src 'self' file:; "
    "img-src 'self' file: data: blob:; connect-src 'self' blob:; base-uri 'none'; form-action 'none'"
)
# Phrases of the page that speak of a server, and what is said instead.
_INSTEAD: Mapping[str, str] = {
    "page_privacy": "local_privacy",
    "page_privacy_corrections": "local_privacy",
    "page_failed": "local_failed",
    "page_live_pace": "local_pace",
    "page_privacy_texts": "local_privacy_texts",
}
# What check.html tests.
_STEPS_OF_PICTURES = (
    "Each step of ten pictures, from the right result of the step before: the decoded picture, the network's input, its outputs, "
    "the answer."
)
_STEPS_OF_TEXTS = (
    "Each step of the golden texts: cleaning, what the model's parts look at, their numbers, the network's outputs."
)


def write_browser(
    model: Path, pictures: Sequence[Path], folder: Path, *, tools: Path | None = None, force: bool = False
) -> Path:
    """Write the page of a model.onnx, or of a run's folder, into `folder`; the path of its index.html.

    Beside it lie check.html, which tests every step in a browser with ten of `pictures` or made ones, and the JavaScript sample.
    Raises: ExportError without ONNX Runtime for browsers; what `write_bundle` raises.
    """
    runtime = web_runtime(tools)
    opened = open_model(model)
    check_free(folder, force=force)
    check_replaceable(folder, ours="check.html")
    with begun_folder(folder) as begun:
        write_bundle(model, pictures, begun / PROOF, ["javascript"])
        shutil.copyfile(begun / PROOF / MODEL, begun / MODEL)
        write_page(begun, opened, runtime)
        take_place(begun, folder)
    return folder / "index.html"


def write_page(folder: Path, model: Model, runtime: Path) -> None:
    """Write the page around the model.onnx of a folder; `runtime` holds ONNX Runtime for browsers. Raises: StorageError."""
    for name in FILES:
        write_bytes(folder / _PAGE / name, (runtime / name).read_bytes())
    texts = model.inputs if isinstance(model.inputs, TextInputs) else None
    parts = {"model": folder / MODEL, "glue": runtime / _GLUE, "runtime": runtime / _NETWORK}
    held = {name: path.read_bytes() for name, path in parts.items()}
    for name, data in ({} if texts is None else vocabularies(texts)).items():
        write_bytes(folder / name, data)
        held[name] = data
    for name, data in held.items():
        write_bytes(folder / _ALONE / f"{name}.js", _as_script(name, data))
    pages = importlib.resources.files("tellapart.serving").joinpath("pages")
    own = importlib.resources.files("tellapart.export").joinpath("browser")
    for name in ("page.css", "icon.svg"):
        write_bytes(folder / _PAGE / name, pages.joinpath(name).read_bytes())
    modules = _modules()
    write_bytes(folder / _PAGE / "page.js", one_script(modules, f"{_PAGE}/start.js").encode())
    tests, told = ("check.js", _STEPS_OF_PICTURES) if texts is None else ("check_texts.js", _STEPS_OF_TEXTS)
    write_bytes(folder / _PAGE / "check.js", one_script(modules, f"{_PAGE}/{tests}").encode())
    check = own.joinpath("check.html").read_text(encoding="utf-8")
    write_bytes(folder / "check.html", check.replace("{{policy}}", _POLICY).replace("{{steps}}", told).encode())
    write_bytes(folder / "index.html", _index(model).encode())


def _modules() -> dict[str, str]:
    """The server's page, our own files in its place where they have the same name, and the sample."""
    pages = importlib.resources.files("tellapart.serving").joinpath("pages")
    own = importlib.resources.files("tellapart.export").joinpath("browser")
    found = {
        f"{_PAGE}/{file.name}": file.read_text(encoding="utf-8")
        for place in (pages, own)
        for file in place.iterdir()
        if file.name.endswith(".js")
    }
    samples = {_SAMPLE: read_sample("javascript"), _TEXTS: read_sample("javascript_texts")}
    return found | {
        f"{folder}/{name}": text
        for folder, files in samples.items()
        for name, text in files.items()
        if name.endswith(".js")
    }


def _index(model: Model) -> str:
    phrases = {key: dict(phrase) for key, phrase in table().items() if key.startswith("page_")}
    for key, other in _INSTEAD.items():
        phrases[key] = dict(table()[other])
    settings: dict[str, Any] = {
        "corrections": False,
        "heatmaps": isinstance(model.inputs, TextInputs),
        "body_bytes": 0,
        "model": _told(model),
        "card": _card(model),
    }
    text = render("page.html", phrases, settings, next(iter(LANGUAGES)))
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    scripts = f'<script defer src="{_PAGE}/{_SCRIPT}"></script>\n<script defer src="{_PAGE}/page.js"></script>'
    text = text.replace('<meta name="referrer"', f'{policy}\n<meta name="referrer"', 1)
    text = text.replace('<script type="module" src="page/page.js"></script>', scripts, 1)
    start = text.index("<footer")
    end = text.index("</footer>") + len("</footer>")
    return text[:start] + f'<footer class="soft small">ONNX Runtime Web {VERSION}</footer>' + text[end:]


def _told(model: Model) -> dict[str, Any]:
    """What the page must know to make its input and answer."""
    manifest = model.manifest
    if not isinstance(model.inputs, TextInputs):
        return {**specification(manifest), "steps": None}
    return {
        "task": manifest.task,
        "classes": list(manifest.classes),
        "record": manifest.record.model_dump(mode="json"),
        "texts": text_specification(manifest.classes, model.inputs),
    }


def _card(model: Model) -> dict[str, Any]:
    """The model as a server tells of it at /models."""
    manifest = model.manifest
    record = manifest.record.model_dump(mode="json")
    return {
        "name": manifest.data.name,
        "version": 1,
        "task": manifest.task,
        "classes": list(manifest.classes),
        "created": manifest.created,
        "strategy": manifest.strategy,
        "backbone": manifest.backbone.model_dump(mode="json"),
        "data": manifest.data.model_dump(mode="json"),
        "scores": {name: score.model_dump(mode="json") for name, score in manifest.scores.items()},
        "record": record,
        "explainable": isinstance(model.inputs, TextInputs),
        "gallery": None,
    }


def _as_script(name: str, data: bytes) -> bytes:
    """Bytes as a script that keeps them as text."""
    text = base64.b64encode(data).decode("ascii")
    return f"globalThis.tellapart ??= {{}};\nglobalThis.tellapart[{json.dumps(name)}] = {json.dumps(text)};\n".encode()
