"""The exported backbone: the same numbers as torch, made once, noticed when damaged. In: names. Out: ONNX files."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from tellapart.errors import BackboneError
from tellapart.features.backbone import ReadyBackbone, prepare_backbone, put_in_place
from tellapart.features.engine import choose_device, open_engine
from tellapart.models.weights import load_backbone


@pytest.fixture(scope="module")
def exported(own_cache: Path) -> ReadyBackbone:
    return prepare_backbone("tf_efficientnet_lite0", cache=own_cache, weights=None).wait()


def test_onnx_and_torch_give_the_same_embedding(exported: ReadyBackbone) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    images[1] = 0
    found = open_engine(exported, "cpu").embed(images)
    with torch.inference_mode():
        pixels = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        expected = load_backbone("tf_efficientnet_lite0", None).network(pixels).numpy()
    assert exported.stages == (16, 24, 40, 80, 112, 192, 320)
    assert found.shape == (3, exported.embedding) == (3, 784 + 1280)
    np.testing.assert_allclose(found[:, 784:], expected, atol=1e-4)


def test_the_padding_is_fixed_so_that_onnx_runtime_can_fuse_it(exported: ReadyBackbone) -> None:
    import onnx

    operators = {node.op_type for node in onnx.load(exported.network).graph.node}
    assert not operators & {"Shape", "Ceil"}


def test_a_second_call_reuses_the_export(exported: ReadyBackbone, own_cache: Path) -> None:
    again = prepare_backbone("tf_efficientnet_lite0", cache=own_cache, weights=None)
    assert not again.running
    assert again.wait().reused
    assert again.wait().fingerprint == exported.fingerprint


def test_a_damaged_export_is_made_again(exported: ReadyBackbone, tmp_path: Path) -> None:
    folder = tmp_path / "backbones" / exported.network.parent.name
    shutil.copytree(exported.network.parent, folder)
    data = bytearray((folder / "network.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "network.onnx").write_bytes(data)
    again = prepare_backbone("tf_efficientnet_lite0", cache=tmp_path, weights=None).wait()
    assert not again.reused
    assert (folder / "network.onnx").read_bytes() == exported.network.read_bytes()


def test_an_unknown_backbone_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="timm has no network named 'resnot'"):
        prepare_backbone("resnot", cache=tmp_path, weights=None)
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_export_leaves_nothing(tmp_path: Path) -> None:
    pending = prepare_backbone("tf_efficientnet_lite0", cache=tmp_path, weights=None)
    assert pending.running
    pending.cancel()
    assert list((tmp_path / "backbones").iterdir()) == []


def test_a_name_cannot_leave_the_cache_folder(tmp_path: Path) -> None:
    with pytest.raises(BackboneError):
        prepare_backbone("../../outside", cache=tmp_path / "cache", weights=None).wait()
    assert list(tmp_path.iterdir()) == []


def test_choosing_the_cpu_never_imports_torch() -> None:
    code = (
        "import sys; from tellapart.features.engine import choose_device;"
        "print(choose_device('cpu'), 'torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["cpu", "False"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there_is_refused() -> None:
    from tellapart.errors import SettingsError

    with pytest.raises(SettingsError, match="torch finds no such device here. Use --device cpu"):
        choose_device("cuda")


@pytest.mark.gpu
def test_the_gpu_gives_nearly_the_same_embedding(exported: ReadyBackbone) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    on_cpu = open_engine(exported, "cpu").embed(images)
    on_gpu = open_engine(exported, "cuda").embed(images)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=0.02 * float(np.abs(on_cpu).max()))


def test_what_a_killed_export_left_is_removed_when_it_is_old(exported: ReadyBackbone, tmp_path: Path) -> None:
    import os
    import time

    folder = tmp_path / "backbones"
    for name, age in ((".exporting-old", 7200), (".exporting-now", 60)):
        (folder / name).mkdir(parents=True)
        os.utime(folder / name, (time.time() - age, time.time() - age))
    pending = prepare_backbone("tf_efficientnet_lite0", cache=tmp_path, weights=None)
    pending.cancel()
    assert [path.name for path in folder.iterdir()] == [".exporting-now"]


def test_of_two_exports_at_once_the_first_stays(exported: ReadyBackbone, tmp_path: Path) -> None:
    slow = prepare_backbone("tf_efficientnet_lite0", cache=tmp_path, weights=None)
    folder = tmp_path / "backbones" / exported.network.parent.name
    shutil.copytree(exported.network.parent, folder)  # what another process finished meanwhile
    before = (folder / "network.onnx").stat().st_ino
    assert slow.wait().network.stat().st_ino == before


def made_network(folder: Path, exported: ReadyBackbone) -> Path:
    """A folder as an export leaves it, with next to nothing in its files."""
    folder.mkdir()
    record = json.loads((exported.network.parent / "backbone.json").read_text())
    for file, key in (("network.onnx", "onnx_sha256"), ("weights.safetensors", "weights_fingerprint")):
        (folder / file).write_bytes(b"of little use")
        record[key] = hashlib.sha256(b"of little use").hexdigest()
    (folder / "backbone.json").write_text(json.dumps(record))
    return folder


def test_of_many_that_finish_in_the_same_moment_one_stays_and_is_never_taken_away(
    exported: ReadyBackbone, tmp_path: Path
) -> None:
    """Two first runs at once: whoever has put a network in its place reads it there from then on."""
    for turn in range(20):
        folders = [made_network(tmp_path / f"made-{turn}-{one}", exported) for one in range(6)]
        place = tmp_path / f"place-{turn}"

        def put(made: Path, place: Path = place) -> int:
            put_in_place(made, place)
            return (place / "network.onnx").stat().st_ino

        with ThreadPoolExecutor(6) as pool:
            assert len(set(pool.map(put, folders))) == 1
        assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("record", ["[]", '{"preprocessing": []}', "null", "{"])
def test_one_that_is_of_no_use_makes_room(exported: ReadyBackbone, tmp_path: Path, record: str) -> None:
    place, made = made_network(tmp_path / "place", exported), made_network(tmp_path / "made", exported)
    (place / "backbone.json").write_text(record)
    wanted = (made / "network.onnx").stat().st_ino
    put_in_place(made, place)
    assert (place / "network.onnx").stat().st_ino == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
