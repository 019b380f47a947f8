"""The journals of care: two hospital systems and primary care. Each writes one chunk and returns who its
references truly are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.study import codes
from pipelines.synthetic import records, settings
from pipelines.synthetic.care import ANALYSES, CODES, MEASURES, VALUES, Entries
from pipelines.synthetic.illness import EMERGENCY, INPATIENT, OUTPATIENT, PRIMARY, Contacts
from pipelines.synthetic.people import civil
from pipelines.synthetic.region import JOURNAL_A, JOURNAL_B, PRIMARY_CARE, Region, Truth, sexes
from pipelines.synthetic.writing import Folder, chosen, dates, decimal, iso, misdated, numbered, spoiled, text

_UNITS = [codes.laboratory()[name].unit for name in ANALYSES]
_DECIMALS = np.array([VALUES[name][2] for name in ANALYSES])


@dataclass(frozen=True)
class _Journal:
    """What one provider delivers: its contacts (rows of the region's), its records, and the rows that belong
    to those contacts."""

    contact: np.ndarray
    patients: records.Records
    of_contact: np.ndarray
    visit: np.ndarray

    def rows(self, rows: Entries) -> Entries:
        return rows[self.of_contact[rows.contact] >= 0]


def _journal(
    region: Region, source: str, mine: np.ndarray, split: np.ndarray, rng: np.random.Generator
) -> _Journal:
    contact = np.flatnonzero(mine)
    contacts = region.contacts
    patients, of = records.records(
        region.people, source, contacts.who[contact], contacts.day[contact], split, region.postcode, rng
    )
    of_contact = np.full(len(contacts), -1, np.int64)
    of_contact[contact] = of
    visit = region.chunk * 10_000_000 + np.arange(len(contacts)) + 1
    return _Journal(contact, patients, of_contact, visit)


def _unit(region: Region, contact: np.ndarray, count: int) -> np.ndarray:
    """A care unit of the provider for each contact, the same for one person and reason."""
    return (region.home[region.contacts.who[contact]] * 7 + region.contacts.condition[contact] * 3) % count


def journal_a(region: Region, folder: Folder, rng: np.random.Generator) -> Truth:
    """Hospital journals as comma-separated text."""
    people, contacts = region.people, region.contacts
    split = records.split_days(people, "journal_a", rng)
    own = _journal(region, "journal_a", region.provider == JOURNAL_A, split, rng)
    patients, name = own.patients, numbered("A", own.patients.reference)
    units = [f"A-{unit:03d}" for unit in range(120)]
    kinds = ["", "IN", "OUT", "PC", "ER"]

    def write(table: str, columns: dict[str, pa.Array]) -> None:
        folder.csv(table, region.chunk, columns, ",", "utf-8", rng)

    write(
        "patients",
        {
            "PatientID": name,
            "PersonID": text(patients.number),
            "FirstName": text(patients.given),
            "LastName": text(patients.surname),
            "Sex": sexes(people.sex[patients.who], "M", "F"),
            "BirthDate": iso(people.birth[patients.who]),
            "PostalCode": text(patients.postcode),
            "Created": iso(patients.first),
            "LastContact": iso(patients.last),
        },
    )
    at = own.contact
    write(
        "contacts",
        {
            "ContactID": numbered("K", own.visit[at]),
            "PatientID": name.take(pa.array(own.of_contact[at])),
            "ContactType": chosen(kinds, contacts.setting[at]),
            "StartDate": iso(misdated(contacts.day[at], people.birth[contacts.who[at]], rng)),
            "EndDate": iso(contacts.end[at]),
            "CareUnit": chosen(units, _unit(region, at, 120)),
        },
    )
    rows = own.rows(region.diagnoses)
    write(
        "diagnoses",
        {
            "ContactID": numbered("K", own.visit[rows.contact]),
            "PatientID": name.take(pa.array(own.of_contact[rows.contact])),
            "DiagnosisCode": spoiled(
                chosen([_dotted(code) for code in CODES], rows.item), settings.UNKNOWN_CODE, "99X", rng
            ),
            "Order": pa.array(rows.position.astype(np.int64)).cast(pa.string()),
            "Date": spoiled(
                iso(misdated(rows.day, people.birth[rows.who], rng)), settings.BAD_DATE, "2021-02-30", rng
            ),
            "ContactType": chosen(kinds, contacts.setting[rows.contact]),
            "CareUnit": chosen(units, _unit(region, rows.contact, 120)),
        },
    )
    rows = own.rows(region.measures)
    write(
        "measures",
        {
            "ContactID": numbered("K", own.visit[rows.contact]),
            "PatientID": name.take(pa.array(own.of_contact[rows.contact])),
            "MeasureCode": spoiled(chosen(list(MEASURES), rows.item), settings.UNKNOWN_CODE, "QV8", rng),
            "Date": iso(rows.day),
            "CareUnit": chosen(units, _unit(region, rows.contact, 120)),
        },
    )
    rows = own.rows(region.laboratory)
    write(
        "labs",
        {
            "PatientID": name.take(pa.array(own.of_contact[rows.contact])),
            "SampleDate": iso(rows.day),
            "Analysis": spoiled(chosen(list(ANALYSES), rows.item), settings.UNKNOWN_CODE, "OKÄND", rng),
            "Value": spoiled(
                spoiled(decimal(rows.value, _DECIMALS[rows.item]), settings.OUT_OF_RANGE, "99999", rng),
                0.0003,
                ">90",
                rng,
            ),
            "Unit": spoiled(chosen(_UNITS, rows.item), settings.UNKNOWN_UNIT, "mg/dL", rng),
        },
    )
    return name, people.person[patients.who]


def _dotted(code: str) -> str:
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 else code


def journal_b(region: Region, first: Folder, later: Folder, rng: np.random.Generator) -> Truth:
    """Hospital journals as Parquet; what has happened since `settings.LATE` comes a night later."""
    people, contacts = region.people, region.contacts
    split = records.split_days(people, "journal_b", rng)
    mine = region.provider == JOURNAL_B
    whole = _journal(region, "journal_b", mine, split, rng)
    for folder, part in ((first, contacts.day < settings.LATE), (later, contacts.day >= settings.LATE)):
        _write_b(region, folder, _part(whole, part, contacts), rng)
    return pa.array(whole.patients.reference).cast(pa.string()), people.person[whole.patients.who]


def _part(whole: _Journal, part: np.ndarray, contacts: Contacts) -> _Journal:
    """The same journal, of the contacts in `part` (bool by contact) alone: its records as they stood at the
    last of them."""
    contact = whole.contact[part[whole.contact]]
    kept, row = np.unique(whole.of_contact[contact], return_inverse=True)
    last = np.zeros(len(kept), np.int32)
    np.maximum.at(last, row, contacts.day[contact])
    of_contact = np.full(len(contacts), -1, np.int64)
    of_contact[contact] = row
    return _Journal(contact, dataclasses.replace(whole.patients[kept], last=last), of_contact, whole.visit)


def _write_b(region: Region, folder: Folder, own: _Journal, rng: np.random.Generator) -> None:
    people, contacts, patients = region.people, region.contacts, own.patients
    units = [f"B-{unit:03d}" for unit in range(80)]
    folder.parquet(
        "patient",
        region.chunk,
        {
            "patientnyckel": pa.array(patients.reference),
            "personnummer": short_form(patients.number),
            "namn_fornamn": text(patients.given),
            "namn_efternamn": text(patients.surname),
            "kon": pa.array(people.sex[patients.who]),
            "fodd": dates(people.birth[patients.who]),
            "postnr": text(patients.postcode),
            "upplagd": dates(patients.first),
            "senast_sedd": dates(patients.last),
        },
    )
    at = own.contact
    folder.parquet(
        "besok",
        region.chunk,
        {
            "besoksnyckel": pa.array(own.visit[at]),
            "patientnyckel": pa.array(patients.reference[own.of_contact[at]]),
            "vardform": pa.array(contacts.setting[at]),
            "in": dates(misdated(contacts.day[at], people.birth[contacts.who[at]], rng)),
            "ut": dates(contacts.end[at]),
            "enhet": chosen(units, _unit(region, at, 80)),
        },
        rng,
    )
    rows = own.rows(region.diagnoses)
    folder.parquet(
        "diagnos",
        region.chunk,
        {
            "besoksnyckel": pa.array(own.visit[rows.contact]),
            "patientnyckel": pa.array(patients.reference[own.of_contact[rows.contact]]),
            "kod": spoiled(chosen(list(CODES), rows.item), settings.UNKNOWN_CODE, "UTREDS", rng),
            "ordning": pa.array(rows.position),
            "datum": dates(misdated(rows.day, people.birth[rows.who], rng)),
            "vardform": pa.array(contacts.setting[rows.contact]),
            "enhet": chosen(units, _unit(region, rows.contact, 80)),
        },
        rng,
    )
    rows = own.rows(region.measures)
    folder.parquet(
        "atgard",
        region.chunk,
        {
            "besoksnyckel": pa.array(own.visit[rows.contact]),
            "patientnyckel": pa.array(patients.reference[own.of_contact[rows.contact]]),
            "kva": chosen(list(MEASURES), rows.item),
            "datum": dates(rows.day),
            "enhet": chosen(units, _unit(region, rows.contact, 80)),
        },
        rng,
    )
    rows = own.rows(region.laboratory)
    value = np.where(
        rng.random(len(rows)) < settings.OUT_OF_RANGE, 1e6, rows.value / 10.0 ** _DECIMALS[rows.item]
    )
    folder.parquet(
        "lab",
        region.chunk,
        {
            "patientnyckel": pa.array(patients.reference[own.of_contact[rows.contact]]),
            "provtagning": dates(rows.day),
            "analys": chosen(list(ANALYSES), rows.item),
            "varde": pa.array(value),
            "enhet": spoiled(chosen(_UNITS, rows.item), settings.UNKNOWN_UNIT, "mg/dL", rng),
        },
        rng,
    )


def short_form(number: np.ndarray) -> pa.Array:
    """Personnummer and samordningsnummer as yymmdd-nnnc (with a plus from the year of the hundredth
    birthday), reserve numbers whole. `number`: S12 (n,), empty for none."""
    wide = number.copy().view(np.uint8).reshape(len(number), 12)
    dated = (number != b"") & (wide[:, 0] < ord("3"))
    year = (wide[:, :4].astype(np.int64) - 48) @ np.array([1000, 100, 10, 1])
    out = np.zeros((len(number), 12), np.uint8)
    out[:, :6], out[:, 7:11] = wide[:, 2:8], wide[:, 8:]
    out[:, 6] = np.where(year <= settings.DELIVERED.year - 100, ord("+"), ord("-"))
    out[~dated] = wide[~dated]
    return text(out.view("S12").reshape(-1))


# ---- primary care as OMOP CDM 5.4 --------------------------------------------------------------------------

_CONCEPT = 2_000_000_000
_VISITS = {INPATIENT: 9201, OUTPATIENT: 9202, PRIMARY: 581477, EMERGENCY: 9203}


def primarvard(region: Region, folder: Folder, rng: np.random.Generator) -> Truth:
    """Primary care centres, their codes by way of the concept table."""
    people, contacts = region.people, region.contacts
    split = records.split_days(people, "primarvard", rng)
    own = _journal(region, "primarvard", region.provider == PRIMARY_CARE, split, rng)
    patients, ids = own.patients, own.patients.reference
    year, month, day = (pa.array(each.astype(np.int32)) for each in civil(people.birth[patients.who]))
    zero = pa.array(np.zeros(len(patients), np.int32))
    folder.parquet(
        "person",
        region.chunk,
        {
            "person_id": pa.array(ids),
            "gender_concept_id": pa.array(
                np.where(people.sex[patients.who] == 1, 8507, 8532).astype(np.int32)
            ),
            "year_of_birth": year,
            "month_of_birth": month,
            "day_of_birth": day,
            "race_concept_id": zero,
            "ethnicity_concept_id": zero,
            "person_source_value": text(patients.number),
        },
    )
    folder.parquet(
        "observation_period",
        region.chunk,
        {
            "observation_period_id": pa.array(ids),
            "person_id": pa.array(ids),
            "observation_period_start_date": dates(patients.first),
            "observation_period_end_date": dates(patients.last),
            "period_type_concept_id": pa.array(np.full(len(ids), 32828, np.int32)),
        },
    )
    at = own.contact
    folder.parquet(
        "visit_occurrence",
        region.chunk,
        {
            "visit_occurrence_id": pa.array(own.visit[at]),
            "person_id": pa.array(ids[own.of_contact[at]]),
            "visit_concept_id": pa.array(np.full(len(at), _VISITS[PRIMARY], np.int32)),
            "visit_start_date": dates(contacts.day[at]),
            "visit_end_date": dates(contacts.end[at]),
            "visit_type_concept_id": pa.array(np.full(len(at), 32827, np.int32)),
            "care_site_id": pa.array(_unit(region, at, 200) + 1),
        },
        rng,
    )
    rows = own.rows(region.diagnoses)
    unknown = rng.random(len(rows)) < settings.UNKNOWN_CODE
    folder.parquet(
        "condition_occurrence",
        region.chunk,
        {
            "condition_occurrence_id": pa.array(own.visit[rows.contact] * 16 + rows.position),
            "person_id": pa.array(ids[own.of_contact[rows.contact]]),
            "condition_concept_id": pa.array(np.zeros(len(rows), np.int32)),
            "condition_start_date": dates(misdated(rows.day, people.birth[rows.who], rng)),
            "condition_type_concept_id": pa.array(np.full(len(rows), 32827, np.int32)),
            "visit_occurrence_id": pa.array(own.visit[rows.contact]),
            "condition_source_concept_id": pa.array(
                np.where(unknown, 0, _CONCEPT + rows.item).astype(np.int64)
            ),
            "condition_source_value": chosen([_dotted(code) for code in CODES], rows.item),
        },
        rng,
    )
    rows = own.rows(region.laboratory)
    value = np.where(
        rng.random(len(rows)) < settings.OUT_OF_RANGE, -1.0, rows.value / 10.0 ** _DECIMALS[rows.item]
    )
    folder.parquet(
        "measurement",
        region.chunk,
        {
            "measurement_id": pa.array(own.visit[rows.contact] * 32 + rows.item),
            "person_id": pa.array(ids[own.of_contact[rows.contact]]),
            "measurement_concept_id": pa.array(np.zeros(len(rows), np.int32)),
            "measurement_date": dates(rows.day),
            "measurement_type_concept_id": pa.array(np.full(len(rows), 32856, np.int32)),
            "value_as_number": pa.array(value),
            "unit_source_value": chosen(_UNITS, rows.item),
            "visit_occurrence_id": pa.array(own.visit[rows.contact]),
            "measurement_source_concept_id": pa.array((_CONCEPT + 100_000 + rows.item).astype(np.int64)),
            "measurement_source_value": chosen(list(ANALYSES), rows.item),
        },
        rng,
    )
    if region.chunk == 0:
        _vocabulary(folder)
    return pa.array(ids).cast(pa.string()), people.person[patients.who]


def _vocabulary(folder: Folder) -> None:
    names = [*(f"{code}" for code in CODES), *ANALYSES]
    folder.parquet(
        "concept",
        0,
        {
            "concept_id": pa.array(
                np.r_[_CONCEPT + np.arange(len(CODES)), _CONCEPT + 100_000 + np.arange(len(ANALYSES))]
            ),
            "concept_name": pa.array(names),
            "domain_id": pa.array(["Condition"] * len(CODES) + ["Measurement"] * len(ANALYSES)),
            "vocabulary_id": pa.array(["ICD10SE"] * len(CODES) + ["LAB"] * len(ANALYSES)),
            "concept_code": pa.array(names),
        },
    )
    folder.parquet(
        "care_site",
        0,
        {
            "care_site_id": pa.array(np.arange(1, 201)),
            "care_site_name": numbered("Vårdcentral ", np.arange(1, 201)),
        },
    )
