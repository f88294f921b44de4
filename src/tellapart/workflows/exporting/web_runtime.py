"""ONNX Runtime for browsers, fetched once. In: npm, or a folder. Out: three files. Next: browser.py.

The package `onnxruntime-web` (MIT) is asked of npm's registry; three of its files are kept, each of which must be the one that was
tested.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tellapart.errors import ExportError
from tellapart.storage import cache_folder, storage_errors, write_bytes

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
FILES: Mapping[str, str] = {  # with their SHA-256
    "ort.wasm.min.js": "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_PATIENCE = 600  # seconds
_MOST_BYTES = 64_000_000  # of one file


def web_runtime(tools: Path | None = None, *, files: Mapping[str, str] = FILES) -> Path:
    """A folder with the `files`, each of that SHA-256: in `tools`, in the cache, or fetched with npm into the cache.

    Raises: ExportError where it can be had nowhere; StorageError.
    """
    kept = cache_folder() / f"onnxruntime-web-{VERSION}"
    for folder in (*_below(tools), kept):
        if _is_whole(folder, files):
            return folder
    _fetch(kept, files)
    return kept


def has_node() -> bool:
    """Whether Node is here, in which the same runtime answers the test split."""
    return shutil.which("node") is not None


def _below(tools: Path | None) -> list[Path]:
    """Where in a folder of tools it may lie: as such, as npm unpacks it, as npm installs it."""
    if tools is None:
        return []
    homes = (tools, tools / "onnxruntime-web")
    inside = ("", "dist", "package/dist", "node_modules/onnxruntime-web/dist")
    return [home / place for home in homes for place in inside]


def _is_whole(folder: Path, files: Mapping[str, str]) -> bool:
    return all((folder / name).is_file() and _digest(folder / name) == digest for name, digest in files.items())


def _digest(path: Path) -> str:
    with storage_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(kept: Path, files: Mapping[str, str]) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ExportError(f"the page needs {PACKAGE}, and npm is not installed to fetch it. {_remedy()}")
    with tempfile.TemporaryDirectory(prefix="tellapart-npm-") as name:
        folder = Path(name)
        command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", name]
        try:
            done = subprocess.run(command, cwd=name, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            raise ExportError(f"npm did not answer within {_PATIENCE} s for {PACKAGE}. {_remedy()}") from None
        archives = sorted(folder.glob("*.tgz"))
        if done.returncode or not archives:
            said = " ".join(done.stderr.split())[-200:] or "it says nothing"
            raise ExportError(f"npm could not fetch {PACKAGE} ({said}). {_remedy()}")
        _unpack(archives[0], kept, files)


def _unpack(archive: Path, kept: Path, files: Mapping[str, str]) -> None:
    with tarfile.open(archive) as package:
        for name, digest in files.items():
            member = package.extractfile(f"package/dist/{name}")
            data = b"" if member is None else member.read(_MOST_BYTES)
            if hashlib.sha256(data).hexdigest() != digest:
                raise ExportError(f"{name} of {PACKAGE} is not the file that this version was tested with. {_remedy()}")
            write_bytes(kept / name, data)


def _remedy() -> str:
    return f"Where npm works, run: npm pack {PACKAGE}, unpack it, and give its folder with --tools FOLDER."
