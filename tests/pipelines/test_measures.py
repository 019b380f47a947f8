"""Figures and plots of protected cubes."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pipelines.cubes.cube import Cube, ProtectedCube
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.protect import protect
from pipelines.measures.rates import garwood, rates
from pipelines.measures.stage import derive
from tests.made_cubes import flat, random_cubes


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904), (100, 81.364, 121.6274)],
)
def test_exact_limits_of_a_poisson_count(events: int, low: float, high: float) -> None:
    """Garwood (1936), as in every table of exact limits."""
    found = garwood(np.array([events]))
    assert found[0][0] == pytest.approx(low, abs=1e-3)
    assert found[1][0] == pytest.approx(high, abs=1e-3)


def test_rates_are_per_100_000_person_years_and_undefined_without_any() -> None:
    rate, low, high = rates(np.array([10, 0]), np.array([365_250, 0]))
    assert rate[0] == pytest.approx(1000)
    assert low[0] < rate[0] < high[0]
    assert np.isnan(rate[1])


def published(seed: int = 5) -> list[ProtectedCube]:
    return list(protect(random_cubes(seed), Policy()).cubes)


def at_risk(cube: ProtectedCube) -> ProtectedCube:
    """Time at risk of the same cells; the last cell is hidden."""
    hidden = np.arange(cube.cells) == cube.cells - 1
    measures = {"persons": np.where(hidden, 0, 50), "person_days": np.where(hidden, 0, 10_000)}
    return dataclasses.replace(
        cube, table=f"{cube.table}-time", measures=measures, hidden=hidden, at_least=()
    )


def test_a_figure_that_touches_a_hidden_cell_is_hidden_and_says_so() -> None:
    for cube in published():
        time = at_risk(cube)
        columns = derive(cube, time).columns
        gone = cube.hidden | time.hidden
        for name, texts in columns.items():
            touched = [text for text, hidden in zip(texts, gone, strict=True) if hidden]
            if name == "why_empty":
                assert all("hidden" in text for text in touched)
            elif name != "percent_of_total":
                assert set(touched) <= {""}
        assert all(
            text == ""
            for text, hidden in zip(columns["percent_of_total"], cube.hidden, strict=True)
            if hidden
        )
        assert gone.any() and any(columns["rate"])


def test_hidden_numbers_change_no_figure_and_no_plot() -> None:
    """Whatever stood in the hidden cells, the figures are the same: they are functions of what is shown."""
    one = published()[0]
    assert derive(one) == derive(
        dataclasses.replace(one, measures={name: values.copy() for name, values in one.measures.items()})
    )
    with pytest.raises(Exception, match="still holds a value"):
        dataclasses.replace(one, measures={name: values + 1 for name, values in one.measures.items()})


def test_only_a_protected_cube_can_be_measured() -> None:
    raw = random_cubes(5)[0]
    with pytest.raises(AttributeError):
        derive(raw)  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [("sex", "age_group"), ("sex", "year"), ("municipality", "sex"), ("kind",)])
def test_each_plot_is_a_described_picture_with_its_numbers_and_no_date(names: tuple[str, ...]) -> None:
    dimensions = tuple(flat(name, *(f"{name} {place}" for place in range(3))) for name in names)
    cells = 4 ** len(names)
    hidden = np.arange(cells) == 1
    cube = ProtectedCube(
        "t",
        "A <title>",
        "p",
        dimensions,
        {"persons": np.where(hidden, 0, 10)},
        hidden,
        {"persons": (True,) * len(names)},
    )
    plot = derive(cube).plot
    picture = ET.fromstring(plot.svg)
    assert picture.get("role") == "img"
    assert "A <title>" in "".join(picture.itertext())
    assert "<dc:date>" not in plot.svg
    assert plot == derive(cube).plot
    assert len({len(column) for column in plot.data.values()}) == 1


def test_a_raw_cube_is_no_protected_cube() -> None:
    assert not issubclass(Cube, ProtectedCube) and not issubclass(ProtectedCube, Cube)


def test_persons_with_an_event_are_a_share_of_those_at_risk_with_wilsons_limits() -> None:
    """Wilson (1927), as every text has it: 15 of 50 are 30 per cent, from 19.1 to 43.8."""
    sex = flat("sex", "1", "2")
    measures = {"persons": np.array([15, 15, 0]), "events": np.array([20, 20, 0])}
    of = {"persons": np.array([50, 50, 0]), "person_days": np.array([900, 900, 0])}
    additive, hidden = dict.fromkeys((*measures, *of), (True,)), np.zeros(3, bool)
    cube, time = (ProtectedCube("t", "t", "p", (sex,), each, hidden, additive) for each in (measures, of))
    columns = derive(cube, time).columns
    assert [columns[name][1] for name in ("percent_of_at_risk", "percent_low", "percent_high")] == [
        "30.00",
        "19.10",
        "43.75",
    ]
    assert columns["percent_low"][2] == columns["percent_high"][2] == ""
