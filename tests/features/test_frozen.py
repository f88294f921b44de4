"""The frozen stages run once a view, and the same again. In: squares, a tiny ONNX network. Out: activations by row."""

from __future__ import annotations

import hashlib
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import PictureFile
from tellapart.errors import ModelFileError
from tellapart.features.frozen import CachedViews, cache_views, view_order
from tellapart.features.shrink import ShrunkPictures, content_number, shrink, training_square
from tellapart.preprocessing import Preprocessing

SIDE, VIEWS, COUNT = 8, 3, 7
SHAPE = (3, 4, 4)
LIMIT = 10**8
SQUARE = training_square(Preprocessing(size=SIDE, crop=0.8, interpolation="bilinear"))


def crop(picture: NDArray[np.uint8], seed: tuple[int, ...]) -> NDArray[np.uint8]:
    """A fake augmentation: where an 8 x 8 window lies in the 10 x 10 square."""
    left, top = np.random.default_rng(seed).integers(0, 3, 2)
    return picture[top : top + SIDE, left : left + SIDE]


def stages(images: NDArray[np.uint8]) -> NDArray[np.float16]:
    """What the ONNX network below computes, in numpy: the mean of each 2 x 2 block, channels first."""
    blocks = images.astype(np.float32).reshape(-1, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    return blocks.transpose(0, 3, 1, 2).astype(np.float16)


class Counting:
    """The same as a callable that counts its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float16]:
        with self._lock:
            self.sizes.append(len(images))
        return stages(images)


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from onnx import TensorProto, helper, save

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["first"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Cast", ["pooled"], ["activations"], to=TensorProto.FLOAT16),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])
    output = helper.make_tensor_value_info("activations", TensorProto.FLOAT16, ["N", *SHAPE])
    graph = helper.make_graph(nodes, "lower", [image], [output])
    path = tmp_path_factory.mktemp("lower") / "lower.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def make(folder: Path, *, backward: bool = False, preprocessing: Preprocessing = SQUARE) -> ShrunkPictures:
    chance = np.random.default_rng(0)
    pictures = []
    for number in range(COUNT):
        path = folder / f"{number}.png"
        Image.fromarray(chance.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        pictures.append(PictureFile(path=path, file_hash=digest, content_hash=digest))
    pictures.append(pictures[2])  # a copy
    pictures = pictures[::-1] if backward else pictures
    return shrink(pictures, preprocessing=preprocessing, folder=folder / "cache", limit_bytes=LIMIT)


def run(pictures: ShrunkPictures, folder: Path, lower: Any, **changes: Any) -> CachedViews:
    counted: list[int] = []
    settings: dict[str, Any] = {
        "shape": SHAPE,
        "views": VIEWS,
        "augment": crop,
        "seed": 5,
        "limit_bytes": LIMIT,
        "fingerprint": "w",
        "workers": 2,
        **changes,
    }
    views = cache_views(pictures, lower=lower, folder=folder / "cache", advance=counted.append, **settings)
    assert sum(counted) == len(pictures) * settings["views"]
    return views


@pytest.mark.parametrize("limit", [LIMIT, 0])
def test_each_epoch_shows_the_right_view_of_each_picture(tmp_path: Path, lower: Path, limit: int) -> None:
    pictures = make(tmp_path)
    views = run(pictures, tmp_path, lower, limit_bytes=limit)
    assert (views.store is None) == (limit == 0)
    squares = pictures.read(range(len(pictures)))
    rows = np.array([3, 0, 7, 2, 6, 1, 5, 4, 3])
    for epoch in range(7):
        got = views.get(rows, epoch)
        assert got.dtype == np.float16
        for row, activations in zip(rows, got, strict=True):
            number = content_number(pictures.pictures[row].content_hash)
            view = int(views.order[row, epoch % VIEWS])
            expected = stages(crop(squares[row], (5, number, view))[None])[0]
            np.testing.assert_array_equal(activations, expected)


def test_the_order_of_files_changes_nothing(tmp_path: Path, lower: Path) -> None:
    forward = run(make(tmp_path), tmp_path, lower)
    (tmp_path / "other").mkdir()
    backward = run(make(tmp_path / "other", backward=True), tmp_path / "other", lower)
    rows = np.arange(COUNT + 1)
    for epoch in range(VIEWS):
        np.testing.assert_array_equal(forward.get(rows, epoch), backward.get(rows[::-1], epoch))


def test_a_second_time_nothing_is_computed_and_with_other_settings_everything(tmp_path: Path) -> None:
    pictures = make(tmp_path)
    first, again = Counting(), Counting()
    expected = run(pictures, tmp_path, first).get(np.arange(COUNT), 1)
    assert set(first.sizes) == {8}  # always a whole batch
    assert len(first.sizes) == -(-COUNT * VIEWS // 8)
    np.testing.assert_array_equal(run(pictures, tmp_path, again).get(np.arange(COUNT), 1), expected)
    assert again.sizes == []
    (tmp_path / "wider").mkdir()
    wider = make(tmp_path / "wider", preprocessing=training_square(Preprocessing(size=SIDE, crop=0.7)))
    cases: list[tuple[ShrunkPictures, dict[str, Any]]] = [
        (pictures, {"seed": 6}),
        (pictures, {"views": 2}),
        (pictures, {"fingerprint": "other weights"}),
        (pictures, {"augment": lambda picture, seed: picture[:SIDE, :SIDE]}),
        (wider, {}),
    ]
    for chosen, changes in cases:
        run(chosen, tmp_path, engine := Counting(), **changes)
        assert engine.sizes, changes


def test_another_network_in_the_same_file_is_noticed(tmp_path: Path, lower: Path) -> None:
    pictures, copied = make(tmp_path), tmp_path / "lower.onnx"
    copied.write_bytes(lower.read_bytes())
    store = run(pictures, tmp_path, copied).store
    copied.write_bytes(lower.read_bytes() + b"\x52\x00")  # an empty field more
    other = run(pictures, tmp_path, copied).store
    assert store is not None
    assert other is not None
    assert store.path != other.path


def test_validation_passes_as_it_is(tmp_path: Path, lower: Path) -> None:
    pictures = make(tmp_path, preprocessing=Preprocessing(size=SIDE, interpolation="bilinear"))
    views = run(pictures, tmp_path, lower, views=1, augment=None)
    expected = stages(pictures.read(range(len(pictures))))
    for epoch in (0, 1, 5):
        np.testing.assert_array_equal(views.get(np.arange(len(pictures)), epoch), expected)


def test_problems_of_pictures_stay_problems(tmp_path: Path, lower: Path) -> None:
    good = make(tmp_path)
    for path in (good.pictures[2].path, *(tmp_path / "cache" / "rows").iterdir()):
        if path.is_file():
            path.unlink()
    shrunk = shrink(list(good.pictures), preprocessing=SQUARE, folder=tmp_path / "fresh", limit_bytes=LIMIT)
    assert list(shrunk.problems) == [2, 7]
    views = run(shrunk, tmp_path / "fresh", lower)
    assert list(views.problems) == [2, 7]
    assert views.get(np.array([0, 1, 3, 4, 5, 6]), 0).shape == (6, *SHAPE)
    with pytest.raises(ValueError, match="has not been filled"):
        views.get(np.array([2]), 0)


def test_numbers_that_are_not_finite_are_a_problem(tmp_path: Path) -> None:
    pictures = make(tmp_path)
    bright = stages(pictures.read([4])[:, :SIDE, :SIDE])

    def overflowing(images: NDArray[np.uint8]) -> NDArray[np.float16]:
        activations = stages(images)
        activations[(activations == bright).all(axis=(1, 2, 3))] = np.inf
        return activations

    views = run(pictures, tmp_path, overflowing, augment=lambda picture, seed: picture[:SIDE, :SIDE])
    assert views.problems == {4: "the frozen stages give no finite numbers for it"}


def test_a_stopped_filling_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    pictures = make(tmp_path)

    class Stopped(Counting):
        def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float16]:
            if len(self.sizes) == 2:
                raise KeyboardInterrupt
            return super().__call__(images)

    with pytest.raises(KeyboardInterrupt):
        run(pictures, tmp_path, Stopped(), workers=1)
    run(pictures, tmp_path, engine := Counting())
    assert len(engine.sizes) == 1  # 21 views in all, 16 were kept
    whole = run(make(tmp_path), tmp_path, Counting()).get(np.arange(COUNT), 2)
    (tmp_path / "fresh").mkdir()
    np.testing.assert_array_equal(run(make(tmp_path), tmp_path / "fresh", Counting()).get(np.arange(COUNT), 2), whole)


def test_views_come_in_an_order_of_each_pictures_own() -> None:
    numbers = np.array([content_number(str(value)) for value in range(6000)], dtype=np.uint64)
    order = view_order(numbers, views=4, seed=1)
    assert (np.sort(order, axis=1) == np.arange(4)).all()
    np.testing.assert_array_equal(order[17:18], view_order(numbers[17:18], views=4, seed=1))
    assert (order != view_order(numbers, views=4, seed=2)).any(axis=1).mean() > 0.9
    assert (view_order(numbers, views=1, seed=1) == 0).all()
    counts = np.unique(order, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    # Chi-square of 24 equally likely permutations: 23 degrees of freedom, 49.7 at 0.1 % (any table).
    assert ((counts - 250) ** 2 / 250).sum() < 49.7


def test_cached_views_go_to_another_process(tmp_path: Path, lower: Path) -> None:
    for limit in (LIMIT, 0):
        views = run(make(tmp_path), tmp_path, lower, limit_bytes=limit)
        views.get(np.arange(3), 0)  # where nothing is stored, a session is open now
        data = pickle.dumps(views)
        assert len(data) < 8000
        np.testing.assert_array_equal(pickle.loads(data).get(np.arange(COUNT), 1), views.get(np.arange(COUNT), 1))


def test_what_cannot_be_meant_is_refused(tmp_path: Path, lower: Path) -> None:
    pictures = make(tmp_path)
    for changes in ({"views": 0}, {"views": 2, "augment": None}):
        with pytest.raises(ValueError, match="expected 1 or more, and 1 without augmentation"):
            run(pictures, tmp_path, lower, **changes)
    with pytest.raises(ValueError, match="needs a fingerprint"):
        run(pictures, tmp_path, Counting(), fingerprint="")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(ModelFileError, match=r"the frozen stages in .*bad\.onnx cannot be loaded"):
        run(pictures, tmp_path, tmp_path / "bad.onnx")
