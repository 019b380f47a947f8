"""Controls for a cohort's members: who is at risk on their day, chosen greedily and the same whatever the
shards, and followed likewise."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kernels.hashing import hash_integers
from kernels.matching import NONE, Candidates, Cases, Terms, match_controls
from kernels.windows import interval_at
from pipelines.cohort.balance import balance
from pipelines.cohort.cdm_source import CdmSource
from pipelines.cohort.columns import MISSING
from pipelines.cohort.exits import last_days
from pipelines.cohort.groups import Evaluator
from pipelines.cohort.index_events import observed
from pipelines.cohort.lower import lower
from pipelines.cohort.population import FAR, Population, evaluators, of_cdm, population
from pipelines.cohort.query import Cohort, CustomEra
from pipelines.cohort.results import Results
from pipelines.cohort.shard_source import ShardReader
from pipelines.cohort.source import Events
from pipelines.files.frames import Frame, array
from pipelines.files.schemas import SEX_UNKNOWN
from pipelines.study.days import day_number
from pipelines.study.definition import Definition
from pipelines.study.design import Controls


@dataclass(frozen=True)
class Matching:
    """Controls (schema CONTROLS), and what a receipt says of them: counts, and how alike cases and controls
    are."""

    controls: Frame
    receipt: dict[str, Any]


def find_controls(
    shards: Sequence[ShardReader], sources: tuple[str, ...] | None, asked: Definition, members: Frame
) -> Matching:
    """Controls for the members of all shards (schema MEMBERS, in any order), as `asked.controls` says.

    Cases choose by index day, those of one day by the hash of their person under the seed; each takes its
    nearest candidates, equally near ones by hash too. Raises TypeError where the definition asks for none.
    """
    cohort = lower(asked)
    found = evaluators(shards, sources, cohort)
    return _matching(found, population(shards, found, cohort, asked), cohort, asked, members)


def find_controls_in_cdm(source: CdmSource, asked: Definition, results: Results) -> Matching:
    """The same for the stays in a CDM: alive by its deaths, of an age by years where no birthday is known.

    Raises TypeError where the definition asks for none.
    """
    cohort = lower(asked, cdm=True)
    found = Evaluator(source, cohort.sets)
    people = of_cdm(found, cohort, asked, source.deaths(FAR))
    members: Frame = {"person": results.person, "start": results.start}
    return _matching([found], people, cohort, asked, members)


def _matching(
    found: Sequence[Evaluator], people: Population, cohort: Cohort, asked: Definition, members: Frame
) -> Matching:
    if asked.controls is None:
        raise TypeError("the definition asks for no controls")
    case, day = people.places(array(members, "person")), array(members, "start").astype(np.int64)
    hash = _hashed(people.person, asked.controls.seed)
    order = np.lexsort((hash[case], day))
    case, day = case[order], day[order]
    chosen = _chosen(people, asked.controls, asked.prior_observation, case, day, hash)
    at, place = np.nonzero(chosen != NONE)
    control = chosen[at, place]
    end = np.minimum(_ends(found, people, cohort, control, day[at]), day_number(asked.study.last))
    frame: Frame = {
        "person": people.person[control],
        "start": day[at].astype(np.int32),
        "end": end.astype(np.int32),
        "case": people.person[case[at]],
    }
    rows = np.lexsort((frame["person"], frame["case"]))  # type: ignore[arg-type]
    counts = np.bincount((chosen != NONE).sum(axis=1), minlength=asked.controls.ratio + 1)
    receipt = {
        "cases": [{"controls": number, "cases": int(count)} for number, count in enumerate(counts)],
        "without": int(counts[0]),
        "controls": len(control),
        "persons": len(np.unique(control)),
        "balance": balance(people, case, at, control, asked.study),
    }
    return Matching({name: column[rows] for name, column in frame.items()}, receipt)


def without_controls(receipt: Mapping[str, Any]) -> str:
    """How many cases have no control, in words."""
    cases = sum(each["cases"] for each in receipt["cases"])
    return f"{receipt['without']:,} of {cases:,} cases have no control"


def _hashed(person: np.ndarray, seed: int) -> np.ndarray:
    """int64 (n,) below 2^62: an order that depends on persons and seed alone."""
    key = hashlib.blake2b(f"uttag controls {seed}".encode(), digest_size=16).digest()
    return hash_integers(person, key) >> 1


def _chosen(
    people: Population, asked: Controls, prior: int, case: np.ndarray, day: np.ndarray, hash: np.ndarray
) -> np.ndarray:
    """int64 (cases, ratio): positions of each case's controls, `NONE` behind the last."""
    stratum, strata = _strata(people, asked)
    wanted = np.zeros(strata, bool)
    wanted[stratum[case[stratum[case] >= 0]]] = True
    pool = np.flatnonzero(
        (stratum >= 0) & np.append(wanted, False)[stratum] & (people.opens <= people.closes)
    )
    value = people.birth if asked.nearest else np.zeros(len(people.person), np.int64)
    pool = pool[np.lexsort((people.person[pool], hash[pool], value[pool], stratum[pool]))]
    offsets = np.searchsorted(stratum[pool], np.arange(strata + 1)).astype(np.int64)
    periods, homes, by_home = people.periods.of(pool), people.homes.of(pool), "municipality" in asked.exact
    cases = Cases(
        stratum=stratum[case], day=day, value=value[case], turn=hash[case], home=_homes(people, case, day)
    )
    candidates = Candidates(
        offsets=offsets,
        values=value[pool],
        hash=hash[pool],
        opens=people.opens[pool],
        closes=people.closes[pool],
    )
    terms = Terms(
        ratio=asked.ratio,
        caliper=asked.nearest.birth_day if asked.nearest else 0,
        prior=prior,
        replace=asked.replace,
        by_home=by_home,
    )
    found = match_controls(cases, candidates, periods.arrays(), homes.arrays(), terms)
    return np.where(found == NONE, NONE, np.append(pool, NONE)[found])


