"""A network is cut in small steps, and recovers after each. In: PruningSubject. Out: PruningSteps. Next: models/narrow.py.

One large step ruins a network; many small ones, each followed by some training, do not (Han et al. 2015, arXiv 1506.02626).
What goes first is what does least harm for what it saves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tellapart.compression.blocks import removable_blocks
from tellapart.compression.channels import Moments
from tellapart.compression.costs import multiply_adds
from tellapart.compression.norms import align_norms, norm_statistics
from tellapart.compression.reconstructing import reconstruct
from tellapart.compression.sensitivity import Cut, PruningSubject, cut, groups_of, weigh_cuts

NEARLY = 0.01  # of the multiply-adds, that may lack: a step for less would take as long as any


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningStep:
    """One step of a pruning."""

    number: int  # from 1
    cuts: tuple[Cut, ...]
    multiply_adds: int  # for one item, after it
    saved: float  # share of the whole network's, after it, in [0, 1]
    harm: float  # after it, before the network recovers


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningTerms:
    """How much is to go, and how."""

    share: float  # of the multiply-adds, in (0, 1)
    step: float = 0.1  # at most about so much of the whole in one step
    channels: float = 0.25  # of a group's, in one cut
    blocks: bool = True  # whole blocks may go
    thinner: bool = True  # channels may go


def prune(
    subject: PruningSubject, terms: PruningTerms, *, whole: int, done: Sequence[PruningStep] = ()
) -> Iterator[PruningStep]:
    """Cut `subject.network` in place, step by step, until `terms.share` of `whole` multiply-adds are saved.

    After each step the caller trains the network, and asks for the next. It ends where less than `NEARLY` lacks, and early where
    nothing is left that could go.
    `done` are steps that an earlier process made. Raises: ValueError for shares out of their range.
    """
    for name, value in (("share", terms.share), ("step", terms.step), ("channels", terms.channels)):
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value}; it must be between 0 and 1")
    network, number = subject.network, len(done)
    while True:
        left = sum(multiply_adds(network, subject.sample).values())
        missing = terms.share - (1 - left / whole)
        if missing <= NEARLY:
            return
        cuts, moments = weigh_cuts(subject, share=terms.channels, blocks=terms.blocks, channels=terms.thinner)
        taken = choose_cuts(cuts, wanted=min(terms.step, missing) * whole)
        if not taken:
            return
        before = norm_statistics(network, subject.run)
        taken = tuple(one for one in taken if _cut_if_there(subject, one, moments))
        align_norms(network, before, subject.run)
        if subject.original is not None:
            reconstruct(network, subject.original, subject.run, subject.sample)
        number, after = number + 1, sum(multiply_adds(network, subject.sample).values())
        yield PruningStep(
            number=number, cuts=taken, multiply_adds=after, saved=1 - after / whole, harm=subject.harm(network)
        )


def _cut_if_there(subject: PruningSubject, one: Cut, moments: Moments) -> bool:
    """Make one cut of a step, where those before it have left its channels, or a block that still gives what it takes."""
    groups = groups_of(subject) if one.kind == "channels" else ()
    there = [group.root for group in groups]
    if one.path not in (there if one.kind == "channels" else removable_blocks(subject.network, subject.sample)):
        return False
    cut(
        subject.network,
        subject.sample,
        kind=one.kind,
        path=one.path,
        keep=one.keep,
        groups=groups,
        moments=moments,
        traced=subject.traced and subject.traced(subject.network),
    )
    return True


def choose_cuts(cuts: Sequence[Cut], *, wanted: float) -> tuple[Cut, ...]:
    """The first of `cuts`, which are in order, that together save `wanted` multiply-adds.

    None in a block that goes as a whole, and of the blocks of one stage one: what each would do alone says little of two.
    """
    taken: list[Cut] = []
    for one in cuts:
        if sum(other.saved for other in taken) >= wanted:
            break
        if not any(_exclude(one, other) for other in taken):
            taken.append(one)
    return tuple(taken)


def _exclude(one: Cut, other: Cut) -> bool:
    if _within(one.path, other.path) or _within(other.path, one.path):
        return True
    stages = {cut.path.rpartition(".")[0] for cut in (one, other)}
    return one.kind == other.kind == "block" and len(stages) == 1 and stages != {""}


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}.")
