"""What happens to a server in the meantime. In: its process, its folders. Out: swaps, kills, corrections, memory. Next: soak.py."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import random
import shutil
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from soak_load import REFUSED, Load, Minute

LOOK_SECONDS = 0.2
SEEN_SECONDS = 60.0  # for a version to be seen in an answer, or a process to be replaced
SAMPLE_SECONDS = 5.0
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Happened:
    """All of it, as JSON has it; times in seconds from the start."""

    swaps: list[dict[str, Any]] = field(default_factory=list)
    kills: list[dict[str, Any]] = field(default_factory=list)
    corrections: dict[str, str] = field(
        default_factory=dict
    )  # the picture's name in the folder -> the label that was sent last
    correction_outcomes: dict[str, int] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)


def served_by(parent: int) -> list[int]:
    """The processes that serve, the oldest first."""
    found = []
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
        except OSError:
            continue  # it ended in between
    return found


def put(models: Path, number: int, source: Path) -> None:
    """A version, as an operator puts it there: written under another name, then renamed."""
    beside = models / f".{number}"
    beside.mkdir(parents=True)
    for name in ("model.onnx", "engine.json"):
        if (source / name).exists():
            shutil.copyfile(source / name, beside / name)
    beside.rename(models / str(number))


async def swap(load: Load, happened: Happened, models: Path, sources: list[Path], *, every: float) -> None:
    """A new version again and again, the other model each time, until cancelled; all but the newest two are removed."""
    number = 1
    while True:
        await asyncio.sleep(every)
        number += 1
        begun = load.now()
        put(models, number, sources[number % len(sources)])
        row: dict[str, Any] = {"at": round(begun, 1), "version": number}
        while number not in load.versions and load.now() - begun < SEEN_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
        if number in load.versions:
            row["first_answer_after"] = round(load.versions[number].first - begun, 2)
        happened.swaps.append(row)
        shutil.rmtree(models / str(number - 2), ignore_errors=True)


async def kill(load: Load, happened: Happened, parent: int, *, spared: int, every: float) -> None:
    """End a process by SIGKILL again and again, never `spared`, until cancelled."""
    while True:
        await asyncio.sleep(every)
        others = [one for one in served_by(parent) if one != spared]
        if not others:
            continue
        begun = load.now()
        load.kills.append(begun)
        os.kill(others[0], signal.SIGKILL)
        row: dict[str, Any] = {"at": round(begun, 1), "process": others[0]}
        happened.kills.append(row)
        while load.now() - begun < SEEN_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            if new := [one for one in served_by(parent) if one not in (spared, others[0])]:
                row |= {"replaced_by": new[0], "after": round(load.now() - begun, 2)}
                break


async def correct(
    load: Load, happened: Happened, port: int, pictures: list[bytes], classes: list[str], *, every: float, seed: int
) -> None:
    """Send corrections of pictures of their own, each twice with two labels, until cancelled."""
    chance, counts = random.Random(seed), Minute()
    number = 0
    while True:
        await asyncio.sleep(every)
        number += 1
        picture = with_comment(pictures[number % len(pictures)], f"soak {number}")
        for label in chance.sample(classes, len(classes))[:2]:
            outcome, body = await load.sent(correction(port, picture, label), counts)
            if outcome == "ok":
                happened.corrections[json.loads(body)["path"]] = label
            elif outcome != REFUSED:
                load.wrong.append(f"at {load.now():.1f} s: correction {number}: {outcome}: {body[:200]!r}")
            key = outcome if outcome in ("ok", REFUSED) else "failed"
            happened.correction_outcomes[key] = happened.correction_outcomes.get(key, 0) + 1
        happened.correction_outcomes["cut"] = counts.counts["cut"]


def with_comment(jpeg: bytes, text: str) -> bytes:
    """The same picture in other bytes. Source: ITU T.81, B.2.4.5."""
    data = text.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(data) + 2).to_bytes(2, "big") + data + jpeg[2:]


def correction(port: int, picture: bytes, label: str) -> bytes:
    """A request, as bytes on the wire."""
    body = (
        b'--part\r\nContent-Disposition: form-data; name="label"\r\n\r\n'
        + label.encode()
        + b'\r\n--part\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        + picture
        + b"\r\n--part--\r\n"
    )
    head = f"POST /corrections HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
    return (head + "Content-Type: multipart/form-data; boundary=part\r\n\r\n").encode() + body


def kept_corrections(folder: Path, sent: dict[str, str]) -> dict[str, int]:
    """What of the corrections that were answered with 200 is on disk."""
    rows: list[dict[str, str]] = []
    for table in folder.glob("*/labels.csv"):
        with table.open(newline="", encoding="utf-8") as file:
            rows += [{**row, "path": f"{table.parent.name}/{row['path']}"} for row in csv.DictReader(file)]
    paths = [row["path"] for row in rows]
    labels = {row["path"]: row["label"] for row in rows}
    return {
        "answered": len(sent),
        "rows": len(rows),
        "lost": sum(1 for path in sent if path not in labels or not (folder / path).exists()),
        "with another label": sum(1 for path, label in sent.items() if labels.get(path, label) != label),
        "twice": len(paths) - len(set(paths)),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A process at a moment."""

    process: int
    rss_mb: float
    files: int  # open
    threads: int
    cpu_seconds: float


def sample(process: int) -> Sample | None:
    """None where it has ended. Source: proc_pid_statm(5), proc_pid_stat(5)."""
    try:
        resident = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        files = len(os.listdir(f"/proc/{process}/fd"))
    except OSError:
        return None
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return Sample(
        process=process, rss_mb=round(resident / 1e6, 2), files=files, threads=int(fields[17]), cpu_seconds=cpu
    )


async def watch(load: Load, happened: Happened, parent: int) -> None:
    """Memory of all processes every few seconds, until cancelled."""
    while True:
        found = [one for one in map(sample, [parent, *served_by(parent)]) if one is not None]
        happened.samples.append({"at": round(load.now(), 1), "processes": [asdict(one) for one in found]})
        await asyncio.sleep(SAMPLE_SECONDS)
