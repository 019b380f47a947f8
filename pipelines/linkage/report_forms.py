"""The forms of charts in SVG that fits any width, in percent across and pixels down, so that its letters keep
their size.

Colours are classes of the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from markupsafe import Markup, escape

from pipelines.linkage import report_words as words

_ROW: Final = 22  # px of a bar with its room
_LABELS: Final = 42.0  # percent of the width for labels beside bars
_LETTER: Final = 8.0  # px, at most, of a digit
_NARROW: Final = 330.0  # px: room is made for texts as if no wider
_LONGEST: Final = 21  # letters of a label beside a bar
_LONGEST_ABOVE: Final = 46  # and above one
_MOST_COLUMNS: Final = 120


class Bar(NamedTuple):
    """A bar from `begin` to `end`, its label and the text at its end; `mark`: class of its colour. Without
    `end` a heading."""

    label: str
    begin: float = 0.0
    end: float | None = None
    text: str = ""
    mark: str = "bar"


def bars_across(bars: Sequence[Bar], alt: str, above: bool = False) -> Markup:
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
        parts.append(
            _element(
                "rect",
                x=_percent(begin),
                width=_percent(max(end - begin, 0.15)),
                y=y + 3,
                height=_ROW - 6,
                class_=bar.mark,
            )
        )
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


def lines(points: Sequence[Mapping[str, Any]], threshold: float, alt: str) -> Markup:
    """Precision and recall of each point against its bits, and where the threshold stands."""
    if len(points) < 2:
        return Markup("")
    first, last = float(points[0]["bits"]), float(points[-1]["bits"])
    left, top, height = 14.0, 30, 220
    place = lambda value: left + (value - first) / (last - first) * (98 - left)  # noqa: E731
    parts = []
    for step in range(5):
        y = top + height * step / 4
        parts.append(_element("line", x1=_percent(left), x2="98%", y1=y, y2=y, class_="grid"))
        parts.append(
            _element("text", f"{100 - 25 * step} %", x=_percent(left), dx=-5, y=y + 4, text_anchor="end")
        )
    parts += _ticks(first, last, place, top + height)
    drawn = []
    for name in ("precision", "recall"):
        known = [each for each in points if each[name] is not None]
        at = " ".join(
            f"{(float(p['bits']) - first) / (last - first) * 100:.2f},{(1 - float(p[name])) * 100:.2f}"
            for p in known
        )
        drawn.append(_element("polyline", points=at, class_=name, vector_effect="non-scaling-stroke"))
    inner = _element(
        "svg",
        *drawn,
        x=_percent(left),
        y=top,
        width=_percent(98 - left),
        height=height,
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        overflow="visible",
    )
    legend = []
    for name, x in (("precision", left), ("recall", left + 38)):
        legend.append(_element("line", x1=_percent(x), x2=_percent(x + 6), y1=12, y2=12, class_=name))
        legend.append(_element("text", name, x=_percent(x + 6), dx=5, y=16))
    mark = _threshold(place(threshold), top, top + height) if first <= threshold <= last else Markup("")
    return _picture([*parts, inner, mark, *legend], top + height + 40, alt)


def columns(counts: Mapping[int, int], threshold: float, alt: str) -> Markup:
    """Counts by whole bits as columns on a log scale, and where the threshold stands."""
    if not counts:
        return Markup("")
    first, last = min(counts), max(counts) + 1
    width = max(1, math.ceil((last - first) / _MOST_COLUMNS))
    merged: dict[int, int] = {}
    for bit, number in counts.items():
        merged[(bit - first) // width] = merged.get((bit - first) // width, 0) + number
    most = max(merged.values())
    tens = max(1, math.ceil(math.log10(most)))
    left = max(10.0, (len(words.count(10**tens)) + 1) * _LETTER / _NARROW * 100)
    top, height = 12, 220
    last = first + width * (max(merged) + 1)
    place = lambda value: left + (value - first) / (last - first) * (98 - left)  # noqa: E731
    tall = lambda number: height * (math.log10(number) + 0.3) / (tens + 0.3)  # noqa: E731
    parts = []
    for ten in range(0, tens + 1, 1 if tens < 7 else 2):
        y = top + height - tall(10**ten)
        parts.append(_element("line", x1=_percent(left), x2="98%", y1=y, y2=y, class_="grid"))
        parts.append(
            _element("text", words.count(10**ten), x=_percent(left), dx=-5, y=y + 4, text_anchor="end")
        )
    for column, number in sorted(merged.items()):
        begin = first + column * width
        x, end = place(begin), place(begin + width)
        mark = "for" if begin >= threshold else "bar"
        tip = _element("title", f"{begin} to {begin + width} bits: {words.count(number)} pairs")
        parts.append(
            _element(
                "rect",
                tip,
                x=_percent(x),
                width=_percent((end - x) * 0.86),
                y=round(top + height - tall(number), 1),
                height=round(tall(number), 1),
                class_=mark,
            )
        )
    parts.append(
        _element("line", x1=_percent(left), x2="98%", y1=top + height, y2=top + height, class_="axis")
    )
    parts += _ticks(first, last, place, top + height)
    if first <= threshold <= last:
        parts.append(_threshold(place(threshold), top, top + height))
    return _picture(parts, top + height + 40, alt)


def _ticks(first: float, last: float, place: Any, y: float) -> list[Markup]:
    """Whole bits below the axis, at most eight of them."""
    step = next(each for each in (1, 2, 5, 10, 20, 50, 100, 10_000_000) if (last - first) / each <= 7)
    marks = range(math.ceil(first / step) * step, math.floor(last) + 1, step)
    parts = [
        _element("text", str(mark).replace("-", "−"), x=_percent(place(mark)), y=y + 17, text_anchor="middle")
        for mark in marks
    ]
    return [*parts, _element("text", "bits", x="98%", y=y + 34, text_anchor="end")]


def _threshold(x: float, top: float, bottom: float) -> Markup:
    return _element("line", x1=_percent(x), x2=_percent(x), y1=top, y2=bottom, class_="threshold")


def _text(text: str, x: float, y: float, longest: int, kind: str = "label") -> Markup:
    """A label; where it is cut, a browser shows all of it under the pointer, and the table beside the chart
    does anyway."""
    if len(text) <= longest:
        return _element("text", text, x=x, y=y, class_=kind)
    return _element("text", text[: longest - 1] + "…", _element("title", text), x=x, y=y, class_=kind)


def _picture(parts: Sequence[Markup], height: float, alt: str) -> Markup:
    return _element("svg", *parts, width="100%", height=round(height), role="img", aria_label=alt)


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _element(name: str, *inside: str, **attributes: object) -> Markup:
    """One element, everything in it escaped that is not an element."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{said}>") + Markup("").join(inside) + Markup(f"</{name}>")
