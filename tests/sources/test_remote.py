"""Shards behind http, however the server behaves: nothing is lost, nothing is there twice, and no secret is written."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.cli.main import execute
from tellapart.data.listing import read_listing
from tellapart.data.survey import Examined
from tellapart.errors import DataError, StorageError
from tellapart.features.caching import open_cache
from tellapart.reporter import Silent
from tellapart.sources.reading import exists, open_archive, read_bytes
from tellapart.sources.remote import addresses, blocks, schemes
from tellapart.workflows.learning.examine import examine

from .store_server import Behaviour, serving

SILENT = Silent()
SHARDS, EACH = 3, 20


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tars of twenty noisy pictures in two classes; the first is larger than a block."""
    folder = tmp_path_factory.mktemp("shards")
    generator = np.random.default_rng(0)
    for number in range(SHARDS):
        with tarfile.open(folder / f"s-{number}.tar", "w") as archive:
            for index in range(EACH):
                side = 300 if number == 0 else 24
                stream = io.BytesIO()
                Image.fromarray(generator.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(stream, "PNG")
                for ending, data in (("png", stream.getvalue()), ("cls", b"cat" if index % 2 else b"dog")):
                    info = tarfile.TarInfo(f"{number}{index:03d}.{ending}")
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    assert (folder / "s-0.tar").stat().st_size > blocks.BLOCK
    return folder


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is told or kept from before."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    for forget in (addresses.forget, blocks.forget_looks, schemes.store_of.cache_clear):
        forget()
    yield
    addresses.forget()
    blocks.forget_looks()


def look(source: str | Path) -> Examined:
    with open_cache(SILENT) as cache:
        return examine(Path(source), cache=cache, reporter=SILENT, workers=2)


def contents(examined: Examined) -> list[tuple[str, str]]:
    return [
        (entry.path.name, one.content_hash)
        for entry, one in zip(examined.listing.entries, examined.inspections, strict=True)
    ]


def once_in(count: int, fault: str) -> Callable[[int, str], str]:
    return lambda number, path: fault if number % count == 0 else ""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda number, path: "", id="sound"),
        pytest.param(once_in(2, "503"), id="busy"),
        pytest.param(once_in(3, "429"), id="throttled"),
        pytest.param(once_in(5, "drop"), id="dropped"),
        pytest.param(once_in(5, "shift"), id="another part"),
    ],
)
def test_every_picture_comes_once_however_the_server_behaves(shards: Path, fault: Callable[[int, str], str]) -> None:
    behaviour = Behaviour(folder=shards, fault=fault)
    with serving(behaviour) as address:
        examined = look(f"{address}/s-{{0..2}}.tar")
    assert contents(examined) == contents(look(shards))
    assert len(examined.listing.entries) == SHARDS * EACH
    assert examined.audit.unreadable == ()
    # A byte to see how large a file is, and then each of its blocks once.
    assert set(behaviour.asked.values()) == {1}
    assert len(behaviour.asked) == 2 * SHARDS + 1


def test_what_was_fetched_is_kept_for_the_next_process(shards: Path) -> None:
    behaviour = Behaviour(folder=shards)
    with serving(behaviour) as address:
        first = look(f"{address}/s-{{0..2}}.tar")
        blocks.forget_looks()
        behaviour.asked.clear()
        assert contents(look(f"{address}/s-{{0..2}}.tar")) == contents(first)
    assert sorted(behaviour.asked) == [f"/s-{number}.tar 0-0" for number in range(SHARDS)]


