"""Controls are valid: what plain SQL says of who may be chosen holds of every control, and nobody who could
be chosen is left over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cohort import duck, engine
from pipelines.cohort.cdm import Cdm
from pipelines.cohort.cdm_source import CdmSource
from pipelines.cohort.controls import Matching, find_controls, find_controls_in_cdm
from pipelines.cohort.lower import lower
from pipelines.cohort.stage import select
from pipelines.files.frames import Category, Frame, concat, take
from pipelines.files.schemas import DAY_UNKNOWN, KIND, MEMBERS
from pipelines.store.shard import codes, postings
from pipelines.study.definition import Definition
from tests.amount import share_of
from tests.people import MadeShard, make_shard

FIRST, LAST = date(2018, 1, 1), date(2020, 12, 31)
KEYS = st.lists(st.sampled_from(["sex", "birth_year", "municipality"]), max_size=3, unique=True)
controls = st.builds(
    lambda ratio, exact, nearest, replace, seed, never: {
        "ratio": ratio,
        "exact": exact,
        "nearest": nearest,
        "replace": replace,
        "seed": seed,
        "never_cases": never,
    },
    st.integers(1, 4),
    KEYS,
    st.none() | st.integers(0, 9000).map(lambda days: {"birth_day": days}),
    st.booleans(),
    st.integers(0, 3),
    st.booleans(),
)
definitions = st.builds(
    lambda which, prior, age, sex, washout, follow_up, asked: Definition(
        cohort="c",
        title="c",
        study={"from": FIRST, "to": LAST},
        codes={"one": ["T/B12"], "two": ["T/D"]},
        index={"codes": "one", "which": which, "kind": "drug"},
        prior_observation=prior,
        age=age,
        sex=sex,
        washout=washout if which not in ("first", 1) else None,
        follow_up=follow_up,
        censor=[{"codes": "two", "setting": ["inpatient"]}],
        controls=asked,
    ),
    st.sampled_from(["first", "last", "any", 2]),
    st.integers(0, 300),
    st.none() | st.just({"from": 20, "to": 60}),
    st.sampled_from([None, "man", "woman"]),
    st.none() | st.just(100),
    st.none() | st.integers(1, 300),
    controls,
)

# Every case with everybody who may be its control: observed, alive, alike, and without an event as that of
# the index.
ELIGIBLE = """
WITH facts AS (
    SELECT p.row, p.person, nullif(p.sex, 0) AS sex,
        CASE WHEN p.birth_day <> $unknown THEN date '1970-01-01' + p.birth_day END AS birth,
        CASE WHEN p.death_day = $unknown THEN 2147483647 ELSE p.death_day END AS death,
        p.opt_out_day = $unknown AS free,
        (SELECT min(e.start) FROM events e WHERE e.person = p.row AND e.kind = $kind
            AND starts_with(e.concept, 'T/B12') AND e.start <> $unknown) AS event
    FROM persons p
),
lived AS (
    SELECT f.row, c.case_id, c.day, (
        SELECT r.municipality FROM residences r WHERE r.person = f.row AND c.day BETWEEN r.start AND r.end
            ORDER BY r.start DESC LIMIT 1
    ) AS home
    FROM facts f CROSS JOIN (SELECT person AS case_id, start AS day FROM members) c
)
SELECT c.person AS case_id, k.person AS person
FROM members m JOIN facts c ON c.person = m.person JOIN lived ch ON ch.row = c.row AND ch.case_id = c.person
CROSS JOIN facts k JOIN lived kh ON kh.row = k.row AND kh.case_id = c.person
WHERE k.free AND m.start <= k.death AND (k.event IS NULL OR (k.event > m.start AND NOT $never))
    AND EXISTS (SELECT 1 FROM periods o WHERE o.person = k.row AND m.start BETWEEN o.start + $prior AND o.end)
    AND ($sex IS NULL OR k.sex = $sex)
    AND ($low IS NULL OR date_sub('year', k.birth, date '1970-01-01' + m.start) BETWEEN $low AND $high)
    AND (NOT list_contains($exact, 'sex') OR k.sex = c.sex)
    AND (NOT list_contains($exact, 'birth_year') OR year(k.birth) = year(c.birth))
    AND (NOT list_contains($exact, 'municipality') OR kh.home = ch.home)
    AND ($caliper IS NULL OR abs(k.birth - c.birth) <= $caliper)
