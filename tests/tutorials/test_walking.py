"""Every command of the tutorials is run. In: their documents, tiny pictures. Out: each has done what it promises."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tellapart.cli.main import execute

from .documents import CHAPTERS, CHINESE, MATTERS, blocks, chapter_lines, further_lines, matter_lines, words_of
from .walking import CONVERTED, Walk, copy_recipes
from .world import make_world

CHEAP = ("check", "recipe", "demo", "augment")  # of these every chapter's are run each time
DEARER = ("--labels", "--shortcuts", "augment flowers/", "augment pictures/")  # but these, which draw and learn more


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def random_weights(name: str, path: Path) -> Path:
    """A file as of a pretrained network, without what is behind its last maps: no hub is asked."""
    import timm
    from safetensors.torch import save_file

    state = timm.create_model(name, pretrained=False).state_dict()
    save_file({key: value for key, value in state.items() if not key.startswith(("pre_logits.", "head."))}, path)
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    make_world(folder)
    copy_recipes(folder)
    (small,) = blocks(CHINESE / "first-cnn.md", "toml")
    (folder / "small.toml").write_text(small, encoding="utf-8")
    return folder


@pytest.fixture
def walk(
    tmp_path: Path,
    world: Path,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lacks: Callable[[str], NoReturn],
) -> Iterator[Walk]:
    """A reader in a folder with all that the chapters name; no hub answers, and what is fetched is there already."""
    if not shutil.which("curl"):
        lacks("there is no curl, with which the chapters ask the server: apt-get install curl")
    shutil.copytree(world, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELLAPART_CACHE", str(cache))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    reader = Walk(tmp_path, capsys)
    yield reader
    reader.end()


def converted(line: str) -> bool:
    return bool(CONVERTED & set(words_of(line)))


def type_all(walk: Walk, *documents: list[str], later: tuple[str, ...] = ()) -> None:
    """Every line, those behind one that failed too; then all that failed are told. Each document begins with nothing written."""
    failed = []
    for lines in documents:
        for line in lines:
            if converted(line) or (later and line.startswith(later)):
                continue
            try:
                walk.type(line)
            except (AssertionError, OSError, ValueError, KeyError, TypeError) as error:
                failed.append(f"{line}\n{error}")
        walk.tidy()
    assert failed == [], "\n\n".join(failed)


@pytest.mark.long
def test_the_second_chapter_from_top_to_bottom(walk: Walk) -> None:
    type_all(walk, chapter_lines(2), later=("tellapart serve digits=runs/latest --accept",))


@pytest.mark.slow
def test_what_is_cheap_in_every_chapter(walk: Walk) -> None:
    for number in (1, 3, 4, 5):
        for lines in (chapter_lines(number), further_lines(number)):
            cheap = [line for line in lines if words_of(line)[:1] and words_of(line)[0] in CHEAP]
            type_all(walk, [line for line in cheap if not any(part in line for part in DEARER)])


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, 6), ids=CHAPTERS)
def test_every_chapter_from_top_to_bottom(walk: Walk, number: int) -> None:
    name = {1: "vgg16", 3: "mobilenetv2_100"}.get(number)  # in chapter 5 ResNet-50 gives way to the embedded network
    if name is not None:
        walk.weights[name] = random_weights(name, walk.folder / f"{name}.safetensors")
    type_all(walk, chapter_lines(number), further_lines(number))


CNN = "tellapart train pictures/ --recipe recipes/two_classes_cnn.toml"
# What a chapter on a matter finds there: its reader has trained something.
FOUND = {
    "explaining": CNN,
    "compression": CNN,
    "export": CNN,
    "serving": "tellapart train cats_and_dogs/ --strategy probe",
}


@pytest.mark.long
@pytest.mark.parametrize("name", MATTERS)
def test_every_chapter_on_a_matter(walk: Walk, name: str) -> None:
    found = [FOUND[name]] if name in FOUND else []
    type_all(walk, [*found, *matter_lines(name)])


@pytest.mark.export
def test_formats_that_need_converters(walk: Walk) -> None:
    """The export lines of all chapters, with environments that TELLAPART_TOOLS names or that are made."""
    documents = [chapter_lines(number) + further_lines(number) for number in range(1, 6)] + list(
        map(matter_lines, MATTERS)
    )
    lines = dict.fromkeys(line for lines in documents for line in lines if converted(line))
    assert len(lines) >= 3
    walk.tools = os.environ.get("TELLAPART_TOOLS", "")
    # Surer than after one epoch, so that integers do not change its answers.
    train = ["train", "mnist.npz", "--recipe", "recipes/mnist_lenet.toml", "--epochs", "40", "--no-report"]
    assert execute(train) == 0
    for line in lines:
        walk.type(line)
