"""Where a living index lies: columns that only grow, sorted runs searched where they lie, and a manifest that
says how far each counts.

What the manifest does not name is not there: a killed update leaves longer columns and unnamed files behind,
and the next one writes over them. The manifest is renamed last. All of it is as sensitive as the tables it
was made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.errors import DataError
from pipelines.files import documents
from pipelines.files.atomic import atomic, locked, space_or
from pipelines.files.digests import digest as digest_of

FORMAT: Final = 2
_MANIFEST: Final = "index.json"
_FACTOR = 5  # a run is merged into one that is not so many times as long


@dataclass(frozen=True)
class Run:
    """Entries of one file. `keys`: uint64 (n,), ascending; `payload`: arrays (n,)."""

    keys: np.ndarray
    payload: tuple[np.ndarray, ...]


class Postings:
    """Sorted runs under one name."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)

    def spans(self, low: np.ndarray, high: np.ndarray | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each run int64 (m,), int64 (m,): where the entries of each needle begin and how many there are.

        `low`: uint64 (m,), ascending; `high`: uint64 (m,), past the last key of each needle, where it has
        more than one.
        """
        found = []
        for run in self.runs:
            begins = np.searchsorted(run.keys, low)
            counts = np.zeros(len(low), np.int64)
            held = begins < len(run.keys)
            held[held] = (
                run.keys[begins[held]] < high[held]
                if high is not None
                else run.keys[begins[held]] == low[held]
            )
            past = (
                np.searchsorted(run.keys, low[held], side="right")
                if high is None
                else np.searchsorted(run.keys, high[held])
            )
            counts[held] = past - begins[held]
            found.append((begins, counts))
        return found

    def take(
        self, spans: Sequence[tuple[np.ndarray, np.ndarray]], first: int, end: int
    ) -> tuple[np.ndarray, ...]:
        """Of needles `first` to `end` the entries: int64 (k,), the needle of each; uint64 (k,), its key;
        arrays (k,), its payload.

        `spans`: as `Postings.spans` gives them, int64 (m,) twice for each run.
        """
        which, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
        payload: list[list[np.ndarray]] = [[each[:0]] for each in self.runs[0].payload] if self.runs else []
        for run, (begins, counts) in zip(self.runs, spans, strict=True):
            places = ranges(begins[first:end], counts[first:end])
            if not len(places):
                continue
            which.append(np.repeat(np.arange(first, end), counts[first:end]))
            keys.append(run.keys[places])
            for column, each in zip(payload, run.payload, strict=True):
                column.append(each[places])
        return np.concatenate(which), np.concatenate(keys), *(np.concatenate(column) for column in payload)

    def all(self, low: np.ndarray, high: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """The entries of all needles, as `take` gives them. `low`, `high`: uint64 (m,), as `spans` takes
        them."""
        return self.take(self.spans(low, high), 0, len(low))


def ranges(begins: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """int64 (sum of the counts,): begin, begin + 1, … for each, one after the other. `begins`, `counts`:
    int64 (k,)."""
    total = np.cumsum(counts)
    return np.repeat(begins - total + counts, counts) + np.arange(int(total[-1]) if len(total) else 0)


class Store:
    """A living index on disk. Open one with `opened`, or with `created` for a new one."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder, self.manifest = folder, manifest
        self.version = int(manifest["version"]) + 1  # that which is being made

    @property
    def facts(self) -> dict[str, Any]:
        """What is known besides arrays."""
        return self.manifest["facts"]  # type: ignore[no-any-return]

    # ---- columns -------------------------------------------------------------------------------------------

    def column(self, name: str) -> np.ndarray:
        """A column, mapped, as it may be handed to a kernel; what is written to it stays in memory. Of the
        dtype it was made with, for instance int32 (rows,) or (rows, width)."""
        entry = self._entry("columns", name)
        return _mapped(
            self.folder / f"{name}.column", np.dtype(entry["dtype"]), entry["rows"], entry["width"]
        )

    def rows(self, name: str) -> int:
        """Length of a column."""
        return int(self._entry("columns", name)["rows"])

    def append(self, name: str, more: np.ndarray) -> np.ndarray:
        """Write rows after those that count, and make them count in the next manifest; returns the whole,
        mapped.

        `more`: for instance int32 (k,) or (k, width); the first such call settles the dtype, others are made
        to it. Raises SpaceError where the disk is full.
        """
        more = np.ascontiguousarray(more)
        width = more.shape[1] if more.ndim == 2 else 0
        entry = self.manifest["columns"].setdefault(
            name, {"dtype": more.dtype.str, "width": width, "rows": 0, "pieces": []}
        )
        dtype = np.dtype(entry["dtype"])
        more = more.astype(dtype, copy=False)
        if len(more) or not entry["pieces"]:
            path = self.folder / f"{name}.column"
            try:
                path.touch(mode=0o600)
                with path.open("rb+") as file:
                    file.truncate(entry["rows"] * dtype.itemsize * max(width, 1))
                    file.seek(0, 2)
                    file.write(more.data if more.size else b"")
            except OSError as fault:
                raise space_or(fault, path) from None
            entry["pieces"].append([len(more), _digest(more)])
            entry["rows"] += len(more)
        return self.column(name)

    def replace(self, name: str, whole: np.ndarray) -> None:
        """A column written anew. `whole`: for instance int32 (rows,)."""
        path = f"{name}.{self.version}.whole"
        _write(self.folder / path, whole)
        self.manifest["whole"][name] = {
            "file": path,
            "dtype": whole.dtype.str,
            "rows": len(whole),
            "digest": _digest(whole),
        }

    def whole(self, name: str) -> np.ndarray:
        """A column that is written anew by each version, mapped: for instance int32 (rows,)."""
        entry = self._entry("whole", name)
        return _mapped(self.folder / entry["file"], np.dtype(entry["dtype"]), entry["rows"], 0)

    # ---- postings ------------------------------------------------------------------------------------------

    def postings(self, name: str) -> Postings:
        """The runs of that name, mapped."""
        return Postings([self._run(entry) for entry in self._entry("postings", name)])

    def add(self, name: str, run: Run, present: Callable[[Run], np.ndarray] | None = None) -> None:
        """Add entries in any order; short runs are merged with them, and what is not `present` any more is
        dropped in passing.

        `present`: says of the entries of a run, which are still there, bool (n,).
        """
        entries = self.manifest["postings"].setdefault(name, [])
        while entries and entries[-1]["rows"] < _FACTOR * len(run.keys):
            old = self._run(entries.pop())
            if present is not None:
                keep = present(old)
                old = Run(old.keys[keep], tuple(each[keep] for each in old.payload))
            run = Run(
                np.concatenate([old.keys, run.keys]),
                tuple(np.concatenate(both) for both in zip(old.payload, run.payload, strict=True)),
            )
        if not len(run.keys) and entries:
            return
        order = np.argsort(run.keys, kind="stable")
        arrays = [run.keys[order], *(each[order] for each in run.payload)]
        files = [f"{name}.{self.version}.{len(entries)}.{place}.run" for place in range(len(arrays))]
        for file, each in zip(files, arrays, strict=True):
            _write(self.folder / file, each)
        dtypes, digests = [each.dtype.str for each in arrays], [_digest(each) for each in arrays]
        entries.append({"files": files, "dtypes": dtypes, "rows": len(order), "digests": digests})

    def _run(self, entry: dict[str, Any]) -> Run:
        files = zip(entry["files"], entry["dtypes"], strict=True)
        keys, *payload = (
            _mapped(self.folder / file, np.dtype(dtype), entry["rows"], 0) for file, dtype in files
        )
        return Run(keys, tuple(payload))

    # ---- the whole -----------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Make this version the one that counts."""
        self.manifest["version"] = self.version
        self.manifest["digest"] = _signed(self.manifest)
        for name in self.manifest["columns"]:
            with (self.folder / f"{name}.column").open("rb+") as file:
                os.fsync(file.fileno())
        with atomic(self.folder / _MANIFEST) as beside:
            beside.write_bytes(documents.canonical_json(self.manifest))
        self.sweep()

    def sweep(self) -> None:
        """Remove what no version names any more."""
        named = {_MANIFEST, "lock", *(f"{name}.column" for name in self.manifest["columns"])}
        named |= {entry["file"] for entry in self.manifest["whole"].values()}
        named |= {
            file
            for entries in self.manifest["postings"].values()
            for entry in entries
            for file in entry["files"]
        }
        for path in self.folder.iterdir():
            if path.name not in named:
                path.unlink(missing_ok=True)

    def check(self) -> None:
        """Read all of it and compare with the manifest. DataError where it is not what was written."""
        for name, entry in self.manifest["columns"].items():
            column, begin = self.column(name), 0
            for rows, digest in entry["pieces"]:
                if _digest(column[begin : begin + rows]) != digest:
                    raise _altered(self.folder / f"{name}.column")
                begin += rows
        for name, entry in self.manifest["whole"].items():
            if _digest(self.whole(name)) != entry["digest"]:
                raise _altered(self.folder / entry["file"])
        for entries in self.manifest["postings"].values():
            for entry in entries:
                run = self._run(entry)
                for file, each, digest in zip(
                    entry["files"], (run.keys, *run.payload), entry["digests"], strict=True
                ):
                    if _digest(each) != digest:
                        raise _altered(self.folder / file)

    def _entry(self, kind: str, name: str) -> Any:
        try:
            return self.manifest[kind][name]
        except KeyError:
            raise _altered(self.folder / _MANIFEST) from None


@contextlib.contextmanager
def created(folder: Path, facts: dict[str, Any], version: int = 0) -> Iterator[Store]:
    """A new index, which takes the place of one at `folder` when it is whole."""
    beside, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    for path in (beside, old):
        shutil.rmtree(path, ignore_errors=True)
    beside.mkdir(parents=True, mode=0o700)
    with contextlib.ExitStack() as stack:
        if folder.is_dir():
            stack.enter_context(_locked(folder))
        yield Store(
            beside,
            {
                "format": FORMAT,
                "version": version,
                "facts": facts,
                "columns": {},
                "postings": {},
                "whole": {},
            },
        )
        if folder.is_dir():
            folder.rename(old)
        beside.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """The index at `folder`, for one process at a time. DataError where there is none."""
    if not (folder / _MANIFEST).is_file():
        raise DataError(folder, "holds no living index", "name the folder that a full `uttag link` wrote to")
    with _locked(folder):
        manifest = documents.read_object(
            folder / _MANIFEST, "format", "version", "facts", "columns", "postings", "whole", "digest"
        )
        if manifest["format"] != FORMAT:
            raise DataError(
                folder,
                f"is an index of format {manifest['format']}, not {FORMAT}",
                "make it anew by a full run",
            )
        if manifest["digest"] != _signed(manifest):
            raise _altered(folder / _MANIFEST)
        yield Store(folder, manifest)


def _locked(folder: Path) -> contextlib.AbstractContextManager[None]:
    return locked(
        folder / "lock", folder, "another update of this index is under way", "wait until it has ended"
    )


def _signed(manifest: dict[str, Any]) -> str:
    return digest_of({name: each for name, each in manifest.items() if name != "digest"})


def _mapped(path: Path, dtype: np.dtype, rows: int, width: int) -> np.ndarray:
    """float, int (rows,) or (rows, width), copied on write so that kernels compiled for plain arrays take
    it."""
    shape = (rows, width) if width else (rows,)
    if not rows:
        return np.zeros(shape, dtype)
    try:
        return np.asarray(np.memmap(path, dtype, "c", shape=shape))
    except FileNotFoundError:
        raise DataError(path, "is not there", "make the index anew by a full run") from None
    except ValueError:
        raise _altered(path) from None


def _altered(path: Path) -> DataError:
    return DataError(path, "is not what was written there", "make the index anew by a full run")


def _write(path: Path, array: np.ndarray) -> None:
    with atomic(path) as beside:
        beside.write_bytes(np.ascontiguousarray(array).data if array.size else b"")


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data if array.size else b"").hexdigest()
