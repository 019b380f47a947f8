"""Ranks that work on one thing together: one process, or the ranks of an MPI program. The only door to
MPI."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipelines.errors import ClusterError


class Ranks:
    """One process among `size`, or the only one. Every rank calls the same methods in the same order."""

    rank = 0
    size = 1

    def sum(self, array: np.ndarray) -> np.ndarray:
        """The sum over ranks of `array`, int64 of one shape, (n,) or (n, m), on every rank."""
        return array

    def gather(self, value: Any) -> list[Any] | None:
        """On rank 0 the values of all ranks in order; elsewhere None."""
        return [value]

    def broadcast(self, value: Any) -> Any:
        """The value of rank 0, on every rank."""
        return value

    def exchange(self, values: Sequence[Any]) -> list[Any]:
        """`values[r]` goes to rank r; comes back with what each rank sent here, in rank order."""
        return list(values)

    def wait(self) -> None:
        """Until every rank has come here."""


class MpiRanks(Ranks):
    """Ranks of an MPI program."""

    def __init__(self, communicator: Any) -> None:
        self._comm = communicator
        self.rank, self.size = communicator.Get_rank(), communicator.Get_size()

    def sum(self, array: np.ndarray) -> np.ndarray:
        """See `Ranks`."""
        total = np.empty_like(array)
        self._comm.Allreduce(np.ascontiguousarray(array), total)
        return total

    def gather(self, value: Any) -> list[Any] | None:
        return self._comm.gather(value, root=0)  # type: ignore[no-any-return]

    def broadcast(self, value: Any) -> Any:
        return self._comm.bcast(value, root=0)

    def exchange(self, values: Sequence[Any]) -> list[Any]:
        return self._comm.alltoall(list(values))  # type: ignore[no-any-return]

    def wait(self) -> None:
        self._comm.Barrier()


def _all_here(size: int, tasks: int) -> None:
    """Have the `tasks` that srun started found each other? If not, each would do the whole work at once."""
    if tasks > 1 and size != tasks:
        raise ClusterError(
            "srun",
            f"started {tasks} ranks, and {size} found each other",
            "choose another mpi, or launcher: mpiexec, in cluster.yaml",
        )


@contextlib.contextmanager
def ranks() -> Iterator[Ranks]:
    """The ranks that this process is one of; a failure on one ends them all, so that none waits for the
    dead. Raises `ClusterError` where srun started ranks that do not find each other."""
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS") or 1)
    told = any(name in os.environ for name in ("PMI_RANK", "PMI_SIZE", "PMI_FD", "PMIX_RANK"))
    # One task of srun's is told of MPI, too, by an open file that Snakemake has closed meanwhile.
    if not told or os.environ.get("PMI_SIZE") == "1":
        _all_here(1, tasks)
        yield Ranks()
        return
    from mpi4py import MPI
    from mpi4py.util import pkl5

    communicator = pkl5.Intracomm(MPI.COMM_WORLD)
    _all_here(communicator.Get_size(), tasks)
    try:
        yield MpiRanks(communicator)
    except BaseException as fault:  # noqa: BLE001 - whatever it is, the other ranks must not wait for this one
        from pipelines.errors import UttagError

        if isinstance(fault, UttagError):
            line, code = str(fault), fault.exit_code
        else:
            line, code = f"rank {communicator.Get_rank()} failed: {type(fault).__name__}", 1
        print(f"uttag: {line}", file=sys.stderr, flush=True)
        MPI.COMM_WORLD.Abort(code)
