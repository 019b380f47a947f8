"""Names by content: the same for equal content however it is stored, encrypted or divided."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

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
            column = Category.of(column.labels, column.index)
            digest.update(json.dumps(column.labels).encode())
            digest.update(np.ascontiguousarray(column.index, "<i4").data)
        else:
            digest.update(np.ascontiguousarray(column, dtype(kind)).data)
    return digest.hexdigest()


def digest(*parts: object) -> str:
    """Hex digest of plain values that JSON can hold, in the order given."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=20).hexdigest()


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
