"""Which deliveries count: what intake found, what guards and people say of it, and what replaces what.

A function of receipts and decisions alone, so that a night after night and a build from nothing agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from pipelines.files import documents
from pipelines.files.digests import digest
from pipelines.site.decisions import Decision, decisions
from pipelines.site.guards import BEFORE, Guards, Share
from pipelines.site.site import Site

Receipt = dict[str, Any]
Word = Literal["accepted", "replaced", "stopped", "held", "withdrawn"]


@dataclass(frozen=True)
class Finding:
    """What a guard found. `then`: warn, or stop."""

    guard: str
    then: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """What became of a delivery that intake has read. `word`: `stopped` by intake, `held` by a guard,
    `withdrawn` by somebody, `replaced` by a later one (`by`), or `accepted`."""

    receipt: Receipt
    word: Word
    reason: str | None = None
    findings: tuple[Finding, ...] = ()
    by: str | None = None

    @property
    def title(self) -> str:
        """source/name."""
        return f"{self.receipt['source']}/{self.receipt['delivery']}"


def verdicts(site: Site) -> list[Verdict]:
    """A verdict for each receipt of intake, by date, source and name. Raises `DataError` where a receipt does
    not read."""
    receipts = [
        documents.read_object(path, "source", "delivery", "status", "delivered", "replaces")
        for source in sorted(site.sources)
        for path in sorted((site.receipts / "intake" / source).glob("*.json"))
    ]
    return judge(receipts, decisions(site))


def judge(receipts: list[Receipt], decided: dict[tuple[str, str], Decision]) -> list[Verdict]:
    """A verdict for each receipt, by date, source and name."""
    ordered = sorted(receipts, key=_order)
    found: dict[tuple[str, str], Verdict] = {}
    for source in sorted({each["source"] for each in receipts}):
        own = [each for each in ordered if each["source"] == source]
        named = {name: each for (of, name), each in decided.items() if of == source}
        found |= {(source, name): each for name, each in _of_source(own, named).items()}
    return [found[each["source"], each["delivery"]] for each in ordered]


def content_of(receipt: Receipt) -> str:
    """Digest of the files that a delivery consisted of, announcement included."""
    return digest(receipt["made_from"]["files"])


def _order(receipt: Receipt) -> tuple[str, str, str]:
    # One whose announcement does not read has no date, and counts for nothing.
    return receipt["delivered"] or "", receipt["source"], receipt["delivery"]


def _of_source(receipts: list[Receipt], decided: dict[str, Decision]) -> dict[str, Verdict]:
    """The verdicts on one source's deliveries, in their order."""
    came = {each["delivery"] for each in receipts}
    found: dict[str, Verdict] = {}
    corrected: dict[str, str] = {}  # a delivery, and the one that counts in its place
    for receipt in receipts:
        name, decision = receipt["delivery"], decided.get(receipt["delivery"])
        if decision is not None and decision.word == "withdrawn":
            found[name] = Verdict(receipt, "withdrawn", decision.reason)
        elif receipt["status"] == "stopped":
            found[name] = Verdict(receipt, "stopped", receipt.get("reason"))
        else:
            replaces = _replaces(receipt, found, came | set(decided), came, corrected)
            findings = (*replaces, *_findings(receipt, found))
            stops = [each for each in findings if each.then == "stop"]
            if stops and not _overruled(receipt, decision):
                found[name] = Verdict(receipt, "held", "; ".join(each.text for each in stops), findings)
            else:
                _replace(receipt["replaces"], name, found, corrected)
                found[name] = Verdict(receipt, "accepted", None, findings)
    return found


def _overruled(receipt: Receipt, decision: Decision | None) -> bool:
    return decision is not None and decision.word == "accepted" and decision.content == content_of(receipt)


def _replace(target: str | None, by: str, found: dict[str, Verdict], corrected: dict[str, str]) -> None:
    """Mark `target`, and whatever counts in its place, as replaced."""
    if target is None:
        return
    place: str | None = target
    while place is not None:
        before = found.get(place)
        if before is not None and before.word in ("accepted", "replaced"):
            found[place] = Verdict(before.receipt, "replaced", f"replaced by {by}", before.findings, by)
        place = corrected.get(place)
    corrected[target] = by


