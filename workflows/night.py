"""The night: refresh, then the standing permits, from cron's bare environment."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from pipelines.errors import ContractError, SettingsError, UttagError
from pipelines.site import Site
from workflows import run
from workflows.run import Options

_TIME = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")


def run_night(site: Site, options: Options) -> None:
    """Refresh, then rerun each standing permit. One that fails does not keep the others from running; the first failure is raised."""
    failures: list[UttagError] = []
    try:
        run.refresh(site, options)
    except ContractError as fault:
        failures.append(fault)
    for name in run.standing(site):
        try:
            run.release(site, name, options)
        except UttagError as fault:
            print(f"uttag: {fault}", file=sys.stderr)
            failures.append(fault)
    if failures:
        raise failures[0]


def cron_line(site: Site, at: str, on: str) -> str:
    """A line for a crontab: absolute paths, one night at a time, a log for each night."""
    match = _TIME.match(at)
    if match is None:
        raise SettingsError("--at", "is not a time of day", "write it as HH:MM")
    hour, minute = int(match[1]), int(match[2])
    root = shlex.quote(str(site.root))
    python = shlex.quote(sys.executable)
    nights = shlex.quote(str(site.root / "runs" / "nights"))
    lock = shlex.quote(str(site.root / "runs" / "night.lock"))
    # A percent sign ends a cron command unless it is escaped.
    log = f"{nights}/$(date +\\%Y-\\%m-\\%d).log"
    work = f"flock -n {lock} {python} -P -m workflows.cli night {root} --on {on} >> {log} 2>&1"
    return f"{minute} {hour} * * * umask 077; mkdir -p {nights}; {work} # uttag {_mark(site)}"


def install_line(line: str) -> None:
    """Put the line into this user's crontab, in place of an earlier one for the same site."""
    mark = line.rpartition("#")[2].strip()
    try:
        listed = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
        kept = [each for each in listed.stdout.splitlines() if each.rpartition("#")[2].strip() != mark]
        subprocess.run(["crontab", "-"], input="\n".join([*kept, line]) + "\n", text=True, check=True, capture_output=True)
    except FileNotFoundError:
        raise SettingsError(
            "crontab", "is not on this machine", "install cron, or put the printed line where your scheduler reads it"
        ) from None
    except subprocess.CalledProcessError:
        raise SettingsError("crontab", "did not take the line", "put the printed line into it by hand") from None


def _mark(site: Site) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{Path(site.root).name}")
