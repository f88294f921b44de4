"""A labelling desk in the browser. In: pictures that wait, classes. Out: a table to train on. Next: serving/desk_app.py."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.bundle import Manifest, read_manifest
from tellapart.data.readers import READERS
from tellapart.data.to_label import ToLabel, read_waiting
from tellapart.decoding import Reading
from tellapart.errors import SettingsError
from tellapart.reporting.phrases import table
from tellapart.serving.desk import Desk, checked_classes, no_class_name
from tellapart.serving.desk_app import NothingBehind, build_desk
from tellapart.serving.desk_pictures import PictureMaker
from tellapart.serving.desk_table import LabelTable
from tellapart.serving.hosts import Hosts, hosts_for
from tellapart.serving.listener import listen, open_socket
from tellapart.sources.reading import ENDINGS
from tellapart.workflows.serving.lifetime import log_to_standard_error, stop_on_signals

HOST = "127.0.0.1"  # nobody else's machine may look at what is labelled here
_WORDS = ("desk_", "page_to_dark", "page_to_light")  # how the keys of the page's phrases begin
_NAMED = 5  # suggested classes that a sentence lists
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOptions:
    """What `tellapart label` was told."""

    source: Path  # a table with a column of paths, a folder or an archive
    model: Path | None = None  # whose classes are labelled
    classes: tuple[str, ...] = ()  # which are; (): those of the model, or those that are suggested
    out: Path | None = None  # the folder of labels.csv; None: beside the source
    port: int = 8502  # 0: any free one
    several: bool = False  # any number of classes a picture
    new_classes: bool = False  # others may be named while labelling
    allow_host: tuple[str, ...] = ()  # names besides its own that the page may be asked by, such as a proxy's
    allow_origin: tuple[str, ...] = ()  # sites whose pages may send, besides its own


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelResult:
    """What a desk leaves."""

    folder: Path  # with labels.csv
    total: int  # pictures that the source names
    labelled: int
    skipped: int
    unusable: tuple[tuple[str, str], ...]  # pictures that cannot be labelled, with the reason; the first hundred
    n_unusable: int
    new_classes: tuple[str, ...]  # that were named while labelling


def label(
    options: LabelOptions, *, say: Callable[[str], None], ready: Callable[[str, LabelResult], None]
) -> LabelResult:
    """Answer until SIGTERM or SIGINT. `ready` is called with the desk's address once it can be opened.

    Raises: SettingsError, DataError, ModelFileError, StorageError before anything listens.
    """
    manifest = None if options.model is None else read_manifest(options.model)
    hosts = hosts_for(HOST, options.allow_host, options.allow_origin)
    several = options.several if manifest is None else _several(manifest, options)
    waiting = read_waiting(options.source, several=several)
    if waiting.note:
        say(waiting.note)
    classes = _classes(options, manifest, waiting.pictures)
    if unnamed := _unnamed(options, classes, waiting.pictures):
        say(unnamed)
    folder = options.out or default_folder(options.source)
    with contextlib.closing(LabelTable(folder, several=several)) as labels:
        desk = Desk(waiting.pictures, labels, classes=classes, several=several, new_classes=options.new_classes)
        if not desk.classes and not desk.new_classes:
            raise SettingsError(
                f"{options.source} suggests no class, so there is none to choose from. Give --classes cat,dog, or --model RUN for "
                "the classes of a model, or --new-classes to name them as you go."
            )
        if earlier := [name for name in desk.classes if name not in classes]:
            say(f"{labels.path} has classes that were not named here; they are kept: {', '.join(earlier)}.")
        with contextlib.closing(_open(options.port)) as http:
            try:
                asyncio.run(_serve(desk, manifest, http, hosts, folder, ready))
            except asyncio.CancelledError:  # by a second Ctrl-C
                raise KeyboardInterrupt from None
        return _result(desk, folder, classes)


def default_folder(source: Path) -> Path:
    """Where labels go unless told: todo-labels/ beside todo.csv."""
    whole = source.resolve()
    name = next((whole.name[: -len(end)] for end in ENDINGS if whole.name.lower().endswith(end)), whole.stem)
    beside = whole.parent if source.name in ("", "..") else source.parent
    return beside / f"{whole.name if whole.is_dir() else name}-labels"


def _several(manifest: Manifest, options: LabelOptions) -> bool:
    """Whether a picture has any number of the model's classes. Raises: SettingsError for models that tell of parts of pictures."""
    reader = READERS.get(manifest.task)
    if reader is None or not reader.of_whole_pictures:
        raise SettingsError(
            f"{options.model} is a model of task {manifest.task}, whose answers are drawn on the picture; the desk tells whole "
            "pictures. Draw them in a program for that, such as LabelMe, CVAT or Label Studio: `tellapart train` reads its files."
        )
    if options.several and not reader.separated:
        raise SettingsError(
            f"{options.model} tells one class a picture, and --several asks for any number. Leave out one of the two."
        )
    return reader.separated


