"""One side of the comparison: python -m benchmarks.cohort.sides SIDE FOLDER [DEFINITIONS] prints what it
found and used.

The question: who has an A on or after 2015-01-01 (the first such), observed for 365 days before, without a B
in the 180 days before and with at least two C in the 90 days from it? With DEFINITIONS, that many such
questions about other codes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.cohort.events import CODES, FIRST_DAY, SHARDS, zone
from pipelines.cohort import engine
from pipelines.cohort.query import (
    Cohort,
    ConceptSet,
    Correlated,
    Criterion,
    Edge,
    Group,
    Occurrence,
    Range,
    Rule,
    Window,
)
from pipelines.cohort.results import merged
from pipelines.cohort.shard_source import ShardSource
from pipelines.site.snapshot import Shard

SINCE = FIRST_DAY + 1826  # 2015-01-01
Question = tuple[int, int, int]


def questions(count: int) -> list[Question]:
    """Codes A, B and C of each question: the one of the notes, then any."""
    rng = np.random.default_rng(7)
    others: list[Question] = []
    for _ in range(count - 1):
        a, b, c = (int(code) for code in rng.integers(0, CODES, 3))
        others.append((a, b, c))
    return [(10, 30, 0), *others][:count]


def ours(folder: Path, asked: list[Question]) -> list[list[int]]:
    """The engine over sealed shards."""
    sources = [
        ShardSource(Shard("", {}, folder / str(number), zone(folder)), None) for number in range(SHARDS)
    ]
    answers = []
    for question in asked:
        cohort = _cohort(question)
        found = merged([engine.run(cohort, source) for source in sources])
        answers.append(_digest(found.start))
    return answers


def _cohort(question: Question) -> Cohort:
    def within(name: str, how: Occurrence, first: int, last: int) -> Rule:
        return Rule(
            name,
            Group(
                "all",
                correlated=(
                    Correlated(
                        Criterion("event", name), how, Window(Edge(first, -1), Edge(last, 1)), any_period=True
                    ),
                ),
            ),
        )

    since = Range("start_date", "gte", SINCE)
    return Cohort(
        sets={
            name: ConceptSet(name, prefixes=(f"T/{code:05d}",))
            for name, code in zip("ABC", question, strict=True)
        },
        entry=(Criterion("event", "A", narrowed=(since,), nth=1),),
        prior_days=365,
        rules=(
            within("B", Occurrence("exactly", 0), -180, -1),
            within("C", Occurrence("at_least", 2), 0, 90),
        ),
    )


_SQL = """
    with found as materialized (
        select person, day, code from read_parquet('{events}') where code in ({a}, {b}, {c})
    ),
    entry as (select person, min(day) as day from found where code = {a} and day >= {since} group by person),
    observed as (
        select e.* from entry e join read_parquet('{periods}') p using (person)
        where e.day between p.start + 365 and p."end"
    ),
    counted as (
        select o.person, o.day,
            count(*) filter (where f.code = {b} and f.day between o.day - 180 and o.day - 1) as b,
            count(*) filter (where f.code = {c} and f.day between o.day and o.day + 90) as c
        from observed o join found f using (person) group by o.person, o.day
    )
    select day from counted where b = 0 and c >= 2"""


def peer(order: str) -> Callable[[Path, list[Question]], list[list[int]]]:
    """DuckDB on plain Parquet sorted by person or by code, one thread, one scan a question."""

    def side(folder: Path, asked: list[Question]) -> list[list[int]]:
        connection = duckdb.connect(config={"threads": 1})
        places = {
            "events": folder / f"{order}.parquet",
            "periods": folder / "periods.parquet",
            "since": SINCE,
        }
        return [
            _digest(
                connection.execute(_SQL.format(a=a, b=b, c=c, **places)).fetchnumpy()["day"].astype(np.int64)
            )
            for a, b, c in asked
        ]

    return side


def _digest(days: np.ndarray) -> list[int]:
    return [len(days), int(days.sum()), int((days * days % 1_000_003).sum())]


SIDES = {"uttag": ours, "duckdb person": peer("person"), "duckdb code": peer("code")}


@dataclass(frozen=True)
class Used:
    """What a side took."""

    cpu: float
    wall: float
    peak_mib: float


def main() -> None:
    """Warm up on one question about rare codes, then answer."""
    name, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    SIDES[name](folder, [(CODES - 1, CODES - 2, CODES - 3)])
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    answers = SIDES[name](folder, questions(count))
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    used = Used(round(cpu, 3), round(time.perf_counter() - begun, 3), after.ru_maxrss / 1024)
    print(json.dumps({"answers": answers, **used.__dict__}))


if __name__ == "__main__":
    main()
