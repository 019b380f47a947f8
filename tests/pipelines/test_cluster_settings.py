"""What a site's cluster.yaml becomes: options of sbatch, a job's first lines, ranks, and a worker's job."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pipelines.compute import slurm
from pipelines.compute.asked import asked
from pipelines.compute.cluster import FILE, Cluster
from pipelines.errors import ClusterError, SettingsError
from workflows.needs import SHARED_OUT, STAGES, Size, is_small, shared, spread

EXAMPLES = Path(slurm.__file__).parents[2] / "slurm" / "examples"
SIZE = Size(delivered=3000, largest=1000, shard=1000)


def said(tmp_path: Path, text: str) -> Cluster:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    return Cluster.load(tmp_path)


def example(tmp_path: Path, name: str) -> Cluster:
    return said(tmp_path, (EXAMPLES / name).read_text(encoding="utf-8"))


def worker_script(settings: Cluster, tmp_path: Path) -> str:
    """The job script that dask-jobqueue would hand to sbatch."""
    from dask_jobqueue.slurm import SLURMJob
    from distributed import Security

    more = slurm.worker_jobs(settings, 2000, 90)
    for of_the_cluster in ("scheduler_options",):
        more.pop(of_the_cluster)
    return SLURMJob("tls://10.0.0.1:1", "one", security=Security(), **more).job_script()


def resources(config: dict[str, Any], stage: str, attempt: int) -> dict[str, Any]:
    """What Snakemake would make of a rule's resources."""
    return {
        name: value(None, attempt) if callable(value) else value
        for name, value in asked(config, stage).items()
    }


def test_a_site_without_a_file_asks_for_nothing_special(tmp_path: Path) -> None:
    settings = Cluster.load(tmp_path)
    assert settings == Cluster()
    assert settings.options == []
    assert "module" not in "\n".join(settings.prologue())


def test_the_university_example_loads_modules_and_keeps_ranks_on_one_node(tmp_path: Path) -> None:
    settings = example(tmp_path, "university.yaml").model_copy(update={"interface": "lo"})
    assert settings.options == ["--partition=compute"]
    lines = "\n".join(settings.prologue())
    assert "module load gcc/13.2" in lines
    assert "module load python/3.11" in lines
    assert 'export TMPDIR="/scratch/local"' in lines
    config = spread(SIZE, settings, 0, 0)
    assert config["launch"]["linkage"].endswith("mpiexec -rmk user -launcher fork -n 8")
    assert config["needs"]["linkage"]["fixed"] == {"mpi": "mpiexec", "tasks": 8, "nodes": 1}
    assert config["workers"]["cohort"] == "--on slurm --workers 4"
    script = worker_script(settings, tmp_path)
    assert "#SBATCH --partition=compute" in script
    assert "--interface lo" in script
    assert "module load python/3.11" in script
    assert script.index("module load") < script.index("dask_worker")


def test_the_naiss_example_asks_memory_by_the_processor_and_charges_an_account(tmp_path: Path) -> None:
    settings = example(tmp_path, "naiss.yaml")
    assert settings.options == ["--account=naiss2026-1-1", "--partition=core", "--constraint='fat&new'"]
    config = spread(SIZE, settings, 0, 0)
    assert config["launch"]["linkage"] == "srun --mpi=pmi2 -n 16"
    assert config["needs"]["linkage"]["fixed"] == {"mpi": "srun", "tasks": 16, "nodes": 4}
    linkage = resources(config, "linkage", 1)
    assert (linkage["mem_mb_per_cpu"], linkage["runtime"]) == (4000, 120)
    assert resources(config, "linkage", 5)["mem_mb_per_cpu"] == 60_000, "never more than the largest"
    assert resources(config, "store", 1)["runtime"] == 60
    assert resources(config, "cohort", 4)["runtime"] == 600, "never longer than the longest"
    assert config["workers"]["aggregation"] == "--on slurm --workers 8"
    script = worker_script(settings.model_copy(update={"interface": None}), tmp_path)
    assert "#SBATCH --account=naiss2026-1-1" in script
    assert "#SBATCH --mem-per-cpu=2000M" in script
    assert "--mem=" not in script
    assert 'export TMPDIR="$SNIC_TMP"' in script
    assert "--local-directory $SNIC_TMP" in script
    assert "#SBATCH -t 01:30:00" in script


def test_the_accounting_example_names_quality_and_reservation(tmp_path: Path) -> None:
    settings = example(tmp_path, "accounting.yaml")
    assert settings.options == [
        "--account=health",
        "--partition=main",
        "--qos=night",
        "--reservation=uttag-nights",
    ]
    script = worker_script(settings, tmp_path)
    assert all(f"#SBATCH {option}" in script for option in settings.options)
    assert "#SBATCH --mem=2G" in script
    assert is_small(Size(1024, 1, 1), settings)
    assert not is_small(Size(1025, 1, 1), settings)


