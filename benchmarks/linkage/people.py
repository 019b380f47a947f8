"""Made-up person records to deduplicate: python -m benchmarks.linkage.people RECORDS FOLDER writes
records.parquet and truth.parquet.

Seven records of ten are persons, the rest corrupted copies. Postcode fixes city, and households share surname
and address, so fields are correlated as they are in life. Persons are kept as codes; texts exist for one
slice of the records at a time.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.linkage import names, typos

SLICE = 250_000
FILES = ("records", "truth")
Columns = dict[str, np.ndarray]
_DAYS, _FIRST_DAY = 32_000, np.datetime64("1936-01-01")


@dataclass(frozen=True)
class Persons:
    """Codes, one entry for each person."""

    household: np.ndarray
    given: np.ndarray
    surname: np.ndarray
    birth: np.ndarray
    serial: np.ndarray
    mail: np.ndarray


@dataclass(frozen=True)
class Places:
    """Codes of addresses; `city` by postcode."""

    postcode: np.ndarray
    street: np.ndarray
    house: np.ndarray
    city: np.ndarray


def _persons(rng: np.random.Generator, count: int, pool: Columns) -> tuple[Persons, Places]:
    size = rng.choice(np.arange(1, 6, dtype=np.int8), count, p=[0.42, 0.3, 0.12, 0.11, 0.05])
    households = int(np.searchsorted(np.cumsum(size, dtype=np.int64), count)) + 1
    household = np.repeat(np.arange(households, dtype=np.int32), size[:households])[:count]
    family = names.zipf(rng, len(pool["surname"]), households, 0.85, 4)
    own = rng.random(count) < 0.15
    surname = np.where(own, names.zipf(rng, len(pool["surname"]), count, 0.85, 4), family[household])
    postcodes = max(10, min(count // 1_200, 17_000))
    places = Places(
        rng.integers(0, postcodes, households, np.int32),
        names.zipf(rng, len(pool["street"]), households, 0.6),
        rng.integers(1, 80, households, np.int16),
        np.sort(names.zipf(rng, len(pool["city"]), postcodes, 0.9)),
    )
    given, birth = names.zipf(rng, len(pool["given"]), count, 0.8, 6), rng.integers(0, _DAYS, count, np.int32)
    return Persons(
        household=household,
        given=given,
        surname=surname,
        birth=birth,
        serial=rng.integers(0, 10_000, count, np.int16),
        mail=rng.integers(0, 5, count, np.int8),
    ), places


def _postcode(codes: np.ndarray, count: int) -> np.ndarray:
    return (10_000 + codes.astype(np.int64) * (89_000 // count)).astype("U5")


def _texts(at: np.ndarray, home: np.ndarray, persons: Persons, places: Places, pool: Columns) -> Columns:
    """The right values of persons `at`. `home`: the household whose address they have."""
    postcode = places.postcode[home]
    birth = (_FIRST_DAY + persons.birth[at]).astype("U10")
    serial = np.strings.zfill(persons.serial[at].astype("U4"), 4)
    given, surname = pool["given"][persons.given[at]], pool["surname"][persons.surname[at]]
    mail = np.strings.add(np.strings.add(np.strings.lower(given), "."), np.strings.lower(surname))
    domain = np.array(["@post.example", "@brev.example", "@hem.example", "@jobb.example", ""])[
        persons.mail[at]
    ]
    return {
        "given": given,
        "surname": surname,
        "birth": birth,
        "city": pool["city"][places.city[postcode]],
        "postcode": _postcode(postcode, len(places.city)),
        "street": np.strings.add(
            np.strings.add(pool["street"][places.street[home]], " "), places.house[home].astype("U3")
        ),
        "number": np.strings.add(np.strings.replace(birth, "-", ""), serial),
        "email": np.where(domain == "", "", np.strings.add(mail, domain)),
    }


_MISSING = {
    "given": 0.02,
    "surname": 0.02,
    "birth": 0.04,
    "city": 0.06,
    "postcode": 0.06,
    "street": 0.08,
    "number": 0.3,
    "email": 0.3,
}
_TYPO = {
    "given": 0.16,
    "surname": 0.18,
    "city": 0.06,
    "postcode": 0.05,
    "street": 0.14,
    "number": 0.07,
    "email": 0.06,
}
_MISSING_IN_ORIGINAL = {"street": 0.02, "number": 0.08, "email": 0.2}


def _births(rng: np.random.Generator, days: np.ndarray) -> np.ndarray:
    """Dates of birth as copies have them, U10: some a few days, a year or ten off, some with day and month
    swapped."""
    dates = _FIRST_DAY + days
    slip, kind = rng.random(len(days)), rng.integers(0, 3, len(days))
    by = np.where(kind == 0, rng.integers(1, 9, len(days)), np.where(kind == 1, 365, 3653))
    dates = np.where(slip < 0.06, dates - by, dates)
    month, day = dates.astype("M8[M]"), (dates - dates.astype("M8[M]")).astype(np.int64)
    swapped = month.astype("M8[Y]").astype("M8[M]") + day
    turned = swapped.astype("M8[D]") + (month - month.astype("M8[Y]").astype("M8[M]")).astype(np.int64)
    return np.where((slip > 0.97) & (day < 12), turned, dates).astype("U10")


def _corrupt(rng: np.random.Generator, right: Columns, days: np.ndarray, pool: Columns) -> Columns:
    """Copies as registers get them: married, names swapped, mistyped, moved (by the caller), values missing
    (empty)."""
    count, out = len(days), dict(right)
    other = pool["surname"][names.zipf(rng, len(pool["surname"]), count, 0.85, 4)]
    out["surname"] = np.where(rng.random(count) < 0.05, other, out["surname"])
    swapped = rng.random(count) < 0.02
    out["given"], out["surname"] = (
        np.where(swapped, out["surname"], out["given"]),
        np.where(swapped, out["given"], out["surname"]),
    )
    out["birth"] = _births(rng, days)
    for name, share in _TYPO.items():
        rows = np.flatnonzero((rng.random(count) < share) & (out[name] != ""))
        out[name] = typos.mistype(
            rng, out[name], rows, typos.DIGITS if name in ("postcode", "number") else typos.LETTERS
        )
    return _blanked(rng, out, _MISSING)


def _blanked(rng: np.random.Generator, columns: Columns, shares: dict[str, float]) -> Columns:
    return {
        name: np.where(rng.random(len(column)) < shares.get(name, 0), "", column)
        for name, column in columns.items()
    }


def write(folder: Path, records: int, seed: int = 1) -> None:
    """Write records.parquet (record_id and fields, "" never: null) and truth.parquet (record_id, person), in
    the same random order."""
    rng = np.random.default_rng(seed)
    pool, count = names.pools(rng, records), records - records * 3 // 10
    persons, places = _persons(rng, count, pool)
    person = np.concatenate(
        [np.arange(count, dtype=np.int32), rng.integers(0, count, records - count, np.int32)]
    )
    copy = np.arange(records) >= count
    order = rng.permutation(records)
    folder.mkdir(parents=True, exist_ok=True)
    files: list[pq.ParquetWriter] = []
    for start in range(0, records, SLICE):
        at = order[start : start + SLICE]
        who, copied, home = person[at], np.flatnonzero(copy[at]), persons.household[person[at]].copy()
        moved = copied[rng.random(len(copied)) < 0.15]
        home[moved] = rng.integers(0, len(places.house), len(moved))
        right = _texts(who, home, persons, places, pool)
        wrong = _corrupt(
            rng, {name: column[copied] for name, column in right.items()}, persons.birth[who[copied]], pool
        )
        values = _blanked(rng, right, _MISSING_IN_ORIGINAL)
        for name, column in wrong.items():
            wide = values[name].astype(np.promote_types(values[name].dtype, column.dtype))
            wide[copied] = column
            values[name] = wide
        ids = pa.array(np.char.mod("r%09d", np.arange(start, start + len(at))))
        fields = {name: pa.array(column, mask=column == "") for name, column in values.items()}
        tables = pa.table({"record_id": ids, **fields}), pa.table({"record_id": ids, "person": who})
        if not files:
            files = [
                pq.ParquetWriter(folder / f"{name}.parquet", table.schema)
                for name, table in zip(FILES, tables, strict=True)
            ]
        for file, table in zip(files, tables, strict=True):
            file.write_table(table)
    for file in files:
        file.close()


if __name__ == "__main__":
    write(Path(sys.argv[2]), int(sys.argv[1]))
