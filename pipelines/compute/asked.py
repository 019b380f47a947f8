"""What a rule asks of Slurm, from what the driver has worked out: more of it with every attempt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def asked(config: dict[str, Any], stage: str) -> dict[str, Any]:
    """Resources of a rule, as Snakemake takes them: memory in MiB and minutes, doubled with each attempt.
    `worker_mb` is what a worker job of the rule gets."""
    needs = config["needs"][stage]
    found: dict[str, Any] = dict(needs["fixed"])
    if needs["style"] is not None:
        found[needs["style"]] = _growing(needs["memory"], needs["largest_memory"])
    found["worker_mb"] = _growing(needs["memory"], needs["largest_memory"])
    found["runtime"] = _growing(needs["minutes"], needs["longest_minutes"])
    return found


def _growing(first: int, largest: int | None) -> Callable[[Any, int], int]:
    # Snakemake fills in arguments by their names.
    def grown(wildcards: Any, attempt: int) -> int:
        wanted = int(first * 2 ** (attempt - 1))
        return min(wanted, largest) if largest else wanted

    return grown
