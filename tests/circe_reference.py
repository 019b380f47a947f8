"""Definitions of OHDSI's Circe with the rows that circe-be gives, where the reference data are there."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.cohort.query import Cohort
from pipelines.cohort.results import Results

REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "cohort"
ABSENT = "the reference data of ../shared/reference/cohort are not here"

Tables: TypeAlias = Mapping[str, pa.Table]
Answer: TypeAlias = Mapping[
    str, Mapping[str, np.ndarray]
]  # OHDSI's result tables by name, their columns by name
Engine: TypeAlias = Callable[
    [Tables], AbstractContextManager[Callable[[Cohort], Results]]
]  # made ready once for many definitions

SETS = {
    "circe": "gibleed",
    "rich": "rich_cdm",
}  # folder of definitions: folder of the tables they are asked of


def definitions(folder: str) -> list[str]:
    """Names of the definitions in a folder, none if it is not there."""
    return sorted(path.stem for path in (REFERENCE / folder / "definitions").glob("*.json"))


def tables(folder: str) -> dict[str, pa.Table]:
    """OMOP tables by name."""
    return {path.stem: pq.read_table(path) for path in sorted((REFERENCE / folder).glob("*.parquet"))}


class Expected:
    """What circe-be gives for every definition of a folder."""

    def __init__(self, folder: str) -> None:
        self._tables = {
            path.stem.removeprefix("expected_"): _columns(pq.read_table(path))
            for path in (REFERENCE / folder).glob("expected_*.parquet")
        }

    def of(self, definition: str) -> Answer:
        """Its rows in each result table."""
        found = {}
        for name, columns in self._tables.items():
            mine = columns["cohort_definition_id"] == int(definition)
            found[name] = {
                column: values[mine] for column, values in columns.items() if column != "cohort_definition_id"
            }
        return found


def rows(table: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray:
    """Its rows in one order: int64 (rows, columns)."""
    whole = np.stack([np.asarray(table[name], np.int64) for name in names], axis=1)
    return whole[np.lexsort(whole.T[::-1])]


def differences(expected: Answer, given: Answer) -> list[str]:
    """What is missing and what is too much, by table; values of made-up data alone."""
    found = []
    for table, columns in expected.items():
        names = list(columns)
        wanted, got = (list(map(tuple, rows(each, names).tolist())) for each in (columns, given[table]))
        if wanted != got:
            missing, surplus = sorted(set(wanted) - set(got)), sorted(set(got) - set(wanted))
            found.append(
                f"{table} {names}: {len(wanted)} expected, {len(got)} given; missing {missing[:5]}, too much "
                f"{surplus[:5]}"
            )
    return found


def _columns(table: pa.Table) -> dict[str, np.ndarray]:
    return {
        name: (table[name].cast(pa.int32()) if pa.types.is_date(table[name].type) else table[name])
        .to_numpy()
        .astype(np.int64)
        for name in table.column_names
    }


# --- circe-be's own cases: a definition, changed step by step, over a few rows
# --------------------------------------------------------


def golden() -> Iterator[tuple[str, str, list[dict[str, Any] | None]]]:
    """Folder of the case, its tables' file, and the definitions by number, from 1, as circe-be's own tests
    make them."""
    counts = _golden("correlatedCriteria/countsExpression")
    yield (
        "correlatedCriteria",
        "countsTest",
        [
            counts,
            _with(counts, {"Type": 2, "Count": 1}, "AdditionalCriteria", "CriteriaList", 0, "Occurrence"),
            _with(counts, {"Type": 1, "Count": 0}, "AdditionalCriteria", "CriteriaList", 0, "Occurrence"),
            _golden("correlatedCriteria/visitExpression"),
        ],
    )
    group = _golden("correlatedCriteria/groupExpression")
    yield (
        "correlatedCriteria",
        "groupTest",
        [
            group,
            _with(group, {"Type": "AT_LEAST", "Count": 2}, "AdditionalCriteria"),
            _with(group, {"Type": "AT_MOST", "Count": 2}, "AdditionalCriteria"),
            _with(
                _with(group, {"Type": "ALL"}, "AdditionalCriteria"),
                {"Type": "AT_MOST", "Count": 0},
                "AdditionalCriteria",
                "Groups",
                0,
            ),
            _with(group, {"Type": "ALL", "Groups": []}, "AdditionalCriteria"),
        ],
    )
    limited = [_golden("limits/limitExpression")]
    for change, *path in (
        ({"Type": "first"}, "ExpressionLimit"),
        ({"Type": "first"}, "QualifiedLimit"),
        ({"Type": "first"}, "PrimaryCriteria", "PrimaryCriteriaLimit"),
        ({"Type": "last"}, "PrimaryCriteria", "PrimaryCriteriaLimit"),
    ):
        limited.append(_with(limited[-1], change, *path))
    yield "limits", "limitTest", [*limited]
    first = _golden("firstOccurrence/firstOccurrenceTestExpression")
    domains = (
        "ConditionEra",
        "ConditionOccurrence",
        "DeviceExposure",
        "DrugEra",
        "DrugExposure",
        "Measurement",
        "Observation",
        "ProcedureOccurrence",
        "Specimen",
        "VisitOccurrence",
        "PayerPlanPeriod",
    )
    yield (
        "firstOccurrence",
        "firstOccurrenceTest",
        [
            _with(first, {"CriteriaList": [{domain: {"First": True}}]}, "PrimaryCriteria")
            for domain in domains
        ],
    )
    yield "censorWindow", "censorWindow", [_golden("censorWindow/censorWindowExpression")]
    yield "eraDupes", "eraDupes", [_golden("eraDupes/eraDupesExpression")]


def golden_tables(folder: str, name: str) -> dict[str, pa.Table]:
    """A case's tables, and a vocabulary in which 2 and 3 descend from 1."""
    given = json.loads((REFERENCE / "circe_golden" / folder / f"{name}_PREP.json").read_text())
    found = {key.removeprefix("cdm."): _typed(values) for key, values in given.items()}
    found["concept"] = pa.table(
        {"concept_id": [1, 2, 3], "invalid_reason": pa.array([None] * 3, pa.string())}
    )
    found["concept_ancestor"] = pa.table({"ancestor_concept_id": [1, 1], "descendant_concept_id": [2, 3]})
    return found


def golden_rows(folder: str, name: str) -> dict[str, list[dict[str, Any]]]:
    """What must come out, by table."""
    given = json.loads((REFERENCE / "circe_golden" / folder / f"{name}_VERIFY.json").read_text())
    return {key.split(".")[1]: values for key, values in given.items()}


def _typed(values: list[dict[str, Any]]) -> pa.Table:
    table = pa.Table.from_pylist(values)
    for place, name in enumerate(table.column_names):
        if name.endswith("_date"):
            table = table.set_column(place, name, table[name].cast(pa.timestamp("s")).cast(pa.date32()))
    return table


def _golden(name: str) -> dict[str, Any] | None:
    path = REFERENCE / "circe_golden" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _with(
    definition: dict[str, Any] | None, change: dict[str, Any], *path: str | int
) -> dict[str, Any] | None:
    """A copy in which the object at `path` has other members."""
    changed = copy.deepcopy(definition)
    if changed is None:
        return None
    place: Any = changed
    for step in path:
        place = place[step]
    place.update(change)
    return changed
