"""What a format of texts is given says what the model says. In: made models. Out: the same from torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tellapart.bundle import Model, open_bytes, open_model
from tellapart.export.table import FORMATS
from tellapart.export.torch_graph import OnnxNetwork
from tellapart.texts.inputs import TextInputs
from tellapart.workflows.exporting.feeding import TextTaking
from tests.export.test_sequences import sealed
from tests.workflows.exporting.made_texts import TEXTS, write_model


def feed(model: Model) -> TextTaking:
    assert isinstance(model.inputs, TextInputs)
    return TextTaking(manifest=model.manifest, inputs=model.inputs)


def same(model: Model, data: bytes, embedding: int) -> None:
    """The graph for torch in torch, of one text and of several, whose rows are filled up."""
    own = feed(model)
    graph = own.graph(data, FORMATS["torchscript"])
    names, shapes = own.shapes(graph)
    wanted_shapes = {"probabilities": (1, 3), "novelty": (1,)} | ({"embedding": (1, embedding)} if embedding else {})
    assert dict(zip(names, shapes, strict=True)) == wanted_shapes
    network = OnnxNetwork(graph).eval()
    for texts in (TEXTS, TEXTS[:1], ["a", "zzz"]):
        tokens = own.ready(np.array(texts))
        wanted = model.compute(tokens, names)
        with torch.inference_mode():
            found = dict(zip(names, network(torch.from_numpy(tokens)), strict=True))
        for name in names:
            np.testing.assert_allclose(found[name].numpy(), wanted[name], atol=1e-5)


@pytest.mark.parametrize(("kinds", "embedding"), [(("grams",), 0), (("across", "pieces", "words"), 3 + 4)])
def test_parts_of_every_kind_in_torch(kinds: tuple[str, ...], embedding: int, tmp_path: Path) -> None:
    path = write_model(tmp_path, kinds)
    same(open_model(path), path.read_bytes(), embedding)


def test_a_deep_network_of_words_in_torch() -> None:
    _, data = sealed("dpcnn")
    same(open_bytes(data, source="made"), data, 4)


def test_what_tellapart_opens_keeps_its_vocabulary(tmp_path: Path) -> None:
    path = write_model(tmp_path, ("across", "pieces"))
    own = feed(open_model(path))
    assert own.constant == ["vocabulary", "pieces"]
    found = open_bytes(own.graph(path.read_bytes(), FORMATS["onnx"]), source="made")
    assert isinstance(found.inputs, TextInputs)
    assert [part.height for part in found.inputs.parts] == [1, 1]
    tokens = own.ready(np.array(TEXTS))
    for name in ("probabilities", "novelty"):
        np.testing.assert_allclose(
            found.compute(tokens, [name])[name], open_model(path).compute(tokens, [name])[name], atol=1e-6
        )
