"""Clerical review: people decide a sample of pairs; their decisions say how right the links are, and bind the next run.

The sample is stratified by match weight, the estimates are Horvitz and Thompson's (1952). Their intervals are melded from exact ones
of the strata (Fay, Proschan and Brittain, 2015): in each stratum a lower and an upper confidence distribution of Clopper and Pearson
(1934), which are drawn and combined. The paper melds two samples, here it is one for each stratum: that such intervals hold the truth
at least as often as they say is what simulations show (in the tests), and not proven. They are cautious, the more so the fewer decisions.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast

import numpy as np

from pipelines.errors import DataError, SettingsError
from pipelines.files import digests, documents
from pipelines.files.atomic import atomic

Word = Literal["match", "no", "unsure", ""]
Interval = tuple[float, float, float] | None  # estimate, lower and upper limit; None where there is nothing to estimate

WORDS: Final = ("match", "no", "unsure")
_STEPS: Final = (0.0, 1.0, 2.0, 4.0, 8.0)  # bits above and below the threshold at which strata begin
_LEAST: Final = 4  # pairs of a stratum, at least
_DRAWS: Final = 8_000
_LEVEL: Final = 0.95
_SEED: Final = 1934
_OWN: Final = ("pair", "decision", "review")  # the columns that are read back
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")  # how a text begins that a spreadsheet would compute


class Record(NamedTuple):
    """A record of a person's table."""

    source: str
    id: str


@dataclass(frozen=True)
class Strata:
    """All pairs, cut by weight. `cuts`: bits, ascending, where the second and each further stratum begins; one of them is `threshold`.
    `sizes`: pairs of each stratum, `len(cuts) + 1` of them."""

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
    """Pairs to decide. `positions`: int64 (k,), which of the pairs, in the order in which they are shown; `bits`: float64 (k,), their
    weights; `strata`: int32 (k,), the stratum of each."""

    positions: np.ndarray
    bits: np.ndarray
    strata: np.ndarray
    of: Strata

    def __len__(self) -> int:
        return len(self.positions)

    def expansion(self) -> np.ndarray:
        """float64 (k,): how many pairs each stands for, the size of its stratum over the pairs sampled from it."""
        sizes = np.array(self.of.sizes, float)
        return (sizes / np.maximum(np.bincount(self.strata, minlength=len(sizes)), 1))[self.strata]


class Shown(NamedTuple):
    """What a reviewer sees of a pair. `values`: of each field the left and the right record's."""

    left: Record
    right: Record
    values: Mapping[str, tuple[str | None, str | None]]


class Decision(NamedTuple):
    """A pair, and what people say of it: "" is not decided yet."""

    pair: int
    left: Record
    right: Record
    bits: float
    stratum: int
    decision: Word


class Links(NamedTuple):
    """Pairs that people decided: what must be one person and what must not, for the next run."""

    must: tuple[tuple[Record, Record], ...]
    cannot: tuple[tuple[Record, Record], ...]


# ---- the sample -------------------------------------------------------------------------------------------------------------


def sample_for_review(weights: np.ndarray, threshold: float, size: int, seed: int = 0) -> Sample:
    """A stratified random sample of about `size` pairs, or all of them if there are no more.

    `weights`: float64 (n,), bits, finite. Strata begin 0, 1, 2, 4 and 8 bits above and below `threshold`. Each gives at least four pairs;
    of the rest, half is shared alike and half by Neyman's rule (1934): in proportion to a stratum's size times the standard deviation
    that the weights expect in it. Within a stratum the pairs of the smallest mixed positions are taken, so that each pair has the same
    chance and the same pairs give the same sample, on any machine; `seed` takes another. They are shown in mixed order: who
    stops halfway has decided a sample too. SettingsError where `size` does not reach for four pairs of each stratum.
    """
    if not np.isfinite(weights).all():
        raise ValueError("weights are finite")
    strata = Strata.of(weights, threshold)
    of = _strata(weights, strata.cuts)
    chance = np.bincount(of, weights=1 / (1 + np.exp2(-np.clip(weights, -60, 60))), minlength=len(strata.sizes))
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
        raise SettingsError("review", f"{size:,} pairs do not reach for {_LEAST} of each stratum", f"ask for {int(take.sum()):,} or more")
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


# ---- out to people, and back ------------------------------------------------------------------------------------------------


def key_path(path: Path) -> Path:
    """The file beside a review's CSV that remembers which pair is which; a spreadsheet may spoil the CSV's ids and numbers, not these."""
    return path.with_suffix(".json")


