"""Whole or absent: a reader never meets half a file, and two writers never meet at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import AccessError, LockedError, SpaceError


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A name of this attempt's own to write to; renamed to `path` when the block ends well, removed when it
    does not."""
    handle = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
    except OSError as fault:
        raise space_or(fault, path) from None
    try:
        yield Path(beside)
        with Path(beside).open("rb+") as written:
            os.fsync(written.fileno())
        Path(beside).replace(path)
    except OSError as fault:
        raise space_or(fault, path) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(beside).unlink()


@contextlib.contextmanager
def locked(lock: Path, place: Path | str, what: str, then: str) -> Iterator[None]:
    """`place` is ours until the block ends or this process dies, however it dies. Raises `LockedError`
    (`what`, `then`) if it is not."""
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock.touch(mode=0o600)
    with lock.open("rb+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LockedError(place, what, then) from None
        yield


def is_locked(lock: Path) -> bool:
    """Is a process inside `locked` of that file? Changes nothing."""
    try:
        with lock.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[BinaryIO]:
    """`path`, opened to read and to append, for this process alone until the block ends; waits while another
    has it. It is made where it is not there, with its folder, for its user's eyes only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield held


def space_or(fault: OSError, path: Path) -> Exception:
    """A `SpaceError` where a write failed for want of room, an `AccessError` where it was not allowed, else
    the fault itself."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in str(fault):
        return SpaceError(
            path, "there is no room to write it", "free some space and run the same command again"
        )
    return denied(fault, path) or fault


def denied(fault: OSError, path: Path | None = None) -> AccessError | None:
    """The `AccessError` that an operating system's refusal is, None for another fault."""
    if fault.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        return None
    where = path or fault.filename or "a file"
    if fault.errno == errno.EROFS:
        return AccessError(
            where, "lies on a read-only file system", "mount it to be written, or move the site"
        )
    return AccessError(where, "this user may not read or write it", "look at its owner and mode")
