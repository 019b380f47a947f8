"""Circe's criteria: what is asked of an event by the attributes that stand in it.

Where circe-be does not do what a key says, this does as circe-be: a specimen's DateAdjustment and source
concept ask nothing, a death's StartWith and EndWith neither, and DrugEra.GapDays is compared with the numbers
of EraLength. What circe-be cannot run is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, cast

from pipelines.cohort.circe_attributes import (
    ATTRIBUTES,
    COLUMNS,
    COUNTED,
    DATES,
    OF_PERSON,
    PERIODS,
    PLACED,
    SOURCES,
    Attribute,
)
from pipelines.cohort.domains import DEMOGRAPHIC, DOMAINS, Field
from pipelines.cohort.json_reader import Node
from pipelines.cohort.query import (
    Among,
    Criterion,
    Demographic,
    Filter,
    Group,
    Operator,
    Range,
    Shift,
    Text,
    TextOperator,
)

_OPERATORS: Final = ("lt", "lte", "eq", "!eq", "gte", "gt", "bt", "!bt")
_TEXT_OPERATORS: Final = tuple("eq contains startsWith endsWith !eq !contains !startsWith !endsWith".split())
_SAY: Final = "as circe-be cannot run it either"


def read_criterion(node: Node, group: Callable[[Node], Group]) -> Criterion:
    """{"ConditionOccurrence": {…}}. `group`: reads conditions on each event."""
    found = node.members([*ATTRIBUTES, "LocationRegion"])
    if len(found) != 1:
        node.refuse(f"names {len(found)} domains", "name one")
    ((domain, body),) = found.items()
    if domain == "LocationRegion":
        body.refuse("needs location_history, which OMOP 5.3 and 5.4 do not have", "remove the criterion")
    members = body.members(_keys(domain))
    if "PlaceOfServiceLocation" in members:
        members["PlaceOfServiceLocation"].refuse(
            "needs location_history, which OMOP 5.3 and 5.4 do not have", "remove it"
        )
    start, end = _shifts(domain, members)
    inner = group(members["CorrelatedCriteria"]) if "CorrelatedCriteria" in members else None
    source = members.get(SOURCES.get(domain, ""))
    return Criterion(
        domain,
        concepts=members["CodesetId"].whole() if "CodesetId" in members else None,
        source_concepts=source.whole() if source and domain != "Specimen" else None,
        nth=int(_flag(members, "First")),
        filters=(*_filters(members, ATTRIBUTES[domain], DOMAINS[domain].fields), *_abnormal(members)),
        start=start,
        end=end,
        period=read_period(members["UserDefinedPeriod"]) if "UserDefinedPeriod" in members else (None, None),
        group=inner if inner is not None and len(inner) else None,
    )


def read_demographic(node: Node) -> Demographic:
    """What must hold of the person."""
    return Demographic(_filters(node.members(_with_excludes(OF_PERSON)), OF_PERSON, DEMOGRAPHIC))


def read_counted(node: Node | None, criterion: Criterion, occurrence: Node) -> str:
    """The field of which different values are counted; without a name, the event's concept."""
    name = node.one_of(COLUMNS) if node else "DOMAIN_CONCEPT"
    at, domain = node or occurrence, criterion.domain
    if name in DATES:
        return DATES[name]
    counted = COUNTED[domain].get(name)
    if counted is None:
        at.refuse(
            f"{name} cannot be counted for {domain}, {_SAY}",
            f"count one of {', '.join([*COUNTED[domain], *DATES])}",
        )
    if criterion.group is not None and counted != "visit":
        at.refuse(
            f"{name} cannot be counted where the criterion has conditions of its own, {_SAY}",
            "count START_DATE or VISIT_ID",
        )
    if (
        domain == "PayerPlanPeriod"
        and counted == "concept"
        and not any(each.field == "payer" for each in criterion.filters)
    ):
        at.refuse(
            f"{name} cannot be counted without PayerConcept, {_SAY}", "add PayerConcept, or count START_DATE"
        )
    return counted


def read_period(node: Node) -> tuple[int | None, int | None]:
    """First and last day, either may be absent."""
    members = node.members(("StartDate", "EndDate"))
    first, last = (members[key].day() if key in members else None for key in ("StartDate", "EndDate"))
    return first, last


def _keys(domain: str) -> set[str]:
    keys = {"CorrelatedCriteria", "DateAdjustment", *_with_excludes(ATTRIBUTES[domain])}
    if domain in PERIODS:
        return keys | {"First", "UserDefinedPeriod"}
    if domain in SOURCES:
        keys.add(SOURCES[domain])
    if domain in PLACED:
        keys.add("PlaceOfServiceLocation")
    if domain == "Measurement":
        keys.add("Abnormal")
    return keys | {"CodesetId"} | (set() if domain == "Death" else {"First"})


def _with_excludes(attributes: dict[str, Attribute]) -> set[str]:
    return {*attributes, *(each.exclude for each in attributes.values() if each.exclude)}


