"""A client gets from the server what `tellapart.load` says here. In: real servers. Out: equal predictions."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.answers.predictions import Predictions
from tellapart.client.answers import ServerError
from tellapart.errors import DataError, SettingsError
from tellapart.serving.bodies import Limits

from ..serving.conftest import Running, Start, expected, pixels, png  # noqa: TID252

KEY = "a-key-of-enough-characters"


@pytest.fixture
def client(shared: Running) -> Iterator[tellapart.Client]:
    with tellapart.Client(url(shared), model="single") as one:
        yield one


@pytest.fixture
def files(tmp_path: Path, pictures: list[bytes]) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(len(pictures))]
    for path, data in zip(paths, pictures, strict=True):
        path.write_bytes(data)
    return paths


def url(server: Running) -> str:
    return f"http://127.0.0.1:{server.http_port}"


def same(found: Predictions, wanted: Any) -> None:
    assert (found.paths, found.labels, found.errors) == (wanted.paths, wanted.labels, wanted.errors)
    assert (found.classes, found.sets) == (wanted.classes, wanted.sets)
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=1e-6)
    for one, other in ((found.unknown, wanted.unknown), (found.novelty, wanted.novelty)):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("version", ["deciding", "tiny"])
def test_it_says_what_the_model_says_here(
    start: Start, models: Path, files: list[Path], tmp_path: Path, version: str
) -> None:
    model = models / "colours" / ("2" if version == "deciding" else "1") / "model.onnx"
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    asked = [*files, bad, tmp_path / "none.png"]
    with tellapart.Client(url(start(str(model)))) as one:
        found = one.predict(asked)
    same(found, tellapart.load(model).predict(asked))
    assert (found.sets is None) == (version == "tiny")
    assert found.errors[-1] == "no such file"
    assert found.probabilities.dtype == np.float32
    assert found.heatmaps is None


def test_folders_and_globs_are_as_for_a_model_here(
    client: tellapart.Client, shared_models: Path, colours: Path
) -> None:
    (colours / "notes.txt").write_text("text")
    (colours / "blue" / "without_extension").write_bytes((colours / "blue" / "0.png").read_bytes())
    (colours / "UPPER.JPG").write_bytes(b"text")
    here = tellapart.load(shared_models / "single" / "model.onnx")
    for asked in (colours, [colours / "blue", f"{colours}/*/1.png"]):
        found = client.predict(asked)
        same(found, here.predict(asked))
        assert len(found.paths) > 3
    with pytest.raises(DataError, match="no file matches"):
        client.predict(str(colours / "*.nothing"))


def test_every_kind_of_picture(client: tellapart.Client, shared_models: Path, files: list[Path]) -> None:
    data = [path.read_bytes() for path in files]
    wanted = expected(shared_models / "single" / "model.onnx", data)
    given: list[Any] = [files[0], str(files[0]), data[0], bytearray(data[0]), pixels(data[0]), Image.open(files[0])]
    found = client.predict(given)
    assert found.paths == (str(files[0]), str(files[0]), "", "", "", "")
    np.testing.assert_allclose(found.probabilities, np.repeat(wanted[:1], 6, axis=0), atol=1e-6)
    for one in (files[1], data[1], pixels(data[1]), pixels(data[1])[None], Image.open(files[1])):
        np.testing.assert_allclose(client.predict(one).probabilities, wanted[1:2], atol=1e-6)
    assert client.predict(iter(data)).probabilities.shape == (3, 3)
    assert client.predict([]).probabilities.shape == (0, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16", "La", "LAB"])
def test_open_pictures_of_every_mode(client: tellapart.Client, shared_models: Path, mode: str) -> None:
    picture = Image.linear_gradient("L").resize((24, 20)).convert("RGB")
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    elif mode == "I;16":
        converted = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        converted = picture.convert("LA").convert(mode) if mode == "La" else picture.convert(mode)
    assert converted is not None
    grey = expected(shared_models / "single" / "model.onnx", [_png(picture)])
    np.testing.assert_allclose(client.predict(converted).probabilities, grey, atol=0.03)


def test_an_open_picture_stands_upright_as_its_file_does(
    client: tellapart.Client, shared_models: Path, tmp_path: Path
) -> None:
    array = np.zeros((30, 10, 3), dtype=np.uint8)
    array[:15] = 220
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(array).save(tmp_path / "turned.png", exif=exif)
    found = client.predict([tmp_path / "turned.png", Image.open(tmp_path / "turned.png")])
    np.testing.assert_allclose(found.probabilities[0], found.probabilities[1], atol=1e-6)


def test_what_cannot_be_a_picture_is_refused_here(client: tellapart.Client, pictures: list[bytes]) -> None:
    with pytest.raises(DataError, match=r"picture 1 is an array of float64 \[4, 4, 3\]; pixels are uint8"):
        client.predict([pictures[0], np.zeros((4, 4, 3))])
    with pytest.raises(DataError, match=r"picture 0 is an array of uint8 \[4\]; "):
        client.predict([np.zeros(4, dtype=np.uint8)])
    with pytest.raises(DataError, match="picture 0 is a dict; a picture is a path"):
        client.predict([{}])  # type: ignore[list-item]
    cut = Image.open(io.BytesIO(png((1, 2, 3), (400, 400))[:300]))
    found = client.predict([cut, b"", pictures[0]])
    assert "truncated" in found.errors[0]
    assert found.errors[1:] == ("empty file", "")


def test_many_pictures_go_in_several_requests(start: Start, models: Path) -> None:
    server = start(str(models / "single"), limits=Limits(requests=3))  # more would be refused, and sent again
    data = [png((number, 100, 200 - number)) for number in range(61)]
    with tellapart.Client(url(server)) as one:
        found = one.predict(data)
    np.testing.assert_allclose(
        found.probabilities, expected(models / "single" / "model.onnx", data), atol=1e-6
    )  # in order, too
    counted = server.get("/metrics").body.decode()
    assert 'tellapart_requests_total{operation="predict",protocol="plain",status="200"} 8.0' in counted


def test_a_request_that_is_too_large_is_sent_in_parts(start: Start, models: Path, pictures: list[bytes]) -> None:
    random = np.random.default_rng(0)
    large = [_png(Image.fromarray(random.integers(0, 255, (60, 60, 3), dtype=np.uint8))) for _ in range(5)]
    huge = _png(Image.fromarray(random.integers(0, 255, (200, 200, 3), dtype=np.uint8)))
    server = start(str(models / "single"), limits=Limits(body_bytes=30_000))
    with tellapart.Client(url(server)) as one:
        found = one.predict([*large, huge, pictures[0]])
    assert [bool(error) for error in found.errors] == [False] * 5 + [True, False]
    assert "at most 30,000 are taken. Send less in one request" in found.errors[5]


def test_a_picture_beyond_the_limit_is_told_so_and_sent_once(start: Start, models: Path) -> None:
    # The server used to answer and close while the client still sent, which lost the answer.
    server = start(str(models / "single"), limits=Limits(body_bytes=1_000_000))
    with tellapart.Client(url(server), retries=0) as one:
        for _ in range(5):
            assert "at most 1,000,000 are taken" in one.predict(b"x" * 7_000_000).errors[0]


def test_heatmaps(start: Start, models: Path, pictures: list[bytes], explain: Any) -> None:
    server = start(str(models / "single"), explain=explain)
    with tellapart.Client(url(server)) as one:
        found = one.predict([pictures[0], b"no picture", pictures[1]], explain=True)
    best = found.probabilities.argmax(1)
    assert found.heatmaps == (
        f"single {len(pictures[0])} {best[0]}".encode(),
        None,
        f"single {len(pictures[1])} {best[2]}".encode(),
    )
    with (
        tellapart.Client(url(start(str(models / "single")))) as one,
        pytest.raises(ServerError, match="status 409: this server draws no heatmaps"),
    ):
        one.predict(pictures, explain=True)


def test_models_and_readiness(shared: Running, client: tellapart.Client) -> None:
    assert client.ready()
    assert [(one["name"], one["version"]) for one in client.models()] == [("colours", 2), ("single", 1)]
    with (
        tellapart.Client(url(shared)) as one,
        pytest.raises(SettingsError, match="there are 2 models at .* Name one of these: colours, single"),
    ):
        one.predict([])
    with (
        tellapart.Client(url(shared), model="nobody") as one,
        pytest.raises(SettingsError, match="there is no model 'nobody' at .* Name one of these: colours, single"),
    ):
        one.predict([])


def test_keys(start: Start, pictures: list[bytes]) -> None:
    server = start(keys=[KEY])
    with tellapart.Client(url(server), model="single", api_key=KEY) as one:
        assert one.predict(pictures).errors == ("", "", "")
    with (
        tellapart.Client(url(server), model="single") as one,
        pytest.raises(ServerError, match="refuses: this server asks for a key") as refused,
    ):
        one.predict(pictures)
    assert refused.value.status == 401
    with tellapart.Client(url(server), model="single", api_key="another") as one:
        assert one.ready()
        with pytest.raises(ServerError, match="the key is not one that .* Give it in api_key, or --api-key-file"):
            one.predict(pictures)


def test_a_new_version_is_taken_up(start: Start, models: Path, pictures: list[bytes], tiny_bytes: bytes) -> None:
    server = start(str(models / "colours"))
    with tellapart.Client(url(server)) as one:
        assert one.predict(pictures).sets is not None
        (models / "colours" / "3").mkdir()
        (models / "colours" / "3" / "model.onnx").write_bytes(tiny_bytes)
        asyncio.run(asyncio.to_thread(server.repository.refresh))
        assert one.predict(pictures).sets is None


def test_the_asynchronous_client_says_the_same(
    shared: Running, client: tellapart.Client, files: list[Path], tmp_path: Path
) -> None:
    data = [png((number, 100, 200 - number)) for number in range(61)]
    asked: list[Any] = [*data, *files, tmp_path / "none.png", Image.open(files[0])]

    async def ask() -> Predictions:
        async with tellapart.AsyncClient(url(shared), model="single") as one:
            assert await one.ready()
            assert [model["name"] for model in await one.models()] == ["colours", "single"]
            both = await asyncio.gather(one.predict(asked), one.predict(asked[:3]))
            assert both[1].labels == both[0].labels[:3]
            return both[0]

    same(asyncio.run(ask()), client.predict(asked))


def test_the_asynchronous_client_refuses_and_splits(start: Start, models: Path) -> None:
    server = start(str(models / "single"), limits=Limits(body_bytes=1000))

    async def ask() -> None:
        async with tellapart.AsyncClient(url(server)) as one:
            found = await one.predict([png((1, 2, 3)), b"x" * 2000, *[png((3, 2, 1))] * 20])
            assert [bool(error) for error in found.errors] == [False, True] + [False] * 20
            with pytest.raises(DataError, match="picture 9 is an array of float64"):
                await one.predict([png((1, 2, 3))] * 9 + [np.zeros((4, 4, 3))])
            with pytest.raises(ServerError, match="draws no heatmaps"):
                await one.predict([png((1, 2, 3))] * 9, explain=True)
        async with tellapart.AsyncClient("http://127.0.0.1:9", retries=0) as one:
            assert not await one.ready()
            with pytest.raises(ServerError, match="no server answers at http://127.0.0.1:9"):
                await one.predict([])

    asyncio.run(ask())


def test_one_client_serves_several_threads(client: tellapart.Client, pictures: list[bytes]) -> None:
    wanted = client.predict(pictures).probabilities
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(client.predict(pictures).probabilities)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(np.array_equal(one, wanted) for one in found)


def test_it_needs_neither_the_engine_nor_torch() -> None:
    code = (
        "import sys, tellapart; tellapart.Client('http://127.0.0.1:1').close(); from tellapart import AsyncClient\n"
        "print(sorted({'onnxruntime', 'torch', 'pydantic', 'starlette', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_without_the_extra_it_is_named() -> None:
    code = (
        "import sys; sys.modules['tenacity'] = None; import tellapart\n"
        "from tellapart.errors import MissingExtra\n"
        "try: tellapart.Client('http://127.0.0.1:1')\n"
        "except MissingExtra as error: print(error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs the package 'tenacity', which is not installed" in answer.stdout
    assert 'pip install "tellapart[client]"' in answer.stdout
