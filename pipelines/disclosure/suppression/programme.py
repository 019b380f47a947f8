"""A linear programme over changes that is solved again and again (HiGHS), each time from the last solution."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np
import scipy.sparse as sparse

INFINITE = highspy.kHighsInf
_FAR = 1e9


class Programme:
    """Changes y of n variables with `lowest` <= `matrix` y <= `highest`. Columns: what each variable gains, then what each loses."""

    def __init__(self, matrix: sparse.csr_matrix, lowest: np.ndarray, highest: np.ndarray) -> None:
        self.size = matrix.shape[1]
        self._places = np.arange(2 * self.size, dtype=np.int32)
        doubled = sparse.hstack([matrix, -matrix]).tocsr()
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = doubled.shape[1], doubled.shape[0]
        model.col_cost_, model.col_lower_, model.col_upper_ = (np.zeros(2 * self.size) for _ in range(3))
        model.row_lower_ = np.maximum(lowest, -_FAR).astype(float)
        model.row_upper_ = np.minimum(highest, _FAR).astype(float)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = doubled.indptr, doubled.indices
        model.a_matrix_.value_ = doubled.data.astype(float)
        self._highs: Any = highspy._core._Highs()  # the public class prints a banner when it is made
        for option, value in (("output_flag", False), ("threads", 1), ("solver", "simplex"), ("simplex_strategy", 1), ("random_seed", 1)):
            self._highs.setOptionValue(option, value)
        self._highs.passModel(model)

    def limit(self, lower: np.ndarray, upper: np.ndarray) -> None:
        """Bounds of each change. A bound that excludes 0 holds for the gain (above) or the loss (below)."""
        low = np.concatenate([np.maximum(lower, 0), np.maximum(-upper, 0)]).astype(float)
        high = np.concatenate([np.maximum(upper, 0), np.maximum(-lower, 0)]).astype(float)
        self._highs.changeColsBounds(len(self._places), self._places, low, high)

    def solve(self, price: np.ndarray, reward: np.ndarray) -> np.ndarray | None:
        """The change that costs least, None if the solver gives up. `price`: for each unit either way; `reward`: for each unit, signed."""
        self._highs.changeColsCost(len(self._places), self._places, np.concatenate([price - reward, price + reward]))
        self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._highs.clearSolver()  # the last solution was a bad start
            self._highs.run()
        if self._highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        solution = np.asarray(self._highs.getSolution().col_value)
        return solution[: self.size] - solution[self.size :]
