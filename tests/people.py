"""Small made-up shards for tests of cohort and aggregation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipelines.files.frames import Category, Frame, take
from pipelines.files.schemas import DAY_UNKNOWN, KIND, VALUE_MISSING, VALUE_SCALE
from pipelines.files.sealed import HeldParts
from pipelines.store.shard import codes, postings

EPOCH_2018 = 17532


@dataclass(frozen=True)
class MadeShard:
    """A shard in memory."""

    frames: dict[str, Frame]

    def read(self, name: str, columns: Iterable[str] | None = None) -> Frame:
        frame = self.frames[name]
        return frame if columns is None else {column: frame[column] for column in columns}

    def parts(self, name: str) -> HeldParts:
        return HeldParts(self.frames[name])


def make_shard(seed: int, persons: int, events_each: int = 12) -> MadeShard:
    """People with births, deaths, opt-outs, periods, moves and events of 2018-2021, some on the same day."""
    random = np.random.default_rng(seed)
    start = EPOCH_2018 + random.integers(0, 400, persons).astype(np.int32)
    end = start + random.integers(1, 1000, persons).astype(np.int32)
    death = np.where(random.random(persons) < 0.1, end, DAY_UNKNOWN).astype(np.int32)
    birth = np.where(
        random.random(persons) < 0.05, DAY_UNKNOWN, EPOCH_2018 - random.integers(0, 36000, persons)
    ).astype(np.int32)
    opt_out = np.where(random.random(persons) < 0.1, EPOCH_2018, DAY_UNKNOWN).astype(np.int32)
    frames: dict[str, Frame] = {
        "persons": {
            "person": np.cumsum(random.integers(1, 1000, persons)).astype(np.int64),
            "sex": random.integers(0, 3, persons).astype(np.int8),
            "birth_day": birth,
            "death_day": death,
            "opt_out_day": opt_out,
        },
        "periods": {"person": np.arange(persons, dtype=np.int32), "start": start, "end": end},
        "residences": _residences(random, start, end),
    }
    frames["events"] = events = _events(random, persons, events_each)
    frames.update(postings=postings(events), codes=codes(events))
    return MadeShard(frames)


def _residences(random: np.random.Generator, start: np.ndarray, end: np.ndarray) -> Frame:
    persons = len(start)
    moved = (start + (end - start) // 2).astype(np.int32)
    place = random.integers(0, 3, 2 * persons).astype(np.int32)
    return {
        "person": np.repeat(np.arange(persons, dtype=np.int32), 2),
        "start": np.stack([start, moved], 1).ravel(),
        "end": np.stack([moved - 1, end], 1).ravel(),
        "municipality": Category(("0114", "0180", "0192"), place),
    }


def _events(random: np.random.Generator, persons: int, each: int) -> Frame:
    n = persons * each
    labels = ("T/A", "T/A1", "T/B1", "T/B12", "T/C", "T/D")
    begin = EPOCH_2018 + random.integers(0, 1200, n) // 3 * 3
    frame: Frame = {
        "person": np.sort(random.integers(0, persons, n)).astype(np.int32),
        "start": begin.astype(np.int32),
        "end": (begin + random.integers(0, 5, n)).astype(np.int32),
        "concept": Category(labels, random.integers(0, len(labels), n).astype(np.int32)),
        "value": np.where(random.random(n) < 0.3, VALUE_MISSING, random.integers(0, 12, n) * VALUE_SCALE),
        "unit": Category(("%", "mmol"), random.integers(-1, 2, n).astype(np.int32)),
        "kind": random.choice([KIND["diagnosis"], KIND["drug"]], n).astype(np.int8),
        "position": random.integers(0, 3, n).astype(np.int8),
        "setting": random.integers(0, 3, n).astype(np.int8),
        "source": Category(("a", "b", "c"), random.integers(0, 3, n).astype(np.int32)),
        "care_unit": Category.constant(None, n),
        "encounter": np.zeros(n, np.int64),
    }
    visit = random.integers(0, 4, n)
    frame["encounter"] = np.where(visit > 0, 4 * np.asarray(frame["person"], np.int64) + visit, 0)
    columns = [np.asarray(frame[name]) for name in ("end", "start", "person")]
    return take(frame, np.lexsort(columns))
