"""What a protected histogram tells of values: mean, standard deviation and quantiles."""

from __future__ import annotations

import numpy as np


def grouped_mean(edges: np.ndarray, counts: np.ndarray) -> float:
    """Mean, each class at its middle. NaN without a count.

    `edges`: float64 (k + 1,), ascending; `counts`: int64 or float64 (k,).
    """
    total = counts.sum()
    return float(((edges[:-1] + edges[1:]) / 2 * counts).sum() / total) if total else float("nan")


def grouped_quantile(edges: np.ndarray, counts: np.ndarray, share: float) -> float:
    """Value below which a share lies, values spread evenly within each class (the ogive turned round).

    `edges`: float64 (k + 1,), ascending; `counts`: int64 or float64 (k,). NaN without a count. Where a class
    without values makes it no single value, the highest, so that share 0 is where the first class with values
    begins.
    """
    total = float(counts.sum())
    if not total:
        return float("nan")
    risen = np.concatenate([[0.0], np.cumsum(counts) / total])
    last = int(np.flatnonzero(counts)[-1]) + 1
    place = min(int(np.searchsorted(risen, share + 1e-12, "right")), last)
    low, high = risen[place - 1], risen[place]
    return float(edges[place - 1] + (edges[place] - edges[place - 1]) * (share - low) / (high - low))


# a and b of the position n·p + a + p·b of Hyndman and Fan's (1996) continuous definitions
_POSITIONS = {
    4: (0.0, 0.0),
    5: (0.5, 0.0),
    6: (0.0, 1.0),
    7: (1.0, -1.0),
    8: (1 / 3, 1 / 3),
    9: (3 / 8, 1 / 4),
}
_FUZZ = 4 * np.finfo(float).eps


def quantile(values: np.ndarray, counts: np.ndarray, share: float, kind: int = 7) -> float:
    """A sample quantile of counted values by definition 1 to 9 of Hyndman and Fan (1996). NaN without a
    count.

    `values`: float64 (k,), ascending; `counts`: int64 (k,), how often each is there.
    """
    n = int(counts.sum())
    if not n:
        return float("nan")
    ends = np.cumsum(counts)

    def at(place: int) -> float:
        """The value at a place of the sorted sample, from 1, within it."""
        return float(values[np.searchsorted(ends, min(max(place, 1), n), "left")])

    if kind <= 3:
        position = n * share + (-0.5 if kind == 3 else 0.0)
        low = int(np.floor(position + _FUZZ))
        rest = position - low
        if kind == 1:
            return at(low + int(rest > _FUZZ))
        if kind == 2:
            return at(low + 1) if rest > _FUZZ else (at(low) + at(low + 1)) / 2
        return at(low + int(rest > _FUZZ or low % 2 == 1))
    a, b = _POSITIONS[kind]
    position = n * share + a + share * b
    low = int(np.floor(position + _FUZZ))
    rest = position - low if abs(position - low) > _FUZZ else 0.0
    return (1 - rest) * at(low) + rest * at(low + 1)


def moments(total: float, squares: float, count: int) -> tuple[float, float]:
    """Mean and standard deviation (n - 1 below) from a sum and a sum of squares; NaN where too few."""
    if count == 0:
        return float("nan"), float("nan")
    mean = total / count
    spread = (squares - count * mean * mean) / (count - 1) if count > 1 else float("nan")
    return mean, float(np.sqrt(max(spread, 0.0))) if count > 1 else float("nan")
