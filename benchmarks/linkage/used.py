"""What a process used: CPU seconds by phase, wall seconds and peak memory, children included."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def cpu() -> float:
    """CPU seconds of this process and of its ended children."""
    of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in of)


def peak() -> float:
    """Peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Used:
    """A stopwatch for phases. `start` counts from the start of the process, imports included."""

    def __init__(self) -> None:
        self.cpu_seconds: dict[str, float] = {"start": round(cpu(), 2)}
        self._wall = time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add what the block uses to phase `name`."""
        before = cpu()
        yield
        self.cpu_seconds[name] = round(self.cpu_seconds.get(name, 0) + cpu() - before, 2)

    def figures(self) -> dict[str, Any]:
        """All of it, to be taken right after the last phase."""
        wall = round(time.perf_counter() - self._wall, 2)
        return {
            "cpu_seconds": {**self.cpu_seconds, "all": round(cpu(), 2)},
            "wall_seconds": wall,
            "peak_mib": round(peak()),
        }
