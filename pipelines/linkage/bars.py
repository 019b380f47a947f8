"""What forbids that two records are one person, whatever they weigh: settings as the arrays that the
clusters' loops look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kernels.comparisons import Values
from kernels.weighing import Bars
from pipelines.linkage.link_settings import LinkSettings

_FIRST, _LAST = -(2**31), 2**31 - 1


def bars(
    settings: LinkSettings, sources: np.ndarray, codes: Mapping[str, np.ndarray], values: Values
) -> Bars:
    """Records of duplicate-free tables, values nobody has two of at once, and days in the wrong order.

    `sources`: integers (n,), the place of each record's table in the settings; `codes`: {field: int32 (n,)},
    the place of its value in `values`, -1 if unknown.
    """
    n = len(sources)
    single = np.array([table.duplicate_free for table in settings.data])
    unlike = [each for each in settings.barred if each.field is not None]
    orders = [each for each in settings.barred if each.field is None]

    def days(name: str | None, unknown: int) -> np.ndarray:
        """int32 (n,): days of a date field, `unknown` where there is none."""
        if name is None:
            return np.full(n, unknown, np.int32)
        found = np.append(values.days, np.int32(_FIRST))[codes[name]]
        return np.where(found == _FIRST, np.int32(unknown), found).astype(np.int32)

    return Bars(
        single=np.where(single[sources], sources, -1).astype(np.int8),
        unlike=_beside(n, [codes[str(each.field)] for each in unlike]),
        since=_beside(n, [days(each.since, _FIRST) for each in unlike]),
        until=_beside(n, [days(each.until, _LAST) for each in unlike]),
        before=_beside(n, [days(each.earlier, _FIRST) for each in orders]),
        after=_beside(n, [days(each.later, _LAST) for each in orders]),
        apart=np.zeros(0, np.int64),
    )


def _beside(n: int, columns: Sequence[np.ndarray]) -> np.ndarray:
    """int32 (n, columns)."""
    return np.stack(columns, 1).astype(np.int32) if columns else np.zeros((n, 0), np.int32)