def _strata(people: Population, asked: Controls) -> tuple[np.ndarray, int]:
    """int64 (n,): a number for each combination of what does not change, -1 where something is unknown; and
    how many there are."""
    key, known = np.zeros(len(people.person), np.int64), np.ones(len(people.person), bool)
    if "sex" in asked.exact:
        key, known = people.sex.astype(np.int64), known & (people.sex != SEX_UNKNOWN)
    if asked.nearest:
        known &= people.birth != MISSING
    if "birth_year" in asked.exact:
        known &= people.year != MISSING
        key = key * 10_000 + np.where(known, people.year, 1970) - 1970 + 5000
    names, number = np.unique(key, return_inverse=True)
    return np.where(known, number.reshape(-1), -1), len(names)


def _homes(people: Population, row: np.ndarray, day: np.ndarray) -> np.ndarray:
    """int64: where each lives on the day, -1 if unknown."""
    homes = people.homes
    at = interval_at(
        row.astype(np.int32),
        day.astype(np.int32),
        homes.offsets,
        homes.start.astype(np.int32),
        homes.end.astype(np.int32),
    )
    return np.append(homes.place, -1)[at]


def _ends(
    found: Sequence[Evaluator], people: Population, cohort: Cohort, control: np.ndarray, day: np.ndarray
) -> np.ndarray:
    """int64 (n,): the last day of each control: the ends of a member, exposure aside, or the day before an
    event as that of the index."""
    followed = replace(cohort, exit=None) if isinstance(cohort.exit, CustomEra) else cohort
    end = np.empty(len(control), np.int64)
    begin = 0
    for evaluator in found:
        beyond = begin + len(evaluator.source.persons)
        rows = np.flatnonzero((control >= begin) & (control < beyond))
        rows = rows[np.argsort(control[rows], kind="stable")]
        person = (control[rows] - begin).astype(np.int32)
        index, at = observed(
            Events(np.zeros(len(rows), np.int64), person, day[rows], _nothing), evaluator.source
        )
        end[rows[at]] = last_days(followed, evaluator, index)
        begin = beyond
    return np.minimum(end, people.event[control] - 1)


def _nothing(_name: str, rows: np.ndarray) -> np.ndarray:
    return np.full(len(rows), MISSING, np.int64)
