"""Probabilistic linkage: every pair that a rule makes is compared once to train the model, and once more to
find the links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from kernels.pairs import PATTERNS, Blocked, Pairs, stream
from pipelines.compute.ranks import Ranks
from pipelines.linkage.blocking import Blocks, all_blocks, useful
from pipelines.linkage.model import Model, sample, train
from pipelines.linkage.rows import Rows
from pipelines.linkage.settings import LinkageSettings

Progress = Callable[[str], None]

DOUBT: Final = -7000  # weight, in 1/1000 bits, below which a pair is not worth a doubt: less than 1 %


def compare(
    ranks: Ranks, candidates: Rows, settings: LinkageSettings, say: Progress
) -> tuple[Rows | None, dict[str, Any]]:
    """Pairs of clusters that may be one person, on rank 0: `left`, `right` (int64), `weight` (int32); and
    what was done, in counts.

    Those below the threshold too, down to `DOUBT`: they join nobody, but tell how sure it is that they do
    not.
    """
    seekers, number = (
        int(count)
        for count in ranks.sum(np.array([candidates["seeker"].sum(), len(candidates["seeker"])], np.int64))
    )
    report: dict[str, Any] = {"seekers": seekers, "candidates": number, "rules": [], "model": None}
    if not seekers:
        return (None if ranks.rank else _no_pairs()), report
    random_pairs = sample(ranks, candidates, settings)
    shared = useful(ranks, candidates)
    histogram, refused = _count(ranks, shared, settings, say)
    made = np.arange(len(histogram))
    report["rules"] = [
        {
            "keys": list(keys),
            "pairs": int(histogram[(made >> rule & 1).astype(bool)].sum()),
            "new_pairs": int(histogram[(made & ((2 << rule) - 1)) == 1 << rule].sum()),
            "blocks_too_large": int(refused[rule]),
        }
        for rule, keys in enumerate(settings.blocking)
    ]
    pairs = seekers * (number - seekers) + seekers * (seekers - 1) / 2
    model = ranks.broadcast(train(histogram, random_pairs, pairs, settings) if ranks.rank == 0 else None)
    report["model"] = model.description
    return _links(ranks, shared, model, settings, say), report


def _no_pairs() -> Rows:
    return {"left": np.empty(0, np.int64), "right": np.empty(0, np.int64), "weight": np.empty(0, np.int32)}


def _count(
    ranks: Ranks, rows: Rows, settings: LinkageSettings, say: Progress
) -> tuple[np.ndarray, np.ndarray]:
    rules = len(settings.blocking)
    histogram, refused = np.zeros((2**rules, PATTERNS), np.int64), np.zeros(rules, np.int64)
    for each in all_blocks(ranks, rows, settings):
        _walk(each, settings, histogram, np.zeros(PATTERNS, np.int32), 0, 0)
        refused[each.rule] = each.refused
        say(f"{each.rule + 1} of {rules} rules compared")
    return ranks.sum(histogram), ranks.sum(refused)


def _links(ranks: Ranks, rows: Rows, model: Model, settings: LinkageSettings, say: Progress) -> Rows | None:
    nothing = np.zeros((0, PATTERNS), np.int64)
    floor = min(round(settings.threshold * 1000), DOUBT)
    found = [_no_pairs()]
    for each in all_blocks(ranks, rows, settings):
        room = 1024 + 4 * int(each.seekers.sum())
        pairs, number = _walk(each, settings, nothing, model.weights, floor, room)
        if number > room:
            pairs, number = _walk(each, settings, nothing, model.weights, floor, number)
        cluster = each.people.cluster
        found.append(
            {
                "left": cluster[pairs.left[:number]],
                "right": cluster[pairs.right[:number]],
                "weight": pairs.weight[:number],
            }
        )
        say(f"{each.rule + 1} of {len(settings.blocking)} rules linked")
    gathered = ranks.gather({name: np.concatenate([part[name] for part in found]) for name in found[0]})
    return (
        None
        if gathered is None
        else {name: np.concatenate([part[name] for part in gathered]) for name in found[0]}
    )


def _walk(
    each: Blocks, settings: LinkageSettings, histogram: np.ndarray, weights: np.ndarray, floor: int, room: int
) -> tuple[Pairs, int]:
    pairs = Pairs(np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int32))
    number = stream(
        each.people,
        Blocked(each.keys, each.rule, each.begins, each.seekers),
        settings.near,
        settings.close,
        histogram,
        weights,
        floor,
        pairs,
    )
    return pairs, int(number)
