"""The table that papers begin with: shares and differences by hand, and what stands where a count is
hidden."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from pipelines.cubes.cube import PART_OF, TOTAL, Dimension, ProtectedCube
from pipelines.measures import baseline
from pipelines.measures.stage import derive_baselines

SEX = Dimension(
    name="sex",
    title="Sex",
    codes=("", "1", "2"),
    labels=(TOTAL, "Men", "Women"),
    parents=(-1, 0, 0),
    role="compared",
    values=(0, 1, 0),
    about="Men",
)


def row(labels: tuple[str, ...], role: str = "", values: tuple[int, ...] = ()) -> Dimension:
    names = (TOTAL, *labels)
    parents = (-1, *[0] * len(labels))
    return Dimension("known", "Known", ("", *labels), names, parents, role=role, values=values)


def part(of: Dimension, men: list[int], women: list[int], hidden: tuple[int, ...] = (), table: str = "a"):
    """A cube of men and women by the classes of `of`; `hidden`: cells."""
    lines = [np.array([sum(each), *each]) for each in (men, women)]
    persons = np.stack([lines[0] + lines[1], *lines]).ravel().astype(np.int64)
    gone = np.isin(np.arange(len(persons)), hidden)
    return ProtectedCube(
        table=table,
        title="Who they are: Known",
        population="p",
        dimensions=(SEX, of),
        measures={"persons": np.where(gone, 0, persons)},
        hidden=gone,
        additive={"persons": (True, True)},
        notes={PART_OF: "whole"},
    )


def test_shares_and_their_differences_are_what_one_works_out_by_hand() -> None:
    found = baseline.describe(part(row(("yes", "no")), [30, 70], [40, 160]))
    assert found.percent[1].tolist() == [100, 30, 70] and found.percent[2].tolist() == [100, 20, 80]
    apart = (0.2 - 0.3) / sqrt((0.2 * 0.8 + 0.3 * 0.7) / 2)
    assert found.smd[2, 1] == pytest.approx(apart) == pytest.approx(-found.smd[2, 2])
    reach = 1.959964 * sqrt(300 / (100 * 200) + apart**2 / 600)
    assert (found.low[2, 1], found.high[2, 1]) == pytest.approx((apart - reach, apart + reach), rel=1e-6)
    assert np.isnan(found.smd[:2]).all(), "the group itself, and all together, are compared with nobody"


def test_of_two_classes_the_distance_of_distributions_is_the_size_of_the_difference() -> None:
    one, other = np.array([0.3, 0.7]), np.array([0.2, 0.8])
    assert baseline.distance(one, other) == pytest.approx(0.1 / sqrt((0.21 + 0.16) / 2))


def test_the_distance_does_not_hang_on_which_class_is_left_out_or_on_empty_ones() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        one, other = random.dirichlet(np.ones(4), 2)
        turned = random.permutation(4)
        expected = baseline.distance(one, other)
        assert baseline.distance(one[turned], other[turned]) == pytest.approx(expected)
        assert baseline.distance(np.append(0, one), np.append(0, other)) == pytest.approx(expected)
        spread = sum(np.diag(each[1:]) - np.outer(each[1:], each[1:]) for each in (one, other)) / 2
        apart = one[1:] - other[1:]
        assert expected == pytest.approx(sqrt(apart @ np.linalg.solve(spread, apart)))


def test_values_have_mean_and_quartiles_in_the_row_of_all() -> None:
    classes = row(("0-10", "10-20", "none"), "classes", (0, 100_000, 200_000, 0))
    found = baseline.describe(part(classes, [50, 50, 7], [0, 80, 9]))
    mean = found.values["mean"][:, 0].tolist()
    assert mean[1:] == [10, 15] and found.values["median"][1, 0] == 10
    sds = found.values["sd"][1:, 0]
    assert found.smd[2, 0] == pytest.approx(5 / sqrt((sds**2).mean()))


def test_what_hangs_on_a_hidden_count_is_left_out_with_a_reason() -> None:
    classes = row(("0-10", "10-20", "none"), "classes", (0, 100_000, 200_000, 0))
    found = baseline.describe(part(classes, [50, 50, 7], [4, 80, 9], hidden=(5, 9)))
    assert np.isnan(found.values["mean"][2, 0]) and "no mean" in found.why[2, 0]
    assert np.isnan(found.smd[2, 1]) and found.why[2, 1] == "hidden"
    assert not np.isnan(found.smd[2, 2])
    columns = found.columns()
    figures = [name for name in columns if name != "why_empty"]
    assert all(columns["why_empty"][k] for k in range(12) if not all(columns[name][k] for name in figures))


def test_the_first_part_has_the_picture_of_all_and_its_numbers() -> None:
    parts = [
        part(row(("yes", "no")), [30, 70], [40, 160], table="whole-b"),
        part(row(("x", "y", "z")), [10, 20, 70], [40, 60, 100], table="whole-a"),
    ]
    figures = list(derive_baselines(parts))
    assert len(figures[0].plot.data["characteristic"]) == 5
    assert len(figures[1].plot.data["characteristic"]) == 3
    assert figures[0].plot.data["Women: smd"][:2] == ("-0.232", "0.232")
    assert "5 classes" in figures[0].plot.alt
