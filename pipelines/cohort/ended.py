"""Why each stay ends on the day it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.cohort.columns import MISSING
from pipelines.cohort.groups import Evaluator
from pipelines.cohort.query import Cohort, CustomEra
from pipelines.files.schemas import ENDS

_WIDTH = np.int64(2**40)  # days that keep persons apart in one key


def why_ended(
    cohort: Cohort, evaluator: Evaluator, deaths: np.ndarray, person: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """int8 (n,): a position in ENDS for each stay.

    `deaths`: int64 (persons,), days, `MISSING` for none; `person`: int32 (n,), position among the source's
    persons; `end`: int64 (n,), the last day of each stay.
    """
    source = evaluator.source
    own = _keys(person, end)
    study_end = MISSING if cohort.censor_window[1] is None else cohort.censor_window[1]
    holds = {
        "death": deaths[person] == end,
        "censored": np.isin(own, _started(cohort, evaluator)),
        "study_end": end == study_end,
        "moved": np.isin(own, _keys(_repeated(source.periods.offsets), source.periods.end)),
    }
    by_rule = ENDS.index("exposure_end" if isinstance(cohort.exit, CustomEra) else "follow_up")
    return np.select(list(holds.values()), [ENDS.index(name) for name in holds], by_rule).astype(np.int8)


def _keys(person: np.ndarray, day: np.ndarray) -> np.ndarray:
    return person.astype(np.int64) * _WIDTH + day


def _repeated(offsets: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def _started(cohort: Cohort, evaluator: Evaluator) -> np.ndarray:
    """Persons and days of the events that censor."""
    found = [evaluator.events(each) for each in cohort.censoring]
    return np.concatenate([np.empty(0, np.int64), *(_keys(each.person, each.start) for each in found)])


def counted(
    person: np.ndarray, end: np.ndarray, ended: np.ndarray, deaths: np.ndarray
) -> dict[str, tuple[int, int]]:
    """By reason: how many stays end so, and how many of them are the last of a person who dies later, in no
    stay.

    `person`: integers (n,), ascending, position in `deaths`; `end`: int64 (n,), days; `ended`: int8 (n,),
    positions in ENDS; `deaths`: int64 (persons,), `MISSING` for none.
    """
    in_stay = np.zeros(len(deaths), bool)
    in_stay[person[ended == ENDS.index("death")]] = True
    last = np.append(person[1:] != person[:-1], True)[: len(person)]
    later = last & (deaths[person] > end) & ~in_stay[person]
    return {
        name: (int((ended == place).sum()), int((later & (ended == place)).sum()))
        for place, name in enumerate(ENDS)
    }


def together(parts: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, tuple[int, int]]:
    """The counts of several shards added up, reason by reason."""
    return {
        name: (sum(each[name][0] for each in parts), sum(each[name][1] for each in parts)) for name in ENDS
    }


def with_deaths(
    attrition: list[dict[str, Any]], counts: Mapping[str, tuple[int, int]]
) -> list[dict[str, Any]]:
    """The steps, the last of them with how many of the stays left `die_in_follow_up` and how many
    `die_later`, in none."""
    if not attrition:
        return attrition
    later = sum(later for _, later in counts.values())
    deaths = {"die_in_follow_up": counts["death"][0], "die_later": later}
    return [*attrition[:-1], {**attrition[-1], **deaths}]


def told(counts: dict[str, tuple[int, int]]) -> list[dict[str, Any]]:
    """The same as rows, without those of nobody: `ended`, `members`, `die_later`."""
    return [
        {"ended": name, "members": members, "die_later": later}
        for name, (members, later) in counts.items()
        if members
    ]
