"""What each stage of a run is given: where its work is done, and how much memory and time it asks for, from
the size of what it reads."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.compute.cluster import Cluster
from pipelines.site.site import Site

STAGES = ("intake", "linkage", "store", "cohort", "aggregation", "disclosure", "measures", "release")
RANKED = ("linkage", "store")
SHARED_OUT = ("intake", "cohort", "aggregation")
# Which stages share a job where the input is small.
GROUPS = {
    "intake": "deliveries",
    "linkage": "snapshot",
    "store": "snapshot",
    **dict.fromkeys(("cohort", "aggregation", "disclosure", "measures", "release"), "permit"),
}
_SMALL_MINUTES = 20
_MINUTES = 240


@dataclass(frozen=True)
class Size:
    """What a site holds, in MiB: all deliveries, the largest of them, and a shard of its store."""

    delivered: float
    largest: float
    shard: float

    @staticmethod
    def of(site: Site) -> Size:
        """As the files lie now; a shard that is not built yet is taken for three times its part of the
        deliveries, as built ones are."""
        each = [_mebibytes(delivery.root) for delivery in site.deliveries()]
        delivered = sum(each)
        stored = max(_mebibytes(site.store) if site.store.is_dir() else 0.0, 3 * delivered)
        return Size(delivered, max(each, default=0.0), stored / site.shards)

    def memory(self, stage: str) -> float:
        """MiB for a stage, or for each rank of linkage and store: what was measured (docs/scale.md), and half
        as much again."""
        return {
            "intake": 1500 + 1.2 * self.largest,
            "linkage": 1500 + 0.9 * self.delivered,
            # of one shard, before it is packed
            "store": 1500 + 5 * self.shard,
            "cohort": 1500 + 1.5 * self.shard,
            "aggregation": 1500 + 1.5 * self.shard,
            "disclosure": 3000.0,
            "measures": 1500.0,
            "release": 3000.0,
        }[stage]


def _mebibytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def is_small(size: Size, cluster: Cluster) -> bool:
    """Do stages share jobs?"""
    return cluster.small > 0 and size.delivered <= cluster.small


def group_arguments(workflow: str) -> list[str]:
    """What tells Snakemake which stages share a job."""
    rules = ("intake", "linkage", "store") if workflow == "refresh" else tuple(STAGES[3:])
    groups = [f"{rule}={GROUPS[rule]}" for rule in rules]
    # However many deliveries there are, one job.
    return [
        "--groups",
        *groups,
        "--group-components",
        *(f"{name}=10000" for name in {GROUPS[r]: 0 for r in rules}),
    ]


def here(processors: int, ranks: int, workers: int) -> dict[str, Any]:
    """Of a run on this machine: threads, and ranks that `mpiexec` starts."""
    mpiexec = shlex.quote(str(Path(sys.executable).with_name("mpiexec")))
    launch = f"{mpiexec} -launcher fork -n {ranks}" if ranks > 1 else ""
    return {
        "threads": processors,
        "workers": dict.fromkeys(SHARED_OUT, f"--workers {workers}"),
        "launch": dict.fromkeys(RANKED, launch),
        "needs": {stage: _needs(Cluster(), 1500, _MINUTES, {}, "mem_mb") for stage in STAGES},
    }


def shared(size: Size, cluster: Cluster) -> dict[str, Any]:
    """Of a small run on Slurm: stages share jobs, with threads of the job and one rank."""
    style = None if cluster.memory == "none" else "mem_mb"
    needs = {}
    for stage in STAGES:
        own, threads = cluster.of(stage), 1 if stage == "intake" else cluster.cores
        memory = own.memory or min(size.memory(stage), 2000.0)
        if cluster.memory == "processor":
            style, memory = "mem_mb_per_cpu", memory / threads
        minutes = own.minutes or _SMALL_MINUTES
        # Of one of many deliveries at a time, each on a core: slots are what limits them.
        needs[stage] = _needs(cluster, memory, minutes, {"slots": threads}, style)
    return {
        "threads": cluster.cores,
        "intake_threads": 1,
        "workers": {stage: f"--workers {1 if stage == 'intake' else cluster.cores}" for stage in SHARED_OUT},
        "launch": dict.fromkeys(RANKED, ""),
        "needs": needs,
    }


def spread(size: Size, cluster: Cluster, ranks: int, workers: int) -> dict[str, Any]:
    """Of a large run on Slurm: a job for each stage, ranks over nodes, workers as jobs of their own. `ranks`,
    `workers`: as asked on the command line, or 0."""
    needs: dict[str, Any] = {}
    launch, team = dict.fromkeys(RANKED, ""), dict.fromkeys(SHARED_OUT, "")
    for stage in STAGES:
        own = cluster.of(stage)
        fixed: dict[str, Any] = {}
        style = {"job": "mem_mb", "processor": "mem_mb_per_cpu", "none": None}[cluster.memory]
        memory, minutes = own.memory or size.memory(stage), own.minutes or _MINUTES
        if stage in RANKED:
            tasks = ranks or cluster.ranks_of(stage)
            fixed, launch[stage] = _ranked(cluster, stage, tasks)
            style = style and "mem_mb_per_cpu"  # a rank has one processor
        if stage in SHARED_OUT:
            count = workers or cluster.workers_of(stage)
            team[stage] = f"--on slurm --workers {count}"
            fixed = {"dask": 1}
        needs[stage] = _needs(cluster, memory, minutes, fixed, style)
    return {"threads": 1, "workers": team, "launch": launch, "needs": needs}


def _ranked(cluster: Cluster, stage: str, tasks: int) -> tuple[dict[str, Any], str]:
    if tasks < 2:
        return {}, ""
    if cluster.launcher == "mpiexec":
        mpiexec = shlex.quote(str(Path(sys.executable).with_name("mpiexec")))
        launch = f"{mpiexec} -rmk user -launcher fork -n {tasks}"
    else:
        launch = f"srun --mpi={cluster.mpi} -n {tasks}"
    nodes = 1 if cluster.launcher == "mpiexec" else min(cluster.of(stage).nodes or cluster.nodes, tasks)
    return {"mpi": cluster.launcher, "tasks": tasks, "nodes": nodes}, launch


def _needs(
    cluster: Cluster, memory: float, minutes: float, fixed: dict[str, Any], style: str | None
) -> dict[str, Any]:
    return {
        "memory": cluster.megabytes(memory),
        "minutes": cluster.minutes(minutes),
        "largest_memory": cluster.largest_memory,
        "longest_minutes": cluster.longest_minutes,
        "fixed": fixed,
        "style": style,
    }
