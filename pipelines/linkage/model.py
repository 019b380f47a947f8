"""The Fellegi-Sunter model: u from random pairs, m by EM within each rule, a weight for every comparison
pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels import mixture
from kernels.pairs import FIELDS, PATTERNS, pattern_levels, sample_patterns
from pipelines.compute.ranks import Ranks
from pipelines.linkage.numbers import people
from pipelines.linkage.rows import Rows, concat, take
from pipelines.linkage.settings import KEYS, LinkageSettings, prior

_IDENTIFYING = [list(FIELDS).index(name) for name in ("given", "surname", "number")]


@dataclass(frozen=True)
class Model:
    """`weights`: int32 (PATTERNS,), match weight of each pattern in 1/1000 bits, the prior odds among them.
    `description`: m, u and weight of each level, and what the model expects of itself."""

    weights: np.ndarray
    description: dict[str, Any]


def sample(ranks: Ranks, rows: Rows, settings: LinkageSettings) -> np.ndarray:
    """int64 (PATTERNS,): patterns of random pairs of a seeker and any candidate, on every rank.

    Record keys are keyed hashes, so those of the smallest keys are a random sample, and the same one on any
    number of ranks.
    """
    chosen = []
    for which in (rows["seeker"], np.ones(len(rows["seeker"]), bool)):
        mine = _smallest(take(rows, which), settings.sample)
        gathered = ranks.gather(mine)
        chosen.append(
            ranks.broadcast(_smallest(concat(gathered), settings.sample) if gathered is not None else None)
        )
    count = len(chosen[0]["record"])
    together = concat(chosen)
    lefts, rights = np.arange(count)[ranks.rank :: ranks.size], np.arange(count, len(together["record"]))
    histogram = np.zeros(PATTERNS, np.int64)
    sample_patterns(
        people(together, together["cluster"], together["codes"]),
        lefts,
        rights,
        settings.near,
        settings.close,
        histogram,
    )
    return ranks.sum(histogram)


def _smallest(rows: Rows, count: int) -> Rows:
    order = np.lexsort([*rows["facts"].T, rows["codes"][:, 1], rows["codes"][:, 0], rows["record"]])[:count]
    return take({name: rows[name] for name in ("record", "cluster", "names", "codes", "facts")}, order)


def train(histogram: np.ndarray, random_pairs: np.ndarray, pairs: float, settings: LinkageSettings) -> Model:
    """The model. `histogram`: int64 (2**rules, PATTERNS), pairs by the rules that make them; `random_pairs`:
    int64 (PATTERNS,); `pairs`: how many there are in all, compared or not."""
    every_level = pattern_levels(np.arange(PATTERNS))
    u = [
        _shares(every_level[:, field], random_pairs, len(levels))
        for field, levels in enumerate(FIELDS.values())
    ]
    m, trained = _matches(histogram, u, settings)
    counts = histogram.sum(0)
    seen = np.flatnonzero(counts)
    odds = mixture.log_odds(every_level[seen], m, u, range(len(FIELDS)))
    rate = mixture.match_rate(odds, counts[seen], pairs) if len(seen) else 1.0 / max(pairs, 2.0)
    bits = [
        np.append(0, np.rint(1000 * np.log2(m[field][1:] / u[field][1:]))).astype(np.int32)
        for field in range(len(FIELDS))
    ]
    prior_bits = int(np.rint(1000 * np.log2(rate / (1 - rate))))
    weights = (prior_bits + sum(bits[field][every_level[:, field]] for field in range(len(FIELDS)))).astype(
        np.int32
    )
    # No name or number agrees: no more than if nothing were known.
    nameless = (every_level[:, _IDENTIFYING] <= 1).all(1)
    weights[nameless] = np.minimum(weights[nameless], prior_bits)
    fields = {
        name: {
            level: {
                "m": round(float(m[f][k]), 6),
                "u": round(float(u[f][k]), 9),
                "bits": int(bits[f][k]) / 1000,
            }
            for k, level in enumerate(levels)
            if k
        }
        for f, (name, levels) in enumerate(FIELDS.items())
    }
    return Model(
        weights,
        {
            "fields": fields,
            "prior_bits": prior_bits / 1000,
            "trained_by": trained,
            **_expected(weights, counts, settings),
        },
    )


def _shares(levels: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    """Share of each known level, none quite nothing."""
    share = mixture.level_counts(levels, counts, size)
    share[1:] += 1.0
    return share / share.sum()


def _matches(
    histogram: np.ndarray, u: Sequence[np.ndarray], settings: LinkageSettings
) -> tuple[list[np.ndarray], dict[str, list[int]]]:
    """m of each field, averaged over the rules that can train it by the matches each expects; and which rules
    (from 1) those are.

    A rule cannot train a field that its keys fix, nor one of which it sees a single level: all its pairs
    agree there.
    """
    names, beliefs = list(FIELDS), prior()
    total = [np.zeros(len(each)) for each in beliefs]
    trained: dict[str, list[int]] = {name: [] for name in names}
    made_by = np.arange(len(histogram))
    for rule, keys in enumerate(settings.blocking):
        counts = histogram[(made_by >> rule & 1).astype(bool)].sum(0)
        seen = np.flatnonzero(counts)
        levels = pattern_levels(seen)
        fixed = {field for key in keys for field in KEYS[key]}
        fields = [
            f
            for f, name in enumerate(names)
            if name not in fixed
            and np.count_nonzero(mixture.level_counts(levels[:, f], counts[seen], len(u[f]))) > 1
        ]
        if not fields:
            continue
        m, matches = mixture.fit(levels, counts[seen], u, beliefs, settings.prior_strength, fields)
        for f in fields:
            total[f] += matches * m[f]
            trained[names[f]].append(rule + 1)
    return [t / t.sum() if t.sum() > 0 else belief for t, belief in zip(total, beliefs, strict=True)], trained


def _expected(weights: np.ndarray, counts: np.ndarray, settings: LinkageSettings) -> dict[str, Any]:
    """Pairs by match weight in whole bits, and the precision and recall (among compared pairs) that the model
    expects at the threshold."""
    match = 1.0 / (1.0 + np.exp2(-weights / 1000.0))
    above = weights >= round(settings.threshold * 1000)
    right, all_right = float((counts * match)[above].sum()), float((counts * match).sum())
    bins, place = np.unique(np.floor(weights / 1000.0).astype(int), return_inverse=True)
    pairs = np.bincount(place, weights=counts).astype(int)
    return {
        "threshold": settings.threshold,
        "expected_precision": round(right / max(float(counts[above].sum()), 1.0), 4) if above.any() else None,
        "expected_recall": round(right / all_right, 4) if all_right > 0 else None,
        "weights": {str(bit): int(number) for bit, number in zip(bins, pairs, strict=True) if number},
    }
