"""How much the best of many flatters itself. In: a figure on validation, a score on test. Out: Optimism. Next: choosing.py.

Among many settings the one that is best on some pictures is so partly by luck with these; on others the luck is gone. How much
of it there was, only pictures that chose nothing can say (Cawley and Talbot 2010, JMLR 11:2079-2107).
"""

from __future__ import annotations

from dataclasses import dataclass

from tellapart.bundle import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimism:
    """What the winner lost from validation to test."""

    validation: float  # in [0, 1]
    test: Score
    tries: int  # settings that were compared
    n_validation: int
    item: str = "picture"  # what they are, in a word

    @property
    def value(self) -> float:
        """Validation less test, as a share; below 0 where the test is better."""
        return self.validation - self.test.value

    @property
    def beyond_chance(self) -> bool:
        """Whether the validation figure lies above the test's interval."""
        return self.test.high is not None and self.validation > self.test.high

    def sentence(self) -> str:
        """In words."""
        points = f"{100 * abs(self.value):.1f} points"
        best = f"The best of {self.tries:,} settings"
        if self.beyond_chance:
            return (
                f"{best} is {points} worse on the test split than on validation, more than chance would make it: it was chosen by "
                f"its luck with {self.n_validation:,} {self.item}s, too. What to expect is the test's figure."
            )
        if self.value > 0:
            return (
                f"{best} is {points} worse on the test split than on validation, where it was chosen by its luck, too; so much "
                "may be chance. What to expect is the test's figure."
            )
        return f"{best} is no worse on the test split than on validation: choosing it there has not flattered it."

    def as_json(self) -> dict[str, float | bool]:
        """JSON values."""
        return {"value": round(self.value, 6), "beyond_chance": self.beyond_chance}
