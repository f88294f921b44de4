"""Pictures that others opened and embedded. In: workers that are pretended. Out: the audit and the features of one machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data.audit import audit_json
from tellapart.data.examples import picture_file
from tellapart.features.afar import embed_afar
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import open_cache
from tellapart.features.embedding import embed_pictures
from tellapart.features.scenes import LANDMARKS
from tellapart.reporter import Silent
from tellapart.workflows.check import check
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.scaling.looking import AfarBy


class Others:
    """Workers that are pretended, the last piece first."""

    def __init__(self) -> None:
        self.units = 0

    def __call__(self, make: Any, given: Any, units: Sequence[Any]) -> Generator[tuple[int, Any], None, None]:
        work = make(given)
        for number in reversed(range(len(units))):
            self.units += len(units[number])
            yield number, work(units[number])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Noise of two classes; a copy, a near copy, a picture called otherwise than it is, and two that cannot be read."""
    folder, generator = tmp_path / "pictures", np.random.default_rng(0)
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for number in range(12):
            pixels = np.kron(generator.integers(0, 256, (6, 6, 3)), np.ones((16, 16, 1))).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number:02d}.png")
    shutil.copy(folder / "a" / "00.png", folder / "b" / "copy.png")
    Image.open(folder / "a" / "01.png").resize((80, 80)).save(folder / "b" / "near.png")
    shutil.copy(folder / "a" / "02.png", folder / "a" / "called.jpg")
    (folder / "a" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "a" / "empty.png").write_bytes(b"")
    (folder / "a" / "words.txt").write_text("no picture")
    return folder


def audited(pictures: Path, cache: Path, others: Others | None, *, deep: bool) -> str:
    afar = None if others is None else AfarBy(spread=others, workers=1)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TELLAPART_CACHE", str(cache))
        return json.dumps(
            audit_json(check(pictures, deep=deep, reporter=Silent(), afar=afar).audit), ensure_ascii=False
        )


def kept(cache: Path) -> dict[bytes, tuple[str, bytes]]:
    import sqlite3

    with sqlite3.connect(cache / "cache.sqlite") as connection:
        return {key: (kind, value) for key, kind, value in connection.execute("SELECT key, kind, value FROM entries")}


def test_the_audit_and_what_is_kept_are_those_of_one_machine(pictures: Path, tmp_path: Path) -> None:
    others = Others()
    here = audited(pictures, tmp_path / "one", None, deep=True)
    assert audited(pictures, tmp_path / "two", others, deep=True) == here
    assert others.units == 30
    assert json.loads(here)["unreadable"]
    assert kept(tmp_path / "two") == kept(tmp_path / "one")
    assert {kind for kind, _ in kept(tmp_path / "two").values()} >= {"inspection", LANDMARKS}


def test_shards_that_stayed_as_they_were_are_not_sent_out(pictures: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tellapart.data.known_hashes.KnownHashes.__init__.__kwdefaults__", {"fewest": 5})
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", pictures))
    (pictures / "a" / "broken.png").unlink()
    here = audited(archive, tmp_path / "one", None, deep=False)
    first, again = Others(), Others()
    assert audited(archive, tmp_path / "two", first, deep=False) == here
    assert audited(archive, tmp_path / "two", again, deep=False) == here
    assert (first.units > 20, again.units) == (True, 0)


def test_embeddings_are_found_where_others_computed_them(
    pictures: Path, backbone: ReadyBackbone, tmp_path: Path
) -> None:
    others = Others()
    with open_cache() as cache:
        examined = examine(pictures, cache=cache, reporter=Silent())
        files = [
            picture_file(entry, inspection)
            for entry, inspection in zip(examined.listing.entries, examined.inspections, strict=True)
            if not inspection.problem
        ]
        apart = embed_pictures(files, backbone, "cpu", None, Silent())
        files[3].path.write_bytes(b"changed meanwhile")
        afar = AfarBy(spread=others, workers=1)
        done: list[int] = []
        count = embed_afar(files, backbone, "onnxruntime", afar, cache=cache, advance=done.append)
        contents = {file.content_hash for file in files}
        assert (count, others.units, sum(done)) == (len(contents) - 1, len(contents), len(files))
        there = embed_pictures(files, backbone, "cpu", cache, Silent())
    assert (there.computed, there.reused, list(there.problems)) == (0, len(contents) - 1, [3])
    known = [row for row in range(len(files)) if row != 3]
    assert there.vectors[known].tobytes() == apart.vectors[known].tobytes()
