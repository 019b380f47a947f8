"""Members counted by what they are on their index day: exact counts, for the project's own zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.ages import completed_years
from kernels.postings import row_starts
from kernels.windows import interval_at
from pipelines.cohort.shard_source import ShardReader
from pipelines.files.frames import Category, Frame, array
from pipelines.files.schemas import NO_CATEGORY, SEX_MAN, SEX_WOMAN
from pipelines.study.design import Ages, Stratum

UNKNOWN = "unknown"
NAMES = ("sex", "age", "year", "municipality")
_SEX = {SEX_MAN: "men", SEX_WOMAN: "women"}


def count_strata(
    shards: Sequence[ShardReader], strata: Sequence[Stratum], members: Frame
) -> list[dict[str, Any]]:
    """A row for each combination that occurs, ascending: its labels, and `members`, how many stays begin in
    it.

    `members`: schema MEMBERS, of all shards, in any order.
    """
    names = [_name(each) for each in strata]
    counts: Counter[tuple[str, ...]] = Counter()
    for shard in shards:
        person, day = _inside(shard, members)
        columns = [_labelled(each, shard, person, day) for each in strata]
        counts.update(zip(*(column.tolist() for column in columns), strict=True))
    return [{**dict(zip(names, labels, strict=True)), "members": counts[labels]} for labels in sorted(counts)]


def _name(stratum: Stratum) -> str:
    return "age" if isinstance(stratum, Ages) else stratum


def _inside(shard: ShardReader, members: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Members of the shard: position int32 (n,), index day int32 (n,)."""
    persons = array(shard.read("persons", ("person",)), "person")
    wanted = array(members, "person")
    place = np.searchsorted(persons, wanted)
    there = np.append(persons, -1)[place] == wanted
    return place[there].astype(np.int32), array(members, "start")[there]


def _labelled(stratum: Stratum, shard: ShardReader, person: np.ndarray, day: np.ndarray) -> np.ndarray:
    """str (n,): the label of each."""
    if isinstance(stratum, Ages):
        return _ages(stratum, array(shard.read("persons", ("birth_day",)), "birth_day")[person], day)
    if stratum == "sex":
        return np.array(
            [
                _SEX.get(each, UNKNOWN)
                for each in array(shard.read("persons", ("sex",)), "sex")[person].tolist()
            ],
            str,
        )
    if stratum == "year":
        return day.astype("M8[D]").astype("M8[Y]").astype(str)
    return _municipalities(shard, person, day)


def _ages(stratum: Ages, birth: np.ndarray, day: np.ndarray) -> np.ndarray:
    age = completed_years(birth, day)
    labels = np.array([*stratum.labels, UNKNOWN], str)
    return labels[np.where(age < 0, len(labels) - 1, np.searchsorted(np.array(stratum.age), age, "right"))]


def _municipalities(shard: ShardReader, person: np.ndarray, day: np.ndarray) -> np.ndarray:
    homes, count = shard.read("residences"), len(array(shard.read("persons", ("person",)), "person"))
    at = interval_at(
        person, day, row_starts(array(homes, "person"), count), array(homes, "start"), array(homes, "end")
    )
    place = homes["municipality"]
    labels = np.array([*(place.labels if isinstance(place, Category) else ()), UNKNOWN], str)
    return labels[np.append(array(homes, "municipality"), NO_CATEGORY)[at]]
