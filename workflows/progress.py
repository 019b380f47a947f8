"""A run's journal as a person reads it: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.status import Status

from pipelines.errors import StageError


class Progress:
    """Follows a journal. `failure`: the first failure that it holds; `running`: stages that have
    begun and not ended."""

    def __init__(self, journal: Path) -> None:
        self._journal, self._read = journal, 0
        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._status: Status | None = (
            self._console.status("starting Snakemake") if self._console.is_terminal else None
        )
        self._begun = time.monotonic()
        self.running: dict[str, None] = {}
        self._done = 0
        self.failure: StageError | None = None

    def __enter__(self) -> Progress:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def follow(self) -> None:
        """Show what has come in since the last call."""
        if not self._journal.exists():
            return
        with self._journal.open("rb") as journal:
            journal.seek(self._read)
            for line in journal:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self._show(json.loads(line))

    def finish(self) -> None:
        """The last line."""
        what = f"{self._done} stages" if self._done else "nothing to do: everything is up to date"
        self._console.print(f"  done: {what} in {time.monotonic() - self._begun:.0f} s")

    def _show(self, entry: dict[str, Any]) -> None:
        name = f"{entry['stage']} {entry['what']}".strip()
        event = entry["event"]
        if entry["rank"] and event != "failed":
            return  # the first rank speaks for all
        if event == "begin":
            self.running[name] = None
        elif event == "say":
            self._print(f"  {name}: {entry['text']}")
        elif event == "end":
            self.running.pop(name, None)
            self._done += 1
            self._print(
                f"  {name}: done in {entry['wall']:.1f} s ({entry['cpu']:.1f} CPU s, {entry['peak_mib']} MiB)"
            )
        elif event == "failed":
            self.running.pop(name, None)
            self.failure = self.failure or StageError(entry["text"], entry["exit_code"])
        if self._status:
            self._status.update(", ".join(self.running) or "waiting")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False)
