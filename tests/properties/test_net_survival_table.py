"""Net survival as a table: the reference of R by way of the cells, each person's chance of dying recounted
day by day, and what is told of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.aggregation import expected
from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.aggregation.stage import merged
from pipelines.cubes.cube import Cube, ProtectedCube
from pipelines.cubes.design_effects import told
from pipelines.cubes.expected_deaths import EXPECTED, carried, rounded
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.protect import protect
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import DAY_UNKNOWN
from pipelines.measures.stage import derive
from pipelines.release.stage import audit
from pipelines.site.permit import Table
from pipelines.study.lifetable import Lifetable, Net, read
from tests.amount import share_of
from tests.people import MadeShard
from tests.pipelines.test_derived import column
from tests.properties.test_epidemiology_reference import REFERENCE, rows
from tests.properties.test_time_twin import split
from tests.time_tables import SOURCES, STUDY, edges

ANY = "0" * 64


def asked(step: int, until: int, **more: Any) -> Table:
    net = {"lifetable": "l.csv", "sha256": ANY, "title": "The population"}
    return Table(
        table="t", title="t", count="survival", or_death=True, step=step, until=until, net=net, **more
    )


def gompertz(top: int = 90) -> dict[tuple[int, int, int], float]:
    """Chances of dying within a year, of 2018 to 2020: they double in eight years, and men's are higher."""
    places = product((0, 1), range(top + 1), (2018, 2019, 2020))
    return {p: min(0.9, 2e-4 * (1.7 - 0.7 * p[0]) * 2 ** (p[1] / 8) * 0.97 ** (p[2] - 2018)) for p in places}


def written(folder: Path, chances: dict[tuple[int, int, int], float]) -> Lifetable:
    lines = [f"{('Men', 'Women')[sex]},{age},{year},{p!r}" for (sex, age, year), p in chances.items()]
    path = folder / "l.csv"
    path.write_text("\n".join(["sex,age,year,probability", *lines]) + "\n", encoding="utf-8")
    return read(
        Net(lifetable="l.csv", sha256=hashlib.sha256(path.read_bytes()).hexdigest(), title="t"), folder
    )


def whole(cube: Cube, layout: Layout, total: dict[str, np.ndarray]) -> ProtectedCube:
    """The cube with nothing hidden."""
    none = np.zeros(cube.cells, bool)
    held = told(replace(cube, design_effects=expected.told(layout, total)), none, none)
    fields = (cube.table, cube.title, cube.population, cube.dimensions, cube.measures)
    return ProtectedCube(*fields, none, cube.additive, notes={"population": "x"}, design_effects=held)


def cube_of(layout: Layout, total: dict[str, np.ndarray]) -> Cube:
    persons = {"persons": total["persons"]}
    additive = {"persons": (True,) * len(layout.dimensions)}
    return Cube("t", "t", "p", layout.dimensions, persons, additive, notes={"population": "x"})


# ---- the reference -----------------------------------------------------------------------------------------


def reference_table() -> Lifetable:
    given = rows("netsurv_ratetable.input")
    ages, years = ({int(each[name]) for each in given} for name in ("age", "year"))
    low, first = min(ages), min(years)
    hazard = np.zeros((2, max(ages) - low + 1, max(years) - first + 1), np.int64)
    for each in given:
        sex, place = (
            ["male", "female"].index(each["sex"]),
            (int(each["age"]) - low, int(each["year"]) - first),
        )
        hazard[sex, place[0], place[1] :] = round(float(each["daily_hazard"]) * 1e12)
    return Lifetable(hazard, low, first)


def registered() -> tuple[MadeShard, Frame]:
    """The reference's people: R counts time from 1, so that who dies at time 1 dies on the first day."""
    people = rows("netsurv.input")
    entry = np.array([np.datetime64(each["diag"], "D").astype(np.int64) for each in people])
    time, died, age = (
        np.array([int(each[name]) for each in people]) for name in ("time", "cens", "age_days")
    )
    last = (entry + time - 1).astype(np.int32)
    person = np.arange(len(people), dtype=np.int64)
    none = np.empty(0, np.int32)
    frames: dict[str, Frame] = {
        "persons": {
            "person": person,
            "sex": np.array([int(each["sex"]) for each in people], np.int8),
            "birth_day": (entry - age).astype(np.int32),
            "death_day": np.where(died == 1, last, DAY_UNKNOWN).astype(np.int32),
        },
        "residences": {"person": none, "start": none, "end": none, "municipality": Category((), none)},
        "events": dict.fromkeys(("person", "start", "source"), none) | {"source": Category((), none)},
    }
    for name in ("end", "concept", "kind", "position", "setting", "encounter", "care_unit", "value", "unit"):
        frames["events"][name] = none
    return MadeShard(frames), {"person": person, "start": entry.astype(np.int32), "end": last}


@pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference data of ../shared/reference/epidemiology are not here"
)
@pytest.mark.parametrize(("step", "within"), [(5, 0.002), (73, 0.004)])
def test_relative_survival_is_that_of_relsurv_by_bands_of_days(step: int, within: float) -> None:
    """Ederer II of R's relsurv on 600 persons. By bands of 73 days their time at risk is known less well, and
    chances are rounded by at most 1.5 % as they leave."""
    layout = Layout.of(asked(step, 1825), STUDY)
    shard, members = registered()
    total = Counter(shard, members, SOURCES, {ANY: reference_table()}).count(layout)
    cube = whole(cube_of(layout, total), layout, total)
    figures = derive(cube)
    days = [int(code.split("-")[1]) + 1 for code in cube.dimensions[0].codes[1:-1]]
    reference = [each for each in rows("netsurv.expected") if each["method"] == "ederer2"]
    looked_at = [
        each for each in reference if round(float(each["time_days"])) in (365, 730, 1095, 1096, 1826)
    ]
    assert len(looked_at) == 4
    for each in looked_at:
        place = 1 + days.index(int(float(each["time_days"])) // 365 * 365)
        net, low, high = (
            float(column(figures, cube, name)[place, 0]) for name in ("net", "net_low", "net_high")
        )
        assert net == pytest.approx(float(each["net_or_relative_survival"]), abs=within)
        # on the scale of log(-log), not of the logarithm
        assert (low, high) == pytest.approx((float(each["lower"]), float(each["upper"])), abs=0.006)


# ---- counted again -----------------------------------------------------------------------------------------


def completed(birth: date, day: date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def chance(chances: dict[tuple[int, int, int], float], sex: int, birth: int, first: int, days: int) -> float:
    """Of dying in those days, one day at a time; a life table goes on as it ends."""
    alive, born = 1.0, date(1970, 1, 1) + timedelta(days=birth)
    for day in (date(1970, 1, 1) + timedelta(days=first + k) for k in range(days)):
        age, year = min(max(completed(born, day), 0), 90), min(max(day.year, 2018), 2020)
        alive *= (1 - chances[sex - 1, age, year]) ** (1 / 365.25)
    return 1 - alive


@settings(max_examples=share_of(4), deadline=None)
@given(seed=st.integers(0, 2**20))
def test_each_is_as_likely_to_die_as_the_days_of_the_band_say(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    shard, members = edges(seed)
    layout = Layout.of(asked(45, 180, dimensions=("sex",)), STUDY)
    by = written(tmp_path_factory.mktemp("table"), gompertz())
    total = Counter(shard, members, SOURCES, {ANY: by}).count(layout)
    shape = [len(each) for each in layout.dimensions]
    of, sums = np.zeros(shape, np.int64), np.zeros((2, *shape))
    people = shard.frames["persons"]
    ids = np.asarray(people["person"]).tolist()
    for who, start, end in zip(
        *(np.asarray(members[k]).tolist() for k in ("person", "start", "end")), strict=True
    ):
        sex, birth, death = (int(people[k][ids.index(who)]) for k in ("sex", "birth_day", "death_day"))
        if not sex or birth == DAY_UNKNOWN:
            continue
        last = death if start <= death <= end else max(start, end)
        for band in range(min(4, (last - start) // 45 + 1)):
            p = chance(gompertz(), sex, birth, start + 45 * band, 45)
            for cell in product((0, band + 1), [0], (0, {1: 1, 2: 2}[sex])):
                of[cell] += 1
                sums[(slice(None), *cell)] += 1e9 * p, 1e14 * p * p
    np.testing.assert_array_equal(total["expected_of"].reshape(shape), of)
    for name, found in zip(("expected", "expected_squares"), sums, strict=True):
        np.testing.assert_allclose(total[name].reshape(shape), found, rtol=1e-5, atol=len(ids))
    parts = [Counter(part, some, SOURCES, {ANY: by}).count(layout) for part, some in split(shard, members, 3)]
    again = merged(layout, parts)
    assert all(np.array_equal(again[name], total[name]) for name in total)


# ---- what is told ------------------------------------------------------------------------------------------


@given(mean=st.floats(1, 1e9))
def test_a_mean_is_told_to_one_and_a_half_per_cent(mean: float) -> None:
    step = int(rounded(np.array([mean]))[0])
    assert abs(step - mean) <= max(0.0146 * mean, 0.5 if mean < 40 else 0)
    assert len(str(step).rstrip("0")) <= 9 and step > 0


def test_a_mean_of_few_persons_or_of_one_who_outweighs_the_others_is_not_told() -> None:
    def of(*chances: float) -> int:
        p = np.array(chances)
        return int(carried(np.array([len(p)]), np.array([1e9 * p.sum()]), np.array([1e18 * (p**2).sum()]))[0])

    assert of(*[0.01] * 30) and not of(*[0.01] * 29)
    assert not of(0.3, *[0.001] * 60)


@settings(max_examples=share_of(30), deadline=None)
@given(seed=st.integers(0, 2**20))
def test_nothing_is_told_from_the_first_band_on_whose_number_at_risk_could_not_be_added_up(seed: int) -> None:
    layout, random = Layout.of(asked(30, 150, dimensions=("sex",)), STUDY), np.random.default_rng(seed)
    shape = [len(each) for each in layout.dimensions]
    held = {EXPECTED: np.full(layout.cells, 900)}
    cube = replace(cube_of(layout, {"persons": np.full(layout.cells, 50, np.int64)}), design_effects=held)
    hidden = random.random(shape) < random.choice([0, 0.03, 0.2])
    found = told(cube, hidden.ravel(), np.zeros(layout.cells, bool))[EXPECTED].reshape(shape)
    for band, outcome, sex in product(*map(range, shape)):
        known = not hidden[0, 0, sex] and not hidden[1 : band + 1, 0, sex].any()
        assert (found[band, outcome, sex] > 0) == (outcome == 0 and 1 <= band <= 5 and known)


def counted(tmp_path: Path) -> tuple[Cube, Layout]:
    shard, members = edges(5, persons=1500)
    layout = Layout.of(asked(90, 360, dimensions=("sex",)), STUDY)
    total = Counter(shard, members, SOURCES, {ANY: written(tmp_path, gompertz())}).count(layout)
    return replace(cube_of(layout, total), design_effects=expected.told(layout, total)), layout


def test_the_gate_counts_again_what_is_told_and_refuses_what_differs(tmp_path: Path) -> None:
    cube, _ = counted(tmp_path)
    found = protect([cube], policy := Policy())
    assert found.cubes[0].design_effects[EXPECTED].any()
    assert all(claim.holds for claim in audit([cube], found.cubes, found.certificate, policy))
    more = {EXPECTED: np.where(found.cubes[0].hidden, 0, 900)}
    false = [replace(found.cubes[0], design_effects=more)]
    assert not audit([cube], false, found.certificate, policy)[0].holds


def test_net_survival_ends_with_a_reason_where_who_is_at_risk_is_hidden(tmp_path: Path) -> None:
    cube, _ = counted(tmp_path)
    hidden = np.zeros(cube.cells, bool)
    hidden.reshape([len(each) for each in cube.dimensions])[2, 0, 1] = True
    shown = {"persons": np.where(hidden, 0, cube.measures["persons"])}
    held = told(cube, hidden, np.zeros(cube.cells, bool))
    fields = (cube.table, cube.title, cube.population, cube.dimensions, shown, hidden, cube.additive)
    figures = derive(protected := ProtectedCube(*fields, notes=cube.notes, design_effects=held))
    net, why = (column(figures, protected, name) for name in ("net", "why_empty"))
    assert net[1, 0, 1] and not net[3, 0, 1] and net[3, 0, 0]
    assert "from day 90 on" in why[2, 0, 1] or why[2, 0, 1] == "hidden"
    share, population = (column(figures, protected, name)[1, 0, 1] for name in ("share", "population_share"))
    assert float(net[1, 0, 1]) == pytest.approx(float(share) / float(population), abs=2e-4)
    assert not net[1, 1, 1] and "net survival stands in the rows of a band and all outcomes" in why[1, 1, 1]
    assert "Net survival" in figures.plot.svg and any(
        "second method of Ederer" in each for each in figures.notes
    )
