"""One look at every file: what it holds, what is wrong with it, and what is remembered of it."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import Inspection
from tellapart.data.inspection import THUMBNAIL_SIDE, inspect_all, inspect_file
from tellapart.preprocessing import MAX_FILE_BYTES, Decoded

pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\..*")

PHOTOGRAPH = Path(sklearn.datasets.__file__).parent / "images" / "china.jpg"


class Notebook:
    """A memory in a dictionary that keeps account of how it is used."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[int] = []
        self.learnt: list[int] = []
        self._busy = threading.Lock()

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        assert self._busy.acquire(blocking=False), "two calls at once"
        time.sleep(0.003)  # long enough for another call to come, if it may
        self.asked.append(len(keys))
        found = {key: self.pages[key] for key in keys if key in self.pages}
        self._busy.release()
        return found

    def put_many(self, items: Mapping[str, bytes]) -> None:
        assert self._busy.acquire(blocking=False), "two calls at once"
        self.learnt.append(len(items))
        self.pages.update(items)
        self._busy.release()


def save(path: Path, pixels: NDArray[np.uint8], format_: str = "PNG", **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format_, **options)
    return path


def noise(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def many(tmp_path: Path) -> list[Path]:
    """700 small pictures, each in one of 100 versions: more than two tasks' worth."""
    return [save(tmp_path / f"{number:03}.png", noise(number % 100, 8, 8)) for number in range(700)]


def test_what_one_look_tells(tmp_path: Path) -> None:
    pixels = noise(0, 3, 2, 3)
    path = save(tmp_path / "a.png", pixels)
    content = hashlib.sha256(struct.pack("<4I", 2, 3, 2, 3) + pixels.tobytes()).hexdigest()[:32]
    found = inspect_file(path)
    assert found.file_hash == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.content_hash == content
    assert (found.width, found.height, found.format, found.mode) == (2, 3, "PNG", "RGB")
    assert (found.problem, found.is_picture, found.wrong_extension) == ("", True, False)


def test_copies_have_one_content_hash_and_others_have_not(tmp_path: Path) -> None:
    pixels = noise(1, 30, 20, 3)
    turned = Image.Exif()
    turned[0x0112] = 6  # stored lying on its side
    paths = [
        save(tmp_path / "a.png", pixels),
        save(tmp_path / "b.bmp", pixels, "BMP"),
        save(tmp_path / "c.webp", pixels, "WEBP", lossless=True),
        save(tmp_path / "d.png", np.rot90(pixels).copy(), exif=turned),
        save(tmp_path / "e.png", np.dstack([pixels, np.full((30, 20), 255, np.uint8)])),
    ]
    assert len({inspect_file(path).content_hash for path in paths}) == 1
    assert len({inspect_file(path).file_hash for path in paths}) == 5
    other = pixels.copy()
    other[29, 19, 2] ^= 1
    assert inspect_file(save(tmp_path / "f.png", other)).content_hash != inspect_file(paths[0]).content_hash
    # The same bytes of pixels in another shape, and one colour in two sizes.
    assert (
        inspect_file(save(tmp_path / "g.png", pixels.reshape(20, 30, 3))).content_hash
        != inspect_file(paths[0]).content_hash
    )


def test_a_picture_in_several_strips_is_hashed_whole(tmp_path: Path) -> None:
    pixels = np.zeros((6000, 1000, 3), dtype=np.uint8)
    pixels[5999, 999] = 7
    expected = hashlib.sha256(struct.pack("<4I", 1000, 6000, 1000, 6000) + pixels.tobytes()).hexdigest()[:32]
    assert inspect_file(save(tmp_path / "a.png", pixels, compress_level=1)).content_hash == expected


@pytest.mark.parametrize("size", [(1, 1), (28, 28), (32, 32), (63, 64), (130, 70), (2000, 3)])
def test_thumbnail_shows_the_picture_at_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    ramp = np.add.outer(np.linspace(0, 120, size[1]), np.linspace(0, 120, size[0])).astype(np.uint8)
    found = inspect_file(save(tmp_path / "a.png", ramp))
    side = THUMBNAIL_SIDE
    thumbnail = np.frombuffer(found.thumbnail, dtype=np.uint8).reshape(side, side)
    expected = Image.fromarray(ramp.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(thumbnail, np.asarray(expected), atol=3)


def test_thumbnails_of_one_picture_in_two_sizes_agree(tmp_path: Path) -> None:
    photograph = Image.open(PHOTOGRAPH).convert("L")
    thumbnails = []
    for scale in (1.0, 0.7, 0.5):
        path = tmp_path / f"{scale}.png"
        photograph.resize((int(640 * scale), int(427 * scale)), Image.Resampling.LANCZOS).save(path)
        thumbnails.append(np.frombuffer(inspect_file(path).thumbnail, dtype=np.uint8).astype(int))
    assert max(np.abs(thumbnails[0] - other).mean() for other in thumbnails[1:]) < 1.5


def test_perceptual_hash_is_that_of_imagehash() -> None:
    found = inspect_file(PHOTOGRAPH)
    expected = int(str(imagehash.phash(Image.open(PHOTOGRAPH))), 16)
    # imagehash shrinks the picture by another filter, so a bit or two may differ.
    assert (found.perceptual_hash ^ expected).bit_count() <= 2
    assert 0 <= found.perceptual_hash < 2**64


def test_perceptual_hash_of_a_picture_of_the_thumbnails_size_is_exactly_that_of_imagehash(tmp_path: Path) -> None:
    for seed in range(20):
        path = save(tmp_path / f"{seed}.png", noise(seed, THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        assert inspect_file(path).perceptual_hash == int(str(imagehash.phash(Image.open(path))), 16)


def test_near_copies_are_near_and_others_far(tmp_path: Path) -> None:
    photograph = Image.open(PHOTOGRAPH)
    photograph.resize((320, 213)).save(tmp_path / "small.jpg", quality=60)
    near = inspect_file(tmp_path / "small.jpg").perceptual_hash ^ inspect_file(PHOTOGRAPH).perceptual_hash
    flower = inspect_file(PHOTOGRAPH.with_name("flower.jpg")).perceptual_hash
    assert near.bit_count() <= 4
    assert (flower ^ inspect_file(PHOTOGRAPH).perceptual_hash).bit_count() > 16


@pytest.mark.parametrize(
    ("name", "format_", "wrong"),
    [
        ("a.jpg", "JPEG", False),
        ("a.JPEG", "JPEG", False),
        ("a.jfif", "JPEG", False),
        ("a.jpe", "JPEG", False),
        ("a.jpg", "MPO", False),
        ("a.mpo", "JPEG", False),
        ("a.tif", "TIFF", False),
        ("a.tiff", "TIFF", False),
        ("a.dib", "DIB", False),
        ("a.bmp", "BMP", False),
        ("a.pgm", "PPM", False),
        ("a.apng", "PNG", False),
        ("a.jp2", "JPEG2000", False),
        ("a", "PNG", False),
        ("a.dat", "PNG", False),
        ("a.v2.0", "PNG", False),
        ("a.png", "JPEG", True),
        ("a.JPG", "PNG", True),
        ("a.jpg", "WEBP", True),
        ("a.gif", "PNG", True),
        ("a.heic", "JPEG", True),
    ],
)
def test_wrong_extension(tmp_path: Path, name: str, format_: str, wrong: bool) -> None:
    options: dict[str, Any] = {}
    if format_ == "MPO":
        options = {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}
    found = inspect_file(save(tmp_path / name, noise(0, 8, 8, 3), format_, **options))
    assert (found.format, found.wrong_extension, found.problem) == (format_, wrong, "")


@pytest.mark.parametrize(
    ("name", "data", "is_picture", "problem"),
    [
        ("notes.txt", b"the cat is on the left\n", False, "not a picture in a known format"),
        ("Annotation.XML", b"<annotation/>", False, "not a picture in a known format"),
        (
            "film.mp4",
            b"\0\0\0\x18ftypmp42" + bytes(40),
            True,
            "a film, which is not read. Save its frames as PNG or JPEG",
        ),
        ("__init__.py", b"", False, "empty file"),
        ("cars.txt", b"BMW of a friend, seen from behind\n", False, None),
        ("paper.txt", b"P1 is the first picture, P2 the second\n", False, None),
        ("cat.jpg", b"", True, "empty file"),
        ("cat.jpg", b"not a cat", True, "not a picture in a known format"),
        ("cat.heic", b"\0\0\0\x18ftypheic" + bytes(40), True, None),
        ("cat.svg", b"<svg/>", True, "not a picture in a known format"),
    ],
)
def test_stray_files_and_unreadable_pictures(
    tmp_path: Path, name: str, data: bytes, is_picture: bool, problem: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    found = inspect_file(path)
    assert found.file_hash == hashlib.sha256(data).hexdigest()
    assert found.is_picture is is_picture
    assert found.problem == problem if problem is not None else found.problem.startswith("damaged or truncated (")
    assert (found.content_hash, found.thumbnail, found.width, found.wrong_extension) == ("", b"", 0, False)


def test_a_truncated_picture_is_one_whatever_its_name(tmp_path: Path) -> None:
    whole = PHOTOGRAPH.read_bytes()
    for name in ("cat.jpg", "cat", "cat.txt"):
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        found = inspect_file(tmp_path / name)
        assert found.is_picture
        assert found.problem.startswith("damaged or truncated (image file is truncated")


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for ever
    (tmp_path / "folder.jpg").mkdir()
    monkeypatch.chdir(tmp_path)  # a socket's path may have 108 bytes at most
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket.jpg")
        for path in ("pipe.jpg", "folder.jpg", "socket.jpg", "/dev/zero"):
            assert inspect_file(Path(path)) == Inspection(file_hash="", problem="not a regular file")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert inspect_file(tmp_path / "gone.jpg").problem == "there is no such file"
    assert inspect_file(tmp_path / "loop.jpg").problem.startswith("cannot be read (Too many levels of symbolic links")
    assert inspect_file(tmp_path / "a\0b.jpg").problem == "cannot be read (embedded null byte)"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work otherwise there")
def test_no_permission_to_read() -> None:
    # In a folder that any user may enter, which pytest's own is not. Root may always read, so it becomes nobody.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        path = save(Path(name) / "a.png", noise(0, 4, 4))
        path.chmod(0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            found = inspect_file(path)
        finally:
            if is_root:
                os.seteuid(0)
    assert found == Inspection(file_hash="", problem="no permission to read it")


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problem = "file of 536,870,913 bytes; the limit is 536,870,912. Store it smaller"
    assert inspect_file(path) == Inspection(file_hash="", problem=problem)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_many_files_in_their_order(many: list[Path], workers: int) -> None:
    many.insert(300, many[0].with_name("gone.png"))
    shuffled = [many[index] for index in np.random.default_rng(0).permutation(len(many))]
    assert inspect_all(shuffled, workers=workers) == [inspect_file(path) for path in shuffled]


def test_large_and_small_pictures_together(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{number}.bmp", noise(number, 1500, 1500, 3), "BMP") for number in range(6)]
    paths += [save(tmp_path / f"{number}.png", noise(number, 8, 8)) for number in range(6)]
    paths += [save(tmp_path / f"{number}.ppm", noise(number, 50, 50, 3), "PPM") for number in range(200)]
    assert inspect_all(paths, workers=4, remembered=Notebook()) == [inspect_file(path) for path in paths]


def test_no_files() -> None:
    assert inspect_all([], workers=2, remembered=Notebook()) == []


def test_advance_counts_every_file_in_the_calling_thread(many: list[Path]) -> None:
    steps: list[int] = []
    threads: set[int] = set()

    def advance(step: int) -> None:
        steps.append(step)
        threads.add(threading.get_ident())

    inspect_all(many, workers=2, advance=advance)
    assert sum(steps) == len(many)
    assert min(steps) > 0
    assert threads == {threading.get_ident()}


def test_what_is_decoded_is_shown_in_colour_and_once(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{number}.png", noise(number, 8, 8, 3)) for number in range(3)]
    (tmp_path / "broken.png").write_bytes(paths[0].read_bytes()[:60])
    shown: dict[str, NDArray[np.uint8]] = {}

    def show(decoded: Decoded, inspection: Inspection) -> None:
        assert inspection.content_hash not in shown
        shown[inspection.content_hash] = np.asarray(decoded.image)

    notebook = Notebook()
    found = inspect_all([*paths, tmp_path / "broken.png"], workers=1, remembered=notebook, shown=show)
    assert found[3].problem
    for number, inspection in enumerate(found[:3]):
        np.testing.assert_array_equal(shown[inspection.content_hash], noise(number, 8, 8, 3))
    inspect_all(paths, workers=1, remembered=notebook, shown=show)  # known: nothing is decoded


def test_the_second_time_is_remembered(many: list[Path]) -> None:
    (many[0].parent / "stray.txt").write_text("a note")
    many.append(many[0].parent / "stray.txt")
    notebook = Notebook()
    first = inspect_all(many, workers=2, remembered=notebook)
    assert len(notebook.pages) == 101  # one for each different file
    assert max(notebook.asked) <= 256
    learnt = sum(notebook.learnt)
    second = inspect_all(many, workers=3, remembered=notebook)
    assert second == first == inspect_all(many, workers=1)
    assert sum(notebook.learnt) == learnt


def test_it_is_the_memory_that_answers(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{number}.png", noise(number, 8, 8)) for number in range(2)]
    notebook = Notebook()
    first = inspect_all(paths, workers=1, remembered=notebook)
    keys = [next(key for key in notebook.pages if key.startswith(found.file_hash)) for found in first]
    notebook.pages[keys[0]], notebook.pages[keys[1]] = notebook.pages[keys[1]], notebook.pages[keys[0]]
    swapped = inspect_all(paths, workers=1, remembered=notebook)
    assert [found.content_hash for found in swapped] == [first[1].content_hash, first[0].content_hash]
    assert [found.file_hash for found in swapped] == [found.file_hash for found in first]


def test_what_depends_on_the_name_is_not_remembered(tmp_path: Path) -> None:
    notebook = Notebook()
    picture, text = save(tmp_path / "a.png", noise(0, 8, 8)).read_bytes(), b"a note"
    for name, data, is_picture, wrong in (
        ("a.png", picture, True, False),
        ("b.jpg", picture, True, True),
        ("c", picture, True, False),
        ("d.txt", text, False, False),
        ("e.jpg", text, True, False),
    ):
        (tmp_path / name).write_bytes(data)
        for _ in range(2):
            (found,) = inspect_all([tmp_path / name], workers=1, remembered=notebook)
            assert (found.is_picture, found.wrong_extension) == (is_picture, wrong)
    assert len(notebook.pages) == 2


def damaged(value: bytes) -> Iterator[bytes]:
    """Values that a store might give back by mistake."""
    yield b""
    yield b"\0\0\0\0"
    yield value[:-1]
    yield value + b" "
    yield value[:20] + bytes([value[20] ^ 1]) + value[21:]
    for text in (
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff",
        b'{"problem": 3}',
        value[4:].replace(b'"width": 8', b'"width": "8"'),
    ):
        yield zlib.crc32(text).to_bytes(4, "big") + text


def test_a_damaged_memory_is_noticed_and_made_anew(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise(0, 8, 8))
    notebook = Notebook()
    expected = inspect_all([path], workers=1, remembered=notebook)
    ((key, value),) = notebook.pages.items()
    for bad in damaged(value):
        assert bad != value
        notebook.pages[key] = bad
        assert inspect_all([path], workers=1, remembered=notebook) == expected
        assert notebook.pages == {key: value}


def test_a_memory_that_fails_is_not_hidden(many: list[Path]) -> None:
    class Broken(Notebook):
        def put_many(self, items: Mapping[str, bytes]) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device"):
        inspect_all(many, workers=2, remembered=Broken())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("inspect")]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_too_little_memory_is_not_remembered(tmp_path: Path) -> None:
    Image.new("L", (8000, 8000)).save(tmp_path / "a.png")
    program = (
        "import sys, pathlib, resource; from tellapart.data.inspection import inspect_all\n"
        "class Notebook(dict):\n"
        "    def get_many(self, keys): return {key: self[key] for key in keys if key in self}\n"
        "    put_many = dict.update\n"
        "notebook, unlimited = Notebook(), resource.RLIM_INFINITY\n"
        "now = int(pathlib.Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "for limit in (now + 150 * 2**20, unlimited):\n"
        "    resource.setrlimit(resource.RLIMIT_AS, (limit, unlimited))\n"
        "    (found,) = inspect_all([pathlib.Path(sys.argv[1])], workers=1, remembered=notebook)\n"
        "    print(found.problem, len(notebook))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.png")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed == "not enough memory to decode it 0\n 1\n"


def test_memory_stays_flat(tmp_path: Path) -> None:
    # Ten pictures of 12 megapixels: 360 MB if their pixels were kept. In a process of its own, since the peak is asked.
    first = save(tmp_path / "0.png", np.zeros((3000, 4000, 3), np.uint8), compress_level=1)
    for number in range(1, 10):
        (tmp_path / f"{number}.png").write_bytes(first.read_bytes() + bytes(number))
    program = (
        "import sys, pathlib, resource; from tellapart.data.inspection import inspect_all\n"
        "paths = sorted(pathlib.Path(sys.argv[1]).iterdir())\n"
        "for some in (paths[:2], paths):\n"
        "    inspect_all(some, workers=2)\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    two, ten = map(int, printed.split())
    assert ten - two < 120


def test_interrupting_stops_at_once(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("L", (2500, 2500)).save(stream, "PNG")
    for number in range(100):
        (tmp_path / f"{number}.png").write_bytes(stream.getvalue() + struct.pack("<I", number))
    program = (
        "import sys, os, pathlib, signal; from tellapart.data.inspection import inspect_all\n"
        "class Notebook(dict):\n"
        "    def get_many(self, keys): return {key: self[key] for key in keys if key in self}\n"
        "    put_many = dict.update\n"
        "paths, notebook = sorted(pathlib.Path(sys.argv[1]).iterdir()), Notebook()\n"
        "try: inspect_all(paths, workers=2, remembered=notebook, advance=lambda count: os.kill(os.getpid(), signal.SIGINT))\n"
        "finally: print(len(notebook), flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == -signal.SIGINT
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert int(done.stdout) < 100  # those in hand are finished, no others begun
