"""What the decisions of a clerical review say of the links: precision, recall and F1 with their limits.

The estimates are Horvitz and Thompson's (1952) over strata of match weight. Their intervals are
melded from exact ones of the strata (Fay, Proschan and Brittain, 2015): in each stratum a lower and an upper
confidence distribution of Clopper and Pearson (1934), which are drawn and combined. The paper melds two
samples, here it is one for each stratum: that such intervals hold the truth at least as often as they say is
what simulations show (in the tests), and not proven. They are cautious, the more so the fewer decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from pipelines.errors import DataError, SettingsError
from pipelines.linkage.review import WORDS, Decision, Word
from pipelines.linkage.review_sample import Strata

# Estimate, lower and upper limit; None where there is nothing to estimate.
Interval = tuple[float, float, float] | None

_DRAWS: Final = 8_000
_LEVEL: Final = 0.95
_SEED: Final = 1934


def estimate(decisions: Sequence[Decision], strata: Strata, threshold: float | None = None) -> dict[str, Any]:
    """Precision, recall and F1 of linking from `threshold` up (the sample's own if None), each `(estimate,
    low, high)` with 95 % limits.

    Recall is among the pairs that were sampled from: those compared whose weight reached the floor down to
    which pairs are kept. What is unsure is left out as if nobody had been asked; `unsure_as` gives the
    estimates if all of it were one or the other. `curve`: the same at each cut of the strata; `suggested`:
    the cut of the best F1, bits. DataError where a stratum has no decided pair, SettingsError where
    `threshold` is no cut.
    """
    at = strata.threshold if threshold is None else threshold
    if at not in strata.cuts:
        raise SettingsError(
            "review",
            f"{at:g} bits is no edge of a stratum",
            f"ask for one of {', '.join(f'{cut:g}' for cut in strata.cuts)}",
        )
    counts = {word: _counts(decisions, strata, word) for word in WORDS}
    curve = _curve(strata, counts["match"], counts["no"])
    here = next(each for each in curve if each["bits"] == at)
    best = max(curve, key=lambda each: (each["f1"][0] if each["f1"] else -1.0, -abs(each["bits"] - at)))
    unsure = counts["unsure"]
    return {
        **{name: here[name] for name in ("precision", "recall", "f1")},
        "threshold": at,
        "decided": int((counts["match"] + counts["no"]).sum()),
        "unsure": int(unsure.sum()),
        "unsure_as": {
            "match": _points(strata, counts["match"] + unsure, counts["no"], at),
            "no": _points(strata, counts["match"], counts["no"] + unsure, at),
        },
        "curve": curve,
        "suggested": best["bits"] if best["f1"] else None,
    }


def _counts(decisions: Sequence[Decision], strata: Strata, word: Word) -> np.ndarray:
    """int64 (strata,): pairs so decided."""
    return np.bincount(
        [each.stratum for each in decisions if each.decision == word], minlength=len(strata.sizes)
    ).astype(np.int64)


def _curve(strata: Strata, matches: np.ndarray, others: np.ndarray) -> list[dict[str, Any]]:
    point = _matches(strata, matches, others)
    low, high = _limits(np.array(strata.sizes), matches, matches + others)
    found = []
    for place, bits in enumerate(strata.cuts):
        pairs = float(sum(strata.sizes[place + 1 :]))
        sides = [(each[: place + 1].sum(0), each[place + 1 :].sum(0)) for each in (point, low, high)]
        (below, above), (below_low, above_low), (below_high, above_high) = sides
        # All three grow with the matches above the threshold; recall and F1 shrink with those below.
        worst, best = _ratios(above_low, below_high, pairs), _ratios(above_high, below_low, pairs)
        row: dict[str, Any] = {"bits": bits}
        for name, value in _ratios(above, below, pairs).items():
            row[name] = _interval(value, worst[name], best[name])
        found.append(row)
    return found


def _matches(strata: Strata, matches: np.ndarray, others: np.ndarray) -> np.ndarray:
    """float64 (strata,): Horvitz and Thompson's estimate of the matches of each."""
    sizes, decided = np.array(strata.sizes, float), matches + others
    empty = np.flatnonzero((sizes > 0) & (decided == 0))
    if len(empty):
        raise DataError(
            "review",
            f"no pair of {strata.name(int(empty[0]))} is decided",
            "decide at least one of each stratum",
        )
    return sizes * matches / np.maximum(decided, 1)


def _points(strata: Strata, matches: np.ndarray, others: np.ndarray, bits: float) -> dict[str, float | None]:
    found, place = _matches(strata, matches, others), strata.cuts.index(bits) + 1
    ratios = _ratios(found[place:].sum(), found[:place].sum(), float(sum(strata.sizes[place:])))
    return {name: None if np.isnan(value) else float(value) for name, value in ratios.items()}


def _ratios(above: np.ndarray, below: np.ndarray, pairs: float) -> dict[str, np.ndarray]:
    """Precision, recall and F1 from matches above and below a threshold and pairs above; NaN for 0 of 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        every = above + below
        return {
            "precision": np.divide(above, pairs),
            "recall": np.divide(above, every),
            "f1": np.divide(2 * above, pairs + every),
        }


def _limits(sizes: np.ndarray, matches: np.ndarray, decided: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float64 (strata, draws), both: matches of each stratum drawn from its lower and from its upper
    confidence distribution.

    Beta(k, n - k + 1) and Beta(k + 1, n - k) are Clopper and Pearson's limits at all levels at once; they
    speak of the pairs that nobody decided, whose matches are then drawn from them.
    """
    random = np.random.default_rng(_SEED)
    low, high = np.zeros((len(sizes), _DRAWS)), np.zeros((len(sizes), _DRAWS))
    for stratum, (size, k, n) in enumerate(
        zip(sizes.tolist(), matches.tolist(), decided.tolist(), strict=True)
    ):
        p_low = random.beta(k, n - k + 1, _DRAWS) if k else np.zeros(_DRAWS)
        p_high = random.beta(k + 1, n - k, _DRAWS) if k < n else np.ones(_DRAWS)
        low[stratum] = k + random.binomial(size - n, p_low)
        high[stratum] = k + random.binomial(size - n, p_high)
    return low, high


def _interval(value: np.ndarray, worst: np.ndarray, best: np.ndarray) -> Interval:
    if np.isnan(value):
        return None
    low = float(np.nanquantile(worst, (1 - _LEVEL) / 2)) if not np.isnan(worst).all() else 0.0
    high = float(np.nanquantile(best, (1 + _LEVEL) / 2)) if not np.isnan(best).all() else 1.0
    return float(value), min(low, float(value)), max(high, float(value))
