"""The report of a linkage: one page that needs nothing beside it, on a telephone or a wide screen, by day or
by night.

It shows counts and the model. A record's name or value is on it only where an example or a doubtful cluster
brings one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.files.atomic import atomic
from pipelines.linkage import report_charts as charts
from pipelines.linkage import report_words as words
from pipelines.linkage.report_page import template


class Step(NamedTuple):
    """What one field says of a pair: its level, what that weighs (bits), and both values where they may be
    shown."""

    field: str
    level: str
    bits: float
    left: str | None = None
    right: str | None = None


@dataclass(frozen=True)
class Example:
    """A pair whose weight is explained. `left`, `right`: what to call its records; `bits`: its weight, the
    prior included."""

    left: str
    right: str
    steps: tuple[Step, ...]
    bits: float


class Member(NamedTuple):
    """A record of a doubtful cluster: what to call it, and its values by field; None where they may not be
    shown."""

    name: str
    values: Mapping[str, str | None] | None = None


@dataclass(frozen=True)
class Doubtful:
    """A cluster that a person should look at. `weakest`: bits of the weakest link that holds it together."""

    cluster: str
    records: tuple[Member, ...]
    weakest: float


def write_report(
    path: Path, model: dict[str, Any], title: str, examples: Sequence[Example], doubtful: Sequence[Doubtful]
) -> None:
    """Write the page to `path`, whole or not at all. `model`: what `model.json` holds."""
    page = _page(model, title, examples, doubtful)
    with atomic(path) as beside:
        beside.write_text(page, encoding="utf-8", errors="replace")


def _page(
    model: dict[str, Any], title: str, examples: Sequence[Example], doubtful: Sequence[Doubtful]
) -> str:
    threshold, run = float(model["threshold"]), model.get("run", {})
    used = [(phase, f"{seconds:,.1f}") for phase, seconds in run.get("cpu_seconds", {}).items()]
    return template().render(
        title=title,
        places=_PLACES,
        summary=summary(model),
        facts=_facts(model),
        notes=model.get("notes", []),
        weights=charts.weights(model["fields"]),
        levels=_levels(model),
        together=_together(model),
        curve=charts.curve(model["curve"], threshold),
        histogram=charts.histogram(model["pairs_by_bits"], threshold),
        blocking=charts.blocking(model["blocking"]),
        sizes=charts.cluster_sizes(model["clusters"]["sizes"]),
        kept_apart=_kept_apart(model["clusters"]),
        examples=[_example(each, float(model["prior_bits"])) for each in examples],
        doubtful=[_doubtful(each) for each in doubtful],
        used=used,
        peak=words.count(run.get("peak_mib")),
    )


# ---- in words ----------------------------------------------------------------------------------------------


def summary(model: dict[str, Any]) -> str:
    """What came out, in plain words."""
    records, clusters = model["records"], model["clusters"]["number"]
    compared = model.get("run", {}).get("pairs", sum(model["pairs_by_bits"].values()))
    sources = f"{len(records):,} source{'' if len(records) == 1 else 's'}"
    sentences = [
        f"{sum(records.values()):,} records of {sources} were linked: {compared:,} pairs were compared, "
        f"{_links(model)} are links, "
        f"and the records are those of {clusters:,} persons."
    ]
    precision, recall = model.get("expected_precision"), model.get("expected_recall")
    if precision is not None:
        sentences.append(f"Of the links, {words.share(precision)} are expected to be right (precision).")
    if recall is not None:
        sentences.append(
            f"Of the compared pairs that are one person, {words.share(recall)} are expected to be linked "
            "(recall)."
        )
    return " ".join(sentences)


def _links(model: dict[str, Any]) -> str:
    """Pairs from the threshold up: as counted, else by the histogram, in which a weight stands without the
    rarity of values."""
    known = model["clusters"].get("links")
    if known is not None:
        return f"{known:,}"
    least = math.ceil(model["threshold"])
    return f"about {sum(number for place, number in model['pairs_by_bits'].items() if int(place) >= least):,}"


def _facts(model: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [(f"records of {source}", f"{number:,}") for source, number in model["records"].items()]
    return [
        *facts,
        ("persons", words.count(model["clusters"]["number"])),
        ("threshold, bits", f"{model['threshold']:g}"),
        ("expected precision", words.share(model.get("expected_precision"))),
        ("expected recall", words.share(model.get("expected_recall"))),
    ]


def _kept_apart(clusters: Mapping[str, Any]) -> str:
    said = [
        (
            clusters.get("cut_links"),
            "links above the threshold were cut, because their clusters did not hold together",
        ),
        (
            clusters.get("conflicts"),
            "joins were refused, because both sides hold different values of a field that nobody has two of",
        ),
    ]
    return " ".join(f"{number:,} {what}." for number, what in said if number is not None)


# ---- tables ------------------------------------------------------------------------------------------------


def _levels(model: dict[str, Any]) -> list[dict[str, Any]]:
    """m and u of each field's levels, best first, and what else is known of the field."""
    return [
        {
            "name": name,
            "levels": [_level(each) for each in reversed(levels)],
            "trained_by": model.get("trained_by", {}).get(name, []),
            "rarity": _rarity(model.get("rarity", {}).get(name)),
        }
        for name, levels in model["fields"].items()
    ]


def _level(each: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return each["level"], words.chance(each["m"]), words.chance(each["u"]), words.bits(each["bits"])


def _rarity(found: Mapping[str, float] | None) -> str:
    """What the rarity of a value adds to a weight."""
    return (
        "" if found is None else f"{words.bits(found['least_bits'])} to {words.bits(found['most_bits'])} bits"
    )


def _together(model: dict[str, Any]) -> list[str]:
    return [
        f"{' and '.join(each['fields'])}: up to {each['bits_at_most']:.2f} bits"
        for each in model.get("dependence", [])
    ]


def _example(example: Example, prior: float) -> dict[str, Any]:
    steps = [(step.field, _shown(step), step.bits) for step in example.steps]
    return {
        "left": example.left,
        "right": example.right,
        "chart": charts.waterfall(prior, steps, example.bits),
    }


def _shown(step: Step) -> str:
    """A level, with the values where they are given."""
    if step.left is None and step.right is None:
        return step.level
    return f"{step.level} ({_value(step.left)} · {_value(step.right)})"


def _value(value: str | None) -> str:
    return "–" if value is None else value


def _doubtful(cluster: Doubtful) -> dict[str, Any]:
    fields = list(dict.fromkeys(name for record in cluster.records for name in record.values or {}))
    rows = [
        (record.name, [_value((record.values or {}).get(name)) for name in fields])
        for record in cluster.records
    ]
    weakest = f"{words.bits(cluster.weakest)} bits ({words.odds(cluster.weakest)})"
    return {"name": cluster.cluster, "weakest": weakest, "fields": fields, "rows": rows}


_PLACES = (
    ("weights", "Match weights"),
    ("levels", "m and u"),
    ("threshold", "Threshold"),
    ("pairs", "Pairs by weight"),
    ("blocking", "Blocking"),
    ("clusters", "Clusters"),
    ("examples", "Pairs explained"),
    ("review", "To review"),
    ("run", "The run"),
)
