"""What a delivery's files hold, by hash: how a file that was changed in place is seen, however its name and
day look."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.files import documents
from pipelines.files.digests import file_digest
from pipelines.site.arrivals import ANNOUNCEMENT, Delivery, require_files
from pipelines.site.site import Site

Stamp = list[int]


def contents(site: Site, delivery: Delivery, keep: bool = True) -> dict[str, str]:
    """SHA-256 of each file of a delivery, its announcement included, by name. A file is read again only where
    its size or one of its times is not what it was when its hash was kept, as is done unless `keep` says no.

    Raises `ContractError` where a file is not there, or is no file of the delivery's own.
    """
    require_files(delivery)
    cache = site.root / "runs" / "contents" / delivery.source / f"{delivery.delivery}.json"
    before, now = _read(cache), stamps(delivery)
    held = {
        name: [
            *stamp,
            before[name][3] if before.get(name, [])[:3] == stamp else file_digest(delivery.root / name),
        ]
        for name, stamp in now.items()
    }
    if keep and held != before:
        documents.write_json(held, cache)
    return {name: str(each[3]) for name, each in held.items()}


def stamps(delivery: Delivery) -> dict[str, Stamp]:
    """Of each file: size in bytes, and when its content and it itself last changed, ns since 1970."""
    return {name: _stamp(delivery.root / name) for name in [ANNOUNCEMENT, *delivery.files]}


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _read(cache: Path) -> dict[str, Any]:
    with contextlib.suppress(DataError):
        return documents.read_object(cache)
    return {}
