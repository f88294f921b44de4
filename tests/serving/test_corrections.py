"""What people correct is kept whole, once, within its limit. In: forms. Out: a folder that training takes."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tellapart.answers.answering import Truth
from tellapart.data.additions import add_pictures, settle
from tellapart.data.examples import Listing
from tellapart.data.folder import scan
from tellapart.data.inspection import inspect_all
from tellapart.data.table import read_table
from tellapart.errors import DataError, SettingsError, StorageError
from tellapart.serving.corrections import Corrections
from tellapart.serving.opened import Version
from tellapart.serving.refusals import Full, NotAllowed, Refusal

from .conftest import Reply, Running, Start, png


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "corrections"


@pytest.fixture
def kept(folder: Path) -> Corrections:
    return Corrections(folder, most_bytes=10**6)


@pytest.fixture
def server(start: Start, kept: Corrections) -> Running:
    return start(corrections=kept)


@pytest.fixture
def version(shared: Running) -> Version:
    return shared.repository.get("single")


def one(label: str) -> Truth:
    return Truth("label", label, (label,))


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "single" / "labels.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def correct(server: Running, files: list[bytes], /, **fields: str) -> Reply:
    boundary, name = "b0undary", "../../etc/passwd"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    for data in files:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        parts += [head.encode(), data, b"\r\n"]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return server.post("/corrections", body, Content_Type=f"multipart/form-data; boundary={boundary}")


def test_a_correction_is_kept_under_a_name_of_ours(server: Running, folder: Path) -> None:
    data = png((200, 10, 10))
    answer = correct(server, [data], label="红色", model="single")
    name = f"{hashlib.sha256(data).hexdigest()}.png"
    assert (answer.status, answer.json) == (200, {"path": f"single/{name}", "label": "红色", "replaced": False})
    assert (folder / "single" / name).read_bytes() == data
    (row,) = rows(folder)
    assert {key: row[key] for key in ("path", "label", "model", "version")} == {
        "path": name,
        "label": "红色",
        "model": "single",
        "version": "1",
    }
    assert sorted(path.name for path in folder.iterdir()) == [".lock", ".tellapart", "single"]
    assert sorted(path.name for path in (folder / "single").iterdir()) == sorted(["labels.csv", name])


def test_the_same_picture_again_changes_its_row(server: Running, folder: Path) -> None:
    first, second = png((200, 10, 10)), png((10, 200, 10))
    for data, label in ((first, "blue"), (second, "green"), (first, "红色")):
        assert correct(server, [data], label=label, model="single").status == 200
    assert [row["label"] for row in rows(folder)] == ["green", "红色"]
    assert correct(server, [first], label="红色", model="single").json["replaced"] is True


def test_training_takes_the_folder_as_a_table_and_as_corrections(server: Running, folder: Path, colours: Path) -> None:
    known = (colours / "blue" / "0.png").read_bytes()
    for data, label in ((png((199, 10, 10)), "红色"), (known, "green")):
        assert correct(server, [data], label=label, model="single").status == 200
    assert [entry.target.text for entry in read_table(folder / "single" / "labels.csv").entries]
    listing = add_pictures(scan(colours), folder)
    settled = settle(listing, inspect_all([entry.path for entry in listing.entries], workers=1))
    labels = {
        entry.path.name if entry.added else f"{entry.path.parent.name}/{entry.path.name}": (
            entry.train_target or entry.target
        ).text
        for entry in settled.listing.entries
    }
    assert labels["blue/0.png"] == "green"
    assert labels[f"{hashlib.sha256(png((199, 10, 10))).hexdigest()}.png"] == "红色"
    assert (settled.added, len(settled.relabelled), len(labels)) == (1, 1, 10)


@pytest.mark.parametrize(
    ("kind", "extension"),
    [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif"), ("BMP", "bmp"), ("GIF", "gif")],
)
def test_the_extension_is_that_of_the_content(
    kept: Corrections, version: Version, folder: Path, kind: str, extension: str
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (9, 9), (1, 2, 3)).save(file, kind)
    saved = kept.save(file.getvalue(), one("blue"), version)
    assert saved.path.endswith(f".{extension}")
    listing = add_pictures(scan_of_two(folder.parent / "data"), folder)
    (inspection,) = inspect_all([entry.path for entry in listing.entries if entry.added], workers=1)
    assert (inspection.problem, inspection.wrong_extension) == ("", False)


def scan_of_two(folder: Path) -> Listing:
    for label in ("blue", "green"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / "1.png").write_bytes(png((0, 0, 9)))
    return scan(folder)


@pytest.mark.parametrize(
    ("files", "fields", "message"),
    [
        ([b"no picture"], {"label": "blue"}, "the picture cannot be used: not a picture in a known format."),
        ([png((1, 2, 3))[:60]], {"label": "blue"}, "the picture cannot be used: damaged or truncated"),
        ([b""], {"label": "blue"}, "the picture cannot be used: empty file."),
        ([png((1, 2, 3), (2000, 2000))], {"label": "blue"}, "the limit is 1,000,000 in all"),
        (
            [png((1, 2, 3))],
            {"label": "blu"},
            "label is 'blu', which is none of the classes of 'single'. Did you mean 'blue'?",
        ),
        (
            [png((1, 2, 3))],
            {"label": "x"},
            "label is 'x', which is none of the classes of 'single'. They are: blue, green, 红色.",
        ),
        ([png((1, 2, 3))], {}, "label is '', which is none of the classes"),
        ([], {"label": "blue"}, "the form holds 0 files; a correction is about one. Send one."),
        (
            [png((1, 2, 3))] * 2,
            {"label": "blue"},
            "the form holds 2 files; a correction is about one. Send one.",
        ),
        ([png((1, 2, 3))], {"label": "blue", "model": "nobody"}, "there is no model 'nobody'"),
    ],
)
def test_what_is_refused_leaves_nothing(
    server: Running, folder: Path, files: list[bytes], fields: dict[str, str], message: str
) -> None:
    answer = correct(server, files, **{"model": "single", **fields})
    assert answer.status in (400, 404)
    assert message in answer.json["error"]
    assert {path.name for path in folder.iterdir()} == {".lock", ".tellapart"}


def test_a_field_that_comes_twice_is_refused(server: Running, folder: Path) -> None:
    boundary = "b0undary"
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("model", "single"), ("label", "blue"), ("label", "green"))
    )
    picture = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="1.png"\r\n\r\n'
    body = parts.encode() + picture.encode() + png((1, 2, 3)) + f"\r\n--{boundary}--\r\n".encode()
    answer = server.post("/corrections", body, Content_Type=f"multipart/form-data; boundary={boundary}")
    assert answer.status == 400
    assert answer.json["error"] == (
        "the form has the field 'label' twice; a field is sent once. Put all of it into one, as in docs/serving.md."
    )
    assert {path.name for path in folder.iterdir()} == {".lock", ".tellapart"}


def test_only_a_form_and_only_from_here(server: Running, folder: Path) -> None:
    answer = server.post("/corrections", png((1, 2, 3)), Content_Type="image/png")
    assert "a correction is a form. Send multipart/form-data" in answer.json["error"]
    for headers in ({"Origin": "http://evil.com"}, {"Sec_Fetch_Site": "cross-site"}):
        assert server.post("/corrections", b"", **headers).status == 403
    assert {path.name for path in folder.iterdir()} == {".lock", ".tellapart"}


def test_without_a_folder_there_are_no_corrections(shared: Running) -> None:
    answer = correct(shared, [png((1, 2, 3))], label="blue", model="single")
    assert answer.status == 409
    assert (
        answer.json["error"] == "this server keeps no corrections. Its operator can start it with --corrections FOLDER."
    )


def test_the_limit_of_the_folder(folder: Path, version: Version) -> None:
    data = png((1, 2, 3), (300, 300))
    kept = Corrections(folder, most_bytes=len(data) + 400)
    assert kept.save(data, one("blue"), version).replaced is False
    with pytest.raises(Full) as caught:
        kept.save(png((3, 2, 1), (300, 300)), one("blue"), version)
    assert re.search(r"holds [\d,]+ bytes and may hold [\d,]+; this picture has [\d,]+. Tell", str(caught.value))
    assert "--corrections-mb" in str(caught.value)
    assert kept.save(data, one("green"), version).replaced  # a row costs next to nothing
    assert [row["label"] for row in rows(folder)] == ["green"]


def test_a_full_disk_leaves_nothing_half_written(
    folder: Path, kept: Corrections, version: Version, caplog: pytest.LogCaptureFixture
) -> None:
    kept.save(png((9, 9, 9)), one("blue"), version)
    before = {path.name: path.read_bytes() for path in (folder / "single").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = png((1, 2, 3), (20, 20)) + bytes(30_000)  # bytes after a PNG's end do not matter
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(Full) as caught:
            kept.save(large, one("blue"), version)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == (
        "the correction could not be kept, nothing was written: File too large. Tell the server's operator."
    )
    assert str(folder) in caplog.text  # for the operator only
    assert {path.name: path.read_bytes() for path in (folder / "single").iterdir()} == before


def test_a_table_that_cannot_be_written_takes_its_picture_along(
    folder: Path, kept: Corrections, version: Version
) -> None:
    rows_of_text = "path,label\n" + "".join(f"{n:06}.png,blue\n" for n in range(2000))
    (folder / "single").mkdir()
    (folder / "single" / "labels.csv").write_text(rows_of_text)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(Full):
            kept.save(png((1, 2, 3)), one("blue"), version)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in (folder / "single").iterdir()] == ["labels.csv"]
    assert (folder / "single" / "labels.csv").read_text() == rows_of_text


def test_what_the_operator_wrote_stays(folder: Path, kept: Corrections, version: Version) -> None:
    (folder / "single").mkdir()
    (folder / "single" / "labels.csv").write_text(
        '\ufefflabel,seen by,path\ngreen,"Ann, Bob",old.png\n', encoding="utf-8"
    )
    kept.save(png((1, 2, 3)), one("blue"), version)
    first, second = rows(folder)
    assert (first["label"], first["seen by"], first["path"], first["model"]) == ("green", "Ann, Bob", "old.png", "")
    assert (second["label"], second["seen by"], second["model"]) == ("blue", "", "single")


@pytest.mark.parametrize(
    "content",
    [
        b"picture,class\na,b\n",
        b"\xff\xfe\x00",
        b"path,label\na,b,c\n",
        b'path,label\n"a,b\n',
        b"path,label\n\0,b\n\xff",
    ],
)
def test_a_table_that_is_none_any_more_is_left_alone(
    folder: Path, kept: Corrections, version: Version, content: bytes
) -> None:
    (folder / "single").mkdir()
    (folder / "single" / "labels.csv").write_bytes(content)
    said = (
        "single/labels.csv in the folder of corrections is no table in UTF-8 with the columns path and label, separated by "
        "commas. Its operator must mend it, or move it away; it is left as it is."
    )
    with pytest.raises(NotAllowed) as refused:
        kept.save(png((1, 2, 3)), one("blue"), version)
    assert str(refused.value) == said
    with pytest.raises(SettingsError) as caught:
        Corrections(folder, most_bytes=10**6)
    assert str(caught.value) == f"--corrections {folder}: {said}"
    assert (folder / "single" / "labels.csv").read_bytes() == content
    assert [path.name for path in (folder / "single").iterdir()] == ["labels.csv"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        Corrections(tmp_path / "file" / "corrections", most_bytes=1)
    assert "a part of the path is a file" in str(caught.value)


def test_many_at_once_from_several_processes_lose_nothing(folder: Path, version: Version) -> None:
    # Two of them stand for two processes: neither knows the other's lock in memory.
    several = [Corrections(folder, most_bytes=10**6) for _ in range(2)]

    def save(number: int) -> None:
        several[number % 2].save(png((number, 0, 0)), one("blue"), version)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(40)))
    assert len(rows(folder)) == 40
    assert len({row["path"] for row in rows(folder)}) == 40


def test_a_class_is_asked_for_before_anything_is_decoded(kept: Corrections, version: Version) -> None:
    with pytest.raises(Refusal) as caught:
        kept.save(b"no picture", one("x" * 300), version)
    assert str(caught.value).startswith(f"label is {'x' * 100!r}, which is none")


def test_each_model_has_its_own(start: Start, kept: Corrections, folder: Path, colours: Path) -> None:
    server, data = start(corrections=kept), png((200, 10, 10))
    assert correct(server, [data], label="blue", model="single").json["path"].startswith("single/")
    assert correct(server, [data], label="green", model="colours", version="1").json["replaced"] is False
    assert [row["label"] for row in rows(folder)] == ["blue"]
    with pytest.raises(DataError) as caught:
        add_pictures(scan(colours), folder)
    assert str(caught.value) == (
        f"{str(folder)!r} holds corrections of 2 models. Give the folder of the one that learns from these pictures, such as "
        f"{str(folder / 'colours')!r}."
    )
    (added,) = [entry for entry in add_pictures(scan(colours), folder / "colours").entries if entry.added]
    assert added.target.text == "green"


def test_the_model_may_be_named_in_the_address(server: Running, folder: Path) -> None:
    boundary = "b0undary"
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="label"\r\n\r\nblue\r\n--{boundary}\r\n'
    head = f'{part}Content-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head.encode() + png((1, 2, 3)) + f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    assert "Say which: ?model=NAME" in server.post("/corrections", body, Content_Type=kind).json["error"]
    assert server.post("/corrections?model=single", body, Content_Type=kind).status == 200
    assert [row["label"] for row in rows(folder)] == ["blue"]


def test_a_folder_that_was_moved_away_is_made_again(folder: Path, kept: Corrections, version: Version) -> None:
    kept.save(png((1, 2, 3)), one("blue"), version)
    folder.rename(folder.with_name("taken"))
    kept.save(png((3, 2, 1)), one("green"), version)
    assert [row["label"] for row in rows(folder)] == ["green"]
