"""How likely members who are at risk in a band were to die in it, by the life table of a population: sums
over members that shards add up, and what is made of them.

Everybody at risk at the beginning of a band counts for the whole of it, as in the second method of Ederer
(Ederer and Heise 1959).
"""

from __future__ import annotations

import numpy as np

from kernels.ages import year_month_day
from kernels.cells import add_up
from kernels.lexis import Ages, Bands, Homes, cut_follow_up
from pipelines.aggregation.dimensions import People
from pipelines.aggregation.layout import EXPECTED_SUMS, Layout
from pipelines.cubes.expected_deaths import BILLION, EXPECTED, carried
from pipelines.files.schemas import DAY_UNKNOWN
from pipelines.study.lifetable import PARTS, Lifetable

_SQUARES = 10**14  # parts of a squared probability
_AT_ONCE = 10_000  # members whose time is cut at once


def sums(
    layout: Layout,
    people: People,
    member: np.ndarray,
    start: np.ndarray,
    positions: np.ndarray,
    by: Lifetable,
) -> dict[str, np.ndarray]:
    """The columns of `layout.expectation`, int64 (cells,) each, in the rows of all outcomes: persons at risk
    in each band, how likely they are to die in it, in billionths, and the squares of that. Who is of unknown
    sex or age is left out.

    `member`: int32 (n,), rows of persons; `start`: int32 (n,), index days; `positions`: int32 (n,
    dimensions), where each leaves and how.
    """
    out = {name: np.zeros(layout.cells, np.int64) for name in layout.expectation}
    sex, birth = (np.asarray(people.persons[name])[member] for name in ("sex", "birth_day"))
    known = np.flatnonzero((sex > 0) & (birth != DAY_UNKNOWN))
    for begin in range(0, len(known), _AT_ONCE):
        some = known[begin : begin + _AT_ONCE]
        who, band, chance = _chances(layout, sex[some], birth[some], start[some], positions[some], by)
        places = positions[some][who].copy()
        places[:, 0], places[:, 1] = band + 1, 0
        amounts = (np.ones(len(who)), np.rint(chance * BILLION), np.rint(chance**2 * _SQUARES))
        for name, amount in zip(layout.expectation, amounts, strict=True):
            out[name] += add_up(places, amount.astype(np.int64), *layout.spread, layout.cells)
    return out


def _chances(
    layout: Layout,
    sex: np.ndarray,
    birth: np.ndarray,
    start: np.ndarray,
    positions: np.ndarray,
    by: Lifetable,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who is at risk in which band, int64 (k,) and int64 (k,), and how likely to die in it, float64 (k,)."""
    step, bands = layout.table.step or 1, (layout.table.until or 1) // (layout.table.step or 1)
    reached = np.minimum(positions[:, 0], bands)
    ages = Ages(year_month_day(birth), 1, by.top)
    none = Homes(np.zeros(len(start) + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))
    cuts = Bands(start, step * np.arange(1, bands + 1, dtype=np.int64))
    until = (start + step * reached).astype(np.int32)
    row, first, days, age, year = cut_follow_up(start, until, True, ages, none, cuts)
    band = (first - start[row]) // step
    hazard = by.of(sex[row].astype(np.int64) - 1, age, year) * days
    total = np.bincount(row * bands + band, hazard, len(start) * bands)
    who, band = np.nonzero(np.arange(bands) < reached[:, None])
    return who, band, -np.expm1(-total.reshape(-1, bands)[who, band] / PARTS)


def told(layout: Layout, total: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What each cell may carry, by name int64 (cells,). `total`: the sums of all shards, int64 (cells,)
    each."""
    if not layout.expectation:
        return {}
    of, chance, squares = (total[name] for name in EXPECTED_SUMS)
    return {EXPECTED: carried(of, chance.astype(float), squares * (BILLION**2 / _SQUARES))}