ORDER BY 1, 2
"""


def cut(shard: MadeShard, parts: int) -> list[MadeShard]:
    """The same people in several shards."""
    count = len(np.asarray(shard.frames["persons"]["person"]))
    cuts = []
    for part in range(parts):
        rows = np.flatnonzero(np.arange(count) * 7 % parts == part)
        new = np.full(count, -1, np.int32)
        new[rows] = np.arange(len(rows))
        frames: dict[str, Frame] = {"persons": take(shard.frames["persons"], rows)}
        for name in ("periods", "residences", "events"):
            person = new[np.asarray(shard.frames[name]["person"])]
            frames[name] = {**take(shard.frames[name], person >= 0), "person": person[person >= 0]}
        frames.update(postings=postings(frames["events"]), codes=codes(frames["events"]))
        cuts.append(MadeShard(frames))
    return cuts


def matched(shards: Sequence[MadeShard], definition: Definition) -> tuple[Frame, Matching]:
    members = concat([select(shard, None, definition).members for shard in shards], MEMBERS)
    return members, find_controls(shards, None, definition, members)


def eligible(shard: MadeShard, definition: Definition, members: Frame) -> dict[int, set[int]]:
    """By case: who may be its control."""
    persons = shard.frames["persons"]
    with duck.connect(
        {
            **{name: shard.frames[name] for name in ("events", "residences", "periods")},
            "members": members,
            "persons": {**persons, "row": np.arange(len(np.asarray(persons["person"])))},
        }
    ) as connection:
        asked = definition.controls
        assert asked is not None
        found = duck.columns(
            connection,
            ELIGIBLE,
            {
                "unknown": DAY_UNKNOWN,
                "kind": KIND["drug"],
                "never": asked.never_cases,
                "prior": definition.prior_observation,
                "exact": list(asked.exact),
                "sex": {None: None, "man": 1, "woman": 2}[definition.sex],
                "caliper": asked.nearest and asked.nearest.birth_day,
                "low": definition.age and definition.age.first,
                "high": definition.age and definition.age.last,
            },
        )
    pairs: dict[int, set[int]] = {case: set() for case in np.asarray(members["person"]).tolist()}
    for case, person in zip(found["case_id"].tolist(), found["person"].tolist(), strict=True):
        pairs[case].add(person)
    return pairs


def check(shard: MadeShard, definition: Definition) -> int:
    members, matching = matched([shard], definition)
    allowed, asked = eligible(shard, definition, members), definition.controls
    assert asked is not None
    start = dict(
        zip(np.asarray(members["person"]).tolist(), np.asarray(members["start"]).tolist(), strict=True)
    )
    rows = list(
        zip(
            *(np.asarray(matching.controls[name]).tolist() for name in ("case", "person", "start", "end")),
            strict=True,
        )
    )
    chosen: dict[int, set[int]] = {case: set() for case in allowed}
    for case, person, first, last in rows:
        assert person in allowed[case]
        assert first == start[case] <= last
        chosen[case].add(person)
    assert sum(map(len, chosen.values())) == len(rows), "one control twice for one case"
    used = {person for each in chosen.values() for person in each}
    if not asked.replace:
        assert len(used) == len(rows)
    for case, each in chosen.items():
        assert len(each) <= asked.ratio
        if len(each) < asked.ratio:
            assert allowed[case] <= (each if asked.replace else used), (
                "somebody who is free and may be chosen was left"
            )
    assert sum(each["cases"] for each in matching.receipt["cases"]) == len(allowed)
    assert (
        sum(each["cases"] * each["controls"] for each in matching.receipt["cases"])
        == matching.receipt["controls"]
        == len(rows)
    )
    return len(rows)


@settings(max_examples=share_of(80), deadline=None)
@given(st.integers(0, 2**20), definitions)
def test_every_control_may_be_chosen_and_nobody_who_may_is_left_over(
    seed: int, definition: Definition
) -> None:
    check(make_shard(seed, persons=60, events_each=4), definition)


@settings(max_examples=share_of(25), deadline=None)
@given(st.integers(0, 2**20), definitions, st.integers(2, 5))
def test_the_same_controls_however_people_lie_in_shards(
    seed: int, definition: Definition, parts: int
) -> None:
    shard = make_shard(seed, persons=60, events_each=4)
    (_, whole), (_, apart) = matched([shard], definition), matched(cut(shard, parts), definition)
    assert whole.receipt == apart.receipt
    for name, column in whole.controls.items():
        assert not isinstance(column, Category)
        np.testing.assert_array_equal(column, apart.controls[name])


@pytest.mark.parametrize("replace", [False, True])
def test_controls_are_valid_where_there_are_many(replace: bool) -> None:
    asked = {"ratio": 3, "exact": ["sex", "municipality"], "nearest": {"birth_day": 4000}, "replace": replace}
    definition = Definition(
        cohort="c",
        title="c",
        study={"from": FIRST, "to": LAST},
        codes={"one": ["T/B12"]},
        index={"codes": "one", "which": "first", "kind": "drug"},
        prior_observation=30,
        controls=asked,
    )
    assert check(make_shard(5, persons=500, events_each=4), definition) > 60


def as_cdm(shard: MadeShard) -> Cdm:
    """The same people as an OMOP CDM: drugs by their source's code, and nobody who opted out observed."""
    frames, unknown = shard.frames, DAY_UNKNOWN
    who, events = frames["persons"], frames["events"]
    person, birth, death, opted = (
        np.asarray(who[name]) for name in ("person", "birth_day", "death_day", "opt_out_day")
    )
    parts = [[day.year, day.month, day.day] if day else [None] * 3 for day in map(_date, birth.tolist())]
    free = np.flatnonzero(opted[np.asarray(frames["periods"]["person"])] == unknown)
    drugs = np.flatnonzero(np.asarray(events["kind"]) == KIND["drug"])
    concept = events["concept"]
    assert isinstance(concept, Category)
    gender = {1: 8507, 2: 8532}
    return Cdm(
        None,
        {
            "person": pa.table(
                {
                    "person_id": person,
                    "gender_concept_id": [gender.get(sex, 0) for sex in np.asarray(who["sex"]).tolist()],
                    **{
                        f"{name}_of_birth": pa.array([part[at] for part in parts], pa.int64())
                        for at, name in enumerate(("year", "month", "day"))
                    },
                }
            ),
            "death": pa.table(
                {
                    "person_id": person[death != unknown],
                    "death_date": [_date(day) for day in death[death != unknown].tolist()],
                }
            ),
            "observation_period": pa.table(
                {
                    "person_id": person[np.asarray(frames["periods"]["person"])[free]],
                    **{
                        f"observation_period_{side}_date": [
                            _date(day) for day in np.asarray(frames["periods"][side])[free].tolist()
                        ]
                        for side in ("start", "end")
                    },
                }
            ),
            "drug_exposure": pa.table(
                {
                    "drug_exposure_id": drugs + 1,
                    "person_id": person[np.asarray(events["person"])[drugs]],
                    "drug_source_concept_id": concept.places[drugs] + 1,
                    **{
                        f"drug_exposure_{side}_date": [
                            _date(day) for day in np.asarray(events[side])[drugs].tolist()
                        ]
                        for side in ("start", "end")
                    },
                }
            ),
            "concept": pa.table(
                {
                    "concept_id": np.arange(len(concept.labels)) + 1,
                    "vocabulary_id": [label.split("/")[0] for label in concept.labels],
                    "concept_code": [label.split("/")[1] for label in concept.labels],
                }
            ),
        },
    )


