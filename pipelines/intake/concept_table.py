"""A delivery's own concept table (OMOP CDM): what system and code each of its concept ids stands for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.files.schemas import VALUE_SCALE
from pipelines.intake.adapters import blocks
from pipelines.intake.contract import Contract
from pipelines.study import codes

# Vocabularies of a concept table and the code systems that they are here.
VOCABULARIES = {
    "ICD10SE": "ICD-10-SE",
    "ICD10": "ICD-10-SE",
    "ICD10CM": "ICD-10-CM",
    "ICD9CM": "ICD-9-CM",
    "ATC": "ATC",
    "KVA": "KVA",
    "LAB": "LAB",
    "CPT4": "CPT4",
    "HCPCS": "HCPCS",
    "ICD10PCS": "ICD-10-PCS",
    "ICD9Proc": "ICD-9-PROC",
    "NDC": "NDC",
}


class ConceptTable:
    """A delivery's own concepts. `ids`: int64 (n,), ascending; `index`: int32 (n,), the label of each among
    `names`, −1 where the vocabulary is not one of ours or the code not its."""

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
    """Read a delivery's concept table. `files`: path and content digest of each, the latter so that a changed
    file is read again."""
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
                written = (
                    codes.normal(code[int(each) % (len(code) + 1)])
                    if system and int(each) % (len(code) + 1) < len(code)
                    else ""
                )
                if system and codes.known(system, written):
                    place[position] = len(names)
                    names.append(f"{system}/{written}")
            index.append(place[row])
    all_ids, all_index = np.concatenate(ids), np.concatenate(index)
    order = np.argsort(all_ids, kind="stable")
    return ConceptTable(all_ids[order], all_index[order], names)
