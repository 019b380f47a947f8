"""Checking a folder of sums that `uttag protect` wrote: the published tables alone, and, where it lies beside
them, the certificate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sparse

from pipelines.verifier import certificate as certificates
from pipelines.verifier.attack import fixed_by_sums, pinned
from pipelines.verifier.certificate import Certificate
from pipelines.verifier.published import published, same, whole
from pipelines.verifier.tables import PublishedTable, number_cells

Check = tuple[str, Callable[[], bool]]


def checks_of_sums(folder: Path, proof: dict[str, Any]) -> list[Check]:
    """What should hold of the folder. Raises in one way or another where its files cannot be read."""
    decimals, policy = int(proof["decimals"]), proof["policy"]
    tables = [published(folder, about, decimals) for about in proof["tables"]]
    checks: list[Check] = [
        ("every file is, byte for byte, the one that the proof names", lambda: whole(folder, proof)),
        ("Parquet and CSV hold the same", lambda: all(same(folder, table, decimals) for table in tables)),
        ("no hidden sum is settled by those that are shown", lambda: fixed_by_sums(tables) == 0),
    ]
    if policy["attacker"] != "sums":
        checks.append(
            (
                "no hidden sum can be worked out by whoever knows that none is negative",
                lambda: pinned(tables, False) == 0,
            )
        )
    if (folder / "certificate").is_dir():
        held = certificates.read(folder / "certificate", tables, policy)
        checks += _Audit(folder / "certificate", tables, policy, held).checks()
    return checks


class _Audit:
    """The certificate against the tables. Cells that several tables share are one: `need`, `sole`: (cells of
    all,)."""

    def __init__(
        self, folder: Path, tables: Sequence[PublishedTable], policy: dict[str, Any], held: Certificate
    ) -> None:
        self.tables, self.policy, self.held = tables, policy, held
        given = pq.read_table(folder / "contributions.parquet")
        row, who, amount = (given[name].to_numpy().astype(np.int64) for name in ("inner", "who", "amount"))
        _, who = np.unique(who, return_inverse=True)
        self.given = sparse.csr_matrix(
            (amount, (row, who)), (len(held.count), int(who.max(initial=-1)) + 1), dtype=np.int64
        )
        self.numbers, self.size = number_cells(tables)
        self.need, self.less = np.zeros(self.size, np.int64), np.zeros(self.size, np.int64)
        self.first, self.sole = np.full(self.size, -1, np.int64), np.full(self.size, -1, np.int64)
        for number, own in enumerate(self.numbers):
            need, less, self.first[own], self.sole[own] = self._needs(number)
            np.maximum.at(self.need, own, need)
            np.maximum.at(self.less, own, less)

    def checks(self) -> list[Check]:
        """What the certificate shows."""
        checks: list[Check] = [
            (
                "the contributions add up to the certificate's true sums, and these to what is shown",
                self._agrees,
            ),
            ("every sum that gives a contribution away is hidden", self._hides),
            ("no move changes a sum that is shown", self._changes_hidden_alone),
            ("every sensitive sum can lie as far above and below as it has to", lambda: self._kept_out(-1)),
        ]
        if self.policy["attacker"] != "sums":
            checks.append(("no move makes a sum negative", self._possible))
        if self.policy["singletons"]:
            alone = "nor can whoever is alone in a sum come nearer to another"
            checks.append(
                (alone, lambda: all(map(self._kept_out, np.unique(self.sole[self.sole >= 0]).tolist())))
            )
        return checks

    def _needs(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """How far each sum of a table must be able to lie above and below, how far for its largest
        contributor, who that is, and who is alone in it: int64 (cells,) each."""
        each_gives = (self.held.above[number] @ self.given).tocsr()
        each_gives.eliminate_zeros()
        found = np.zeros((4, each_gives.shape[0]), np.int64)
        found[2:] = -1
        dominance, percent = self.policy["dominance"], self.policy["p_percent"]
        for cell in range(each_gives.shape[0]):
            begin, end = each_gives.indptr[cell], each_gives.indptr[cell + 1]
            order = sorted(
                range(begin, end),
                key=lambda place: (-int(each_gives.data[place]), int(each_gives.indices[place])),
            )
            gives = [int(each_gives.data[place]) for place in order]
            if not gives:
                continue
            total, asked, less = sum(gives), [0], 0
            if percent:
                asked.append(ceil(gives[0] * (percent / 100) - (total - sum(gives[:2]))))
                less = (
                    max(0, ceil(gives[1] * (percent / 100) - (total - sum(gives[:2]))))
                    if len(gives) > 1
                    else 0
                )
            if dominance and sum(gives[: dominance["n"]]) > dominance["k"] * total:
                asked.append(ceil(sum(gives[: dominance["n"]]) / dominance["k"] - total))
            if len(gives) < int(self.policy["minimum"]):
                asked.append(1)
            need = min(total, max(asked))
            first = int(each_gives.indices[order[0]])
            found[:, cell] = (
                need,
                min(less, need, total - gives[0]) if need else 0,
                first,
                first if len(gives) == 1 else -1,
            )
        return found[0], found[1], found[2], found[3]

    def _agrees(self) -> bool:
        given = np.asarray(self.given.sum(axis=1)).ravel()
        return np.array_equal(given, self.held.count) and all(
            (true == table.measures["persons"])[~table.hidden].all()
            for table, true in zip(self.tables, self.held.true, strict=True)
        )

    def _hides(self) -> bool:
        return not any(
            ((self.need[own] > 0) & ~table.hidden).any()
            for table, own in zip(self.tables, self.numbers, strict=True)
        )

    def _changes_hidden_alone(self) -> bool:
        return all(
            (np.diff(each.indptr)[~table.hidden] == 0).all()
            for table, each in zip(self.tables, self.held.changes, strict=True)
        )

    def _possible(self) -> bool:
        for true, each in zip(self.held.true, self.held.changes, strict=True):
            entries = each.tocoo()
            if (true[entries.row] + entries.data < 0).any():
                return False
        return True

    def _kept_out(self, person: int) -> bool:
        """Does every sensitive sum have its moves both ways among those that leave the sums as they are in
        which `person` is alone?

        -1 is nobody. A largest contributor takes his own away and seeks the second largest."""
        up, down = np.zeros(self.size, np.int64), np.zeros(self.size, np.int64)
        disturbed = np.zeros(self.held.moves.shape[1], bool)
        for own, each in zip(self.numbers, self.held.changes, strict=True):
            disturbed |= np.diff(each[self.sole[own] == person].tocsc().indptr) > 0 if person >= 0 else False
        for own, each in zip(self.numbers, self.held.changes, strict=True):
            left = each[:, ~disturbed]
            up[own] = np.maximum(up[own], left.max(axis=1).toarray().ravel() if left.shape[1] else 0)
            down[own] = np.minimum(down[own], left.min(axis=1).toarray().ravel() if left.shape[1] else 0)
        asked = (
            self.need
            if person < 0
            else np.where(self.sole == person, 0, np.where(self.first == person, self.less, self.need))
        )
        return bool(((up >= asked) & (-down >= asked)).all())
