"""Real data on Slurm: the tutorial's site gives the bytes that it gives on one machine. In a file of its own,
so that it waits for its jobs while the made-up region waits for others."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import sites

pytestmark = pytest.mark.cluster


def test_real_data_give_the_same_bytes_on_slurm(mimic: Path, mimic_released: Path, tmp_path: Path) -> None:
    root = sites.copy_of(mimic_released, tmp_path / "site")
    for name in ("store", "receipts", "projects", "release", ".snakemake"):
        subprocess.run(["rm", "-rf", str(root / name)], check=True)
    sites.uttag("refresh", root, "--on", "slurm")
    sites.uttag("run", root / "permits" / "admissions.yaml", "--on", "slurm")
    assert sites.bundle_bytes(root, "admissions") == sites.bundle_bytes(mimic_released, "admissions")
