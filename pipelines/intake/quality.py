"""The quality reports of a site, brought up to date: what guards say of a delivery hangs on the others."""

from __future__ import annotations

from pipelines.files.atomic import atomic
from pipelines.intake.report import quality_report
from pipelines.site.acceptance import Verdict
from pipelines.site.site import Site

_SHOWN = 24  # deliveries, it and those before it


def write_reports(site: Site, found: list[Verdict]) -> None:
    """Write the report of each delivery that was read, where it is not what it was."""
    for source in sorted(site.sources):
        read = [each for each in found if each.receipt["source"] == source and "tables" in each.receipt]
        rows = [(each.receipt["delivery"], each.receipt["rows_accepted"], each.word) for each in read]
        for place, each in enumerate(read):
            if each.word == "stopped":
                continue
            text = quality_report(each.receipt, each, rows[max(0, place + 1 - _SHOWN) : place + 1])
            path = site.receipts / "intake" / source / f"{each.receipt['delivery']}.md"
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                with atomic(path) as beside:
                    beside.write_text(text, encoding="utf-8")
