"""OMOP CDM tables (5.3 and 5.4, CSV or Parquet): what each of them holds, so that a contract need only list the tables and columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines import codes
from pipelines.intake.adapters import blocks
from pipelines.intake.contract import BY_CONCEPT, Coded, Contract, Event, Identities, Mapping
from pipelines.schemas import VALUE_SCALE

# Vocabularies of a concept table and the code systems that they are here.
VOCABULARIES = {
    "ICD10SE": "ICD-10-SE", "ICD10": "ICD-10-SE", "ICD10CM": "ICD-10-CM", "ICD9CM": "ICD-9-CM", "ATC": "ATC", "KVA": "KVA", "LAB": "LAB",
    "CPT4": "CPT4", "HCPCS": "HCPCS", "ICD10PCS": "ICD-10-PCS", "ICD9Proc": "ICD-9-PROC", "NDC": "NDC",
}  # fmt: skip
SETTINGS = {
    "9201": "inpatient", "262": "inpatient", "8717": "inpatient", "9203": "emergency", "8870": "emergency", "9202": "outpatient",
    "8883": "outpatient", "581385": "outpatient", "38004207": "outpatient", "581477": "primary", "8940": "primary", "0": "unknown",
}  # fmt: skip


def default_mapping(table: str) -> Mapping | None:
    """What a CDM table holds; None for one that intake does not know."""
    return _DEFAULTS.get(table)


def _occurrence(kind: str, name: str, start: str, end: str | None, **more: str) -> Mapping:
    return Mapping(
        events=(
            Event(
                kind=kind, reference="person_id", start=start, end=end, code=f"{name}_source_concept_id", system=BY_CONCEPT,
                encounter="visit_occurrence_id", **more,
            ),
        )
    )  # fmt: skip


_DEFAULTS = {
    "person": Mapping(
        identities=Identities(
            reference="person_id", sex=Coded(column="gender_concept_id", values={"8507": "man", "8532": "woman", "0": "unknown"}),
            birth=("year_of_birth", "month_of_birth", "day_of_birth"),
        )
    ),
    "observation_period": Mapping(
        events=(
            Event(
                kind="observation", reference="person_id", start="observation_period_start_date", end="observation_period_end_date",
                concept="VITAL/OBSERVED",
            ),
        )
    ),
    "visit_occurrence": Mapping(
        events=(
            Event(
                kind="visit", reference="person_id", start="visit_start_date", end="visit_end_date", care_unit="care_site_id",
                encounter="visit_occurrence_id", setting=Coded(column="visit_concept_id", values=SETTINGS),
            ),
        )
    ),
    "condition_occurrence": _occurrence("diagnosis", "condition", "condition_start_date", None),
    "procedure_occurrence": _occurrence("procedure", "procedure", "procedure_date", None),
    "drug_exposure": _occurrence("drug", "drug", "drug_exposure_start_date", None),
    "measurement": _occurrence(
        "measurement", "measurement", "measurement_date", None, value="value_as_number", unit="unit_source_value"
    ),
    "death": Mapping(events=(Event(kind="death", reference="person_id", start="death_date", concept="VITAL/DEATH"),)),
    "concept": Mapping(lookup=True),
    "care_site": Mapping(lookup=True),
}  # fmt: skip


class ConceptTable:
    """A delivery's own concepts: ids ascending, and the label of each, −1 where the vocabulary is not one of ours or the code not its."""

    def __init__(self, ids: np.ndarray, index: np.ndarray, names: Sequence[str]) -> None:
        self._ids, self._index, self._names = ids, index, list(names)

    def labels(self, concept: np.ndarray) -> tuple[list[str], np.ndarray]:
        """See `events.Concepts`."""
        if not len(self._ids):
            return [], np.full(len(concept), -1, np.int32)
        place = np.minimum(np.searchsorted(self._ids, concept), len(self._ids) - 1)
        return self._names, np.where(self._ids[place] == concept, self._index[place], -1).astype(np.int32)


@lru_cache(maxsize=4)
def concept_table(contract: Contract, files: tuple[tuple[str, str], ...]) -> ConceptTable:
    """Read a delivery's concept table. `files`: path and content digest of each, the latter so that a changed file is read again."""
    table = contract.table("concept")
    ids, index = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    names: list[str] = []
    for path, _ in files:
        for block in blocks(contract, table, Path(path), []) if table else ():
            vocabulary, of_vocabulary = block.category("vocabulary_id")
            code, of_code = block.category("concept_code")
            values, _state = block.fixed("concept_id")
            ids.append(values // VALUE_SCALE)
            pair = of_vocabulary.astype(np.int64) * (len(code) + 1) + of_code
            distinct, row = np.unique(pair, return_inverse=True)
            place = np.full(len(distinct), -1, np.int32)
            for position, each in enumerate(distinct):
                system = VOCABULARIES.get(vocabulary[int(each) // (len(code) + 1)]) if each >= 0 else None
                written = codes.normal(code[int(each) % (len(code) + 1)]) if system and int(each) % (len(code) + 1) < len(code) else ""
                if system and codes.known(system, written):
                    place[position] = len(names)
                    names.append(f"{system}/{written}")
            index.append(place[row])
    all_ids, all_index = np.concatenate(ids), np.concatenate(index)
    order = np.argsort(all_ids, kind="stable")
    return ConceptTable(all_ids[order], all_index[order], names)
