"""The key of each record: what the table says, or what a secret makes of who it is; the same for ever, in
whatever table it counts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np

from kernels.cell_key import MODULUS
from kernels.hashing import hash_rows
from pipelines.disclosure.methods import CellKey
from pipelines.disclosure.problem import Problem
from pipelines.errors import DataError, KeyFileError, SettingsError
from pipelines.files import people

_LEAST: Final = 32  # bytes of a key file


def of_inner(problem: Problem, method: CellKey) -> tuple[np.ndarray, np.ndarray]:
    """The inner cell and the key of each record: int64 (records,), int64 (records,).

    Raises SettingsError where keys are to be derived and no column says who is who; DataError where a given
    key is no number from 0 to below 1, or it is not said, or said twice, who a record is; KeyFileError where
    the file to derive them with is not usable.
    """
    path = problem.folder / problem.specification.table
    column = method.record_keys or problem.specification.person
    if column is None:
        raise SettingsError(
            "specification: person",
            "is not said, and key_file makes keys of it",
            "name the column that says who it is",
        )
    values = people.read_text(path, [column])[column].to_pylist()
    keys = (
        _given(path, column, values)
        if method.record_keys
        else _derived(path, column, values, problem.folder / (method.key_file or ""))
    )
    return problem.inner.of_row, keys


def _given(path: Path, column: str, values: list[str | None]) -> np.ndarray:
    try:
        keys = np.array([float(value or "nan") for value in values])
    except ValueError:
        keys = np.full(len(values), np.nan)
    if wrong := int((~((keys >= 0) & (keys < 1))).sum()):
        raise DataError(
            path,
            f"{wrong:,} of {len(keys):,} records have a {column} that is no number from 0 to below 1",
            "mend the keys",
        )
    return np.minimum(np.round(keys * MODULUS), MODULUS - 1).astype(np.int64)


def _derived(path: Path, column: str, values: list[str | None], key_file: Path) -> np.ndarray:
    if missing := sum(not (value or "").strip() for value in values):
        raise DataError(path, f"{missing:,} records have no {column}", "say who each is, or leave them out")
    names = np.array([(value or "").strip().encode() for value in values])
    if again := len(names) - len(np.unique(names)):
        raise DataError(
            path, f"{again:,} records are of a {column} who has another", "count each person once"
        )
    secret = hashlib.blake2b(_secret(key_file), digest_size=16, person=b"uttag cell keys").digest()
    return hash_rows(names, secret) % MODULUS


def _secret(path: Path) -> bytes:
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError:
        raise KeyFileError(path, "cannot be read", "name a file of 32 or more random bytes") from None
    if mode & 0o077:
        raise KeyFileError(path, "can be read by others", f"chmod 600 {path.name}")
    if len(content) < _LEAST:
        raise KeyFileError(path, f"holds fewer than {_LEAST} bytes", "make it with: head -c 32 /dev/urandom")
    return content
