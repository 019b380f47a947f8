"""What `uttag cohort` writes beside OHDSI's tables, where a definition asks for it: controls of its members,
and counts by strata."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.cohort.cdm import Cdm
from pipelines.cohort.cdm_source import CdmSource
from pipelines.cohort.controls import Matching, find_controls, find_controls_in_cdm
from pipelines.cohort.results import Results
from pipelines.cohort.strata import NAMES, count_strata
from pipelines.site.snapshot import Snapshot
from pipelines.study.definition import Definition


class Beside:
    """Gathers the rows of all definitions."""

    def __init__(self) -> None:
        self._controls: list[dict[str, np.ndarray]] = []
        self._strata: list[dict[str, Any]] = []
        self._source: CdmSource | None = None

    def found(self, id: int, asked: Definition, where: Cdm | Snapshot, results: Results) -> dict[str, Any]:
        """What is told of a definition in `definitions.json`."""
        told: dict[str, Any] = {}
        if asked.controls is not None:
            matching = self._matching(asked, where, results)
            person, start, end, case = (
                np.asarray(matching.controls[name]) for name in ("person", "start", "end", "case")
            )
            self._controls.append(
                {
                    "cohort_definition_id": np.full(len(person), id, np.int64),
                    "subject_id": person,
                    "cohort_start_date": start.astype("M8[D]"),
                    "cohort_end_date": end.astype("M8[D]"),
                    "case_id": case,
                }
            )
            told["controls"] = matching.receipt
        if asked.strata and isinstance(where, Snapshot):
            told["strata"] = count_strata(where.shards, asked.strata, results.members())
            self._strata += [{"cohort_definition_id": id, **row} for row in told["strata"]]
        return told

    def _matching(self, asked: Definition, where: Cdm | Snapshot, results: Results) -> Matching:
        if isinstance(where, Snapshot):
            return find_controls(where.shards, None, asked, results.members())
        if self._source is None:
            self._source = CdmSource(where)
        return find_controls_in_cdm(self._source, asked, results)

    def tables(self) -> dict[str, dict[str, object]]:
        """Columns by table, of those that some definition asks for."""
        found: dict[str, dict[str, object]] = {}
        if self._controls:
            found["controls"] = _stacked(self._controls)
        if self._strata:
            texts = {name: np.array([row.get(name, "") for row in self._strata], object) for name in NAMES}
            numbers = {
                name: np.array([row[name] for row in self._strata], np.int64)
                for name in ("cohort_definition_id", "members")
            }
            found["strata"] = {
                "cohort_definition_id": numbers["cohort_definition_id"],
                **texts,
                "members": numbers["members"],
            }
        return found


def _stacked(parts: list[dict[str, np.ndarray]]) -> dict[str, object]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