def _classes(options: LabelOptions, manifest: Manifest | None, pictures: Iterable[ToLabel]) -> list[str]:
    """Raises: SettingsError."""
    if options.classes and manifest is not None:
        raise SettingsError("--classes and --model both say what the classes are. Leave one of them out.")
    if options.classes:
        return checked_classes(options.classes, source="--classes")
    if manifest is not None:
        return list(manifest.classes)
    return sorted({name for one in pictures for name in one.suggested if not no_class_name(name)})


def _unnamed(options: LabelOptions, classes: Sequence[str], pictures: Iterable[ToLabel]) -> str:
    """What is suggested and can be no answer here, in a sentence; empty where there is none."""
    counts = Counter(name for one in pictures for name in one.suggested if name not in classes)
    if not counts:
        return ""
    told = [f"{name[:100]!r} ({count:,})" for name, count in counts.most_common(_NAMED)]
    more = f" and {len(counts) - _NAMED:,} more" if len(counts) > _NAMED else ""
    which = "--classes" if options.classes else f"the model {options.model}" if options.model is not None else "a class"
    return (
        f"{options.source} suggests what {which} has not, and the desk does not show that: {', '.join(told)}{more}. If they shall "
        "be classes, end the command and name them, or give --new-classes."
    )


def _open(port: int) -> socket.socket:
    try:
        return open_socket(HOST, port)
    except SettingsError:
        raise SettingsError(
            f"cannot listen on {HOST}:{port}; something else may. Choose another --port (0: any that is free), or end what has it."
        ) from None


async def _serve(
    desk: Desk,
    manifest: Manifest | None,
    http: socket.socket,
    hosts: Hosts,
    folder: Path,
    ready: Callable[[str, LabelResult], None],
) -> None:
    log_to_standard_error(access=False)
    span: Reading = "own" if manifest is None else manifest.preprocessing.plain().value_range or "own"
    words = {key: phrase for key, phrase in table().items() if key.startswith(_WORDS)}
    app = build_desk(
        desk,
        PictureMaker(span=span),
        hosts=hosts,
        words=words,
        settings={"folder": str(folder), "typed": shlex.quote(str(folder))},
    )
    address = f"http://{HOST}:{http.getsockname()[1]}/"
    await listen(
        NothingBehind(),
        app,
        http=http,
        grpc=None,
        grace=_GRACE_SECONDS,
        stop=stop_on_signals(),
        ready=lambda: ready(address, _result(desk, folder, desk.classes)),
    )


def _result(desk: Desk, folder: Path, classes: Sequence[str]) -> LabelResult:
    told = desk.told()
    return LabelResult(
        folder=folder,
        total=told["total"],
        labelled=told["labelled"],
        skipped=told["skipped"],
        unusable=tuple((one["name"], one["reason"]) for one in desk.told_problems()),
        n_unusable=told["unusable"],
        new_classes=tuple(name for name in desk.classes if name not in classes),
    )