def _flag(members: dict[str, Node], key: str) -> bool:
    return members[key].boolean() if key in members else False


def _shifts(domain: str, members: dict[str, Node]) -> tuple[Shift | None, Shift | None]:
    """Where DateAdjustment puts an event's first and last day."""
    if "DateAdjustment" not in members:
        return None, None
    node = members["DateAdjustment"]
    given = node.members(("StartWith", "StartOffset", "EndWith", "EndOffset"))
    for key in ("StartWith", "EndWith"):
        if key in node.value and node.value[key] is None:
            node.at(key, None).refuse("is null", "give START_DATE or END_DATE, or leave it out")
    shifts = []
    for side, default in (("Start", "START_DATE"), ("End", "END_DATE")):
        named = given[f"{side}With"].one_of(("START_DATE", "END_DATE")) if f"{side}With" in given else default
        days = given[f"{side}Offset"].days() if f"{side}Offset" in given else 0
        of = default if domain == "Death" else named
        shifts.append(Shift("start" if of == "START_DATE" else "end", days))
    return (None, None) if domain == "Specimen" else (shifts[0], shifts[1])


def _filters(
    members: dict[str, Node], attributes: dict[str, Attribute], fields: dict[str, Field]
) -> tuple[Filter, ...]:
    found = []
    for key, attribute in attributes.items():
        if key in members:
            found.extend(_filter(key, attribute, members, fields[attribute.field]))
        elif attribute.exclude:
            _flag(members, attribute.exclude)
    return tuple(found)


def _filter(key: str, attribute: Attribute, members: dict[str, Node], field: Field) -> list[Filter]:
    node = members[key]
    match attribute.kind:
        case "text":
            return [_text(node, attribute.field)]
        case "set":
            return [Among(attribute.field, set=node.whole())]
        case "selection":
            return [_selection(node, attribute.field)]
        case "concepts":
            concepts = frozenset(read_concept(each) for each in node.elements())
            excluded = _flag(members, attribute.exclude)
            return [Among(attribute.field, concepts, excluded=excluded)] if concepts else []
    asked = _range(node, attribute.field, field)
    if key != "GapDays":
        return [asked]
    if "EraLength" not in members:
        node.refuse(
            f"is asked without EraLength, {_SAY}",
            "add EraLength: its numbers are what gap days are compared with",
        )
    return [_range(members["EraLength"], attribute.field, field)]


def read_concept(node: Node) -> int:
    """A concept's id; whatever else stands there describes it."""
    if not isinstance(node.value, dict) or node.value.get("CONCEPT_ID") is None:
        node.refuse("has no CONCEPT_ID", "give the concept's id")
    return node.at("CONCEPT_ID", node.value["CONCEPT_ID"]).whole()


def _selection(node: Node, field: str) -> Among:
    members = node.members(("CodesetId", "IsExclusion"))
    if "CodesetId" not in members:
        node.refuse("names no concept set", "choose one, or remove it")
    return Among(field, set=members["CodesetId"].whole(), excluded=_flag(members, "IsExclusion"))


def _text(node: Node, field: str) -> Text:
    members = node.members(("Text", "Op"))
    for key in ("Text", "Op"):
        if key not in members:
            node.refuse(f"has no {key}", "add it")
    # Circe writes the text into SQL, where a quote is doubled and loses backslashes before it.
    return Text(
        field,
        cast(TextOperator, members["Op"].one_of(_TEXT_OPERATORS)),
        re.sub(r"\\*'", "'", members["Text"].text()),
    )


def _range(node: Node, field: str, about: Field) -> Range:
    members = node.members(("Value", "Op", "Extent"))
    for key in ("Value", "Op"):
        if key not in members:
            node.refuse(f"has no {key}", "add it")
    op = cast(Operator, members["Op"].one_of(_OPERATORS))
    between = op.endswith("bt")
    if between and "Extent" not in members:
        node.refuse("has no Extent", f"add the second value that {op} asks for")
    value, extent = (_number(members[key], about) if key in members else None for key in ("Value", "Extent"))
    return Range(field, op, cast(float, value), extent if between else None)


def _number(node: Node, about: Field) -> float:
    """A day; a whole number, cut towards zero; a decimal, rounded to four places."""
    if about.kind == "day":
        return node.day()
    number = node.number()
    if about.kind == "integer":
        if abs(number) >= 2**31:
            node.refuse("is too large", "give another number")
        return int(number)
    return float(Decimal(repr(number)).quantize(Decimal("0.0001"), ROUND_HALF_UP))


def _abnormal(members: dict[str, Node]) -> tuple[Filter, ...]:
    if not _flag(members, "Abnormal"):
        return ()
    listed = members.get("ValueAsConcept")
    if "ValueAsConceptCS" not in members and not (listed and listed.value):
        members["Abnormal"].refuse(
            f"is asked without ValueAsConcept, {_SAY}",
            "add ValueAsConcept, or ask for RangeLowRatio or RangeHighRatio",
        )
    return (Range("abnormal", "eq", 1),)
