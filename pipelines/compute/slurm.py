"""Dask workers as Slurm jobs: over TLS, in private folders, replaced when they die, gone when the work is
done."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pipelines.compute.cluster import Cluster
from pipelines.errors import ClusterError

Item = TypeVar("Item")
Result = TypeVar("Result")


class SlurmWorkers:
    """Workers that are Slurm jobs, started when there is first more than one item to share out."""

    def __init__(self, start: Callable[[], Any]) -> None:
        self._start = start
        self._client: Any = None

    @property
    def address(self) -> str:
        """Where the scheduler listens, once it has been started."""
        return str(self._client.scheduler.address) if self._client else ""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """As `compute.Workers.map`. A worker that dies has its items done again by another. Raises
        `ClusterError` where one after another dies."""
        if len(items) < 2:
            return [function(item) for item in items]
        self._client = self._client or self._start()
        futures = self._client.map(function, list(items), pure=False, retries=3)
        from distributed.scheduler import KilledWorker

        try:
            return self._client.gather(futures)
        except KilledWorker:
            raise ClusterError(
                "slurm",
                "workers died one after another, as they do that have too little memory",
                "give the stage more memory in cluster.yaml",
            ) from None


@contextlib.contextmanager
def slurm_workers(count: int, memory: int = 1500, minutes: int = 240) -> Iterator[SlurmWorkers]:
    """`count` workers, each a Slurm job of its own with `memory` MiB for at most `minutes`, for the time of
    the block; the working directory is the site's. ClusterError: there is no `sbatch` here, no job started in
    time, or workers died one after another."""
    if shutil.which("sbatch") is None:
        raise ClusterError(
            "slurm", "sbatch is not on the path", "run on a machine of the cluster, or with --on local"
        )
    _forget_surrounding_job()
    settings = Cluster.load(Path.cwd())
    private = Path(
        tempfile.mkdtemp(prefix="dask-", dir=_shared_folder())
    )  # 0700: it holds this run's certificate and key
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, private, ignore_errors=True)

        def start() -> Any:
            stack.enter_context(_encrypted())
            cluster = stack.enter_context(_cluster(settings, private, memory, minutes))
            # Adaptive scaling is what replaces a worker that died: a fixed scale would not be watched.
            cluster.adapt(minimum_jobs=count, maximum_jobs=count, interval="2s")
            client = stack.enter_context(_client(cluster))
            try:
                client.wait_for_workers(1, timeout=60 * settings.worker_minutes)
            except TimeoutError:
                raise ClusterError(
                    "slurm",
                    "no worker job started in time",
                    "look at squeue, then run the same command again",
                ) from None
            return client

        yield SlurmWorkers(start)


def _encrypted() -> Any:
    """Dask's settings for the time of a cluster; what else this process does with Dask keeps its own."""
    import dask

    return dask.config.set(
        {
            "distributed.comm.require-encryption": True,
            "distributed.worker.daemon": False,
            "distributed.admin.tick.limit": "60s",
        }
    )


def _cluster(settings: Cluster, private: Path, memory: int, minutes: int) -> Any:
    from dask_jobqueue import SLURMCluster

    return SLURMCluster(**worker_jobs(settings, memory, minutes), security=credentials(private))


def worker_jobs(settings: Cluster, memory: int, minutes: int) -> dict[str, Any]:
    """What dask-jobqueue is told of each worker's job: `memory` in MiB, `minutes` at most. Raises
    `ClusterError` where the network interface is not there."""
    # A worker leaves before Slurm ends it, so that its items move on in good order.
    lifetime = max(minutes - 10, minutes / 2)
    place = {"host": os.environ.get("UTTAG_SCHEDULER_HOST", "")}
    if settings.interface:
        place = {"interface": _known(settings.interface)}
    return {
        "cores": 1,
        "processes": 1,
        "memory": f"{memory} MiB",
        "walltime": f"{minutes // 60:02d}:{minutes % 60:02d}:00",
        "job_name": f"{os.environ.get('UTTAG_TAG', 'uttag')}-worker",
        "worker_extra_args": [
            *("--lifetime", f"'{lifetime:.0f} minutes'", "--lifetime-stagger", "30s", "--no-dashboard")
        ],
        "job_extra_directives": [
            *("--export=NONE", "--no-requeue", "--output=/dev/null", "--error=/dev/null"),
            *settings.options,
            *([f"--mem-per-cpu={memory}M"] if settings.memory == "processor" else []),
        ],
        "job_directives_skip": [] if settings.memory == "job" else ["--mem="],
        "job_script_prologue": settings.prologue(),
        # Node-local: what a worker spills never touches a shared disk.
        "local_directory": settings.scratch or "${TMPDIR:-/tmp}",
        "log_directory": None,
        "interface": settings.interface,
        "protocol": "tls://",
        "scheduler_options": {"dashboard": False, **place},
        "python": shlex.quote(sys.executable),
    }


def listening_at(settings: Cluster) -> str:
    """The address at which workers are told to look for the scheduler. Raises `ClusterError` where the
    network interface is not there."""
    from distributed.utils import get_ip, get_ip_interface

    if settings.interface:
        return str(get_ip_interface(_known(settings.interface)))
    return os.environ.get("UTTAG_SCHEDULER_HOST") or str(get_ip())


def _known(interface: str) -> str:
    names = [name for _, name in socket.if_nameindex()]
    if interface not in names:
        raise ClusterError(
            f"cluster.yaml: interface {interface}",
            "is not on this machine",
            f"choose from {', '.join(names)}",
        )
    return interface


def credentials(private: Path) -> Any:
    """A certificate and key of this run's own: without them anyone on the network could run code as this
    user."""
    from distributed import Security

    made = Security.temporary()
    files = {
        "tls_ca_file": made.tls_ca_file,
        "tls_cert": made.tls_worker_cert,
        "tls_key": made.tls_worker_key,
    }
    paths = {}
    for name, text in files.items():
        paths[name] = str(private / f"{name}.pem")
        with os.fdopen(os.open(paths[name], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
    ca, cert, key = paths["tls_ca_file"], paths["tls_cert"], paths["tls_key"]
    roles = {
        f"tls_{role}_{part}": path
        for role in ("client", "scheduler", "worker")
        for part, path in (("cert", cert), ("key", key))
    }
    return Security(require_encryption=True, tls_ca_file=ca, **roles)


def _client(cluster: Any) -> Any:
    from distributed import Client

    return Client(cluster, set_as_default=False)


def _shared_folder() -> str:
    """A folder that the workers' nodes see too: the working directory's, which Slurm jobs share by
    definition."""
    folder = Path.cwd() / ".workers"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)


def _forget_surrounding_job() -> None:
    """Inside a Slurm job, sbatch would take over that job's limits from the environment."""
    for name in list(os.environ):
        if name.startswith(("SLURM_", "SBATCH_", "SRUN_", "PMI_")) and name != "SLURM_CONF":
            del os.environ[name]
