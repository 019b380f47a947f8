"""Whole sites for the tests that go the whole way, and how to run and compare them."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pipelines.site.site import Site
from workflows.plan import Plan

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"
MIMIC = REFERENCE / "mimic_iv_demo_omop"
PEOPLE = 2000
# Seconds after which a run hangs. No test is timed: a busy machine may stand still for minutes.
PATIENCE = 2400
UTTAG = (sys.executable, "-P", "-m", "workflows.cli")


def uttag(*arguments: object, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would: in a process of its own."""
    ran = subprocess.run(
        [*UTTAG, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, check=False, **more
    )
    if check and ran.returncode:
        raise AssertionError(f"exit {ran.returncode}: {ran.stderr[-2000:]}")
    return ran


def called(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """What `uttag` does, called in this process, which costs a tenth of a process of its own.

    It goes through the same `main`: the same words, exit code and closed files. What a process is for (its
    start, its environment, signals, ranks, two at once) goes by `uttag`, and so do, of every command, one run
    that ends well and one that does not, for what only a process shows: what is printed past `sys.stdout`.
    """
    from workflows import cli

    said, told = io.StringIO(), io.StringIO()
    environment, here, argv, umask = dict(os.environ), Path.cwd(), sys.argv, os.umask(0o022)
    sys.argv = ["uttag", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        os.umask(umask)
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = argv
        gc.unfreeze()  # a process that ends need collect nothing; this one goes on
    ran = subprocess.CompletedProcess(["uttag", *map(str, arguments)], code, said.getvalue(), told.getvalue())
    if check and ran.returncode:
        raise AssertionError(f"exit {ran.returncode}: {ran.stderr[-2000:]}")
    return ran


def stage_by_stage(root: Path, permit: str) -> None:
    """A night and a permit, one stage after another in this process: for what no process is asked about."""
    from pipelines.site.snapshot import current
    from workflows.stages import Call, run

    site = Site.load(root)
    for each in site.deliveries():
        run("intake", Call(root, delivery=f"{each.source}/{each.delivery}"))
    for name in ("linkage", "store"):
        run(name, Call(root))
    snapshot = current(site)
    for name in ("cohort", "aggregation", "disclosure", "measures", "release"):
        run(name, Call(root, permit=permit, snapshot=snapshot))


def refreshed(root: Path) -> Plan:
    """A refresh as the driver would do it, its stages one after another in this process; its plan."""
    from workflows.stages import Call, run

    site = Site.load(root)
    plan = Plan.of(site)
    plan.prepare()
    by_date = [f"{each.source}/{each.delivery}" for each in site.deliveries()]
    for title in sorted(plan.deliveries, key=by_date.index):
        run("intake", Call(root, delivery=title))
    for name in ("linkage", "store"):
        if name in plan.stages:
            run(name, Call(root))
    return plan


def copy_of(site: Path, to: Path) -> Path:
    """The site, as it stands, elsewhere."""
    shutil.copytree(site, to, symlinks=True)
    return to


def bundle_bytes(site: Path, permit: str) -> dict[str, str]:
    """Hash of each file of the latest bundle."""
    from pipelines.release.publish import latest

    folder = latest(Site.load(site), permit)
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stages_begun(site: Path, workflow: str) -> list[str]:
    """What the last run of a workflow began, from its journal."""
    path = site / "runs" / f"{workflow}.journal"
    events = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )
    return [
        f"{event['stage']} {event['what']}".strip()
        for event in events
        if event["event"] == "begin" and not event["rank"]
    ]


def killed_in(stage: str, site: Path, *arguments: object) -> None:
    """Start a command and kill its driver, and nothing else, as soon as `stage` has begun."""
    driver = subprocess.Popen(
        [*UTTAG, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    workflow = (
        "release" if stage in ("cohort", "aggregation", "disclosure", "measures", "release") else "refresh"
    )
    deadline = time.monotonic() + PATIENCE
    while not any(name.startswith(stage) for name in stages_begun(site, workflow)):
        if driver.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the run ended before {stage} began")
        time.sleep(0.02)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()


def files_holding(words: list[bytes], *folders: Path) -> list[str]:
    """Files under `folders` that hold one of `words`, in their content or name."""
    found = []
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        content = path.read_bytes() + str(path).encode()
        found += [f"{path}" for word in words if word in content]
    return found


def canaries(site: Path) -> list[bytes]:
    """Every form in which a planted person could show: names in three encodings, numbers with and without
    century and dash."""
    words: set[bytes] = set()
    for each in json.loads((site / "truth" / "canaries.json").read_text(encoding="utf-8")):
        for name in (each["surname"], each["given"]):
            for text in (name, name.upper(), name.lower()):
                words |= {text.encode("utf-8"), text.encode("latin-1"), text.encode("utf-16-le")}
        number = each["number"]
        words |= {
            form.encode()
            for form in (number, number[2:], f"{number[:8]}-{number[8:]}", f"{number[2:8]}-{number[8:]}")
        }
    return sorted(words)
