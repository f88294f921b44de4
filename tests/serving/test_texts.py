"""A model of texts behind the protocols. In: a made model. Out: the answers of `predict`, by each of them."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx2
import numpy as np
import pytest

import tellapart
from tellapart.data.texts_table import read_text_column
from tellapart.explanation.word_votes import MOST_LEFT_OUT, votes_by_leaving_out
from tellapart.serving.corrections import Corrections
from tellapart.training.ngram_counts import learn_grams
from tellapart.workflows.serving.heatmaps import make_explainer
from tests.export.test_ngrams import RULES, assembled, manifest

from .conftest import Running, Start

TEXTS = ["a fine film", "so dull", "fine weather", "dull rain"]


def write_texts_model(path: Path) -> Path:
    """A model of texts with classes x, y and z."""
    inputs, frequency = learn_grams([*TEXTS, *TEXTS], RULES)
    chance = np.random.default_rng(0)
    weight = chance.normal(size=(3, len(inputs.known))).astype(np.float32)
    made = {"inputs": inputs, "frequency": frequency, "weight": weight, "bias": np.zeros(3, np.float32)}
    path.write_bytes(assembled(made, manifest()))
    return path


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts_model(tmp_path_factory.mktemp("served") / "model.onnx")


@pytest.fixture
def server(start: Start, model_file: Path) -> Running:
    return start(f"mood={model_file}")


def test_every_protocol_says_what_the_file_says(server: Running, model_file: Path) -> None:
    wanted = tellapart.load(model_file).predict(TEXTS)
    rows = server.post("/v1/models/mood:predict", {"instances": TEXTS}).json["predictions"]
    np.testing.assert_allclose(rows, wanted.probabilities, atol=1e-5)
    encoded = [{"b64": base64.b64encode(text.encode()).decode()} for text in TEXTS]
    again = server.post("/v1/models/mood:predict", {"inputs": {"text": encoded}}).json["outputs"]
    np.testing.assert_allclose(again, wanted.probabilities, atol=1e-5)
    one = server.post("/v1/models/mood:predict", {"inputs": TEXTS[0]}).json["outputs"]
    np.testing.assert_allclose(one, wanted.probabilities[:1], atol=1e-5)
    told = server.post("/v1/models/mood:classify", {"examples": [{"text": TEXTS[1]}]}).json["results"]
    assert dict(map(tuple, told[0])) == pytest.approx(
        dict(zip("xyz", wanted.probabilities[1].tolist(), strict=True)), abs=1e-5
    )
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(TEXTS)], "data": TEXTS}
    found = server.post("/v2/models/mood/infer", {"inputs": [tensor]}).json["outputs"]
    figures = next(one["data"] for one in found if one["name"] == "probabilities")
    np.testing.assert_allclose(np.reshape(figures, (len(TEXTS), 3)), wanted.probabilities, atol=1e-5)
    plain = server.post("/predict", {"text": TEXTS}, Content_Type="application/json").json["predictions"]
    assert [one["label"] for one in plain] == list(wanted.labels)
    raw = server.post("/predict", TEXTS[2].encode(), Content_Type="text/plain").json
    assert raw["predictions"][0]["label"] == wanted.labels[2]


def test_the_input_is_called_text(server: Running) -> None:
    assert server.get("/v2/models/mood").json["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    signatures = server.get("/v1/models/mood/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "decisions"}
    assert set(signatures["serving_default"]["inputs"]) == {"text"}
    (told,) = server.get("/models").json["models"]
    assert (told["task"], told["explainable"]) == ("text", True)


def test_what_is_no_text_is_refused(server: Running) -> None:
    refused = server.post("/predict", b"\xff\xfe", Content_Type="text/plain")
    assert refused.status == 400
    assert "not a text in UTF-8: byte 0xff" in refused.body.decode()
    empty = server.post("/v1/models/mood:predict", {"instances": ["\u200b"]})
    assert "empty: nothing is left of it" in empty.body.decode()
    pixels = {"signature_name": "prepared", "instances": [[[[0, 0, 0]]]]}
    assert "pixels, and the model takes texts" in server.post("/v1/models/mood:predict", pixels).body.decode()
    wrong = server.post("/predict", {"text": [1]}, Content_Type="application/json")
    assert "it must be a string, or a list of them." in wrong.body.decode()
    half = server.post("/v1/models/mood:predict", b'{"instances": ["half \\ud83d pair"]}')
    assert half.status == 200


def test_words_are_explained(start: Start, model_file: Path) -> None:
    server = start(f"mood={model_file}", explain=make_explainer())
    found = server.post("/predict?explain=true&top=3", {"text": ["So dull", ""]}, Content_Type="application/json").json
    first, second = found["predictions"]
    assert "reason" not in second
    told = first["reason"]
    assert (told["label"], told["left_out"]) == (first["label"], 0)
    assert "".join(one["word"] for one in told["words"]) == "so dull"
    shares = {one["label"]: one["probability"] for one in first["classes"]}
    odds = (sum(one["weight"] for one in told["words"]) + told["begins"]) / told["temperature"]
    assert np.exp(odds) == pytest.approx(shares[told["label"]] / shares[told["over"]], rel=1e-3)


def test_without_the_packages_that_read_files_words_are_left_out_in_turn() -> None:
    def chances(texts: Sequence[str]) -> np.ndarray:
        good = np.array([0.5 + 0.2 * ("fine" in text) - 0.3 * ("dull" in text) for text in texts], dtype=np.float32)
        return np.stack([good, 1 - good], axis=1)

    found = votes_by_leaving_out("a fine film", chances, chosen=0, other=1, unspaced=False)
    assert [word for word, _ in found.words] == ["a", " fine", " film"]
    assert [weight for _, weight in found.words] == pytest.approx([0, np.log(0.7 / 0.3), 0], abs=1e-6)
    assert found.begins is None
    many = votes_by_leaving_out(" ".join("abc" * 300), chances, chosen=0, other=1, unspaced=True)
    assert len(many.words) <= MOST_LEFT_OUT


def test_what_people_correct_is_kept_as_a_text(start: Start, model_file: Path, tmp_path: Path) -> None:
    kept = Corrections(tmp_path / "kept", most_bytes=10**6)
    server = start(f"mood={model_file}", corrections=kept)
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.http_port}") as client:
        good = client.post("corrections", files={"file": ("text", b"so dull")}, data={"label": "y"})
        bad = client.post("corrections", files={"file": ("text", b"\xff")}, data={"label": "y"})
    assert good.status_code == 200, good.text
    assert (tmp_path / "kept" / good.json()["path"]).read_text(encoding="utf-8") == "so dull"
    assert good.json()["path"].endswith(".txt")
    assert bad.status_code == 400
    assert "the text cannot be used: not a text in UTF-8" in bad.json()["error"]


@pytest.mark.parametrize(
    "odd", ["\ud83d fine", "fine \udc00film", "\ufefffine film", "a\0fine film", "\u202efine\u200b film"]
)
def test_odd_characters_are_answered_as_in_the_process(server: Running, model_file: Path, odd: str) -> None:
    wanted = tellapart.load(model_file).predict([odd]).probabilities
    rows = server.post("/v1/models/mood:predict", {"instances": [odd]}).json["predictions"]
    np.testing.assert_allclose(rows, wanted, atol=1e-5)
    plain = server.post("/predict", {"text": odd}, Content_Type="application/json").json["predictions"][0]
    assert plain["probability"] == pytest.approx(wanted.max(), abs=1e-4)
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [odd]}
    outputs = server.post("/v2/models/mood/infer", {"inputs": [tensor]}).json["outputs"]
    found = next(one["data"] for one in outputs if one["name"] == "probabilities")
    np.testing.assert_allclose([found], wanted, atol=1e-5)


@pytest.mark.parametrize(("odd", "shown"), [(1.5, "1.5"), (None, "None"), (["a", "b"], "['a', 'b']"), ({"a": 1}, "")])
def test_an_instance_that_is_no_text_is_refused(server: Running, odd: object, shown: str) -> None:
    refused = server.post("/v1/models/mood:predict", {"instances": [odd]})
    assert refused.status == 400
    said = refused.json["error"]
    assert f'a text is {shown!r}; it must be a string, or {{"b64"' in said or (not shown and "the inputs are a" in said)


def test_more_texts_than_pictures_may_wait(server: Running) -> None:
    rows = server.post("/v1/models/mood:predict", {"instances": TEXTS * 100}).json["predictions"]
    assert len(rows) == 400
    most = 64 * 64  # so that several people may send 1,000 each at a time
    headers, all_of_them = {"Content_Type": "application/json"}, TEXTS * (most // 4)
    assert len(server.post("/predict", {"text": all_of_them}, **headers).json["predictions"]) == most
    refused = server.post("/predict", {"text": [*all_of_them, "one more"]}, **headers)
    assert refused.status in (400, 413)
    assert f"at most {most:,} are taken, as many as may wait" in refused.json["error"]


TABLE = 'id,review,stars\n1,"so dull, and\nlong",1\n\n2,fine weather,5\n3,,4\n'
PART = '--a\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n'


def test_a_table_is_answered_row_by_row_as_predict_reads_it(start: Start, model_file: Path, tmp_path: Path) -> None:
    server, kind = start(f"mood={model_file}"), "multipart/form-data; boundary=a"
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    read = read_text_column(tmp_path / "t.csv", None, Counter())
    assert read == [(2, "so dull, and\nlong"), (4, "fine weather"), (5, "")]
    wanted = tellapart.load(model_file).predict([text for _, text in read[:2]]).labels
    rows = server.post("/predict", TABLE.encode(), Content_Type="text/csv; charset=utf-8").json["predictions"]
    assert [(row["file"], row.get("label")) for row in rows[:2]] == list(
        zip(["table.csv:2", "table.csv:4"], wanted, strict=True)
    )
    assert (rows[2]["file"], rows[2]["error"][:6]) == ("table.csv:5", "empty:")
    form = (
        PART % ("a.txt", "so dull") + PART % ("t.TSV", "text\tid\nso dull\t1\n") + PART % ("b", TEXTS[0]) + "--a--\r\n"
    )
    rows = server.post("/predict", form.encode(), Content_Type=kind).json["predictions"]
    assert [row["file"] for row in rows] == ["a.txt", "t.TSV:2", "b"]
    assert rows[0]["probabilities" if "probabilities" in rows[0] else "classes"] == rows[1]["classes"]
    full = "".join(PART % (f"{number}", "so dull") for number in range(70)) + PART % ("t.csv", TABLE) + "--a--\r\n"
    refused = start(f"mood={model_file}", queue=1).post("/predict", full.encode(), Content_Type=kind)
    assert refused.status == 413
    assert refused.json["error"].startswith("'t.csv' brings the texts of one request to more than ")
    one = server.post("/predict", TABLE.encode(), Content_Type="text/plain").json["predictions"]
    assert len(one) == 1  # what is no table by its kind or name stays a text
    other = server.post("/predict?text_column=stars", TABLE.encode(), Content_Type="text/csv").json["predictions"]
    assert len(other) == 3
    assert not any("error" in row and row["error"] for row in other)


@pytest.mark.parametrize(
    ("query", "body", "said"),
    [
        (
            "",
            b"a,b\n1,2\n",
            "'table.csv' has no column of texts that is called so; its columns are: 'a', 'b'. Say which it is with ?",
        ),
        ("?text_column=revue", TABLE.encode(), "which ?text_column= names. Did you mean 'review'? Its columns are:"),
        ("", b"text\n", "the table 'table.csv' has a header but no rows. Add one row for each text."),
        ("", b"text,id\nfine,1,2\n", "row 2 of 'table.csv' has 3 cells, but the header has 2."),
        ("", b'text,id\n"fine,1\n', "is not valid CSV: unexpected end of data."),
        ("", b"text,id\nfine \xff,1\n", "the file 'table.csv', which holds texts, is not in UTF-8 (line 2)."),
        ("", b"text\n" + b"fine\n" * (64 * 64 + 1), "'table.csv' brings the texts of one request to more than 4,096,"),
        (
            "",
            b"text\n" + b"\n" * 1_000_000,
            "'table.csv' has 1,000,001 lines and separators; at most 1,000,000 are read.",
        ),
    ],
)
def test_tables_that_cannot_be_answered(server: Running, query: str, body: bytes, said: str) -> None:
    refused = server.post(f"/predict{query}", body, Content_Type="text/csv")
    assert refused.status == (413 if "to more than" in said or "at most" in said else 400)
    assert said in refused.json["error"]


def test_no_cell_of_a_table_is_looked_for_as_a_file(server: Running, tmp_path: Path) -> None:
    """An image column would otherwise tell a client which files there are."""
    table = f"image,text\n{tmp_path},fine\n{__file__},dull\n"
    rows = server.post("/predict", table.encode(), Content_Type="text/csv").json["predictions"]
    assert [row["file"] for row in rows] == ["table.csv:2", "table.csv:3"]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/models/mood:predict", {"instances": []}, "`instances` must be a list of at least one text."),
        ("/v1/models/mood:predict", {"inputs": []}, "`inputs` must be a list, or an object that holds one as 'text'."),
        ("/v1/models/mood:predict", {"instances": ["fine", ""]}, "text 2 of 2 cannot be used: empty"),
        ("/v1/models/mood:classify", {"examples": []}, 'a classify request holds `examples`: [{"text": "..."}].'),
        ("/v2/models/mood/infer", {"inputs": []}, "there must be one, named 'image', or 'text' of texts."),
        (
            "/v2/models/mood/infer",
            {"inputs": [{"name": "text", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [0, 0, 0]}]},
            "input 'text' is UINT8 [1, 1, 1, 3]; texts come as BYTES [N].",
        ),
        (
            "/v2/models/mood/infer",
            {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [3]}]},
            "input 'text' holds '3'; a text in JSON is a string.",
        ),
        ("/predict", {"text": ""}, "no text can be used. The first: empty"),
        ("/predict?explain=true", {"text": ["fine"] * 17}, "17 texts to explain; at most 16 in one request."),
        ("/predict", {"x": ""}, '{"text": "..."}, a text, or a list of them.'),
        ("/predict", b"", "the body is empty. Send multipart/form-data, JSON, or the bytes of one file."),
    ],
)
def test_refusals_speak_of_texts(start: Start, model_file: Path, path: str, body: object, said: str) -> None:
    server = start(f"mood={model_file}", explain=make_explainer())
    refused = server.post(path, body, **({"Content_Type": "application/json"} if body else {}))
    assert refused.status == 400
    assert said in refused.json["error"]


def test_texts_that_cannot_be_read_stand_between_those_that_can(server: Running, model_file: Path) -> None:
    wanted = tellapart.load(model_file).predict([TEXTS[0], TEXTS[1]])
    asked = {"text": [TEXTS[0], "\u200b", TEXTS[1]]}
    rows = server.post("/predict?top=2", asked, Content_Type="application/json").json["predictions"]
    assert [row.get("label") for row in rows] == [wanted.labels[0], None, wanted.labels[1]]
    assert rows[1]["error"].startswith("empty: nothing is left of it")
    assert list(rows[0]) == ["file", "label", "probability", "classes", "set", "unknown", "novelty", "warning"]
    counts = server.get("/v2/models/mood/stats").json["model_stats"][0]
    assert counts["inference_stats"]["queue"]["count"] >= 3
    assert (
        'tellapart_pictures_total{model="mood",outcome="unreadable",version="1"}'
        in server.get("/metrics").body.decode()
    )
