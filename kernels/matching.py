"""Matching of controls to cases: from those at risk on the case's day (incidence density sampling; Beaumont,
Steenland, Minton and Meyer 1990), greedily (Rosenbaum 1989, "Optimal matching for observational studies",
section 2): each case in turn takes the nearest that are still free.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kernels.jit import compiled
from kernels.searching import lower_bound

NONE = -1
_FAR = 2**62


class Cases(NamedTuple):
    """Cases in the order in which they choose, int64 (n,) each. `stratum`: -1 for none. `day`: on which a
    control must be at risk, since 1970-01-01. `value`: from which distances are counted. `turn`: below 2^62,
    where on the ring of hashes the case begins. `home`: place of residence, -1 if unknown.
    """

    stratum: np.ndarray
    day: np.ndarray
    value: np.ndarray
    turn: np.ndarray
    home: np.ndarray


class Candidates(NamedTuple):
    """Those who may be chosen, by stratum, then value, then hash. `offsets`: int64 (strata + 1,), where each
    stratum begins. int64 (m,) each: `values`; `hash`, below 2^62; `opens`, `closes`, days since 1970-01-01
    between which they may be chosen, both in.
    """

    offsets: np.ndarray
    values: np.ndarray
    hash: np.ndarray
    opens: np.ndarray
    closes: np.ndarray


class Spans(NamedTuple):
    """Spans of days of each candidate. `offsets`: int64 (m + 1,), into `start` and `end`: int64 (spans,),
    days since 1970-01-01, both in, and `place`: int64 (spans,), a place of residence; not looked at where
    the spans are of something else.
    """

    offsets: np.ndarray
    start: np.ndarray
    end: np.ndarray
    place: np.ndarray


class Terms(NamedTuple):
    """How controls are chosen: at most `ratio` for each case, no further than `caliper` from it in value,
    observed for `prior` days before; `replace`: each may be chosen again; `by_home`: only those who live
    where the case does.
    """

    ratio: int
    caliper: int
    prior: int
    replace: bool
    by_home: bool


@compiled
def _held(row: int, day: int, spans: Spans) -> int:
    """The row's span that holds the day and begins last, -1 if none."""
    start, end = spans.start, spans.end
    found = -1
    for j in range(spans.offsets[row], spans.offsets[row + 1]):
        if start[j] <= day <= end[j] and (found < 0 or start[j] >= start[found]):
            found = j
    return found


@compiled
def _at_risk(
    row: int, day: int, home: int, candidates: Candidates, periods: Spans, homes: Spans, terms: Terms
) -> bool:
    if not candidates.opens[row] <= day <= candidates.closes[row]:
        return False
    if terms.by_home:
        lives = _held(row, day, homes)
        if lives < 0 or homes.place[lives] != home or home < 0:
            return False
    for j in range(periods.offsets[row], periods.offsets[row + 1]):
        if periods.start[j] + terms.prior <= day <= periods.end[j]:
            return True
    return False


@compiled
def _heads(
    k: int,
    first: np.ndarray,
    size: np.ndarray,
    begin: np.ndarray,
    taken: np.ndarray,
    hash: np.ndarray,
    turn: int,
) -> tuple[int, int]:
    """Row and ring distance of the next row of side `k`; distance `_FAR` if it has none left."""
    if taken[k] == size[k]:
        return NONE, _FAR
    row = first[k] + (begin[k] - first[k] + taken[k]) % size[k]
    ahead = hash[row] - turn
    return row, ahead if ahead >= 0 else ahead + 2**62


@compiled
def match_controls(
    cases: Cases, candidates: Candidates, periods: Spans, homes: Spans, terms: Terms
) -> np.ndarray:
    """At most `ratio` candidates for each case, the nearest first.

    `periods`: observation periods of the candidates; `homes`: their residences, of which the one that begins
    last holds; asked for with `by_home`. Of candidates equally near, the first is the one whose hash follows
    the case's turn on a ring, so that no candidate is everybody's first. Without `replace` each is chosen
    once. Returns int64 (n, ratio): positions of candidates, `NONE` behind the last.
    """
    stratum, day, value, turn, home = cases
    offsets, values, hash, _, _ = candidates
    ratio, caliper, replace = terms.ratio, terms.caliper, terms.replace
    chosen = np.full((len(stratum), ratio), NONE, np.int64)
    used = np.zeros(len(values), np.bool_)
    first, size = np.zeros(2, np.int64), np.zeros(2, np.int64)
    begin, taken = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for i in range(len(stratum)):
        if stratum[i] < 0:
            continue
        low, high, found = offsets[stratum[i]], offsets[stratum[i] + 1], 0
        right = lower_bound(values, low, high, value[i])
        left = right
        while found < ratio and (left > low or right < high):
            below = value[i] - values[left - 1] if left > low else _FAR
            above = values[right] - value[i] if right < high else _FAR
            near = min(below, above)
            if near > caliper:
                break
            # Both sides at this distance: runs by hash, each read around the ring from the case's turn.
            first[0] = lower_bound(values, low, left, values[left - 1]) if below == near else left
            first[1] = right
            end = lower_bound(values, right, high, values[right] + 1) if above == near else right
            size[0], size[1] = left - first[0], end - right
            left, right = first[0], end
            for k in range(2):
                begin[k], taken[k] = lower_bound(hash, first[k], first[k] + size[k], turn[i]), 0
            while found < ratio:
                a, ahead = _heads(0, first, size, begin, taken, hash, turn[i])
                b, behind = _heads(1, first, size, begin, taken, hash, turn[i])
                if a < 0 and b < 0:
                    break
                side = 0 if ahead <= behind else 1
                row = a if side == 0 else b
                taken[side] += 1
                if used[row] or not _at_risk(row, day[i], home[i], candidates, periods, homes, terms):
                    continue
                used[row] = not replace
                chosen[i, found] = row
                found += 1
    return chosen
