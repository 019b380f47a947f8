"""The charts of a linkage report: SVG that fits any width, in percent across and pixels down, so that its letters keep their size.

Each comes with what it shows in words and with its numbers. Colours are classes of the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from markupsafe import Markup, escape

_ROW: Final = 22  # px of a bar with its room
_LABELS: Final = 42.0  # percent of the width for labels beside bars
_LETTER: Final = 8.0  # px, at most, of a digit
_NARROW: Final = 330.0  # px: room is made for texts as if no wider
_LONGEST: Final = 21  # letters of a label beside a bar
_LONGEST_ABOVE: Final = 46  # and above one
_MOST_COLUMNS: Final = 120


@dataclass(frozen=True)
class Data:
    """The numbers of a chart as printed; of the columns, from `numeric` on they are numbers."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]] = ()
    numeric: int = 1


@dataclass(frozen=True)
class Chart:
    """A picture, its caption, what it shows in words (`alt`), and its numbers. `svg` is empty where there is nothing to draw."""

    caption: str
    alt: str
    svg: Markup
    data: Data


class Bar(NamedTuple):
    """A bar from `begin` to `end`, its label and the text at its end; `mark`: class of its colour. Without `end` a heading."""

    label: str
    begin: float = 0.0
    end: float | None = None
    text: str = ""
    mark: str = "bar"


# ---- numbers in words -------------------------------------------------------------------------------------------------------


