"""The charts of a linkage report; each comes with what it shows in words and with its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pipelines.linkage import report_words as words
from pipelines.linkage.report_forms import Bar, bars_across, columns, lines


@dataclass(frozen=True)
class Data:
    """The numbers of a chart as printed; of the columns, from `numeric` on they are numbers."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]] = ()
    numeric: int = 1


@dataclass(frozen=True)
class Chart:
    """A picture, its caption, what it shows in words (`alt`), and its numbers. `svg` is empty where there is
    nothing to draw."""

    caption: str
    alt: str
    svg: Markup
    data: Data


def weights(fields: Mapping[str, Sequence[Mapping[str, Any]]]) -> Chart:
    """What each level of each field weighs, best level first."""
    bars, rows = [], []
    for name, levels in fields.items():
        bars.append(Bar(name))
        for each in reversed(levels):
            weight = float(each["bits"])
            bars.append(
                Bar(str(each["level"]), 0.0, weight, words.bits(weight), "for" if weight >= 0 else "against")
            )
            rows.append((name, str(each["level"]), words.bits(weight)))
    alt = f"Bars of the match weight of {len(rows)} levels of {len(fields)} fields"
    if rows:
        most = max((bar for bar in bars if bar.end is not None), key=lambda bar: abs(bar.end or 0.0))
        alt += f"; the heaviest is {most.text} bits"
    caption = (
        "Bits that each level adds to a pair's match weight (right) or takes from it (left). One bit "
        "doubles the odds."
    )
    return Chart(caption, alt, bars_across(bars, alt), Data(("field", "level", "bits"), rows, 2))


def curve(points: Sequence[Mapping[str, Any]], threshold: float) -> Chart:
    """Expected precision and recall against the threshold."""
    rows = [
        (f"{each['bits']:g}", words.share(each["precision"]), words.share(each["recall"])) for each in points
    ]
    alt = (
        "Lines of expected precision and recall against the threshold in bits; the threshold chosen is "
        f"{threshold:g} bits"
    )
    caption = (
        "Expected precision and recall if the threshold were another. The upright line is the "
        f"threshold chosen, {threshold:g} bits."
    )
    return Chart(
        caption,
        alt,
        lines(points, threshold, alt),
        Data(("threshold, bits", "precision", "recall"), rows, 0),
    )


def histogram(pairs: Mapping[str, int], threshold: float) -> Chart:
    """Pairs by whole bits; on a log scale."""
    counts = {int(place): int(number) for place, number in pairs.items() if int(number) > 0}
    ordered = sorted(counts)
    rows = [(f"{place} to {place + 1}".replace("-", "−"), words.count(counts[place])) for place in ordered]
    alt = (
        "Columns of the number of compared pairs by match weight, on a log scale; the threshold is "
        f"{threshold:g} bits"
    )
    caption = (
        "Compared pairs by match weight, on a log scale. A valley at the threshold (upright line) "
        "tells links from the rest well."
    )
    return Chart(caption, alt, columns(counts, threshold, alt), Data(("bits", "pairs"), rows))


def blocking(rules: Sequence[Mapping[str, Any]]) -> Chart:
    """Pairs that each rule made first, and what each rule cost."""
    bars, rows = [], []
    for each in rules:
        new = each.get("new_pairs")
        keys = _keys(each["keys"])
        made = each["pairs_at_most"] if new is None else new
        bars.append(Bar(keys, 0.0, float(made), words.count(made)))
        largest = ", ".join(words.count(size) for size in each.get("largest_blocks", []))
        blocks = [each.get(name) for name in ("blocks", "blocks_divided", "rows_left_out")]
        counts = [words.count(number) for number in (each["pairs_at_most"], new, *blocks)]
        rows.append((keys, *counts, f"{each.get('seconds_a_core', 0):,.1f}", largest))
    header = (
        "rule",
        "pairs at most",
        "new pairs",
        "blocks",
        "blocks divided",
        "rows left out",
        "seconds a core",
        "records of the largest blocks",
    )
    alt = f"Bars of the pairs that each of {len(bars)} blocking rules made and no rule before it"
    caption = (
        "Pairs that each rule makes and none before it made. Two records are compared only if a rule "
        "brings them together."
    )
    return Chart(caption, alt, bars_across(bars, alt, above=True), Data(header, rows))


def cluster_sizes(sizes: Mapping[str, int]) -> Chart:
    """Clusters by their number of records; bars on a log scale."""
    rows = [
        (label, number)
        for label, number in _grouped({int(size): int(number) for size, number in sizes.items()})
        if number
    ]
    bars = [
        Bar(
            f"{label} record{'' if label == '1' else 's'}", 0.0, math.log10(number) + 0.3, words.count(number)
        )
        for label, number in rows
    ]
    alt = "Bars of the number of clusters by size, on a log scale: " + ", ".join(
        f"{words.count(number)} of {label}" for label, number in rows[:6]
    )
    caption = "Clusters by the records in them, bars on a log scale. Very large ones deserve a look."
    return Chart(
        caption,
        alt,
        bars_across(bars, alt),
        Data(("records", "clusters"), [(label, words.count(number)) for label, number in rows]),
    )


def waterfall(prior: float, steps: Sequence[tuple[str, str, float]], total: float) -> Chart:
    """How a pair's weight comes about. `steps`: field, what the pair shows, bits; what they leave of `total`
    is named for what it is."""
    rest = total - prior - sum(step[2] for step in steps)
    every = [("before anything is compared", "", prior), *steps]
    if abs(rest) >= 0.005:
        every.append(("fields that go together, rare values", "", rest))
    bars, rows, level = [], [], 0.0
    for name, shown, weight in every:
        label = f"{name}: {shown}" if shown else name
        bars.append(
            Bar(label, level, level + weight, words.bits(weight), "for" if weight >= 0 else "against")
        )
        level += weight
        rows.append((name, shown, words.bits(weight), words.bits(level)))
    bars.append(Bar("together", 0.0, total, f"{words.bits(total)} bits, {words.odds(total)}", "bar"))
    alt = (
        f"Waterfall from {words.bits(prior)} bits before anything is compared to {words.bits(total)} bits: "
        + ", ".join(f"{name} {words.bits(weight)}" for name, _, weight in every[1:])
    )
    return Chart(
        "",
        alt,
        bars_across(bars, alt, above=True),
        Data(("field", "what the pair shows", "bits", "together"), rows, 2),
    )


def _grouped(sizes: Mapping[int, int]) -> list[tuple[str, int]]:
    """Sizes up to ten each, larger ones together."""
    groups = [(size, size) for size in range(1, 11)]
    groups += [(11, 20), (21, 50), (51, 100), (101, 1000), (1001, 10**12)]
    names = [str(low) if low == high else f"{low:,} to {high:,}" for low, high in groups[:-1]]
    names.append("over 1,000")
    return [
        (name, sum(number for size, number in sizes.items() if low <= size <= high))
        for name, (low, high) in zip(names, groups, strict=True)
    ]


def _keys(keys: str | Sequence[str]) -> str:
    return keys if isinstance(keys, str) else ", ".join(keys)
