"""What a run says while it works: one line of JSON for each beginning, progress and end, which the driver
turns into progress.

The journal is how a rule on any node reaches the person who waits. It holds stages, counts and times, never a
row's value.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import UttagError
from pipelines.files.atomic import denied


class Journal:
    """Lines of one run. Each is a single append, so that many processes can share the file."""

    def __init__(self, path: Path | None, stage: str, what: str = "", rank: int = 0) -> None:
        self._path, self._about = path, {"stage": stage, "what": what, "rank": rank}

    def say(self, text: str) -> None:
        """Progress, in plain words."""
        self._line("say", text=text)

    def failed(self, text: str, exit_code: int) -> None:
        """The end of a stage that could not say so itself, as whoever watched it saw it."""
        self._line("failed", text=text, exit_code=exit_code)

    @contextlib.contextmanager
    def stage(self) -> Iterator[Journal]:
        """The time of a stage: its beginning, then its end with what it used, or its failure with the error's
        words."""
        begun = time.monotonic()
        self._line("begin")
        try:
            yield self
        except UttagError as fault:
            self._line("failed", text=str(fault), exit_code=fault.exit_code)
            raise
        except OSError as fault:
            if (told := denied(fault)) is None:
                self._line("failed", text=f"fault in the program ({type(fault).__name__})", exit_code=1)
                raise
            self._line("failed", text=str(told), exit_code=told.exit_code)
            raise told from None
        except BaseException as fault:
            self._line("failed", text=f"fault in the program ({type(fault).__name__})", exit_code=1)
            raise
        self._line("end", wall=round(time.monotonic() - begun, 2), **_used())

    def _line(self, event: str, **more: Any) -> None:
        if self._path is None:
            return
        about = {"event": event, "at": round(time.time(), 2), **self._about}
        line = json.dumps({**about, **more}, ensure_ascii=False) + "\n"
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def _used() -> dict[str, float]:
    """CPU seconds and peak memory in MiB of this process and those that it waited for."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return {"cpu": round(cpu, 2), "peak_mib": round(max(own.ru_maxrss, children.ru_maxrss) / 1024)}