def bits(value: float) -> str:
    """A weight, with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def count(value: float | None) -> str:
    """A whole number, or a dash."""
    return "–" if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """A share in percent, or a dash."""
    return "–" if value is None else f"{value:.2%}"


def chance(value: float) -> str:
    """m or u."""
    return f"{value:.4f}" if value >= 0.001 else f"{value:.1e}"


def odds(value: float) -> str:
    """The probability that a match weight, prior included, stands for."""
    probability = 1 / (1 + 2 ** -max(min(value, 60.0), -60.0))
    return f"{probability:.2%}" if 0.0001 <= probability <= 0.9999 else (f"below {0.0001:.2%}" if value < 0 else f"above {0.9999:.2%}")


# ---- the charts -------------------------------------------------------------------------------------------------------------


def weights(fields: Mapping[str, Sequence[Mapping[str, Any]]]) -> Chart:
    """What each level of each field weighs, best level first."""
    bars, rows = [], []
    for name, levels in fields.items():
        bars.append(Bar(name))
        for each in reversed(levels):
            weight = float(each["bits"])
            bars.append(Bar(str(each["level"]), 0.0, weight, bits(weight), "for" if weight >= 0 else "against"))
            rows.append((name, str(each["level"]), bits(weight)))
    alt = f"Bars of the match weight of {len(rows)} levels of {len(fields)} fields"
    if rows:
        most = max((bar for bar in bars if bar.end is not None), key=lambda bar: abs(bar.end or 0.0))
        alt += f"; the heaviest is {most.text} bits"
    caption = "Bits that each level adds to a pair's match weight (right) or takes from it (left). One bit doubles the odds."
    return Chart(caption, alt, _bars(bars, alt), Data(("field", "level", "bits"), rows, 2))


def curve(points: Sequence[Mapping[str, Any]], threshold: float) -> Chart:
    """Expected precision and recall against the threshold."""
    rows = [(f"{each['bits']:g}", share(each["precision"]), share(each["recall"])) for each in points]
    alt = f"Lines of expected precision and recall against the threshold in bits; the threshold chosen is {threshold:g} bits"
    caption = f"Expected precision and recall if the threshold were another. The upright line is the threshold chosen, {threshold:g} bits."
    return Chart(caption, alt, _lines(points, threshold, alt), Data(("threshold, bits", "precision", "recall"), rows, 0))


def histogram(pairs: Mapping[str, int], threshold: float) -> Chart:
    """Pairs by whole bits; on a log scale."""
    counts = {int(place): int(number) for place, number in pairs.items() if int(number) > 0}
    ordered = sorted(counts)
    rows = [(f"{place} to {place + 1}".replace("-", "−"), count(counts[place])) for place in ordered]
    alt = f"Columns of the number of compared pairs by match weight, on a log scale; the threshold is {threshold:g} bits"
    caption = "Compared pairs by match weight, on a log scale. A valley at the threshold (upright line) tells links from the rest well."
    return Chart(caption, alt, _columns(counts, threshold, alt), Data(("bits", "pairs"), rows))


def blocking(rules: Sequence[Mapping[str, Any]]) -> Chart:
    """Pairs that each rule made first, and what each rule cost."""
    bars, rows = [], []
    for each in rules:
        new = each.get("new_pairs")
        keys = _keys(each["keys"])
        bars.append(
            Bar(keys, 0.0, float(each["pairs_at_most"] if new is None else new), count(each["pairs_at_most"] if new is None else new))
        )
        largest = ", ".join(count(size) for size in each.get("largest_blocks", []))
        numbers = [each["pairs_at_most"], new, each.get("blocks"), each.get("blocks_divided"), each.get("rows_left_out")]
        rows.append((keys, *[count(number) for number in numbers], f"{each.get('seconds_a_core', 0):,.1f}", largest))
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
    caption = "Pairs that each rule makes and none before it made. Two records are compared only if a rule brings them together."
    return Chart(caption, alt, _bars(bars, alt, above=True), Data(header, rows))


def cluster_sizes(sizes: Mapping[str, int]) -> Chart:
    """Clusters by their number of records; bars on a log scale."""
    rows = [(label, number) for label, number in _grouped({int(size): int(number) for size, number in sizes.items()}) if number]
    bars = [Bar(f"{label} record{'' if label == '1' else 's'}", 0.0, math.log10(number) + 0.3, count(number)) for label, number in rows]
    alt = "Bars of the number of clusters by size, on a log scale: " + ", ".join(
        f"{count(number)} of {label}" for label, number in rows[:6]
    )
    caption = "Clusters by the records in them, bars on a log scale. Very large ones deserve a look."
    return Chart(caption, alt, _bars(bars, alt), Data(("records", "clusters"), [(label, count(number)) for label, number in rows]))


def waterfall(prior: float, steps: Sequence[tuple[str, str, float]], total: float) -> Chart:
    """How a pair's weight comes about. `steps`: field, what the pair shows, bits; what they leave of `total` is named for what it is."""
    rest = total - prior - sum(step[2] for step in steps)
    every = [("before anything is compared", "", prior), *steps]
    if abs(rest) >= 0.005:
        every.append(("fields that go together, rare values", "", rest))
    bars, rows, level = [], [], 0.0
    for name, shown, weight in every:
        label = f"{name}: {shown}" if shown else name
        bars.append(Bar(label, level, level + weight, bits(weight), "for" if weight >= 0 else "against"))
        level += weight
        rows.append((name, shown, bits(weight), bits(level)))
    bars.append(Bar("together", 0.0, total, f"{bits(total)} bits, {odds(total)}", "bar"))
    alt = f"Waterfall from {bits(prior)} bits before anything is compared to {bits(total)} bits: " + ", ".join(
        f"{name} {bits(weight)}" for name, _, weight in every[1:]
    )
    return Chart("", alt, _bars(bars, alt, above=True), Data(("field", "what the pair shows", "bits", "together"), rows, 2))


# ---- their forms ------------------------------------------------------------------------------------------------------------


