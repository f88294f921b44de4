"""Compiled samples run the network, too, where ONNX Runtime's packages are. In: a bundle. Out: what their own tests say.

The folder TELLAPART_ONNXRUNTIME holds include/, lib/, onnxruntime.jar with its binding in jni/, Microsoft.ML.OnnxRuntime.dll. No
registry of ours has all of these, so that this is not run in CI.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tellapart.bundle import Manifest, PreprocessingRecord
from tellapart.export.assemble import assemble
from tellapart.workflows.exporting.bundle import write_bundle

# Seconds; only what hangs takes as long. At a load of seventy g++ was ended at 300, and takes 3 alone.
WAIT = 1800
ONNXRUNTIME = Path(os.environ.get("TELLAPART_ONNXRUNTIME", ""))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("TELLAPART_ONNXRUNTIME" not in os.environ, reason="ONNX Runtime's packages are not here"),
]

# How it is built, and how it is run.
WITH_NETWORK = {
    "cpp": (
        [
            *("g++", "-std=c++17", "-pipe", "-O1", "-Wall", "-Wextra", "-Werror"),
            "-DWITH_ONNXRUNTIME",
            *("-isystem", str(ONNXRUNTIME / "include"), "-o", "self_test", "self_test.cpp"),
            *("-L", str(ONNXRUNTIME / "lib"), f"-Wl,-rpath,{ONNXRUNTIME / 'lib'}", "-lonnxruntime"),
        ],
        ["./self_test"],
    ),
    "java": (
        [
            *("javac", "-Xlint:all", "-Werror", "-cp", str(ONNXRUNTIME / "onnxruntime.jar")),
            *("SelfTest.java", "OnnxNetwork.java", "Preprocess.java", "Faults.java"),
        ],
        [
            *("env", f"LD_LIBRARY_PATH={ONNXRUNTIME / 'jni'}", "java"),
            *(f"-Donnxruntime.native.path={ONNXRUNTIME / 'jni'}", "-cp", f"{ONNXRUNTIME / 'onnxruntime.jar'}:."),
            "SelfTest",
        ],
    ),
    "csharp": (
        [
            *("mcs", "-d:WITH_ONNXRUNTIME", f"-r:{ONNXRUNTIME / 'Microsoft.ML.OnnxRuntime.dll'}", "-out:self_test.exe"),
            *("Preprocess.cs", "Faults.cs", "OnnxNetwork.cs", "SelfTest.cs"),
        ],
        ["env", f"MONO_PATH={ONNXRUNTIME}", f"LD_LIBRARY_PATH={ONNXRUNTIME / 'lib'}", "mono", "self_test.exe"],
    ),
}


def run(command: list[str], folder: Path) -> tuple[int, str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WAIT, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("language", WITH_NETWORK)
def test_a_compiled_sample_runs_the_network(
    tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path, language: str
) -> None:
    usual = PreprocessingRecord(size=16, crop=0.875, interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3)
    manifest, weight = tiny_manifest.model_copy(update={"pictures": usual}), np.eye(3, dtype=np.float32)
    data = assemble(tiny_network, weight=weight, bias=np.zeros(3, dtype=np.float32), manifest=manifest)
    (tmp_path / "model.onnx").write_bytes(data)
    bundle = write_bundle(tmp_path / "model.onnx", [], tmp_path / "proof", ["c++", "java", "csharp"]).folder
    build, start = WITH_NETWORK[language]
    code, said = run(build, bundle / language)
    assert code == 0, said
    code, said = run(start, bundle / language)
    assert (code, said.count("network: outputs differ by")) == (0, 10), said
    changed = bundle / "golden" / "03" / "probabilities.bin"
    changed.write_bytes(np.roll(np.frombuffer(changed.read_bytes(), dtype=np.float32), 1).tobytes())
    code, said = run(start, bundle / language)
    assert (code, 'The first step that differs is "network", in 1 of 10' in said) == (1, True), said
    for picture in (bundle / "golden").iterdir():
        for output in picture.glob("*.bin") if picture.is_dir() else ():
            output.unlink()
    code, said = run(start, bundle / language)
    assert (code, 'The first step that differs is "network", in 10 of 10' in said) == (1, True), said
