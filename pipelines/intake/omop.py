"""OMOP CDM tables (5.3 and 5.4, CSV or Parquet): what each of them holds, so that a contract need only list
the tables and columns."""

from __future__ import annotations

from collections.abc import Collection

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


def default_mapping(table: str, columns: Collection[str]) -> Mapping | None:
    """What a CDM table holds; None for one that intake does not know. `columns`: those that the contract
    lists: of the two columns of concepts, the source's and the standard one, either may be left out."""
    mapping = _DEFAULTS.get(table)
    if mapping is None or not any(event.standard for event in mapping.events):
        return mapping
    return mapping.model_copy(update={"events": tuple(_by(event, columns) for event in mapping.events)})


def _by(event: Event, columns: Collection[str]) -> Event:
    """The event by those columns of concepts that come."""
    if event.standard not in columns:
        return event.model_copy(update={"standard": None})
    return event if event.code in columns else event.model_copy(update={"code": event.standard})


def _occurrence(kind: str, name: str, start: str, end: str | None, **more: str) -> Mapping:
    return Mapping(
        events=(
            Event(
                kind=kind,
                reference="person_id",
                start=start,
                end=end,
                code=f"{name}_source_concept_id",
                standard=f"{name}_concept_id",
                system=BY_CONCEPT,
                encounter="visit_occurrence_id",
                duplicates="keep",  # a CDM's rows have ids of their own; the store keeps equal events once
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
    "concept": Mapping(lookup=True, optional=True),
    "concept_ancestor": Mapping(lookup=True, optional=True),
    "care_site": Mapping(lookup=True),
}
