"""Two rates beside each other: ratio and difference of events over person-time, with limits.

`a` events in `t` person-time against `b` in `s`: numbers, all sides known. A limit that does not exist is
NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, isfinite, nan, sqrt

from scipy.optimize import brentq
from scipy.stats import beta, binom

from pipelines.measures.intervals import z_of

Interval = tuple[float, float]


def ratio(a: float, t: float, b: float, s: float) -> float:
    """Rate ratio; infinite where only the second has no events, NaN where neither has."""
    if b:
        return (a / t) / (b / s)
    return inf if a else nan


def ratio_wald(a: int, t: float, b: int, s: float, level: float = 0.95) -> Interval:
    """Limits on the scale of the logarithm (Rothman 2008); none without events on both sides."""
    if not a or not b:
        return (0.0, nan) if not a else (nan, inf)
    reach = exp(z_of(level) * sqrt(1 / a + 1 / b))
    return ratio(a, t, b, s) / reach, ratio(a, t, b, s) * reach


def ratio_exact(a: float, t: float, b: float, s: float, level: float = 0.95) -> Interval:
    """Exact limits given a + b (Przyborowski and Wilenski 1940), from Clopper and Pearson's of the share a /
    (a + b)."""
    tail = (1 - level) / 2
    low = 0.0 if a == 0 else float(beta.ppf(tail, a, b + 1))
    high = 1.0 if b == 0 else float(beta.ppf(1 - tail, a + 1, b))
    return _odds(low) * s / t, _odds(high) * s / t


def ratio_p(a: int, t: float, b: int, s: float) -> float:
    """Exact two-sided P that the rates are equal: outcomes no likelier than the one seen."""
    n, share = a + b, t / (t + s)
    seen = binom.pmf(a, n, share) * (1 + 1e-7)
    chances = binom.pmf(range(n + 1), n, share)
    return float(min(1.0, chances[chances <= seen].sum()))


def ratio_p_doubled(a: int, t: float, b: int, s: float) -> float:
    """Exact P that the rates are equal, as twice the smaller tail."""
    n, share = a + b, t / (t + s)
    return float(min(1.0, 2 * min(binom.cdf(a, n, share), binom.sf(a - 1, n, share))))


def ratio_mid_p(a: int, t: float, b: int, s: float, level: float = 0.95) -> tuple[float, float, float]:
    """Median-unbiased estimate and limits by the mid-P method given a + b (Rothman 2008)."""
    n, tail = a + b, (1 - level) / 2

    def above(share: float) -> float:
        return float(binom.sf(a, n, share) + binom.pmf(a, n, share) / 2)

    def at(wanted: float) -> float:
        if (a == n and wanted > 0.5) or (a == 0 and wanted < 0.5):
            return 1.0 if a == n else 0.0
        return float(brentq(lambda share: above(share) - wanted, 0.0, 1.0, xtol=1e-15, rtol=1e-13))

    estimate, low, high = (_odds(at(wanted)) * s / t for wanted in (0.5, tail, 1 - tail))
    return estimate, low, high


def ratio_score(a: int, t: float, b: int, s: float, level: float = 0.95) -> Interval:
    """Score limits (Graham, Mayne and Tadesse 2003; Miettinen and Nurminen 1985)."""
    if not a and not b:
        return 0.0, inf
    z2 = z_of(level) ** 2
    half, n = (2 * a * b + z2 * (a + b)) / 2, a + b
    reach = sqrt(max(z2 * n * (4 * a * b + z2 * n), 0.0)) / 2
    if not b:
        return a * a / (half + reach) * s / t if a else 0.0, inf
    return (half - reach) / (b * b) * s / t, (half + reach) / (b * b) * s / t


def difference(a: float, t: float, b: float, s: float) -> float:
    """Rate difference."""
    return a / t - b / s


def difference_score(a: float, t: float, b: float, s: float, level: float = 0.95) -> Interval:
    """Score limits of the difference (Miettinen and Nurminen 1985): variance at the most likely rates with
    that difference."""
    z, seen = z_of(level), difference(a, t, b, s)

    def z_at(delta: float) -> float:
        first, second = _restricted(a, t, b, s, delta)
        variance = first / t + second / s
        return (
            (seen - delta) / sqrt(variance)
            if variance > 0
            else (0.0 if seen == delta else inf * (1 if seen > delta else -1))
        )

    wide = 10 * (sqrt(a + z * z + 1) / t + sqrt(b + z * z + 1) / s) * (z + 1)
    return _crossing(lambda delta: z_at(delta) - z, seen - wide, seen), _crossing(
        lambda delta: z_at(delta) + z, seen, seen + wide
    )


def _restricted(a: float, t: float, b: float, s: float, delta: float) -> Interval:
    """The most likely pair of rates whose difference is `delta`."""
    # The second rate solves (t + s) r² + (delta (t + s) - a - b) r - b delta = 0.
    p, q = delta * (t + s) - a - b, -b * delta
    second = (-p + sqrt(max(p * p - 4 * (t + s) * q, 0.0))) / (2 * (t + s))
    second = max(second, 0.0, -delta)
    return second + delta, second


def _crossing(function: Callable[[float], float], low: float, high: float) -> float:
    at_low, at_high = function(low), function(high)
    if (
        at_low == 0
        or at_high == 0
        or not (isfinite(at_low) and isfinite(at_high))
        or (at_low > 0) == (at_high > 0)
    ):
        return low if at_low == 0 else high if at_high == 0 else nan
    return float(brentq(function, low, high, xtol=1e-18, rtol=1e-14, maxiter=500))


def _odds(share: float) -> float:
    return inf if share >= 1 else share / (1 - share)
