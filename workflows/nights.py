"""The nights of a site, one record each: what came, what was refused, what changed, what it cost and how it
ended."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipelines.errors import UttagError
from pipelines.files import documents
from pipelines.release.publish import latest_version
from pipelines.site.acceptance import Verdict, verdicts
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot, current_file, deaths
from pipelines.site.sources import states
from workflows.driver import last_events
from workflows.plan import Plan

Found = dict[str, Any]
KEPT = 400  # records
HELD = "what has changed since an earlier version is too little to be shown safely"
_FORMAT = "%Y-%m-%dT%H-%M-%SZ"


def folder(site: Site) -> Path:
    """Where the records lie."""
    return site.root / "nights"


def records(site: Site) -> list[Path]:
    """The records, the oldest first."""
    return sorted(folder(site).glob("*.json"))


def last(site: Site) -> Found | None:
    """The last night's record; one that was killed says so."""
    found = records(site)
    if not found:
        return None
    record: Found = documents.read_object(found[-1], "outcome")
    if record["outcome"] == "running" and not _alive(record):
        record |= {"outcome": "ended without a word", "text": "it was killed, or its machine went down"}
    return record


def _stood(site: Site) -> dict[str, str]:
    """What the last night that came to its end said of each delivery."""
    for path in reversed(records(site)):
        found: dict[str, str] | None = documents.read_object(path).get("deliveries")
        if found is not None:
            return found
    return {}


def _alive(record: Found) -> bool:
    if record["host"] != socket.gethostname():
        return True  # who knows
    return Path(f"/proc/{record['process']}").exists()


@dataclass
class _State:
    """Of a site, before or after a night."""

    verdicts: dict[str, Verdict]
    read: dict[str, int]
    snapshot: Snapshot | None

    @staticmethod
    def of(site: Site) -> _State:
        found = {each.title: each for each in verdicts(site)}
        read = {
            title: (site.receipts / "intake" / f"{title}.json").stat().st_mtime_ns for title in sorted(found)
        }
        return _State(found, read, Snapshot.load(site) if current_file(site).exists() else None)


@dataclass
class Night:
    """A night under way: what it has met so far."""

    site: Site
    on: str
    begun: datetime
    before: _State
    stood: dict[str, str]  # what the last night said of each delivery
    plan: Plan | None = None
    stages: list[Found] = field(default_factory=list)
    permits: list[Found] = field(default_factory=list)
    faults: list[UttagError] = field(default_factory=list)

    @staticmethod
    def begin(site: Site, on: str) -> Night:
        """Begin a record, which says that the night runs until it has ended."""
        before = _State.of(site)
        stood = _stood(site) or {title: each.word for title, each in before.verdicts.items()}
        night = Night(site, on, datetime.now(UTC), before, stood)
        night._write({"outcome": "running", "exit_code": None})
        return night

    @property
    def name(self) -> str:
        """When it began, as files are called."""
        return self.begun.strftime(_FORMAT)

    def planned(self, plan: Plan) -> None:
        """Note what was due."""
        self.plan = plan

    def ran(self, workflow: str) -> None:
        """Note what the last run of a workflow did."""
        self.stages += _stages(last_events(self.site, workflow))

    def permit(self, name: str, version: int, fault: UttagError | None, waits: str | None = None) -> None:
        """Note what became of a permit whose latest version was `version` before. `waits`: why it was not
        run yet, in words."""
        if waits is not None:
            self.permits.append({"permit": name, "outcome": "not due", "version": version, "reason": waits})
            return
        now = latest_version(self.site.release / name)
        held = fault is None and _held(self.site, name)
        outcome = "failed" if fault else "released" if now > version else "held" if held else "unchanged"
        reason = str(fault) if fault else HELD if outcome == "held" else None
        self.permits.append({"permit": name, "outcome": outcome, "version": now, "reason": reason})

    def end(self, fault: BaseException | None = None) -> Found:
        """Write the record and return it. `fault`: what ended the night before its time."""
        after = _State.of(self.site)
        told = [each for fault in self.faults for each in (fault.others or (fault,))]
        trouble = [{"text": str(each), "exit_code": each.exit_code} for each in told]
        if isinstance(fault, KeyboardInterrupt):
            trouble.insert(0, {"text": "it was interrupted", "exit_code": 130})
        elif fault is not None and not isinstance(fault, UttagError):
            text = f"fault in the program ({type(fault).__name__})"
            trouble.insert(0, {"text": text, "exit_code": 1})
        record = self._write(
            {
                "outcome": "trouble" if trouble else "good",
                "exit_code": trouble[0]["exit_code"] if trouble else 0,
                "faults": trouble,
                "due": [vars(each) for each in self.plan.due] if self.plan else [],
                "waits": [*map(str, self.plan.faults), *self.plan.unread()] if self.plan else [],
                "came": [_came(after.verdicts[title]) for title in after.read if self._new(title, after)],
                "changed": self._changed(after),
                "deliveries": {title: each.word for title, each in after.verdicts.items()},
                "warnings": self._warnings(after),
                "snapshot": {
                    "before": _of(self.site, self.before.snapshot),
                    "after": _of(self.site, after.snapshot),
                },
                "permits": self.permits,
                "stages": self.stages,
                "cpu": round(sum(each["cpu"] or 0 for each in self.stages), 2),
                "peak_mib": max((each["peak_mib"] or 0 for each in self.stages), default=0),
                "sources": {name: _rows(after, name) for name in sorted(self.site.sources)},
            }
        )
        for path in records(self.site)[:-KEPT]:
            path.unlink()
            path.with_suffix(".html").unlink(missing_ok=True)
        return record

    def _new(self, title: str, after: _State) -> bool:
        return after.read[title] != self.before.read.get(title)

    def _changed(self, after: _State) -> list[Found]:
        """Deliveries that stood otherwise when the last night ended: what people decided since is told,
        too."""
        found = []
        for title, was in self.stood.items():
            new = after.verdicts.get(title)
            word, reason = (new.word, new.reason) if new else self._gone(title)
            if word != was and not (new and self._new(title, after)):
                found.append({"delivery": title, "from": was, "to": word, "reason": reason})
        return found

    def _gone(self, title: str) -> tuple[str, str]:
        removed = self.plan is not None and tuple(title.split("/", 1)) in self.plan.removed
        return ("removed", "its folder was removed") if removed else ("withdrawn", "it was withdrawn")

    def _warnings(self, after: _State) -> list[str]:
        found = states(self.site, list(after.verdicts.values()), date.today())
        return [text for each in found for text in each.warnings()]

    def _write(self, more: Found) -> Found:
        ended = None if more["outcome"] == "running" else datetime.now(UTC)
        record = {
            "night": self.name,
            "site": self.site.site,
            "begun": self.begun.isoformat(timespec="seconds"),
            "ended": ended.isoformat(timespec="seconds") if ended else None,
            "wall": round((ended - self.begun).total_seconds(), 1) if ended else None,
            "on": self.on,
            "host": socket.gethostname(),
            "process": os.getpid(),
            **more,
        }
        documents.write_json(record, folder(self.site) / f"{self.name}.json")
        return record


