"""Net survival: what survival would be if the disease alone could kill, by the deaths that a population table
leads one to expect.

It needs each person's age, sex and day of diagnosis, so it is a function of rows, not of a cube.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.measures.intervals import z_of

Hazard = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Net:
    """By days since entry, from 0: `surv`, float64 (days + 1,), and its `standard_error`."""

    surv: np.ndarray
    standard_error: np.ndarray

    def limits(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Pointwise limits, symmetric for the logarithm: float64 (days,), float64 (days,), as long as
        `surv`."""
        reach = np.exp(z_of(level) * self.standard_error / self.surv)
        return self.surv / reach, self.surv * reach


@dataclass(frozen=True)
class PopulationTable:
    """Daily hazards of a population: float64 (sexes, ages, years), of ages in whole years from `age` and
    calendar years from `year`.

    `year_of_age`: days in a year of age. Beyond its ends the table goes on as it ends.
    """

    hazard: np.ndarray
    age: int
    year: int
    year_of_age: float = 365.25

    def of(self, sex: np.ndarray, age_days: np.ndarray, entry: np.ndarray) -> Hazard:
        """Hazard of each person on a day after entry.

        `sex`: int64 (n,), place in the table; `age_days`: int64 or float64 (n,), age at entry in days;
        `entry`: int64 (n,), days since 1970-01-01.
        """
        _, ages, years = self.hazard.shape

        def on(day: int) -> np.ndarray:
            age = np.clip(((age_days + day) // self.year_of_age).astype(np.int64) - self.age, 0, ages - 1)
            year = (entry + day).astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970 - self.year
            return np.asarray(self.hazard[sex, age, np.clip(year, 0, years - 1)])

        return on


def net_survival(
    exit: np.ndarray,
    event: np.ndarray,
    hazard: Hazard,
    until: int,
    method: Literal["pohar-perme", "ederer-2"] = "pohar-perme",
) -> Net:
    """Net survival day by day (Pohar Perme, Stare and Estève 2012), or relative survival by Ederer's second
    method (Ederer and Heise 1959).

    `exit`: int64 (n,), days from entry, at least 1; `event`: bool (n,). `hazard`: that the population table
    gives each on a day. The population's part is integrated by days; who dies stands in the risk set of that
    day.
    """
    expected = np.zeros(len(exit))  # cumulative hazard of each
    surv, variance = np.ones(until + 1), np.zeros(until + 1)
    for day in range(1, until + 1):
        daily = hazard(day - 1)
        at_risk = exit >= day
        weight = np.ones(len(exit)) if method == "ederer-2" else np.exp(expected + daily / 2)
        dying = np.ones(len(exit)) if method == "ederer-2" else np.exp(expected + daily)
        expected = expected + daily
        died = dying * (event & (exit == day))
        left, left_then = float(weight[at_risk].sum()), float(dying[at_risk].sum())
        if left == 0:
            surv[day:], variance[day:] = np.nan, np.nan
            break
        excess = float(died.sum()) / left_then - float((weight * daily)[at_risk].sum()) / left
        surv[day] = surv[day - 1] * (1 - excess)
        variance[day] = variance[day - 1] + float((died**2).sum()) / left_then**2
    return Net(surv, surv * np.sqrt(variance))
