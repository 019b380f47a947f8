"""Three cohorts and their permits, as an epidemiologist would ask."""

from __future__ import annotations

from typing import Any

STUDY = {"from": "2018-01-01", "to": "2023-12-31"}
DEFINITIONS: dict[str, dict[str, Any]] = {
    "adults": {
        "title": "Adults observed at the beginning of 2020",
        "study": STUDY,
        "index": {"date": "2020-01-01"},
        "age": {"from": 18},
        "prior_observation": 365,
    },
    "pressed": {
        "title": "New high blood pressure",
        "study": STUDY,
        "codes": {"pressure": ["ICD-10-SE/I10"]},
        "index": {"codes": "pressure", "kind": "diagnosis", "which": "any"},
        "washout": 730,
        "age": {"from": 40},
        "prior_observation": 365,
        "follow_up": 730,
    },
    "users": {
        "title": "New users of drugs",
        "study": STUDY,
        "codes": {"drugs": ["ATC/"]},
        "index": {"codes": "drugs", "kind": "drug", "which": "any"},
        "washout": 365,
        "prior_observation": 365,
        "follow_up": 365,
    },
}
RATE = ["persons", "events", "person_days"]
_SHARED = {
    "holder": "Department of Made-up Epidemiology",
    "purpose": "To see whether what is released is what happened",
    "legal_basis": "none, nobody is real",
    "valid_from": "2025-01-01",
    "valid_to": "2099-12-31",
    "sources": ["folkbokforing", "dodsorsak", "journal_a", "lakemedel"],
    "policy": {"minimum": 3, "zeros": "open"},
}
_ADULTS = [
    {
        "table": "deaths",
        "title": "Deaths by sex and age",
        "count": "events",
        "kind": "death",
        "codes": ["VITAL/DEATH"],
        "dimensions": ["sex", "age_group"],
        "age_width": 20,
        "age_top": 80,
        "measures": RATE,
    },
    {
        "table": "diagnoses",
        "title": "Diagnoses by place and year",
        "count": "events",
        "kind": "diagnosis",
        "codes": ["ICD-10-SE/"],
        "dimensions": ["municipality", "year"],
        "measures": ["persons", "events"],
    },
    {
        "table": "ill",
        "title": "Who has had a diagnosis of the heart",
        "count": "prevalence",
        "kind": "diagnosis",
        "codes": ["ICD-10-SE/I"],
        "days": ["2020-06-30", "2021-12-31", "2023-06-30"],
        "dimensions": ["sex"],
    },
    {
        "table": "table-one",
        "title": "Who they are",
        "count": "baseline",
        "dimensions": ["sex"],
        "rows": ["age_group", "heart", "visits"],
        "compare": {"over": "sex", "to": "Men"},
        "age_width": 20,
        "age_top": 80,
        "characteristics": {
            "heart": {"codes": ["ICD-10-SE/I"], "kind": "diagnosis", "from": -1095},
            "visits": {"kind": "visit", "from": -1095, "to": -1, "number": [1, 3, 10]},
        },
    },
    {
        "table": "back",
        "title": "Back in hospital within 30 days",
        "count": "intervals",
        "kind": "visit",
        "setting": ["inpatient"],
        "since": {"kind": "visit", "setting": ["inpatient"], "clock": "end", "join": 1},
        "competing": "death",
        "step": 10,
        "until": 30,
    },
]
_PRESSED = [
    {"table": "new", "title": "New ones by year", "count": "members", "dimensions": ["sex", "year"]},
    {
        "table": "first-other",
        "title": "The first other illness",
        "count": "events",
        "kind": "diagnosis",
        "codes": ["ICD-10-SE/E", "ICD-10-SE/F", "ICD-10-SE/J"],
        "first": True,
        "dimensions": ["sex"],
        "measures": RATE,
    },
    {
        "table": "together",
        "title": "What they had before, together",
        "count": "members",
        "dimensions": ["sugar", "lungs"],
        "characteristics": {
            "sugar": {"codes": ["ICD-10-SE/E"], "kind": "diagnosis"},
            "lungs": {"codes": ["ICD-10-SE/J"], "kind": "diagnosis"},
        },
    },
    {
        "table": "specialised",
        "title": "Main diagnoses of outpatient care",
        "count": "events",
        "kind": "diagnosis",
        "codes": ["ICD-10-SE/"],
        "setting": ["outpatient"],
        "primary": True,
        "dimensions": ["quarter"],
        "measures": ["persons", "events"],
    },
]
_USERS = [
    {
        "table": "dispensed",
        "title": "Drugs by month",
        "count": "monthly",
        "kind": "drug",
        "codes": ["ATC/"],
        "measures": ["persons", "events"],
    },
    {
        "table": "waits",
        "title": "From the drug to the diagnosis",
        "count": "intervals",
        "kind": "diagnosis",
        "codes": ["ICD-10-SE/I"],
        "since": {"kind": "drug", "codes": ["ATC/"], "first": True},
        "step": 60,
        "until": 360,
    },
    {
        "table": "dying",
        "title": "Time to death",
        "count": "survival",
        "or_death": True,
        "step": 90,
        "until": 360,
    },
]
_TABLES = {"adults": _ADULTS, "pressed": _PRESSED, "users": _USERS}
PERMITS: dict[str, dict[str, Any]] = {
    name: {
        "title": DEFINITIONS[name]["title"],
        **_SHARED,
        "cohort": f"definitions/{name}.yaml",
        "tables": tables,
    }
    for name, tables in _TABLES.items()
}
