"""Every compiler setting in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Function = TypeVar("Function", bound=Callable)


def compiled(function: Function) -> Function:
    """Compile a loop: exact arithmetic, cached on disk, the interpreter lock released so that threads can share the work."""
    return numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")(function)  # type: ignore[return-value]


def inlined(function: Function) -> Function:
    """Compile a small helper into each of its callers."""
    return numba.njit(inline="always", error_model="numpy")(function)  # type: ignore[return-value]
