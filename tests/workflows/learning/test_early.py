"""What is begun while the audit is at work is what the training wants, and counts as its own. In: photographs. Out: counts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from PIL import Image

from tellapart.data.dataset import gather
from tellapart.data.examples import Inspection, Listing
from tellapart.features.backbone import prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.embedding import Embedded, embed_dataset
from tellapart.features.engine import CpuEngine
from tellapart.preprocessing import fitted
from tellapart.reporter import Silent
from tellapart.settings.tree import TrainSettings
from tellapart.workflows.learning.early import begin_early
from tellapart.workflows.learning.examine import examine

DEFAULT = "tf_efficientnet_lite0"


def at_its_end() -> bool:
    return all(thread.name != "ahead" for thread in threading.enumerate())


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two classes of six parts each of two photographs."""
    for path in (Path(sklearn.datasets.__file__).parent / "images").glob("*.jpg"):
        (tmp_path / "photographs" / path.stem).mkdir(parents=True)
        photograph = Image.open(path)
        for number in range(6):
            left, top = 130 * (number % 3), 180 * (number // 3)
            part = photograph.crop((left, top, left + 300, top + 240))
            part.save(tmp_path / "photographs" / path.stem / f"{number}.png")
    return tmp_path / "photographs"


def test_all_that_was_begun_is_used_and_told_as_computed(
    photographs: Path, tmp_path: Path, until: Callable[[Callable[[], object]], None]
) -> None:
    settings = TrainSettings(data=str(photographs))
    pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None)
    ready = pending.wait()
    with Cache(tmp_path / "cache", limit_bytes=10**9) as cache:
        early = begin_early(settings, pending, cache, device="cpu", engine="onnxruntime")
        examined = examine(photographs, cache=cache, reporter=Silent(), shown=early.squares.keep)
        for path in photographs.rglob("*.png"):
            path.unlink()  # the pixels are there
        with early.ahead.during(examined.listing, examined.inspections):
            until(lambda: early.ahead.computed == 12)
        dataset, found = embed_dataset(gather(examined, seed=0), ready, "cpu", cache, Silent(), squares=early.squares)
        told = early.settle(found)
    assert (found.computed, found.reused) == (0, len(dataset.pictures))
    assert (told.computed, told.reused) == (len(dataset.pictures), 0)
    assert np.isfinite(found.vectors).all()


@pytest.mark.parametrize(("device", "engine"), [("cuda", "onnxruntime"), ("cpu", "openvino")])
def test_nothing_is_computed_ahead_but_by_what_ships(
    photographs: Path,
    tmp_path: Path,
    device: str,
    engine: CpuEngine,
    until: Callable[[Callable[[], object]], None],
) -> None:
    pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None)
    pending.wait()
    with Cache(tmp_path / "cache", limit_bytes=10**9) as cache:
        early = begin_early(TrainSettings(data=str(photographs)), pending, cache, device=device, engine=engine)
        examined = examine(photographs, cache=cache, reporter=Silent(), look="always", meanwhile=early.ahead.during)
        with early.ahead.during(examined.listing, examined.inspections):
            until(at_its_end)
    assert early.ahead.computed == 0


def test_nothing_is_computed_ahead_where_the_values_of_deep_pictures_have_no_range_yet(
    tmp_path: Path, until: Callable[[Callable[[], object]], None]
) -> None:
    for label in ("dark", "light"):
        (tmp_path / "deep" / label).mkdir(parents=True)
        for number in range(3):
            values = np.full((240, 240), 100 * number + 3000 * (label == "light"), dtype=np.uint16)
            values[number, :] = 7
            Image.fromarray(values).save(tmp_path / "deep" / label / f"{number}.png")
    pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None)
    pending.wait()
    with Cache(tmp_path / "cache", limit_bytes=10**9) as cache:
        early = begin_early(
            TrainSettings(data=str(tmp_path / "deep")), pending, cache, device="cpu", engine="onnxruntime"
        )
        examined = examine(tmp_path / "deep", cache=cache, reporter=Silent())
        with early.ahead.during(examined.listing, examined.inspections):
            until(at_its_end)
    assert early.ahead.computed == 0


def test_pixels_are_kept_as_the_settings_say_that_pictures_fit(photographs: Path, tmp_path: Path) -> None:
    settings = TrainSettings.model_validate({"data": str(photographs), "network": {"fit": "squash"}})
    pending = prepare_backbone(DEFAULT, cache=tmp_path, weights=None)
    ready = pending.wait()
    with Cache(tmp_path / "cache", limit_bytes=10**9) as cache:
        early = begin_early(settings, pending, cache, device="cpu", engine="onnxruntime")
        (first, second, third, *_) = examine(
            photographs, cache=cache, reporter=Silent(), shown=early.squares.keep
        ).inspections
    assert early.squares.take(first.content_hash, fitted(ready.preprocessing, "squash", None)) is not None
    assert early.squares.take(second.content_hash, ready.preprocessing) is None
    nothing = np.zeros((0, ready.embedding), dtype=np.float32)
    early.settle(Embedded(backbone=ready, vectors=nothing, computed=0, reused=0, seconds=0.0, pace=None))
    assert early.squares.take(third.content_hash, fitted(ready.preprocessing, "squash", None)) is None


def test_it_is_done_while_augmented_copies_are_looked_for_and_only_then(photographs: Path, tmp_path: Path) -> None:
    events: list[str] = []

    @contextlib.contextmanager
    def beside(listing: Listing, inspections: Sequence[Inspection]) -> Iterator[None]:
        assert len(listing.entries) == len(inspections) == 12
        events.append("begun")
        yield
        events.append("ended")

    with Cache(tmp_path / "cache", limit_bytes=10**9) as cache:
        examine(photographs, cache=cache, reporter=Silent(), look="not", meanwhile=beside)
        examine(photographs, cache=cache, reporter=Silent(), look="known", meanwhile=beside)
        assert events == []
        examine(photographs, cache=cache, reporter=Silent(), look="always", meanwhile=beside)
        assert events == ["begun", "ended"]
        examine(photographs, cache=cache, reporter=Silent(), look="always", meanwhile=beside)
    assert events == ["begun", "ended"]  # what was found is known
