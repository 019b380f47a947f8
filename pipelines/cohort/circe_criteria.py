"""Circe's criteria: which attributes each domain has, and what they ask of an event.

Where circe-be does not do what a key says, this does as circe-be: a drug exposure's OccurrenceEndDate is compared with its start, a
specimen's DateAdjustment and source concept ask nothing, a death's StartWith and EndWith neither, and DrugEra.GapDays is compared with
the numbers of EraLength. What circe-be cannot run is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal, cast

from pipelines.cohort.domains import DEMOGRAPHIC, DOMAINS, Field
from pipelines.cohort.json_reader import Node
from pipelines.cohort.query import Among, Criterion, Demographic, Filter, Group, Operator, Range, Shift, Text, TextOperator

_OPERATORS: Final = ("lt", "lte", "eq", "!eq", "gte", "gt", "bt", "!bt")
_TEXT_OPERATORS: Final = ("eq", "contains", "startsWith", "endsWith", "!eq", "!contains", "!startsWith", "!endsWith")
_SAY: Final = "as circe-be cannot run it either"


@dataclass(frozen=True)
class Attribute:
    """What a key asks of `field`: a range of numbers or days, a text, one of some concepts, or of a concept set."""

    kind: Literal["range", "text", "concepts", "selection", "set"]
    field: str
    exclude: str = ""


def _concepts(key: str, field: str, exclude: bool = False) -> dict[str, Attribute]:
    return {
        key: Attribute("concepts", field, f"{key}Exclude" if exclude else ""),
        f"{key}CS": Attribute("selection", field),
    }


def _ranges(**fields: str) -> dict[str, Attribute]:
    return {key: Attribute("range", field) for key, field in fields.items()}


def _texts(**fields: str) -> dict[str, Attribute]:
    return {key: Attribute("text", field) for key, field in fields.items()}


_OCCURRENCE = _ranges(OccurrenceStartDate="start_date", OccurrenceEndDate="end_date")
_POINT = _ranges(OccurrenceStartDate="start_date")
_ERA = _ranges(EraStartDate="start_date", EraEndDate="end_date", EraLength="length")
_PERIOD = _ranges(PeriodStartDate="start_date", PeriodEndDate="end_date", PeriodLength="length")
_AGE = _ranges(Age="age_at_start")
_AGES = _ranges(AgeAtStart="age_at_start", AgeAtEnd="age_at_end")
_GENDER = _concepts("Gender", "gender")
_PERSON = {**_AGE, **_GENDER}
_PROVIDER = _concepts("ProviderSpecialty", "provider_specialty")
_CARE = {**_PROVIDER, **_concepts("VisitType", "visit_type")}
_PAYER = {"Payer": "payer", "Plan": "plan", "Sponsor": "sponsor", "StopReason": "stop_reason"}

ATTRIBUTES: Final[dict[str, dict[str, Attribute]]] = {
    "ConditionEra": {**_ERA, **_ranges(OccurrenceCount="occurrence_count"), **_AGES, **_GENDER},
    "ConditionOccurrence": {
        **_OCCURRENCE, **_concepts("ConditionType", "type", exclude=True), **_texts(StopReason="stop_reason"), **_PERSON, **_CARE,
        **_concepts("ConditionStatus", "status"),
    },
    "Death": {**_POINT, **_concepts("DeathType", "type", exclude=True), **_PERSON},
    "DeviceExposure": {
        **_OCCURRENCE, **_concepts("DeviceType", "type", exclude=True), **_texts(UniqueDeviceId="unique_device_id"),
        **_ranges(Quantity="quantity"), **_PERSON, **_CARE,
    },
    "DoseEra": {**_ERA, **_concepts("Unit", "unit"), **_ranges(DoseValue="dose_value"), **_AGES, **_GENDER},
    "DrugEra": {**_ERA, **_ranges(OccurrenceCount="occurrence_count", GapDays="gap_days"), **_AGES, **_GENDER},
    "DrugExposure": {
        **_ranges(OccurrenceStartDate="start_date", OccurrenceEndDate="start_date"), **_concepts("DrugType", "type", exclude=True),
        **_texts(StopReason="stop_reason", LotNumber="lot_number"),
        **_ranges(Refills="refills", Quantity="quantity", DaysSupply="days_supply", EffectiveDrugDose="effective_drug_dose"),
        **_concepts("RouteConcept", "route"), **_concepts("DoseUnit", "dose_unit"), **_PERSON, **_CARE,
    },
    "Measurement": {
        **_POINT, **_concepts("MeasurementType", "type", exclude=True), **_concepts("Operator", "operator"),
        **_ranges(
            ValueAsNumber="value_as_number", RangeLow="range_low", RangeHigh="range_high", RangeLowRatio="range_low_ratio",
            RangeHighRatio="range_high_ratio",
        ),
        **_concepts("ValueAsConcept", "value_as_concept"), **_concepts("Unit", "unit"), **_PERSON, **_CARE,
    },
    "Observation": {
        **_POINT, **_concepts("ObservationType", "type", exclude=True), **_ranges(ValueAsNumber="value_as_number"),
        **_texts(ValueAsString="value_as_string"), **_concepts("ValueAsConcept", "value_as_concept"),
        **_concepts("Qualifier", "qualifier"), **_concepts("Unit", "unit"), **_PERSON, **_CARE,
    },
    "ObservationPeriod": {**_PERIOD, **_concepts("PeriodType", "type"), **_AGES},
    "PayerPlanPeriod": {
        **_PERIOD, **_AGES, **_GENDER,
        **{f"{key}Concept": Attribute("set", field) for key, field in _PAYER.items()},
        **{f"{key}SourceConcept": Attribute("set", f"{field}_source") for key, field in _PAYER.items()},
    },
    "ProcedureOccurrence": {
        **_POINT, **_concepts("ProcedureType", "type", exclude=True), **_concepts("Modifier", "modifier"),
        **_ranges(Quantity="quantity"), **_PERSON, **_CARE,
    },
    "Specimen": {
        **_POINT, **_concepts("SpecimenType", "type", exclude=True), **_ranges(Quantity="quantity"), **_concepts("Unit", "unit"),
        **_concepts("AnatomicSite", "anatomic_site"), **_concepts("DiseaseStatus", "disease_status"), **_texts(SourceId="source_id"),
        **_PERSON,
    },
    "VisitDetail": {
        **_ranges(VisitDetailStartDate="start_date", VisitDetailEndDate="end_date", VisitDetailLength="length", Age="age_at_end"),
        **{
            key: Attribute("selection", field)
            for key, field in (
                ("VisitDetailTypeCS", "type"), ("GenderCS", "gender"), ("ProviderSpecialtyCS", "provider_specialty"),
                ("PlaceOfServiceCS", "place_of_service"),
            )
        },
    },
    "VisitOccurrence": {
        **_OCCURRENCE, **_concepts("VisitType", "type", exclude=True), **_ranges(VisitLength="length"), **_PERSON, **_PROVIDER,
        **_concepts("PlaceOfService", "place_of_service"),
    },
}  # fmt: skip

_DEMOGRAPHIC: Final = {**_PERSON, **_concepts("Race", "race"), **_concepts("Ethnicity", "ethnicity"), **_OCCURRENCE}

_SOURCES: Final = {
    "ConditionOccurrence": "ConditionSourceConcept", "Death": "DeathSourceConcept", "DeviceExposure": "DeviceSourceConcept",
    "DrugExposure": "DrugSourceConcept", "Measurement": "MeasurementSourceConcept", "Observation": "ObservationSourceConcept",
    "ProcedureOccurrence": "ProcedureSourceConcept", "Specimen": "SpecimenSourceConcept", "VisitDetail": "VisitDetailSourceConcept",
    "VisitOccurrence": "VisitSourceConcept",
}  # fmt: skip
_PERIODS: Final = ("ObservationPeriod", "PayerPlanPeriod")  # without a concept set of their own, and with days that a study may give
_PLACED: Final = ("VisitOccurrence", "VisitDetail")

# What may be counted, beside days of start and end: field by circe's column, for each domain.
_CONCEPT, _VISIT, _LENGTH, _ONE = ({"DOMAIN_CONCEPT": "concept"}, {"VISIT_ID": "visit"}, {"DURATION": "length"}, {"DURATION": "person"})
COUNTED: Final[dict[str, dict[str, str]]] = {
    "ConditionEra": {**_CONCEPT, **_LENGTH, "ERA_OCCURRENCES": "occurrence_count"},
    "ConditionOccurrence": {**_CONCEPT, **_VISIT, **_LENGTH},
    "Death": {**_CONCEPT, **_VISIT, **_ONE},
    "DeviceExposure": {**_CONCEPT, **_VISIT, **_LENGTH, "QUANTITY": "quantity"},
    "DoseEra": {**_CONCEPT, **_VISIT, **_LENGTH, "UNIT": "unit", "VALUE_AS_NUMBER": "dose_value"},
    "DrugEra": {**_CONCEPT, **_VISIT, **_LENGTH, "ERA_OCCURRENCES": "occurrence_count", "GAP_DAYS": "gap_days"},
    "DrugExposure": {
        **_CONCEPT, **_VISIT, **_LENGTH, "DAYS_SUPPLY": "days_supply", "QUANTITY": "quantity", "REFILLS": "refills",
    },
    "Measurement": {
        **_CONCEPT, **_VISIT, **_ONE, "VALUE_AS_NUMBER": "value_as_number", "RANGE_LOW": "range_low", "RANGE_HIGH": "range_high",
    },
    "Observation": {**_CONCEPT, **_VISIT, **_ONE, "VALUE_AS_NUMBER": "value_as_number"},
    "ObservationPeriod": {**_CONCEPT, **_VISIT, **_LENGTH},
    "PayerPlanPeriod": {**_CONCEPT, **_VISIT},
    "ProcedureOccurrence": {**_CONCEPT, **_VISIT, **_ONE, "QUANTITY": "quantity"},
    "Specimen": {**_CONCEPT, **_VISIT, **_ONE},
    "VisitDetail": {**_CONCEPT, **_LENGTH},
    "VisitOccurrence": {**_CONCEPT, **_VISIT, **_LENGTH},
}  # fmt: skip
COLUMNS: Final = (
    "DAYS_SUPPLY", "DOMAIN_CONCEPT", "DOMAIN_SOURCE_CONCEPT", "DURATION", "END_DATE", "ERA_OCCURRENCES", "GAP_DAYS", "QUANTITY",
    "RANGE_HIGH", "RANGE_LOW", "REFILLS", "START_DATE", "UNIT", "VALUE_AS_NUMBER", "VISIT_DETAIL_ID", "VISIT_ID",
)  # fmt: skip
_DATES: Final = {"START_DATE": "start_date", "END_DATE": "end_date"}


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
        members["PlaceOfServiceLocation"].refuse("needs location_history, which OMOP 5.3 and 5.4 do not have", "remove it")
    start, end = _shifts(domain, members)
    inner = group(members["CorrelatedCriteria"]) if "CorrelatedCriteria" in members else None
    source = members.get(_SOURCES.get(domain, ""))
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
    return Demographic(_filters(node.members(_with_excludes(_DEMOGRAPHIC)), _DEMOGRAPHIC, DEMOGRAPHIC))


def read_counted(node: Node | None, criterion: Criterion, occurrence: Node) -> str:
    """The field of which different values are counted; without a name, the event's concept."""
    name = node.one_of(COLUMNS) if node else "DOMAIN_CONCEPT"
    at, domain = node or occurrence, criterion.domain
    if name in _DATES:
        return _DATES[name]
    counted = COUNTED[domain].get(name)
    if counted is None:
        at.refuse(f"{name} cannot be counted for {domain}, {_SAY}", f"count one of {', '.join([*COUNTED[domain], *_DATES])}")
    if criterion.group is not None and counted != "visit":
        at.refuse(f"{name} cannot be counted where the criterion has conditions of its own, {_SAY}", "count START_DATE or VISIT_ID")
    if domain == "PayerPlanPeriod" and counted == "concept" and not any(each.field == "payer" for each in criterion.filters):
        at.refuse(f"{name} cannot be counted without PayerConcept, {_SAY}", "add PayerConcept, or count START_DATE")
    return counted


def read_period(node: Node) -> tuple[int | None, int | None]:
    """First and last day, either may be absent."""
    members = node.members(("StartDate", "EndDate"))
    first, last = (members[key].day() if key in members else None for key in ("StartDate", "EndDate"))
    return first, last


def _keys(domain: str) -> set[str]:
    keys = {"CorrelatedCriteria", "DateAdjustment", *_with_excludes(ATTRIBUTES[domain])}
    if domain in _PERIODS:
        return keys | {"First", "UserDefinedPeriod"}
    if domain in _SOURCES:
        keys.add(_SOURCES[domain])
    if domain in _PLACED:
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


def _filters(members: dict[str, Node], attributes: dict[str, Attribute], fields: dict[str, Field]) -> tuple[Filter, ...]:
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
        node.refuse(f"is asked without EraLength, {_SAY}", "add EraLength: its numbers are what gap days are compared with")
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
    return Text(field, cast(TextOperator, members["Op"].one_of(_TEXT_OPERATORS)), re.sub(r"\\*'", "'", members["Text"].text()))


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
            f"is asked without ValueAsConcept, {_SAY}", "add ValueAsConcept, or ask for RangeLowRatio or RangeHighRatio"
        )
    return (Range("abnormal", "eq", 1),)
