"""The driver: starts Snakemake on one of the two workflows, shows its progress, and can be killed and started
again at any time."""

from __future__ import annotations

import csv
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

from pipelines.errors import ClusterError, StageError
from pipelines.files import documents
from pipelines.files.digests import digest
from pipelines.site import audit
from pipelines.site.site import Site
from workflows.leftovers import end_leftovers, tag
from workflows.progress import Progress

_HERE = Path(__file__).parent
_PROFILE = _HERE.parent / "slurm" / "profile"
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
)
# MiB for a rule, and for each rank of linkage and store.
_MEMORY = {
    "intake": 3000,
    "linkage": 1800,
    "store": 1800,
    "cohort": 2000,
    "aggregation": 2000,
    "disclosure": 3000,
    "measures": 1500,
    "release": 3000,
}
_ORDER = tuple(_MEMORY)


@dataclass(frozen=True)
class Options:
    """How, never what: the result does not depend on any of these."""

    on: str = "local"
    cores: int = 0
    ranks: int = 0
    workers: int = 0
    dry_run: bool = False

    @property
    def processors(self) -> int:
        return self.cores or len(os.sched_getaffinity(0))


def drive(site: Site, workflow: str, config: dict[str, Any], options: Options) -> None:
    """Run a workflow to its end. Raises the failure of the first stage that failed, or `StageError`."""
    runs = site.root / "runs"
    journal, settings = runs / f"{workflow}.journal", runs / f"{workflow}.json"
    documents.write_json({**config, **_how(site, options, journal)}, settings)
    command = _command(site, workflow, settings, options)
    if options.dry_run:
        _tell_plan(command, _environment(site, journal), config)
        return
    end_leftovers(site)
    journal.unlink(missing_ok=True)
    audit.note(site, f"run {workflow}", on=options.on, config=digest(config))
    with (runs / f"{workflow}.log").open("wb") as log, Progress(journal) as progress:
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
        raise progress.failure or StageError(
            f"{workflow}: Snakemake failed; read {log.name}, then run the same command again", 1
        )
    progress.finish()


def nothing_due(site: Site, workflow: str) -> None:
    """What `drive` leaves where there is nothing to do: no leftover, and an empty journal."""
    end_leftovers(site)
    journal = site.root / "runs" / f"{workflow}.journal"
    journal.unlink(missing_ok=True)
    with Progress(journal) as progress:
        progress.finish()


def _tell_plan(command: list[str], environment: dict[str, str], config: dict[str, Any]) -> None:
    """Print a line for each stage that would run."""
    asked = subprocess.run(
        [*command, "--summary"], env=environment, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise StageError(
            "--dry-run: Snakemake could not tell; run the command itself, and read its log in runs/", 1
        )
    rows = list(csv.DictReader(asked.stdout.splitlines(), delimiter="\t"))
    due = {(row["rule"], row["output_file"]) for row in rows if row["plan"] != "no update"}
    for rule, receipt in sorted(due, key=lambda each: (_ORDER.index(each[0]), each[1])):
        what = (
            receipt.removeprefix("receipts/intake/").removesuffix(".json")
            if rule == "intake"
            else config.get("permit", "")
        )
        print(f"would run {rule} {what}".rstrip())
    if not due:
        print("nothing would run: everything is up to date")


def _how(site: Site, options: Options, journal: Path) -> dict[str, Any]:
    uttag = f"{shlex.quote(sys.executable)} -P -m workflows.cli"
    own = {"uttag": uttag, "threads": options.processors, "memory": _MEMORY}
    if options.on == "slurm":
        ranks = options.ranks or 4
        return {
            **own,
            "threads": 1,
            "workers": f"--on slurm --workers {options.workers or 2}",
            "launch": f"srun --mpi=pmi2 -n {ranks}",
            "ranks": {"mpi": "srun", "tasks": ranks, "nodes": min(ranks, 4)},
        }
    ranks = options.ranks or options.processors
    mpiexec = shlex.quote(str(Path(sys.executable).with_name("mpiexec")))
    launch = f"{mpiexec} -launcher fork -n {ranks}" if ranks > 1 else ""
    return {
        **own,
        "workers": f"--workers {options.workers or options.processors}",
        "launch": launch,
        "ranks": {},
    }


def _command(site: Site, workflow: str, settings: Path, options: Options) -> list[str]:
    command = [
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
    ]
    if options.on == "slurm":
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
        logs = ["--slurm-logdir", str(site.root / "runs" / "slurm"), "--slurm-jobname-prefix", tag(site)]
        return [*command, "--profile", str(_PROFILE), *logs]
    return [*command, "--cores", str(options.processors)]


def _environment(site: Site, journal: Path) -> dict[str, str]:
    """Only what is needed: Slurm keeps a job's whole environment, and another user may read it."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    cache = Path(tempfile.gettempdir()) / f"uttag-numba-{os.getuid()}"
    own = {"UTTAG_SITE": str(site.root), "UTTAG_TAG": tag(site), "UTTAG_JOURNAL": str(journal)}
    caches = {"NUMBA_CACHE_DIR": str(cache), "XDG_CACHE_HOME": str(site.root / "runs" / ".cache")}
    threads = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    path = f"{Path(sys.executable).parent}:{passed.get('PATH', os.defpath)}"
    return {**passed, **own, **caches, **threads, "PATH": path, "PYTHONUNBUFFERED": "1"}


def last_events(site: Site, workflow: str) -> list[dict[str, Any]]:
    """The journal of the last run."""
    path = site.root / "runs" / f"{workflow}.journal"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    # On a full disk the last one may be half a line.
    return [json.loads(line) for line in lines if line.endswith(b"\n")]
