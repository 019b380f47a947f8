"""A delivery's own concept table (OMOP CDM): what system and code each of its concept ids stands for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.files.schemas import VALUE_SCALE
from pipelines.intake.adapters import blocks
from pipelines.intake.contract import Contract
from pipelines.study import codes

Digests = tuple[tuple[str, str], ...]

# Vocabularies of a concept table and the code systems that they are here.
VOCABULARIES = {
    "ICD10SE": "ICD-10-SE",
    "ICD10": "ICD-10",
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
    "SNOMED": "SNOMED",
    "RxNorm": "RxNorm",
    "RxNorm Extension": "RxNorm-Extension",
    "LOINC": "LOINC",
    "CVX": "CVX",
}


class ConceptTable:
    """A delivery's own concepts. `ids`: int64 (n,), ascending; `vocabulary`: int32 (n,), position among
    `names`, the labels of vocabularies; `code`: str (n,), the code of each as delivered."""

    def __init__(
        self, ids: np.ndarray, vocabulary: np.ndarray, names: list[str], code: pa.ChunkedArray
    ) -> None:
        self._ids, self._vocabulary, self._names, self._code = ids, vocabulary, names, code

    def labels(self, concept: np.ndarray) -> tuple[list[str], np.ndarray]:
        """See `events.Concepts`: each different id is looked up once."""
        distinct, row = np.unique(concept, return_inverse=True)
        places = self._places(distinct)
        found = np.flatnonzero(places >= 0)
        written = self._code.take(pa.array(places[found])).to_pylist()
        labels: dict[str, int] = {}
        index = np.full(len(distinct), -1, np.int32)
        for position, vocabulary, code in zip(
            found.tolist(), self._vocabulary[places[found]].tolist(), written, strict=True
        ):
            if label := _label(self._names[vocabulary] if vocabulary >= 0 else "", code or ""):
                index[position] = labels.setdefault(label, len(labels))
        return list(labels), index[row.reshape(-1)]

    def misread(self, concept: np.ndarray) -> np.ndarray:
        """bool (n,): ids, int64 (n,), that are in the table under one of our vocabularies, but with a code
        that is not of its form: to be believed in no way."""
        places = self._places(concept)
        ours = np.array([name in VOCABULARIES for name in self._names] + [False])
        _, index = self.labels(concept)
        vocabulary = self._vocabulary[places] if len(self._ids) else np.full(len(places), -1)
        return (places >= 0) & (index < 0) & ours[vocabulary]  # type: ignore[no-any-return]

    def _places(self, concept: np.ndarray) -> np.ndarray:
        if not len(self._ids):
            return np.full(len(concept), -1, np.int64)
        place = np.minimum(np.searchsorted(self._ids, concept), len(self._ids) - 1)
        return np.where(self._ids[place] == concept, place, -1)


def _label(vocabulary: str, code: str) -> str:
    """SYSTEM/CODE; empty where the vocabulary is not one of ours, or the code not of its form."""
    system = VOCABULARIES.get(vocabulary)
    written = codes.written(system, code) if system else ""
    return f"{system}/{written}" if system and codes.known(system, written) else ""


@lru_cache(maxsize=4)
def concept_table(contract: Contract, files: Digests) -> ConceptTable:
    """Read a delivery's concept table. `files`: path and content digest of each, the latter so that a changed
    file is read again."""
    table = contract.table("concept")
    ids, vocabulary, code = [np.empty(0, np.int64)], [np.empty(0, np.int32)], list[pa.Array]()
    names: dict[str, int] = {}
    for path, _ in files:
        for block in blocks(contract, table, Path(path), []) if table else ():
            labels, index = block.category("vocabulary_id")
            target = np.array([names.setdefault(each, len(names)) for each in labels] + [-1], np.int32)
            values, _state = block.fixed("concept_id")
            ids.append(values // VALUE_SCALE)
            vocabulary.append(target[index])
            code.append(block.strings("concept_code").cast(pa.string()))
    order = np.argsort(np.concatenate(ids), kind="stable")
    return ConceptTable(
        np.concatenate(ids)[order],
        np.concatenate(vocabulary)[order],
        list(names),
        pa.chunked_array(code, pa.string()).take(pa.array(order)),
    )
