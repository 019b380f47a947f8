"""A made-up OMOP data set full of nasty rows, and Circe definitions that ask anything of it, both drawn from
one seeded source."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import pyarrow as pa

from pipelines.cohort.circe_attributes import ATTRIBUTES, COUNTED, SOURCES, Attribute
from pipelines.cohort.domains import OMOP, Domain, Field

PERSONS = range(1, 31)
CONCEPTS = range(1, 13)
WORDS = ("done", "Done", "patient's wish", "100%", "a_b", "")
BEGIN = date(2010, 1, 1)


def made_tables(random: Random) -> dict[str, pa.Table]:
    """Periods that overlap, people never observed, events before birth, unknown ends, visits of somebody
    else, invalid concepts."""
    tables = {
        "person": _table(
            person_id=list(PERSONS),
            year_of_birth=[random.randint(1930, 2012) for _ in PERSONS],
            **{
                f"{name}_concept_id": [random.choice(CONCEPTS) for _ in PERSONS]
                for name in ("gender", "race", "ethnicity")
            },
        ),
        "provider": _table(
            provider_id=[1, 2, 3],
            specialty_concept_id=[random.choice(CONCEPTS), random.choice(CONCEPTS), None],
        ),
        "care_site": _table(
            care_site_id=[1, 2, 3],
            place_of_service_concept_id=[random.choice(CONCEPTS), random.choice(CONCEPTS), None],
        ),
        "concept": _table(
            concept_id=list(CONCEPTS),
            invalid_reason=[random.choice([None, None, None, "D"]) for _ in CONCEPTS],
        ),
        "concept_ancestor": _table(
            **{
                f"{side}_concept_id": [random.choice(CONCEPTS) for _ in range(15)]
                for side in ("ancestor", "descendant")
            }
        ),
        "concept_relationship": _table(
            concept_id_1=[random.choice(CONCEPTS) for _ in range(10)],
            concept_id_2=[random.choice(CONCEPTS) for _ in range(10)],
            relationship_id=[random.choice(["Maps to", "Maps to", "Is a"]) for _ in range(10)],
            invalid_reason=[random.choice([None, None, "D"]) for _ in range(10)],
        ),
    }
    return tables | {about.table: _events(random, about) for about in OMOP.values()}


def _events(random: Random, about: Domain) -> pa.Table:
    rows = 20 if about.table == "death" else 45 if about.table == "observation_period" else 90
    starts = [
        BEGIN + timedelta(days=random.choice([0, 30, 31, 365, random.randint(0, 900)])) for _ in range(rows)
    ]
    ends = [each + timedelta(days=random.choice([0, 1, 7, 30, 400])) for each in starts]
    period = about.table in ("observation_period", "payer_plan_period")
    columns: dict[str, list[Any]] = {
        "person_id": [
            random.choice(PERSONS[: -4 if about.table == "observation_period" else None]) for _ in range(rows)
        ],
        about.concept: [random.choice(CONCEPTS) for _ in range(rows)],
        about.start: starts,
    }
    if about.table == "death":
        columns["person_id"] = random.sample(list(PERSONS), rows)
    else:
        columns[about.id] = random.sample(range(1, 10 * rows), rows)
    for way in about.end:
        if isinstance(way, str):
            columns[way] = [each if period or random.random() < 0.8 else None for each in ends]
    for name, pool in (
        (about.source, CONCEPTS),
        (about.visit, range(1, 900)),
        (about.provider, range(1, 5)),
        (about.care_site, range(1, 5)),
    ):
        if name and name not in columns:
            columns[name] = [
                random.choice([None, random.choice(pool), random.choice(pool)]) for _ in range(rows)
            ]
    for field in about.fields.values():
        if field.via == "event" and field.column and field.column not in columns and field.kind != "day":
            columns[field.column] = [
                random.choice([None, _value(random, field), _value(random, field)]) for _ in range(rows)
            ]
    return _table(**columns)


def _value(random: Random, field: Field) -> Any:
    match field.kind:
        case "concept":
            return random.choice([*CONCEPTS, 4155142])
        case "text":
            return random.choice(WORDS)
        case "integer":
            return random.randint(0, 6)
    return random.randint(0, 12) / 2


def _table(**columns: list[Any]) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


class Definitions:
    """Definitions, one after the other, from a source of chance."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._sets: list[dict[str, Any]] = []

    def next(self) -> dict[str, Any]:
        """A definition that circe-be can run, but for what may not be counted."""
        random, self._sets = self._random, []
        definition: dict[str, Any] = {
            "PrimaryCriteria": {
                "CriteriaList": [self._criterion(0) for _ in range(random.choice([1, 1, 2, 3]))],
                "ObservationWindow": {
                    "PriorDays": random.choice([0, 0, 30]),
                    "PostDays": random.choice([0, 0, 30]),
                },
                "PrimaryCriteriaLimit": self._limit(),
            },
            "QualifiedLimit": self._limit(),
            "ExpressionLimit": self._limit(),
            "InclusionRules": [
                {"name": f"rule {at}", "expression": self._group(0)}
                for at in range(random.choice([0, 0, 1, 2, 3]))
            ],
            "CensoringCriteria": [self._criterion(1) for _ in range(random.choice([0, 0, 1]))],
            "CollapseSettings": {"CollapseType": "ERA", "EraPad": random.choice([0, 0, 1, 30])},
        }
        if self._rarely(0.4):
            definition["AdditionalCriteria"] = self._group(0)
        if self._rarely(0.6):
            definition["EndStrategy"] = self._exit()
        if self._rarely(0.2):
            definition["CensorWindow"] = {"StartDate": "2010-02-01", "EndDate": "2011-06-30"}
        return definition | {"ConceptSets": self._sets}

    def _rarely(self, chance: float) -> bool:
        return self._random.random() < chance

    def _limit(self) -> dict[str, str]:
        return {"Type": self._random.choice(["All", "All", "First", "Last"])}

    def _exit(self) -> dict[str, Any]:
        random = self._random
        if self._rarely(0.5):
            return {
                "DateOffset": {
                    "DateField": random.choice(["StartDate", "EndDate"]),
                    "Offset": random.choice([0, -5, 7, 365]),
                }
            }
        era = {
            "DrugCodesetId": self._set(),
            "GapDays": random.choice([0, 1, 30]),
            "Offset": random.choice([0, 7, -1]),
        }
        return {
            "CustomEra": era
            | ({"DaysSupplyOverride": random.choice([0, 1, 30])} if self._rarely(0.3) else {})
        }

    def _set(self) -> int:
        random = self._random
        items = [
            {
                "concept": {"CONCEPT_ID": random.choice(CONCEPTS)},
                "isExcluded": self._rarely(0.1),
                "includeDescendants": self._rarely(0.5),
                "includeMapped": self._rarely(0.2),
            }
            for _ in range(random.randint(1, 5))
        ]
        self._sets.append({"id": len(self._sets), "name": "made", "expression": {"items": items}})
        return len(self._sets) - 1

    def _criterion(self, depth: int) -> dict[str, Any]:
        random = self._random
        domain = random.choice(list(ATTRIBUTES))
        about, asked = OMOP[domain], dict[str, Any]()
        if domain not in ("ObservationPeriod", "PayerPlanPeriod"):
            asked |= {"CodesetId": self._set()} if self._rarely(0.8) else {}
            asked |= {SOURCES[domain]: self._set()} if about.source and self._rarely(0.1) else {}
        elif self._rarely(0.3):
            asked["UserDefinedPeriod"] = {
                random.choice(["StartDate", "EndDate"]): f"2010-{random.randint(1, 12):02}-15"
            }
        if domain != "Death" and self._rarely(0.2):
            asked["First"] = True
        for key in random.sample(list(ATTRIBUTES[domain]), random.choice([0, 0, 1, 2])):
            asked |= self._attribute(
                key, ATTRIBUTES[domain][key], about.fields[ATTRIBUTES[domain][key].field]
            )
        if "EraLength" not in asked:
            asked.pop("GapDays", None)
        if domain == "Measurement" and "ValueAsConcept" in asked:
            asked["Abnormal"] = self._rarely(0.5)
        if self._rarely(0.15):
            sides = (f"{side}With" for side in ("Start", "End"))
            asked["DateAdjustment"] = {key: random.choice(["START_DATE", "END_DATE"]) for key in sides} | {
                f"{side}Offset": random.randint(-20, 20) for side in ("Start", "End")
            }
        if depth < 2 and self._rarely(0.2):
            asked["CorrelatedCriteria"] = self._group(depth + 1)
        return {domain: asked}

    def _attribute(self, key: str, attribute: Attribute, field: Field) -> dict[str, Any]:
        random = self._random
        match attribute.kind:
            case "text":
                ops = (
                    "eq",
                    "contains",
                    "startsWith",
                    "endsWith",
                    "!eq",
                    "!contains",
                    "!startsWith",
                    "!endsWith",
                )
                text = random.choice([*WORDS, "_one", "o%", "%", "'"])
                return {key: {"Op": random.choice(ops), "Text": text}}
            case "concepts":
                chosen = [{"CONCEPT_ID": random.choice(CONCEPTS)} for _ in range(random.randint(1, 4))]
                return {key: chosen} | (
                    {attribute.exclude: True} if attribute.exclude and self._rarely(0.4) else {}
                )
            case "selection":
                return {key: {"CodesetId": self._set(), "IsExclusion": self._rarely(0.4)}}
            case "set":
                return {key: self._set()}
        return {key: self._range(field, attribute.field)}

    def _range(self, field: Field, name: str) -> dict[str, Any]:
        random = self._random
        op = random.choice(["lt", "lte", "eq", "gte", "gt", "bt", "!bt"])
        if field.kind == "day":
            first = BEGIN + timedelta(days=random.randint(0, 900))
            return {
                "Op": op,
                "Value": first.isoformat(),
                "Extent": (first + timedelta(days=random.randint(0, 300))).isoformat(),
            }
        low = random.choice(
            [
                random.randint(0, 6) / 2,
                random.randint(0, 80) + 0.9 if name.startswith("age_") or name == "length" else 1.5,
            ]
        )
        return {"Op": op, "Value": low, "Extent": low + random.randint(0, 30)}

    def _group(self, depth: int) -> dict[str, Any]:
        random = self._random
        return {
            "Type": random.choice(["ALL", "ALL", "ANY", "AT_LEAST", "AT_MOST"]),
            "Count": random.randint(0, 2),
            "CriteriaList": [self._correlated(depth) for _ in range(random.choice([0, 1, 1, 2]))],
            "DemographicCriteriaList": [self._demographic() for _ in range(random.choice([0, 0, 0, 1]))],
            "Groups": [self._group(depth + 1) for _ in range(random.choice([0, 0, 1]))] if depth < 2 else [],
        }

    def _demographic(self) -> dict[str, Any]:
        asked: dict[str, Any] = (
            {"Age": self._range(Field("integer", ""), "age_at_start")} if self._rarely(0.5) else {}
        )
        asked |= (
            {"GenderCS": {"CodesetId": self._set(), "IsExclusion": self._rarely(0.5)}}
            if self._rarely(0.3)
            else {}
        )
        return asked | (
            {"OccurrenceEndDate": self._range(Field("day", ""), "end_date")} if self._rarely(0.3) else {}
        )

    def _correlated(self, depth: int) -> dict[str, Any]:
        random = self._random
        criterion = self._criterion(depth)
        occurrence: dict[str, Any] = {
            "Type": random.choice([0, 1, 2, 2, 2]),
            "Count": random.choice([0, 1, 1, 2, 3]),
        }
        if self._rarely(0.3):
            (domain,) = criterion
            occurrence |= {
                "IsDistinct": True,
                "CountColumn": random.choice([*COUNTED[domain], "START_DATE", "END_DATE"]),
            }
        asked = {"Criteria": criterion, "StartWindow": self._window(), "Occurrence": occurrence}
        asked |= {"EndWindow": self._window()} if self._rarely(0.2) else {}
        asked |= {"RestrictVisit": True} if self._rarely(0.1) else {}
        return asked | ({"IgnoreObservationPeriod": True} if self._rarely(0.3) else {})

    def _window(self) -> dict[str, Any]:
        random = self._random
        window: dict[str, Any] = {}
        for side, coefficient in (("Start", -1), ("End", 1)):
            days = {"Days": random.choice([0, 1, 30, 365])} if self._rarely(0.7) else {}
            window[side] = {"Coeff": coefficient if self._rarely(0.8) else -coefficient, **days}
        window |= {"UseIndexEnd": self._rarely(0.5)} if self._rarely(0.3) else {}
        return window | ({"UseEventEnd": self._rarely(0.5)} if self._rarely(0.3) else {})
