"""Every engine gives, to the row, what circe-be gives: published definitions, definitions of every feature,
and circe-be's own cases."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import date

import pytest

from pipelines.cohort import circe, duck, engine, sql
from pipelines.cohort.cdm import Cdm
from pipelines.cohort.cdm_source import CdmSource
from pipelines.cohort.query import Cohort
from pipelines.cohort.results import Results
from tests import circe_reference as reference
from tests.circe_reference import Engine, Tables

pytestmark = pytest.mark.skipif(not reference.REFERENCE.exists(), reason=reference.ABSENT)


@contextlib.contextmanager
def sql_engine(tables: Tables) -> Iterator[Callable[[Cohort], Results]]:
    """DuckDB."""
    with duck.connect(tables) as connection:
        yield lambda cohort: sql.run(cohort, connection)


@contextlib.contextmanager
def numba_engine(tables: Tables) -> Iterator[Callable[[Cohort], Results]]:
    """Loops over postings."""
    source = CdmSource(Cdm(None, tables))
    yield lambda cohort: engine.run(cohort, source)


ENGINES: dict[str, Engine] = {"numba": numba_engine, "sql": sql_engine}
CASES = [(folder, name) for folder in reference.SETS for name in reference.definitions(folder)]


@pytest.fixture(scope="module", params=sorted(ENGINES))
def asked(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


@pytest.fixture(scope="module")
def answering(asked: Engine) -> Iterator[Callable[[str], Callable[[Cohort], Results]]]:
    """The engine over the tables of a folder, made ready once."""
    with contextlib.ExitStack() as open_engines:
        ready: dict[str, Callable[[Cohort], Results]] = {}

        def over(folder: str) -> Callable[[Cohort], Results]:
            if folder not in ready:
                ready[folder] = open_engines.enter_context(asked(reference.tables(reference.SETS[folder])))
            return ready[folder]

        yield over


@pytest.fixture(scope="module")
def expected() -> dict[str, reference.Expected]:
    return {folder: reference.Expected(folder) for folder in reference.SETS}


@pytest.mark.parametrize(("folder", "name"), CASES, ids=[f"{folder}-{name}" for folder, name in CASES])
def test_the_rows_are_those_of_circe(
    folder: str,
    name: str,
    answering: Callable[[str], Callable[[Cohort], Results]],
    expected: dict[str, reference.Expected],
) -> None:
    cohort = circe.load(reference.REFERENCE / folder / "definitions" / f"{name}.json")
    assert not reference.differences(expected[folder].of(name), answering(folder)(cohort).tables())


def test_no_table_and_no_definition_is_left_out(expected: dict[str, reference.Expected]) -> None:
    assert [len(reference.definitions(folder)) for folder in reference.SETS] == [95, 270]
    assert [len(expected[folder].of("1007")) for folder in reference.SETS] == [4, 5]


@pytest.mark.parametrize(
    ("folder", "name", "definitions"),
    list(reference.golden()),
    ids=[name for _, name, _ in reference.golden()],
)
def test_circes_own_cases(
    folder: str, name: str, definitions: list[dict[str, object]], asked: Engine
) -> None:
    verified = reference.golden_rows(folder, name)
    with asked(reference.golden_tables(folder, name)) as answering:
        for number, definition in enumerate(definitions, 1):
            given = answering(circe.parse(json.dumps(definition), f"{name} {number}")).tables()
            wanted = [
                (
                    row["subject_id"],
                    *(
                        (date.fromisoformat(row[f"cohort_{side}_date"]) - date(1970, 1, 1)).days
                        for side in ("start", "end")
                    ),
                )
                for row in verified["cohort"]
                if row["cohort_definition_id"] == number
            ]
            assert list(
                map(tuple, reference.rows(given["cohort"], list(given["cohort"])).tolist())
            ) == sorted(wanted)
            lost = [row["lost_count"] for row in verified.get("cohort_censor_stats", [])]
            assert given["cohort_censor_stats"]["lost_count"].tolist() == lost
