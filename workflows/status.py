"""What a site holds and how its last runs went, from receipts and journals alone."""

from __future__ import annotations

from typing import Any

from pipelines.files import documents
from pipelines.site import snapshot
from pipelines.site.site import Site
from workflows.driver import last_events


def report(site: Site) -> dict[str, Any]:
    """Deliveries, the current snapshot, released cases and the last runs."""
    deliveries = []
    for each in site.deliveries():
        path = site.receipt("intake", each)
        receipt = documents.read_json(path) if path.exists() else {"status": "waiting"}
        counts = {name: receipt[name] for name in ("rows_read", "rows_accepted", "reason") if name in receipt}
        deliveries.append(
            {"source": each.source, "delivery": each.delivery, "status": receipt["status"], **counts}
        )
    return {
        "site": site.site,
        "deliveries": deliveries,
        "snapshot": snapshot.current(site) if snapshot.current_file(site).exists() else None,
        "released": sorted(path.name for path in site.release.iterdir() if path.is_dir())
        if site.release.is_dir()
        else [],
        "runs": {name: _run(last_events(site, name)) for name in ("refresh", "release")},
    }


def _run(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Of a run: stages done and failed, and what each used."""
    done = [event for event in events if event["event"] == "end"]
    failed = [event for event in events if event["event"] == "failed"]
    return {
        "done": [
            {name: event[name] for name in ("stage", "what", "rank", "wall", "cpu", "peak_mib")}
            for event in done
        ],
        "failed": [{name: event[name] for name in ("stage", "what", "text")} for event in failed],
    }


def told(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = [f"site {found['site']}", "", "deliveries"]
    for each in found["deliveries"]:
        rows = (
            f"{each['rows_accepted']:,} of {each['rows_read']:,} rows"
            if "rows_read" in each
            else each.get("reason", "")
        )
        lines.append(f"  {each['source']}/{each['delivery']}: {each['status']} {rows}".rstrip())
    lines += [
        "",
        f"snapshot {found['snapshot'] or 'none yet'}",
        f"released {', '.join(found['released']) or 'nothing yet'}",
    ]
    for name, ran in found["runs"].items():
        lines += ["", f"last {name}"]
        lines += [
            f"  {each['stage']} {each['what']}: {each['wall']:.1f} s, {each['peak_mib']} MiB"
            for each in ran["done"]
        ]
        lines += [f"  {each['stage']} {each['what']} FAILED: {each['text']}" for each in ran["failed"]]
    return "\n".join(lines)