def _bars(bars: Sequence[Bar], alt: str, above: bool = False) -> Markup:
    """Bars across, with labels beside or `above` them."""
    drawn = [bar for bar in bars if bar.end is not None]
    if not drawn:
        return Markup("")
    left = 0.0 if above else _LABELS
    scale = _Scale.around(drawn, left)
    parts, y = [], 0
    for bar in bars:
        if bar.end is None:
            parts.append(_text(bar.label, 0, y + 17, _LONGEST_ABOVE, "head"))
            y += _ROW + 2
            continue
        if above:
            parts.append(_text(bar.label, 0, y + 14, _LONGEST_ABOVE))
            y += 19
        else:
            parts.append(_text(bar.label, 0, y + 15, _LONGEST))
        begin, end = sorted((scale.at(bar.begin), scale.at(bar.end)))
        parts.append(_element("rect", x=_percent(begin), width=_percent(max(end - begin, 0.15)), y=y + 3, height=_ROW - 6, class_=bar.mark))
        right = bar.end >= bar.begin
        parts.append(
            _element(
                "text",
                bar.text,
                x=_percent(end if right else begin),
                dx=5 if right else -5,
                y=y + 15,
                text_anchor="start" if right else "end",
            )
        )
        y += _ROW + (4 if above else 0)
    zero = _percent(scale.at(0.0))
    return _picture([_element("line", x1=zero, x2=zero, y1=0, y2=y, class_="axis"), *parts], y + 4, alt)


class _Scale(NamedTuple):
    """From values to percent of the width."""

    low: float
    high: float
    left: float

    @staticmethod
    def around(bars: Sequence[Bar], left: float) -> _Scale:
        """Room for all bars and the texts at their ends."""
        ends = [(bar.end if bar.end is not None else 0.0, bar) for bar in bars]
        low = min(0.0, *(min(end, bar.begin) for end, bar in ends))
        high = max(0.0, *(max(end, bar.begin) for end, bar in ends))
        high = high if high > low else low + 1.0
        room = _NARROW * (100 - left) / 100
        before = max((len(bar.text) for end, bar in ends if end < bar.begin), default=0) * _LETTER / room
        after = max((len(bar.text) for end, bar in ends if end >= bar.begin), default=0) * _LETTER / room
        before, after = min(before, 0.4), min(after, 0.5)
        span = (high - low) / (1 - before - after)
        return _Scale(low - before * span, high + after * span, left)

    def at(self, value: float) -> float:
        """Percent."""
        return self.left + (value - self.low) / (self.high - self.low) * (99.5 - self.left)


def _lines(points: Sequence[Mapping[str, Any]], threshold: float, alt: str) -> Markup:
    if len(points) < 2:
        return Markup("")
    first, last = float(points[0]["bits"]), float(points[-1]["bits"])
    left, top, height = 14.0, 30, 220
    place = lambda value: left + (value - first) / (last - first) * (98 - left)  # noqa: E731
    parts = []
    for step in range(5):
        y = top + height * step / 4
        parts.append(_element("line", x1=_percent(left), x2="98%", y1=y, y2=y, class_="grid"))
        parts.append(_element("text", f"{100 - 25 * step} %", x=_percent(left), dx=-5, y=y + 4, text_anchor="end"))
    parts += _ticks(first, last, place, top + height)
    drawn = []
    for name in ("precision", "recall"):
        known = [each for each in points if each[name] is not None]
        at = " ".join(f"{(float(p['bits']) - first) / (last - first) * 100:.2f},{(1 - float(p[name])) * 100:.2f}" for p in known)
        drawn.append(_element("polyline", points=at, class_=name, vector_effect="non-scaling-stroke"))
    inner = _element(
        "svg", *drawn, x=_percent(left), y=top, width=_percent(98 - left), height=height, viewBox="0 0 100 100", preserveAspectRatio="none",
        overflow="visible",
    )  # fmt: skip
    legend = []
    for name, x in (("precision", left), ("recall", left + 38)):
        legend.append(_element("line", x1=_percent(x), x2=_percent(x + 6), y1=12, y2=12, class_=name))
        legend.append(_element("text", name, x=_percent(x + 6), dx=5, y=16))
    mark = _threshold(place(threshold), top, top + height) if first <= threshold <= last else Markup("")
    return _picture([*parts, inner, mark, *legend], top + height + 40, alt)


