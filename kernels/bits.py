"""Bits of a word, counted by the processor's own instruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload


def ones(bits: np.uint64) -> int:
    """Bits that are set in a word."""
    return int(bits).bit_count()


@intrinsic
def _ones(_typing: Any, _bits: types.Integer) -> tuple[Any, Callable]:
    return types.int64(types.uint64), lambda _context, builder, _signature, arguments: builder.ctpop(
        arguments[0]
    )


@overload(ones, inline="always")
def _compiled_ones(bits: Any) -> Callable:
    def counted(bits: Any) -> int:
        return _ones(np.uint64(bits))  # type: ignore[call-arg]

    return counted
