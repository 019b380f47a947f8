"""Survival from counts by time: Kaplan and Meier's curve, its median and restricted mean, and the log-rank
test.

A life table has a row for each time at which anything happens: `time` ascending, `at_risk` just before it
(entered earlier, not gone yet), `events` and `censored` at it; events come before censorings of the same
time. Intervals at risk are (entry, exit].
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from scipy.stats import chi2

from pipelines.measures.intervals import Limits, z_of


@dataclass(frozen=True)
class LifeTable:
    """All (k,): float64 `time`, int64 the others."""

    time: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    censored: np.ndarray

    @staticmethod
    def of(exit: np.ndarray, event: np.ndarray, entry: np.ndarray | None = None) -> LifeTable:
        """From one row for each person.

        `exit`: int64 or float64 (n,), when each left; `event`: bool or int64 (n,), not 0 where that was the
        event; `entry`: int64 or float64 (n,), at risk from just after it; None: from the beginning.
        """
        time, place = np.unique(exit, return_inverse=True)
        events = np.bincount(place, weights=event != 0, minlength=len(time)).astype(np.int64)
        gone = np.bincount(place, minlength=len(time))
        begun = (
            np.searchsorted(np.sort(entry), time, "left")
            if entry is not None
            else np.full(len(time), len(exit))
        )
        before = np.concatenate([[0], np.cumsum(gone)[:-1]])
        return LifeTable(time, begun - before, events, gone - events)


@dataclass(frozen=True)
class Curve:
    """`surv`: float64 (k,), share without the event after each time; `log_variance`: of its logarithm,
    Greenwood's sum; `hazard`: the cumulative hazard of Nelson and Aalen."""

    table: LifeTable
    surv: np.ndarray
    log_variance: np.ndarray
    hazard: np.ndarray

    @property
    def standard_error(self) -> np.ndarray:
        """Of the share, float64 (k,) (Greenwood 1926); NaN once nobody is left."""
        with np.errstate(invalid="ignore"):
            return np.where(self.surv > 0, self.surv * np.sqrt(self.log_variance), np.nan)

    def limits(self, how: str = "loglog", level: float = 0.95) -> Limits:
        """Pointwise limits. `how`: plain, log or loglog, the scale on which they are symmetric."""
        z, s, error = z_of(level), self.surv, np.sqrt(self.log_variance)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if how == "plain":
                low, high = s * (1 - z * error), s * (1 + z * error)
            elif how == "log":
                low, high = s * np.exp(-z * error), s * np.exp(z * error)
            else:
                reach = z * error / np.log(s)
                low, high = s ** np.exp(-reach), s ** np.exp(reach)
        none = (s <= 0) | ((s >= 1) & (how == "loglog"))
        return np.where(none, np.nan, np.maximum(low, 0)), np.where(none, np.nan, np.minimum(high, 1))

    def at(self, days: np.ndarray) -> np.ndarray:
        """float64 (n,): share without the event at some times. `days`: int64 or float64 (n,)."""
        return np.concatenate([[1.0], self.surv])[np.searchsorted(self.table.time, days, "right")]

    def quantile(self, share: float = 0.5) -> float:
        """Time by which `share` have had the event, NaN if never; where the curve lies at 1 - share for a
        while, the middle of it."""
        return _first_below(self.table.time, self.surv, 1 - share)

    def quantile_limits(
        self, share: float = 0.5, how: str = "loglog", level: float = 0.95
    ) -> tuple[float, float]:
        """Where the pointwise limits reach 1 - share (Brookmeyer and Crowley 1982)."""
        low, high = self.limits(how, level)
        time, known = self.table.time, ~np.isnan(low)
        low = np.where(known, low, np.where(self.surv > 0, 1.0, 0.0))
        return _first_below(time, low, 1 - share), _first_below(time[known], high[known], 1 - share)

    def restricted_mean(self, until: float) -> tuple[float, float]:
        """Mean time without the event up to `until`, and its standard error."""
        time = np.concatenate([[0.0], self.table.time[self.table.time < until], [until]])
        height = self.at(time[:-1])
        area = np.cumsum((np.diff(time) * height)[::-1])[::-1]
        inside = self.table.time < until
        deaths, at_risk = self.table.events[inside], self.table.at_risk[inside]
        left = at_risk - deaths
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where((deaths > 0) & (left > 0), area[1:] ** 2 * deaths / (at_risk * left), 0.0)
        return float(area[0]), float(np.sqrt(terms.sum()))


