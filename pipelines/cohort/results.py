"""What a definition gives: stays, and how many events and persons met which inclusion rules; OHDSI's result
tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.files.frames import Frame

ALL_EVENTS, BEST_EVENT = 0, 1  # mode_id


@dataclass(frozen=True)
class Results:
    """Of one definition over some persons; those of several shards add up.

    `person`: int64 (n,), `start`, `end`: int64 (n,), days, both in: the stays, by (person, start). `masks`:
    by mode, {mask of rules met: events}; bit r is rule r. `lost`: persons that the censor window took away,
    None without one. `rules`: how many inclusion rules. `attrition`: persons left after each step: with an
    entry event, observed, of whom the additional conditions hold (if there are any), of whom the rules hold,
    one after the other. `ended`: int8 (n,), positions in `schemas.ENDS`, why each stay ends; None where
    nobody asked. `by_year`: persons of whom the rules were asked and whose age was counted from their
    year of birth, since no birthday is known; 0 where no rule asks it.
    """

    person: np.ndarray
    start: np.ndarray
    end: np.ndarray
    masks: tuple[dict[int, int], dict[int, int]]
    lost: int | None
    rules: int
    attrition: tuple[int, ...]
    ended: np.ndarray | None = None
    by_year: int = 0

    def members(self) -> Frame:
        """The stays as schema MEMBERS has them. Raises TypeError where it is not known why they end."""
        if self.ended is None:
            raise TypeError("nobody asked why the stays end")
        return {
            "person": self.person,
            "start": self.start.astype(np.int32),
            "end": self.end.astype(np.int32),
            "ended": self.ended,
        }

    def tables(self) -> dict[str, dict[str, np.ndarray]]:
        """OHDSI's result tables by name, without `cohort_definition_id`: int64 (rows,) each, days since
        1970-01-01."""
        return {
            "cohort": {
                "subject_id": self.person,
                "cohort_start_date": self.start,
                "cohort_end_date": self.end,
            },
            "cohort_inclusion_result": self.inclusion_result(),
            "cohort_inclusion_stats": self.inclusion_stats(),
            "cohort_summary_stats": self.summary_stats(),
            "cohort_censor_stats": self.censor_stats(),
        }

    def inclusion_result(self) -> dict[str, np.ndarray]:
        """One row for each mask and mode: int64 (rows,) each."""
        rows = [
            (mask, count, mode)
            for mode in (ALL_EVENTS, BEST_EVENT)
            for mask, count in sorted(self.masks[mode].items())
        ]
        return _table(rows if self.rules else [], ("inclusion_rule_mask", "person_count", "mode_id"))

    def inclusion_stats(self) -> dict[str, np.ndarray]:
        """One row for each rule and mode: int64 (rows,) each. `gain_count`: events that this rule alone keeps
        out."""
        whole, rows = (1 << self.rules) - 1, []
        for mode in (ALL_EVENTS, BEST_EVENT):
            masks = self.masks[mode]
            for rule in range(self.rules):
                met = sum(count for mask, count in masks.items() if mask >> rule & 1)
                rows.append((rule, met, masks.get(whole ^ (1 << rule), 0), sum(masks.values()), mode))
        return _table(rows, ("rule_sequence", "person_count", "gain_count", "person_total", "mode_id"))

    def summary_stats(self) -> dict[str, np.ndarray]:
        """Events before and after all rules, by mode: int64 (modes,) each."""
        whole = (1 << self.rules) - 1
        rows = [
            (sum(self.masks[mode].values()), self.masks[mode].get(whole, 0), mode)
            for mode in (ALL_EVENTS, BEST_EVENT)
        ]
        return _table(rows if self.rules else [], ("base_count", "final_count", "mode_id"))

    def censor_stats(self) -> dict[str, np.ndarray]:
        """One row where the definition has a censor window: int64 (0 or 1,)."""
        return _table([] if self.lost is None else [(self.lost,)], ("lost_count",))


def merged(parts: Sequence[Results]) -> Results:
    """The results of disjoint persons as one."""
    person, start, end = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("person", "start", "end")
    )
    order = np.lexsort((end, start, person))
    ended = [part.ended for part in parts if part.ended is not None]
    masks: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for part in parts:
        for mode in (ALL_EVENTS, BEST_EVENT):
            for mask, count in part.masks[mode].items():
                masks[mode][mask] = masks[mode].get(mask, 0) + count
    lost = [part.lost for part in parts if part.lost is not None]
    attrition = tuple(sum(counts) for counts in zip(*(part.attrition for part in parts), strict=True))
    return Results(
        person[order],
        start[order],
        end[order],
        masks,
        sum(lost) if lost else None,
        parts[0].rules,
        attrition,
        np.concatenate(ended)[order] if len(ended) == len(parts) else None,
        sum(part.by_year for part in parts),
    )


def _table(rows: Sequence[tuple[int, ...]], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of whole numbers."""
    whole = np.array(rows, np.int64).reshape(len(rows), len(names))
    return {name: whole[:, place] for place, name in enumerate(names)}
