"""OMOP CDM tables (5.3 and 5.4, CSV or Parquet): what each of them holds, so that a contract need only list
the tables and columns."""

from __future__ import annotations

from pipelines.intake.mapping import BY_CONCEPT, Coded, Event, Identities, Mapping

SETTINGS = {
    "9201": "inpatient",
    "262": "inpatient",
    "8717": "inpatient",
    "9203": "emergency",
    "8870": "emergency",
    "9202": "outpatient",
    "8883": "outpatient",
    "581385": "outpatient",
    "38004207": "outpatient",
    "581477": "primary",
    "8940": "primary",
    "0": "unknown",
}


def default_mapping(table: str) -> Mapping | None:
    """What a CDM table holds; None for one that intake does not know."""
    return _DEFAULTS.get(table)


def _occurrence(kind: str, name: str, start: str, end: str | None, **more: str) -> Mapping:
    return Mapping(
        events=(
            Event(
                kind=kind,
                reference="person_id",
                start=start,
                end=end,
                code=f"{name}_source_concept_id",
                system=BY_CONCEPT,
                encounter="visit_occurrence_id",
                **more,
            ),
        )
    )


_DEFAULTS = {
    "person": Mapping(
        identities=Identities(
            reference="person_id",
            sex=Coded(column="gender_concept_id", values={"8507": "man", "8532": "woman", "0": "unknown"}),
            birth=("year_of_birth", "month_of_birth", "day_of_birth"),
        )
    ),
    "observation_period": Mapping(
        events=(
            Event(
                kind="observation",
                reference="person_id",
                start="observation_period_start_date",
                end="observation_period_end_date",
                concept="VITAL/OBSERVED",
            ),
        )
    ),
    "visit_occurrence": Mapping(
        events=(
            Event(
                kind="visit",
                reference="person_id",
                start="visit_start_date",
                end="visit_end_date",
                care_unit="care_site_id",
                encounter="visit_occurrence_id",
                setting=Coded(column="visit_concept_id", values=SETTINGS),
            ),
        )
    ),
    "condition_occurrence": _occurrence("diagnosis", "condition", "condition_start_date", None),
    "procedure_occurrence": _occurrence("procedure", "procedure", "procedure_date", None),
    "drug_exposure": _occurrence("drug", "drug", "drug_exposure_start_date", None),
    "measurement": _occurrence(
        "measurement",
        "measurement",
        "measurement_date",
        None,
        value="value_as_number",
        unit="unit_source_value",
    ),
    "death": Mapping(
        events=(Event(kind="death", reference="person_id", start="death_date", concept="VITAL/DEATH"),)
    ),
    "concept": Mapping(lookup=True),
    "care_site": Mapping(lookup=True),
}
