"""A kept graph reads back as written, and a damaged one is refused. In: graphs made by hand, the package's own. Out: values."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from tellapart.errors import BackboneError
from tellapart.models.catalog import BACKBONES, EMBEDDED, embedded_file
from tellapart.models.kept_graph import (
    KeptGraph,
    Source,
    TensorPlace,
    graph_file,
    pack,
    read_tensors,
    same_padding,
    sample_picture,
    unpack,
)


def made(**changes: Any) -> KeptGraph:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    values: dict[str, Any] = {
        "graph": helper.make_model(graph).SerializeToString(),
        "file_bytes": 44,
        "file_sha256": "ab",
        "tensors": (
            TensorPlace(name="plain", dtype="float32", shape=(2, 3), axes=(0, 1), offset=4),
            TensorPlace(name="turned", dtype="float32", shape=(3, 2), axes=(1, 0), offset=4),
            TensorPlace(name="count", dtype="int64", shape=(), axes=(), offset=28),
        ),
        "sources": {"w": Source(tensor="plain", norm="bn", epsilon=0.001), "b": Source(norm="bn", epsilon=0.001)},
        "same": ("first", "second"),
        "values_sha256": "cd",
        "record": {"name": "made", "preprocessing": {"size": 32}},
        "expected": np.array([1.5, -2.25], dtype=np.float32),
    }
    return KeptGraph(**{**values, **changes})


def test_a_graph_reads_back_as_it_was_written(tmp_path: Path) -> None:
    kept = made()
    path = graph_file("made", tmp_path)
    path.write_bytes(pack(kept))
    assert path.name == "made.onnx.gz"
    found = unpack(path)
    np.testing.assert_array_equal(found.expected, kept.expected)
    assert replace(found, expected=kept.expected) == kept
    assert pack(found) == path.read_bytes()


def test_the_numbers_come_from_their_places() -> None:
    data = b"head" + np.arange(6, dtype="<f4").tobytes() + np.array([7], dtype="<i8").tobytes() + b"tail"
    tensors = read_tensors(made(), data)
    np.testing.assert_array_equal(tensors["plain"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(tensors["turned"], [[0, 3], [1, 4], [2, 5]])  # it lies there as [2, 3]
    assert tensors["count"].shape == ()
    assert (tensors["count"].dtype, int(tensors["count"])) == (np.dtype(np.int64), 7)
    assert all(tensor.flags.c_contiguous for tensor in tensors.values())


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"offset": 24}, "wrong ends beyond the 44 bytes"),
        ({"offset": 2**62}, "wrong ends beyond the 44 bytes"),
        ({"shape": (2**40, 2**40)}, "wrong ends beyond the 44 bytes"),
        ({"offset": -4}, "the place of wrong is none"),
        ({"shape": (-1, 6)}, "the place of wrong is none"),
        ({"axes": (0, 0)}, "the place of wrong is none"),
        ({"axes": (0,)}, "the place of wrong is none"),
        ({"dtype": "object"}, "the place of wrong is none"),
    ],
)
def test_a_place_that_is_not_in_the_file_is_refused(place: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"name": "wrong", "dtype": "float32", "shape": (2, 3), "axes": (0, 1), "offset": 4, **place}
    with pytest.raises(BackboneError, match=words):
        read_tensors(made(tensors=(TensorPlace(**given),)), bytes(44))


def changed(data: bytes, key: str, value: str) -> bytes:
    """The file with another text in its metadata."""
    model = onnx.load_model_from_string(gzip.decompress(data))
    del model.metadata_props[:]
    model.metadata_props.add(key=key, value=value)
    return gzip.compress(model.SerializeToString())


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    data = pack(made())
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 16
    path = tmp_path / "made.onnx.gz"
    key = "tellapart.assembly"
    for wrong in (
        b"",
        data[: len(data) // 2],
        bytes(flipped),
        b"not gzip",
        gzip.compress(b"\xff" * 99),
        gzip.compress(b""),
        changed(data, "another", "{}"),
        changed(data, key, "no json"),
        changed(data, key, "[]"),
        changed(data, key, "{}"),
        changed(data, key, '{"format": 0}'),
        changed(data, key, '{"format": 1, "expected": "AA==", "tensors": [[1]], "sources": {}, "same": []}'),
    ):
        path.write_bytes(wrong)
        with pytest.raises(BackboneError, match="the kept graph made.onnx.gz cannot be read"):
            unpack(path)
    path.unlink()
    with pytest.raises(BackboneError, match="cannot be read .*No such file"):
        unpack(path)


def test_no_more_is_unpacked_than_a_graph_can_need(tmp_path: Path) -> None:
    path = tmp_path / "made.onnx.gz"
    path.write_bytes(gzip.compress(bytes(9 * 2**20)))
    with pytest.raises(BackboneError, match=r"cannot be read \(it holds over 8388608 bytes\)"):
        unpack(path)


@pytest.mark.parametrize("seed", range(40))
def test_no_change_of_a_byte_raises_anything_else(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(gzip.decompress(pack(made())))
    for place in random.integers(0, len(data), 3):
        data[place] = random.integers(0, 256)
    path = tmp_path / "made.onnx.gz"
    path.write_bytes(gzip.compress(bytes(data[: random.integers(len(data) // 2, len(data) * 2)])))
    try:
        read_tensors(unpack(path), bytes(44))
    except BackboneError:
        return


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_embedded_network_has_its_graph_and_torch_reads_the_same_numbers(name: str) -> None:
    embedded = BACKBONES[name].embedded
    assert embedded is not None
    path = embedded_file(embedded)
    assert path is not None
    data = path.read_bytes()
    kept = unpack(graph_file(name))
    assert graph_file(name).stat().st_size < 40_000
    assert (kept.file_sha256, kept.file_bytes) == (embedded.sha256, len(data))
    assert hashlib.sha256(data).hexdigest() == kept.file_sha256
    # By torch's own restricted reader, in the file's order; the package names them otherwise.
    state = list(torch.load(path, map_location="cpu", weights_only=True).values())
    found = read_tensors(kept, data)
    assert len(found) == len(state) - 2  # but for the classifier
    assert {value.numpy().tobytes() for value in state[:-2]} == {value.tobytes() for value in found.values()}


# By hand from TensorFlow's rule: 224 -> 112 with a kernel of 3 needs 1 more, with one of 5 needs 3; 225 -> 113 needs 2 and 4.
@pytest.mark.parametrize(
    ("length", "kernel", "stride", "expected"),
    [
        (224, 3, 2, (0, 1)),
        (224, 5, 2, (1, 2)),
        (225, 3, 2, (1, 1)),
        (225, 5, 2, (2, 2)),
        (7, 1, 2, (0, 0)),
        (7, 3, 1, (1, 1)),
    ],
)
def test_tensorflows_padding(length: int, kernel: int, stride: int, expected: tuple[int, int]) -> None:
    assert same_padding(length, kernel=kernel, stride=stride) == expected


def test_a_dilated_kernel_counts_as_wide_as_it_is() -> None:
    assert same_padding(9, kernel=3, stride=1, dilation=2) == (2, 2)


def test_the_sample_picture_is_the_same_everywhere() -> None:
    picture = sample_picture(32)
    assert (picture.shape, picture.dtype) == ((1, 32, 32, 3), np.dtype(np.uint8))
    # By hand, in whole numbers: n * 2654435761 // 8192 % 256.
    assert picture.reshape(-1)[[0, 1, 2, 3071]].tolist() == [n * 2654435761 // 8192 % 256 for n in (0, 1, 2, 3071)]
    assert 110 < picture.mean() < 145
