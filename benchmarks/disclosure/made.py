"""python -m benchmarks.disclosure.made SIZE FOLDER: cells and a specification that look like a register's,
drawn from a seed.

Municipalities within counties, age groups and diagnoses within chapters (and sex), skewed: few large regions
and common diagnoses, many small and rare ones, so that every third or fourth published cell is small. The
sizes name the published cells, margins included.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

SEED = 20_261


@dataclass(frozen=True)
class Shape:
    """How many codes each level has. `sexes`: 0 leaves them out. `mean`: of an inner cell's count."""

    counties: int
    municipalities: int
    ages: int
    chapters: int
    diagnoses: int
    sexes: int = 0
    mean: float = 6.0

    @property
    def published(self) -> int:
        """Cells, margins included."""
        regions, diagnoses = 1 + self.counties + self.municipalities, 1 + self.chapters + self.diagnoses
        return regions * (1 + self.ages) * diagnoses * (1 + self.sexes if self.sexes else 1)


SIZES = {
    "1e3": Shape(4, 20, 6, 3, 9, mean=10.0),
    "1e4": Shape(6, 30, 8, 6, 31),
    "1e5": Shape(21, 80, 8, 10, 98),
    "1e6": Shape(21, 290, 9, 21, 300),
    "4d": Shape(5, 22, 6, 5, 14, sexes=2),
}


def cells(shape: Shape, seed: int = SEED) -> tuple[list[str], list[tuple[object, ...]]]:
    """The columns and the rows: a code for each level, and a count; inner cells of nobody are rows, too."""
    random = np.random.default_rng(seed)
    region, age, diagnosis = (
        _weights(random, size, spread)
        for size, spread in ((shape.municipalities, 0.9), (shape.ages, 0.4), (shape.diagnoses, 1.1))
    )
    sexes = _weights(random, max(1, shape.sexes), 0.1)
    product = np.einsum("r,a,d,s->rads", region, age, diagnosis, sexes)
    own = random.gamma(2.0, 0.5, product.shape)
    counts = random.poisson(product * own * shape.mean / (product * own).mean())
    places = itertools.product(*(range(size) for size in product.shape))
    rows: list[tuple[object, ...]] = []
    for (r, a, d, s), count in zip(places, counts.ravel().tolist(), strict=True):
        county, chapter = r * shape.counties // shape.municipalities, d * shape.chapters // shape.diagnoses
        codes = (f"C{county:02}", f"R{r:03}", f"a{a:02}", f"K{chapter:02}", f"D{d:03}")
        rows.append((*codes, *((f"s{s}",) if shape.sexes else ()), count))
    return ["county", "region", "age", "chapter", "diag", *(["sex"] if shape.sexes else []), "freq"], rows


def _weights(random: np.random.Generator, size: int, spread: float) -> np.ndarray:
    weights = random.lognormal(0, spread, size)
    return weights / weights.mean()


def write(folder: Path, size: str, seed: int = SEED, **policy: object) -> Path:
    """`cells.csv` and `spec.yaml` in a folder; the path of the specification."""
    shape = SIZES[size]
    folder.mkdir(parents=True, exist_ok=True)
    columns, rows = cells(shape, seed)
    with (folder / "cells.csv").open("w", newline="") as out:
        csv.writer(out).writerows([columns, *rows])
    dimensions = {
        "region": {"levels": ["county", "region"]},
        "age": {"levels": ["age"]},
        "diag": {"levels": ["chapter", "diag"]},
    }
    if shape.sexes:
        dimensions["sex"] = {"levels": ["sex"]}
    content = {
        "table": "cells.csv",
        "count": "freq",
        "dimensions": dimensions,
        "policy": {"minimum": 5, "zeros": "open", **policy},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(content))
    return folder / "spec.yaml"


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disclosure.made", description=__doc__)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    print(write(given.folder, given.size, given.seed), f"{SIZES[given.size].published:,} published cells")


if __name__ == "__main__":
    main()
