"""What must stand before the first kernel is imported, and before the first helper's assertions are."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

# Of the assertions of helpers, too, pytest shows both sides.
pytest.register_assert_rewrite(
    *(f"tests.{path.stem}" for path in Path(__file__).parent.glob("[!_]*.py") if path.stem != "conftest")
)


def _one_cache() -> None:
    """Compiled loops are kept where `uttag` keeps them: in one folder for each state of the kernels, so that
    tests, the workers of pytest-xdist and the commands that tests start compile each loop once, and none runs
    what was compiled from another state of the kernels."""
    from numba.core.caching import IndexDataCacheFile

    from workflows import cli

    folder = cli._compiled()
    os.environ["NUMBA_CACHE_DIR"] = folder
    save = IndexDataCacheFile.save

    def one_at_a_time(self: IndexDataCacheFile, key: Any, data: Any) -> None:
        # Numba numbers a loop's files after reading their index: two who save at once could give two
        # signatures one number.
        with Path(folder, "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(self, key, data)

    IndexDataCacheFile.save = one_at_a_time


_one_cache()
