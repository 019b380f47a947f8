"""What people reported of other cohort tools: every row of every table, by both engines, and nothing answered
where a column is missing that the answer hangs on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.cohort import alone, circe, engine
from pipelines.cohort.cdm import Cdm
from pipelines.cohort.cdm_source import CdmSource
from pipelines.cohort.results import Results
from pipelines.cohort.uses import refuse, uses
from pipelines.errors import DataError, UttagError
from tests import circe_reference as reference

CASES = Path(__file__).parents[3] / "shared" / "reference" / "cases" / "cohort"
TABLES = (
    "cohort",
    "cohort_inclusion_result",
    "cohort_inclusion_stats",
    "cohort_summary_stats",
    "cohort_censor_stats",
)
ENGINES = ("numba", "duckdb")
WITH_ROWS = sorted(path.parent.name for path in CASES.glob("*/ref"))

pytestmark = pytest.mark.skipif(not CASES.exists(), reason="../shared/reference/cases is not here")


def raised(fault: UttagError) -> None:
    raise fault


def answered(definitions: Path, cdm: Path, out: Path, by: str) -> list[UttagError]:
    """Run what can be run; what cannot."""
    where = Cdm(cdm)
    asked, faults = alone.asked([definitions], where)
    if asked:
        alone.run(asked, where, out, by, lambda _line: None, raised)
    return faults


def rows(folder: Path, table: str, of: set[int] | None = None) -> list[tuple[object, ...]]:
    read = pq.read_table(folder / f"{table}.parquet").to_pylist()
    kept = [row for row in read if of is None or row["cohort_definition_id"] in of]
    return sorted(tuple((name, str(row[name])) for name in sorted(row)) for row in kept)


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("case", WITH_ROWS)
def test_every_row_of_every_table_is_right(case: str, by: str, tmp_path: Path) -> None:
    assert answered(CASES / case / "defs", CASES / case / "cdm", tmp_path, by) == []
    for table in TABLES:
        assert rows(tmp_path, table) == rows(CASES / case / "ref", table), table


@pytest.mark.parametrize("case", WITH_ROWS)
def test_a_column_that_is_not_there_is_told_by_name_or_nothing_hangs_on_it(case: str) -> None:
    folder = Cdm(CASES / case / "cdm")
    whole = {table: folder.typed(table, folder.columns(table)) for table in folder.tables()}
    definitions = [(path, circe.load(path)) for path in sorted((CASES / case / "defs").iterdir())]
    known = {id: engine.run(cohort, CdmSource(Cdm(None, whole))) for id, cohort in definitions}
    for table, columns in whole.items():
        for column in columns.column_names:
            cdm = Cdm(None, {**whole, table: columns.drop_columns([column])})
            for path, cohort in definitions:
                try:
                    refuse(cohort, cdm, path)
                except DataError as fault:
                    assert f"{table}: has no column {column}, on which" in fault.what
                    assert fault.where == str(path)
                    continue
                assert_same(engine.run(cohort, CdmSource(cdm)), known[path])


def assert_same(given: Results, wanted: Results) -> None:
    for name, table in wanted.tables().items():
        for column, values in table.items():
            np.testing.assert_array_equal(given.tables()[name][column], values)


@pytest.mark.parametrize(
    ("case", "column", "answered_still"),
    [
        ("2-drug-end-null-and-before-start", "days_supply", {203}),
        ("4-nested-restrict-visit", "visit_occurrence_id", set()),
    ],
)
def test_the_columns_of_the_reports(case: str, column: str, answered_still: set[int], tmp_path: Path) -> None:
    for path in (CASES / case / "cdm").glob("*.csv"):
        names, _, rest = path.read_text().partition("\n")
        (tmp_path / path.name).write_text(f"{names.replace(column, f'other_{column}')}\n{rest}")
    asked, faults = alone.asked([CASES / case / "defs"], Cdm(tmp_path))
    assert {each.id for each in asked} == answered_still
    assert len(faults) + len(asked) == len(list((CASES / case / "defs").iterdir()))


@pytest.mark.parametrize("by", ENGINES)
def test_who_has_a_year_of_birth_alone_has_an_age_by_year_and_is_counted(by: str, tmp_path: Path) -> None:
    case = CASES / "9-year-of-birth-only"
    assert answered(case / "defs", case / "cdm", tmp_path, by) == []
    found = pq.read_table(tmp_path / "cohort.parquet").column("subject_id").to_pylist()
    assert found == [3, 4]
    assert '"ages_by_year_of_birth": 1' in (tmp_path / "definitions.json").read_text()


@pytest.mark.skipif(not reference.REFERENCE.exists(), reason=reference.ABSENT)
@pytest.mark.parametrize("folder", sorted(reference.SETS))
def test_an_answer_stands_on_the_columns_that_it_is_said_to_hang_on_and_on_no_other(folder: str) -> None:
    tables = reference.tables(reference.SETS[folder])
    expected = reference.Expected(folder)
    for name in reference.definitions(folder)[::6]:
        cohort = circe.load(reference.REFERENCE / folder / "definitions" / f"{name}.json")
        kept: dict[str, set[str]] = {}
        for use in uses(cohort):
            kept.setdefault(use.table, set()).add(use.column)
        narrow = {
            table: tables[table].select([each for each in tables[table].column_names if each in columns])
            for table, columns in kept.items()
            if table in tables
        }
        given = engine.run(cohort, CdmSource(Cdm(None, narrow))).tables()
        assert not reference.differences(expected.of(name), given), name
