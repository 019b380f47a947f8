"""What the doctor says of one thing that it looked at."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

OK, WARNING, NO = "ok", "!", "no"


@dataclass(frozen=True)
class Finding:
    """`state`: `ok`; `!` where something may be missed; `no` where something would fail. `remedy`: what to do
    about it, unless all is well."""

    what: str
    state: str
    found: str
    remedy: str = ""

    def line(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy and self.state != OK else ""
        return f"{self.state:<3} {self.what}: {self.found}{remedy}"

    def told(self) -> dict[str, Any]:
        """For scripts."""
        remedy = self.remedy if self.state != OK else ""
        return {
            "what": self.what,
            "ok": self.state != NO,
            "state": self.state,
            "found": self.found,
            "remedy": remedy,
        }


def judged(what: str, well: bool, found: str, remedy: str, otherwise: str = NO) -> Finding:
    """`ok` if all is well, else `otherwise`."""
    return Finding(what, OK if well else otherwise, found, remedy)


def said(command: list[str], timeout: float = 20) -> tuple[int, str]:
    """Exit code and all that a command said; 127 where it could not be run or did not end."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 127, ""
    return ran.returncode, ran.stdout + ran.stderr
