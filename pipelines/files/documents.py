"""JSON on disk and as bytes: small documents beside the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.files.atomic import atomic


def write_json(value: object, path: Path) -> None:
    """Write JSON with sorted keys, whole or not at all."""
    with atomic(path) as beside:
        beside.write_text(as_json(value), encoding="utf-8")


def as_json(value: object) -> str:
    """What `write_json` writes."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read JSON. Raises `DataError` where the file is not there or is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(path, "is not there", "run the stage that makes it again") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise DataError(
            path, "is not JSON", "restore it, or remove it and run the same command again"
        ) from None


def read_object(path: Path, *names: str) -> dict[str, Any]:
    """Read a JSON object that has at least `names`; a file of another shape is told so like one that is no
    JSON. Raises `DataError`."""
    value = read_json(path)
    if not isinstance(value, dict) or (missing := [name for name in names if name not in value]):
        what = f"says no {missing[0]}" if isinstance(value, dict) else "does not hold names and values"
        raise DataError(path, what, "restore it, or remove it and run the same command again")
    return value


def canonical_json(value: object) -> bytes:
    """The one way to write a value as JSON bytes, for signing and hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
