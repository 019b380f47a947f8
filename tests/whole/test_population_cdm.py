"""A population, and another cohort as a rule, over an OMOP CDM: both engines, and a plain recount."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from tests import sites

FIRST, LAST = date(2019, 1, 1), date(2020, 12, 31)
HEAD = """cohort: {name}
title: t
study: {{from: 2019-01-01, to: 2020-12-31}}
codes: {{ill: {{concepts: [10]}}}}
"""
YAML = {
    "on-a-day": "index: {date: 2019-07-01}\nage: {from: 40}\nprior_observation: 100\n",
    "from-the-first-day": "index: {residence: first}\nage: {from: 40}\nprior_observation: 100\n",
    "never-ill": "index: {date: 2019-07-01}\nexclude: [{cohort: ill, from: null, to: 0, day: entry}]\n",
    "ill": "index: {codes: ill, kind: diagnosis, which: first}\n",
}


class Person:
    """Somebody made up, and the days; of every fifth the year of birth alone is known."""

    def __init__(self, number: int, random: Random) -> None:
        self.number = number
        self.born = date(random.randint(1960, 1990), random.choice([2, 3]), random.choice([1, 28]))
        if self.born.month == 2 and self.born.year % 4 == 0 and random.random() < 0.7:
            self.born = self.born.replace(day=29)
        self.known = number % 5 > 0
        begin = date(2017, 6, 1) + timedelta(random.randint(0, 1200))
        self.periods = [(begin, begin + timedelta(random.randint(10, 700)))]
        if random.random() < 0.4:  # another that overlaps the first
            self.periods.append((begin + timedelta(5), self.periods[0][1] + timedelta(random.randint(0, 90))))
        self.ill = sorted(begin + timedelta(random.randint(-50, 700)) for _ in range(random.randint(0, 2)))

    def age(self, day: date) -> int:
        if not self.known:
            return day.year - self.born.year
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))

    def enters(self, day: date, prior: int = 0) -> bool:
        return FIRST <= day <= LAST and any(a + timedelta(prior) <= day <= b for a, b in self.periods)


@pytest.fixture(scope="module")
def people() -> list[Person]:
    random = Random(4)
    return [Person(number, random) for number in range(1, 301)]


@pytest.fixture(scope="module")
def cdm(people: list[Person], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("population") / "cdm"
    folder.mkdir()
    person = ["person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth"]
    period = ["person_id,observation_period_id,observation_period_start_date,observation_period_end_date"]
    condition = [
        "condition_occurrence_id,person_id,condition_concept_id,condition_source_concept_id,"
        "condition_start_date,condition_end_date,visit_occurrence_id"
    ]
    for one in people:
        rest = f"{one.born.month},{one.born.day}" if one.known else ","
        person.append(f"{one.number},8507,{one.born.year},{rest}")
        period += [f"{one.number},{one.number * 10 + n},{a},{b}" for n, (a, b) in enumerate(one.periods)]
        condition += [
            f"{one.number * 10 + n},{one.number},10,10,{day},{day}," for n, day in enumerate(one.ill)
        ]
    tables = {
        "person": person,
        "observation_period": period,
        "condition_occurrence": condition,
        "concept": ["concept_id,vocabulary_id,concept_code,invalid_reason", "10,SNOMED,A,"],
        "concept_ancestor": ["ancestor_concept_id,descendant_concept_id", "10,10"],
    }
    for name, lines in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    definitions = folder.parent / "definitions"
    definitions.mkdir()
    for name, more in YAML.items():
        (definitions / f"{name}.yaml").write_text(HEAD.format(name=name) + more, encoding="utf-8")
    return folder


def found(cdm: Path, out: Path, engine: str) -> dict[str, dict[int, date]]:
    """By definition, the index day of each person."""
    sites.called("cohort", cdm.parent / "definitions", "--cdm", cdm, "--out", out, "--engine", engine)
    about = json.loads((out / "definitions.json").read_text(encoding="utf-8"))
    names = {each["cohort_definition_id"]: each["file"].removesuffix(".yaml") for each in about}
    table = pq.read_table(out / "cohort.parquet").to_pylist()
    return {
        name: {
            row["subject_id"]: row["cohort_start_date"] for row in table if row["cohort_definition_id"] == id
        }
        for id, name in names.items()
    }


def test_a_population_of_a_cdm_is_that_of_a_plain_recount(
    people: list[Person], cdm: Path, tmp_path: Path
) -> None:
    fast, plain = (found(cdm, tmp_path / engine, engine) for engine in ("numba", "duckdb"))
    assert fast == plain
    day, days = date(2019, 7, 1), [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
    assert fast["on-a-day"] == {
        one.number: day for one in people if one.enters(day, 100) and one.age(day) >= 40
    }
    first = {
        one.number: next((each for each in days if one.enters(each, 100) and one.age(each) >= 40), None)
        for one in people
    }
    assert fast["from-the-first-day"] == {number: each for number, each in first.items() if each is not None}
    ill = {one.number: one.ill[0] for one in people if one.ill and one.enters(one.ill[0])}
    assert fast["ill"] == ill
    assert fast["never-ill"] == {
        one.number: day
        for one in people
        if one.enters(day) and not (one.number in ill and ill[one.number] <= day)
    }
    assert all(len(each) > 20 for each in fast.values())