def write_review(path: Path, sample: Sample, pairs: Sequence[Shown]) -> None:
    """Write the CSV for people, and beside it, in JSON, what its pairs are. Both hold ids, the CSV also values: they stay in the zone.

    `pairs`: of each sampled pair, in the sample's order, what is shown. Columns: the pair's number, source and id of both records, the
    values of each field side by side, weight (bits), stratum, `decision` (to be filled) and the review's name.
    """
    rows = list(zip(pairs, sample.bits.tolist(), sample.strata.tolist(), strict=True))
    key: dict[str, Any] = {
        "threshold": sample.of.threshold, "cuts": list(sample.of.cuts), "sizes": list(sample.of.sizes),
        "pairs": [[*shown.left, *shown.right, bits, stratum] for shown, bits, stratum in rows],
    }  # fmt: skip
    fields = list(dict.fromkeys(name for shown in pairs for name in shown.values))
    sides = [f"{name}, {side}" for name in fields for side in ("left", "right")]
    header = ["pair", "left_source", "left_id", "right_source", "right_id", *sides, "weight", "stratum", "decision", "review"]
    documents.write_json(key, key_path(path))
    with atomic(path) as beside, beside.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.writer(file)
        out.writerow([_plain(name) for name in header])
        for number, (shown, bits, stratum) in enumerate(rows, 1):
            values = [value for name in fields for value in shown.values.get(name, (None, None))]
            texts = [_plain(text) for text in (*shown.left, *shown.right, *values)]
            out.writerow([number, *texts, f"{bits:.3f}", sample.of.name(stratum), "", _name(key)])


def read_decisions(path: Path) -> tuple[list[Decision], Strata]:
    """The decisions of a review, by pair, and its strata. DataError with the line of the first row that is not as it should be.

    Of the CSV only `pair`, `decision` and `review` are read; separators may be commas, semicolons or tabs, as spreadsheets write them.
    """
    beside = key_path(path)
    if path.exists() and not beside.exists():
        raise DataError(path, f"{beside.name}, which was written with the review, is not beside it", "put it there")
    key = documents.read_object(beside, "threshold", "cuts", "sizes", "pairs")
    name, known = _name(key), key["pairs"]
    said: dict[int, Word] = {}
    for where, pair, decision, review in _rows(path):
        if review.strip() != name:
            raise DataError(where, "is of another review than the JSON file beside", "put the file that came with it beside it")
        number = int(pair) if pair.strip().isdecimal() and len(pair) < 12 else 0
        if not 1 <= number <= len(known):
            raise DataError(where, "has no number of a pair of this review", "restore the column `pair`")
        if number in said:
            raise DataError(where, f"decides pair {number:,} a second time", "keep one of the rows")
        word = decision.strip().lower()
        if word not in (*WORDS, ""):
            raise DataError(where, "has another decision than match, no or unsure", "write one of them, or nothing")
        said[number] = cast(Word, word)
    missing = next((number for number in range(1, len(known) + 1) if number not in said), None)
    if missing is not None:
        raise DataError(path, f"lacks pair {missing:,}", "restore its row; leave `decision` empty where nobody decided")
    decisions = [
        Decision(number, Record(*each[:2]), Record(*each[2:4]), float(each[4]), int(each[5]), said[number])
        for number, each in enumerate(known, 1)
    ]
    return decisions, Strata(key["threshold"], tuple(key["cuts"]), tuple(key["sizes"]))


def _rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Where it stands, and the cells that are read, of each row. What else a spreadsheet did to the encoding does not matter."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            line = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=line.count), strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            lacking = next((name for name in _OWN if name not in header), None)
            if lacking is not None:
                raise DataError(f"{path}: line 1", f"names no column `{lacking}`", "restore the first line")
            places = [header.index(name) for name in _OWN]
            for cells in reader:
                where = f"{path}: line {reader.line_num}"
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise DataError(where, f"has {len(cells)} cells, not {len(header)}", "restore the row")
                pair, decision, review = (cells[place] for place in places)
                yield where, pair, decision, review
    except FileNotFoundError:
        raise DataError(path, "is not there", "check the path") from None
    except (csv.Error, IsADirectoryError):
        raise DataError(path, "does not read as CSV", "save it as CSV again") from None


def _plain(text: str | None) -> str:
    """A text as one line that no spreadsheet computes (CWE-1236)."""
    line = " ".join((text or "").splitlines())
    return f"'{line}" if line.startswith(_FORMULA) else line


def _name(key: Mapping[str, Any]) -> str:
    """The name of a review, twelve letters that follow from what it holds; letters, for a spreadsheet would round a number."""
    digest = digests.digest(json.loads(json.dumps(key)))
    return digest[:12].translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))


# ---- what the decisions say -------------------------------------------------------------------------------------------------


def estimate(decisions: Sequence[Decision], strata: Strata, threshold: float | None = None) -> dict[str, Any]:
    """Precision, recall and F1 of linking from `threshold` up (the sample's own if None), each `(estimate, low, high)` with 95 % limits.

    Recall is among the pairs that were sampled from: those compared whose weight reached the floor down to which pairs are kept. What is
    unsure is left out as if nobody had been asked; `unsure_as` gives the estimates if all of it were one or the other. `curve`: the same at
    each cut of the strata; `suggested`: the cut of the best F1, bits. DataError where a stratum has no decided pair, SettingsError where
    `threshold` is no cut.
    """
    at = strata.threshold if threshold is None else threshold
    if at not in strata.cuts:
        raise SettingsError(
            "review", f"{at:g} bits is no edge of a stratum", f"ask for one of {', '.join(f'{cut:g}' for cut in strata.cuts)}"
        )
    counts = {word: _counts(decisions, strata, word) for word in WORDS}
    curve = _curve(strata, counts["match"], counts["no"])
    here = next(each for each in curve if each["bits"] == at)
    best = max(curve, key=lambda each: (each["f1"][0] if each["f1"] else -1.0, -abs(each["bits"] - at)))
    unsure = counts["unsure"]
    return {
        **{name: here[name] for name in ("precision", "recall", "f1")},
        "threshold": at, "decided": int((counts["match"] + counts["no"]).sum()), "unsure": int(unsure.sum()),
        "unsure_as": {
            "match": _points(strata, counts["match"] + unsure, counts["no"], at),
            "no": _points(strata, counts["match"], counts["no"] + unsure, at),
        },
        "curve": curve, "suggested": best["bits"] if best["f1"] else None,
    }  # fmt: skip


