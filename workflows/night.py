"""The night: refresh, then the standing permits, from cron's bare environment."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from pipelines.errors import ContractError, SettingsError, StageError, UttagError
from pipelines.files.atomic import locked
from pipelines.files.digests import digest
from pipelines.release.publish import latest_version
from pipelines.site.permit import Permit
from pipelines.site.site import Site
from workflows import morning, run
from workflows.driver import Options
from workflows.nights import Night

_PERCENT = "\\%"
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def run_night(site: Site, options: Options) -> None:
    """Refresh, then rerun each standing permit. One that fails does not keep the others from running.

    The first failure is raised, once the others have been printed. Raises `LockedError` while another night
    of the site runs.
    """
    with locked(
        site.root / "runs" / "night.lock",
        site.root,
        "a night of this site is under way",
        "wait for it, or look at uttag status",
    ):
        _run(site, options)


def _run(site: Site, options: Options) -> None:
    night = Night.begin(site, options.on)
    try:
        _refresh(site, options, night)
        for path in sorted((site.root / "permits").glob("*.yaml")):
            _permit(site, path.stem, options, night)
    except BaseException as fault:
        morning.report(site, night.end(fault))
        raise
    morning.report(site, night.end())
    for other in night.faults[1:]:
        print(f"uttag: {other}", file=sys.stderr)
    if night.faults:
        raise night.faults[0]


def _refresh(site: Site, options: Options, night: Night) -> None:
    try:
        run.refresh(site, options, night.planned)
    except (ContractError, SettingsError) as fault:
        night.faults.append(fault)  # of single deliveries: the permits run on what there is
    except UttagError as fault:
        night.faults.append(fault)
        raise
    finally:
        night.ran("refresh")


def _permit(site: Site, name: str, options: Options, night: Night) -> None:
    version, fault, waits = latest_version(site.release / name), None, None
    try:
        if not Permit.load(site, name).standing:
            return
        waits = run.release(site, name, options)
    except UttagError as failure:
        night.faults.append(fault := failure)
    if (fault is None and waits is None) or isinstance(fault, StageError):
        night.ran("release")
    night.permit(name, version, fault, waits)


def cron_line(site: Site, at: str, on: str) -> str:
    """A line for a crontab: absolute paths, a log for each night. Raises SettingsError where `at` is no time
    of day."""
    match = _TIME.fullmatch(at)
    if match is None:
        raise SettingsError("--at", "is not a time of day", "write it as HH:MM")
    hour, minute = int(match[1]), int(match[2])
    root, python = shlex.quote(str(site.root)), shlex.quote(sys.executable)
    nights = shlex.quote(str(site.root / "runs" / "nights"))
    work = (
        f"{_cluster(on)}{python} -P -m workflows.cli night {root} --on {on} >> "
        f"{nights}/$(date +%Y-%m-%d).log 2>&1"
    )
    command = f"umask 077; mkdir -p {nights}; {work} # uttag {_mark(site)}"
    # To cron a percent sign is the end of the command, even between quotes, unless it is escaped.
    return f"{minute} {hour} * * * {command.replace('%', _PERCENT)}"


def install_line(line: str) -> None:
    """Put the line into this user's crontab, in place of an earlier one for the same site.

    Raises SettingsError where there is no crontab, or it does not take the line.
    """
    mark = _mark_of(line)
    try:
        listed = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
        kept = [each for each in listed.stdout.splitlines() if _mark_of(each) != mark]
        subprocess.run(
            ["crontab", "-"],
            input="\n".join([*kept, line]) + "\n",
            text=True,
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        raise SettingsError(
            "crontab",
            "is not on this machine",
            "install cron, or put the printed line where your scheduler reads it",
        ) from None
    except subprocess.CalledProcessError:
        raise SettingsError(
            "crontab", "did not take the line", "put the printed line into it by hand"
        ) from None


def _cluster(on: str) -> str:
    """Where Slurm's commands and settings are, as far as cron would not know."""
    sbatch = shutil.which("sbatch") if on == "slurm" else None
    if sbatch is None:
        return ""
    settings = f" SLURM_CONF={shlex.quote(os.environ['SLURM_CONF'])}" if "SLURM_CONF" in os.environ else ""
    return f"env PATH={shlex.quote(str(Path(sbatch).parent))}:/usr/bin:/bin{settings} "


def _mark(site: Site) -> str:
    """Which site a line is of: its folder's name for people, a hash of its whole path since two may have the
    same name."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', site.root.name)} {digest(str(site.root))[:10]}"


def _mark_of(line: str) -> str:
    return line.rpartition("# uttag ")[2].strip()
