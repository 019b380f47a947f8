"""The model of a linkage: what each level of each field weighs, how rare values and correlated fields change
that, and the prior odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kernels import mixture
from kernels.comparisons import LEVELS
from kernels.streams import Weights
from pipelines.linkage.dependence import Dependence, tree
from pipelines.linkage.evidence import Evidence
from pipelines.linkage.fields import Field
from pipelines.linkage.keys import Key, fixed_fields
from pipelines.linkage.kinds import Kinds
from pipelines.linkage.levels import FLOOR, believed, level_of, levels_of, never_nothing
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.pairs import Pairs, Patterns

SCALE = 1000  # weights are integers, in 1/1000 bits
NEAR_SHARE = 0.5  # of what a rare value adds, for the level next to equal
_FIXED = 0.98  # a rule whose pairs agree in a field as often as this says nothing of that field
_RAREST = 12.0  # bits that a rare value adds at most
_BITS_A_DICE = 50.0
_DRAWN = 20.0  # random pairs by which dependences among strangers are drawn towards none


@dataclass(frozen=True)
class Model:
    """`levels`: names by field. `m`, `u`: float64 (levels,) by field, position 0 unused. `prior`: match odds
    of any two records, in bits. `rarity`: {field: int32 (values,)}, what a value adds where both hold it, in
    1/1000 bits. `dependence`: fields that go together. `kinds`: kinds of pairs that EM found beside strangers
    and matches, whose weight is in `dependence`. `notes`: what the training found."""

    levels: dict[str, tuple[str, ...]]
    m: list[np.ndarray]
    u: list[np.ndarray]
    prior: float
    rarity: dict[str, np.ndarray]
    dependence: list[Dependence] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    trained_by: dict[str, list[str]] = field(default_factory=dict)
    kinds: int = 0

    def weights(self) -> np.ndarray:
        """int64 (fields, LEVELS): what each level weighs; unknown weighs nothing."""
        table = np.zeros((len(self.m), LEVELS), np.int64)
        for place, (m, u) in enumerate(zip(self.m, self.u, strict=True)):
            table[place, 1 : len(m)] = np.rint(SCALE * np.log2(m[1:] / u[1:]))
        return table

    def together(self) -> np.ndarray:
        """int64 (terms, LEVELS, LEVELS): what levels of dependent fields weigh beyond the sum of both."""
        tables = [np.rint(SCALE * each.table).astype(np.int64) for each in self.dependence]
        return np.stack(tables) if tables else np.zeros((0, LEVELS, LEVELS), np.int64)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """int8 (terms,), int8 (terms,): the two fields of each term."""
        first = np.array([each.first for each in self.dependence], np.int8)
        return first, np.array([each.second for each in self.dependence], np.int8)

    def most(self, floor: float) -> Weights:
        """What the kernels need to keep the pairs that weigh `floor` bits or more."""
        table, tops = self.weights(), np.array([len(levels) - 1 for levels in self.levels.values()], np.int8)
        most, begins, parts = table.copy(), [0], [np.zeros(0, np.int32)]
        for place, name in enumerate(self.levels):
            rarity = self.rarity.get(name, parts[0])
            begins.append(begins[-1] + len(rarity))
            if len(rarity):
                parts.append(rarity)
                most[place, tops[place]] += max(int(rarity.max()), 0)
                most[place, tops[place] - 1] += (
                    max(int(rarity.max() * NEAR_SHARE), 0) if tops[place] > 2 else 0
                )
        first, second = self.ends()
        return Weights(
            levels=table,
            together=self.together(),
            first=first,
            second=second,
            floor=round((floor - self.prior) * SCALE),
            rarity=np.concatenate(parts),
            rarity_begins=np.array(begins, np.int64),
            near=round(NEAR_SHARE * 1000),
            most=most,
            tops=tops,
        )

    def of_patterns(self, patterns: np.ndarray) -> np.ndarray:
        """int64 (n,): match weight of each pattern in 1/1000 bits, the prior included, rarity left out.

        `patterns`: int64 (n,).
        """
        table, together = self.weights(), self.together()
        total = np.full(len(patterns), round(self.prior * SCALE), np.int64)
        for place in range(len(self.m)):
            total += table[place][level_of(patterns, place)]
        for term, each in enumerate(self.dependence):
            total += together[term][level_of(patterns, each.first), level_of(patterns, each.second)]
        return total

    def of_pairs(self, pairs: Pairs, codes: np.ndarray) -> np.ndarray:
        """int64 (n,): match weight of each pair. `codes`: int32 (records, fields)."""
        total = self.of_patterns(pairs.patterns)
        for place, (name, levels) in enumerate(self.levels.items()):
            rarity = self.rarity.get(name)
            if rarity is None or not len(rarity):
                continue
            level = level_of(pairs.patterns, place)
            left, right = codes[pairs.left, place], codes[pairs.right, place]
            total += np.where(level == len(levels) - 1, rarity[left], 0)
            if len(levels) > 3:
                near = (level == len(levels) - 2) & (left >= 0) & (right >= 0)
                total += np.where(near, np.minimum(rarity[left], rarity[right]) * NEAR_SHARE, 0).astype(
                    np.int64
                )
        return total


_NOBODY = Patterns(np.empty(0, np.int64), np.empty(0, np.int64))


def by_em(
    fields: Mapping[str, Field],
    rules: Sequence[Sequence[Key]],
    evidence: Evidence,
    counts: Mapping[str, np.ndarray],
    records: int,
    strength: float,
    dependent: bool,
) -> Model:
    """The model by EM over all pairs: those that no rule makes are no matches, and random pairs stand for
    them; m of a field is learned within the rules that do not fix it. Besides strangers and matches there may
    be other kinds of pairs (`kinds.py`).

    `counts`: {field: int32 (values,)}, how many of the `records` hold each value. `strength`: matches that
    the beliefs about levels weigh. `dependent`: are dependences modelled?
    """
    levels = {name: each.level_names() for name, each in fields.items()}
    sizes = [len(each) for each in levels.values()]
    free, notes, trained = _free(list(fields), rules, evidence.by_rule, sizes)
    within = [
        Patterns.merged([(each.patterns, each.counts) for each in (evidence.by_rule[rule] for rule in some)])
        for some in free
    ]
    kinds = Kinds(
        evidence,
        [each if each.counts.sum() else evidence.compared for each in within],
        sizes,
        strength,
        max(records, 2),
    )
    kinds.learn(dependent)
    matches, m = kinds.matches()
    prior = float(np.log2(max(matches, 1.0) / evidence.total))
    notes += _told(kinds, list(fields))
    together = kinds.together() if dependent else []
    return Model(
        levels=levels,
        m=m,
        u=kinds.u,
        prior=prior,
        rarity=rarity(fields, counts),
        dependence=together,
        notes=notes,
        trained_by=trained,
        kinds=len(kinds.kinds) - 1,
    )


def _told(kinds: Kinds, names: Sequence[str]) -> list[str]:
    """The kinds of pairs besides strangers and matches, in words."""
    found = []
    for kind in kinds.kinds[1:]:
        shared = [
            name for name, share in zip(names, kind.shares, strict=True) if len(share) > 2 and share[1] < 0.5
        ]
        known = "matches" if kind.match else "no matches"
        found.append(
            f"about {kind.pairs:,.0f} pairs that share {', '.join(shared) or 'nothing'} alone count as "
            f"{known}"
        )
    return found


def by_belief(
    fields: Mapping[str, Field], evidence: Evidence, counts: Mapping[str, np.ndarray], records: int
) -> Model:
    """A model to begin with: m as believed, u from random pairs, and one match for every two records.
    Clusters teach the rest.

    `counts`: {field: int32 (values,)}, how many of the `records` hold each value.
    """
    names, levels = list(fields), {name: each.level_names() for name, each in fields.items()}
    sizes = [len(each) for each in levels.values()]
    strangers = _Strangers(
        replace(evidence, compared=_NOBODY), levels_of(_NOBODY.patterns, len(names)), sizes
    )
    prior = float(np.log2(max(records, 2) / 2 / evidence.total))
    u = strangers.shares(np.empty(0))
    return Model(
        levels,
        [believed(size) for size in sizes],
        u,
        prior,
        rarity(fields, counts),
        notes=["m is learned from clusters"],
    )


def by_dice(fields: Mapping[str, Field], threshold: float) -> Model:
    """A model for encodings: the Dice coefficient above a threshold, as weights. One number cannot tell
    errors from strangers, so nothing is learned and the weights are no log odds; the threshold is about 0.8
    (Schnell, Bachteler and Reiher, 2009)."""
    levels, halves = {name: each.level_names() for name, each in fields.items()}, []
    for name, each in fields.items():
        dice = np.array(
            [
                0.0,
                threshold - 0.2,
                *(float(level.split()[-1]) if " " in level else 1.0 for level in levels[name][2:]),
            ]
        )
        halves.append(
            2.0 ** ((dice - threshold) * _BITS_A_DICE / 2 + 0.25)
            if each.compare
            else np.ones(len(levels[name]))
        )
    notes = ["weights follow the Dice coefficient and are no probabilities"]
    return Model(levels, halves, [1 / each for each in halves], 0.0, {}, notes=notes)


@dataclass(frozen=True)
class Lesson:
    """Clusters to learn from. `inside`: patterns of all pairs inside them; `linked`: of those among these
    that the rules make. `codes`: int32 (n, fields), the value that each record holds, -1 if unknown; `label`:
    int32 (n,), its cluster."""

    inside: Patterns
    linked: Patterns
    codes: np.ndarray
    label: np.ndarray


def learned(model: Model, settings: LinkSettings, evidence: Evidence, lesson: Lesson) -> Model:
    """The model that clusters teach (classification EM; Celeux and Govaert, 1992).

    A value counts once for each cluster that holds it, so that a person with many records does not make a
    name common. Where EM found kinds of pairs, what goes together stays as it is, for clusters do not tell
    kinds apart.
    """
    fields, inside, both = settings.fields, lesson.inside, settings.training == "clusters"
    if not inside.counts.sum():
        return model
    names, sizes = list(fields), [len(each) for each in model.levels.values()]
    counts = {
        name: held(lesson.codes[:, place], lesson.label)
        for place, name in enumerate(names)
        if fields[name].weighs_rarity()
    }
    table, pairs = levels_of(inside.patterns, len(names)), inside.counts.astype(np.float64)
    m = []
    for place, size in enumerate(sizes):
        total = mixture.level_counts(table[:, place], pairs, size) + believed(size)
        m.append(never_nothing(total / total.sum()))
    prior = float(np.log2(max(float(pairs.sum()), 1.0) / evidence.total))
    model = replace(model, m=m, prior=prior, rarity=rarity(fields, counts))
    if model.kinds:
        return model
    if both:
        evidence = replace(evidence, compared=_NOBODY)
    apart = evidence.compared.without(lesson.linked) if not both else _NOBODY
    strangers = _Strangers(evidence, levels_of(apart.patterns, len(names)), sizes)
    left = apart.counts.astype(np.float64)
    terms: list[Dependence] = []
    if settings.interactions:
        among = tree(table, pairs, sizes, settings.prior_strength) if both else []
        terms = [*among, *strangers.terms(left)]
    return replace(model, u=strangers.shares(left), dependence=terms)


class _Strangers:
    """Pairs that are no match: those that rules make, as far as they are none, and all others, for which
    random pairs stand."""

    def __init__(self, evidence: Evidence, table: np.ndarray, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        others = max(evidence.total - float(evidence.compared.counts.sum()), 0.0)
        alone = not evidence.compared.counts.sum()
        scale = 1.0 if alone else others / max(float(evidence.at_random.counts.sum()), 1.0)
        self._random, self._strength = evidence.at_random.counts * scale, _DRAWN if alone else 1.0
        self._levels = np.concatenate([table, levels_of(evidence.at_random.patterns, len(sizes))])

    def _counts(self, compared: np.ndarray) -> np.ndarray:
        return np.concatenate([compared, self._random])

    def shares(self, compared: np.ndarray) -> list[np.ndarray]:
        """u of each field. `compared`: float64, pairs of each pattern that rules make and are no match."""
        weights, found = self._counts(compared), []
        for place, size in enumerate(self._sizes):
            share = mixture.level_counts(self._levels[:, place], weights, size)
            found.append(never_nothing(share / max(float(share.sum()), 1.0)))
        return found

    def terms(self, compared: np.ndarray) -> list[Dependence]:
        """What dependences among them take away from the weight of pairs."""
        found = tree(self._levels, self._counts(compared), self._sizes, self._strength)
        return [Dependence(each.first, each.second, -each.table) for each in found]


def _free(
    names: Sequence[str], rules: Sequence[Sequence[Key]], by_rule: Sequence[Patterns], sizes: Sequence[int]
) -> tuple[list[list[int]], list[str], dict[str, list[str]]]:
    """For each field the rules that can train it: not those whose keys fix it, nor those whose pairs all
    agree in it for another reason."""
    free: list[list[int]] = [[] for _ in names]
    notes: list[str] = []
    trained: dict[str, list[str]] = {name: [] for name in names}
    for place, name in enumerate(names):
        for number, (rule, seen) in enumerate(zip(rules, by_rule, strict=True)):
            share = mixture.level_counts(level_of(seen.patterns, place), seen.counts, sizes[place])
            words = ", ".join(map(str, rule))
            if name in fixed_fields(rule) or not share.sum():
                continue
            if share[-1] >= _FIXED * share.sum():
                notes.append(f"the rule {words} fixes {name}, which other rules train")
                continue
            free[place].append(number)
            trained[name].append(words)
        if not free[place]:
            notes.append(f"every rule fixes {name}; its m is learned from all pairs and may be too good")
    return free, notes, trained


def held(codes: np.ndarray, label: np.ndarray) -> np.ndarray:
    """int64 (values,): clusters that hold each value.

    `codes`: int32 (n,), the value that each record holds, -1 if unknown; `label`: int32 (n,), its cluster.
    """
    known = codes >= 0
    once = np.unique(label[known].astype(np.int64) << 32 | codes[known])
    return np.bincount(once & 0xFFFFFFFF)


def rarity(fields: Mapping[str, Field], counts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What each value adds where two records hold it: log2 of the mean frequency over its own, in 1/1000 bits
    (Winkler, 2000).

    `counts`: {field: int32 or int64 (values,)}, how many hold each value. Returns {field: int32 (values,)}.
    """
    found = {}
    for name, each in fields.items():
        if each.weighs_rarity() and name in counts and counts[name].sum() > 1:
            frequency = np.maximum(counts[name], 1) / counts[name].sum()
            mean = max(float((frequency**2)[counts[name] > 0].sum()), FLOOR)
            found[name] = np.rint(SCALE * np.clip(np.log2(mean / frequency), -_RAREST, _RAREST)).astype(
                np.int32
            )
    return found
