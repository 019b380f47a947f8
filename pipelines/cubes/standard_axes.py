"""What a table is standardised over: its ages, or its ages within each sex."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.cubes.cube import Dimension

STANDARDS: Final = ("standard", "reference", "rates")  # roles of the dimension of ages
WITHIN: Final = "within"  # role of the dimension that ages are looked at within


@dataclass(frozen=True)
class StandardAxes:
    """The dimensions that a table is standardised over, looked at as lines of ages: one line for each sex, or
    one line alone where ages are all.

    `axes`: which dimensions, that of the ages last. `role`: one of `STANDARDS`; `about`: the standard, in
    words. `values`: int64 (lines, ages), as the role says, every place of both. `sizes`: of all dimensions.
    """

    axes: tuple[int, ...]
    role: str
    about: str
    values: np.ndarray
    sizes: tuple[int, ...]

    @staticmethod
    def of(dimensions: tuple[Dimension, ...]) -> StandardAxes | None:
        """None where a table is not standardised."""
        ages = next((axis for axis, each in enumerate(dimensions) if each.role in STANDARDS), None)
        if ages is None:
            return None
        dimension, sizes = dimensions[ages], tuple(len(each) for each in dimensions)
        within = tuple(axis for axis, each in enumerate(dimensions) if each.role == WITHIN)
        values = np.array(dimension.values, np.int64).reshape(-1, sizes[ages])
        return StandardAxes((*within, ages), dimension.role, dimension.about, values, sizes)

    @property
    def counts(self) -> np.ndarray:
        """Which places the standard has: bool (lines, ages)."""
        return np.asarray(self.values >= 0 if self.role == "rates" else self.values > 0)

    @property
    def size(self) -> int:
        """Places of the lines together."""
        return int(self.values.size)

    @property
    def others(self) -> tuple[int, ...]:
        """Sizes of the dimensions that are not standardised over."""
        return tuple(size for axis, size in enumerate(self.sizes) if axis not in self.axes)

    def lines(self, cells: np.ndarray) -> np.ndarray:
        """The cells of each group as lines of ages: (groups, lines, ages), the first place of each the total.

        `cells`: (cells,), in the order of the cube; bool, float64 or other, as what is given back.
        """
        last = range(len(self.sizes) - len(self.axes), len(self.sizes))
        moved = np.moveaxis(cells.reshape(self.sizes), self.axes, last)
        return moved.reshape(-1, *self.values.shape)

    def cells(self, lines: np.ndarray) -> np.ndarray:
        """Lines of each group as cells again: (cells,), of the same type. `lines`: (groups, lines, ages),
        bool, float64 or other."""
        ends = tuple(self.sizes[axis] for axis in self.axes)
        last = range(len(self.sizes) - len(self.axes), len(self.sizes))
        return np.moveaxis(lines.reshape(*self.others, *ends), last, self.axes).ravel()

    def partners(self) -> tuple[np.ndarray, np.ndarray]:
        """For each cell the one that is the total of what is standardised over, int64 (cells,), and how far
        from there each place of the lines is, int64 (size,), lines one after the other."""
        number = np.arange(int(np.prod(self.sizes)), dtype=np.int64)
        grouped = self.lines(number)
        of_group = np.broadcast_to(grouped[:, :1, :1], grouped.shape)
        return self.cells(of_group), (grouped[0] - grouped[0, 0, 0]).ravel()
