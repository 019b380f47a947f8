"""Where each domain's events lie in the OMOP common data model 5.3 and 5.4, and which of their fields a
definition may ask for.

A field's name here is the one that a definition's filters use; its column is read from the event's own table
or, through a key of the event, from the person's, the visit's, the provider's or the care site's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from pipelines.cohort.query import INDEX_DAY, STAY
from pipelines.files.schemas import KINDS

Kind = Literal["day", "integer", "decimal", "text", "concept"]
Via = Literal["event", "person", "visit", "provider", "care_site"]


@dataclass(frozen=True)
class Field:
    """A column. `via`: the table it stands in, reached from the event. `derived`: computed by the engines
    (see DERIVED) and no column."""

    kind: Kind
    column: str
    via: Via = "event"
    derived: bool = False


@dataclass(frozen=True)
class Domain:
    """A table of events. `end`: how an event's end is found, tried in order: a column; ("start", days);
    ("supply",): the start and `days_supply` days. `visit`: the column of the visit's id, "" if the table has
    none."""

    table: str
    id: str
    concept: str
    source: str
    start: str
    end: tuple[str | tuple[str, int] | tuple[str], ...]
    visit: str = ""
    provider: str = ""
    care_site: str = ""
    fields: dict[str, Field] = field(default_factory=dict)


# Computed from an event: whole years from the year of birth to that of its start or end; days from start to
# end; value by its range.
DERIVED: Final = ("age_at_start", "age_at_end", "length", "range_low_ratio", "range_high_ratio", "abnormal")

_AGES = {"age_at_start": Field("integer", "", derived=True), "age_at_end": Field("integer", "", derived=True)}
_GENDER = {"gender": Field("concept", "gender_concept_id", "person")}
_LENGTH = {"length": Field("integer", "", derived=True)}
_PROVIDER = {"provider_specialty": Field("concept", "specialty_concept_id", "provider")}
_VISIT = {"visit_type": Field("concept", "visit_concept_id", "visit")}
_PLACE = {
    "place_of_service": Field("concept", "place_of_service_concept_id", "care_site"),
}


def _days(start: str, end: str) -> dict[str, Field]:
    return {"start_date": Field("day", start), "end_date": Field("day", end)}


def _concepts(**columns: str) -> dict[str, Field]:
    return {name: Field("concept", column) for name, column in columns.items()}


DEMOGRAPHIC: Final[dict[str, Field]] = {
    "age_at_start": _AGES["age_at_start"],
    **_GENDER,
    "race": Field("concept", "race_concept_id", "person"),
    "ethnicity": Field("concept", "ethnicity_concept_id", "person"),
    "start_date": Field("day", ""),
    "end_date": Field("day", ""),
    "completed_age": Field("integer", "", derived=True),
    "sex": Field("integer", "", derived=True),
}

OMOP: Final[dict[str, Domain]] = {
    "ConditionEra": Domain(
        table="condition_era",
        id="condition_era_id",
        concept="condition_concept_id",
        source="",
        start="condition_era_start_date",
        end=("condition_era_end_date",),
        fields={
            **_days("condition_era_start_date", "condition_era_end_date"),
            **_AGES,
            **_GENDER,
            **_LENGTH,
            "occurrence_count": Field("integer", "condition_occurrence_count"),
        },
    ),
    "ConditionOccurrence": Domain(
        table="condition_occurrence",
        id="condition_occurrence_id",
        concept="condition_concept_id",
        source="condition_source_concept_id",
        start="condition_start_date",
        end=("condition_end_date", ("start", 1)),
        visit="visit_occurrence_id",
        provider="provider_id",
        fields={
            **_days("condition_start_date", "condition_end_date"),
            **_AGES,
            **_GENDER,
            **_PROVIDER,
            **_VISIT,
            **_concepts(type="condition_type_concept_id", status="condition_status_concept_id"),
            "stop_reason": Field("text", "stop_reason"),
        },
    ),
    "Death": Domain(
        table="death",
        id="person_id",
        concept="cause_concept_id",
        source="cause_source_concept_id",
        start="death_date",
        end=(("start", 1),),
        fields={
            "start_date": Field("day", "death_date"),
            **_AGES,
            **_GENDER,
            **_concepts(type="death_type_concept_id"),
        },
    ),
    "DeviceExposure": Domain(
        table="device_exposure",
        id="device_exposure_id",
        concept="device_concept_id",
        source="device_source_concept_id",
        start="device_exposure_start_date",
        end=("device_exposure_end_date", ("start", 1)),
        visit="visit_occurrence_id",
        provider="provider_id",
        fields={
            **_days("device_exposure_start_date", "device_exposure_end_date"),
            **_AGES,
            **_GENDER,
            **_PROVIDER,
            **_VISIT,
            **_concepts(type="device_type_concept_id"),
            "unique_device_id": Field("text", "unique_device_id"),
            "quantity": Field("integer", "quantity"),
        },
    ),
    "DoseEra": Domain(
        table="dose_era",
        id="dose_era_id",
        concept="drug_concept_id",
        source="",
        start="dose_era_start_date",
        end=("dose_era_end_date",),
        fields={
            **_days("dose_era_start_date", "dose_era_end_date"),
            **_AGES,
            **_GENDER,
            **_LENGTH,
            **_concepts(unit="unit_concept_id"),
            "dose_value": Field("decimal", "dose_value"),
        },
    ),
    "DrugEra": Domain(
        table="drug_era",
        id="drug_era_id",
        concept="drug_concept_id",
        source="",
        start="drug_era_start_date",
        end=("drug_era_end_date",),
        fields={
            **_days("drug_era_start_date", "drug_era_end_date"),
            **_AGES,
            **_GENDER,
            **_LENGTH,
            "occurrence_count": Field("integer", "drug_exposure_count"),
            "gap_days": Field("integer", "gap_days"),
        },
    ),
    "DrugExposure": Domain(
        table="drug_exposure",
        id="drug_exposure_id",
        concept="drug_concept_id",
        source="drug_source_concept_id",
        start="drug_exposure_start_date",
        end=("drug_exposure_end_date", ("supply",), ("start", 1)),
        visit="visit_occurrence_id",
        provider="provider_id",
        fields={
            **_days("drug_exposure_start_date", "drug_exposure_end_date"),
            **_AGES,
            **_GENDER,
            **_PROVIDER,
            **_VISIT,
            **_concepts(
                type="drug_type_concept_id", route="route_concept_id", dose_unit="dose_unit_concept_id"
            ),
            "stop_reason": Field("text", "stop_reason"),
            "lot_number": Field("text", "lot_number"),
            "refills": Field("integer", "refills"),
            "quantity": Field("decimal", "quantity"),
            "days_supply": Field("integer", "days_supply"),
            "effective_drug_dose": Field("decimal", "effective_drug_dose"),
        },
    ),
    "Measurement": Domain(
        table="measurement",
        id="measurement_id",
        concept="measurement_concept_id",
        source="measurement_source_concept_id",
        start="measurement_date",
        end=(("start", 1),),
        visit="visit_occurrence_id",
        provider="provider_id",
        fields={
            **_days("measurement_date", "measurement_date"),
            **_AGES,
            **_GENDER,
            **_PROVIDER,
            **_VISIT,
            **_concepts(
                type="measurement_type_concept_id",
                operator="operator_concept_id",
                value_as_concept="value_as_concept_id",
                unit="unit_concept_id",
            ),
            "value_as_number": Field("decimal", "value_as_number"),
            "range_low": Field("decimal", "range_low"),
            "range_high": Field("decimal", "range_high"),
            "range_low_ratio": Field("decimal", "", derived=True),
            "range_high_ratio": Field("decimal", "", derived=True),
            "abnormal": Field("integer", "", derived=True),
        },
    ),
    "Observation": Domain(
        table="observation",
        id="observation_id",
        concept="observation_concept_id",
        source="observation_source_concept_id",
        start="observation_date",
        end=(("start", 1),),
        visit="visit_occurrence_id",
        provider="provider_id",
        fields={
            **_days("observation_date", "observation_date"),
            **_AGES,
            **_GENDER,
            **_PROVIDER,
            **_VISIT,
            **_concepts(
                type="observation_type_concept_id",
                value_as_concept="value_as_concept_id",
                qualifier="qualifier_concept_id",
                unit="unit_concept_id",
            ),
            "value_as_number": Field("decimal", "value_as_number"),
            "value_as_string": Field("text", "value_as_string"),
        },
    ),
    "ObservationPeriod": Domain(
        table="observation_period",
        id="observation_period_id",
        concept="period_type_concept_id",
        source="",
        start="observation_period_start_date",
        end=("observation_period_end_date",),
        fields={
            **_days("observation_period_start_date", "observation_period_end_date"),
            **_AGES,
            **_LENGTH,
            **_concepts(type="period_type_concept_id"),
        },
    ),
    "PayerPlanPeriod": Domain(
        table="payer_plan_period",
        id="payer_plan_period_id",
        concept="payer_concept_id",
        source="",
        start="payer_plan_period_start_date",
        end=("payer_plan_period_end_date",),
        fields={
            **_days("payer_plan_period_start_date", "payer_plan_period_end_date"),
            **_AGES,
            **_GENDER,
            **_LENGTH,
            **_concepts(
                payer="payer_concept_id",
                plan="plan_concept_id",
                sponsor="sponsor_concept_id",
                stop_reason="stop_reason_concept_id",
                payer_source="payer_source_concept_id",
                plan_source="plan_source_concept_id",
                sponsor_source="sponsor_source_concept_id",
                stop_reason_source="stop_reason_source_concept_id",
            ),
        },
    ),
    "ProcedureOccurrence": Domain(
        table="procedure_occurrence",
        id="procedure_occurrence_id",
        concept="procedure_concept_id",
        source="procedure_source_concept_id",
        start="procedure_date",
        end=(("start", 1),),
        visit="visit_occurrence_id",
        provider="provider_id",
        fields={
            **_days("procedure_date", "procedure_date"),
            **_AGES,
            **_GENDER,
            **_PROVIDER,
            **_VISIT,
            **_concepts(type="procedure_type_concept_id", modifier="modifier_concept_id"),
            "quantity": Field("integer", "quantity"),
        },
    ),
    "Specimen": Domain(
        table="specimen",
        id="specimen_id",
        concept="specimen_concept_id",
        source="",
        start="specimen_date",
        end=(("start", 1),),
        fields={
            **_days("specimen_date", "specimen_date"),
            **_AGES,
            **_GENDER,
            **_concepts(
                type="specimen_type_concept_id",
                unit="unit_concept_id",
                anatomic_site="anatomic_site_concept_id",
                disease_status="disease_status_concept_id",
            ),
            "quantity": Field("decimal", "quantity"),
            "source_id": Field("text", "specimen_source_id"),
        },
    ),
    "VisitDetail": Domain(
        table="visit_detail",
        id="visit_detail_id",
        concept="visit_detail_concept_id",
        source="visit_detail_source_concept_id",
        start="visit_detail_start_date",
        end=("visit_detail_end_date",),
        visit="visit_occurrence_id",
        provider="provider_id",
        care_site="care_site_id",
        fields={
            **_days("visit_detail_start_date", "visit_detail_end_date"),
            **_AGES,
            **_GENDER,
            **_LENGTH,
            **_PROVIDER,
            **_PLACE,
            **_concepts(type="visit_detail_type_concept_id"),
        },
    ),
    "VisitOccurrence": Domain(
        table="visit_occurrence",
        id="visit_occurrence_id",
        concept="visit_concept_id",
        source="visit_source_concept_id",
        start="visit_start_date",
        end=("visit_end_date",),
        visit="visit_occurrence_id",
        provider="provider_id",
        care_site="care_site_id",
        fields={
            **_days("visit_start_date", "visit_end_date"),
            **_AGES,
            **_GENDER,
            **_LENGTH,
            **_PROVIDER,
            **_PLACE,
            **_concepts(type="visit_type_concept_id"),
        },
    ),
}


def _stored(kind: str) -> Domain:
    """A kind of event in our own store (`schemas.KINDS`), or all of them, as if it were a table."""
    fields = {
        **_days("start", "end"),
        "setting": Field("integer", "setting"),
        "position": Field("integer", "position"),
        "value": Field("integer", "value"),
        "unit": Field("text", "unit"),
        "care_unit": Field("text", "care_unit"),
    }
    return Domain(
        table=kind,
        id="row",
        concept="concept",
        source="",
        start="start",
        end=("end",),
        visit="encounter",
        fields=fields,
    )


STORED: Final = {kind: _stored(kind) for kind in ("event", *KINDS, INDEX_DAY, STAY)}
DOMAINS: Final[dict[str, Domain]] = {**OMOP, **STORED}
