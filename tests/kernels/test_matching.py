"""Matching of controls, against the obvious way."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.matching import NONE, Candidates, Cases, Spans, Terms, match_controls
from kernels.postings import row_starts

RING = 2**62
hashes = st.integers(0, 7).map(lambda eighth: eighth * (RING // 8))
span = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda pair: (min(pair), max(pair)))
cases = st.lists(
    st.tuples(st.integers(-1, 1), st.integers(0, 12), st.integers(0, 4), hashes, st.integers(-1, 1)),
    max_size=6,
)
candidates = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 4),
        hashes,
        span,
        st.lists(span, max_size=2),
        st.lists(st.tuples(span, st.integers(0, 1)), max_size=2),
    ),
    max_size=14,
)


def slow(made, pool, ratio, caliper, replace, prior, homes):
    """Of those free and at risk, the nearest; of equally near ones, the next on the ring."""
    used, chosen = set(), []
    for stratum, day, value, turn, home in made:

        def fits(row, stratum=stratum, day=day, value=value, home=home):
            of, at, _, (opens, closes), periods, lived = pool[row]
            observed = any(start + prior <= day <= end for start, end in periods)
            place = max(
                ((start, n, place) for n, ((start, end), place) in enumerate(lived) if start <= day <= end),
                default=(0, 0, -2),
            )[2]
            near = abs(at - value) <= caliper and opens <= day <= closes
            return (
                of == stratum
                and row not in used
                and near
                and observed
                and (not homes or (place == home and home >= 0))
            )

        order = [row for row in range(len(pool)) if fits(row)]
        order.sort(
            key=lambda row: (
                abs(pool[row][1] - value),
                (pool[row][2] - turn) % RING,
                pool[row][1] > value,
                row,
            )
        )
        chosen.append(order[:ratio])
        used.update([] if replace else order[:ratio])
    return chosen


@given(
    cases, candidates, st.integers(1, 3), st.integers(0, 4), st.booleans(), st.integers(0, 5), st.booleans()
)
def test_each_case_takes_the_nearest_that_are_free_and_at_risk(
    made, pool, ratio, caliper, replace, prior, homes
) -> None:
    pool = sorted(pool, key=lambda each: each[:3])
    columns = [np.array([each[i] for each in made], np.int64) for i in range(5)]
    stratum, value, hash = ([each[i] for each in pool] for i in range(3))
    periods = [each[4] for each in pool]
    lived = [each[5] for each in pool]
    free = Candidates(
        offsets=row_starts(np.array(stratum, np.int32), 2),
        values=whole(value),
        hash=whole(hash),
        opens=whole([each[3][0] for each in pool]),
        closes=whole([each[3][1] for each in pool]),
    )
    observed = Spans(
        offsets=starts(periods),
        start=whole([a for each in periods for a, _ in each]),
        end=whole([b for each in periods for _, b in each]),
        place=whole([]),
    )
    residences = Spans(
        offsets=starts(lived),
        start=whole([a for each in lived for (a, _), _ in each]),
        end=whole([b for each in lived for (_, b), _ in each]),
        place=whole([place for each in lived for _, place in each]),
    )
    terms = Terms(ratio=ratio, caliper=caliper, prior=prior, replace=replace, by_home=homes)
    found = match_controls(Cases(*columns), free, observed, residences, terms)
    expected = slow(made, pool, ratio, caliper, replace, prior, homes)
    for row, wanted in zip(found.tolist(), expected, strict=True):
        assert row == wanted + [NONE] * (ratio - len(wanted))


def whole(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def starts(parts: list[list]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(each) for each in parts])]).astype(np.int64)
