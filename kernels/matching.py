"""Matching of controls to cases: from those at risk on the case's day (incidence density sampling; Beaumont, Steenland, Minton and Meyer
1990), greedily (Rosenbaum 1989, "Optimal matching for observational studies", section 2): each case in turn takes the nearest that are
still free.
"""

from __future__ import annotations

import numpy as np

from kernels.jit import compiled
from kernels.searching import lower_bound

NONE = -1
_FAR = 2**62


@compiled
def _held(row: int, day: int, offsets: np.ndarray, start: np.ndarray, end: np.ndarray) -> int:
    """The row's interval that holds the day and begins last, -1 if none."""
    found = -1
    for j in range(offsets[row], offsets[row + 1]):
        if start[j] <= day <= end[j] and (found < 0 or start[j] >= start[found]):
            found = j
    return found


@compiled
def _at_risk(
    row: int, day: int, home: int, by_home: bool, opens: np.ndarray, closes: np.ndarray,
    period_offsets: np.ndarray, period_start: np.ndarray, period_end: np.ndarray, prior: int,
    home_offsets: np.ndarray, home_start: np.ndarray, home_end: np.ndarray, home_place: np.ndarray,
) -> bool:  # fmt: skip
    if not opens[row] <= day <= closes[row]:
        return False
    if by_home:
        lives = _held(row, day, home_offsets, home_start, home_end)
        if lives < 0 or home_place[lives] != home or home < 0:
            return False
    for j in range(period_offsets[row], period_offsets[row + 1]):
        if period_start[j] + prior <= day <= period_end[j]:
            return True
    return False


@compiled
def _heads(
    k: int, first: np.ndarray, size: np.ndarray, begin: np.ndarray, taken: np.ndarray, hash: np.ndarray, turn: int
) -> tuple[int, int]:
    """Row and ring distance of the next row of side `k`; distance `_FAR` if it has none left."""
    if taken[k] == size[k]:
        return NONE, _FAR
    row = first[k] + (begin[k] - first[k] + taken[k]) % size[k]
    ahead = hash[row] - turn
    return row, ahead if ahead >= 0 else ahead + 2**62


@compiled
def match_controls(
    stratum: np.ndarray, day: np.ndarray, value: np.ndarray, turn: np.ndarray, home: np.ndarray, ratio: int, caliper: int, replace: bool,
    by_home: bool, offsets: np.ndarray, values: np.ndarray, hash: np.ndarray, opens: np.ndarray, closes: np.ndarray,
    period_offsets: np.ndarray, period_start: np.ndarray, period_end: np.ndarray, prior: int,
    home_offsets: np.ndarray, home_start: np.ndarray, home_end: np.ndarray, home_place: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """At most `ratio` candidates for each case, the nearest first.

    Cases, in the order in which they choose: `stratum`: int64 (n,), -1 for none; `day`: int64 (n,), on which a control must be at risk;
    `value`: int64 (n,), from which distances are counted; `turn`: int64 (n,) below 2^62; `home`: int64 (n,), place of residence, -1 if
    unknown.

    Candidates, by (stratum, value, hash): `offsets`: int64 (strata + 1,); `values`: int64 (m,); `hash`: int64 (m,) below 2^62; `opens`,
    `closes`: int64 (m,), days between which they may be chosen, both in; `period_…`: observation periods, both days in, of which `prior`
    days must have passed; `home_…`: residences likewise, of which the one that begins last holds, int64; asked for with `by_home`.

    A candidate is no further than `caliper` from the case. Of those equally near, the first is the one whose hash follows the case's turn
    on a ring, so that no candidate is everybody's first. Without `replace` each is chosen once. Returns int64 (n, ratio): positions of
    candidates, `NONE` behind the last.
    """
    chosen = np.full((len(stratum), ratio), NONE, np.int64)
    used = np.zeros(len(values), np.bool_)
    first, size, begin, taken = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64)
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
                if used[row] or not _at_risk(
                    row, day[i], home[i], by_home, opens, closes, period_offsets, period_start, period_end, prior,
                    home_offsets, home_start, home_end, home_place,
                ):  # fmt: skip
                    continue
                used[row] = not replace
                chosen[i, found] = row
                found += 1
    return chosen
