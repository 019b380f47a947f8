"""One picture of a site: what has come, what counts, what is released or held, how the last night went and
what runs now. From receipts, decisions, journals and the log alone; it changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from typing import Any

from pipelines.errors import UttagError
from pipelines.files import documents
from pipelines.files.digests import file_digest
from pipelines.release.publish import latest_version
from pipelines.site import audit
from pipelines.site.acceptance import Verdict, verdicts
from pipelines.site.decisions import decisions
from pipelines.site.permit import Permit
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot, current_file, deaths
from pipelines.site.sources import State, states
from workflows import nights
from workflows.driver import last_events
from workflows.leftovers import is_running
from workflows.plan import Plan
from workflows.run import not_due

Found = dict[str, Any]


def report(site: Site, today: date | None = None) -> Found:
    """Sources, deliveries, the snapshot, permits, the last night, the last runs and what runs now."""
    found = verdicts(site)
    snapshot = Snapshot.load(site) if current_file(site).exists() else None
    plan = Plan.of(site, keep=False)
    return {
        "site": site.site,
        "sources": {each.source: _source(each) for each in states(site, found, today or date.today())},
        "deliveries": _deliveries(site, found, snapshot, plan),
        "waits": plan.waits(),
        "snapshot": snapshot.id if snapshot else None,
        "holds": _holds(site, snapshot),
        "permits": list(_permits(site, snapshot, today or date.today())),
        "released": sorted(path.name for path in site.release.iterdir() if path.is_dir())
        if site.release.is_dir()
        else [],
        "night": nights.last(site),
        "running": _running(site),
        "runs": {name: _run(last_events(site, name)) for name in ("refresh", "release")},
    }


# ---- what has come -----------------------------------------------------------------------------------------


def _source(state: State) -> Found:
    return {
        "last": state.last,
        "delivered": state.delivered.isoformat() if state.delivered else None,
        "days": state.days,
        "days_at_most": state.most,
        "late": state.late,
        "unlinked": state.unlinked,
        "warnings": list(state.warnings()),
    }


def _deliveries(site: Site, found: list[Verdict], snapshot: Snapshot | None, plan: Plan) -> list[Found]:
    """Every delivery that is there or was, by date, source and name; those without a date last."""
    inside = set(snapshot.deliveries) if snapshot else set()
    read = {each.title: each for each in found}
    told = {fault.where: fault.what for fault in plan.faults}
    listed = [_delivery(each, inside) for each in found]
    for each in site.arrivals():
        if each.title not in read:
            word = "stopped" if each.fault else "waiting" if each.delivery else "arriving"
            reason = (
                str(each.fault) if each.fault else None if each.delivery else "its delivery.yaml is not there"
            )
            day = each.delivery.delivered.isoformat() if each.delivery else None
            listed.append(_entry(each.source, each.name, word, reason, day))
    names = {(each["source"], each["delivery"]) for each in listed}
    for (source, name), decision in decisions(site).items():
        if decision.word != "accepted" and (source, name) not in names:
            listed.append(_entry(source, name, decision.word, decision.reason, None, since=decision.when))
        elif decision.word == "withdrawn":
            entry = next(each for each in listed if (each["source"], each["delivery"]) == (source, name))
            entry |= {"status": "withdrawn", "reason": decision.reason, "since": decision.when}
    for entry in listed:
        entry["changed"] = told.get(f"{entry['source']}/{entry['delivery']}")
    return sorted(listed, key=lambda each: (each["delivered"] or "9", each["source"], each["delivery"]))


def _delivery(verdict: Verdict, inside: set[tuple[str, str]]) -> Found:
    receipt = verdict.receipt
    names = ("rows_read", "rows_accepted")
    return {
        **_entry(receipt["source"], receipt["delivery"], verdict.word, verdict.reason, receipt["delivered"]),
        **{name: receipt[name] for name in names if name in receipt and verdict.word != "stopped"},
        "turned_away": sorted(receipt.get("quarantined", []), key=lambda each: -each["rows"]),
        "tables": {name: each["rows_accepted"] for name, each in receipt.get("tables", {}).items()},
        "findings": [vars(each) for each in verdict.findings],
        "in_snapshot": (receipt["source"], receipt["delivery"]) in inside,
    }


def _entry(source: str, name: str, word: str, reason: str | None, day: str | None, **more: Any) -> Found:
    about = {"source": source, "delivery": name, "delivered": day, "status": word, "reason": reason}
    return {**about, "findings": [], "tables": {}, "in_snapshot": False, **more}


def _holds(site: Site, snapshot: Snapshot | None) -> Found | None:
    if snapshot is None:
        return None
    return {
        "persons": sum(each.persons for each in snapshot.shards),
        "events": sum(each.events for each in snapshot.shards),
        "deliveries": [f"{source}/{name}" for source, name in snapshot.deliveries],
        "deaths": deaths(site, snapshot),
    }


# ---- permits -----------------------------------------------------------------------------------------------


def _permits(site: Site, snapshot: Snapshot | None, today: date) -> Iterator[Found]:
    noted = list(audit.entries(site, "stage release"))
    for path in sorted((site.root / "permits").glob("*.yaml")):
        entry: Found = {"permit": path.stem, "standing": None, "version": None, "since": None}
        try:
            permit = Permit.load(site, path.stem)
            entry |= {"standing": bool(permit.standing), "valid_to": permit.valid_to.isoformat()}
            entry |= _released(site, path.stem, noted)
            if snapshot is not None:
                entry |= _on(Project.open(site, path.stem, snapshot.id, today), noted)
            else:
                entry |= {"state": "waiting", "reason": "there is no snapshot yet"}
        except UttagError as fault:
            entry |= {"state": "refused", "reason": str(fault)}
        yield entry


def _released(site: Site, name: str, noted: list[Found]) -> Found:
    version = latest_version(site.release / name)
    if not version:
        return {}
    manifest = file_digest(site.release / name / str(version) / "manifest.json")
    times = [
        each["time"]
        for each in noted
        if each["about"].get("permit") == name and each["about"].get("bundle") == manifest
    ]
    return {"version": version, "since": times[0] if times else None}


def _on(project: Project, noted: list[Found]) -> Found:
    """How the permit stands on the current snapshot."""
    receipt = project.folder / "release.json"
    if not receipt.exists():
        if waits := not_due(project):
            return {"state": "not due", "reason": waits.removeprefix("not due: ")}
        return {"state": "due", "reason": "it has not been run on this snapshot as it stands"}
    if not documents.read_object(receipt).get("held"):
        return {"state": "released", "reason": None}
    name, since = project.permit.permit, None
    for each in reversed([each for each in noted if each["about"].get("permit") == name]):
        path = project.site.projects / name / "runs" / each["about"]["run"] / "release.json"
        if not (path.exists() and documents.read_object(path).get("held")):
            break
        since = each["time"]
    return {"state": "held", "reason": nights.HELD, "held_since": since}


# ---- runs --------------------------------------------------------------------------------------------------


def _running(site: Site) -> list[Found] | None:
    """Stages under way, None where nobody works on the site."""
    if not is_running(site):
        return None
    under_way: dict[tuple[str, str], Found] = {}
    for event in (event for name in ("refresh", "release") for event in last_events(site, name)):
        key = event["stage"], event["what"]
        if event["event"] == "begin" and not event["rank"]:
            under_way[key] = {"stage": key[0], "what": key[1], "seconds": round(time.time() - event["at"])}
        elif event["event"] == "say" and key in under_way:
            under_way[key]["said"] = event["text"]
        elif event["event"] in ("end", "failed"):
            under_way.pop(key, None)
    return list(under_way.values())


def _run(events: list[Found]) -> Found:
    """Of a run: stages done and failed, and what each used."""
    done = [event for event in events if event["event"] == "end"]
    failed = [event for event in events if event["event"] == "failed"]
    names = ("stage", "what", "rank", "wall", "cpu", "peak_mib")
    return {
        "done": [{name: event[name] for name in names} for event in done],
        "failed": [{name: event[name] for name in ("stage", "what", "text")} for event in failed],
    }
