"""One side: python -m benchmarks.aggregation.sides SIDE QUESTION FOLDER COUNT prints a digest of its answer
and what it used.

Questions: `events`, or `events and persons`, in a cube of five dimensions with all 32 kinds of margins;
`lexis`, days at risk by age of five years and calendar year.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.aggregation import made

Side = Callable[[Path, int], np.ndarray]
NAMES = tuple(made.SIZES)
SHAPE = tuple(size + 1 for size in made.SIZES.values())
WHAT = {"events": ("events",), "events and persons": ("persons", "events")}
_COLUMNS = ", ".join(NAMES)
_PART = 200_000  # people whose follow-up is cut at a time


# ---- a cube ------------------------------------------------------------------------------------------------


def ours(question: str, folder: Path) -> np.ndarray:
    """int64 (counts, cells): part by part, added up."""
    import pyarrow.parquet as pq

    from kernels.cells import add_up, count_distinct, spread

    steps, depth = spread([[-1, *[0] * size] for size in made.SIZES.values()])
    cells = int(np.prod(SHAPE))
    total = np.zeros((len(WHAT[question]), cells), np.int64)
    for part in range(made.PARTS):
        table = pq.read_table(
            folder / f"{part}.parquet", columns=[*NAMES, *(["person"] if "persons" in WHAT[question] else [])]
        )
        positions = np.empty((len(table), len(NAMES)), np.int32)
        for axis, name in enumerate(NAMES):
            np.add(table[name].to_numpy(), 1, out=positions[:, axis])
        for place, what in enumerate(WHAT[question]):
            if what == "persons":
                total[place] += count_distinct(
                    table["person"].to_numpy().astype(np.int64), positions, steps, depth, cells
                )
            else:
                total[place] += add_up(positions, np.ones(len(positions), np.int64), steps, depth, cells)
    return total


def duckdb(question: str, folder: Path, two_steps: bool = False) -> np.ndarray:
    """int64 (counts, cells): GROUP BY CUBE over all parts; or own cells (and persons) first, and the CUBE
    over those."""
    import duckdb as db

    cells = ", ".join(f"coalesce({name} + 1, 0)" for name in NAMES)
    source = f"read_parquet('{folder}/*.parquet')"
    person = ", person" if "persons" in WHAT[question] else ""
    if two_steps:
        source = f"(SELECT {_COLUMNS}{person}, count(*) AS n FROM {source} GROUP BY ALL)"
    counts = {"persons": "count(DISTINCT person)", "events": "sum(n)" if two_steps else "count(*)"}
    asked = ", ".join(f"{counts[what]}::BIGINT" for what in WHAT[question])
    with db.connect(config={"threads": 1, "memory_limit": "4GB"}) as link:
        found = link.execute(f"SELECT {cells}, {asked} FROM {source} GROUP BY CUBE ({_COLUMNS})").fetchnumpy()
    return _placed(question, [np.asarray(column, np.int64) for column in found.values()])


def polars(question: str, folder: Path) -> np.ndarray:
    """int64 (counts, cells): a lazy grouping for each kind of margin, of own cells (and persons), collected
    together."""
    import polars as pl

    rows = pl.concat([pl.scan_parquet(folder / f"{part}.parquet") for part in range(made.PARTS)])
    counts = {"persons": pl.col("person").n_unique(), "events": pl.col("n").sum()}
    asked = [counts[what].cast(pl.Int64).alias(what) for what in WHAT[question]]
    base = (
        rows.group_by([*NAMES, *(["person"] if "persons" in WHAT[question] else [])])
        .len("n")
        .collect()
        .lazy()
    )
    kinds = [kept for size in range(len(NAMES) + 1) for kept in combinations(NAMES, size)]
    out = np.zeros((len(asked), int(np.prod(SHAPE))), np.int64)
    frames = pl.collect_all(
        [base.group_by(kept).agg(asked) if kept else base.select(asked) for kept in kinds]
    )
    for kept, frame in zip(kinds, frames, strict=True):
        place = [
            frame[name].to_numpy().astype(np.int64) + 1 if name in kept else np.zeros(len(frame), np.int64)
            for name in NAMES
        ]
        out += _placed(question, [*place, *(frame[what].to_numpy() for what in WHAT[question])])
    return out


def _placed(question: str, columns: list[np.ndarray]) -> np.ndarray:
    """Counts of each cell by its number: int64 (what is counted, cells)."""
    out = np.zeros((len(WHAT[question]), *SHAPE), np.int64)
    for place in range(len(out)):
        out[place][tuple(columns[: len(NAMES)])] = columns[len(NAMES) + place]
    return out.reshape(len(out), -1)


# ---- days at risk ------------------------------------------------------------------------------------------


def in_parts(
    side: Callable[[dict[str, np.ndarray]], np.ndarray], people: dict[str, np.ndarray]
) -> np.ndarray:
    """int64 (20, 10): some people at a time, as shards are: both sides are faster so.

    `people`: `birth`, `start` and `until`, int32 (n,) each, days since 1970-01-01.
    """
    starts = range(0, len(people["start"]), _PART)
    return np.sum(
        [side({name: values[begin : begin + _PART] for name, values in people.items()}) for begin in starts],
        axis=0,
    )


def lexis(people: dict[str, np.ndarray]) -> np.ndarray:
    """Pieces by the kernel, summed by age group and year: int64 (20, 10).

    `people`: `birth`, `start` and `until`, int32 (n,) each, days since 1970-01-01.
    """
    from kernels.ages import year_month_day
    from kernels.cells import add_up, spread
    from kernels.lexis import Ages, Bands, Homes, cut_follow_up

    none = np.empty(0, np.int32)
    birth, start, until = (people[name] for name in ("birth", "start", "until"))
    ages, homes = Ages(year_month_day(birth), 5, 95), Homes(np.zeros(len(start) + 1, np.int64), none, none)
    _, _, days, age, year = cut_follow_up(
        start, until, True, ages, homes, Bands(start, np.empty(0, np.int64))
    )
    steps, depth = spread([[-1, *[0] * 20], [-1, *[0] * 10]])
    return add_up(np.stack([age + 1, year - 2009], axis=1), days, steps, depth, 21 * 11).reshape(21, 11)[
        1:, 1:
    ]


def pandas_lexis(people: dict[str, np.ndarray]) -> np.ndarray:
    """int64 (20, 10): the same with whole columns: a row for each year, then one before and one from the
    birthday in it.

    `people`: `birth`, `start` and `until`, int32 (n,) each, days since 1970-01-01.
    """
    import pandas as pd

    frame = pd.DataFrame(people)
    begin = frame["start"].to_numpy().astype("M8[D]").astype("M8[Y]")
    last = (frame["until"].to_numpy() - 1).astype("M8[D]").astype("M8[Y]")
    count = (last - begin).astype(int) + 1
    rows = frame.loc[frame.index.repeat(count)].reset_index(drop=True)
    rows["year"] = np.repeat(begin.astype(int), count) + np.concatenate([np.arange(n) for n in count])
    opens = rows["year"].to_numpy().astype("M8[Y]").astype("M8[D]").astype(int)
    closes = (rows["year"].to_numpy() + 1).astype("M8[Y]").astype("M8[D]").astype(int)
    born = rows["birth"].to_numpy().astype("M8[D]")
    month = born.astype("M8[M]")
    reached = (
        (rows["year"].to_numpy() * 12 + month.astype(int) % 12).astype("M8[M]").astype("M8[D]")
        + (born - month.astype("M8[D]"))
    ).astype(int)
    age = rows["year"].to_numpy() - month.astype("M8[Y]").astype(int)
    low, high = np.maximum(rows["start"], opens), np.minimum(rows["until"], closes)
    before, after = (np.minimum(high, reached) - low).clip(0), (high - np.maximum(low, reached)).clip(0)
    pieces = pd.concat(
        [
            pd.DataFrame({"age": age - 1, "year": rows["year"], "days": before}),
            pd.DataFrame({"age": age, "year": rows["year"], "days": after}),
        ]
    )
    pieces = pieces[pieces["days"] > 0]
    sums = pieces.groupby([pieces["age"].clip(upper=99) // 5, "year"])["days"].sum()
    out = np.zeros((20, 10), np.int64)
    out[sums.index.get_level_values(0), sums.index.get_level_values(1) - 40] = sums.to_numpy()
    return out


def _cube(question: str) -> dict[str, Side]:
    return {
        "uttag": lambda folder, _: ours(question, folder),
        "DuckDB CUBE": lambda folder, _: duckdb(question, folder),
        "DuckDB, own cells first": lambda folder, _: duckdb(question, folder, True),
        "Polars": lambda folder, _: polars(question, folder),
    }


SIDES = {
    **{question: _cube(question) for question in WHAT},
    "lexis": {
        "uttag": lambda _, count: in_parts(lexis, made.follow_up(count)),
        "pandas": lambda _, count: in_parts(pandas_lexis, made.follow_up(count)),
    },
}


def _peak_mib() -> float:
    """Of this program alone: what getrusage tells is at least that of the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> None:
    """Ask a small question first, so that what is compiled is compiled, then the one."""
    side, question, folder, count = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    ask = SIDES[question][side]
    ask(folder / "small", 100)
    people = made.follow_up(count) if question == "lexis" else {}
    before, wall = time.process_time(), time.perf_counter()
    answer = in_parts(lexis if side == "uttag" else pandas_lexis, people) if people else ask(folder, count)
    used = {
        "cpu": time.process_time() - before,
        "wall": time.perf_counter() - wall,
        "peak_mib": _peak_mib(),
    }
    print(
        json.dumps(
            {"answer": hashlib.sha256(np.ascontiguousarray(answer, np.int64).tobytes()).hexdigest(), **used}
        )
    )


if __name__ == "__main__":
    main()
