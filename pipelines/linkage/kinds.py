"""Kinds of pairs: strangers who agree by chance, matches, and what lies between, as a mixture of latent
classes (Larsen and Rubin, 2001).

Members of a household share surname, street and postcode; a person who moved shares all but the address. Both
are more than chance and less than agreement in all fields. A mixture in which each kind has fields of its own
that it shares, and agrees in the others by chance alone, tells them apart; terms of two fields cannot, where
chance alone makes more pairs of one street than households do.

Kinds are added one by one where pairs that might be matches are far more than the kinds so far expect (greedy
learning; Vlassis and Likas, 2002), as long as the likelihood gains more than their parameters cost (Schwarz,
1978). A new kind counts as matches if what it shares weighs at least half of what all fields weigh, and if
with it most matches still agree in every field. It also does if it weighs two fifths and three quarters still
agree, for where people live in households these are hardly fewer than matches, and a much smaller kind is of
persons something of whom has changed. Else it is of no matches. No count of pairs can tell more than that: a
household and a person who moved differ in what fields mean, not in what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kernels.mixture import level_counts
from pipelines.linkage.dependence import Dependence, fitted
from pipelines.linkage.evidence import Evidence
from pipelines.linkage.levels import believed, bits_of, level_of, levels_of, never_nothing
from pipelines.linkage.pairs import Patterns
from pipelines.linkage.strangers import Strangers

_MOST = 4  # kinds beside strangers and the first matches
_TRIES = 2  # in vain
_TAKEN = 3  # times that matches begin anew
_ROUNDS, _CLOSE = 15, 1e-4
_BEYOND = 2.0  # times what is expected
_MIGHT = -10.0  # bits from which pairs might be matches
_SURE = 0.8  # of a new kind's pairs begin with the levels at which it was found
_DIFFERENT = 1  # the level
_HALF = 0.5
# What a kind must weigh at least, and how many matches may differ in any field with it.
_MATCHES = ((0.5, 0.5), (0.4, 0.25))
_TRUSTED = 1e5  # pairs of a pattern that count at most
_DOUBT = 1e-2  # how much those count that are beyond doubt


@dataclass(frozen=True)
class Kind:
    """`pairs`: how many. `shares`: of the levels, by field. `match`: are they matches?"""

    pairs: float
    shares: list[np.ndarray]
    match: bool


class Kinds:
    """The mixture, and the weights that come closest to it. `u`: chance agreement; `kinds`: the others, the
    first of them matches."""

    def __init__(
        self,
        evidence: Evidence,
        within: Sequence[Patterns],
        sizes: Sequence[int],
        strength: float,
        records: int,
    ) -> None:
        """`within`: for each field patterns of the pairs that may train it. `strength`: matches that beliefs
        about levels weigh."""
        self._sizes, self._strength, self._records, self._total = sizes, strength, records, evidence.total
        self._beliefs = [believed(size) for size in sizes]
        every = np.unique(
            np.concatenate([each.patterns for each in (evidence.compared, *within, *evidence.alike)])
        )
        self._levels = np.asfortranarray(levels_of(every, len(sizes)))  # read field by field
        self._compared = np.searchsorted(every, evidence.compared.patterns)
        self._counts = evidence.compared.counts.astype(np.float64)
        seen = self._levels[self._compared]
        self._everywhere = [
            (self._compared, np.ascontiguousarray(seen[:, f]), self._counts) for f in range(len(sizes))
        ]
        self._within = [
            (np.searchsorted(every, each.patterns), level_of(each.patterns, f), each.counts)
            for f, each in enumerate(within)
        ]
        self._strangers = Strangers(
            evidence, sizes, [np.searchsorted(every, each.patterns) for each in evidence.alike]
        )
        self._known = self._as_known(evidence)
        self.terms: list[Dependence] = []
        self.u = self._strangers.shares(self._counts)
        self.kinds = [Kind(records / 2, self._beliefs, True)]
        self._tried: list[int] = []

    def _as_known(self, evidence: Evidence) -> np.ndarray:
        """float64 (n,): share of all pairs in which the same fields are known as in each pattern compared."""
        places = 1 << np.arange(len(self._sizes))
        random = evidence.at_random
        masks = [
            (self._levels[self._compared] > 0) @ places,
            (levels_of(random.patterns, len(self._sizes)) > 0) @ places,
        ]
        _, place = np.unique(np.concatenate(masks), return_inverse=True)
        pairs = np.bincount(place, np.concatenate([self._counts, random.counts * self._strangers.scale]))
        return pairs[place[: len(self._counts)]] / max(float(pairs.sum()), 1.0)

    def learn(self, dependent: bool) -> None:
        """Find the kinds. `dependent`: are there others than strangers and matches, and do fields go together
        in strangers?"""
        if not dependent:
            self._settle(60)
            return
        self._begin()
        self._read_terms()
        gained, found, failed = self._anew(), 0, 0
        while found < _MOST and failed < _TRIES:
            before = self.kinds, self.u
            if not self._added():
                break
            self._anew()
            self._name()
            now = self._settle()
            if now - gained < self._cost():
                self.kinds, self.u = before
                failed += 1
                continue
            found += 1
            self._read_terms()
            gained = self._settle()
        if self._taken_over():  # nobody is there twice
            self.kinds[0] = replace(self.kinds[0], pairs=1.0)

    def _anew(self) -> float:
        """`_settle`, and begin matches anew as often as another kind takes them over."""
        gained = self._settle()
        for _ in range(_TAKEN):
            if not self._taken_over():
                break
            gained = self._settle()
        return gained

    def _begin(self) -> None:
        """Chance alone first: patterns that are far more than chance makes are left out of it."""
        self.terms = self._strangers.terms(np.zeros(len(self._counts)))
        for _ in range(3):
            expected = self._total * self._known * np.exp2(self._by_chance()[self._compared])
            usual = np.where(
                self._counts > _BEYOND * expected, np.minimum(expected, self._counts), self._counts
            )
            self.u, self.terms = self._strangers.shares(usual), self._strangers.terms(usual)

    def _by_chance(self) -> np.ndarray:
        total = bits_of(self._levels, self.u)
        for each in self.terms:
            total += each.table[self._levels[:, each.first], self._levels[:, each.second]]
        return total

    def _each(self) -> np.ndarray:
        """float64 (kinds + 1, patterns): log2 of the pairs of each pattern by kind, strangers first, were all
        fields known."""
        strangers = max(self._total - sum(kind.pairs for kind in self.kinds), 1.0)
        rows = [np.log2(strangers) + self._by_chance()]
        return np.stack(
            rows + [np.log2(kind.pairs) + bits_of(self._levels, kind.shares) for kind in self.kinds]
        )

    def _read_terms(self) -> None:
        each = self._each()
        likely = np.exp2(each[0] - _sum(each))
        self.terms = self._strangers.terms(self._counts * likely[self._compared], likely)

    def _settle(self, rounds: int = _ROUNDS) -> float:
        """EM with the dependences among strangers held (Dempster, Laird and Rubin, 1977); returns the log
        likelihood, in nats."""
        gained, before = 0.0, np.zeros(0)
        for _ in range(rounds):
            each = self._each()
            together = _sum(each)
            likely = np.exp2(each - together)
            gained = float(
                (self._counts * (together[self._compared] + np.log2(self._known))).sum() * np.log(2)
            )
            self.kinds = self._kinds(likely)
            self.u = self._strangers.shares(self._counts * likely[0, self._compared])
            pairs = np.array([kind.pairs for kind in self.kinds])
            if len(before) and np.all(np.abs(pairs - before) < _CLOSE * np.maximum(pairs, 1.0)):
                break
            before = pairs
        return gained

    def _kinds(self, likely: np.ndarray) -> list[Kind]:
        """The kinds as the pairs say that belong to each. All kinds of matches have one m for the fields that
        they share."""
        raw = [self._levels_seen(k, likely[k + 1]) for k in range(len(self.kinds))]
        shared = [
            [k == 0 or each[_DIFFERENT] < _HALF * each.sum() for each in fields]
            for k, fields in enumerate(raw)
        ]
        matches = [k for k, kind in enumerate(self.kinds) if kind.match]
        m = [
            never_nothing(_share(sum(raw[k][f] for k in matches if shared[k][f])))
            for f in range(len(self._sizes))
        ]
        found = []
        for k, kind in enumerate(self.kinds):
            own = m if kind.match else [never_nothing(_share(each)) for each in raw[k]]
            shares = [own[f] if shared[k][f] else self.u[f] for f in range(len(self._sizes))]
            found.append(
                replace(
                    kind,
                    pairs=max(float((self._counts * likely[k + 1, self._compared]).sum()), 1e-3),
                    shares=shares,
                )
            )
        return found

    def _levels_seen(self, k: int, likely: np.ndarray) -> list[np.ndarray]:
        """float64 (levels,) by field: the pairs of a kind by level, and what is believed of them."""
        found = []
        for f, size in enumerate(self._sizes):
            place, levels, counts = self._within[f] if self.kinds[k].match else self._everywhere[f]
            found.append(
                level_counts(levels, counts * likely[place], size)
                + (self._strength * self._beliefs[f] if k == 0 else self.u[f])
            )
        return found

    def _added(self) -> bool:
        """Add a kind around the pattern that is most beyond what is expected, of those that might be matches;
        False if there is none."""
        each = self._each()[:, self._compared]
        expected = self._known * np.exp2(_sum(each))
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = np.where(self._counts > 0, self._counts * np.log2(self._counts / expected), 0.0) - (
                self._counts - expected
            ) / np.log(2)
        gain[(self._counts <= _BEYOND * expected) | (self._weights(each) < _MIGHT)] = 0.0
        gain[self._tried] = 0.0
        if not len(gain) or gain.max() <= 0:
            return False
        best = int(np.argmax(gain))
        self._tried.append(best)
        shares = []
        for size, level, by_chance in zip(
            self._sizes, self._levels[self._compared[best]], self.u, strict=True
        ):
            any_level = np.append(0.0, np.full(size - 1, 1.0 / (size - 1)))
            share = (1 - _SURE) * any_level if level else (any_level + by_chance) / 2
            share[level] += _SURE if level else 0.0
            shares.append(never_nothing(share))
        self.kinds = [*self.kinds, Kind(max(float((self._counts - expected)[best]), 1.0), shares, False)]
        return True

    def _weights(self, each: np.ndarray) -> np.ndarray:
        match = np.array([False, *(kind.match for kind in self.kinds)])
        return _sum(each[match]) - _sum(each[~match])

    def _bits(self) -> list[np.ndarray]:
        """What levels weigh as believed, by field."""
        return [
            np.append(0.0, np.log2(belief[1:] / u[1:]))
            for belief, u in zip(self._beliefs, self.u, strict=True)
        ]

    def _weighs(self, shares: list[np.ndarray]) -> float:
        return sum(float((share * bits).sum()) for share, bits in zip(shares, self._bits(), strict=True))

    def _name(self) -> None:
        """Which kinds are matches."""
        most, first = self._weighs(self.kinds[0].shares), self.kinds[0]
        together = [first.pairs * share for share in first.shares]
        match = [True] + [False] * (len(self.kinds) - 1)
        for k in sorted(range(1, len(self.kinds)), key=lambda k: (-self._weighs(self.kinds[k].shares), k)):
            kind = self.kinds[k]
            more = [before + kind.pairs * share for before, share in zip(together, kind.shares, strict=True)]
            differ = max(
                float(each[_DIFFERENT] / each.sum())
                for each, size in zip(more, self._sizes, strict=True)
                if size > 2
            )
            weighs = self._weighs(kind.shares) / most
            if any(weighs >= least and differ < share for least, share in _MATCHES):
                match[k], together = True, more
        self.kinds = [replace(kind, match=match[k]) for k, kind in enumerate(self.kinds)]

    def _taken_over(self) -> bool:
        """Have matches become a kind that mostly differs in a field that tells persons apart? Then that is
        another kind, and they begin anew."""
        first, tops = self.kinds[0], np.array([bits[-1] for bits in self._bits()])
        differs = [
            size > 2 and share[_DIFFERENT] >= _HALF
            for size, share in zip(self._sizes, first.shares, strict=True)
        ]
        if not np.any(np.array(differs) & (tops >= _HALF * tops.mean())):
            return False
        shares = [
            u if apart else share for apart, share, u in zip(differs, first.shares, self.u, strict=True)
        ]
        self.kinds = [
            Kind(self._records / 2, self._beliefs, True),
            *self.kinds[1:],
            Kind(first.pairs, shares, False),
        ]
        return True

    def _cost(self) -> float:
        """What a kind's parameters cost, in nats."""
        return (
            (sum(max(size - 2, 0) for size in self._sizes) + 1)
            * float(np.log(max(self._counts.sum(), 2.0)))
            / 2
        )

    def matches(self) -> tuple[float, list[np.ndarray]]:
        """How many there are, and m of each field: float64 (levels,) by field."""
        kinds = [kind for kind in self.kinds if kind.match]
        pairs = sum(kind.pairs for kind in kinds)
        return pairs, [
            sum((kind.pairs / pairs * kind.shares[f] for kind in kinds), np.zeros(size))
            for f, size in enumerate(self._sizes)
        ]

    def together(self) -> list[Dependence]:
        """What levels of two fields weigh beyond the sum of both, as close to the mixture as that comes where
        it matters."""
        pairs, m = self.matches()
        each = self._each()[:, self._compared]
        levels, weights = self._levels[self._compared], self._weights(each)
        alone = np.log2(pairs / self._total) + bits_of(levels, m) - bits_of(levels, self.u)
        likely = 1.0 / (1.0 + np.exp2(-np.clip(weights, -60, 60)))
        trust = np.minimum(self._counts, _TRUSTED) * (likely * (1.0 - likely) + _DOUBT)
        begin = [Dependence(term.first, term.second, -term.table) for term in self.terms]
        return fitted(levels, weights - alone, trust, self._sizes, begin)


def _sum(bits: np.ndarray) -> np.ndarray:
    """float64 (n,): log2 of the sum over rows of 2 to the power of each."""
    most = bits.max(0)
    return most + np.log2(np.exp2(bits - most).sum(0))


def _share(counts: np.ndarray | float) -> np.ndarray:
    return np.asarray(counts) / max(float(np.sum(counts)), 1e-300)
