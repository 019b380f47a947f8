"""Putting a bundle where others see it: a folder for each version of a case, never changed once there."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import SettingsError
from pipelines.files import documents
from pipelines.files.atomic import space_or
from pipelines.release.pages import index_page
from pipelines.site.site import Site


def publish(
    release: Path,
    case: str,
    build: Callable[[Path], None],
    check: Callable[[Path], None],
    tells: Callable[[Path, Path], bool],
    goes_out: Callable[[], None] = lambda: None,
) -> tuple[Path, bool]:
    """Build a bundle beside its place, check it, and give it the case's next number, once `goes_out` has
    returned.

    The latest version is left as it is where `build` makes the same bytes, and where the new bundle beside an
    earlier version `tells` of few people: it is held. Returns the latest version's folder,
    `<release>/<case>/<number>`, and whether a newer one was held.
    """
    home = release / case
    with _beside(home) as fresh:
        build(fresh)
        check(fresh)
        latest = latest_version(home)
        if (
            latest
            and (home / str(latest) / "manifest.json").read_bytes() == (fresh / "manifest.json").read_bytes()
        ):
            check(home / str(latest))
            return home / str(latest), False
        if any(tells(fresh, home / str(number)) for number in _versions(home)):
            return home / str(latest), True
        goes_out()
        place = home / str(latest + 1)
        fresh.rename(place)
        _write_text(f"{latest + 1}\n", home / "latest")
    return place, False


def write_index(release: Path, site: str) -> None:
    """The plain page of what is finished, from what the bundles themselves say."""
    _write_text(
        index_page(
            site,
            [_case(home) for home in sorted(release.iterdir()) if home.is_dir() and latest_version(home)],
        ),
        release / "index.html",
    )


def latest(site: Site, case: str) -> Path:
    """The folder of a case's latest version. Raises `SettingsError` if there is none."""
    home = site.release / case
    version = latest_version(home) if Path(case).name == case else 0
    if not version:
        raise SettingsError(
            home, "nothing has been released under that name", "see release/index.html for what is finished"
        )
    return home / str(version)


def latest_version(home: Path) -> int:
    """Number of the latest version of a case, 0 if there is none. A version counts from its rename on,
    whatever `latest` says."""
    return max(_versions(home), default=0)


def _versions(home: Path) -> list[int]:
    return sorted(int(path.name) for path in home.iterdir() if path.name.isdigit()) if home.is_dir() else []


def _case(home: Path) -> dict[str, Any]:
    version = latest_version(home)
    folder = home / str(version)
    manifest = documents.read_json(folder / "manifest.json")
    structure = documents.read_json(folder / "structure.json")
    return {**manifest, "version": version, "folder": f"{home.name}/{version}", "tables": structure["tables"]}


def _write_text(text: str, path: Path) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as fault:
        beside.unlink(missing_ok=True)
        raise space_or(fault, path) from None


@contextlib.contextmanager
def _beside(home: Path) -> Iterator[Path]:
    """A folder of this attempt's own, gone afterwards unless it was renamed."""
    parent = None
    try:
        home.mkdir(parents=True, exist_ok=True)
        parent = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=home))
        fresh = parent / "bundle"
        fresh.mkdir()
        yield fresh
    except OSError as fault:
        raise space_or(fault, home) from None
    finally:
        if parent:
            shutil.rmtree(parent, ignore_errors=True)
        with contextlib.suppress(OSError):
            home.rmdir()  # where nothing has ever been released
