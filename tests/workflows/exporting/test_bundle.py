"""The bundle proves itself, and names a fault that was planted. In: tiny models. Out: what the samples' own tests say."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.bundle import Manifest, PreprocessingRecord, read_manifest
from tellapart.errors import DataError, SettingsError, StorageError
from tellapart.export.assemble import assemble
from tellapart.export.golden import read_golden
from tellapart.workflows.exporting.bundle import write_bundle

WAIT = 300  # seconds; only what hangs takes as long


@pytest.fixture(scope="module")
def bundle(tiny_network: Path, tiny_manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network of 16 x 16 pixels, with made pictures and every sample."""
    folder = tmp_path_factory.mktemp("bundle")
    usual = PreprocessingRecord(size=16, crop=0.875, interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3)
    manifest = tiny_manifest.model_copy(update={"pictures": usual})
    weight = np.array([[0, 0, 10], [0, 10, 0], [10, 0, 0]], dtype=np.float32)
    data = assemble(tiny_network, weight=weight, bias=np.zeros(3, dtype=np.float32), manifest=manifest)
    (folder / "model.onnx").write_bytes(data)
    written = write_bundle(
        folder / "model.onnx", [], folder / "proof", ["python", "javascript", "c++", "java", "csharp"]
    )
    assert (written.pictures, written.made) == (10, True)
    return written.folder


UNSCALED = ((10, 30), (31, 9), (40, 41), (16, 16), (15, 17), (1, 40))  # width and height, beside a network of 16 pixels
GOLDEN = len(UNSCALED) + 2  # with the large and the turned one that are made where there is none


