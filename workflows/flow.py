"""A cohort's attrition as a flow diagram: who is left after each step, and who left at it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

_BOX, _HEAD, _LINE, _GAP, _ASIDE = 420, 28, 18, 26, 260
_WIDTH = 56  # characters of a line in a box
_TEMPLATE = jinja2.Template(
    """<svg class="flow" viewBox="0 0 {{ width }} {{ height }}" role="img" aria-labelledby="flow-title" \
xmlns="http://www.w3.org/2000/svg">
<title id="flow-title">From {{ steps[0].persons }} persons to {{ steps[-1].persons }} in the cohort, in \
{{ steps | length }} steps</title>
{% for step in steps %}
{% if step.left is not none %}
<path d="M {{ middle }} {{ step.top - gap }} V {{ step.top }}" marker-end="url(#flow-arrow)"/>
<path d="M {{ middle }} {{ step.top - gap / 2 }} H {{ box + 20 }}" marker-end="url(#flow-arrow)"/>
<text class="left" x="{{ box + 28 }}" y="{{ step.top - gap / 2 + 5 }}">{{ step.left }} left</text>
{% endif %}
<rect x="1" y="{{ step.top }}" width="{{ box - 2 }}" height="{{ step.tall }}" rx="6"/>
<text class="count" x="12" y="{{ step.top + 20 }}">{{ step.persons }}</text>
{% for line in step.lines %}
<text x="12" y="{{ step.top + 20 + 18 * loop.index }}">{{ line }}</text>
{% endfor %}
{% if step.deaths %}<text class="left" x="{{ box + 28 }}" y="{{ step.top + 28 }}">{{ step.deaths }}</text>
{% endif %}
{% endfor %}
<defs><marker id="flow-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto">
<path d="M0 0 8 4 0 8z"/></marker></defs>
</svg>""",
    autoescape=True,
)


def diagram(attrition: Sequence[dict[str, Any]], few: str | None = None) -> Markup:
    """An SVG of the steps, first to last. `attrition`: `step` and `persons` of each. `few`: what 0 stands
    for, where counts are rounded; how many left is then said in tens."""
    steps: list[dict[str, Any]] = []
    before, top = None, 1
    for each in attrition:
        left = None if before is None else f"{before - each['persons']:,}"
        if few is not None and left is not None:
            left = "some or none" if each["persons"] == 0 or left == "0" else f"about {left}"
        lines = textwrap.wrap(each["step"], _WIDTH) or [""]
        steps.append(
            {
                "lines": lines,
                "tall": (tall := _HEAD + _LINE * len(lines)),
                "persons": _said(each["persons"], few),
                "left": left,
                "top": top,
                "deaths": _deaths(each) if few is None else "",
            }
        )
        before, top = each["persons"], top + tall + _GAP
    return Markup(
        _TEMPLATE.render(
            steps=steps,
            width=_BOX + _ASIDE,
            height=top - _GAP + 1,
            box=_BOX,
            gap=_GAP,
            middle=_BOX // 2,
        )
    )


def _deaths(step: dict[str, Any]) -> str:
    if "die_in_follow_up" not in step:
        return ""
    return f"{step['die_in_follow_up']:,} die in follow-up, {step['die_later']:,} later"


def _said(persons: int, few: str | None) -> str:
    return few if few is not None and persons == 0 else f"{persons:,}"
