"""A small Circe definition, with any part of it changed, and how one is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from pipelines.cohort import circe
from pipelines.errors import SettingsError

ASTHMA = {"CONCEPT_ID": 317009, "CONCEPT_NAME": "Asthma", "STANDARD_CONCEPT_CAPTION": "Standard"}
WINDOW = {"Start": {"Days": 30, "Coeff": -1}, "End": {"Days": 0, "Coeff": 1}}
STUDY: dict[str, Any] = {
    "ConceptSets": [
        {
            "id": 0,
            "name": "Asthma",
            "expression": {"items": [{"concept": ASTHMA, "includeDescendants": True}]},
        }
    ],
    "PrimaryCriteria": {
        "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
        "ObservationWindow": {"PriorDays": 365, "PostDays": 0},
        "PrimaryCriteriaLimit": {"Type": "First"},
    },
    "InclusionRules": [
        {
            "name": "treated",
            "expression": {
                "Type": "ALL",
                "CriteriaList": [
                    {
                        "Criteria": {"DrugExposure": {}},
                        "StartWindow": WINDOW,
                        "Occurrence": {"Type": 2, "Count": 1},
                    },
                ],
            },
        }
    ],
}
ENTRY = ("PrimaryCriteria", "CriteriaList", 0)
RULE = ("InclusionRules", 0, "expression", "CriteriaList", 0)
REMOVED = object()


def study(value: object, *path: str | int) -> dict[str, Any]:
    """The study with another value at `path`."""
    changed = copy.deepcopy(STUDY)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    if value is REMOVED:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def refusal(definition: object) -> str:
    with pytest.raises(SettingsError) as caught:
        circe.parse(
            definition if isinstance(definition, bytes | str) else json.dumps(definition), "study.json"
        )
    assert caught.value.exit_code == 10
    return str(caught.value)


def entry(domain: str, **attributes: object) -> dict[str, Any]:
    return study({domain: attributes}, *ENTRY)


def read(definition: object) -> Any:
    return circe.parse(json.dumps(definition), "study.json")
