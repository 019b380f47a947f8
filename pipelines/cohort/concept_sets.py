"""Which concepts a concept set holds, by the vocabulary of a CDM."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pipelines.cohort.cdm import Cdm
from pipelines.cohort.query import ConceptSet
from pipelines.study.codes import covers


def resolve(concepts: ConceptSet, cdm: Cdm) -> np.ndarray:
    """int64 (n,), ascending: the included concepts less the excluded."""
    if concepts.prefixes:
        return _coded(concepts, cdm)
    included = _gathered([item for item in concepts.items if not item.excluded], cdm)
    excluded = _gathered([item for item in concepts.items if item.excluded], cdm)
    return np.setdiff1d(included, excluded)


def unknown(concepts: ConceptSet, cdm: Cdm) -> int:
    """How many of the named concepts the vocabulary does not have."""
    named = np.unique(np.array([item.concept for item in concepts.items], np.int64))
    return int((~np.isin(named, cdm.numbers("concept", "concept_id"))).sum()) if len(named) else 0


def _gathered(items: Iterable, cdm: Cdm) -> np.ndarray:  # type: ignore[type-arg]
    items = list(items)
    found = _with_descendants(items, cdm)
    mapped = _with_descendants([item for item in items if item.mapped], cdm)
    return np.union1d(found, _mapped_to(mapped, cdm)) if len(mapped) else found


def _with_descendants(items: Iterable, cdm: Cdm) -> np.ndarray:  # type: ignore[type-arg]
    """The named concepts that the vocabulary has, valid or not, and valid descendants of those that ask for
    theirs."""
    items = list(items)
    named = np.intersect1d(
        np.array([item.concept for item in items], np.int64), cdm.numbers("concept", "concept_id")
    )
    above = np.array([item.concept for item in items if item.descendants], np.int64)
    if not len(above):
        return named
    ancestor, descendant = (
        cdm.numbers("concept_ancestor", f"{side}_concept_id") for side in ("ancestor", "descendant")
    )
    below = np.unique(descendant[np.isin(ancestor, above)])
    return np.union1d(named, below[np.isin(below, _valid(cdm))])


def _valid(cdm: Cdm) -> np.ndarray:
    """Concepts without an invalid_reason."""
    reason = cdm.column("concept", "invalid_reason", "text")
    return cdm.numbers("concept", "concept_id")[reason.codes < 0]  # type: ignore[union-attr]


def _mapped_to(targets: np.ndarray, cdm: Cdm) -> np.ndarray:
    """Concepts with a valid "Maps to" to one of `targets`."""
    of, to = (cdm.numbers("concept_relationship", f"concept_id_{side}") for side in (1, 2))
    kind, reason = (
        cdm.column("concept_relationship", name, "text") for name in ("relationship_id", "invalid_reason")
    )
    maps = [place for place, label in enumerate(kind.labels) if label == "Maps to"]  # type: ignore[union-attr]
    return np.unique(of[np.isin(kind.codes, maps) & (reason.codes < 0) & np.isin(to, targets)])  # type: ignore[union-attr]


def _coded(concepts: ConceptSet, cdm: Cdm) -> np.ndarray:
    """Concepts by their code in their vocabulary, written without dots: VOCABULARY/CODE."""
    vocabulary, code = (cdm.column("concept", name, "text") for name in ("vocabulary_id", "concept_code"))
    pairs = zip(vocabulary.codes.tolist(), code.codes.tolist(), strict=True)  # type: ignore[union-attr]
    labels = [f"{vocabulary.labels[of]}/{code.labels[at].replace('.', '').strip()}" for of, at in pairs]  # type: ignore[union-attr]
    fits = np.array(
        [
            any(covers(each, label) for each in concepts.prefixes)
            and not any(covers(each, label) for each in concepts.without)
            for label in labels
        ],
        bool,
    )
    return np.unique(cdm.numbers("concept", "concept_id")[fits])
