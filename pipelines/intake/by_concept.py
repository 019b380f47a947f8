"""Codes by way of concepts (OMOP CDM): the source's, else the standard one, else that one's id alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kernels import text
from pipelines.files.frames import Category
from pipelines.files.schemas import VALUE_SCALE
from pipelines.intake.ancestors import Occurring
from pipelines.intake.columns import Block
from pipelines.intake.mapping import Event

BY_STANDARD = "standard_concept_used"
BY_ID = "concept_without_code"


class Concepts(Protocol):
    """A delivery's own concept table."""

    def labels(self, concept: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Concept labels, and for each id of `concept`, int64 (n,), which of them, int32 (n,), −1 if it is
        not in the table or its vocabulary is not ours."""
        ...

    def misread(self, concept: np.ndarray) -> np.ndarray:
        """bool (n,): ids of `concept`, int64 (n,), whose vocabulary is ours, but not its code's form."""
        ...


class NoConcepts:
    """The concept table of a delivery without one."""

    def labels(self, concept: np.ndarray) -> tuple[list[str], np.ndarray]:
        """See `Concepts`: none, and int32 (n,) of −1 for `concept`, int64 (n,)."""
        return [], np.full(len(concept), -1, np.int32)

    def misread(self, concept: np.ndarray) -> np.ndarray:
        """See `Concepts`: bool (n,), all false, for `concept`, int64 (n,)."""
        return np.zeros(len(concept), bool)


@dataclass(frozen=True)
class Own:
    """The concepts that rows have of their own. `source`, `standard`: int64 (n,), 0 where there is none;
    `way`: int8 (n,), 0 by the source's, 1 by the standard one, 2 by its id alone."""

    source: np.ndarray
    standard: np.ndarray
    way: np.ndarray

    def told(
        self, concept: Category, rows: np.ndarray, warnings: dict[str, int], occurring: set[Occurring]
    ) -> None:
        """Count in `warnings` which ways the accepted `rows` (int64 (m,)) went, and add to `occurring` each
        label of theirs with its own concepts."""
        for way, name in ((1, BY_STANDARD), (2, BY_ID)):
            if count := int((self.way[rows] == way).sum()):
                warnings[name] = warnings.get(name, 0) + count
        for ids in (self.source[rows], self.standard[rows]):
            pairs = np.unique(np.stack([concept.places[rows], ids])[:, ids > 0], axis=1)
            occurring.update((concept.labels[place], id) for place, id in pairs.T.tolist())


def by_concept(block: Block, event: Event, concepts: Concepts) -> tuple[list[str], np.ndarray, Own]:
    """Labels, which of them each row has, int32 (n,), −1 for none, and the concepts of each.

    A row has the code of its source's concept; where that is 0, absent or not in the concept table under a
    vocabulary of ours, the code of its standard concept; where neither is, the standard concept's id as a
    code of OMOP. A concept whose code is not of its own vocabulary's form counts for nothing, and neither
    does a source's concept that nobody knows.
    """
    source, standard = _ids(block, event.code), _ids(block, event.standard)
    given, at = concepts.labels(source)
    chosen, standing = concepts.labels(standard)
    alone = np.where(concepts.misread(source) | concepts.misread(standard), 0, standard)
    numbers, which = np.unique(alone, return_inverse=True)
    labels = [*given, *chosen, *(f"OMOP/{each}" for each in numbers.tolist())]
    way = np.where(at >= 0, 0, np.where(standing >= 0, 1, 2)).astype(np.int8)
    by_id = np.where(alone > 0, len(given) + len(chosen) + which.reshape(-1), -1)
    index = np.select([way == 0, way == 1], [at, len(given) + standing], by_id)
    return labels, index.astype(np.int32), Own(source, standard, way)


def _ids(block: Block, column: str | None) -> np.ndarray:
    """int64 (n,): the ids in a column, 0 where there is none that reads."""
    if column is None:
        return np.zeros(len(block), np.int64)
    values, state = block.fixed(column)
    return np.where((state == text.GOOD) & (values > 0), values // VALUE_SCALE, 0)
