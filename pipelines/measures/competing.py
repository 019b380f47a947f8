"""Cumulative incidence with competing causes (Aalen and Johansen 1978), from counts by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.measures.intervals import Limits, z_of


@dataclass(frozen=True)
class Incidence:
    """`time`: float64 (k,); `share`: float64 (k,), who has had the event of this cause by then; `variance`:
    float64 (k,)."""

    time: np.ndarray
    share: np.ndarray
    variance: np.ndarray

    def limits(self, how: str = "loglog", level: float = 0.95) -> Limits:
        """Pointwise limits. `how`: plain; log or loglog on the share without the event of this cause; cloglog
        on the share with it."""
        z, share, error = z_of(level), self.share, np.sqrt(self.variance)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if how == "plain":
                low, high = share - z * error, share + z * error
            elif how == "log":
                low, high = share * np.exp(-z * error / share), share * np.exp(z * error / share)
            elif how == "loglog":
                reach = z * error / (share * np.log(share))
                low, high = share ** np.exp(-reach), share ** np.exp(reach)
            else:
                reach = z * error / ((1 - share) * np.log(1 - share))
                low, high = 1 - (1 - share) ** np.exp(reach), 1 - (1 - share) ** np.exp(-reach)
        low, high = np.maximum(np.minimum(low, high), 0), np.minimum(np.maximum(low, high), 1)
        return (
            (low, high)
            if how == "plain"
            else (np.where(share > 0, low, np.nan), np.where(share > 0, high, np.nan))
        )


def aalen_johansen(time: np.ndarray, at_risk: np.ndarray, events: np.ndarray) -> list[Incidence]:
    """One `Incidence` for each cause.

    `time`: int64 or float64 (k,), ascending; `at_risk`: int64 or float64 (k,), just before each; `events`:
    int64 or float64 (causes, k). Variances are Greenwood's for the matrix of transitions (Andersen, Borgan,
    Gill and Keiding 1993, 4.4.17 with ties).
    """
    n, d = np.asarray(at_risk, float), np.asarray(events, float)
    every = d.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(n > 0, d / n, 0.0)
        surv = np.cumprod(1 - np.where(n > 0, every / n, 0.0))
    before = np.concatenate([[1.0], surv[:-1]])
    return [
        Incidence(np.asarray(time, float), np.cumsum(before * hazard[cause]), _variance(n, d, cause))
        for cause in range(len(d))
    ]


def _variance(n: np.ndarray, d: np.ndarray, cause: int) -> np.ndarray:
    """Greenwood's recursion for the row (at risk, event of the cause) of the matrix of transitions."""
    out, every = np.zeros(len(n)), d.sum(0)
    # Share at risk; variances of it, with the incidence, and of that.
    alive, square, mixed, total = 1.0, 0.0, 0.0, 0.0
    for place in range(len(n)):
        if n[place] <= 0 or every[place] == 0:
            out[place] = total
            continue
        risk, own, all_ = n[place], d[cause, place] / n[place], every[place] / n[place]
        spread = alive * alive / risk
        total = total + 2 * own * mixed + own * own * square + spread * own * (1 - own)
        mixed = (1 - all_) * (mixed + own * square) - spread * own * (1 - all_)
        square = (1 - all_) ** 2 * square + spread * all_ * (1 - all_)
        alive *= 1 - all_
        out[place] = total
    return out


def from_rows(exit: np.ndarray, cause: np.ndarray, entry: np.ndarray, causes: int) -> list[Incidence]:
    """One `Incidence` for each cause from one row for each person, with the variance of the infinitesimal
    jackknife (Efron 1982), which is right under delayed entry, too.

    `entry`, `exit`: float64 (n,), at risk in (entry, exit]; `cause`: int64 (n,), 0 for censored, else 1 to
    `causes`.
    """
    time = np.unique(exit)
    share, variance = np.zeros((causes, len(time))), np.zeros((causes, len(time)))
    alive, had = 1.0, np.zeros(causes)
    # Each person's influence on `alive` and on `had`.
    left, moved = np.zeros(len(exit)), np.zeros((causes, len(exit)))
    for place, now in enumerate(time):
        at_risk = (entry < now) & (exit >= now)
        n = at_risk.sum()
        if n:
            here = np.stack([at_risk & (exit == now) & (cause == each) for each in range(1, causes + 1)])
            hazard = here.sum(axis=1) / n
            own = (here - at_risk * hazard[:, None]) / n
            moved += left * hazard[:, None] + alive * own
            left = left * (1 - hazard.sum()) - alive * own.sum(axis=0)
            had, alive = had + alive * hazard, alive * (1 - hazard.sum())
        share[:, place], variance[:, place] = had, (moved**2).sum(axis=1)
    return [Incidence(time, share[each], variance[each]) for each in range(causes)]
