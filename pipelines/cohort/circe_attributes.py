"""Circe's attributes: what each domain's keys ask of which field, and what of it may be counted.

Where circe-be does not do what a key says, this does as circe-be: a drug exposure's OccurrenceEndDate is
compared with its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Attribute:
    """What a key asks of `field`: a range of numbers or days, a text, one of some concepts, or of a concept
    set."""

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
        **_OCCURRENCE,
        **_concepts("ConditionType", "type", exclude=True),
        **_texts(StopReason="stop_reason"),
        **_PERSON,
        **_CARE,
        **_concepts("ConditionStatus", "status"),
    },
    "Death": {**_POINT, **_concepts("DeathType", "type", exclude=True), **_PERSON},
    "DeviceExposure": {
        **_OCCURRENCE,
        **_concepts("DeviceType", "type", exclude=True),
        **_texts(UniqueDeviceId="unique_device_id"),
        **_ranges(Quantity="quantity"),
        **_PERSON,
        **_CARE,
    },
    "DoseEra": {**_ERA, **_concepts("Unit", "unit"), **_ranges(DoseValue="dose_value"), **_AGES, **_GENDER},
    "DrugEra": {
        **_ERA,
        **_ranges(OccurrenceCount="occurrence_count", GapDays="gap_days"),
        **_AGES,
        **_GENDER,
    },
    "DrugExposure": {
        **_ranges(OccurrenceStartDate="start_date", OccurrenceEndDate="start_date"),
        **_concepts("DrugType", "type", exclude=True),
        **_texts(StopReason="stop_reason", LotNumber="lot_number"),
        **_ranges(
            Refills="refills",
            Quantity="quantity",
            DaysSupply="days_supply",
            EffectiveDrugDose="effective_drug_dose",
        ),
        **_concepts("RouteConcept", "route"),
        **_concepts("DoseUnit", "dose_unit"),
        **_PERSON,
        **_CARE,
    },
    "Measurement": {
        **_POINT,
        **_concepts("MeasurementType", "type", exclude=True),
        **_concepts("Operator", "operator"),
        **_ranges(
            ValueAsNumber="value_as_number",
            RangeLow="range_low",
            RangeHigh="range_high",
            RangeLowRatio="range_low_ratio",
            RangeHighRatio="range_high_ratio",
        ),
        **_concepts("ValueAsConcept", "value_as_concept"),
        **_concepts("Unit", "unit"),
        **_PERSON,
        **_CARE,
    },
    "Observation": {
        **_POINT,
        **_concepts("ObservationType", "type", exclude=True),
        **_ranges(ValueAsNumber="value_as_number"),
        **_texts(ValueAsString="value_as_string"),
        **_concepts("ValueAsConcept", "value_as_concept"),
        **_concepts("Qualifier", "qualifier"),
        **_concepts("Unit", "unit"),
        **_PERSON,
        **_CARE,
    },
    "ObservationPeriod": {**_PERIOD, **_concepts("PeriodType", "type"), **_AGES},
    "PayerPlanPeriod": {
        **_PERIOD,
        **_AGES,
        **_GENDER,
        **{f"{key}Concept": Attribute("set", field) for key, field in _PAYER.items()},
        **{f"{key}SourceConcept": Attribute("set", f"{field}_source") for key, field in _PAYER.items()},
    },
    "ProcedureOccurrence": {
        **_POINT,
        **_concepts("ProcedureType", "type", exclude=True),
        **_concepts("Modifier", "modifier"),
        **_ranges(Quantity="quantity"),
        **_PERSON,
        **_CARE,
    },
    "Specimen": {
        **_POINT,
        **_concepts("SpecimenType", "type", exclude=True),
        **_ranges(Quantity="quantity"),
        **_concepts("Unit", "unit"),
        **_concepts("AnatomicSite", "anatomic_site"),
        **_concepts("DiseaseStatus", "disease_status"),
        **_texts(SourceId="source_id"),
        **_PERSON,
    },
    "VisitDetail": {
        **_ranges(
            VisitDetailStartDate="start_date",
            VisitDetailEndDate="end_date",
            VisitDetailLength="length",
            Age="age_at_end",
        ),
        **{
            key: Attribute("selection", field)
            for key, field in (
                ("VisitDetailTypeCS", "type"),
                ("GenderCS", "gender"),
                ("ProviderSpecialtyCS", "provider_specialty"),
                ("PlaceOfServiceCS", "place_of_service"),
            )
        },
    },
    "VisitOccurrence": {
        **_OCCURRENCE,
        **_concepts("VisitType", "type", exclude=True),
        **_ranges(VisitLength="length"),
        **_PERSON,
        **_PROVIDER,
        **_concepts("PlaceOfService", "place_of_service"),
    },
}
OF_PERSON: Final = {
    **_PERSON,
    **_concepts("Race", "race"),
    **_concepts("Ethnicity", "ethnicity"),
    **_OCCURRENCE,
}
SOURCES: Final = {
    "ConditionOccurrence": "ConditionSourceConcept",
    "Death": "DeathSourceConcept",
    "DeviceExposure": "DeviceSourceConcept",
    "DrugExposure": "DrugSourceConcept",
    "Measurement": "MeasurementSourceConcept",
    "Observation": "ObservationSourceConcept",
    "ProcedureOccurrence": "ProcedureSourceConcept",
    "Specimen": "SpecimenSourceConcept",
    "VisitDetail": "VisitDetailSourceConcept",
    "VisitOccurrence": "VisitSourceConcept",
}
PERIODS: Final = (
    "ObservationPeriod",
    "PayerPlanPeriod",
)  # without a concept set of their own, and with days that a study may give
PLACED: Final = ("VisitOccurrence", "VisitDetail")
# What may be counted, beside days of start and end: field by circe's column, for each domain.
_CONCEPT, _VISIT, _LENGTH, _ONE = (
    {"DOMAIN_CONCEPT": "concept"},
    {"VISIT_ID": "visit"},
    {"DURATION": "length"},
    {"DURATION": "person"},
)
COUNTED: Final[dict[str, dict[str, str]]] = {
    "ConditionEra": {**_CONCEPT, **_LENGTH, "ERA_OCCURRENCES": "occurrence_count"},
    "ConditionOccurrence": {**_CONCEPT, **_VISIT, **_LENGTH},
    "Death": {**_CONCEPT, **_VISIT, **_ONE},
    "DeviceExposure": {**_CONCEPT, **_VISIT, **_LENGTH, "QUANTITY": "quantity"},
    "DoseEra": {**_CONCEPT, **_VISIT, **_LENGTH, "UNIT": "unit", "VALUE_AS_NUMBER": "dose_value"},
    "DrugEra": {
        **_CONCEPT,
        **_VISIT,
        **_LENGTH,
        "ERA_OCCURRENCES": "occurrence_count",
        "GAP_DAYS": "gap_days",
    },
    "DrugExposure": {
        **_CONCEPT,
        **_VISIT,
        **_LENGTH,
        "DAYS_SUPPLY": "days_supply",
        "QUANTITY": "quantity",
        "REFILLS": "refills",
    },
    "Measurement": {
        **_CONCEPT,
        **_VISIT,
        **_ONE,
        "VALUE_AS_NUMBER": "value_as_number",
        "RANGE_LOW": "range_low",
        "RANGE_HIGH": "range_high",
    },
    "Observation": {**_CONCEPT, **_VISIT, **_ONE, "VALUE_AS_NUMBER": "value_as_number"},
    "ObservationPeriod": {**_CONCEPT, **_VISIT, **_LENGTH},
    "PayerPlanPeriod": {**_CONCEPT, **_VISIT},
    "ProcedureOccurrence": {**_CONCEPT, **_VISIT, **_ONE, "QUANTITY": "quantity"},
    "Specimen": {**_CONCEPT, **_VISIT, **_ONE},
    "VisitDetail": {**_CONCEPT, **_LENGTH},
    "VisitOccurrence": {**_CONCEPT, **_VISIT, **_LENGTH},
}
COLUMNS: Final = tuple(
    (
        "DAYS_SUPPLY DOMAIN_CONCEPT DOMAIN_SOURCE_CONCEPT DURATION END_DATE ERA_OCCURRENCES GAP_DAYS "
        "QUANTITY RANGE_HIGH RANGE_LOW REFILLS START_DATE UNIT VALUE_AS_NUMBER VISIT_DETAIL_ID VISIT_ID"
    ).split()
)
DATES: Final = {"START_DATE": "start_date", "END_DATE": "end_date"}
