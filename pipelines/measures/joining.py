"""Hidden neighbours put together: of a line whose parts add up to a total, all from the first that is hidden
to the last have a sum that the total and the others give.

That is arithmetic with what is shown, so it tells nothing that is not shown. Where the total is hidden, or a
part outside of the row of neighbours, there is no such sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Span:
    """Neighbours that are put together, by their places in a row: from `first` to `last`."""

    first: int
    last: int

    def __contains__(self, place: int) -> bool:
        return self.first <= place <= self.last

    def keep(self, size: int) -> np.ndarray:
        """The places of `size` that stand for a group after joining, the last of each: int64 (k,)."""
        places = np.arange(size)
        return places[(places < self.first) | (places >= self.last)]


def hidden_span(gone: np.ndarray) -> Span | None:
    """From the first to the last place that is hidden; None where none is, or one alone: to put that together
    with nothing would show it. `gone`: bool (n,)."""
    places = np.flatnonzero(gone)
    return Span(int(places[0]), int(places[-1])) if len(places) > 1 else None


def put_together(parts: np.ndarray, span: Span, total: float, rest: float = 0.0) -> np.ndarray:
    """The parts with those of the span as one, float64 (k,), as `span.keep` orders them; NaN there where the
    total or what lies outside does not give it.

    `parts`: float64 (n,), NaN where hidden; `total`: of all parts and of `rest`, what else it holds.
    """
    outside = np.delete(parts, np.arange(span.first, span.last + 1))
    kept = parts[span.keep(len(parts))].copy()
    kept[span.first] = total - rest - outside.sum()
    return kept
