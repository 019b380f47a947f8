"""Made-up events: python -m benchmarks.cohort.events EVENTS FOLDER writes a sealed snapshot's shards, and the
same events as plain Parquet, sorted by person (person.parquet) and by code (code.parquet), with
periods.parquet.

A hundred events a person on average, 20,000 codes of which few are common (Zipf), days over twelve years, one
observation period each.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.files import sealed
from pipelines.files.frames import Category, Frame, array
from pipelines.files.schemas import DAY_UNKNOWN, KIND, VALUE_MISSING
from pipelines.files.sealing import Zone, create_key
from pipelines.site.snapshot import RAW, SHARD_FILES
from pipelines.store.shard import codes, postings

CODES, EACH, SHARDS = 20_000, 100, 8
FIRST_DAY, DAYS = 14_610, 4_383  # 2010-01-01 and twelve years


def zone(folder: Path) -> Zone:
    """The key that the shards are sealed with."""
    create_key(folder / "key")
    return Zone("store", folder / "key")


def write(folder: Path, count: int, seed: int = 1) -> None:
    """Write everything; `built.json` says how many CPU seconds the postings took."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = tuple(f"T/{number:05d}" for number in range(CODES))
    persons, spent = count // EACH // SHARDS, 0.0
    with pq.ParquetWriter(
        folder / "person.parquet", _SCHEMA, compression="zstd", compression_level=1
    ) as by_person:
        for number in range(SHARDS):
            shard = _shard(np.random.default_rng([seed, number]), persons, count // SHARDS, labels)
            first = number * persons
            events = shard["events"]
            by_person.write_table(_plain(events, first))
            begun = time.process_time()
            shard["postings"], shard["codes"] = postings(events), codes(events)
            sealed.write(
                shard["postings"],
                folder / str(number) / "postings.parquet",
                SHARD_FILES["postings"],
                zone(folder),
                RAW["postings"],
            )
            spent += time.process_time() - begun
            for name in ("persons", "periods", "codes", "events"):
                sealed.write(
                    shard[name],
                    folder / str(number) / f"{name}.parquet",
                    SHARD_FILES[name],
                    zone(folder),
                    RAW.get(name, ()),
                )
            _part(folder / f"part-{number}.parquet", shard, first)
    _by_code(folder)
    (folder / "built.json").write_text(
        json.dumps({"events": count, "postings_cpu_s": round(spent, 1)}), encoding="utf-8"
    )


_SCHEMA = pa.schema({"person": pa.int32(), "day": pa.int32(), "code": pa.int32()})


def _shard(rng: np.random.Generator, persons: int, count: int, labels: tuple[str, ...]) -> dict[str, Frame]:
    weight = 1 / np.arange(1, CODES + 1) ** 0.9
    edges = np.cumsum(weight) / weight.sum()
    person = np.sort(rng.integers(0, persons, count, np.int32))
    day = (FIRST_DAY + rng.integers(0, DAYS, count, np.int32)).astype(np.int32)
    order = np.argsort(person.astype(np.int64) << 32 | day)
    code = np.searchsorted(edges, rng.random(count)).astype(np.int32)
    start = FIRST_DAY + rng.integers(0, 1000, persons, np.int32)
    length = rng.integers(500, DAYS, persons, np.int32)
    nothing = np.zeros(count, np.int8)
    return {
        "events": {
            "person": person,
            "start": day[order],
            "end": day[order],
            "concept": Category(labels, np.minimum(code, CODES - 1)),
            "value": np.full(count, VALUE_MISSING),
            "unit": Category.constant(None, count),
            "kind": np.full(count, KIND["diagnosis"], np.int8),
            "position": nothing,
            "setting": nothing,
            "source": Category.constant("a", count),
            "care_unit": Category.constant(None, count),
            "encounter": np.zeros(count, np.int64),
        },
        "persons": {
            "person": np.arange(persons, dtype=np.int64),
            "sex": rng.integers(1, 3, persons, np.int8),
            "birth_day": FIRST_DAY - rng.integers(0, 30_000, persons, np.int32),
            "death_day": np.full(persons, DAY_UNKNOWN, np.int32),
            "opt_out_day": np.full(persons, DAY_UNKNOWN, np.int32),
        },
        "periods": {"person": np.arange(persons, dtype=np.int32), "start": start, "end": start + length},
    }


def _plain(events: Frame, first: int) -> pa.Table:
    person, day, code = (array(events, name) for name in ("person", "start", "concept"))
    return pa.table({"person": person + np.int32(first), "day": day, "code": code}, schema=_SCHEMA)


def _part(path: Path, shard: dict[str, Frame], first: int) -> None:
    """A shard's events by code, and its periods, for the peer's files."""
    listed, periods = shard["postings"], shard["periods"]
    whole = pa.table(
        {
            "person": array(listed, "person") + np.int32(first),
            "day": array(listed, "start"),
            "code": listed["concept"],
        }
    )
    pq.write_table(whole.cast(_SCHEMA), path)
    person, start, end = (array(periods, name) for name in ("person", "start", "end"))
    pq.write_table(
        pa.table({"person": person + np.int32(first), "start": start, "end": end}),
        path.with_suffix(".periods"),
    )


def _by_code(folder: Path) -> None:
    """One file by (code, person, day), from the shards' parts."""
    parts = [pq.ParquetFile(folder / f"part-{number}.parquet").read() for number in range(SHARDS)]
    columns = [[part[name].to_numpy() for name in ("code", "person", "day")] for part in parts]
    step = 500
    with pq.ParquetWriter(
        folder / "code.parquet", _SCHEMA, compression="zstd", compression_level=1
    ) as by_code:
        for first in range(0, CODES, step):
            spans = [slice(*np.searchsorted(code, [first, first + step])) for code, _, _ in columns]
            code, person, day = (
                np.concatenate([each[at][span] for each, span in zip(columns, spans, strict=True)])
                for at in range(3)
            )
            order = np.lexsort((day, person, code))
            by_code.write_table(
                pa.table({"person": person[order], "day": day[order], "code": code[order]}, schema=_SCHEMA),
                122_880,
            )
    periods = pa.concat_tables(
        [pq.ParquetFile(folder / f"part-{number}.periods").read() for number in range(SHARDS)]
    )
    pq.write_table(periods, folder / "periods.parquet")
    for path in (*folder.glob("part-*.parquet"), *folder.glob("part-*.periods")):
        path.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[2]), int(sys.argv[1]))
