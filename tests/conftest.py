"""What all tests share: sites that are made once for all workers, and the order in which they set out.

`make test` runs on some workers of pytest-xdist; a plain `pytest` runs the same tests in one process. What
each of `make test` and `make test-long` generates is told in `amount.py`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import amount, sites

os.umask(0o077)  # as under `uttag`, whichever test comes first


# ---- what is made once -------------------------------------------------------------------------------------


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Iterator[Path]:
    """A site that `make` makes, once for all workers; no test may change it, or the next would find another.

    Whoever comes first makes it, and the others wait.
    """
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root = shared / "made-once" / name / "site"
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root.parent / "made").exists():
            shutil.rmtree(root, ignore_errors=True)  # of somebody who failed half-way
            make(root)
            (root.parent / "made").touch()
    before = files_of(root)
    yield root
    assert files_of(root) == before, f"a test changed the site {name} that all share; let it take a copy"


def files_of(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file."""
    paths = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A made-up region whose deliveries have arrived; nothing has run."""
    from workflows.demo.run import make_site

    yield from made_once(tmp_path_factory, "region", lambda root: make_site(root, sites.PEOPLE, seed=7))


@pytest.fixture(scope="session")
def first_night(region: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The region after its first night, run on this machine."""

    def make(root: Path) -> None:
        sites.uttag("night", sites.copy_of(region, root))

    yield from made_once(tmp_path_factory, "first-night", make)


@pytest.fixture(scope="session")
def mimic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tutorial's site with its data and its permit signed; nothing has run."""
    if not sites.MIMIC.is_dir():
        pytest.skip("the MIMIC-IV demo is not in ../shared/reference")

    def make(root: Path) -> None:
        sites.uttag("init", root, "--example", "mimic")
        for path in sites.MIMIC.glob("*.csv"):
            shutil.copy(path, root / "deliveries" / "mimic" / "v0.9")
        key = root / "keys" / "owners" / "PhysioNet.ed25519"
        sites.uttag("sign", root / "permits" / "admissions.yaml", "--owner", "PhysioNet", "--key", key)

    yield from made_once(tmp_path_factory, "mimic", make)


@pytest.fixture(scope="session")
def mimic_released(mimic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tutorial's site, run on this machine."""

    def make(root: Path) -> None:
        sites.copy_of(mimic, root)
        sites.uttag("refresh", root)
        sites.uttag("run", root / "permits" / "admissions.yaml")

    yield from made_once(tmp_path_factory, "mimic-released", make)


# ---- in which order ----------------------------------------------------------------------------------------

# Whole runs on the cluster wait most of the time, so they start first and wait while others compute; then
# what takes long, so that no worker is left with it at the end. Tests that stop the cluster's daemons have it
# alone: they come when the whole runs have ended. Nothing else depends on the order.
FIRST = (
    "cluster/test_slurm.py",
    "cluster/test_slurm_runs",
    "cluster/test_slurm_mimic",
    "whole/test_nights",
    "whole/test_ten_nights",
    "studies/",
    "kernels/test_linkage",
    "properties/",
    "attacks/",
    "cluster/",
    "deliveries/",
    "whole/",
    "faults/",
)


def _cluster_answers() -> bool:
    try:
        return (
            subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=10, check=False).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cluster tests need a cluster; where one is required, its absence is a failure and no skip."""

    here = Path(__file__).parent

    def turn(item: pytest.Item) -> int:
        file = item.path.relative_to(here).as_posix()
        return next((k for k, name in enumerate(FIRST) if file.startswith(name)), len(FIRST))

    items.sort(key=turn)
    if any("cluster" in item.keywords for item in items) and not _cluster_answers():
        if os.environ.get("UTTAG_REQUIRE_CLUSTER"):
            raise pytest.UsageError("the cluster tests are required and no Slurm answers; run make cluster")
        for item in items:
            if "cluster" in item.keywords:
                item.add_marker(pytest.mark.skip(reason=f"{item.name}: no Slurm answers; run make cluster"))


def pytest_report_header() -> str:
    return "generated: all (make test-long)" if amount.LONG else f"generated: 1 of {amount.PART} parts"
