"""Limits of figures whose numbers cell keys changed hold the true rate as often as they say; those that take
the numbers for true do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kernels.cell_key import MODULUS, look_up
from pipelines.cubes.cube import Dimension, ProtectedCube
from pipelines.cubes.perturbation import CellKeys
from pipelines.disclosure.cell_key.permits import public, scaled, table_of
from pipelines.measures.rates import figures
from pipelines.measures.widening import drawn, widened
from tests.amount import LONG

METHOD = CellKeys()
TABLE = table_of(METHOD, 5)
BY = public(METHOD, TABLE)
CELLS = 120
EXPECTED = np.repeat([3.0, 8.0, 20.0, 100.0], CELLS // 4)  # events
AT_RISK = 30 * EXPECTED.astype(np.int64)


def changed(count: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return look_up(count, draw.integers(0, MODULUS, len(count)), *TABLE.arrays())


def cube(name: str, measures: dict[str, np.ndarray]) -> ProtectedCube:
    codes = ("", *map(str, range(len(measures["persons"]) - 1)))
    parents = (-1, *[0] * (len(codes) - 1))
    axis = Dimension("place", "Place", codes, ("Total", *codes[1:]), parents)
    flags = dict.fromkeys(measures, (False,))
    pairs = tuple((each, "persons") for each in measures if each != "persons")
    hidden = np.zeros(len(codes), bool)
    return ProtectedCube(name, name, "p", (axis,), measures, hidden, flags, pairs, perturbed=BY)


def limits(draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Of one draw of people and of changes: does each limit hold the true rate, as widened and as they were?
    bool (cells, 2) twice, of rates and of shares."""
    events = draw.binomial(AT_RISK, 1 / 30)
    persons, risk = changed(events, draw), changed(AT_RISK, draw)
    days = scaled(AT_RISK * 365, risk, AT_RISK)
    total = np.array([0])
    counted = np.append(total, persons)
    one = cube("t", {"persons": counted, "events": counted})
    time = cube("t-time", {"persons": np.append(total, risk), "person_days": np.append(total, days)})
    plain = figures(one, time)
    wide = widened(plain, [figures(*both) for both in drawn([one, time])], BY)
    true = {"rate": 100_000 * EXPECTED / (AT_RISK * 365 / 365.25), "percent": 100 * EXPECTED / AT_RISK}
    held = []
    for name, value in true.items():
        ends = [
            [
                np.array([float(text or "nan") for text in columns[f"{name}_{end}"][1:]])
                for end in ("low", "high")
            ]
            for columns in (wide, plain)
        ]
        held.append(np.stack([(low <= value) & (value <= high) for low, high in ends], axis=1))
    return held[0], held[1]


def test_limits_hold_the_true_rate_and_share_as_often_as_they_say() -> None:
    draw = np.random.default_rng(11)
    found = [limits(draw) for _ in range(500 if LONG else 40)]
    for rates, name in zip(zip(*found, strict=True), ("rates", "shares"), strict=True):
        held = np.mean(rates, axis=0)
        for expected in np.unique(EXPECTED):
            wide, plain = held[expected == EXPECTED].mean(axis=0)
            assert wide > 0.935, f"{name} of {expected:g} events: {wide:.3f}"
            assert plain < wide or expected == 100
            if (name, expected) == ("shares", 8):
                assert plain < 0.93, f"without, they are too narrow: {plain:.3f}"


@pytest.mark.parametrize("name", ["rate_low", "percent_high", "why_empty"])
def test_limits_are_the_same_in_every_run_and_other_columns_stay(name: str) -> None:
    one, other = (limits_of(np.random.default_rng(3)) for _ in range(2))
    assert one[0] == other[0]
    assert one[0]["rate"] == one[1]["rate"] and (name == "why_empty") == (one[0][name] == one[1][name])


def limits_of(draw: np.random.Generator) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    persons = changed(draw.poisson(EXPECTED), draw)
    one = cube("t", {"persons": persons, "events": persons})
    time = cube("t-time", {"persons": AT_RISK, "person_days": AT_RISK * 365})
    plain = figures(one, time)
    return widened(plain, [figures(*both) for both in drawn([one, time])], BY), plain


def test_what_nobody_changed_is_not_drawn_anew() -> None:
    one = replace(cube("t", {"persons": AT_RISK}), perturbed=None)
    assert all((each.measures["persons"] == AT_RISK).all() for (each,) in drawn([one]))
