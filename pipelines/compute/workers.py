"""Workers, to which independent items are fanned out: threads of this machine or Slurm jobs, with the same
results."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Protocol):
    """Something that applies one function to many items."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """Results in the order of the items. `function` stands at the top of a module, so that another
        machine can find it."""
        ...


class LocalWorkers:
    """Threads of this machine; where one is enough, the caller's own. Dask, for other machines, takes half a
    second to start."""

    def __init__(self, count: int) -> None:
        self.count = max(1, count)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        if min(self.count, len(items)) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(self.count) as threads:
            return list(threads.map(function, items))


@contextlib.contextmanager
def workers(on: str = "local", count: int = 0, memory: int = 0, minutes: int = 0) -> Iterator[Workers]:
    """Workers on this machine (`local`) or as Slurm jobs over TLS (`slurm`). `count`: 0 for as many as there
    are cores. `memory` in MiB and `minutes` of each job; 0 for what suits most."""
    if on == "slurm":
        from pipelines.compute.slurm import slurm_workers

        with slurm_workers(count or 2, memory or 1500, minutes or 240) as cluster:
            yield cluster
    else:
        yield LocalWorkers(count or len(os.sched_getaffinity(0)))
