"""The audit log: who ran what on which inputs, each entry linked by hash to the one before it.

Entries hold names of stages, hashes and counts alone. An entry that is edited, deleted or moved breaks every
link behind it; a log that was cut short no longer reaches the head that was noted elsewhere (`head`).
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.errors import VerificationError
from pipelines.files import documents
from pipelines.files.atomic import exclusive
from pipelines.files.digests import digest
from pipelines.site.site import Site

_FIRST = "0" * 40


def log_file(site: Site) -> Path:
    """Where the log lies."""
    return site.root / "audit" / "log.jsonl"


def note(site: Site, action: str, **about: Any) -> None:
    """Add an entry. `about`: hashes, names of sources and permits, counts; never a row's value."""
    with exclusive(log_file(site)) as log:
        previous = _last_link(log)
        entry = {
            "number": previous[0] + 1,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "who": getpass.getuser(),
            "action": action,
            "about": about,
            "previous": previous[1],
        }
        entry["link"] = _link(entry)
        log.write(documents.canonical_json(entry) + b"\n")
        log.flush()
        os.fsync(log.fileno())


def entries(site: Site, action: str) -> Iterator[dict[str, Any]]:
    """The log's entries of one action, the oldest first. Raises `VerificationError` for a line that is no
    entry."""
    path = log_file(site)
    with contextlib.suppress(FileNotFoundError), path.open("rb") as log:
        for number, line in enumerate(log, 1):
            if action.encode() in line and (entry := _parsed(path, line, number)).get("action") == action:
                yield entry


def verify(site: Site, head: str | None = None) -> int:
    """Entries in the log. Raises `VerificationError` where a link does not hold, or if `head` is not among
    them."""
    path = log_file(site)
    number, link, links = 0, _FIRST, set()
    for line in path.read_bytes().splitlines() if path.exists() else []:
        entry = _parsed(path, line, number + 1)
        if (
            entry.get("number") != number + 1
            or entry.get("previous") != link
            or entry.get("link") != _link(entry)
        ):
            raise VerificationError(
                f"{path}:{number + 1}",
                "the entry does not follow from the one before it",
                "compare with a copy",
            )
        number, link = number + 1, entry["link"]
        links.add(link)
    if head is not None and head not in links:
        raise VerificationError(
            path,
            "does not reach the head that was noted",
            "it has been cut short or replaced; compare with a copy",
        )
    return number


def head(site: Site) -> str:
    """Link of the last entry: note it where this site's users cannot write."""
    path = log_file(site)
    if not path.exists():
        return _FIRST
    with path.open("rb") as log:
        return _last_link(log)[1]


def _last_link(log: Any) -> tuple[int, str]:
    log.seek(0, os.SEEK_END)
    size = log.tell()
    log.seek(max(0, size - 65_536))
    lines = log.read().splitlines()
    if not lines:
        return 0, _FIRST
    entry = _parsed(log.name, lines[-1], -1)
    return int(entry["number"]), str(entry["link"])


def _parsed(path: object, line: bytes, number: int) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        raise VerificationError(f"{path}:{number}", "the entry is not whole", "compare with a copy")
    return entry


def _link(entry: dict[str, Any]) -> str:
    return digest({name: value for name, value in entry.items() if name != "link"})
