"""Design effects of repeated events: the variance over persons, recounted from the persons themselves, is
what the shards' sums give; and it is told nowhere where the figure itself is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.aggregation import clustering
from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.cubes.cube import Cube, ProtectedCube
from pipelines.cubes.design_effects import RATE, STANDARDISED, rounded_up, told
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.protect import protect
from pipelines.files.frames import Frame
from pipelines.measures.clustered import effects
from pipelines.release.stage import audit
from pipelines.site.permit import Table
from tests.amount import share_of
from tests.people import MadeShard
from tests.time_tables import SOURCES, STUDY, TABLES, edges
from tests.time_twin import Own, own_of

NAMED = {table.table: table for table in TABLES}
NONE = Own(0, 0)


def counted(table: Table, seed: int) -> tuple[Layout, dict[str, np.ndarray], MadeShard, Frame]:
    shard, members = edges(seed, persons=90)
    layout = Layout.of(table, STUDY)
    return layout, Counter(shard, members, SOURCES).count(layout), shard, members


@pytest.mark.parametrize("name", ["units", "lexis", "standard", "standard-of-sexes"])
@settings(max_examples=share_of(3), deadline=None)
@given(seed=st.integers(0, 2**20))
def test_the_effect_of_a_rate_is_the_variance_over_persons(name: str, seed: int) -> None:
    layout, total, shard, members = counted(NAMED[name], seed)
    own = own_of(shard, members, NAMED[name], layout)
    found = clustering.effects(layout, total)[RATE].reshape([len(each) for each in layout.dimensions])
    for cell in {cell for _, cell in own}:
        each = [one for (_, where), one in own.items() if where == cell]
        events, days = sum(one.events for one in each), sum(one.days for one in each)
        if not events or not days:
            assert found[cell] == 0
            continue
        spread = sum((one.events - events / days * one.days) ** 2 for one in each)
        at_risk = sum(one.days > 0 for one in each)
        agrees(
            found[cell],
            spread * at_risk / max(at_risk - 1, 1) / events,
            events,
            sum(o.events > 0 for o in each),
        )


@pytest.mark.parametrize("name", ["standard", "ratios"])
@settings(max_examples=share_of(3), deadline=None)
@given(seed=st.integers(0, 2**20))
def test_that_of_a_standardised_figure_counts_a_person_once_over_all_ages(name: str, seed: int) -> None:
    layout, total, shard, members = counted(table := NAMED[name], seed)
    own, direct = own_of(shard, members, table, layout), name == "standard"
    shape, axis = [len(each) for each in layout.dimensions], 1 if direct else 0
    values = np.array(layout.dimensions[axis].values, float)
    ages = np.flatnonzero(values > 0).tolist()
    grids = {each: total[each].reshape(shape) for each in ("events", "person_days", "persons", "at_risk")}
    found = clustering.effects(layout, total)[STANDARDISED].reshape(shape)
    assert not np.delete(found, 0, axis).any()

    def at(row: int, age: int) -> tuple[int, int]:
        return (row, age) if direct else (age, row)

    for row in range(shape[1 - axis]):
        n = [int(grids["events"][at(row, age)]) for age in ages]
        d = [int(grids["person_days"][at(row, age)]) for age in ages]
        if not sum(n) or (direct and not all(d)):
            continue
        if direct:
            weights = [values[age] / values.sum() / days for age, days in zip(ages, d, strict=True)]
            rates = [events / days for events, days in zip(n, d, strict=True)]
        else:
            of_all = [grids["events"][at(0, age)] / max(grids["person_days"][at(0, age)], 1) for age in ages]
            ratio = sum(n) / sum(rate * days for rate, days in zip(of_all, d, strict=True))
            weights, rates = [1.0] * len(ages), [ratio * rate for rate in of_all]
        spread = 0.0
        for person in {person for person, _ in own}:
            here = [own.get((person, at(row, age)), NONE) for age in ages]
            parts = zip(weights, rates, here, strict=True)
            spread += sum(w * (one.events - r * one.days) for w, r, one in parts) ** 2
        m = int(grids["at_risk"][at(row, 0)])
        poisson = sum(w * w * events for w, events in zip(weights, n, strict=True))
        worth = sum(w * events for w, events in zip(weights, n, strict=True)) ** 2 / poisson
        effect = spread * m / max(m - 1, 1) / poisson
        agrees(found[at(row, 0)], effect, worth, int(grids["persons"][at(row, 0)]))


def agrees(found: int, effect: float, worth: float, persons: int) -> None:
    """Rounded up by less than a step, never below 1, and 0 exactly where it is not carried."""
    step = next(each for each in ladder() if each >= effect * (1 - 1e-9))
    if persons < 10 or worth < 10 * step:
        assert found in (0, round(100 * step)) if abs(worth - 10 * step) < 1e-6 else found == 0
    else:
        assert found == round(100 * step) or abs(effect - step) < 1e-6 * step


def ladder() -> list[float]:
    steps = [
        100,
        112,
        125,
        140,
        160,
        180,
        200,
        224,
        250,
        280,
        315,
        355,
        400,
        450,
        500,
        560,
        630,
        710,
        800,
        900,
    ]
    return [step * 10**power / 100 for power in range(6) for step in steps]


def test_an_effect_is_rounded_up_to_a_step_of_12_per_cent_and_never_below_one() -> None:
    rounded = rounded_up(np.array([0.0, 0.4, 1.0, 1.01, 1.12, 23.1, 25.0, np.nan, 1e30]))
    assert rounded.tolist() == [100, 100, 100, 112, 112, 2500, 2500, 0, 0]


@settings(max_examples=share_of(20), deadline=None)
@given(seed=st.integers(0, 2**20), name=st.sampled_from(["standard", "ratios", "units"]))
def test_nothing_is_told_of_a_figure_that_needs_a_hidden_cell(seed: int, name: str) -> None:
    layout, random = Layout.of(NAMED[name], STUDY), np.random.default_rng(seed)
    shape = [len(each) for each in layout.dimensions]
    numbers = {"persons": np.full(layout.cells, 50, np.int64)}
    kinds = [RATE, STANDARDISED] if name != "units" else [RATE]
    cube = Cube(
        "t",
        "t",
        "p",
        layout.dimensions,
        numbers,
        {},
        design_effects={k: np.full(layout.cells, 200) for k in kinds},
    )
    hidden, time = (random.random(layout.cells) < random.choice([0, 0.03, 0.2]) for _ in range(2))
    found = {kind: values.reshape(shape) for kind, values in told(cube, hidden, time).items()}
    gone, late = hidden.reshape(shape), time.reshape(shape)
    assert np.array_equal(found[RATE] == 0, gone | late)
    if name == "units":
        return
    axis = 1 if name == "standard" else 0
    ages = [age for age, weight in enumerate(layout.dimensions[axis].values) if weight > 0]
    for cell in product(*map(range, shape)):
        line = [tuple(age if k == axis else place for k, place in enumerate(cell)) for age in ages]
        of_all = [tuple(age if k == axis else 0 for k in range(2)) for age in ages]
        needed = [late[each] for each in line] + [gone[cell], late[cell]]
        needed += [gone[each] for each in line] if name == "standard" else []
        needed += [(gone | late)[each] for each in of_all] if name == "ratios" else []
        assert (found[STANDARDISED][cell] != 0) == (cell[axis] == 0 and not any(needed))


def test_events_of_several_persons_once_each_need_no_effect_and_repeated_ones_do() -> None:
    layout = Layout.of(NAMED["units"], STUDY)
    zeros, cells = np.zeros(layout.cells, np.int64), layout.cells
    persons, events, held = zeros.copy(), zeros.copy(), zeros.copy()
    persons[:3], events[:3], held[2] = 20, [20, 30, 30], 250
    cube = ProtectedCube(
        "t",
        "t",
        "p",
        layout.dimensions,
        {"persons": persons, "events": events},
        zeros == 1,
        {},
        (),
        {},
        {RATE: held},
    )
    found = effects(cube)
    assert (found[0], found[2], found[3]) == (1.0, 2.5, 1.0)
    assert np.isnan(found[1]) and len(found) == cells


def test_the_gate_counts_effects_again_and_refuses_what_differs() -> None:
    layout, total, _, _ = counted(NAMED["standard"], 3)
    additive = {name: (name != "persons",) * 2 for name in ("persons", "events", "person_days")}
    measures = {name: total[name] for name in ("persons", "events")}
    cube = Cube("t", "t", "p", layout.dimensions, measures, additive, (("events", "persons"),))
    cube = replace(cube, design_effects=clustering.effects(layout, total))
    of_time = {"persons": total["at_risk"], "person_days": total["person_days"]}
    time = Cube("t-time", "t", "q", layout.dimensions, of_time, additive, (("person_days", "persons"),))
    policy = Policy()
    found = protect([cube, time], policy)
    claims = audit([cube, time], found.cubes, found.certificate, policy)
    assert all(claim.holds for claim in claims) and found.cubes[0].design_effects[RATE].any()
    more = {**found.cubes[0].design_effects, STANDARDISED: np.where(found.cubes[0].hidden, 0, 200)}
    false = [replace(found.cubes[0], design_effects=more), found.cubes[1]]
    assert not audit([cube, time], false, found.certificate, policy)[0].holds
