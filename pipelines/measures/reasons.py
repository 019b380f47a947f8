"""A reason for every blank: what a module says of its own figures, and for the others why none belongs in the
row."""

from __future__ import annotations

from dataclasses import replace

from pipelines.cubes.figures import Figures

WHY = "why_empty"
_TEXTS = frozenset({"outside", WHY})  # a blank in them is an answer
_RATIO = ("standardised ratio", "standardised ratios stand in the rows of all ages")
_NET = ("net survival", "net survival stands in the rows of a band and all outcomes")
_BESIDE = ("rate ratio", "no rate ratio: the row is of the group that others are compared with, or of all")
# Figures that stand in some rows alone, by how their names begin; of each, the word by which another reason
# speaks of them.
_BELONG = {
    "standardised": ("standardised rate", "standardised rates stand in the rows of all ages"),
    "observed": _RATIO,
    "expected": _RATIO,
    "smr": _RATIO,
    "population_share": _NET,
    "net": _NET,
    "rate_ratio": _BESIDE,
    "rate_difference": _BESIDE,
    "limit": ("limits about", "no limits about the share of all: of all units together, or of nobody"),
}


def reasoned(figures: Figures) -> Figures:
    """The same with a reason in each cell in which a number is left out."""
    if WHY not in figures.columns:
        return figures
    numbers = {name: texts for name, texts in figures.columns.items() if name not in _TEXTS}
    why = tuple(
        _why(said, [name for name, texts in numbers.items() if not texts[cell]])
        for cell, said in enumerate(figures.columns[WHY])
    )
    return replace(figures, columns={**figures.columns, WHY: why})


def _why(said: str, blank: list[str]) -> str:
    if not blank or said == "hidden":
        return said
    reasons, others = [said] if said else [], []
    for name in blank:
        word, reason = next((each for begin, each in _BELONG.items() if name.startswith(begin)), ("", ""))
        if not word:
            others.append(name)
        elif word not in said and reason not in reasons:
            reasons.append(reason)
    if others and not said:
        reasons.append(f"not of this row: {', '.join(others)}")
    return "; ".join(reasons)
