"""A sealed file, and beside it in plain JSON what its numbers are, bound to each other.

Whoever may write to a folder could give numbers that he cannot read other names: exchange men and women. So
the digest of the description is sealed with the numbers, and a description that is another one is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.errors import VerificationError
from pipelines.files import documents, sealed
from pipelines.files.digests import digest
from pipelines.files.frames import Frame
from pipelines.files.schemas import Schema
from pipelines.files.sealing import Zone


def write(frame: Frame, path: Path, schema: Schema, zone: Zone, said: Any, described: Path) -> None:
    """Write `frame` to `path`, sealed, and `said`, what it is, as JSON to `described`."""
    sealed.write(frame, path, schema, zone, about=_digest(said))
    documents.write_json(said, described)


def check(said: Any, described: Path, path: Path, zone: Zone) -> None:
    """Raise `VerificationError` where `said`, read from `described`, is not what was sealed with `path`."""
    if sealed.about(path, zone) != _digest(said):
        raise VerificationError(
            described,
            f"is not what was sealed with {path.name}: it was changed, or brought from elsewhere",
            "find out by whom; then remove the folder and run the stage that makes it again",
        )


def _digest(said: Any) -> str:
    return digest(documents.canonical_json(said).decode())
