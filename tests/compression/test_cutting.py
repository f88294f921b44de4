"""The network inside a file. In: a whole model.onnx, small networks. Out: the same embedding, folded."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from tellapart.compression.cutting import cut_network
from tellapart.errors import ModelFileError, StorageError
from tellapart.export.plain import folded
from tellapart.runtime import Session

from .made_networks import conv_network, pictures


def test_what_stands_behind_the_network_is_left_out(tiny_bytes: bytes, tiny_network: Path) -> None:
    images = pictures(3)
    network = cut_network(tiny_bytes, ("embedding",), images[:1], source="a.onnx")
    (found,) = Session(network, source="cut").run(images, ["embedding"])
    (wanted,) = Session(tiny_network, source="tiny").run(images, ["embedding"])
    np.testing.assert_array_equal(found, wanted)
    model = onnx.load_model_from_string(network)
    assert [one.name for one in model.graph.output] == ["embedding"]
    assert [side.dim_param or side.dim_value for side in model.graph.output[0].type.tensor_type.shape.dim] == ["N", 3]
    assert not any("classifier" in one.name for one in model.graph.initializer)
    assert len({node.name for node in model.graph.node}) == len(model.graph.node)
    onnx.checker.check_model(model)


def test_what_depends_on_no_picture_is_worked_out() -> None:
    images = pictures(2)
    unfolded = conv_network(folded=False)
    network = cut_network(unfolded, ("embedding", "novelty"), images[:1], source="a.onnx")
    operators = {node.op_type for node in onnx.load_model_from_string(network).graph.node}
    assert "Concat" not in operators
    (found,), (wanted,) = (Session(one, source="one").run(images, ["embedding"]) for one in (network, unfolded))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.skipif(os.name == "nt", reason="no limit to the size of files")
def test_a_disk_without_room_is_no_fault_of_the_network(tiny_bytes: bytes) -> None:
    import resource
    import signal

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1][1]))
        with pytest.raises(
            StorageError, match="^cannot use .*: the file would be larger than this system or its limits allow"
        ):
            cut_network(tiny_bytes, ("embedding",), pictures(1), source="a.onnx")
        with pytest.raises(
            StorageError, match="^cannot use .*: the file would be larger than this system or its limits allow"
        ):
            folded(onnx.load_model_from_string(tiny_bytes))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[1])
        signal.signal(signal.SIGXFSZ, before[0])


def test_a_file_without_such_a_network_is_refused(tiny_bytes: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"mean.onnx has no tensor 'found' at which its network ends.*folds/"):
        cut_network(tiny_bytes, ("found",), pictures(1), source="mean.onnx")
