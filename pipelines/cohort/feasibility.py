"""How many would be in a cohort, said so that no question, asked again or slightly changed, tells of one
person.

Noise of the two-sided geometric distribution (Ghosh, Roughgarden and Sundararajan 2012) is added to every
step's count before anything is decided: rounding, what is too small to say and which steps are told together
follow from the noisy counts alone, so that no threshold on a true count can be felt for. The noise is drawn
by a keyed hash of the question and the snapshot: the same question gets the same answer, and its average over
askings is no better than one of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.cohort.stage import Counts, select
from pipelines.files.digests import digest
from pipelines.site.site import Feasibility
from pipelines.site.snapshot import Snapshot
from pipelines.study.definition import Definition


@dataclass(frozen=True)
class Told:
    """Steps told as one, and how many persons are left after them, rounded; None for fewer than the least
    that is said."""

    steps: tuple[str, ...]
    persons: int | None


def question(definition: Definition, sources: Sequence[str], snapshot: str) -> str:
    """What is asked and of what, as a hash: the same for the same meaning, whatever its titles."""
    return digest("feasibility", definition.meaning, sorted(sources), snapshot)


def counted(snapshot: Snapshot, sources: tuple[str, ...], definition: Definition) -> Counts:
    """Exact persons left after each step. Never to be shown, logged or written."""
    parts = [select(shard, sources, definition).attrition for shard in snapshot.shards]
    return tuple((step[0][0], sum(count for _, count in step)) for step in zip(*parts, strict=True))


def told(attrition: Counts, question: str, key: bytes, rule: Feasibility) -> tuple[Told, ...]:
    """What may be said of an attrition.

    `key`: of the site, known to nobody who asks. From the last step backwards, a step after which not clearly
    more persons are left than after the one below it is told together with that one.
    """
    noisy = [
        (step, count + noise(key, question, place, rule.scale))
        for place, (step, count) in enumerate(attrition)
    ]
    return tuple(
        Told(steps, _rounded(count, rule)) for steps, count in reversed(list(_joined(noisy, rule.step)))
    )


def _joined(noisy: Sequence[tuple[str, int]], apart: int) -> Iterator[tuple[tuple[str, ...], int]]:
    """Steps that are told together and their count, the last first."""
    steps: tuple[str, ...] = ()
    shown = 0
    for step, count in reversed(noisy):
        if steps and count - shown >= apart:
            yield steps, shown
            steps = ()
        if not steps:
            shown = count
        steps = (step, *steps)
    if steps:
        yield steps, shown


def told_of(count: int, asked: str, key: bytes, rule: Feasibility) -> int | None:
    """What may be said of one count: with noise, rounded; None for fewer than the least that is said.
    `asked`: what it is a count of, and of which snapshot."""
    return _rounded(count + noise(key, asked, 0, rule.scale), rule)


def _rounded(count: int, rule: Feasibility) -> int | None:
    if count < rule.least:
        return None
    return (count + rule.round_to // 2) // rule.round_to * rule.round_to


def noise(key: bytes, question: str, place: int, scale: float) -> int:
    """A whole number from the two-sided geometric distribution: odds fall by e for each `scale`. `place`:
    which count of the question."""
    drawn = hashlib.blake2b(f"{question} {place}".encode(), digest_size=16, key=key).digest()
    first, second = (_geometric(int.from_bytes(half, "little"), scale) for half in (drawn[:8], drawn[8:]))
    return first - second


def _geometric(bits: int, scale: float) -> int:
    """From 64 random bits: how often to go on, where each step is taken with odds e^(-1/scale)."""
    uniform = ((bits >> 11) + 0.5) / 2**53  # in (0, 1)
    return math.floor(-math.log(uniform) * scale)
