"""What predicts, of any task: from bytes to arrays, from arrays to answers. In: bytes. Out: Answers. Next: pictures.py.

NumPy only: what predicts never imports torch, and a client needs neither the engine nor pydantic. Each task has one
Answering (table.py), and every way out of the house asks it: `predict`, the server's protocols, the page, the client.
N pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.preprocessing import MAX_PIXELS

if TYPE_CHECKING:
    from tellapart.bundle import TaskRecord

# How a source is made ready for the network: a Preprocessing, or the TextInputs of a model of texts.
InputRecord: TypeAlias = Any
Told: TypeAlias = Mapping[str, Any]  # a TaskRecord as JSON: of a manifest, or as a server tells it at /models
# A file, the RGB pixels [H, W, 3] of a picture that stands upright, or a text.
PictureData: TypeAlias = "bytes | NDArray[np.uint8] | str"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which part of its source a network's input shows: the way back to the source's pixels."""

    width: int  # pixels of the upright source
    height: int
    left: float  # the part that the input shows, in those pixels; it may reach beyond the source
    top: float
    right: float
    bottom: float
    remark: str = ""  # what a person should know of how the source was read
    tile: int = 0  # which of the source's tiles it is, row by row
    tiles: int = 1  # how many there are

    def to_source(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points [..., 2] (x, y) of the input, in [0, 1] from its left and top edge, to pixels of the source."""
        size = (self.right - self.left, self.bottom - self.top)
        return np.asarray(points, dtype=np.float64) * size + (self.left, self.top)


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a model says of one picture, or why it says nothing."""

    path: str = ""  # "" where it has none
    classes: tuple[str, ...]  # K, that the model knows
    error: str = ""  # why the picture could not be read; "" where it could
    unknown: bool | None = None  # unlike the pictures that the model was trained on; None where it cannot tell
    novelty: float | None = None  # about 1 or less for typical pictures; None where it is not measured
    warning: str = (
        ""  # what to know of how the picture was read, such as values beyond the model's range; "" for nothing
    )


class Output(NamedTuple):
    """One tensor of an answer, as the protocols describe it."""

    name: str
    datatype: str  # of the Open Inference Protocol: FP32, INT32, UINT8, BOOL, BYTES
    shape: tuple[int, ...]  # -1 stands for the number of pictures, or of what was found in them
    on_request: bool = False  # left out unless it is asked for by its name


class Tally(NamedTuple):
    """What is counted of answers."""

    names: Sequence[str]  # every class that was named, as often as it was
    unknown: int  # pictures


class Truth(NamedTuple):
    """What a person says of a picture, as a table to train on holds it."""

    column: str
    cell: str
    names: tuple[str, ...]  # every class that it names


class OtherClasses(Exception):
    """A server answers with other classes than it said that it has."""


def remarks(places: Sequence[Placement]) -> tuple[str, ...]:
    """What to know of how each of N pictures was read; empty where there is nothing to know of any."""
    found = tuple(place.remark for place in places)
    return found if any(found) else ()


WARNING = Output("warning", "BYTES", (-1,))  # of every task, the last one


def warning_tensor(warnings: Sequence[str], count: int) -> list[bytes]:
    """The warnings of `count` pictures, UTF-8; "" where there is nothing to know, as `remarks` has them."""
    return [warning.encode() for warning in warnings] if warnings else [b""] * count


def told_warning(answer: Answer) -> str:
    """The warning as the end of a line for a person; "" where there is none."""
    return f"  (warning: {answer.warning})" if answer.warning else ""


_SAID = 40  # letters of what is said, in a line for a person, before the path


def told_line(answer: Answer, said: str | None, doubt: str = "") -> str:
    """What is said of a picture, its path, what makes it doubtful and the warning; None is said of one that was not read."""
    if said is None:
        return f"{'unreadable':<{_SAID}} {answer.path}  ({answer.error})"
    return f"{said:<{_SAID}} {answer.path}{doubt}{told_warning(answer)}"


AnyAnswer = TypeVar("AnyAnswer", bound=Answer)
# What `decide` gives: a Sequence of answers, which may keep them as arrays, so that many cost little more than one.
AnyAnswers = TypeVar("AnyAnswers", bound=Sequence[Any])


class Answering(Protocol[AnyAnswer, AnyAnswers]):
    """One task's way from bytes to answers. `classes`, K names, are in the order of the network's columns."""

    outputs: tuple[str, ...]  # of the network that it reads, where the file has them
    defaults: tuple[str, ...]  # of `tensors`, what one gets who asks for no more; mostly one
    item: str  # what is answered, in a word: picture, text
    figures: str  # of `tensors`, a figure a class, [N, K], which can be ranked
    graded: bool  # whether a `row` can tell of what falls short of the model's thresholds, too
    local: bool  # whether what is said has a place in the picture; heatmaps are of what is said of it as a whole
    at_once: int  # sources that are answered together, where many are
    pictured: tuple[str, ...]  # keys of a `row` that hold pictures, PNG files in base64; lines of JSON go without

    def prepare(
        self, data: PictureData, inputs: InputRecord, *, max_pixels: int = MAX_PIXELS
    ) -> tuple[NDArray[Any], Placement]:
        """A picture to the network's input without the dimension N, mostly uint8 [S, S, 3]. Raises: PictureError."""

    def stack(self, prepared: Sequence[NDArray[Any]], inputs: InputRecord) -> NDArray[Any]:
        """What `prepare` made of N sources as the network's input [N, ...]."""

    def fits(self, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> bool:
        """Whether arrays, each [N, ...], can be what a network of this task gives, such as probabilities that sum to 1."""

    def decide(
        self,
        arrays: Mapping[str, NDArray[Any]],
        places: Sequence[Placement],
        record: TaskRecord,
        *,
        classes: tuple[str, ...],
    ) -> AnyAnswers:
        """Of each of `outputs` that there is the array [N, ...] to N answers without a path. The only place that decides.

        Raises: ValueError for another task's record.
        """

    def unread(self, error: str, *, path: str = "", classes: tuple[str, ...]) -> AnyAnswer:
        """The answer for a picture that could not be read."""

    def row(
        self, answer: AnyAnswer, *, top: int, figure: Callable[[float], float] = float, least: float | None = None
    ) -> dict[str, Any]:
        """The answer as plain values: JSON, CSV and /predict say this. `top`: how many classes at most; `figure` rounds.

        `least`, where the task is `graded`: tell all that is at least so certain, in [0, 1], and what of it the model tells.
        """

    def read(self, row: Mapping[str, Any], *, path: str, classes: tuple[str, ...], told: Told) -> AnyAnswer:
        """The answer that a server's row tells. Raises: OtherClasses; KeyError, TypeError, ValueError for no such row."""

    def columns(self, classes: Sequence[str], *, top: int) -> list[str]:
        """The names of `cells`."""

    def cells(self, answer: AnyAnswer, *, top: int) -> list[str]:
        """The answer as cells of a table in CSV."""

    def line(self, answer: AnyAnswer, *, top: int) -> str:
        """The answer for a person, in columns that stand below each other."""

    def collect(self, answers: Sequence[AnyAnswer], *, classes: tuple[str, ...], told: Told) -> Any:
        """All answers together, as `tellapart.load(...).predict` and the clients give them."""

    def describe(self, record: TaskRecord, *, classes: Sequence[str], outputs: Iterable[str]) -> list[Output]:
        """What `tensors` gives of a model with these `outputs`. Raises: ValueError for another task's record."""

    def tensors(self, answers: AnyAnswers) -> Mapping[str, NDArray[Any] | list[bytes]]:
        """What `decide` gave, as arrays [N, ...] under the names of `describe`; BYTES [N] as a list, else of objects."""

    def tally(self, answers: AnyAnswers) -> Tally:
        """What is counted of them."""

    def shown_class(self, answer: AnyAnswer) -> int:
        """The class that a heatmap is drawn for, as a number of `classes`. Raises: ValueError for an unread picture."""

    def read_truth(self, fields: Mapping[str, str]) -> Truth:
        """What a person says that a picture shows, of the fields of a form. Raises: ValueError, saying what is missing."""