def _stages(events: list[Found]) -> list[Found]:
    """Each stage that a run began, with its end or failure."""
    found: dict[tuple[str, str], Found] = {}
    for event in events:
        key = event["stage"], event["what"]
        if event["event"] == "begin" and not event["rank"]:
            nothing = {
                "wall": None,
                "cpu": None,
                "peak_mib": None,
                "outcome": "ended without a word",
                "said": "",
            }
            found[key] = {"stage": key[0], "what": key[1], "begun": event["at"], **nothing}
        if key not in found:
            continue
        if event["event"] == "say":
            found[key]["said"] = event["text"]
        elif event["event"] == "end":
            entry = found[key]
            entry["wall"] = max(entry["wall"] or 0, event["wall"])
            entry["cpu"] = round((entry["cpu"] or 0) + event["cpu"], 2)  # of every rank
            entry["peak_mib"] = max(entry["peak_mib"] or 0, event["peak_mib"])
            entry["outcome"] = "done"
        elif event["event"] == "failed":
            found[key] |= {"outcome": "failed", "said": event["text"]}
    return list(found.values())


def _held(site: Site, name: str) -> bool:
    """Does the permit's run on the current snapshot stand held?"""
    if not current_file(site).exists():
        return False
    receipt = Project.open(site, name).folder / "release.json"
    return receipt.exists() and bool(documents.read_object(receipt).get("held"))


def _came(verdict: Verdict) -> Found:
    receipt = verdict.receipt
    return {
        "delivery": verdict.title,
        "delivered": receipt["delivered"],
        "replaces": receipt["replaces"],
        "status": verdict.word,
        "reason": verdict.reason,
        "rows_read": receipt.get("rows_read", 0),
        "rows_accepted": receipt.get("rows_accepted", 0),
        "findings": [vars(each) for each in verdict.findings],
    }


def _of(site: Site, snapshot: Snapshot | None) -> Found | None:
    if snapshot is None:
        return None
    return {
        "id": snapshot.id,
        "persons": sum(each.persons for each in snapshot.shards),
        "deaths": deaths(site, snapshot),
        "events": sum(each.events for each in snapshot.shards),
        "deliveries": [f"{source}/{name}" for source, name in snapshot.deliveries],
    }


def _rows(state: _State, source: str) -> list[Found]:
    """Rows accepted of each delivery of a source that was read, by date: what a chart shows."""
    return [
        {"delivery": each.receipt["delivery"], "rows": each.receipt["rows_accepted"], "status": each.word}
        for each in state.verdicts.values()
        if each.receipt["source"] == source and "rows_accepted" in each.receipt
    ][-24:]
