"""Every compiler setting in one place."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import IndexDataCacheFile

from kernels.absent import without

Function = TypeVar("Function", bound=Callable)


with without("scipy.linalg"):  # for products of matrices, of which no kernel has any: .2 s of every process
    import numba.np.arraymath


_save = IndexDataCacheFile.save


def _one_at_a_time(self: IndexDataCacheFile, key: Any, data: Any) -> None:
    """Numba numbers the files of a loop after it has read their index: of two processes that save at once,
    both could take one number, and one signature would find what was compiled for the other."""
    with Path(self._cache_path, "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _save(self, key, data)


IndexDataCacheFile.save = _one_at_a_time


def compiled(function: Function) -> Function:
    """Compile a loop: exact arithmetic, cached on disk, the interpreter lock released so that threads can
    share the work."""
    return numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")(function)  # type: ignore[return-value]


def inlined(function: Function) -> Function:
    """Compile a small helper into each of its callers."""
    return numba.njit(inline="always", error_model="numpy")(function)  # type: ignore[return-value]
