"""One attempt at a delivery: folders of its own in each zone, put into place by renames when all in them is
whole.

A killed run's orphan may still write while the resumed run works. So each attempt claims the delivery when it
begins, and only the one that claimed it last may publish.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.files import documents
from pipelines.files.atomic import atomic, space_or
from pipelines.intake.files import Part
from pipelines.intake.report import quality_report
from pipelines.site.arrivals import Delivery
from pipelines.site.site import Site

Receipt = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """`identity`, `store`: folders to write a delivery's files to; `quarantine`: the file for rows turned
    away."""

    site: Site
    delivery: Delivery
    identity: Path
    store: Path
    quarantine: Path

    @staticmethod
    @contextlib.contextmanager
    def begin(site: Site, delivery: Delivery) -> Iterator[Attempt]:
        """An attempt, which leaves nothing behind but what it publishes."""
        staging = [
            zone / "staging" / delivery.source / delivery.delivery for zone in (site.identity, site.store)
        ]
        folders: list[Path] = []
        try:
            for each in staging:
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
                folders.append(Path(tempfile.mkdtemp(dir=each)))
                (folders[-1] / "new").mkdir(mode=0o700)
            attempt = Attempt(
                site, delivery, folders[0] / "new", folders[1] / "new", folders[0] / "quarantine.parquet"
            )
            with atomic(attempt._claim) as beside:
                beside.write_text(folders[0].name, encoding="utf-8")
            try:
                yield attempt
            finally:
                if attempt._is_latest():
                    attempt._claim.unlink()
        except OSError as fault:
            raise space_or(fault, staging[0]) from None
        finally:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

    def listed(self, zone: str, part: Part) -> dict[str, Any]:
        """A file as the receipt lists it, where it will lie."""
        return {"file": f"{zone}/{self._under}/{part.file}", "rows": part.rows, "hash": part.hash}

    def files(self, receipt: Receipt) -> tuple[list[Path], list[Path]]:
        """The identity files and the event files that a receipt lists, where they lie now."""
        return (
            [self.identity / Path(each["file"]).name for each in receipt["identities"]],
            [self.store / Path(each["file"]).name for each in receipt["events"]],
        )

    def publish(self, receipt: Receipt) -> None:
        """Put the files into place, in exchange for what the delivery had there before; the receipt, which
        makes them count, last.

        Raises `DataError`, and leaves all as it is, where a later attempt has claimed the delivery.
        """
        if not self._is_latest():
            what, then = "a later attempt has taken over", "look at its receipt; there is nothing more to do"
            raise DataError(f"{self.delivery.source}/{self.delivery.delivery}", what, then)
        self._clear_earlier()
        path = self.site.receipt("intake", self.delivery)
        path.unlink(missing_ok=True)
        accepted = receipt["status"] == "accepted"
        _exchange(self.identity, self.site.identity / self._under, accepted)
        _exchange(self.store, self.site.store / self._under, accepted)
        turned_away = (
            self.site.identity / "quarantine" / self.delivery.source / f"{self.delivery.delivery}.parquet"
        )
        if accepted and self.quarantine.exists():
            turned_away.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.quarantine.replace(turned_away)
        else:
            turned_away.unlink(missing_ok=True)
        with atomic(path.with_suffix(".md")) as beside:
            beside.write_text(quality_report(receipt), encoding="utf-8")
        documents.write_json(receipt, path)

    @property
    def _under(self) -> Path:
        return Path("accepted") / self.delivery.source / self.delivery.delivery

    @property
    def _claim(self) -> Path:
        return self.identity.parent.parent / "claim"

    def _is_latest(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return self._claim.read_text(encoding="utf-8") == self.identity.parent.name
        return False

    def _clear_earlier(self) -> None:
        for own in (self.identity.parent, self.store.parent):
            for each in own.parent.iterdir():
                if each not in (own, self._claim):
                    shutil.rmtree(each, ignore_errors=True)


def _exchange(new: Path, place: Path, accepted: bool) -> None:
    """Put `new` in the place of what is there; or put nothing there."""
    with contextlib.suppress(FileNotFoundError):
        place.replace(new.parent / "old")
    if accepted:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new.replace(place)
