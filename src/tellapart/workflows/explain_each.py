"""Picture after picture is explained, whatever explains it. In: paths, a function. Out: Explanation. Next: explain_boxes.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tellapart.answers.items import expand
from tellapart.errors import DataError, PictureError
from tellapart.explanation.files import Files, choose_files
from tellapart.reporter import Reporter
from tellapart.runs.explained import Explained, Explanation


def paths_with_files(pictures: Sequence[str], out: Path | None, *, force: bool) -> list[tuple[str, Files]]:
    """The path of every picture that is named, and the files of its explanation.

    Raises: DataError where none is named; StorageError where a file is there already.
    """
    paths = [source.path for source in expand(pictures)]
    if not paths:
        raise DataError("there is no picture in the paths given. Name picture files, or folders that hold some.")
    return list(zip(paths, choose_files(paths, out, force=force), strict=True))


def explain_each(
    places: Sequence[tuple[str, Files]],
    explain_one: Callable[[str, Files], Explained],
    *,
    skipped: dict[str, str],
    reporter: Reporter,
    tell: Callable[[Explained], None],
) -> Explanation:
    """Explain all of them, one at least. A picture that cannot be read is passed over with its reason; `tell` hears of each.

    `skipped` may be filled on the way. Raises: what `explain_one` raises, but for PictureError.
    """
    explained: list[Explained] = []
    with reporter.step("Explaining", len(places)) as advance:
        for path, files in places:
            try:
                explained.append(explain_one(path, files))
            except PictureError as error:
                explained.append(Explained(path=path, error=str(error)))
            tell(explained[-1])
            advance(1)
    return Explanation(folder=places[0][1].folder, pictures=tuple(explained), skipped=skipped)
