"""Libraries that another one would import just in case, kept out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


@contextmanager
def without(module: str) -> Iterator[None]:
    """Meanwhile `module` is not there to import: a library that would import it just in case does without it
    for good."""

    class Nothing(MetaPathFinder):
        def find_spec(
            self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
        ) -> ModuleSpec | None:
            if name == module:
                raise ModuleNotFoundError(f"{name} is kept out", name=name)
            return None

    nothing = Nothing()
    sys.meta_path.insert(0, nothing)
    try:
        yield
    finally:
        sys.meta_path.remove(nothing)
