"""A network of words behind the protocols. In: a made file. Out: what the file says, its words weighed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tellapart
from tellapart.workflows.serving.heatmaps import make_explainer
from tests.export.test_sequences import TEXTS, sealed

from .conftest import Start


@pytest.mark.parametrize("name", ["text_cnn", "dpcnn"])
def test_a_network_of_words_is_served_as_it_answers(name: str, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(sealed(name)[1])
    server = start(f"mood={path}", explain=make_explainer())
    texts = [*TEXTS, "a fine film " * 5]
    wanted = tellapart.load(path).predict(texts)
    rows = server.post("/v1/models/mood:predict", {"instances": texts}).json["predictions"]
    np.testing.assert_allclose(rows, wanted.probabilities, atol=1e-5)
    asked = {"text": [texts[0], texts[-1]]}
    found, long = server.post("/predict?explain=true", asked, Content_Type="application/json").json["predictions"]
    assert found["label"] == wanted.labels[0]
    words = found["reason"]["words"]
    assert "".join(one["word"] for one in words) == texts[0]
    assert found["reason"]["begins"] is None, "left out in turn: a network's words do not add up"
    assert long["warning"] == "of its 15 words the first 8 alone are looked at"
