"""How alike cases and controls are, before and after matching: standardised differences of means (Austin
2009)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.cohort.columns import MISSING
from pipelines.cohort.population import Population
from pipelines.files.schemas import SEX_UNKNOWN, SEX_WOMAN
from pipelines.study.days import Study, day_number


def balance(
    people: Population, case: np.ndarray, at: np.ndarray, control: np.ndarray, study: Study
) -> list[dict[str, Any]]:
    """For year of birth and share of women: the means of cases, of everybody observed in the study, and of
    controls.

    `case`: int64 (cases,), positions of cases in `people`; `at`, `control`: int64 (controls,), for each
    control, the case's place in `case`, and its own position. Cases without controls are left out of the
    comparison after; the controls of a case weigh as much as one together.
    """
    everybody = _observed(people, study)
    matched = case[np.unique(at)]
    weight = 1 / np.bincount(at, minlength=len(case))[at] if len(at) else np.empty(0)
    told = []
    for name, values in (("birth year", _years(people.year)), ("women", _women(people.sex))):
        before = _Mean(values[case]), _Mean(values[everybody])
        after = _Mean(values[matched]), _Mean(values[control], weight)
        told.append(
            {
                "of": name,
                "cases": before[0].said,
                "everybody": before[1].said,
                "controls": after[1].said,
                "difference_before": _difference(*before),
                "difference_after": _difference(*after),
            }
        )
    return told


class _Mean:
    """Mean and variance of the values that are known, weighted."""

    def __init__(self, values: np.ndarray, weight: np.ndarray | None = None) -> None:
        known = ~np.isnan(values)
        values, weights = values[known], (np.ones(len(values)) if weight is None else weight)[known]
        self.some = bool(len(values))
        total = float(weights.sum())
        self.mean = float((weights * values).sum()) / total if self.some else 0.0
        # Whole numbers add up exactly in any order, so that this does not depend on how people lie in shards.
        self.variance = (
            max(float((weights * values**2).sum()) / total - self.mean**2, 0.0) if self.some else 0.0
        )

    @property
    def said(self) -> float | None:
        return round(self.mean, 3) if self.some else None


def _difference(one: _Mean, other: _Mean) -> float | None:
    """Difference of means in standard deviations, None where there is none."""
    if not one.some or not other.some:
        return None
    spread = ((one.variance + other.variance) / 2) ** 0.5
    return round((one.mean - other.mean) / spread, 3) if spread else 0.0


def _observed(people: Population, study: Study) -> np.ndarray:
    inside = (people.periods.start <= day_number(study.last)) & (
        people.periods.end >= day_number(study.first)
    )
    return np.flatnonzero(np.diff(np.concatenate([[0], np.cumsum(inside)])[people.periods.offsets]) > 0)


def _years(year: np.ndarray) -> np.ndarray:
    return np.where(year != MISSING, year.astype(np.float64), np.nan)


def _women(sex: np.ndarray) -> np.ndarray:
    return np.where(sex == SEX_UNKNOWN, np.nan, (sex == SEX_WOMAN).astype(np.float64))
