"""A definition in sentences: nothing that decides who is in a cohort is left unsaid."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.cohort import circe
from pipelines.cohort.explain import sentences
from pipelines.cohort.query import (
    Among,
    Cohort,
    ConceptSet,
    Correlated,
    Criterion,
    CustomEra,
    DateOffset,
    Demographic,
    Edge,
    Exactly,
    Group,
    Item,
    Occurrence,
    Range,
    Rule,
    Shift,
    Text,
    Window,
)
from tests import circe_reference as reference

BEFORE = Window(Edge(-180, -1), Edge(-1, -1))
STUDY = Cohort(
    sets={
        1: ConceptSet("Asthma", (Item(317009, descendants=True), Item(4191479, excluded=True))),
        2: ConceptSet("Steroids", (Item(1506270),)),
    },
    entry=(
        Criterion(
            "ConditionOccurrence",
            1,
            nth=1,
            filters=(Range("age_at_start", "gte", 18), Among("gender", frozenset({8532}))),
        ),
    ),
    prior_days=365,
    entry_limit="first",
    rules=(
        Rule(
            "untreated",
            Group(
                "all",
                correlated=(Correlated(Criterion("DrugExposure", 2), Occurrence("exactly", 0), BEFORE),),
            ),
        ),
        Rule(
            "old or ill",
            Group(
                "any",
                demographics=(Demographic((Range("start_date", "lt", 18262),)),),
                groups=(Group("at_most", 1),),
            ),
        ),
    ),
    limit="all",
    exit=DateOffset("start", 90),
    era_pad=30,
    title="New asthma",
)


def test_a_definition_reads_from_the_first_event_to_the_last_concept() -> None:
    assert sentences(STUDY) == [
        "1. Definition “New asthma”.",
        "2. People enter with any of these events:",
        "  2.a. condition occurrence whose concept is in concept set 1 “Asthma”, the first of each person, "
        "where age at start is at least "
        "18 and gender is one of 8532.",
        "3. The event lies in an observation period that began 365 days or more before it; of such "
        "events, the first of each person counts.",
        "4. Inclusion rule 1, “untreated”: all of these hold:",
        "  4.a. no drug exposure whose concept is in concept set 2 “Steroids”, with its start from "
        "180 days before the index "
        "event's start to 1 day before the index event's start, in the same observation period.",
        "5. Inclusion rule 2, “old or ill”: any of these holds:",
        "  5.a. the person: start date is before 2020-01-01.",
        "  5.b. nothing is asked.",
        "6. Of the events that meet every inclusion rule, all of them count.",
        "7. The cohort ends 90 days after the start of the event, and with its observation period at the "
        "latest.",
        "8. Stays of a person with at most 30 days from the end of one to the start of the next are one.",
        "9. Concept sets:",
        "  9.a. concept set 1 “Asthma”: 317009 with descendants; not 4191479.",
        "  9.b. concept set 2 “Steroids”: 1506270.",
    ]


def test_groups_in_groups_are_numbered_by_number_letter_and_roman_number() -> None:
    deep = Group(
        "all", groups=(Group("any", groups=(Group("at_least", 2, demographics=(Demographic(()),) * 4),)),)
    )
    said = sentences(dataclasses.replace(STUDY, rules=(Rule("deep", deep),)))
    assert "      4.a.i.4. the person: is known." in said
    assert "    4.a.i. at least 2 of these hold:" in said


def test_what_no_circe_definition_asks_is_said_too() -> None:
    narrowed = Criterion("DrugExposure", 2, narrowed=(Exactly("stop_reason", frozenset({"done"})),), nth=-2)
    said = " ".join(sentences(dataclasses.replace(STUDY, entry=(narrowed,), spacing=180)))
    assert (
        "narrowed to those where stop reason is one of “done”, number 2 from the last of each person" in said
    )
    assert "an event counts if it begins 180 days or more after the last one that counted" in said


def test_a_concept_set_that_is_not_defined_is_said_to_hold_nothing() -> None:
    assert "concept set 7, which is not defined and holds nothing" in " ".join(
        sentences(dataclasses.replace(STUDY, entry=(Criterion("Death", 7),)))
    )


# --- every number, word and flag of every definition of the reference
# -------------------------------------------------------------------

NODES = {
    Among,
    Cohort,
    ConceptSet,
    Correlated,
    Criterion,
    CustomEra,
    DateOffset,
    Demographic,
    Edge,
    Group,
    Item,
    Occurrence,
    Range,
    Rule,
    Shift,
    Text,
    Window,
}
LIMITS = {"all": "first", "first": "last", "last": "all"}
OTHER: dict[str, dict[str, str]] = {
    "op": {"bt": "!bt", "!bt": "bt", "gt": "lt", "contains": "!contains", "!contains": "contains"},
    "kind": {"all": "any", "any": "all", "at_least": "at_most", "at_most": "at_least", "exactly": "at_least"},
    "of": {"start": "end", "end": "start"},
    "index": {"start": "end", "end": "start"},
    "event": {"start": "end", "end": "start"},
    "domain": {"ConditionOccurrence": "DrugExposure"},
    **dict.fromkeys(("limit", "entry_limit", "qualified_limit"), LIMITS),
}
ELSE = {"op": {Range: "gt", Text: "contains"}, "domain": {Criterion: "ConditionOccurrence"}}


def other_word(node: object, name: str, word: str) -> str:
    """A word that may stand there too."""
    return OTHER.get(name, {}).get(word) or ELSE.get(name, {}).get(type(node)) or f"{word}x"  # type: ignore[call-overload]


def asks_nothing(node: object, name: str) -> bool:
    """Fields that say nothing where they stand."""
    return (
        (isinstance(node, Edge) and name == "sign" and node.days is not None)
        or (isinstance(node, Group) and name == "count" and node.kind in ("all", "any"))
        or (isinstance(node, Group) and name in ("kind", "count") and not len(node))
        or (isinstance(node, Cohort) and name == "qualified_limit" and node.additional is None)
    )


def changes(node: Any, seen: set[tuple[object, ...]], within: tuple[object, ...] = ()) -> Iterator[Any]:
    """The node, each time with one thing in it changed or left out; of each kind of place, one. `within`: the
    field that holds it."""
    if dataclasses.is_dataclass(node):
        for field in dataclasses.fields(node):
            value, here = getattr(node, field.name), (type(node), field.name)
            if asks_nothing(node, field.name):
                continue
            found = (
                [other_word(node, field.name, value)]
                if isinstance(value, str)
                else changes(value, seen, here)
            )
            inner = dataclasses.is_dataclass(value) or isinstance(value, tuple | dict)
            place = (*within, *here, type(value))
            if inner or place not in seen:
                seen.add(place)
                yield from (dataclasses.replace(node, **{field.name: other}) for other in found)
            without = value != field.default and field.default in (None, ()) and field.name != "extent"
            if without and (*place, "without") not in seen:
                seen.add((*place, "without"))
                yield dataclasses.replace(node, **{field.name: field.default})
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from ({**node, key: other} for other in changes(value, seen, within))
    elif isinstance(node, tuple):
        for at, value in enumerate(node):
            yield from ((*node[:at], other, *node[at + 1 :]) for other in changes(value, seen, within))
    elif isinstance(node, frozenset):
        yield node | {999_999_999}
    elif isinstance(node, bool):
        yield not node
    elif isinstance(node, int | float):
        yield -node if node in (-1, 1) else node + 1


def nodes(node: Any) -> Iterator[Any]:
    if dataclasses.is_dataclass(node):
        yield node
        for field in dataclasses.fields(node):
            yield from nodes(getattr(node, field.name))
    elif isinstance(node, tuple | dict):
        for each in node.values() if isinstance(node, dict) else node:
            yield from nodes(each)


@pytest.mark.skipif(not reference.REFERENCE.exists(), reason=reference.ABSENT)
def test_whatever_is_changed_in_a_definition_its_sentences_change() -> None:
    seen: set[tuple[object, ...]] = set()
    met: set[type] = set()
    for name in reference.definitions("rich"):
        cohort = circe.load(reference.REFERENCE / "rich" / "definitions" / f"{name}.json")
        met |= {type(each) for each in nodes(cohort)}
        said = sentences(cohort)
        for changed in changes(cohort, seen):
            assert sentences(changed) != said, name
    assert met >= NODES
