"""What the site's people have decided of a delivery: that it is withdrawn, or accepted although a guard
stopped it. A decision is a file of its own, and an input of every later night."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipelines.errors import SettingsError
from pipelines.files import documents
from pipelines.site import audit
from pipelines.site.site import Site

Word = Literal["withdrawn", "accepted", "removed"]
_LONGEST = 300
_NUMBER = re.compile(r"\d{6,8}[-+ ]?\d{4}")


@dataclass(frozen=True)
class Decision:
    """`word`: withdrawn (by somebody), removed (its folder was), or accepted. `content`: digest of what was
    accepted, so that other files under the same name are not."""

    word: Word
    reason: str
    who: str
    when: str
    content: str | None = None


def decisions(site: Site) -> dict[tuple[str, str], Decision]:
    """The last decision of each delivery, by source and name. Raises `DataError` for one that does not
    read."""
    found = {}
    for path in sorted(_folder(site).glob("*/*.json")):
        said = documents.read_object(path, "word", "reason", "who", "when", "content")
        found[path.parent.name, path.stem] = Decision(**said)
    return found


def decide(site: Site, source: str, name: str, word: Word, reason: str, content: str | None = None) -> None:
    """Write a decision down, and into the log. Raises `SettingsError` where the reason is none, or holds what
    looks like somebody's number."""
    if not reason.strip() or len(reason) > _LONGEST or not reason.isprintable():
        raise SettingsError("--reason", "is no reason", f"say why in a line of up to {_LONGEST} signs")
    if _NUMBER.search(reason):
        what = "holds what looks like an identity number, and reasons stand in the log"
        raise SettingsError("--reason", what, "say it without the number")
    entry = Decision(
        word, reason.strip(), getpass.getuser(), datetime.now(UTC).isoformat(timespec="seconds"), content
    )
    # The log first: a decision that takes effect without an entry is worse than an entry without effect.
    audit.note(site, f"delivery {word}", source=source, delivery=name, reason=entry.reason)
    documents.write_json(vars(entry), _folder(site) / source / f"{name}.json")


def _folder(site: Site) -> Path:
    return site.root / "decisions" / "deliveries"
