"""A linkage's model in numbers, and what it expects of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.linkage.pairs import Patterns
from pipelines.linkage.training import SCALE, Model


def describe(
    model: Model, patterns: Patterns, threshold: float, compared: Sequence[str] | None = None
) -> dict[str, Any]:
    """The model in numbers: m, u and weight of each level, and what it expects of itself. No value of any
    record."""
    weights = model.weights()
    return {
        "prior_bits": round(model.prior, 3),
        "fields": {
            name: [
                {
                    "level": level,
                    "m": round(float(model.m[place][k]), 6),
                    "u": float(f"{model.u[place][k]:.6g}"),
                    "bits": int(weights[place, k]) / SCALE,
                }
                for k, level in enumerate(levels)
                if k
            ]
            for place, (name, levels) in enumerate(model.levels.items())
            if compared is None or name in compared
        },
        "rarity": {
            name: {"most_bits": int(each.max()) / SCALE, "least_bits": int(each.min()) / SCALE}
            for name, each in model.rarity.items()
        },
        "dependence": [
            {
                "fields": [list(model.levels)[each.first], list(model.levels)[each.second]],
                "bits_at_most": round(float(np.abs(each.table).max()), 3),
            }
            for each in model.dependence
        ],
        "trained_by": model.trained_by,
        "notes": model.notes,
        "threshold": threshold,
        **expected(model, patterns, threshold),
    }


def expected(model: Model, patterns: Patterns, threshold: float) -> dict[str, Any]:
    """Precision and recall that the model expects, rarity left out: at the threshold and along whole bits.
    Recall is among compared pairs."""
    weight = model.of_patterns(patterns.patterns) / SCALE
    match = patterns.counts / (1 + np.exp2(-weight))
    every = max(float(match.sum()), 1e-12)

    def at(cut: float) -> tuple[float | None, float]:
        above = weight >= cut
        pairs = float(patterns.counts[above].sum())
        return (
            round(float(match[above].sum()) / pairs, 5) if pairs else None,
            round(float(match[above].sum()) / every, 5),
        )

    precision, recall = at(threshold)
    bins, place = np.unique(np.floor(weight).astype(int), return_inverse=True)
    pairs = np.bincount(place, weights=patterns.counts).astype(int)
    return {
        "expected_precision": precision,
        "expected_recall": recall,
        "curve": [{"bits": cut, "precision": at(cut)[0], "recall": at(cut)[1]} for cut in range(-10, 31)],
        "pairs_by_bits": {str(bit): int(count) for bit, count in zip(bins, pairs, strict=True)},
    }
