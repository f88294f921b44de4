"""Which unlabelled texts to label next. In: a finished run, texts. Out: NextTexts, a table. Next: cli/next.py.

Copies and near-copies of what the run knows, and of each other, are left out first: a label for them would teach nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.answers.formulas import csv_text
from tellapart.answers.given import GivenItem
from tellapart.answers.items import PathItem
from tellapart.answers.predictor import Predictor
from tellapart.data.examples import Inspection
from tellapart.data.texts_copies import find_text_copies
from tellapart.data.texts_look import inspect_text
from tellapart.errors import DataError, SettingsError
from tellapart.evaluation.acquisition import STRATEGIES, Pool
from tellapart.reporter import Reporter, counted
from tellapart.runs.embeddings import MOST_PICTURES
from tellapart.runs.more_texts import count_run
from tellapart.runs.open import OpenRun
from tellapart.runs.run_texts import read_texts
from tellapart.storage import write_bytes
from tellapart.threads import let_waiting_threads_sleep
from tellapart.training.latent import latent
from tellapart.workflows.next_pictures import WHY

COLUMNS = ("path", "text", "label", "suggested", "probability", "why")
_USUAL = "badge"
_LETTERS = 120  # of a text that a line shows


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedText:
    """One text to label."""

    path: str  # where it stands
    text: str
    label: str  # what the model says now
    probability: float

    @property
    def shown(self) -> str:
        """The text in a short line."""
        line = " ".join(self.text[: 4 * _LETTERS].split())
        return line if len(line) <= _LETTERS else f"{line[: _LETTERS - 3]}..."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NextTexts:
    """What to label, the first first, and what was not asked about."""

    strategy: str
    chosen: Sequence[SuggestedText]
    offered: int  # texts that could be chosen
    left_out: Mapping[str, int]  # unreadable, known, copies

    @property
    def why(self) -> str:
        """Why these, in words."""
        return WHY[self.strategy]

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "strategy": self.strategy,
            "offered": self.offered,
            "left_out": dict(self.left_out),
            "texts": [
                {
                    "path": one.path,
                    "text": one.text,
                    "suggested": one.label,
                    "probability": round(one.probability, 4),
                    "why": self.why,
                }
                for one in self.chosen
            ],
        }

    def write(self, path: Path) -> None:
        """A table whose column `label` a person fills, and `tellapart train` reads. Raises: StorageError."""
        rows = [
            {
                "path": one.path,
                "text": one.text,
                "label": "",
                "suggested": one.label,
                "probability": round(one.probability, 4),
                "why": self.why,
            }
            for one in self.chosen
        ]
        # With a byte order mark: this file is made to be opened in a spreadsheet, and Excel takes it for Latin without one.
        write_bytes(path, b"\xef\xbb\xbf" + csv_text(COLUMNS, rows, line_end="\n").encode("utf-8", "replace"))


def next_texts(
    run: OpenRun,
    unlabelled: Iterable[PathItem | GivenItem],
    *,
    count: int,
    strategy: str | None = None,
    seed: int = 0,
    reporter: Reporter,
) -> NextTexts:
    """Choose at most `count` of the unlabelled texts by one of STRATEGIES.

    Raises: SettingsError for a strategy that is none; DataError where no text is left to choose; ModelFileError, StorageError.
    """
    let_waiting_threads_sleep()
    strategy = strategy or _USUAL
    if strategy not in STRATEGIES:
        raise SettingsError(f"strategy {strategy!r} is none of {', '.join(STRATEGIES)}. Name one of them.")
    read = read_texts(run, most=MOST_PICTURES)
    if not read.examples:
        reporter.warn(
            f"The labelled texts could not be read again ({read.reason}), so that only their exact copies are known. Say where "
            "they are: --pictures PATH."
        )
    offered, left_out = _offered(run, read.texts, unlabelled)
    with reporter.step("Asking the model", len(offered)) as advance:
        answers = []
        for answer in Predictor(run.model).stream(iter(offered)):
            answers.append(answer)
            advance(1)
    texts = [str(item.data) for item in offered]
    vectors = latent(count_run(run, [*read.texts, *texts]).counted.matrix, seed=seed)
    known = len(read.texts)
    figures = np.stack([np.asarray(answer.probabilities, dtype=np.float64) for answer in answers])
    pool = Pool(embeddings=vectors[known:], known=vectors[:known], probabilities=figures, sets=False)
    chosen = STRATEGIES[strategy](pool, count, np.random.default_rng(seed))
    return NextTexts(
        strategy=strategy,
        chosen=[
            SuggestedText(
                path=offered[row].path,
                text=texts[row],
                label=run.classes[int(figures[row].argmax())],
                probability=float(figures[row].max()),
            )
            for row in chosen
        ],
        offered=len(offered),
        left_out=left_out,
    )


def _offered(
    run: OpenRun, known: Sequence[str], unlabelled: Iterable[PathItem | GivenItem]
) -> tuple[list[GivenItem], dict[str, int]]:
    """The texts to choose from, each content once and none that is known; how many were left out. Raises: DataError."""
    left_out = {"unreadable": 0, "known": 0, "copies": 0}
    items: list[GivenItem] = []
    seen: list[Inspection] = [inspect_text(text) for text in known]
    for item in unlabelled:
        text = _text_of(item)
        inspection = None if text is None else inspect_text(text)
        if text is None or inspection is None or inspection.problem:
            left_out["unreadable"] += 1
            continue
        items.append(GivenItem(data=text, path=item.path))
        seen.append(inspection)
    contents = {example.content_hash for example in run.examples if example.split}
    clusters = find_text_copies([*known, *(str(item.data) for item in items)], seen).cluster_of
    taken, mine, found = set(clusters[: len(known)]), set[int](), list[GivenItem]()
    for item, inspection, cluster in zip(items, seen[len(known) :], clusters[len(known) :], strict=True):
        if cluster in taken or inspection.content_hash in contents:
            left_out["known"] += 1
        elif cluster in mine:
            left_out["copies"] += 1
        else:
            mine.add(cluster)
            found.append(item)
    if not found:
        told = ", ".join(f"{number:,} {name}" for name, number in left_out.items() if number) or "there is none"
        raise DataError(
            f"of {counted(len(items) + left_out['unreadable'], 'text')} none is one to label: {told}. Name texts that are not "
            "labelled yet."
        )
    return found, left_out


def _text_of(item: PathItem | GivenItem) -> str | None:
    """The text itself; None where it cannot be read."""
    if not isinstance(item, GivenItem) or item.error or not isinstance(item.data, str | bytes):
        return None
    try:
        return item.data if isinstance(item.data, str) else item.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
