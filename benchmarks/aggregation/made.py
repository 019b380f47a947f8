"""Made-up rows: events classified by five dimensions, ascending by person, in parts; and follow-up with
births."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SIZES = {"sex": 2, "age_group": 19, "municipality": 26, "year": 9, "chapter": 22}
PARTS = 10
EACH = 50  # events a person
FIRST, LAST = 14_610, 18_261  # 2010-01-01 to 2019-12-31


def events(folder: Path, count: int) -> None:
    """`count` events as Parquet, a person in one part alone; sex is of the person, home nearly so, age
    follows the year."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(PARTS):
        rng = np.random.default_rng(part)
        n = count // PARTS
        people = max(1, n // EACH)
        person = np.sort(rng.integers(0, people, n)).astype(np.int32)
        year = rng.integers(0, 9, n).astype(np.int8)
        age = np.minimum(rng.integers(0, 90, people)[person] + year, 94) // 5
        home = np.where(
            rng.random(n) < 0.05,
            rng.integers(0, 26, n),
            (rng.exponential(5, people)[person]).astype(int) % 26,
        )
        chapter = np.minimum(rng.exponential(6, n), 21).astype(np.int8)
        columns = {
            "person": person + np.int32(part * people),
            "sex": rng.integers(0, 2, people)[person].astype(np.int8),
            "age_group": age.astype(np.int8),
            "municipality": home.astype(np.int8),
            "year": year,
            "chapter": chapter,
        }
        pq.write_table(pa.table(columns), folder / f"{part}.parquet", compression="zstd")


def follow_up(count: int) -> dict[str, np.ndarray]:
    """Births, first days of follow-up and the days after the last: int32 (count,) each."""
    rng = np.random.default_rng(1)
    start = rng.integers(FIRST, LAST, count)
    until = np.minimum(start + 1 + rng.integers(0, 3650, count), LAST + 1)
    birth = start - rng.integers(0, 36_000, count)
    return {
        name: values.astype(np.int32)
        for name, values in (("birth", birth), ("start", start), ("until", until))
    }