def decided_links(decisions: Sequence[Decision]) -> Links:
    """The pairs that people decided, in the order of the review; unsure ones are in neither."""
    must = tuple((each.left, each.right) for each in decisions if each.decision == "match")
    return Links(must, tuple((each.left, each.right) for each in decisions if each.decision == "no"))


def _counts(decisions: Sequence[Decision], strata: Strata, word: Word) -> np.ndarray:
    """int64 (strata,): pairs so decided."""
    return np.bincount([each.stratum for each in decisions if each.decision == word], minlength=len(strata.sizes)).astype(np.int64)


def _curve(strata: Strata, matches: np.ndarray, others: np.ndarray) -> list[dict[str, Any]]:
    point = _matches(strata, matches, others)
    low, high = _limits(np.array(strata.sizes), matches, matches + others)
    found = []
    for place, bits in enumerate(strata.cuts):
        pairs = float(sum(strata.sizes[place + 1 :]))
        sides = [(each[: place + 1].sum(0), each[place + 1 :].sum(0)) for each in (point, low, high)]
        (below, above), (below_low, above_low), (below_high, above_high) = sides
        # All three grow with the matches above the threshold; recall and F1 shrink with those below.
        worst, best = _ratios(above_low, below_high, pairs), _ratios(above_high, below_low, pairs)
        row: dict[str, Any] = {"bits": bits}
        for name, value in _ratios(above, below, pairs).items():
            row[name] = _interval(value, worst[name], best[name])
        found.append(row)
    return found


def _matches(strata: Strata, matches: np.ndarray, others: np.ndarray) -> np.ndarray:
    """float64 (strata,): Horvitz and Thompson's estimate of the matches of each."""
    sizes, decided = np.array(strata.sizes, float), matches + others
    empty = np.flatnonzero((sizes > 0) & (decided == 0))
    if len(empty):
        raise DataError("review", f"no pair of {strata.name(int(empty[0]))} is decided", "decide at least one of each stratum")
    return sizes * matches / np.maximum(decided, 1)


def _points(strata: Strata, matches: np.ndarray, others: np.ndarray, bits: float) -> dict[str, float | None]:
    found, place = _matches(strata, matches, others), strata.cuts.index(bits) + 1
    ratios = _ratios(found[place:].sum(), found[:place].sum(), float(sum(strata.sizes[place:])))
    return {name: None if np.isnan(value) else float(value) for name, value in ratios.items()}


def _ratios(above: np.ndarray, below: np.ndarray, pairs: float) -> dict[str, np.ndarray]:
    """Precision, recall and F1 from matches above and below a threshold and pairs above; NaN for 0 of 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        every = above + below
        return {
            "precision": np.divide(above, pairs), "recall": np.divide(above, every), "f1": np.divide(2 * above, pairs + every)
        }  # fmt: skip


def _limits(sizes: np.ndarray, matches: np.ndarray, decided: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float64 (strata, draws), both: matches of each stratum drawn from its lower and from its upper confidence distribution.

    Beta(k, n - k + 1) and Beta(k + 1, n - k) are Clopper and Pearson's limits at all levels at once; they speak of the pairs that nobody
    decided, whose matches are then drawn from them.
    """
    random = np.random.default_rng(_SEED)
    low, high = np.zeros((len(sizes), _DRAWS)), np.zeros((len(sizes), _DRAWS))
    for stratum, (size, k, n) in enumerate(zip(sizes.tolist(), matches.tolist(), decided.tolist(), strict=True)):
        p_low = random.beta(k, n - k + 1, _DRAWS) if k else np.zeros(_DRAWS)
        p_high = random.beta(k + 1, n - k, _DRAWS) if k < n else np.ones(_DRAWS)
        low[stratum] = k + random.binomial(size - n, p_low)
        high[stratum] = k + random.binomial(size - n, p_high)
    return low, high


def _interval(value: np.ndarray, worst: np.ndarray, best: np.ndarray) -> Interval:
    if np.isnan(value):
        return None
    low = float(np.nanquantile(worst, (1 - _LEVEL) / 2)) if not np.isnan(worst).all() else 0.0
    high = float(np.nanquantile(best, (1 + _LEVEL) / 2)) if not np.isnan(best).all() else 1.0
    return float(value), min(low, float(value)), max(high, float(value))
