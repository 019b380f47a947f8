"""Cubes on disk: what is written is read, and the largest contributions stay with the raw numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.cubes.cube import Cube, Dimension, ProtectedCube
from pipelines.cubes.files import read_cubes, read_protected, write_cube, write_protected
from pipelines.files.sealing import Zone, create_key


def test_the_largest_contributions_are_kept_with_raw_cubes_alone(tmp_path: Path) -> None:
    create_key(tmp_path / "zone.key")
    zone = Zone("project-x", tmp_path / "zone.key")
    sex = Dimension("sex", "Sex", ("", "1", "2"), ("Total", "Men", "Women"), (-1, 0, 0))
    measures = {"persons": np.array([9, 4, 5]), "values": np.array([9, 4, 5]), "sum": np.array([90, 50, 40])}
    largest = np.array([[30, 20], [30, 10], [20, 15]])
    for name, top in (("sums", largest), ("counts", None)):
        parts = (name, "Weights", "p", (sex,), measures, dict.fromkeys(measures, (True,)))
        write_cube(Cube(*parts, largest=top), tmp_path / "raw", zone)
        write_protected(
            ProtectedCube(*parts[:5], hidden=np.zeros(3, bool), additive=parts[5]),
            tmp_path / "protected",
            zone,
        )
    counts, sums = read_cubes(tmp_path / "raw", zone)
    assert counts.largest is None
    np.testing.assert_array_equal(sums.largest, largest)
    assert list(sums.measures) == ["persons", "values", "sum"]
    assert all(
        list(cube.measures) == ["persons", "values", "sum"]
        for cube in read_protected(tmp_path / "protected", zone)
    )
    assert all("largest" not in path.read_text() for path in (tmp_path / "protected").glob("*.json"))