def test_a_shard_that_vanishes_leaves_rows_with_the_reason(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed while it is there, gone when its pictures are read, and nothing of it is kept."""
    monkeypatch.setenv("TELLAPART_REMOTE_GB", "0")
    gone: list[str] = []
    behaviour = Behaviour(folder=shards, fault=lambda number, path: "404" if path in gone else "")
    with serving(behaviour) as address:
        listing = read_listing(Path(f"{address}/s-{{0..2}}.tar"))
        blocks.BLOCKS.forget()
        gone.append("/s-1.tar")
        with pytest.raises(FileNotFoundError, match="no such file"):
            read_bytes(listing.entries[EACH].path)
        assert read_bytes(listing.entries[0].path)[:4] == b"\x89PNG"


def test_a_shard_that_changes_is_told_and_not_mixed(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_REMOTE_GB", "0")
    served = tmp_path / "served"
    served.mkdir()
    (served / "s.tar").write_bytes((shards / "s-1.tar").read_bytes())
    with serving(Behaviour(folder=served)) as address:
        listing = read_listing(Path(f"{address}/s.tar"))
        blocks.BLOCKS.forget()
        (served / "s.tar").write_bytes((shards / "s-2.tar").read_bytes())
        with pytest.raises(OSError, match="it has changed since it was first looked at; run the command again"):
            read_bytes(listing.entries[0].path)


def test_a_damaged_block_is_fetched_again(shards: Path) -> None:
    behaviour = Behaviour(folder=shards)
    with serving(behaviour) as address:
        first = look(f"{address}/s-1.tar")
        for path in (Path(blocks.cache_folder()) / blocks.FOLDER).glob("*/*"):
            data = bytearray(path.read_bytes())
            data[5000] ^= 1
            path.write_bytes(data)
        blocks.BLOCKS.forget()
        assert contents(look(f"{address}/s-1.tar")) == contents(first)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"fault": lambda number, path: "404"}, r"cannot be read: no such file \(status 404\)"),
        (
            {"password": "Basic none"},
            r"cannot be read: the server refuses it \(status 401\); was it signed, give the address anew",
        ),
        ({"fault": lambda number, path: "418"}, "cannot be read: the server answers with status 418"),
        (
            {"fault": lambda number, path: "503"},
            r"s-1.tar cannot be read: the server answers with status 503, 7 times. Run the command again when it answers",
        ),
        ({"parts": False}, "the server gives no parts of files. Download it, and give the file"),
    ],
)
def test_what_does_not_pass_is_told(shards: Path, behaviour: dict[str, object], said: str) -> None:
    with serving(Behaviour(folder=shards, **behaviour)) as address, pytest.raises(StorageError, match=said):  # type: ignore[arg-type]
        read_listing(Path(f"{address}/s-1.tar"))


def test_only_what_a_user_named_is_asked_for(shards: Path) -> None:
    behaviour = Behaviour(folder=shards)
    with serving(behaviour) as address:
        path = f"{address}/s-1.tar/1000.png".replace("://", ":/")
        with pytest.raises(FileNotFoundError):
            read_bytes(path)
        assert not exists(path)
        addresses.tell(f"{address}/s-2.tar")
        with pytest.raises(FileNotFoundError):
            read_bytes(path)
        assert behaviour.requests == 0
        addresses.tell(f"{address}/s-1.tar")
        assert read_bytes(path)[:4] == b"\x89PNG"


def test_a_password_and_a_signature_are_used_and_never_written(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behaviour = Behaviour(folder=shards, password="Basic dXNlcjpQQFNTV09SRA==", query="sig=SIGNATURE&se=1")
    with serving(behaviour) as address:
        whole = address.replace("//", "//user:P%40SSWORD@") + "/s-{1..2}.tar?sig=SIGNATURE&se=1"
        assert execute(["check", whole, "--json"]) == 0
        assert execute(["check", whole.replace("s-{1..2}", "gone")]) == 2
        table = tmp_path / "out.csv"
        assert execute(["shard", whole, "--out", str(tmp_path / "again")]) == 0
    said = capsys.readouterr()
    record = json.loads(said.out.splitlines()[0])
    assert record["pictures"] == 2 * EACH
    assert "no such file (status 404)" in said.err
    written = [said.out, said.err, *map(str, tmp_path.rglob("*"))]
    written += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file() and path != table]
    assert not [text for text in written for secret in ("SSWORD", "SIGNATURE") if secret in text]


def test_a_password_goes_to_no_other_host(shards: Path) -> None:
    other = Behaviour(folder=shards)
    with serving(other) as second:
        first = Behaviour(folder=shards, fault=lambda number, path: f"{second}{path}")
        with serving(first) as address:
            addresses.tell(address.replace("//", "//user:word@") + "/s-1.tar")
            assert len(open_archive(f"{address}/s-1.tar".replace("://", ":/")).members) == 2 * EACH
    assert set(first.seen) == {"Basic dXNlcjp3b3Jk"}
    assert set(other.seen) == {""}


def test_names_of_numbers_lie_beside_shards_elsewhere_too(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s-0.tar", "w") as archive:
        for name, data in (("a.png", b"x"), ("a.cls", b"1"), ("b.png", b"y"), ("b.cls", b"0")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    with serving(Behaviour(folder=tmp_path)) as address:
        assert read_listing(Path(f"{address}/s-{{0..0}}.tar")).classes == ("cat", "dog")


def test_folders_on_the_web_and_tables_of_paths_are_refused(shards: Path) -> None:
    with serving(Behaviour(folder=shards)) as address:
        with pytest.raises(
            StorageError, match="cannot be listed: folders on the web are not listed; name the files, such as"
        ):
            read_listing(Path(f"{address}/folder"))
        with pytest.raises(DataError, match=r"lies elsewhere, where shards .* a .zip and tables with their pictures"):
            read_listing(Path(f"{address}/labels.csv"))


def test_predict_takes_the_pictures_of_shards_elsewhere(
    shards: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Behaviour(folder=shards)) as address:
        code = execute(["predict", str(tiny_model), f"{address}/s-{{1..2}}.tar?sig=SECRET", "--format", "csv"])
    rows = capsys.readouterr().out.splitlines()
    assert code == 0
    assert len(rows) == 1 + 2 * EACH
    assert not [row for row in rows if "SECRET" in row]
