"""How commands speak: progress on standard error, results on standard output, JSON where a script reads."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

umask_before = 0o077  # what whoever called us would have had; set by `main`, which sets our own

AsJson = Annotated[bool, typer.Option("--json", help="for scripts")]


def plain(line: str) -> None:
    """A line of progress, at once."""
    print(line, file=sys.stderr, flush=True)


def silent(_line: str) -> None:
    """Nothing: a script reads the result alone."""
