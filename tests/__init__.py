"""What must stand before the first kernel is imported, and before the first helper's assertions are."""

import os
from pathlib import Path

import pytest

# Of the assertions of helpers, too, pytest shows both sides.
pytest.register_assert_rewrite(
    *(f"tests.{path.stem}" for path in Path(__file__).parent.glob("[!_]*.py") if path.stem != "conftest")
)


def _one_cache() -> None:
    """Compiled loops are kept where `uttag` keeps them: in one folder for each state of the kernels, so that
    tests, the workers of pytest-xdist and the commands that tests start compile each loop once, and none runs
    what was compiled from another state of the kernels."""
    from workflows import cli

    os.environ["NUMBA_CACHE_DIR"] = cli._compiled()


_one_cache()
