"""Is a site's folder, and the file system under it, fit?"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import UttagError
from pipelines.site.site import Site
from workflows.findings import NO, OK, WARNING, Finding, judged
from workflows.needs import Size

_SKEW = 5  # seconds between two clocks that do no harm


def look_at_site(root: Path) -> Iterator[Finding]:
    """The folder, its file system's locks, renames and clock, and room for what comes."""
    try:
        site = Site.load(root)
    except UttagError as fault:
        yield Finding("site", NO, fault.what, fault.next_step)
        return
    yield Finding("site", OK, site.site)
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=site.root) as folder:
            yield Finding("site folder", OK, "can be written")
            yield from _file_system(Path(folder))
    except OSError as fault:
        what = f"cannot be written ({fault.strerror})"
        yield Finding(
            "site folder", NO, what, "give it to the user who runs uttag, on a disk that is writable"
        )
        return
    mode = site.root.stat().st_mode & 0o777
    yield judged(
        "site folder's mode",
        not mode & 0o022,
        f"{mode:03o}",
        f"chmod go-w {site.root}: others may write into it",
    )
    yield from _room(site)


def _file_system(folder: Path) -> Iterator[Finding]:
    yield judged("locks", _locks(folder / "lock"), "flock", "put the site on a file system with flock")
    one, other = folder / "one", folder / "other"
    one.write_text("new", encoding="utf-8")
    other.write_text("old", encoding="utf-8")
    one.replace(other)
    well = other.read_text(encoding="utf-8") == "new" and not one.exists()
    yield judged("renames", well, "replace a file at once", "put the site on another file system")
    skew = other.stat().st_mtime - time.time()
    yield judged(
        "clock of the file system",
        abs(skew) < _SKEW,
        f"{skew:+.1f} s from this machine's",
        "set both clocks by the same server (NTP): stages are ordered by the times of files",
    )


def _locks(path: Path) -> bool:
    """Does a second opening of a file find it locked?"""
    with path.open("w") as first, path.open("w") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def _room(site: Site) -> Iterator[Finding]:
    free = shutil.disk_usage(site.root).free / 2**20
    # A store takes about three times its deliveries, and the old one stays until the new one is whole.
    wanted = 6 * Size.of(site).delivered + 200
    state = OK if free >= wanted else WARNING if free >= wanted / 2 else NO
    yield Finding(
        "room", state, f"{free:,.0f} MiB free, about {wanted:,.0f} wanted", "free some, or move the site"
    )
    files = os.statvfs(site.root)
    left = files.f_favail
    yield judged(
        "files that may be made",
        not files.f_files or left > 10_000,
        f"{left:,}",
        "remove some, or move the site",
    )