_TOLERANCE = 1e-9


def _first_below(time: np.ndarray, surv: np.ndarray, wanted: float) -> float:
    below = np.flatnonzero(surv < wanted - _TOLERANCE)
    level = np.flatnonzero(np.abs(surv - wanted) <= _TOLERANCE)
    if len(level):
        return (
            float((time[level[0]] + (time[below[0]] if len(below) else time[level[0]])) / 2)
            if len(below)
            else float(_end(time, level))
        )
    return float(time[below[0]]) if len(below) else nan


def _end(time: np.ndarray, level: np.ndarray) -> float:
    """The curve reaches the share and stays: the middle from there to the last time."""
    return float((time[level[0]] + time[-1]) / 2)


def kaplan_meier(table: LifeTable) -> Curve:
    """The product-limit estimate (Kaplan and Meier 1958)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        died = np.where(table.events > 0, table.events / table.at_risk, 0.0)
        left = table.at_risk - table.events
        variance = np.cumsum(
            np.where(table.events > 0, table.events / (table.at_risk * left.astype(float)), 0.0)
        )
    return Curve(table, np.cumprod(1 - died), variance, np.cumsum(died))


@dataclass(frozen=True)
class LogRank:
    """`observed`, `expected`: float64 (groups,); `variance`: float64 (groups, groups); `statistic` is
    chi-squared on `df`."""

    observed: np.ndarray
    expected: np.ndarray
    variance: np.ndarray
    statistic: float
    df: int

    @property
    def p(self) -> float:
        """Chance of a statistic as large."""
        return float(chi2.sf(self.statistic, self.df))


def log_rank(strata: list[list[LifeTable]]) -> LogRank:
    """Do groups differ (Mantel 1966)? `strata`: for each stratum the life table of each group; one stratum
    for no stratification."""
    groups = len(strata[0])
    observed, expected, variance = np.zeros(groups), np.zeros(groups), np.zeros((groups, groups))
    for tables in strata:
        time = np.unique(np.concatenate([table.time[table.events > 0] for table in tables]))
        risk = np.stack([_at_risk(table, time) for table in tables]).astype(float)
        events = np.stack([_events(table, time) for table in tables]).astype(float)
        n, d = risk.sum(0), events.sum(0)
        share = risk / n
        observed += events.sum(1)
        expected += (share * d).sum(1)
        spread = np.where(n > 1, d * (n - d) / np.maximum(n - 1, 1), 0.0)
        for place in range(len(time)):
            p = share[:, place]
            variance += spread[place] * (np.diag(p) - np.outer(p, p))
    apart = (observed - expected)[:-1]
    statistic = float(apart @ np.linalg.solve(variance[:-1, :-1], apart))
    return LogRank(observed, expected, variance, statistic, groups - 1)


def _at_risk(table: LifeTable, time: np.ndarray) -> np.ndarray:
    """Without delayed entry: those who have not gone before each time."""
    place = np.searchsorted(table.time, time, "left")
    return np.concatenate([table.at_risk, [0]])[place]


def _events(table: LifeTable, time: np.ndarray) -> np.ndarray:
    place = np.searchsorted(table.time, time, "left")
    here = place < len(table.time)
    out = np.zeros(len(time), np.int64)
    out[here] = np.where(table.time[place[here]] == time[here], table.events[place[here]], 0)
    return out