@pytest.fixture(scope="module")
def unscaled(bundle: Path, tiny_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network whose pictures are cropped or padded and never scaled."""
    folder = tmp_path_factory.mktemp("unscaled")
    manifest = read_manifest(bundle / "model.onnx")
    pictures = manifest.preprocessing.model_copy(update={"fit": "crop_or_pad", "crop": 1.0, "mean": (0.9, 0.5, 0.1)})
    weight = np.array([[0, 0, 10], [0, 10, 0], [10, 0, 0]], dtype=np.float32)
    told = manifest.model_copy(update={"pictures": pictures})
    data = assemble(tiny_network, weight=weight, bias=np.zeros(3, dtype=np.float32), manifest=told)
    (folder / "model.onnx").write_bytes(data)
    random, paths = np.random.default_rng(0), []
    for number, (width, height) in enumerate(UNSCALED):
        paths.append(folder / f"{number}.{'jpg' if number == 2 else 'png'}")
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(paths[-1])
    written = write_bundle(
        folder / "model.onnx", paths, folder / "proof", ["python", "javascript", "c++", "java", "csharp"]
    )
    assert written.pictures == GOLDEN
    return written.folder


def test_unscaled_pictures_in_every_language_that_needs_no_compiler(unscaled: Path, tmp_path: Path) -> None:
    code, said = run(sys.executable, "-B", "self_test.py", folder=unscaled / "python")
    assert code == 0, said
    assert said.count("decode: same  input: same  network: differs by 0e+00") == GOLDEN
    scaled = {one["name"]: pixels(unscaled / "golden" / one["decoded"]["file"]) for one in golden(unscaled)}
    (tmp_path / "mine").mkdir()
    for name, decoded in scaled.items():
        made = Image.fromarray(decoded).resize((16, 16), Image.Resampling.BICUBIC)
        (tmp_path / "mine" / f"{name}.bin").write_bytes(np.asarray(made).tobytes())
    code, said = run(sys.executable, "-B", "self_test.py", "--inputs", tmp_path / "mine", folder=unscaled / "python")
    assert (code, "the picture was scaled, not cropped or padded as it is" in said.splitlines()[-1]) == (1, True), said
    if shutil.which("node"):
        code, said = run("node", "self_test.js", "--no-network", folder=without_packages(unscaled, tmp_path))
        assert code == 0, said
        assert said.count("input: same") == GOLDEN


def golden(bundle: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((bundle / "golden" / "golden.json").read_text())["pictures"]
    return found


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:  # Pillow reads PPM files by itself
        return np.asarray(picture)


def run(*command: str | Path, folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(one) for one in command], cwd=folder, capture_output=True, text=True, timeout=WAIT, check=False
    )
    return done.returncode, done.stdout + done.stderr


def python_test(bundle: Path, *more: str | Path) -> tuple[int, str]:
    return run(sys.executable, "-B", "self_test.py", *more, folder=bundle / "python")


def test_the_python_sample_gives_what_tellapart_gives(bundle: Path) -> None:
    code, said = python_test(bundle)
    assert code == 0, said
    assert said.count("decode: same  input: same  network: differs by 0e+00") == 10
    assert said.endswith("All steps that were tested give what they should, for 10 pictures.\n")


def planted(bundle: Path, folder: Path, make: Callable[[Image.Image, NDArray[np.uint8]], NDArray[Any]]) -> Path:
    """What another program would feed to its network: `make` of the decoded picture and the right input."""
    folder.mkdir()
    for one in golden(bundle):
        decoded = Image.fromarray(pixels(bundle / "golden" / one["decoded"]["file"]))
        right = pixels(bundle / "golden" / one["inputs"][0]["file"])
        (folder / f"{one['name']}.bin").write_bytes(make(decoded, right).tobytes())
    return folder


def squeezed(decoded: Image.Image, _: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(decoded.resize((16, 16), Image.Resampling.BICUBIC))


def as_a_canvas(decoded: Image.Image, right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The four pixels around each point, however much smaller the picture becomes."""
    share = 16 / np.floor(16 / 0.875)
    side = min(decoded.size) * share
    left, top = (decoded.width - side) / 2, (decoded.height - side) / 2
    step = side / 16
    affine = (step, 0, left, 0, step, top)
    return np.asarray(decoded.transform((16, 16), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR))


FAULTS: dict[str, tuple[Callable[[Image.Image, NDArray[np.uint8]], NDArray[Any]], str]] = {
    "bgr": (lambda _, right: np.ascontiguousarray(right[..., ::-1]), "red and blue are swapped (BGR)"),
    "canvas": (as_a_canvas, "the filter is bilinear without antialiasing, as a canvas or OpenCV has it"),
    "no crop": (squeezed, "nothing is cropped (the whole picture was squeezed into the square)"),
    "no crop, bilinear": (
        lambda decoded, _: np.asarray(decoded.resize((16, 16), Image.Resampling.BILINEAR)),
        "nothing is cropped (the whole picture was squeezed into the square); the filter is bilinear",
    ),
    "bgr and noise": (
        lambda _, right: (right[..., ::-1] + 6.0 * (np.indices(right.shape).sum(axis=0) % 2)).astype(np.float32),
        "red and blue are swapped (BGR); and that is not all of it",
    ),
    "0 to 1": (lambda _, right: (right / 255).astype(np.float32), "values run from 0 to 1"),
    "normal": (lambda _, right: ((right / 255 - 0.5) / 0.5).astype(np.float32), "normalised by mean and deviation"),
    "planes": (lambda _, right: np.ascontiguousarray(np.moveaxis(right, 2, 0)), "channels come first"),
    "mirrored, no crop": (
        lambda decoded, right: np.ascontiguousarray(squeezed(decoded, right)[:, ::-1]),
        "nothing is cropped (the whole picture was squeezed into the square); the picture is mirrored",
    ),
    "mirrored": (lambda _, right: np.ascontiguousarray(right[:, ::-1]), "looks like this: the picture is mirrored."),
    "normal twice, no crop": (
        lambda decoded, right: (((squeezed(decoded, right) / 255 - 0.5) / 0.5 - 0.5) / 0.5).astype(np.float32),
        "values are normalised twice by mean and deviation; nothing is cropped",
    ),
    "ImageNet's": (
        lambda _, right: ((right / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32),
        "values are normalised by ImageNet's mean and deviation, which are not the network's.",
    ),
    "two": (
        lambda decoded, right: (squeezed(decoded, right)[..., ::-1] / 255).astype(np.float32),
        "red and blue are swapped (BGR); values run from 0 to 1; nothing is cropped",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(bundle: Path, tmp_path: Path, fault: str) -> None:
    make, words = FAULTS[fault]
    folder = planted(bundle, tmp_path / "mine", make)
    code, said = python_test(bundle, "--inputs", folder)
    assert code == 1, said
    assert 'The first step that differs is "input"' in said
    assert words in said.splitlines()[-1]
    if shutil.which("node"):
        code, said = run("node", "self_test.js", "--inputs", folder, folder=without_packages(bundle, tmp_path))
        assert code == 1, said
        assert words in said.splitlines()[-1]


def test_an_input_that_is_missing_is_named(bundle: Path, tmp_path: Path) -> None:
    code, said = python_test(bundle, "--inputs", tmp_path)
    assert (code, f"{tmp_path / '01.bin'} is not there; it must hold the input of" in said) == (2, True), said
    assert "Traceback" not in said


# In which folder, how it is built, how it is run; the first word is the program that it needs.
COMPILED = {
    "cpp": (
        ["g++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-o", "self_test", "self_test.cpp"],
        ["./self_test"],
    ),
    "java": (
        ["javac", "-Xlint:all", "-Werror", "SelfTest.java"],
        ["java", "SelfTest"],
    ),
    "csharp": (
        ["mcs", "-out:self_test.exe", "Preprocess.cs", "Faults.cs", "OnnxNetwork.cs", "SelfTest.cs"],
        ["mono", "self_test.exe"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("language", ["cpp", pytest.param("java", marks=pytest.mark.long), "csharp"])
def test_a_compiled_sample_neither_scales_what_is_not_to_be(unscaled: Path, language: str) -> None:
    build, start = COMPILED[language]
    if shutil.which(build[0]) is None:
        pytest.skip(f"{build[0]} is not installed")
    code, said = run(*build, folder=unscaled / language)
    assert (code, said) == (0, "")
    code, said = run(*start, folder=unscaled / language)
    assert code == 0, said
    assert said.count("input: same") == GOLDEN


@pytest.mark.slow
@pytest.mark.parametrize("language", COMPILED)
def test_a_compiled_sample_is_right_to_the_bit_and_names_planted_faults(
    bundle: Path, tmp_path: Path, language: str
) -> None:
    build, start = COMPILED[language]
    if shutil.which(build[0]) is None:
        pytest.skip(f"{build[0]} is not installed")
    code, said = run(*build, folder=bundle / language)
    assert (code, said) == (0, "")
    code, said = run(*start, folder=bundle / language)
    assert code == 0, said
    assert said.count("input: same") == 10
    for fault in (
        "canvas",
        "no crop, bilinear",
        "bgr and noise",
        "mirrored, no crop",
        "normal twice, no crop",
        "ImageNet's",
        "two",
    ):
        make, words = FAULTS[fault]
        code, said = run(*start, "--inputs", planted(bundle, tmp_path / fault, make), folder=bundle / language)
        assert code == 1, said
        assert 'The first step that differs is "input"' in said
        assert words in said.splitlines()[-1]


def without_packages(bundle: Path, folder: Path) -> Path:
    """The sample for Node where no package is installed: decoding needs some, pixels need none."""
    copy = folder / "bundle"
    shutil.copytree(bundle, copy)
    for name in ("jpeg-js", "pngjs"):
        package = copy / "node_modules" / name
        package.mkdir(parents=True)
        (package / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
        (package / "index.js").write_text("export default {}; export const PNG = { sync: {} };")
    return copy / "javascript"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_node_makes_the_same_inputs_to_the_bit(bundle: Path, tmp_path: Path) -> None:
    code, said = run("node", "self_test.js", "--no-network", folder=without_packages(bundle, tmp_path))
    assert code == 0, said
    assert said.count("input: same") == 10


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
@pytest.mark.parametrize("decoder", ["sharp", "scripts"])
def test_node_decodes_runs_and_answers(bundle: Path, tmp_path: Path, repository: Path, decoder: str) -> None:
    packages = repository / ".npm" / "node_modules"
    if not (packages / "sharp").is_dir():
        pytest.skip("npm's packages are not here: .ci/run fetches them")
    shutil.copytree(bundle, tmp_path / "bundle")
    (tmp_path / "bundle" / "node_modules").mkdir()
    for package in packages.iterdir():
        if decoder == "sharp" or package.name not in ("sharp", "@img"):
            (tmp_path / "bundle" / "node_modules" / package.name).symlink_to(package)
    code, said = run("node", "self_test.js", folder=tmp_path / "bundle" / "javascript")
    assert code == 0, said
    assert said.count("network: outputs differ by") == said.count("answer: ") == 10
    if decoder == "sharp":  # but the JPEG that Pillow decodes smaller
        assert said.count("decode: same") == 9
        assert said.count("(not decoded smaller, but averaged)") == 1
    else:
        assert said.count("decode: same") == 7  # PNG files
        assert said.count("this JPEG decoder is not libjpeg)") == 3


def test_the_golden_pictures_are_of_every_kind_and_what_is_said_of_them_is_so(bundle: Path) -> None:
    found = golden(bundle)
    assert {one["source"]["mode"] for one in found} == {"RGB", "L", "RGBA"}
    assert {one["source"]["format"] for one in found} == {"JPEG", "PNG"}
    assert [one["turned"] for one in found].count(True) == 1
    assert sum(min(one["width"], one["height"]) > 2 * 16 for one in found) == 2
    for one in found:
        assert pixels(bundle / "golden" / one["decoded"]["file"]).shape[:2][::-1] == (
            one["decoded"]["width"],
            one["decoded"]["height"],
        )
        probabilities = np.fromfile(bundle / "golden" / one["outputs"]["probabilities"]["file"], dtype="<f4")
        answer = json.loads((bundle / "golden" / one["answer"]).read_text())
        assert answer["probability"] == pytest.approx(probabilities.max(), abs=1e-6)


def test_the_users_own_pictures_are_taken_and_damaged_ones_passed_over(tiny_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(tiny_bytes)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n")
    Image.new("RGB", (40, 30), (200, 10, 10)).save(tmp_path / "red.png")
    paths = [tmp_path / name for name in ("bad.png", "red.png", "gone.png")]
    written = write_bundle(tmp_path / "model.onnx", paths, tmp_path / "proof", [])
    assert (written.pictures, written.made, written.languages) == (4, False, ())
    # Three stand in for what goes wrong first, and say so.
    assert [row["source"]["made"] for row in read_golden(written.folder / "golden")] == [False, True, True, True]
    assert "golden" in {path.name for path in written.folder.iterdir()}
    assert (written.folder / "golden" / "01" / "source.png").read_bytes() == (tmp_path / "red.png").read_bytes()


def test_what_cannot_be_written_is_said(bundle: Path, tmp_path: Path) -> None:
    model = bundle / "model.onnx"
    with pytest.raises(
        SettingsError, match=re.escape("--for is 'perl'; there are samples for python, javascript, c++, java, csharp")
    ):
        write_bundle(model, [], tmp_path / "proof", ["perl"])
    with pytest.raises(DataError, match="none of the 1 pictures can be read, such as .*gone.png. Give others"):
        write_bundle(model, [tmp_path / "gone.png"], tmp_path / "proof", [])
    with pytest.raises(StorageError, match="is there already, and nothing is overwritten unasked"):
        write_bundle(model, [], bundle, [])
    assert list(tmp_path.iterdir()) == []


def test_onnxruntime_is_what_the_network_needs() -> None:
    """Nothing of tellapart is imported by the sample in Python."""
    place = Path(str(importlib.util.find_spec("tellapart.export").submodule_search_locations[0]))  # type: ignore[union-attr,index]
    for file in (place / "samples" / "python").glob("*.py"):
        assert not re.search(r"^(from|import) tellapart", file.read_text(), re.M)
