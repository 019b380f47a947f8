"""The engine alone, on anybody's table: inner cells in; protected tables, a proof and a certificate out, by whatever method is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.disclosure.case import Case, counted, prepare
from pipelines.disclosure.suppressed import suppress

__all__ = ["Case", "counted", "prepare", "protect_into"]

Say = Callable[[str], None]


def protect_into(case: Case, out: Path, say: Say) -> dict[str, Any]:
    """Protect, and write `<table>.csv` and `.parquet`, `proof.json`, `report.html` and the certificate; nothing unless all is certified."""
    return suppress(case, out, say)
