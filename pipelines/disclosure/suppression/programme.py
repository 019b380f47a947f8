"""A linear programme over changes that is solved again and again (HiGHS), and in whole numbers where that is
needed."""

from __future__ import annotations

from typing import Any, Final

import highspy
import numpy as np
import scipy.sparse as sparse

from pipelines.disclosure.solver import Option, Solver

INFINITE = highspy.kHighsInf
_FAR = 1e9
_STEPS = 3000
_OPTIONS: Final[dict[str, Option]] = {
    "random_seed": 1,
    "solver": "simplex",
    "simplex_strategy": 1,
    "mip_max_nodes": 100,
    "mip_rel_gap": 0.1,
}


class Programme:
    """Changes y of n variables with `lowest` <= `matrix` y <= `highest`. Columns: what each variable gains,
    then what each loses.

    `once`: for one large question; otherwise for many small ones, of which the few that take long are given
    up.
    """

    def __init__(
        self, matrix: sparse.csr_matrix, lowest: np.ndarray, highest: np.ndarray, once: bool = False
    ) -> None:
        """`lowest`, `highest`: int64 (relations,), the bounds of each row of `matrix`."""
        self.size = matrix.shape[1]
        self.work = 0  # what has been done so far, in steps of the simplex times relations
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
        self._highs: Any = Solver(**_OPTIONS)
        self._highs.setOptionValue("presolve", "choose" if once else "off")
        if not once:
            self._highs.setOptionValue("simplex_iteration_limit", max(_STEPS, self.size // 4))
        self._highs.passModel(model)

    def limit(self, lower: np.ndarray, upper: np.ndarray) -> None:
        """Bounds of each change, `lower` and `upper`: int64 (n,). A bound that excludes 0 holds for the gain
        (above) or the loss (below)."""
        low = np.concatenate([np.maximum(lower, 0), np.maximum(-upper, 0)]).astype(float)
        high = np.concatenate([np.maximum(upper, 0), np.maximum(-lower, 0)]).astype(float)
        self._highs.changeColsBounds(len(self._places), self._places, low, high)

    def solve(self, price: np.ndarray, reward: np.ndarray) -> np.ndarray | None:
        """The change that costs least, float64 (n,); None if the solver gives up.

        `price`: float64 (n,), for each unit either way; `reward`: float64 (n,), for each unit, signed.
        """
        self._highs.changeColsCost(
            len(self._places), self._places, np.concatenate([price - reward, price + reward])
        )
        self._highs.clearSolver()  # the last solution is a bad start for another question
        self._run()
        return self._solution() if self._highs.getModelStatus() == highspy.HighsModelStatus.kOptimal else None

    def solve_whole(self, price: np.ndarray) -> np.ndarray | None:
        """The change in whole numbers that costs least, or a good one, float64 (n,); None if none is found
        soon.

        `price`: float64 (n,), for each unit either way.
        """
        count, places = len(self._places), self._places
        kinds = highspy.HighsVarType.kInteger, highspy.HighsVarType.kContinuous
        whole, any_number = (np.full(count, int(kind), np.uint8) for kind in kinds)
        self._highs.changeColsCost(count, places, np.concatenate([price, price]))
        self._highs.changeColsIntegrality(count, places, whole)
        self._highs.setOptionValue("presolve", "choose")
        self._highs.clearSolver()
        self._run()
        found = self._highs.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        change = self._solution() if found else None
        self._highs.setOptionValue("presolve", "off")
        self._highs.changeColsIntegrality(count, places, any_number)
        return change

    def _run(self) -> None:
        self._highs.run()
        self.work += max(0, self._highs.getInfo().simplex_iteration_count) * self._highs.getNumRow()

    def _solution(self) -> np.ndarray:
        solution = np.asarray(self._highs.getSolution().col_value)
        return solution[: self.size] - solution[self.size :]
