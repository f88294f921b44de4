"""What is recorded of how texts are read and decided. In: JSON. Out: TextRecord. Next: records.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from tellapart.record_parts import (
    ROWS,
    AbstentionRecord,
    RecordPart,
    Step,
    softened,
    told_abstention,
)

MOST_WINDOW = 20_000  # words of a text that a network may read


class GramRecord(RecordPart):
    """Which n-grams of a text count; see texts/ngrams.py."""

    words: tuple[int, ...] = ()
    characters: tuple[int, ...] = ()
    across: bool = False

    @property
    def in_words(self) -> str:
        """For a person."""
        counted = [
            f"{'-'.join(map(str, (min(sizes), max(sizes))))} {name}"
            for name, sizes in (("words", self.words), ("characters", self.characters))
            if sizes
        ]
        return f"n-grams of {' and of '.join(counted)}"


class PieceRecord(RecordPart):
    """How texts become word pieces; see texts/pieces.py."""

    network: str  # what a person calls the network that takes them
    lowercase: bool
    unmarked: bool
    apart: bool
    first: int = Field(ge=0)
    last: int = Field(ge=0)
    unknown: int = Field(ge=0)
    padding: int = Field(ge=0)
    most: int = Field(gt=2)

    @property
    def in_words(self) -> str:
        """For a person."""
        return f"the sentence embedding of {self.network} (its first {self.most} word pieces)"


class WordRecord(RecordPart):
    """Which words of a text are read in their order; see texts/sequences.py."""

    unit: Literal["words", "characters"]
    window: int = Field(ge=1, le=MOST_WINDOW)  # the first

    @property
    def in_words(self) -> str:
        """For a person."""
        return f"the first {self.window:,} {self.unit}, in their order"


class TextRecord(RecordPart):
    """How one class a text is decided: probabilities are softmax(logits / temperature); novelty is of what was never seen."""

    told_in: ClassVar[str] = ROWS
    told_as: ClassVar[str] = "predictions"
    merges: ClassVar[bool] = False
    takes: ClassVar[str] = "tokens"
    kind: Literal["text"] = "text"
    temperature: float = Field(gt=0)
    abstention: AbstentionRecord | None = None
    # The parts of its input, in the order of their rows; None where there is no such part.
    grams: GramRecord | None = None
    pieces: PieceRecord | None = None
    words: WordRecord | None = None

    @property
    def promised(self) -> tuple[str, ...]:
        """The outputs that the network must have."""
        known = {"vocabulary": self.grams, "pieces": self.pieces, "words": self.words}
        return ("probabilities", "novelty", *(name for name, part in known.items() if part is not None))

    @property
    def ending(self) -> tuple[Step, ...]:
        """From logits to `probabilities`, as of one class a picture."""
        return softened(self.temperature)

    def check(self, classes: int) -> None:
        """Raises: ValueError for fewer than two classes, no parts, or no n-grams."""
        if classes < 2:
            raise ValueError("there is one class; a classifier chooses among two or more")
        if self.grams is None and self.pieces is None and self.words is None:
            raise ValueError("it looks at nothing of a text")
        if self.grams is not None and not self.grams.words and not self.grams.characters:
            raise ValueError("it counts neither words nor characters")

    @property
    def calibrated(self) -> dict[str, str]:
        """For a person: what all classes are calibrated by."""
        return {"temperature": f"{self.temperature:.4g}"}

    def decided(self, classes: Sequence[str]) -> dict[str, str]:
        """For a person: what of a text counts, and when it says "one of these" or "none of these"."""
        parts = [part.in_words for part in (self.grams, self.pieces, self.words) if part is not None]
        return {"counts": "; the mean with ".join(parts), **told_abstention(self.abstention, "text")}
