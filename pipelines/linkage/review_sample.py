"""The sample of a clerical review: pairs drawn at random within strata of match weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.errors import SettingsError

_STEPS: Final = (0.0, 1.0, 2.0, 4.0, 8.0)  # bits above and below the threshold at which strata begin
_LEAST: Final = 4  # pairs of a stratum, at least


@dataclass(frozen=True)
class Strata:
    """All pairs, cut by weight. `cuts`: bits, ascending, where the second and each further stratum begins;
    one of them is `threshold`. `sizes`: pairs of each stratum, `len(cuts) + 1` of them."""

    threshold: float
    cuts: tuple[float, ...]
    sizes: tuple[int, ...]

    @staticmethod
    def of(weights: np.ndarray, threshold: float) -> Strata:
        """Cut pairs of `weights`, float64 (n,), in bits, at whole distances from `threshold`."""
        cuts = tuple(sorted({threshold + sign * step for step in _STEPS for sign in (-1, 1)}))
        found = np.bincount(_strata(weights, cuts), minlength=len(cuts) + 1)
        return Strata(threshold, cuts, tuple(int(size) for size in found))

    def name(self, stratum: int) -> str:
        """A stratum in words."""
        if stratum == 0:
            return f"below {self.cuts[0]:g} bits"
        if stratum == len(self.cuts):
            return f"{self.cuts[-1]:g} bits and more"
        return f"{self.cuts[stratum - 1]:g} to {self.cuts[stratum]:g} bits"


@dataclass(frozen=True)
class Sample:
    """Pairs to decide. `positions`: int64 (k,), which of the pairs, in the order in which they are shown;
    `bits`: float64 (k,), their weights; `strata`: int32 (k,), the stratum of each."""

    positions: np.ndarray
    bits: np.ndarray
    strata: np.ndarray
    of: Strata

    def __len__(self) -> int:
        return len(self.positions)

    def expansion(self) -> np.ndarray:
        """float64 (k,): how many pairs each stands for, the size of its stratum over the pairs sampled from
        it."""
        sizes = np.array(self.of.sizes, float)
        return (sizes / np.maximum(np.bincount(self.strata, minlength=len(sizes)), 1))[self.strata]


def sample_for_review(weights: np.ndarray, threshold: float, size: int, seed: int = 0) -> Sample:
    """A stratified random sample of about `size` pairs, or all of them if there are no more.

    `weights`: float64 (n,), bits, finite. Strata begin 0, 1, 2, 4 and 8 bits above and below `threshold`.
    Each gives at least four pairs; of the rest, half is shared alike and half by Neyman's rule (1934): in
    proportion to a stratum's size times the standard deviation that the weights expect in it. Within a
    stratum the pairs of the smallest mixed positions are taken, so that each pair has the same chance and the
    same pairs give the same sample, on any machine; `seed` takes another. They are shown in mixed order: who
    stops halfway has decided a sample too.

    Raises SettingsError where `size` does not reach for four pairs of each stratum, ValueError where a weight
    is not finite.
    """
    if not np.isfinite(weights).all():
        raise ValueError("weights are finite")
    strata = Strata.of(weights, threshold)
    of = _strata(weights, strata.cuts)
    chance = np.bincount(
        of, weights=1 / (1 + np.exp2(-np.clip(weights, -60, 60))), minlength=len(strata.sizes)
    )
    take = _allocate(np.array(strata.sizes), chance / np.maximum(strata.sizes, 1), size)
    mixed = _mixed(len(weights), seed)
    chosen = []
    for stratum, wanted in enumerate(take.tolist()):
        inside = np.flatnonzero(of == stratum)
        chosen.append(inside[np.argsort(mixed[inside])[:wanted]])
    positions = np.concatenate(chosen)
    positions = positions[np.argsort(mixed[positions])].astype(np.int64)
    return Sample(positions, weights[positions].astype(float), of[positions].astype(np.int32), strata)


def _strata(weights: np.ndarray, cuts: Sequence[float]) -> np.ndarray:
    """int64 (n,): the stratum of each weight; one that equals a cut lies above it."""
    return np.searchsorted(np.array(cuts), weights, side="right")


def _mixed(n: int, seed: int) -> np.ndarray:
    """uint64 (n,): the n first outputs of splitmix64 (Steele, Lea and Flood, 2014), all different."""
    x = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.array(seed, np.uint64)
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)


def _allocate(sizes: np.ndarray, chance: np.ndarray, size: int) -> np.ndarray:
    """int64 (strata,): pairs of each, `size` in all or every pair."""
    if size >= sizes.sum():
        return sizes
    take = np.minimum(sizes, _LEAST)
    if size < take.sum():
        raise SettingsError(
            "review",
            f"{size:,} pairs do not reach for {_LEAST} of each stratum",
            f"ask for {int(take.sum()):,} or more",
        )
    chance = np.clip(chance, 0.01, 0.99)
    spread = sizes * np.sqrt(chance * (1 - chance))
    share = 0.5 * (sizes > 0) / np.count_nonzero(sizes) + 0.5 * spread / spread.sum()
    while rest := size - int(take.sum()):
        room = sizes - take
        wanted = np.where(room > 0, share, 0)
        more = np.minimum(room, np.floor(rest * wanted / wanted.sum()).astype(np.int64))
        if not more.any():
            more[int(np.argmax(wanted))] = 1
        take = take + more
    return take
