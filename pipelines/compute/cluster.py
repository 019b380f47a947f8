"""What a site says of its cluster in `cluster.yaml`: whose account, which nodes, how ranks are started, and
how much each stage may have."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipelines.errors import SettingsError
from pipelines.files.version import kernels_hash
from pipelines.files.yaml import Strict, load_yaml

FILE = "cluster.yaml"

# Words that go into job scripts: one word each, nothing that a shell would read as more.
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.,:@+/=-]*$")]
Constraint = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\[][A-Za-z0-9_.,:&|()\[\]*-]*$")]
Module = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+/-]*$")]
Folder = Annotated[str, Field(pattern=r"^(/|\$)[A-Za-z0-9_./${}:-]*$")]
Count = Annotated[int, Field(ge=1, le=100_000)]


class Stage(Strict):
    """What one stage is given, in place of what its input's size suggests.

    `memory`: MiB, of each rank for linkage and store; `minutes`: longest time of its job; `ranks`, `nodes`:
    of linkage and store; `workers`: worker jobs of intake, cohort and aggregation.
    """

    memory: Count | None = None
    minutes: Count | None = None
    ranks: Count | None = None
    nodes: Count | None = None
    workers: Count | None = None


class Cluster(Strict):
    """A cluster, as one site uses it. Every key may be left out.

    `account`, `partition`, `qos`, `constraint`, `reservation`: as sbatch takes them, for every job.
    `modules`: loaded at the beginning of every job. `scratch`: a folder of the node's own, as the job's shell
    reads it; `$TMPDIR` or `/tmp` where none is said. `interface`: the network on which workers reach the
    scheduler. `launcher`: `srun` puts ranks on several nodes, `mpiexec` on one. `mpi`: which interface of
    srun the ranks speak. `memory`: asked for each job, for each processor, or not at all.
    `small`: up to so many MiB of deliveries, stages share jobs; 0 never. `cores`: of a shared job.
    `jobs`: at most so many of rules at once. `sharing`: at most so many rules that start workers at once.
    `workers`, `ranks`, `nodes`: for stages that do not say their own. `memory_factor`, `time_factor`: on all
    that is asked. `largest_memory`, `longest_minutes`: what no job may exceed. `retries`: of a job that the
    cluster ended. `controller_minutes`: how long a controller that does not answer is waited for.
    `worker_minutes`: how long the first worker. `stages`: what one stage is given.
    """

    account: Word | None = None
    partition: Word | None = None
    qos: Word | None = None
    constraint: Constraint | None = None
    reservation: Word | None = None
    modules: tuple[Module, ...] = ()
    scratch: Folder | None = None
    interface: Word | None = None
    launcher: Literal["srun", "mpiexec"] = "srun"
    mpi: Literal["pmi2", "pmix"] = "pmi2"
    memory: Literal["job", "processor", "none"] = "job"
    small: int = Field(256, ge=0)
    cores: int = Field(2, ge=1, le=256)
    jobs: int = Field(20, ge=1, le=10_000)
    sharing: int = Field(2, ge=1, le=1000)
    workers: int = Field(2, ge=1, le=10_000)
    ranks: int = Field(4, ge=2, le=10_000)
    nodes: int = Field(4, ge=1, le=10_000)
    memory_factor: float = Field(1.0, gt=0, le=100)
    time_factor: float = Field(1.0, gt=0, le=100)
    largest_memory: Count | None = None
    longest_minutes: Count | None = None
    retries: int = Field(2, ge=0, le=10)
    controller_minutes: int = Field(30, ge=1, le=10_000)
    worker_minutes: int = Field(5, ge=1, le=10_000)
    stages: dict[
        Literal["intake", "linkage", "store", "cohort", "aggregation", "disclosure", "measures", "release"],
        Stage,
    ] = Field({})

    @staticmethod
    def load(root: Path) -> Cluster:
        """What `cluster.yaml` in the site's folder says; a site without one takes all as it is. Raises
        `SettingsError`."""
        path = root / FILE
        if not path.exists():
            return Cluster()
        found = load_yaml(path, Cluster)
        if found.launcher == "mpiexec" and found.mpi != "pmi2":
            raise SettingsError(f"{path}: mpi", "is srun's, and the launcher is mpiexec", "leave one out")
        return found

    def of(self, stage: str) -> Stage:
        """What is said of one stage."""
        return next((each for name, each in self.stages.items() if name == stage), Stage())

    def ranks_of(self, stage: str) -> int:
        return self.of(stage).ranks or self.ranks

    def workers_of(self, stage: str) -> int:
        return self.of(stage).workers or self.workers

    def megabytes(self, wanted: float) -> int:
        """What is asked for `wanted` MiB."""
        asked = int(wanted * self.memory_factor)
        return min(asked, self.largest_memory or asked)

    def minutes(self, wanted: float) -> int:
        """What is asked for `wanted` minutes."""
        asked = max(1, int(wanted * self.time_factor))
        return min(asked, self.longest_minutes or asked)

    @property
    def options(self) -> list[str]:
        """What sbatch is told for every job, beside memory and time."""
        said = {
            "account": self.account,
            "partition": self.partition,
            "qos": self.qos,
            "constraint": self.constraint,
            "reservation": self.reservation,
        }
        return [f"--{name}={shlex.quote(value)}" for name, value in said.items() if value is not None]

    def prologue(self) -> list[str]:
        """Lines of a job's script, before its work: plain sh, which ends a job that cannot work with 19."""
        return ["umask 077", "export UTTAG_UMASK=077", *self._modules(), *self._scratch(), *_compiled_loops()]

    def _modules(self) -> list[str]:
        if not self.modules:
            return []
        places = (
            '"$LMOD_PKG/init/sh" "$MODULESHOME/init/sh" /etc/profile.d/lmod.sh /etc/profile.d/z00_lmod.sh '
            "/etc/profile.d/modules.sh /usr/share/lmod/lmod/init/sh /usr/share/modules/init/sh"
        )
        return [
            # A job's shell is no login shell, so nobody has told it what `module` is.
            f"if ! type module >/dev/null 2>&1; then for place in {places}; do",
            'if [ -r "$place" ]; then . "$place"; break; fi; done; fi',
            *(
                f"module load {name} || {{ echo 'uttag: module {name} does not load here' >&2; exit 19; }}"
                for name in self.modules
            ),
        ]

    def _scratch(self) -> list[str]:
        if self.scratch is None:
            return []
        missing = "echo 'uttag: scratch of cluster.yaml is no folder to write to on this node' >&2; exit 19"
        return [
            f'[ -d "{self.scratch}" ] && [ -w "{self.scratch}" ] || {{ {missing}; }}',
            f'export TMPDIR="{self.scratch}"',
        ]


def _compiled_loops() -> list[str]:
    return [
        f'export NUMBA_CACHE_DIR="${{TMPDIR:-/tmp}}/uttag-numba-$(id -u)-{kernels_hash()}" '
        "NUMBA_NUM_THREADS=1",
        'mkdir -p -m 700 "$NUMBA_CACHE_DIR"',
        # One that another user put there first could hold code of theirs.
        '[ -O "$NUMBA_CACHE_DIR" ] && [ ! -L "$NUMBA_CACHE_DIR" ] || NUMBA_CACHE_DIR=$(mktemp -d)',
    ]
