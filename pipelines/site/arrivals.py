"""What has come into `deliveries/`: each folder is read alone, so that what is wrong with one is said of that
one and the others go through."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

from pipelines.errors import ContractError, SettingsError
from pipelines.files.digests import digest
from pipelines.files.yaml import Strict, load_yaml

ANNOUNCEMENT = "delivery.yaml"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ALLOWED = "use up to 100 letters A to Z, digits, points, hyphens and underscores, a letter or digit first"
_LARGEST_ANNOUNCEMENT = 1 << 20  # bytes
_MOST_FILES = 100_000


class Delivery(Strict):
    """One batch of files from one source, as its `delivery.yaml` says."""

    root: Path
    source: str
    delivery: str
    delivered: date
    replaces: str | None = None  # a delivery of the same source that this one corrects whole
    tables: dict[str, list[str]]  # contract table: files, relative to the folder

    @property
    def files(self) -> list[str]:
        """Every file that it names, in order, each once."""
        return sorted({name for names in self.tables.values() for name in names})


@dataclass(frozen=True)
class Arrival:
    """A folder that somebody put there. `name`: the folder's, or a stand-in where that is not an allowed one;
    `delivery`: None where `fault` says what is wrong with it, or where it is not whole yet."""

    source: str
    name: str
    folder: Path
    delivery: Delivery | None = None
    fault: ContractError | None = None

    @property
    def title(self) -> str:
        """source/name."""
        return f"{self.source}/{self.name}"


def arrivals(deliveries: Path, sources: Iterable[str]) -> Iterator[Arrival]:
    """Every folder of the sources, by source and name."""
    for source in sorted(sources):
        place = deliveries / source
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder.is_dir() or folder.is_symlink():
                yield _arrival(source, folder)


def _arrival(source: str, folder: Path) -> Arrival:
    named = NAME.fullmatch(folder.name) is not None
    name = (
        folder.name if named else f"unnamed-{digest(folder.name.encode(errors='surrogateescape').hex())[:10]}"
    )
    try:
        if not named:
            raise ContractError(
                f"{source}/{_told(folder.name)}", "its folder has a name that is not allowed", _ALLOWED
            )
        if folder.is_symlink():
            raise ContractError(
                f"{source}/{name}", "is a link to another folder", "deliver the files themselves"
            )
        if not _there(folder / ANNOUNCEMENT):
            return Arrival(source, name, folder)
        return Arrival(source, name, folder, _read(source, folder))
    except ContractError as fault:
        return Arrival(source, name, folder, fault=fault)


def _told(name: str) -> str:
    """A name that may hold anything, as text that does no harm."""
    plain = ascii(name)
    return plain if len(plain) <= 60 else f"{plain[:57]}...'"


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _read(source: str, folder: Path) -> Delivery:
    """The announcement in a folder. Raises `ContractError` for whatever is wrong with it."""
    title, path = f"{source}/{folder.name}", folder / ANNOUNCEMENT
    _require_file(title, folder, ANNOUNCEMENT)
    if path.stat().st_size > _LARGEST_ANNOUNCEMENT:
        raise ContractError(
            f"{title}/{ANNOUNCEMENT}", "is larger than 1 MiB", "name the tables and files alone"
        )
    try:
        delivery = load_yaml(path, Delivery, root=folder)
    except SettingsError as fault:
        where = fault.where.replace(str(path), f"{title}/{ANNOUNCEMENT}")
        raise ContractError(
            where, fault.what, "mend it; `uttag schema delivery` says what may stand there"
        ) from None
    except OSError:
        raise ContractError(
            f"{title}/{ANNOUNCEMENT}", "cannot be read", "look at its owner and mode"
        ) from None
    if (delivery.source, delivery.delivery) != (source, folder.name):
        what = "names another source or delivery than its folder"
        raise ContractError(f"{title}/{ANNOUNCEMENT}", what, "mend the file or move the folder")
    if delivery.replaces is not None and not NAME.fullmatch(delivery.replaces):
        raise ContractError(f"{title}/{ANNOUNCEMENT}: replaces", "is no name of a delivery", _ALLOWED)
    named = [name for names in delivery.tables.values() for name in names]
    if len(named) > _MOST_FILES:
        raise ContractError(title, f"names more than {_MOST_FILES:,} files", "deliver fewer, larger files")
    if len(set(named)) < len(named):
        raise ContractError(title, "a file is named twice", "mend delivery.yaml")
    if not all(name.isprintable() and 0 < len(name) <= 100 for name in delivery.tables):
        raise ContractError(title, "names a table that cannot be one", "name the tables of the contract")
    for name in named:
        _require_inside(title, name)
    return delivery


def _require_inside(title: str, name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ContractError(title, "a file lies outside the delivery's folder", "mend delivery.yaml")
    if not name.isprintable() or not name.strip() or name == ANNOUNCEMENT or len(name) > 500:
        raise ContractError(title, "names a file that cannot be one", "mend the tables in delivery.yaml")


def require_files(delivery: Delivery) -> None:
    """Raises `ContractError` unless every file that a delivery names is a file in its own folder: no link, in
    no linked folder, no pipe."""
    title = f"{delivery.source}/{delivery.delivery}"
    for name in delivery.files:
        _require_file(title, delivery.root, name)


def _require_file(title: str, folder: Path, name: str) -> None:
    path = folder
    for part in PurePosixPath(name).parts:
        path = path / part
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            what = "the delivery names it, but it is not there"
            raise ContractError(f"{title}/{name}", what, "ask the sender to deliver it again") from None
        except OSError:
            raise ContractError(f"{title}/{name}", "cannot be read", "look at its owner and mode") from None
        if stat.S_ISLNK(mode):
            what = "is a link, or lies in a linked folder"
            raise ContractError(f"{title}/{name}", what, "deliver the file itself")
    if not stat.S_ISREG(mode):
        raise ContractError(f"{title}/{name}", "is not a file", "ask the sender to deliver it again")
