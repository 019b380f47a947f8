"""Sixty nights of a standing permit by cell keys: what is shown, how far it lies from the truth, and what an
attacker learns who knows a newcomer's sex, age group and place, and wants the diagnosis.

`python -m benchmarks.disclosure.standing` prints a table in Markdown; it takes some minutes. People are made
up: each night a share of them leaves, and as many others come. The attacker has all versions, knows the
method, its table of chances and how many people come and go, and weighs, for each diagnosis that the
newcomer may have, how probable it makes what the cells with it did between two versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product

import numpy as np
from scipy.stats import skellam

from kernels.cell_key import MODULUS, look_up
from kernels.hashing import hash_integers
from pipelines.cubes.perturbation import CellKeys
from pipelines.disclosure.cell_key.permits import table_of

MINIMUM = 5
TABLE = table_of(CellKeys(), MINIMUM)
SIZES = {"sex": 2, "age": 6, "place": 10, "diagnosis": 20}
SETS = {
    "by one characteristic": (("sex",), ("age",), ("place",)),
    "by all at once": (("sex", "age", "place"),),
}


@dataclass(frozen=True)
class People:
    """Who is there: `key`, int64 (n,), and `place`, int64 (n, 4), their positions in `SIZES`."""

    key: np.ndarray
    place: np.ndarray

    @staticmethod
    def born(first: int, number: int, random: np.random.Generator) -> People:
        shares = [_shares(size) for size in SIZES.values()]
        place = np.stack([random.choice(len(each), number, p=each) for each in shares], axis=1)
        ids = np.arange(first, first + number, dtype=np.int64)
        return People(hash_integers(ids, b"standing permits") % MODULUS, place)

    def with_others(self, stay: np.ndarray, new: People) -> People:
        return replace(
            self,
            key=np.concatenate([self.key[stay], new.key]),
            place=np.concatenate([self.place[stay], new.place]),
        )

    def counted(self, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Of the table of these by diagnosis, true numbers and those that are shown: int64 (groups,
        diagnoses) twice."""
        columns = [list(SIZES).index(name) for name in (*names, "diagnosis")]
        shape = [SIZES[name] for name in (*names, "diagnosis")]
        cell = np.ravel_multi_index(tuple(self.place[:, columns].T), shape)
        cells = int(np.prod(shape))
        true = np.bincount(cell, minlength=cells)
        half = 10**6
        high = np.bincount(cell, self.key // half, cells).astype(np.int64) % half
        low = np.bincount(cell, self.key % half, cells).astype(np.int64)
        shown = look_up(true, (high * half + low) % MODULUS, *TABLE.arrays())
        return true.reshape(-1, shape[-1]), shown.reshape(-1, shape[-1])


def _shares(size: int) -> np.ndarray:
    """Some are more frequent than others."""
    weight = 1 / np.arange(1, size + 1) ** 0.5
    return weight / weight.sum()


def nights(size: int, change: float, number: int, seed: int) -> Iterator[tuple[People, People]]:
    """The people of each night, and of these the newcomers."""
    random = np.random.default_rng(seed)
    people = People.born(0, size, random)
    born = size
    yield people, People.born(born, 0, random)
    for _ in range(number - 1):
        gone = random.random(len(people.key)) < change
        new = People.born(born, int(gone.sum()), random)
        born += len(new.key)
        people = people.with_others(~gone, new)
        yield people, new


# ---- the attack --------------------------------------------------------------------------------------------


def _chances(count: int) -> dict[int, float]:
    changes, chances = TABLE.rows[min(count, len(TABLE.rows) - 1)]
    return {count + change: chance for change, chance in zip(changes, chances, strict=True)}


@cache
def ratio(before: int, after: int, change: float) -> float:
    """How much more probable two versions of a cell are if the newcomer came into it than if not: whoever
    comes draws the cell anew; else it stays as it is unless others came or went."""
    with_, without = 0.0, 0.0
    for count in range(max(0, before - TABLE.most), before + TABLE.most + 1):
        seen = _chances(count).get(before, 0.0)
        if not seen:
            continue
        mean = max(change * count, 1e-12)
        reach = int(8 * np.sqrt(2 * mean)) + 10
        moves = np.arange(-reach, reach + 1)
        chance = skellam.pmf(moves, mean, mean)
        still = float(np.exp(-2 * mean))
        for move, probable in zip(moves.tolist(), chance.tolist(), strict=True):
            if probable < 1e-12 or count + move < 0:
                continue
            with_ += seen * probable * _chances(count + move + 1).get(after, 0.0)
            others = probable - still if move == 0 else probable
            without += seen * max(others, 0.0) * _chances(count + move).get(after, 0.0)
        without += seen * still * (before == after)
    return with_ / without if without else np.inf


def odds(
    before: People, after: People, newcomers: np.ndarray, tables: tuple[tuple[str, ...], ...], change: float
) -> np.ndarray:
    """Posterior odds of each newcomer's true diagnosis over the prior odds: float64 (newcomers,).
    `newcomers`: int64 (n, 4), their places; `change`: the share that came between the versions."""
    prior = _shares(SIZES["diagnosis"])
    weight = np.ones((len(newcomers), SIZES["diagnosis"]))
    for names in tables:
        first, second = before.counted(names)[1], after.counted(names)[1]
        columns = [list(SIZES).index(name) for name in names]
        group = np.ravel_multi_index(tuple(newcomers[:, columns].T), [SIZES[name] for name in names])
        weight *= [
            [ratio(int(a), int(b), change) for a, b in zip(first[g], second[g], strict=True)]
            for g in group.tolist()
        ]
    weight = np.minimum(weight, 1e9)
    true = newcomers[:, -1]
    own = prior[true] * weight[np.arange(len(true)), true]
    others = (weight * prior).sum(axis=1) - own
    return (own / np.maximum(others, 1e-12)) / (prior[true] / (1 - prior[true]))


@dataclass(frozen=True)
class Found:
    """Of sixty nights: `error`, by how much numbers of people are off in the mean; `odds`, of what the
    attacker knows after over what he or she knew before: float64 (newcomers,)."""

    error: float
    odds: np.ndarray


def simulated(
    size: int, change: float, every: int, tables: tuple[tuple[str, ...], ...], seed: int = 1, most: int = 400
) -> Found:
    """A permit whose versions go out every so many nights, and the attack on `most` newcomers."""
    versions: list[tuple[People, np.ndarray]] = []
    since: list[np.ndarray] = []
    for number, (people, new) in enumerate(nights(size, change, 60 + (60 % every == 0), seed)):
        since.append(new.place)
        if number % every == 0:
            versions.append((people, np.concatenate(since)))
            since = []
    errors, found = [], []
    for (one, _), (two, came) in pairwise(versions):
        if sum(map(len, found)) < most:
            found.append(odds(one, two, came[: most // 4], tables, 1 - (1 - change) ** every))
        for names in tables:
            true, shown = two.counted(names)
            errors.append(np.abs(shown - true)[true > 0].mean())
    return Found(float(np.mean(errors)), np.concatenate(found)[:most])


def main() -> None:
    """Print the table."""
    heads = ("people", "change a night", "tables", "version every", "mean error", "median", "> 1.5", "95th")
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for size, change, (name, tables), every in product(
        (5_000, 50_000), (0.001, 0.01), SETS.items(), (1, 7, 30)
    ):
        found = simulated(size, change, every, tables)
        said = (
            f"{size:,}",
            f"{change:.1%}",
            name,
            f"{every} nights",
            f"{found.error:.2f}",
            f"{np.median(found.odds):.2f}",
            f"{(found.odds > 1.5).mean():.0%}",
            f"{np.quantile(found.odds, 0.95):.1f}",
        )
        print(f"| {' | '.join(said)} |", flush=True)


if __name__ == "__main__":
    main()
