"""A table of a permit in sentences: nothing that decides what stands in a cell is left unsaid."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.aggregation.explain import sentences
from pipelines.site.permit import Table

SURVIVAL = {"count": "survival", "codes": ["A"], "step": 30, "until": 90}
VALUES = {"count": "values", "unit": "kg", "range": [0, 200], "classes": [80]}
SUMS = {**VALUES, "classes": [], "dimensions": ["sex"], "measures": ["sum"]}
EVENTS = {"count": "events", "dimensions": ["sex"]}
AGES = {
    "count": "events",
    "dimensions": ["age_group"],
    "measures": ["events", "person_days"],
    "age_width": 10,
}
BOTH = {**AGES, "dimensions": ["sex", "age_group"]}
YEARLY = {"count": "prevalence", "codes": ["A"], "days": ["2020-06-30", "2020-12-31"]}
WEIGHTS = {age: 100 - age for age in range(0, 91, 10)}
OWN = {"to": "own", "title": "Our population"}
OVER = {"over": ["age_group", "sex"]}
STATES = {"count": "transitions", "states": "care_level"}
UNITS = {"count": "members", "dimensions": ["care_unit"]}
KNOWN = {"count": "members", "dimensions": ["had"]}
TIMES = {"count": "intervals", "codes": ["B"], "step": 10, "until": 30, "since": {"codes": ["A"]}}
SUPPLY = {"count": "exposure", "codes": ["ATC/A10"], "dimensions": ["quarter"]}
BASE = {"count": "baseline", "dimensions": ["sex"], "characteristics": {"had": {"codes": ["A"]}}}


def having(**more: Any) -> dict[str, Any]:
    return {**KNOWN, "characteristics": {"had": {"codes": ["A"], **more}}}


LAST = {"count": "events", "dimensions": ["follow_up"]}


def said(asked: dict[str, Any]) -> list[str]:
    return list(sentences(Table(table="t", title="A title", **asked)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (EVENTS, {**EVENTS, "codes": ["A"]}),
        ({**EVENTS, "codes": ["A"]}, {**EVENTS, "codes": ["A", "B"]}),
        (EVENTS, {**EVENTS, "kind": "drug"}),
        (EVENTS, {**EVENTS, "first": True}),
        (EVENTS, {**EVENTS, "setting": ["inpatient"]}),
        (EVENTS, {**EVENTS, "primary": True}),
        (EVENTS, {**EVENTS, "dimensions": ["quarter"]}),
        (having(), having(codes=["B"])),
        (having(), having(**{"from": -365})),
        (having(), having(to=-1)),
        (having(**{"from": -365}), having(**{"from": -365, "to": -1})),
        (having(), having(number=[2])),
        (having(number=[2]), having(number=[3])),
        (having(), having(unit="kg", range=[0, 9], classes=[5])),
        (having(unit="kg", range=[0, 9], classes=[4]), having(unit="kg", range=[0, 9], classes=[5])),
        (having(), having(setting=["primary"])),
        (
            having(codes=[], comorbidity="charlson", number=[1]),
            having(codes=[], comorbidity="elixhauser", number=[1]),
        ),
        (TIMES, {**TIMES, "codes": ["C"]}),
        (TIMES, {**TIMES, "since": {"codes": ["C"]}}),
        (TIMES, {**TIMES, "since": {"codes": ["A"], "clock": "end"}}),
        (TIMES, {**TIMES, "since": {"codes": ["A"], "first": True}}),
        (TIMES, {**TIMES, "since": {"codes": ["A"], "join": 1}}),
        (TIMES, {**TIMES, "step": 15}),
        (TIMES, {**TIMES, "competing": "death"}),
        (SUPPLY, {**SUPPLY, "gap": 30}),
        (SUPPLY, {**SUPPLY, "codes": ["ATC/A11"]}),
        (BASE, {**BASE, "rows": ["had", "age_group"]}),
        (BASE, {**BASE, "compare": {"over": "sex", "to": "Men"}}),
        (EVENTS, {**EVENTS, "washout": 30}),
        ({**EVENTS, "washout": 30}, {**EVENTS, "washout": 31}),
        (EVENTS, {**EVENTS, "dimensions": ["year"]}),
        (EVENTS, {**EVENTS, "count": "members"}),
        (EVENTS, {**EVENTS, "count": "weekly"}),
        ({**EVENTS, "count": "weekly"}, {**EVENTS, "count": "monthly"}),
        (EVENTS, {**EVENTS, "measures": ["admissions"]}),
        (EVENTS, {**EVENTS, "measures": ["person_days"]}),
        (EVENTS, {**EVENTS, "measures": ["bed_days"]}),
        (AGES, {**AGES, "age_width": 5}),
        (AGES, {**AGES, "age_top": 80}),
        (AGES, {**AGES, "standardise": {"to": "esp2013"}}),
        (
            {**AGES, "standardise": {"to": "esp2013"}},
            {**AGES, "standardise": {"to": "esp2013", "ages_from": 40}},
        ),
        (
            {**AGES, "standardise": {**OWN, "weights": {**WEIGHTS, 0: 1}}},
            {**AGES, "standardise": {**OWN, "weights": WEIGHTS}},
        ),
        ({**BOTH, "standardise": {"to": "esp2013"}}, {**BOTH, "standardise": {"to": "table"}}),
        (BOTH, {**BOTH, "compare": {"over": "sex", "to": "Men"}}),
        (
            {**BOTH, "compare": {"over": "sex", "to": "Women"}},
            {**BOTH, "compare": {"over": "sex", "to": "Men"}},
        ),
        ({**BOTH, "standardise": {"to": "table"}}, {**BOTH, "standardise": {"to": "table", "ages_from": 40}}),
        (
            {**BOTH, "standardise": {**OWN, "weights": WEIGHTS}},
            {**BOTH, "standardise": {**OWN, "rates": WEIGHTS}},
        ),
        (
            {**BOTH, "standardise": {**OWN, "rates": WEIGHTS}},
            {**BOTH, "standardise": {**OWN, "rates": {**WEIGHTS, 0: 1}}},
        ),
        ({**BOTH, "standardise": {"to": "esp2013"}}, {**BOTH, "standardise": {"to": "esp2013", **OVER}}),
        (
            {**BOTH, "standardise": {"to": "esp2013", **OVER}},
            {**BOTH, "standardise": {"to": "esp2013", **OVER, "sexes": {"Men": 2, "Women": 3}}},
        ),
        *(
            (
                {**BOTH, "standardise": {**OWN, **OVER, name: {"Men": WEIGHTS, "Women": WEIGHTS}}},
                {**BOTH, "standardise": {**OWN, **OVER, name: {"Men": WEIGHTS, "Women": {**WEIGHTS, 0: 7}}}},
            )
            for name in ("weights", "rates")
        ),
        (YEARLY, {**YEARLY, "days": ["2020-12-31"]}),
        (YEARLY, {**YEARLY, "codes": ["B"]}),
        (YEARLY, {**YEARLY, "lookback": 30}),
        ({**LAST, "follow_up": [30]}, {**LAST, "follow_up": [30, 60]}),
        (SURVIVAL, {**SURVIVAL, "step": 45}),
        (SURVIVAL, {**SURVIVAL, "until": 120}),
        (SURVIVAL, {**SURVIVAL, "or_death": True}),
        (SURVIVAL, {**SURVIVAL, "competing": "death"}),
        (SURVIVAL, {**SURVIVAL, "competing": ["B"]}),
        (SURVIVAL, {**SURVIVAL, "kind": "drug"}),
        (VALUES, {**VALUES, "unit": "g"}),
        (VALUES, {**VALUES, "range": [1, 200]}),
        (VALUES, {**VALUES, "classes": [90]}),
        (VALUES, {**VALUES, "first": True}),
        (VALUES, {**VALUES, "codes": ["A"]}),
        (SUMS, {**SUMS, "decimals": 2}),
        (SUMS, {**SUMS, "measures": ["sum", "squares"]}),
        (STATES, {**STATES, "states": {"a": ["A"], "b": ["B"]}}),
        ({**STATES, "states": {"a": ["A"], "b": ["B"]}}, {**STATES, "states": {"a": ["A"], "b": ["C"]}}),
        ({**UNITS, "care_units": {"a": ["A"]}}, {**UNITS, "care_units": {"a": ["B"]}}),
    ],
)
def test_what_changes_a_cell_changes_the_sentences(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert said(one) != said(other)


def test_a_table_reads_as_one_would_say_it() -> None:
    asked = {
        **AGES,
        "codes": ["ICD-10-SE/I"],
        "kind": "diagnosis",
        "measures": ["person_days"],
        "dimensions": ["sex", "age_group"],
    }
    assert said({**asked, "washout": 90}) == [
        "t: A title",
        "  counts diagnosis events with a code that begins with ICD-10-SE/I in the follow-up of members",
        "  new events alone: the member had none in the 90 days before, and days so near to one are not at "
        "risk",
        "  measures persons, each once in a cell; days at risk, in a table of their own, of which rates are "
        "made",
        "  by sex",
        "  by age that day, in groups of 10 years up to 90 and over",
        "  with every margin",
    ]


def test_an_indirect_comparison_says_what_it_compares_with() -> None:
    assert said({**BOTH, "standardise": {"to": "table", "ages_from": 40}})[-1] == (
        "  events also beside as many as the rates of all in the table by age_group would give (indirect "
        "standardisation), from 40 years"
    )
    assert said({**BOTH, "standardise": {**OWN, "rates": {0: 12.5, 50: 300}}})[-1] == (
        "  events also beside as many as the rates of Our population by age_group would give (indirect "
        "standardisation), of all ages; "
        "events per 100,000 person-years from each age on 0: 12.5, 50: 300"
    )


def test_what_is_standardised_over_age_and_sex_says_how_many_there_are_of_each() -> None:
    assert said({**BOTH, "standardise": {"to": "esp2013", **OVER, "ages_from": 40}})[-1] == (
        "  rates also standardised over age_group and sex to the European Standard Population (Eurostat, "
        "2013 revision), from 40 years; 1 men to 1 women at every age"
    )
    own = {**OWN, **OVER, "weights": {"Men": {0: 3_000_000, 90: 1}, "Women": {0: 4_000_000, 90: 2}}}
    assert said({**BOTH, "age_width": 90, "standardise": own})[-1].endswith(
        "people from each age on Men 0: 3000000, 90: 1; Women 0: 4000000, 90: 2"
    )


def test_every_key_of_a_table_is_in_its_schema_with_what_it_means() -> None:
    properties = Table.model_json_schema()["properties"]
    assert set(properties) == set(Table.model_fields)
    assert all(each.get("description") for each in properties.values())
