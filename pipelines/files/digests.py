"""Names by content: the same for equal content however it is stored, encrypted or divided."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path, PurePath

import numpy as np

from pipelines.files.frames import Category, Frame, dtype
from pipelines.files.schemas import Schema


def content_hash(frame: Frame, schema: Schema) -> str:
    """Hex digest of decoded content: the same for equal rows however they are stored or encrypted."""
    digest = hashlib.blake2b(digest_size=20)
    for name, kind in schema.items():
        column = frame[name]
        digest.update(f"{name}:{kind}:{len(column)};".encode())
        if isinstance(column, Category):
            column = Category.of(column.labels, column.places)
            digest.update(json.dumps(column.labels).encode())
            digest.update(np.ascontiguousarray(column.places, "<i4").data)
        else:
            digest.update(np.ascontiguousarray(column, dtype(kind)).data)
    return digest.hexdigest()


def digest(*parts: object) -> str:
    """Hex digest of plain values, in the order given: what JSON can hold, days, paths and numpy's whole
    numbers. Raises TypeError for anything else: a set has no order, and an object no one text, so that their
    digests would differ from one process to the next.
    """
    text = json.dumps(parts, sort_keys=True, default=_written)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _written(value: object) -> str | int:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, np.integer):
        return int(value)
    raise TypeError(f"{type(value).__name__} has no digest")


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
