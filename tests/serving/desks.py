"""A labelling desk in a thread of this process. In: pictures, a folder. Out: RunningDesk. Next: test_desk_app.py."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.data.to_label import ToLabel
from tellapart.reporting.phrases import table
from tellapart.serving.desk import Desk
from tellapart.serving.desk_app import NothingBehind, build_desk
from tellapart.serving.desk_pictures import PictureMaker
from tellapart.serving.desk_table import LabelTable
from tellapart.serving.hosts import hosts_for
from tellapart.serving.listener import listen, open_socket

from .conftest import PATIENCE, Running

WORDS = {key: phrase for key, phrase in table().items() if key.startswith(("desk_", "page_to_"))}


@dataclass(slots=True, kw_only=True)
class RunningDesk(Running):
    """A desk that answers; what it asks of a service is never there."""

    desk: Desk
    labels: Path  # labels.csv

    @property
    def rows(self) -> list[str]:
        """What is kept, without the header."""
        return self.labels.read_text(encoding="utf-8").splitlines()[1:] if self.labels.exists() else []


@contextlib.contextmanager
def running_desk(
    pictures: Sequence[ToLabel], folder: Path, *, classes: Sequence[str], several: bool = False, **more: Any
) -> Iterator[RunningDesk]:
    """Answer on a free port until the end."""
    loop, stop, up = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    with (
        contextlib.closing(LabelTable(folder, several=several)) as kept,
        contextlib.closing(open_socket("127.0.0.1", 0)) as http,
    ):
        desk = Desk(pictures, kept, classes=classes, several=several, **more)
        settings = {"folder": str(folder), "typed": str(folder)}
        app = build_desk(desk, PictureMaker(), hosts=hosts_for("127.0.0.1", ()), words=WORDS, settings=settings)

        async def main() -> None:
            await listen(NothingBehind(), app, http=http, grpc=None, grace=PATIENCE, stop=stop, ready=up.set)

        thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
        thread.start()
        assert up.wait(PATIENCE)
        nothing: Any = None
        try:
            yield RunningDesk(
                http_port=http.getsockname()[1],
                grpc_port=0,
                service=nothing,
                repository=nothing,
                stop=lambda: None,
                desk=desk,
                labels=folder / "labels.csv",
            )
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(PATIENCE)
            loop.close()