def _date(day: int) -> date | None:
    return None if day == DAY_UNKNOWN else date(1970, 1, 1) + timedelta(days=day)


@settings(max_examples=share_of(40), deadline=None)
@given(st.integers(0, 2**20), definitions)
def test_a_cdm_of_the_same_people_gives_the_same_controls(seed: int, definition: Definition) -> None:
    """The shard's controls are held by SQL above."""
    asked = definition.controls
    assert asked is not None
    asked = asked.model_copy(update={"exact": tuple(name for name in asked.exact if name != "municipality")})
    censor = tuple(each.model_copy(update={"setting": (), "kind": "drug"}) for each in definition.censor)
    definition = definition.model_copy(update={"controls": asked, "censor": censor})
    shard = make_shard(seed, persons=60, events_each=4)
    members, of_shard = matched([shard], definition)
    source = CdmSource(as_cdm(shard))
    found = engine.run(lower(definition, cdm=True), source)
    np.testing.assert_array_equal(found.person, np.sort(np.asarray(members["person"])))
    of_cdm = find_controls_in_cdm(source, definition, found)
    for name in ("case", "person", "start", "end"):
        np.testing.assert_array_equal(of_cdm.controls[name], of_shard.controls[name])
    assert of_cdm.receipt == of_shard.receipt
