"""What all tests share: how generated cases run, and sites that are made once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

from tests import sites

settings.register_profile("uttag", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("uttag")


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up region whose deliveries have arrived; nothing has run."""
    from workflows.demo.run import make_site

    os.umask(0o077)
    root = tmp_path_factory.mktemp("region") / "site"
    make_site(root, sites.PEOPLE, seed=7)
    return root


@pytest.fixture(scope="session")
def first_night(region: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The region after its first night, run on this machine."""
    root = sites.copy_of(region, tmp_path_factory.mktemp("first") / "site")
    sites.uttag("night", root)
    return root


@pytest.fixture(scope="session")
def mimic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's site with its data and its permit signed; nothing has run."""
    if not sites.MIMIC.is_dir():
        pytest.skip("the MIMIC-IV demo is not in ../shared/reference")
    root = tmp_path_factory.mktemp("mimic") / "site"
    sites.uttag("init", root, "--example", "mimic")
    for path in sites.MIMIC.glob("*.csv"):
        shutil.copy(path, root / "deliveries" / "mimic" / "v0.9")
    sites.uttag(
        "sign", root / "permits" / "admissions.yaml", "--owner", "PhysioNet", "--key", root / "keys" / "owners" / "PhysioNet.ed25519"
    )
    return root


@pytest.fixture(scope="session")
def mimic_released(mimic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's site, run on this machine."""
    root = sites.copy_of(mimic, tmp_path_factory.mktemp("released") / "site")
    sites.uttag("refresh", root)
    sites.uttag("run", root / "permits" / "admissions.yaml")
    return root


def _cluster_answers() -> bool:
    try:
        return subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cluster tests need a cluster; where one is required, its absence is a failure and no skip."""
    if any("cluster" in item.keywords for item in items) and not _cluster_answers():
        if os.environ.get("UTTAG_REQUIRE_CLUSTER"):
            raise pytest.UsageError("the cluster tests are required and no Slurm answers; run make cluster")
        for item in items:
            if "cluster" in item.keywords:
                item.add_marker(pytest.mark.skip(reason=f"{item.name}: no Slurm answers; run make cluster"))
