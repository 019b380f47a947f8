"""How unevenly repeated events lie on persons: sums over persons that shards add up, and the design effects
that they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kernels.person_products import person_products
from pipelines.aggregation.layout import PRODUCTS, Layout
from pipelines.cubes.cube import RATE_SCALE
from pipelines.cubes.design_effects import HUNDREDTHS, LEAST, RATE, STANDARDISED, rounded_up
from pipelines.cubes.standard_axes import StandardAxes


@dataclass(frozen=True)
class Rows:
    """Events or stretches of time. `person`: int64 or int32 (n,), not negative; `positions`: int32 (n,
    dimensions); `amount`: int64 (n,), events or days of each."""

    person: np.ndarray
    positions: np.ndarray
    amount: np.ndarray


def products(layout: Layout, events: Rows, time: Rows) -> dict[str, np.ndarray]:
    """The columns of `layout.products`, int64 (cells,) each."""
    standard = StandardAxes.of(layout.dimensions)
    itself = (np.arange(layout.cells), np.zeros(1, np.int64))
    whole, places = itself if standard is None else standard.partners()
    person = np.concatenate([events.person, time.person]).astype(np.int64)
    amount = np.zeros((len(person), 2), np.int64)
    amount[: len(events.person), 0], amount[len(events.person) :, 1] = events.amount, time.amount
    order = np.argsort(person, kind="stable")
    positions = np.concatenate([events.positions, time.positions])[order]
    found = person_products(person[order], positions, amount[order], *layout.spread, whole, places)
    columns = found.transpose(0, 2, 1).reshape(3 * len(places), layout.cells)
    return {name: column.copy() for name, column in zip(layout.products, columns, strict=True)}


def effects(layout: Layout, total: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Design effects by name, int64 (cells,) in hundredths, 0 where a cell cannot carry one. `total`: the
    sums of all shards, int64 (cells,) each."""
    if not layout.products:
        return {}
    standard = StandardAxes.of(layout.dimensions)
    size = len(layout.products) // len(PRODUCTS)
    sums = np.stack([total[name] for name in layout.products]).astype(float).reshape(3, size, layout.cells)
    if standard is None:
        return {RATE: _of_rates(total, sums[:, 0])}
    groups = standard.lines(np.arange(layout.cells)).reshape(-1, size)
    own = standard.cells(np.broadcast_to(np.arange(size), groups.shape))
    return {
        RATE: _of_rates(total, sums[:, own, np.arange(layout.cells)]),
        STANDARDISED: _of_standard(standard, groups, total, sums),
    }


def _of_rates(total: dict[str, np.ndarray], sums: np.ndarray) -> np.ndarray:
    """Of the rate of each cell: the sum of squared residuals of persons, events less what their days lead to
    expect (the linearised ratio, Cochran 1977, 6.3), by the number of events.

    `sums`: float64 (3, cells).
    """
    events, days = total["events"].astype(float), total["person_days"].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = events / days
        spread = sums[0] - 2 * rate * sums[1] + rate * rate * sums[2]
        effect = spread * _sample(total["at_risk"]) / events
    return _carried(effect, events, total["persons"])


def _of_standard(
    standard: StandardAxes, groups: np.ndarray, total: dict[str, np.ndarray], sums: np.ndarray
) -> np.ndarray:
    """Of the standardised rate or ratio, in the row of all ages of each group, 0 elsewhere: int64 (cells,).

    `groups`: int64 (groups, size), the cells of each; `sums`: float64 (3, size, cells).
    """
    events, days, persons, at_risk = (
        total[name].astype(float)[groups] for name in ("events", "person_days", "persons", "at_risk")
    )
    places = np.flatnonzero(standard.counts)
    reference = _reference(standard, events[0, places], days[0, places])
    shares = standard.values.ravel()[places] / standard.values[standard.counts].sum()
    found, sums = np.zeros(groups.shape, np.int64), sums[:, places]
    for row, cells in enumerate(groups):
        n, d = events[row, places], days[row, places]
        with np.errstate(divide="ignore", invalid="ignore"):
            if reference is None:
                weights, rates = shares / d, n / d
            else:
                expected = np.where(d > 0, d * reference, 0.0)
                weights, rates = np.ones(len(n)), np.where(d > 0, reference * (n.sum() / expected.sum()), 0.0)
            # `mixed[b, a]`: events at a with days at b.
            square, mixed, time = sums[:, :, cells[places]]
            apart = square - rates[:, None] * mixed - rates[None, :] * mixed.T + np.outer(rates, rates) * time
            poisson = weights**2 @ n
            effect = weights @ apart @ weights * _sample(at_risk[row, :1]) / poisson
            worth = np.array([(weights @ n) ** 2 / poisson])
        found[row, :1] = _carried(effect, worth, persons[row, :1])
    return standard.cells(found)


def _reference(standard: StandardAxes, events: np.ndarray, days: np.ndarray) -> np.ndarray | None:
    """Events a day that the standard gives each place, up to a factor: float64 (places,); None of weights.

    `events`, `days`: float64 (places,), of all.
    """
    if standard.role == "standard":
        return None
    if standard.role == "rates":
        return np.asarray(standard.values[standard.counts] / RATE_SCALE)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(events / days)


def _sample(persons: np.ndarray) -> np.ndarray:
    """The correction for a sample of so many persons, n / (n - 1)."""
    return np.asarray(persons / np.maximum(persons - 1, 1))


def _carried(effect: np.ndarray, events: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Rounded up, and 0 where too few persons, or too uneven ones, are behind it: int64 (n,)."""
    rounded = rounded_up(np.where(np.isfinite(effect), effect, np.nan))
    enough = (persons >= LEAST) & (HUNDREDTHS * events >= LEAST * rounded)
    return np.where(enough, rounded, 0)
