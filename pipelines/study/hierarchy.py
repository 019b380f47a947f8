"""What lies above the codes that occur: so that a list may name a code with all below it, of whatever
system."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.files.frames import Category, Frame, array, concat, length, take
from pipelines.files.schemas import ANCESTORS
from pipelines.study.code_list import BELOW, CodeList
from pipelines.study.codes import is_whole
from pipelines.study.definition import Definition


@dataclass(frozen=True)
class Hierarchy:
    """Labels that occur, ascending, by the label of each concept above them: `below`; and by that of their
    own concepts, the source's and the standard one: `same`."""

    below: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    same: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def of(frame: Frame) -> Hierarchy:
        """From a frame of `schemas.ANCESTORS`."""
        concepts, ancestors = _labels(frame, "concept"), _labels(frame, "ancestor")
        below, same = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        columns = (array(frame, name).tolist() for name in ("concept", "ancestor", "itself"))
        for concept, ancestor, itself in zip(*columns, strict=True):
            below[ancestors[ancestor]].append(concepts[concept])
            if itself:
                same[ancestors[ancestor]].append(concepts[concept])
        return Hierarchy(*({name: tuple(found) for name, found in each.items()} for each in (below, same)))

    def __len__(self) -> int:
        return len(self.below)

    def expanded(self, code: str) -> tuple[str, ...]:
        """A line of a code list as labels and prefixes, ascending, each once: itself, and what it stands for
        besides."""
        if code.endswith(BELOW):
            above = code.removesuffix(BELOW)
            return tuple(sorted({above, *self.below.get(above, ())}))
        return tuple(sorted({code, *self.same.get(code, ())})) if is_whole(code) else (code,)

    def resolved(self, asked: Definition) -> Definition:
        """The definition with every list as labels and prefixes, so that none says “and below”."""
        return asked.model_copy(
            update={
                "codes": {name: self._list(each) for name, each in asked.codes.items()},
                "others": {name: self.resolved(each) for name, each in asked.others.items()},
            }
        )

    def _list(self, codes: CodeList) -> CodeList:
        concepts = [f"OMOP/{each}{BELOW}" for each in codes.concepts] if len(self) else []
        return codes.model_copy(
            update={
                "include": self._all([*codes.include, *concepts]),
                "exclude": self._all(codes.exclude),
                "concepts": () if concepts else codes.concepts,
            }
        )

    def _all(self, codes: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for code in codes for each in self.expanded(code)))


def _labels(frame: Frame, name: str) -> tuple[str, ...]:
    column = frame[name]
    if not isinstance(column, Category):
        raise TypeError(f"{name} is no category")
    return column.labels


def together(frames: Sequence[Frame]) -> Frame:
    """The pairs of all frames (schema ANCESTORS), ascending, each once: its own concept in one is so in
    all."""
    whole = concat(list(frames), ANCESTORS)
    if not length(whole):
        return whole
    pairs = np.stack(
        [array(whole, "concept"), array(whole, "ancestor"), -array(whole, "itself").astype(np.int64)]
    )
    order = np.lexsort(pairs[::-1])
    new = np.append(True, (np.diff(pairs[:2, order], axis=1) != 0).any(0))
    found = take(whole, order[new])
    return {
        name: Category.of(column.labels, column.places) if isinstance(column, Category) else column
        for name, column in found.items()
    }
