"""Dask workers as Slurm jobs: over TLS, in private folders, replaced when they die, gone when the work is
done."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml

from pipelines.errors import ClusterError
from pipelines.files.version import kernels_hash

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
        """As `compute.Workers.map`. A worker that dies has its items done again by another."""
        if len(items) < 2:
            return [function(item) for item in items]
        self._client = self._client or self._start()
        futures = self._client.map(function, list(items), pure=False, retries=3)
        return self._client.gather(futures)


@contextlib.contextmanager
def slurm_workers(count: int) -> Iterator[SlurmWorkers]:
    """`count` workers, each a Slurm job of its own, for the time of the block. ClusterError: there is no
    `sbatch` here, or no job started in time."""
    if shutil.which("sbatch") is None:
        raise ClusterError(
            "slurm", "sbatch is not on the path", "run on a machine of the cluster, or with --on local"
        )
    _forget_surrounding_job()
    settings = _settings()
    private = Path(
        tempfile.mkdtemp(prefix="dask-", dir=_shared_folder())
    )  # 0700: it holds this run's certificate and key
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, private, ignore_errors=True)

        def start() -> Any:
            stack.enter_context(_encrypted())
            cluster = stack.enter_context(_cluster(settings, private))
            # Adaptive scaling is what replaces a worker that died: a fixed scale would not be watched.
            cluster.adapt(minimum_jobs=count, maximum_jobs=count, interval="2s")
            client = stack.enter_context(_client(cluster))
            try:
                client.wait_for_workers(1, timeout=settings["wait_for_first_worker"])
            except TimeoutError:
                raise ClusterError(
                    "slurm",
                    "no worker job started in time",
                    "look at squeue, then run the same command again",
                ) from None
            return client

        yield SlurmWorkers(start)


def _settings() -> dict[str, Any]:
    return yaml.safe_load((resources.files("slurm") / "jobqueue.yaml").read_text(encoding="utf-8"))


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


def _cluster(settings: dict[str, Any], private: Path) -> Any:
    from dask_jobqueue import SLURMCluster

    return SLURMCluster(
        cores=1,
        processes=1,
        memory=settings["memory"],
        walltime=settings["walltime"],
        job_name=f"{os.environ.get('UTTAG_TAG', 'uttag')}-worker",
        worker_extra_args=[
            "--lifetime",
            f"'{settings['lifetime']}'",
            "--lifetime-stagger",
            "30s",
            "--no-dashboard",
        ],
        job_extra_directives=["--export=NONE", "--no-requeue", "--output=/dev/null", "--error=/dev/null"],
        job_script_prologue=["umask 077", "export UTTAG_UMASK=077", *_numba_cache()],
        local_directory=settings["scratch"],
        log_directory=None,
        security=_credentials(private),
        protocol="tls://",
        scheduler_options={"dashboard": False, "host": os.environ.get("UTTAG_SCHEDULER_HOST", "")},
        python=shlex.quote(sys.executable),
    )


def _credentials(private: Path) -> Any:
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


def _numba_cache() -> list[str]:
    return [
        f'export NUMBA_CACHE_DIR="${{TMPDIR:-/tmp}}/uttag-numba-$(id -u)-{kernels_hash()}" '
        "NUMBA_NUM_THREADS=1",
        'mkdir -p -m 700 "$NUMBA_CACHE_DIR"',
        # One that another user put there first could hold code of theirs.
        '[ -O "$NUMBA_CACHE_DIR" ] && [ ! -L "$NUMBA_CACHE_DIR" ] || NUMBA_CACHE_DIR=$(mktemp -d)',
    ]


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
