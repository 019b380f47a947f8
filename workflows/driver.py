"""The driver: starts Snakemake on one of the two workflows, shows its progress, and can be killed and started
again at any time."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.compute.cluster import Cluster
from pipelines.errors import ClusterError, SilentError, StageError
from pipelines.files import documents
from pipelines.files.digests import digest
from pipelines.site import audit
from pipelines.site.site import Site
from workflows.cancel import under_way
from workflows.leftovers import end_leftovers, tag
from workflows.needs import Size, group_arguments, here, is_small, shared, spread
from workflows.progress import Progress

_HERE = Path(__file__).parent
_PROFILE = _HERE.parent / "slurm" / "profile"
_PLUGIN = _HERE.parent / "slurm" / "plugin"  # where Snakemake finds our executor
_PASSED_ON = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
    "SLURM_CONF",
    "UTTAG_SCHEDULER_HOST",
    # where a job finds `module`
    "LMOD_PKG",
    "MODULEPATH",
    "MODULESHOME",
)


@dataclass(frozen=True)
class Options:
    """How, never what: the result does not depend on any of these."""

    on: str = "local"
    cores: int = 0
    ranks: int = 0
    workers: int = 0
    dry_run: bool = False
    prepare: bool = False

    @property
    def processors(self) -> int:
        return self.cores or len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Means:
    """How a run goes about it. `settings`: what the workflow reads; `arguments`: what Snakemake is told."""

    settings: dict[str, Any]
    arguments: list[str]


def prepare(site: Site, workflow: str, config: dict[str, Any], options: Options) -> list[str]:
    """Write what the workflow reads, and return the command that runs it."""
    settings = site.root / "runs" / f"{workflow}.json"
    means = _means(site, workflow, options)
    uttag = f"{shlex.quote(sys.executable)} -P -m workflows.cli"
    documents.write_json({**config, "uttag": uttag, **means.settings}, settings)
    return _command(site, workflow, settings, means)


def plain_command(site: Site, workflow: str, config: dict[str, Any], options: Options) -> str:
    """`prepare`, and the command as a shell takes it, with what it needs of an environment."""
    command = prepare(site, workflow, config, options)
    journal = site.root / "runs" / f"{workflow}.journal"
    ours = {name: text for name, text in _environment(site, journal).items() if name not in _PASSED_ON}
    return shlex.join(["env", *(f"{name}={text}" for name, text in ours.items()), *command])


def drive(site: Site, workflow: str, config: dict[str, Any], options: Options) -> None:
    """Run a workflow to its end. Raises the failure of the first stage that failed, or `StageError`."""
    runs = site.root / "runs"
    journal = runs / f"{workflow}.journal"
    command = prepare(site, workflow, config, options)
    end_leftovers(site, options.on)
    journal.unlink(missing_ok=True)
    audit.note(site, f"run {workflow}", on=options.on, config=digest(config))
    log_file = runs / f"{workflow}.log"
    with log_file.open("wb") as log, Progress(journal) as progress, under_way(site, workflow):
        environment = _environment(site, journal)
        driver = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )
        try:
            while driver.poll() is None:
                progress.follow()
                time.sleep(0.2)
        except BaseException:
            os.killpg(driver.pid, signal.SIGTERM)
            end_leftovers(site)
            raise
        progress.follow()
    if driver.returncode:
        raise progress.failure or _unexplained(progress, workflow, str(log_file), driver.returncode)
    progress.finish()


def nothing_due(site: Site, workflow: str) -> None:
    """What `drive` leaves where there is nothing to do: no leftover, and an empty journal."""
    end_leftovers(site)
    journal = site.root / "runs" / f"{workflow}.journal"
    journal.unlink(missing_ok=True)
    with Progress(journal) as progress:
        progress.finish()


def _unexplained(progress: Progress, workflow: str, log: str, code: int) -> StageError:
    """A run that failed though no stage said why: which of them had begun, at least."""
    begun = ", ".join(progress.running)
    if code < 0:
        return StageError(
            f"{workflow}: Snakemake was ended by signal {-code}; run the same command again", 19
        )
    if begun:
        return SilentError(
            f"{begun}: ended without a word, as one does that is killed or has no memory left; free some, "
            f"read {log}, then run the same command again"
        )
    return StageError(f"{workflow}: Snakemake failed before a stage began; read {log}", 1)


def _command(site: Site, workflow: str, settings: Path, means: Means) -> list[str]:
    return [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(_HERE / f"{workflow}.smk"),
        "--directory",
        str(site.root),
        "--configfile",
        str(settings),
        "--nolock",
        "--rerun-incomplete",
        "--rerun-triggers",
        "mtime",
        "--keep-going",
        *means.arguments,
    ]


def _means(site: Site, workflow: str, options: Options) -> Means:
    """Raises `ClusterError` where there is no Slurm, or uttag lies where its jobs could not be written."""
    if options.on == "local":
        ranks = options.ranks or options.processors
        settings = here(options.processors, ranks, options.workers or options.processors)
        return Means(settings, ["--cores", str(options.processors)])
    if shlex.quote(sys.executable) != sys.executable:  # Snakemake puts it into job scripts as it is
        raise ClusterError(
            "slurm",
            "uttag lies in a folder whose name a job script would not take for one word",
            "install it in a folder without blanks and signs",
        )
    if shutil.which("sbatch") is None:
        raise ClusterError(
            "slurm", "sbatch is not on the path", "run on a machine of the cluster, or with --on local"
        )
    cluster, size = Cluster.load(site.root), Size.of(site)
    arguments = [
        *("--profile", str(_PROFILE)),
        *("--uttag-logdir", str(site.root / "runs" / "slurm"), "--uttag-jobname-prefix", tag(site)),
        *("--jobs", str(cluster.jobs), "--retries", str(cluster.retries)),
        *("--resources", f"dask={cluster.sharing}", f"slots={cluster.cores}"),
    ]
    # Who asks for ranks or workers wants them.
    if is_small(size, cluster) and not options.ranks and not options.workers:
        return Means(shared(size, cluster), [*arguments, *group_arguments(workflow)])
    return Means(spread(size, cluster, options.ranks, options.workers), arguments)


def _environment(site: Site, journal: Path) -> dict[str, str]:
    """Only what is needed: Slurm keeps a job's whole environment, and another user may read it."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    cache = Path(tempfile.gettempdir()) / f"uttag-numba-{os.getuid()}"
    own = {"UTTAG_SITE": str(site.root), "UTTAG_TAG": tag(site), "UTTAG_JOURNAL": str(journal)}
    caches = {"NUMBA_CACHE_DIR": str(cache), "XDG_CACHE_HOME": str(site.root / "runs" / ".cache")}
    threads = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    path = f"{Path(sys.executable).parent}:{passed.get('PATH', os.defpath)}"
    plugins = {"PYTHONPATH": str(_PLUGIN), "PYTHONUNBUFFERED": "1"}
    return {**passed, **own, **caches, **threads, **plugins, "PATH": path}


def last_events(site: Site, workflow: str) -> list[dict[str, Any]]:
    """The journal of the last run."""
    path = site.root / "runs" / f"{workflow}.journal"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    # On a full disk the last one may be half a line.
    return [json.loads(line) for line in lines if line.endswith(b"\n")]
