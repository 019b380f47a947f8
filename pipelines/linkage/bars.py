"""What forbids that two records are one person, whatever they weigh: settings as the arrays that the clusters' loops look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernels.clusters import Bars
from kernels.comparisons import Values
from pipelines.linkage.encode import Encoded
from pipelines.linkage.link_settings import LinkSettings

_FIRST, _LAST = -(2**31), 2**31 - 1


def bars(settings: LinkSettings, encoded: Encoded, values: Values) -> Bars:
    """Records of duplicate-free tables, values that nobody has two of at once, and days in the wrong order."""
    single = np.array([table.duplicate_free for table in settings.data])
    unlike = [each for each in settings.barred if each.field is not None]
    orders = [each for each in settings.barred if each.field is None]

    def days(name: str | None, unknown: int) -> np.ndarray:
        return _days(encoded, values, name, unknown)

    return Bars(
        single=np.where(single[encoded.sources], encoded.sources, -1).astype(np.int8),
        unlike=_beside(encoded, [encoded.codes[str(each.field)] for each in unlike]),
        since=_beside(encoded, [days(each.since, _FIRST) for each in unlike]),
        until=_beside(encoded, [days(each.until, _LAST) for each in unlike]),
        before=_beside(encoded, [days(each.earlier, _FIRST) for each in orders]),
        after=_beside(encoded, [days(each.later, _LAST) for each in orders]),
        apart=np.zeros(0, np.int64),
    )


def _days(encoded: Encoded, values: Values, name: str | None, unknown: int) -> np.ndarray:
    """int32 (n,): days of a date field, `unknown` where there is none."""
    if name is None:
        return np.full(len(encoded), unknown, np.int32)
    found = np.append(values.days, np.int32(_FIRST))[encoded.codes[name]]
    return np.where(found == _FIRST, np.int32(unknown), found).astype(np.int32)


def _beside(encoded: Encoded, columns: Sequence[np.ndarray]) -> np.ndarray:
    """int32 (n, columns)."""
    return np.stack(columns, 1).astype(np.int32) if columns else np.zeros((len(encoded), 0), np.int32)