def _columns(counts: Mapping[int, int], threshold: float, alt: str) -> Markup:
    if not counts:
        return Markup("")
    first, last = min(counts), max(counts) + 1
    width = max(1, math.ceil((last - first) / _MOST_COLUMNS))
    columns: dict[int, int] = {}
    for bit, number in counts.items():
        columns[(bit - first) // width] = columns.get((bit - first) // width, 0) + number
    most = max(columns.values())
    tens = max(1, math.ceil(math.log10(most)))
    left = max(10.0, (len(count(10**tens)) + 1) * _LETTER / _NARROW * 100)
    top, height = 12, 220
    last = first + width * (max(columns) + 1)
    place = lambda value: left + (value - first) / (last - first) * (98 - left)  # noqa: E731
    tall = lambda number: height * (math.log10(number) + 0.3) / (tens + 0.3)  # noqa: E731
    parts = []
    for ten in range(0, tens + 1, 1 if tens < 7 else 2):
        y = top + height - tall(10**ten)
        parts.append(_element("line", x1=_percent(left), x2="98%", y1=y, y2=y, class_="grid"))
        parts.append(_element("text", count(10**ten), x=_percent(left), dx=-5, y=y + 4, text_anchor="end"))
    for column, number in sorted(columns.items()):
        begin = first + column * width
        x, end = place(begin), place(begin + width)
        mark = "for" if begin >= threshold else "bar"
        tip = _element("title", f"{begin} to {begin + width} bits: {count(number)} pairs")
        parts.append(
            _element(
                "rect", tip, x=_percent(x), width=_percent((end - x) * 0.86), y=round(top + height - tall(number), 1),
                height=round(tall(number), 1), class_=mark,
            )
        )  # fmt: skip
    parts.append(_element("line", x1=_percent(left), x2="98%", y1=top + height, y2=top + height, class_="axis"))
    parts += _ticks(first, last, place, top + height)
    if first <= threshold <= last:
        parts.append(_threshold(place(threshold), top, top + height))
    return _picture(parts, top + height + 40, alt)


def _ticks(first: float, last: float, place: Any, y: float) -> list[Markup]:
    """Whole bits below the axis, at most eight of them."""
    step = next(each for each in (1, 2, 5, 10, 20, 50, 100, 10_000_000) if (last - first) / each <= 7)
    marks = range(math.ceil(first / step) * step, math.floor(last) + 1, step)
    parts = [_element("text", str(mark).replace("-", "−"), x=_percent(place(mark)), y=y + 17, text_anchor="middle") for mark in marks]
    return [*parts, _element("text", "bits", x="98%", y=y + 34, text_anchor="end")]


def _threshold(x: float, top: float, bottom: float) -> Markup:
    return _element("line", x1=_percent(x), x2=_percent(x), y1=top, y2=bottom, class_="threshold")


# ---- parts of them ----------------------------------------------------------------------------------------------------------


def _grouped(sizes: Mapping[int, int]) -> list[tuple[str, int]]:
    """Sizes up to ten each, larger ones together."""
    groups = [(size, size) for size in range(1, 11)] + [(11, 20), (21, 50), (51, 100), (101, 1000), (1001, 10**12)]
    names = [str(low) if low == high else f"{low:,} to {high:,}" for low, high in groups[:-1]] + ["over 1,000"]
    return [
        (name, sum(number for size, number in sizes.items() if low <= size <= high))
        for name, (low, high) in zip(names, groups, strict=True)
    ]


def _keys(keys: str | Sequence[str]) -> str:
    return keys if isinstance(keys, str) else ", ".join(keys)


def _text(words: str, x: float, y: float, longest: int, kind: str = "label") -> Markup:
    """A label; where it is cut, a browser shows all of it under the pointer, and the table beside the chart does anyway."""
    if len(words) <= longest:
        return _element("text", words, x=x, y=y, class_=kind)
    return _element("text", words[: longest - 1] + "…", _element("title", words), x=x, y=y, class_=kind)


def _picture(parts: Sequence[Markup], height: float, alt: str) -> Markup:
    return _element("svg", *parts, width="100%", height=round(height), role="img", aria_label=alt)


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _element(name: str, *inside: str, **attributes: object) -> Markup:
    """One element, everything in it escaped that is not an element."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{said}>") + Markup("").join(inside) + Markup(f"</{name}>")
