"""Checking a folder that `uttag protect` wrote: the published tables alone, and, where it lies beside them,
the certificate."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse

from pipelines.verifier import certificate as certificates
from pipelines.verifier.attack import fixed_by_sums, pinned
from pipelines.verifier.audit import alone
from pipelines.verifier.certificate import Certificate
from pipelines.verifier.perturbed import checks_of_perturbed
from pipelines.verifier.published import certificate_is_of, large_enough, published, same, whole
from pipelines.verifier.rules import ORDER, as_known, breaks_a_rule, impossible, minima
from pipelines.verifier.summed import checks_of_sums
from pipelines.verifier.tables import Claim, PublishedTable, number_cells

Check = tuple[str, Callable[[], bool]]


def verify_protected(folder: Path) -> list[Claim]:
    """Every claim of `proof.json`, and whether it holds. Whatever cannot be read does not hold."""
    claims = _claims(folder)
    if (folder / "certificate").is_dir():
        text = "the certificate was written for this proof"
        claims.append(Claim(text, _holds(lambda: certificate_is_of(folder))))
    return claims


def _claims(folder: Path) -> list[Claim]:
    try:
        proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
        if proof["method"] == "suppression of sums":
            return [Claim(text, _holds(check)) for text, check in checks_of_sums(folder, proof)]
        if proof["method"] != "suppression":
            return [Claim(text, _holds(check)) for text, check in checks_of_perturbed(folder, proof)]
        weighted = "weighted" in proof
        decimals = int(proof["weighted"]["decimals"]) if weighted else 0
        tables, policy = [published(folder, about, decimals) for about in proof["tables"]], proof["policy"]
        least, open_zeros = [minima(table, policy) for table in tables], policy["zeros"] == "open"
        knows, never = ORDER.index(policy["attacker"]), [impossible(table, policy) for table in tables]
        seen = [as_known(*each) for each in zip(tables, never, strict=True)]
    except Exception:  # noqa: BLE001 - a folder may be broken in any way
        return [Claim("the tables and the proof can be read", False)]

    def large() -> bool:
        return all(
            large_enough(table, each, gone | open_zeros)
            for table, each, gone in zip(tables, least, never, strict=True)
        )

    checks: list[Check] = [
        ("every file is, byte for byte, the one that the proof names", lambda: whole(folder, proof)),
        ("Parquet and CSV hold the same", lambda: all(same(folder, table, decimals) for table in tables)),
        # how many people stand behind weights, the certificate alone says
        *([] if weighted else [("no small cell is shown", large)]),
        ("no hidden cell is settled by the sums that are shown", lambda: fixed_by_sums(seen) == 0),
    ]
    if policy.get("structural_zeros"):
        checks.append(("where nobody can be, 0 is shown", lambda: all(map(_shows_nobody, tables, never))))
    if knows >= ORDER.index("nonnegative"):
        text = "no hidden cell can be worked out by whoever knows what may be in it"
        someone = open_zeros and knows >= ORDER.index("rule") and not policy.get("all_in_one")
        checks.append((text, lambda: pinned(seen, someone) == 0))
    if (folder / "certificate").is_dir():
        try:
            every = [*tables, *certificates.earlier(folder / "certificate")]
            held = certificates.read(folder / "certificate", every, policy)
            checks += _Audit(every, len(tables), policy, held, weighted).checks()
        except Exception:  # noqa: BLE001 - what cannot be read does not hold
            checks.append(("the certificate can be read", lambda: False))
    return [Claim(text, _holds(check)) for text, check in checks]


def _shows_nobody(table: PublishedTable, never: np.ndarray) -> bool:
    return not (table.hidden | (table.measures["persons"] != 0))[never].any()


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return bool(check())
    except Exception:  # noqa: BLE001 - what cannot be checked does not hold
        return False


class _Audit:
    """The certificate against the tables, of which the first `new` are those in question, and the others were
    released before.

    Cells that several tables share are one: `people`, `small`, `sensitive`: (cells of all,)."""

    def __init__(
        self,
        tables: Sequence[PublishedTable],
        new: int,
        policy: dict[str, Any],
        held: Certificate,
        weighted: bool,
    ) -> None:
        self.tables, self.new, self.policy, self.held, self.weighted = tables, new, policy, held, weighted
        self.someone = 1 if policy["zeros"] == "open" else 0
        self.least = [_strictest(table, policy, held, number) for number, table in enumerate(tables)]
        self.numbers, self.size = number_cells(tables)
        self.people, least = np.full(self.size, -1, np.int64), np.zeros(self.size, np.int64)
        self.sensitive, never = np.zeros(self.size, bool), np.zeros(self.size, bool)
        for number, (table, own) in enumerate(zip(tables, self.numbers, strict=True)):
            self.people[own] = held.true[number]
            np.maximum.at(least, own, self.least[number])
            never[own] |= impossible(table, policy)
            if number < new:
                self.sensitive[own] |= self._breaks_a_rule(number, table)
        self.small = (self.people >= self.someone) & (self.people < least) & ~never
        self.sensitive |= self.small

    def checks(self) -> list[Check]:
        """What the certificate shows."""
        what = "counts" if self.held.weighted is None else "weighted sums"
        checks: list[Check] = [
            (f"the certificate's true {what} are what is shown", self._agrees),
            ("every cell that a rule makes sensitive is hidden", self._hides),
            ("no move changes a cell that is shown", lambda: self._of_moves(self._changes_hidden_alone)),
            ("every hidden cell has a move", lambda: self._of_moves(self._changes_each_hidden)),
            (
                f"no move can be excluded by an attacker who knows what `{self.policy['attacker']}` says",
                lambda: self._of_moves(self._possible),
            ),
        ]
        if len(self.tables) > self.new:
            checks += [
                ("no few people can be told by what several releases show", self._no_few),
                ("no difference of two releases that is few people has but one value", self._no_gap),
            ]
        if self.policy.get("structural_zeros"):
            checks.append(("no move brings anybody to where nobody can be", self._nobody_comes))
        if self.policy["singletons"]:
            checks.append(
                ("nobody who is alone in a cell can work out another sensitive cell", self._kept_out)
            )
        if isinstance(self.policy["interval"], dict):
            values = int(self.policy["interval"]["values"])
            checks.append(
                (
                    f"every sensitive cell could have {values} values at least",
                    lambda: all(map(self._spreads, range(self.new), [values] * self.new)),
                )
            )
        if self.policy["interval"] == "whole":
            checks.append(
                (
                    "of every small cell, each value below the minimum is possible",
                    lambda: self._of_moves(self._reaches),
                )
            )
        return checks

    def _of_moves(self, check: Callable[[int, PublishedTable, sparse.csr_matrix], bool]) -> bool:
        return all(
            check(number, table, self.held.changes[number]) for number, table in enumerate(self.tables)
        )

    def _agrees(self) -> bool:
        return (self.held.weighted is not None) == self.weighted and all(
            (true == table.measures["persons"])[~table.hidden].all()
            for table, true in zip(self.tables, self.held.published, strict=True)
        )

    def _nobody_comes(self) -> bool:
        moved = np.diff(self.held.moves.tocsr().indptr) > 0
        return not (self.held.never & ((self.held.count > 0) | moved)).any()

    def _hides(self) -> bool:
        return not any(
            (self.sensitive[own] & ~table.hidden).any()
            for table, own in zip(self.tables[: self.new], self.numbers, strict=False)
        )

    def _breaks_a_rule(self, number: int, table: PublishedTable) -> np.ndarray:
        """Cells that break a rule on what is around them or on who contributes, bool (cells,)."""
        true = self.held.true[number]
        unsafe = breaks_a_rule(table, true, self.policy)
        for kind, behind in self.held.behind.items():
            number_of = np.asarray(behind[number].sum(axis=1)).ravel()
            unsafe |= (number_of < int(self.policy[kind]["minimum"])) & (true > 0)
        return unsafe

    def _changes_hidden_alone(self, _number: int, table: PublishedTable, changes: sparse.csr_matrix) -> bool:
        return bool((np.diff(changes.indptr)[~table.hidden] == 0).all())

    def _changes_each_hidden(self, number: int, table: PublishedTable, changes: sparse.csr_matrix) -> bool:
        """Of a table released before only what is sensitive in it has to stay uncertain."""
        needed = table.hidden if number < self.new else table.hidden & self.sensitive[self.numbers[number]]
        return bool((np.diff(changes.indptr)[needed] > 0).all())

    def _no_few(self) -> bool:
        few = (self.held.count > 0) & (self.held.count < int(self.policy["minimum"]))
        return bool((np.diff(self.held.moves.tocsr().indptr)[few] > 0).all())

    def _no_gap(self) -> bool:
        """Of two cells of which one holds the other and few more, some move changes how many more."""
        minimum = int(self.policy["minimum"])
        for one in range(self.new):
            own = self.held.above[one]
            weighted = sparse.csr_matrix(
                (own.data * self.held.count[own.indices], own.indices, own.indptr), own.shape
            )
            for two in range(one + 1, len(self.tables)):
                both = (weighted @ self.held.above[two].T).tocoo()
                a, b = self.held.true[one][both.row], self.held.true[two][both.col]
                nested = (
                    (both.data == np.minimum(a, b))
                    & (a != b)
                    & (abs(a - b) < minimum)
                    & (np.maximum(a, b) >= minimum)
                )
                apart = self.held.changes[one][both.row[nested]] - self.held.changes[two][both.col[nested]]
                if not all((abs(apart).sum(axis=1) > 0).ravel().tolist()):
                    return False
        return True

    def _possible(self, number: int, table: PublishedTable, changes: sparse.csr_matrix) -> bool:
        """Could the table be true as each move makes it? What a move leaves as it is needs no look."""
        entries, true, knows = changes.tocoo(), self.held.true[number], ORDER.index(self.policy["attacker"])
        old, least = true[entries.row], self.least[number][entries.row]
        new = old + entries.data
        if knows >= ORDER.index("nonnegative") and (new < 0).any():
            return False
        if knows >= ORDER.index("rule") and ((new < self.someone) & (old > 0)).any():
            return False
        narrow = np.where(old < least, new < least, new >= least)
        return bool(knows < ORDER.index("marks") or narrow.all())

    def _kept_out(self) -> bool:
        """Whoever is alone in a cell knows it: for every other sensitive cell there is a move that leaves all
        of theirs as they are."""
        moved = self._moved()
        person = alone(self.tables, self.numbers, [self.people])
        cells = np.flatnonzero(person >= 0)
        if not len(cells):
            return True
        _, of_person = np.unique(person[cells], return_inverse=True)
        theirs = sparse.csr_matrix(
            (np.ones(len(cells), np.int64), (of_person, cells)), (int(of_person.max()) + 1, self.size)
        )
        disturbed = ((theirs @ moved) > 0).astype(np.int64)
        sought = np.flatnonzero(self.sensitive & (self.people > 0))
        together = (moved[sought] @ disturbed.T).tocoo()  # moves of a cell that disturb a person
        number_of = np.full(self.size, -1)
        number_of[cells] = of_person
        always = together.data == np.diff(moved[sought].indptr)[together.row]
        return not (always & (together.col != number_of[sought[together.row]])).any()

    def _moved(self) -> sparse.csr_matrix:
        """Which cells each move changes, 1 or nothing, int64 (cells of all, moves)."""
        moved = sparse.csr_matrix((self.size, self.held.changes[0].shape[1]), dtype=np.int64)
        for own, changes in zip(self.numbers, self.held.changes, strict=True):
            lift = sparse.csr_matrix(
                (np.ones(len(own), np.int64), (own, np.arange(len(own)))), (self.size, len(own))
            )
            moved = moved + lift @ abs(changes)
        moved = moved.tocsr()
        moved.data = np.minimum(moved.data, 1)
        return moved

    def _spreads(self, number: int, values: int) -> bool:
        """Have the moves so many different ends in each sensitive cell, its true value among them?"""
        changes = self.held.changes[number]
        for cell in np.flatnonzero(self.sensitive[self.numbers[number]]):
            if len({0, *changes.data[changes.indptr[cell] : changes.indptr[cell + 1]].tolist()}) < values:
                return False
        return True

    def _reaches(self, number: int, table: PublishedTable, changes: sparse.csr_matrix) -> bool:
        true, least = self.held.true[number], self.least[number]
        for cell in np.flatnonzero(table.hidden & (true > 0) & (true < least)):
            new = true[cell] + changes.data[changes.indptr[cell] : changes.indptr[cell + 1]]
            if set(range(1, int(least[cell]))) - {int(true[cell])} - set(new.tolist()):
                return False
        return True


def _strictest(table: PublishedTable, policy: dict[str, Any], held: Certificate, number: int) -> np.ndarray:
    """Fewest persons that each cell may show, what its owners ask for included: int64 (cells,)."""
    least = minima(table, policy)
    if "owners" in held.behind:
        asked = policy["owners"]["persons"]
        for place, name in enumerate(held.names["owners"]):
            part = np.asarray(held.behind["owners"][number][:, [place]].todense()).ravel()
            least = np.where(part, np.maximum(least, int(asked.get(name, 0))), least)
    return least