# ---- guards ------------------------------------------------------------------------------------------------


def _findings(receipt: Receipt, before: dict[str, Verdict]) -> Iterator[Finding]:
    if "tables" not in receipt:
        return
    guards = Guards.model_validate(receipt["guards"])
    tables = {name: each["rows_accepted"] for name, each in receipt["tables"].items()}
    target = before.get(receipt["replaces"] or "")
    if target is not None and target.receipt.get("tables"):
        yield from _shrinking(guards, tables, target.receipt)
        yield from _compared(guards, receipt)
    else:
        earlier = [each.receipt for each in before.values() if each.word == "accepted"]
        yield from _volume(guards, tables, [each["tables"] for each in earlier if "tables" in each])
    turned_away = sum(each["rows"] for each in receipt["quarantined"] if each["reason"] == "unknown_code")
    what = "rows have a code that is not known"
    yield from _share("unknown_codes", guards.unknown_codes, turned_away, receipt["rows_read"], what)


def _replaces(
    receipt: Receipt, before: dict[str, Verdict], known: set[str], came: set[str], corrected: dict[str, str]
) -> Iterator[Finding]:
    """`known`: who ever came, and may be removed or withdrawn since, after which its correction goes on
    counting; `came`: whose receipts are there."""
    name, text = receipt["replaces"], None
    if name is None:
        return
    if name == receipt["delivery"]:
        text = "it replaces itself"
    elif name not in known:
        text = f"it replaces {name}, which never came"
    elif name in corrected:
        text = f"it replaces {name}, as {corrected[name]} does already; to correct that one, name that one"
    elif name in came and name not in before:
        text = f"it replaces {name}, which was not delivered before it"
    if text is not None:
        yield Finding("replaces", "stop", text)


def _shrinking(guards: Guards, tables: dict[str, int], target: Receipt) -> Iterator[Finding]:
    guard = guards.shrinking
    for name, rows in ((name, each["rows_accepted"]) for name, each in target["tables"].items()):
        if guard.then != "off" and tables.get(name, 0) < guard.least * rows:
            text = f"{name}: {tables.get(name, 0):,} rows instead of the {rows:,} that it replaces"
            yield Finding("shrinking", guard.then, text)


def _compared(guards: Guards, receipt: Receipt) -> Iterator[Finding]:
    found = receipt["compared"]
    if found is not None:
        lost, what = found["lost_records"], "records that it replaces are no longer there"
        yield from _share("lost_records", guards.lost_records, lost, found["records"], what)
        moved, what = found["moved_dates"], "events that it replaces are there on another day"
        yield from _share("moved_dates", guards.moved_dates, moved, found["events"], what)


def _volume(guards: Guards, tables: dict[str, int], earlier: list[dict[str, Any]]) -> Iterator[Finding]:
    empty, volume = guards.empty, guards.volume
    if empty.then != "off" and not any(tables.values()):
        yield Finding("empty", empty.then, "it holds no row at all")
        return
    for name, rows in tables.items():
        before = [each[name]["rows_accepted"] for each in earlier if name in each]
        usual = median(before) if before else 0
        if empty.then != "off" and rows == 0 and usual > 0:
            yield Finding("empty", empty.then, f"{name}: no row, where {usual:,.0f} are usual")
        elif volume.then == "off" or len(before) < BEFORE:
            continue
        elif not volume.least * usual <= rows <= volume.most * usual:
            yield Finding("volume", volume.then, f"{name}: {rows:,} rows, where {usual:,.0f} are usual")


def _share(guard: str, bound: Share, rows: int, of: int, what: str) -> Iterator[Finding]:
    if bound.then != "off" and of and rows > bound.most * of:
        text = f"{rows:,} of {of:,} {what} ({rows / of:.0%}, where {bound.most:.0%} are borne)"
        yield Finding(guard, bound.then, text)
