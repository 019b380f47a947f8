"""A shard's cohort by DuckDB: the shard as tables of the shape that `sql` asks, so that one plain query
answers for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kernels.ages import year_month_day
from pipelines.cohort import duck, sql
from pipelines.cohort.columns import MISSING
from pipelines.cohort.given import stays
from pipelines.cohort.query import STAY, Cohort
from pipelines.cohort.results import Results
from pipelines.cohort.shard_source import ShardSource
from pipelines.cohort.sql_ended import why_ended
from pipelines.cohort.sql_events import Steps
from pipelines.files.frames import Category, Frame, array
from pipelines.files.schemas import DAY_UNKNOWN, KIND, KINDS, SEX_MAN, SEX_WOMAN, VALUE_MISSING

_GENDER = {SEX_MAN: 8507, SEX_WOMAN: 8532}


def run(cohort: Cohort, source: ShardSource, others: Mapping[str, Results]) -> Results:
    """As `engine.run`, where the days of the persons' deaths are given. `others`: what the other cohorts
    found in the shard, by name."""
    tables = {**_tables(source, cohort.domains()), STAY: stays(others)}
    with duck.connect(tables) as connection:
        found = sql.run(cohort, connection)
        numbers = {id: place for place, id in enumerate(cohort.sets)}
        asked = why_ended(cohort, Steps(duck.columns_of_tables(connection), numbers))
        return replace(found, ended=duck.columns(connection, asked)["ended"].astype(np.int8))


def _tables(source: ShardSource, domains: frozenset[str]) -> dict[str, Frame]:
    periods = source.periods
    person = source.persons
    gender = np.select(
        [source.of_persons("sex", np.arange(len(person))) == sex for sex in _GENDER],
        list(_GENDER.values()),
        0,
    )
    birth_day = source.birth_days(np.arange(len(person)))
    known = birth_day != MISSING
    birth = year_month_day(np.where(known, birth_day, 0))
    labels = source.labels
    return {
        "person": {
            "person_id": person,
            "gender_concept_id": gender,
            "death_date": _dates(array(source.people, "death_day")),
            **{
                f"{part}_of_birth": np.ma.array(birth[:, at], mask=~known)
                for at, part in enumerate(("year", "month", "day"))
            },
        },
        "observation_period": {
            "person_id": np.repeat(person, np.diff(periods.offsets)),
            "observation_period_start_date": periods.start.astype("M8[D]"),
            "observation_period_end_date": periods.end.astype("M8[D]"),
        },
        "codes": {
            "concept": np.arange(len(labels)),
            "label": Category(labels, np.arange(len(labels), dtype=np.int32)),
        },
        **{domain: _events(source, domain) for domain in domains & {"event", *KINDS}},
    }


def _events(source: ShardSource, domain: str) -> Frame:
    """Events of a kind, of the sources and people that may be seen."""
    frame = source.shard.read("events")
    kind = array(frame, "kind")
    keep = source.visible(frame) & ((kind == KIND[domain]) if domain != "event" else np.ones(len(kind), bool))
    rows = np.flatnonzero(keep)
    whole: Frame = {name: column[rows] for name, column in frame.items()}
    encounter, value = array(whole, "encounter"), array(whole, "value")
    return {
        "row": rows,
        "person_id": source.persons[array(whole, "person")],
        "concept": array(whole, "concept"),
        "start": _dates(array(whole, "start")),
        "end": _dates(array(whole, "end")),
        "encounter": np.ma.array(encounter, mask=encounter == 0),
        "value": np.ma.array(value, mask=value == VALUE_MISSING),
        **{name: whole[name] for name in ("setting", "position", "unit", "care_unit")},
    }


def _dates(day: np.ndarray) -> np.ndarray:
    dates = day.astype("M8[D]")
    dates[day == DAY_UNKNOWN] = np.datetime64("NaT")
    return dates
