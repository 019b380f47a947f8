"""The registers: population, drugs, causes of death, diabetes, opt-outs. Each writes one chunk and returns
who its references truly are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from kernels.hashing import hash_rows
from pipelines.files.schemas import DAY_OPEN
from pipelines.study import codes
from pipelines.synthetic import care, records, settings
from pipelines.synthetic.care import CODES, DRUGS
from pipelines.synthetic.people import COORDINATED, DIED, STAYED, UNREGISTERED, People
from pipelines.synthetic.region import Region, Truth, sexes
from pipelines.synthetic.writing import (
    Folder,
    chosen,
    compact,
    dates,
    decimal,
    iso,
    misdated,
    numbered,
    spoiled,
    text,
)


def _number_at(people: People, who: np.ndarray, day: np.ndarray) -> np.ndarray:
    """The number in use on a day; none where it is a reserve number, which no register accepts."""
    now = np.where(
        (people.standing[who] == COORDINATED) & (day < people.changed[who]),
        people.previous[who],
        people.number[who],
    )
    return np.where(np.strings.startswith(now.astype("S12"), b"99"), b"", now).astype("S12")


def folkbokforing(region: Region, folder: Folder, rng: np.random.Generator) -> Truth:
    """Persons with the validity of their numbers, residences, and those who died or left."""
    people = region.people
    own = np.flatnonzero(people.standing != UNREGISTERED)
    begin = np.where(people.standing == COORDINATED, np.maximum(people.enters, people.changed), people.enters)
    own = own[begin[own] < people.until[own]]
    ids = records.reference(people.person, "folkbokforing")
    valid_from = np.where(
        people.standing == COORDINATED,
        people.changed,
        np.where(people.second_bearer, people.enters, people.birth),
    )
    folder.csv(
        "personer",
        region.chunk,
        {
            "PersonId": numbered("F", ids[own]),
            "Personnummer": text(people.number[own]),
            "TidigareNummer": text(people.previous[own]),
            "Förnamn": text(people.given[own]),
            "Efternamn": text(people.surname[own]),
            "Kön": sexes(people.sex[own], "M", "K"),
            "Födelsedatum": compact(people.birth[own]),
            "Postnummer": text(region.postcode[own]),
            "GiltigFrom": compact(valid_from[own]),
            "GiltigTom": compact(np.where(people.fate[own] == STAYED, DAY_OPEN, people.leaves[own])),
        },
        ";",
        "latin-1",
        rng,
    )
    who, start, end, place = region.residences
    county = [each.code for each in codes.municipalities()]
    folder.csv(
        "boende",
        region.chunk,
        {
            "PersonId": numbered("F", ids[who]),
            "Kommun": spoiled(chosen(county, place), settings.UNKNOWN_CODE, "0199", rng),
            "FrånDatum": compact(start),
            "TillDatum": compact(end),
        },
        ";",
        "latin-1",
        None,
    )
    gone = own[people.fate[own] != STAYED]
    folder.csv(
        "avregistrerade",
        region.chunk,
        {
            "PersonId": numbered("F", ids[gone]),
            "Datum": spoiled(compact(people.leaves[gone]), settings.BAD_DATE, "20190231", rng),
            "Orsak": chosen(["AV", "UV"], np.where(people.fate[gone] == DIED, 0, 1)),
        },
        ";",
        "latin-1",
        None,
    )
    return numbered("F", ids[own]), people.person[own]


def _distinct(number: np.ndarray, person: np.ndarray) -> Truth:
    known = number != b""
    found, rows = np.unique(number[known], return_index=True)
    return text(found), person[known][rows]


def lakemedel(region: Region, folder: Folder, rng: np.random.Generator) -> Truth:
    """Dispensed drugs; the sender has replaced each number by its token."""
    people = region.people
    rows = care.prescriptions(people, region.onset, region.contacts, rng)
    number = _number_at(people, rows.who, rows.day)
    kept = (number != b"") & ~people.second_bearer[rows.who]
    rows, number = rows[kept], number[kept]
    token = pa.array(_hexadecimal(hash_rows(number, region.token_key)), pa.binary()).cast(pa.string())
    folder.parquet(
        "uttag",
        region.chunk,
        {
            "persontoken": token,
            "atc": spoiled(chosen(list(DRUGS), rows.item), settings.UNKNOWN_CODE, "0A0", rng),
            "expedierad": dates(misdated(rows.day, people.birth[rows.who], rng)),
            "mangd": pa.array(rows.value.astype(np.int32)),
        },
        rng,
    )
    if not len(rows):
        return pa.array([], pa.string()), people.person[:0]
    found, first = np.unique(number, return_index=True)
    return text(_hexadecimal(hash_rows(found, region.token_key))), people.person[rows.who[first]]


def _hexadecimal(values: np.ndarray) -> np.ndarray:
    nibbles = (values[:, None] >> np.arange(60, -1, -4)) & 15
    return (
        np.ascontiguousarray(np.where(nibbles < 10, nibbles + 48, nibbles + 87), np.uint8)
        .view("S16")
        .reshape(-1)
    )


def dodsorsak(region: Region, folder: Folder, rng: np.random.Generator) -> Truth:
    """Causes of death."""
    people = region.people
    rows = care.causes(people, region.onset, region.contacts, rng)
    number = _number_at(people, rows.who, rows.day)
    kept = (number != b"") & (people.standing[rows.who] != UNREGISTERED) & ~people.second_bearer[rows.who]
    rows, number = rows[kept], number[kept]
    folder.csv(
        "orsaker",
        region.chunk,
        {
            "Personnummer": text(number),
            "Dödsdatum": iso(rows.day),
            "Diagnos": chosen(list(CODES), rows.item),
            "Ordning": pa.array(rows.position.astype(np.int64)).cast(pa.string()),
        },
        ";",
        "utf-8",
        rng,
    )
    return _distinct(number, people.person[rows.who])


def kvalitetsregister(region: Region, folder: Folder, corrected: Folder, rng: np.random.Generator) -> Truth:
    """The register of diabetes, one row a yearly check; its first delivery has some values in the unit of
    another country."""
    people = region.people
    who, day, values = care.yearly_checks(people, region.onset, rng)
    number = _number_at(people, who, day)
    kept = (number != b"") & ~people.second_bearer[who]
    who, day, values, number = who[kept], day[kept], values[kept], number[kept]
    typed = records.number_typos(number, settings.NUMBER_TYPO["kvalitetsregister"], rng)
    missing = rng.random(len(who)) < 0.04
    wrong = rng.random(len(who)) < 0.01
    dirt = int(rng.integers(2**62))
    for folder_of, hba1c in (
        (folder, np.where(wrong, values[:, 0] // 3, values[:, 0])),
        (corrected, values[:, 0]),
    ):
        stream = np.random.Generator(np.random.SFC64(dirt))
        folder_of.csv(
            "arskontroller",
            region.chunk,
            {
                "Personnummer": text(typed),
                "Datum": iso(day),
                "HbA1c": _blanked(decimal(hba1c, 0, ","), missing),
                "LDL": _blanked(decimal(values[:, 1], 1, ","), np.roll(missing, 1)),
                "Systoliskt": spoiled(decimal(values[:, 2], 0, ","), settings.OUT_OF_RANGE, "1300", stream),
                "BMI": decimal(values[:, 3], 1, ","),
            },
            ";",
            "utf-8",
            stream,
        )
    return _distinct(typed, people.person[who])


def _blanked(column: pa.Array, rows: np.ndarray) -> pa.Array:
    return pa.compute.if_else(pa.array(rows), pa.scalar(None, pa.string()), column)


def sparrlista(region: Region, folder: Folder, rng: np.random.Generator) -> Truth:
    """Those who have opted out, and from when."""
    people = region.people
    rows = np.flatnonzero(
        (rng.random(len(people)) < settings.OPTED_OUT)
        & (people.standing != UNREGISTERED)
        & ~people.second_bearer
    )
    rows = rows[people.person[rows] >= settings.CANARIES]
    day = np.maximum(rng.integers(settings.END - 1500, settings.END, len(rows)), people.birth[rows]).astype(
        np.int32
    )
    number = people.number[rows]
    folder.csv(
        "sparrar",
        region.chunk,
        {
            "Personnummer": text(number),
            "Från": iso(day),
            "Omfattning": chosen(["ALL"], np.zeros(len(rows), np.int64)),
        },
        ";",
        "utf-8",
        None,
    )
    return _distinct(number, people.person[rows])