def test_stages_that_share_a_job_start_neither_ranks_nor_workers() -> None:
    config = shared(Size(1, 1, 1), Cluster(cores=3))
    assert set(config["launch"].values()) == {""}
    assert all("slurm" not in config["workers"][stage] for stage in SHARED_OUT)
    assert {config["needs"][stage]["fixed"]["slots"] for stage in STAGES} == {1, 3}


def test_small_nought_means_never() -> None:
    assert not is_small(Size(0, 0, 0), Cluster(small=0))


def test_larger_input_asks_for_more_and_each_attempt_for_twice_as_much() -> None:
    config, larger = (
        spread(Size(size, size, size), Cluster(memory_factor=1.0), 0, 0) for size in (100, 10_000)
    )
    for stage in ("intake", "linkage", "store", "cohort", "aggregation"):
        assert larger["needs"][stage]["memory"] > config["needs"][stage]["memory"]
    first, second = (resources(config, "cohort", attempt) for attempt in (1, 2))
    assert second["mem_mb"] == 2 * first["mem_mb"]
    assert second["runtime"] == 2 * first["runtime"]
    assert second["worker_mb"] == 2 * first["worker_mb"]


def test_memory_none_asks_for_none() -> None:
    config = spread(SIZE, Cluster(memory="none"), 0, 0)
    assert not {"mem_mb", "mem_mb_per_cpu"} & {
        name for stage in STAGES for name in resources(config, stage, 1)
    }


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("partition: main; rm -rf x", "partition"),
        ("account: '$(id)'", "account"),
        ("modules: ['a && b']", "modules"),
        ("scratch: /tmp;id", "scratch"),
        ("scratch: relative", "scratch"),
        ("small: -1", "small"),
        ("queue: main", "queue"),
        ("stages: {linking: {ranks: 2}}", "stages"),
        ("launcher: mpiexec\nmpi: pmix", "mpi"),
    ],
)
def test_what_a_job_script_would_trip_over_is_refused_by_name(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(SettingsError, match=place) as refused:
        said(tmp_path, text)
    assert refused.value.exit_code == 10


def test_a_network_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ClusterError, match=r"interface ib7: is not on this machine; choose from .*lo"):
        slurm.worker_jobs(Cluster(interface="ib7"), 1500, 60)


def run_prologue(settings: Cluster, **environment: str) -> subprocess.CompletedProcess[str]:
    script = "\n".join([*settings.prologue(), "env"])
    return subprocess.run(
        ["sh", "-c", script],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_job_whose_module_does_not_load_ends_with_its_name(tmp_path: Path) -> None:
    ended = run_prologue(Cluster(modules=("no/such",)), TMPDIR=str(tmp_path))
    assert ended.returncode == 19
    assert "module no/such does not load" in ended.stderr


def test_a_job_finds_module_where_the_system_keeps_it(tmp_path: Path) -> None:
    home = tmp_path / "modules"
    (home / "init").mkdir(parents=True)
    (home / "init" / "sh").write_text('module() { export LOADED="$LOADED $2"; }\n', encoding="utf-8")
    ended = run_prologue(Cluster(modules=("a/1", "b")), TMPDIR=str(tmp_path), MODULESHOME=str(home))
    assert ended.returncode == 0, ended.stderr
    assert "LOADED= a/1 b" in ended.stdout


def test_scratch_is_where_a_jobs_own_variable_says(tmp_path: Path) -> None:
    settings = Cluster(scratch="$SNIC_TMP")
    ended = run_prologue(settings, SNIC_TMP=str(tmp_path))
    assert f"TMPDIR={tmp_path}\n" in ended.stdout
    assert f"NUMBA_CACHE_DIR={tmp_path}/" in ended.stdout
    missing = run_prologue(settings, SNIC_TMP=str(tmp_path / "gone"))
    assert missing.returncode == 19
    assert "scratch of cluster.yaml" in missing.stderr


def test_ranks_that_do_not_find_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.compute.ranks import ranks

    for name in ("PMI_RANK", "PMI_SIZE", "PMI_FD", "PMIX_RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(ClusterError, match="started 4 ranks, and 1 found each other"), ranks():
        pass
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    with ranks() as alone:
        assert alone.size == 1


def test_the_one_task_of_a_step_needs_no_mpi_though_srun_speaks_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pipelines.compute.ranks import ranks

    for name, value in {"PMI_SIZE": "1", "PMI_RANK": "0", "PMI_FD": "999"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    with ranks() as alone:
        assert alone.size == 1
