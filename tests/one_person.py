"""One person with a few events as a shard, and whether, when and why it is in a cohort, by both engines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np

from pipelines.cohort.stage import select
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import DAY_UNKNOWN, KIND, VALUE_MISSING
from pipelines.store.shard import codes, postings
from pipelines.study.days import day_number
from pipelines.study.definition import Definition
from tests.people import MadeShard


def day(text: str) -> int:
    return day_number(date.fromisoformat(text))


def person(
    events: Iterable[tuple[str, ...]],
    born: str = "1970-06-15",
    observed: tuple[str, str] = ("2015-01-01", "2024-12-31"),
    died: str | None = None,
    opted_out: bool = False,
) -> MadeShard:
    """A shard of one person with events of source "a": (day, code), diagnoses, or (day, code, kind)."""
    found = sorted(
        (day(when), code, kind) for when, code, kind in ((*each, "diagnosis")[:3] for each in events)
    )
    n = len(found)
    labels = tuple(sorted({f"T/{code}" for _, code, _ in found}))
    start = np.array([when for when, _, _ in found], np.int32)
    frames: dict[str, Frame] = {
        "persons": {
            "person": np.array([7]),
            "sex": np.array([1], np.int8),
            "birth_day": np.array([day(born)], np.int32),
            "death_day": np.array([day(died) if died else DAY_UNKNOWN], np.int32),
            "opt_out_day": np.array([day("2020-01-01") if opted_out else DAY_UNKNOWN], np.int32),
        },
        "periods": {
            "person": np.zeros(1, np.int32),
            "start": np.array([day(observed[0])], np.int32),
            "end": np.array([day(observed[1])], np.int32),
        },
        "events": {
            "person": np.zeros(n, np.int32),
            "start": start,
            "end": start,
            "concept": Category(
                labels, np.array([labels.index(f"T/{code}") for _, code, _ in found], np.int32)
            ),
            "value": np.full(n, VALUE_MISSING),
            "unit": Category.constant(None, n),
            "kind": np.array([KIND[kind] for *_, kind in found], np.int8),
            "position": np.ones(n, np.int8),
            "setting": np.zeros(n, np.int8),
            "source": Category.constant("a", n),
            "care_unit": Category.constant(None, n),
            "encounter": np.zeros(n, np.int64),
        },
    }
    frames.update(postings=postings(frames["events"]), codes=codes(frames["events"]))
    return MadeShard(frames)


def definition(**more: Any) -> Definition:
    base: dict[str, Any] = {
        "cohort": "rule",
        "title": "rule",
        "study": {"from": "2018-01-01", "to": "2021-12-31"},
        "codes": {"index": ["T/A"], "other": ["T/B"]},
        "index": {"codes": "index"},
    }
    return Definition(**{**base, **more})


def entries(shard: MadeShard, asked: Definition) -> list[tuple[str, str]]:
    """First and last day of each membership of the person; both engines say the same."""
    fast, slow = select(shard, ("a",), asked), select(shard, ("a",), asked, "duckdb")
    assert (fast.attrition, fast.ends) == (slow.attrition, slow.ends)
    days = [
        [
            (str(np.datetime64(int(first), "D")), str(np.datetime64(int(last), "D")))
            for first, last in zip(found.members["start"], found.members["end"], strict=True)
        ]
        for found in (fast, slow)
    ]
    assert days[0] == days[1]
    return days[0]


def entry(shard: MadeShard, asked: Definition) -> tuple[str, str] | None:
    """First and last day of the person's first membership, None if not a member."""
    return next(iter(entries(shard, asked)), None)
