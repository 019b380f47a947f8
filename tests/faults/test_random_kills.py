"""Kills at random: whatever of a night is killed, whenever, the same command goes on and ends with the same
bytes. In `make test-long` fifty of them, over this machine and Slurm."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from pipelines.site import audit
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from tests import sites
from tests.amount import LONG

PERMIT = "diabetes"
LONGEST = 9.0  # seconds from the start of a run to its kill


def processes_of(root: Path) -> list[int]:
    """Every process of this machine that works for the site: stages, ranks, Snakemake."""
    mark, found = f"UTTAG_SITE={root}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def killed_at_random(root: Path, chance: random.Random, on: str) -> tuple[bool, str]:
    """Start a night and kill its driver, or something that it started, at some time. Whether the night had
    ended before, and what was killed."""
    driver = subprocess.Popen(
        [*sites.UTTAG, "night", str(root), "--on", on], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + chance.uniform(0.3, LONGEST * (3 if on == "slurm" else 1))
    while time.monotonic() < until:
        if driver.poll() is not None:
            return driver.returncode == 0, "nothing"
        time.sleep(0.02)
    others = processes_of(root)
    what = chance.choice(["driver", "stage"]) if others else "driver"
    process = driver.pid if what == "driver" else chance.choice(others)
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        what = "nothing"
    if what != "driver":
        driver.wait(900)
        return driver.returncode == 0, what
    driver.wait(60)
    return False, what


@pytest.mark.skipif(not LONG, reason="many nights; make test-long does")
@pytest.mark.parametrize(
    ("on", "kills"), [("local", 25), pytest.param("slurm", 25, marks=pytest.mark.cluster)]
)
def test_whatever_is_killed_the_same_command_ends_with_the_same_bytes(
    on: str, kills: int, first_night: Path, region: Path, tmp_path: Path
) -> None:
    seed = int(os.environ.get("UTTAG_SEED", "1"))
    chance, done, killed = random.Random(seed), 0, []
    root = tmp_path / "site"
    while done < kills:
        if not root.exists():
            sites.copy_of(region, root)
        ended, what = killed_at_random(root, chance, on)
        done += what != "nothing"
        killed.append(what)
        if ended:
            same(root, first_night)
            shutil.rmtree(root)
    if root.exists():
        for _ in range(3):  # a stage that was killed for no fault of its delivery's is tried again
            if sites.uttag("night", root, "--on", on, check=False).returncode == 0:
                break
        same(root, first_night)


def same(root: Path, first_night: Path) -> None:
    """The site holds what an undisturbed night makes, nothing half-written, and a log that holds."""
    site = Site.load(root)
    assert current(site) == current(Site.load(first_night))
    assert sites.bundle_bytes(root, PERMIT) == sites.bundle_bytes(first_night, PERMIT)
    assert [path for path in root.rglob("*.part") if ".snakemake" not in path.parts] == []
    assert audit.verify(site) > 0


def test_a_delivery_whose_intake_is_killed_ends_nobody_elses_night(region: Path, tmp_path: Path) -> None:
    root = sites.copy_of(region, tmp_path / "site")
    settings = yaml.safe_load((root / "site.yaml").read_text(encoding="utf-8"))
    settings["sources"] = {name: settings["sources"][name] for name in ("folkbokforing", "primarvard")}
    (root / "site.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    run = subprocess.Popen(
        [*sites.UTTAG, "refresh", str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    victim = "primarvard/2025-09-01"
    deadline = time.monotonic() + sites.PATIENCE
    while f"intake {victim}" not in sites.stages_begun(root, "refresh"):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for process in processes_of(root):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if victim.encode() in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGKILL)
    told = run.communicate(timeout=sites.PATIENCE)[1]
    assert run.returncode == 11, told
    assert f"uttag: {victim}: stopped: its intake died" in told
    inside = json_of(root)["inside"]
    assert inside == ["folkbokforing/2025-09-01"]
    sites.uttag("refresh", root)
    assert victim in json_of(root)["inside"]


def json_of(root: Path) -> dict[str, list[str]]:
    from pipelines.site.snapshot import Snapshot

    return {"inside": [f"{source}/{name}" for source, name in Snapshot.load(Site.load(root)).deliveries]}
