"""Checking tables whose numbers a method changed: that they keep its rule, add up where they should, and let
no small cell be worked out; with the certificate, too, that each number is what the method makes of the true
one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sparse

from pipelines.verifier.bounded import ANY, worked_out
from pipelines.verifier.certificate import above
from pipelines.verifier.published import published, same, whole
from pipelines.verifier.tables import PublishedTable

Check = tuple[str, Callable[[], bool]]
# Where sums of true counts could tell more than each number does.
_SOLVED = ("base_rounding", "midpoint", "controlled_rounding")
_MOST_CELLS = 3_000  # in more, what can be worked out is checked with the certificate alone


def checks_of_perturbed(folder: Path, proof: dict[str, Any]) -> list[Check]:
    """Every claim of the proof of a method that changes numbers. Raises ValueError where its status tells
    more than it may."""
    if proof["status"] not in ("rounded", "perturbed"):
        raise ValueError("a status tells more than it may")
    tables = [published(folder, about, status=proof["status"]) for about in proof["tables"]]
    rule = _Rule(proof["method"], proof["parameters"], proof["policy"])
    checks: list[Check] = [
        ("every file is, byte for byte, the one that the proof names", lambda: whole(folder, proof)),
        ("Parquet and CSV hold the same", lambda: all(same(folder, table) for table in tables)),
        (
            f"every number is one that {rule.method.replace('_', ' ')} can give, and no small count is",
            lambda: all(map(rule.can_give, tables)),
        ),
    ]
    if proof["additive"]:
        checks.append(("every margin is the sum of its parts", lambda: all(map(_adds_up, tables))))
    if rule.method in _SOLVED and sum(len(table.hidden) for table in tables) <= _MOST_CELLS:
        checks.append(
            (
                "no small cell can be worked out of what is shown",
                lambda: not worked_out(tables, *rule.bounds(tables)),
            )
        )
    if (folder / "certificate").is_dir():
        checks.append(
            (
                "the certificate's true counts give what is shown",
                lambda: _agrees(folder / "certificate", tables, rule),
            )
        )
        if rule.method in _SOLVED:
            text = (
                "every small cell could be another for all that is shown, even for one who knows which "
                "hidden cells are small"
            )
            checks.append((text, lambda: _moves_hold(folder / "certificate", tables, rule)))
    return checks


class _Rule:
    """What anybody may know of a method."""

    def __init__(self, method: str, parameters: dict[str, Any], policy: dict[str, Any]) -> None:
        self.method, self.parameters, self.minimum = method, parameters, int(policy["minimum"])
        self.base, self.redact = int(parameters.get("base", 0)), int(parameters.get("redact", 0))
        self.someone = 0 if parameters.get("zeros") == "hidden" else 1

    def can_give(self, table: PublishedTable) -> bool:
        """Could the method have made these numbers, and does it keep small counts from being shown?"""
        values, zero = table.measures["persons"][~table.hidden], not table.hidden.any()
        if self.method == "noise":
            return zero and self.parameters["spent"] <= self.parameters["budget"] + 1e-6
        if (values < 0).any():
            return False
        if self.method == "small_count_rounding":
            return zero and self.base >= self.minimum and not ((values > 0) & (values < self.base)).any()
        if self.method == "controlled_rounding":
            return zero and self.base >= self.minimum and not (values % self.base).any()
        if self.method == "cell_key":
            return zero and not ((values > 0) & (values <= int(self.parameters["hidden"]))).any()
        if self.method == "base_rounding":
            least = (self.redact + 1 + self.base // 2) // self.base * self.base
            return (
                self.redact >= self.minimum - 1
                and not ((values % self.base > 0) | ((values > 0) & (values < least))).any()
            )
        return (
            self.base >= self.minimum - 1
            and not ((values > 0) & (values % self.base != self.base // 2)).any()
        )

    def bounds(
        self, tables: Sequence[PublishedTable], true: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Between what each true count lies, for all that its own number says, int64 (cells of all,); and how
        many persons are not few.

        With `true`, whoever looks knows which hidden cells are so by rule."""
        values = np.concatenate([table.measures["persons"] for table in tables])
        hidden, half = np.concatenate([table.hidden for table in tables]), self.base // 2
        if self.method == "controlled_rounding":
            furthest = int(self.parameters["furthest"])
            return np.maximum(values - furthest, 0), values + furthest, self.minimum
        if self.method == "midpoint":
            low, high = values - half + 1, values - half + self.base
        else:
            low, high = np.maximum(values - half, self.redact + 1), values - half + self.base - 1
        low, high = np.where(values == 0, 0, low), np.where(values == 0, 0, high)
        low, high = np.where(hidden, 0, low), np.where(hidden, ANY, high)
        if true is not None and self.method == "base_rounding":
            few = hidden & (true >= self.someone) & (true <= self.redact)
            low, high = np.where(few, self.someone, low), np.where(few, self.redact, high)
        return low, high, self.minimum

    def gives(self, true: np.ndarray, values: np.ndarray, hidden: np.ndarray) -> bool:
        """Does the method make these numbers of the true ones, each for itself?"""
        if self.method == "controlled_rounding":
            return bool((np.abs(values - true) <= int(self.parameters["furthest"])).all())
        if self.method == "base_rounding":
            rounded = (true + self.base // 2) // self.base * self.base
            return bool(
                (hidden[(true >= self.someone) & (true <= self.redact)]).all()
                and (values == rounded)[~hidden].all()
            )
        if self.method == "midpoint":
            middle = np.where(true > 0, (true - 1) // self.base * self.base + self.base // 2, 0)
            return bool((self.someone == 1 or hidden[true == 0].all()) and (values == middle)[~hidden].all())
        return True


def _adds_up(table: PublishedTable) -> bool:
    values = table.measures["persons"]
    return all(
        (values[family[:, :-1]].sum(axis=1) == values[family[:, -1]]).all() for _, family in table.families()
    )


def _inner(
    folder: Path, tables: Sequence[PublishedTable]
) -> tuple[dict[str, np.ndarray], list[sparse.csr_matrix]]:
    """Columns of true counts and of what the method made of them, and for each table which of these each cell
    adds up."""
    inner = pq.read_table(folder / "inner.parquet")
    places = [
        np.stack([inner[f"{table.name}/{axis.name}"].to_numpy() for axis in table.axes], 1).astype(np.int64)
        for table in tables
    ]
    columns = {
        name: inner[name].to_numpy().astype(np.int64) for name in inner.column_names if "/" not in name
    }
    if (columns["count"] < 0).any():
        raise ValueError("a count is negative")
    return columns, [above(table, place) for table, place in zip(tables, places, strict=True)]


def _agrees(folder: Path, tables: Sequence[PublishedTable], rule: _Rule) -> bool:
    """Does the method make of the true counts what is shown?"""
    inner, every = _inner(folder, tables)
    for table, sums in zip(tables, every, strict=True):
        true, values = sums @ inner["count"], table.measures["persons"]
        if not rule.gives(true, values, table.hidden):
            return False
        if any(((sums @ inner[name]) != values).any() for name in ("rounded", "noisy") if name in inner):
            return False
        if (
            rule.method == "cell_key"
            and (_looked_up(folder, true, _key(sums, inner["key"], rule), rule) != values).any()
        ):
            return False
    return rule.method != "small_count_rounding" or _small_alone(inner["count"], inner["rounded"], rule.base)


def _moves_hold(folder: Path, tables: Sequence[PublishedTable], rule: _Rule) -> bool:
    """Does every move leave all cells between their bounds, and is there one for each small cell, or else no
    way to work it out?"""
    inner, every = _inner(folder, tables)
    count, sums = inner["count"], sparse.vstack(every).tocsr()
    true = sums @ count
    low, high, minimum = rule.bounds(tables, true)
    moves = pq.read_table(folder / "moves.parquet")
    move, row, change = (moves[name].to_numpy().astype(np.int64) for name in ("move", "inner", "change"))
    changes = sparse.csr_matrix(
        (change, (row, move)), (len(count), int(move.max(initial=-1)) + 1), dtype=np.int64
    )
    changed = (sums @ changes).tocoo()
    new = true[changed.row] + changed.data
    inside = (
        (new >= low[changed.row]).all()
        and (new <= high[changed.row]).all()
        and (true >= low).all()
        and (true <= high).all()
    )
    entries = changes.tocoo()
    if not inside or (count[entries.row] + entries.data < 0).any():
        return False
    left = (true > 0) & (true < minimum)
    left[changed.row[changed.data != 0]] = False
    return not left.any() or not worked_out(tables, low, high, minimum, left)


def _small_alone(count: np.ndarray, rounded: np.ndarray, base: int) -> bool:
    """Do small counts become 0 or the base, or stay, and all others stay?"""
    return bool(((rounded == count) | ((count > 0) & (count < base) & np.isin(rounded, (0, base)))).all())


def _key(sums: sparse.csr_matrix, keys: np.ndarray, rule: _Rule) -> np.ndarray:
    """Sums of keys less whole multiples of the modulus, in two halves, so that no sum is too large."""
    modulus, half = int(rule.parameters["modulus"]), 10**6
    high, low = sums @ (keys // half), sums @ (keys % half)
    return np.array([(int(a) * half + int(b)) % modulus for a, b in zip(high, low, strict=True)], np.int64)


def _looked_up(folder: Path, true: np.ndarray, keys: np.ndarray, rule: _Rule) -> np.ndarray:
    """What the table of transitions makes of each count with its key."""
    table = pq.read_table(folder / "ptable.parquet")
    row, change, chance = (table[name].to_numpy() for name in ("i", "v", "p"))
    made = true.copy()
    for place, (count, key) in enumerate(zip(true.tolist(), keys.tolist(), strict=True)):
        own = row == min(count, int(row.max()))
        bounds = np.round(np.cumsum(chance[own]) * int(rule.parameters["modulus"]))
        made[place] += change[own][min(int((key >= bounds).sum()), int(own.sum()) - 1)]
    return made
