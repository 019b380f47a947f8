"""A site's picture for people: `status.report` in plain lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from pipelines.site.site import Site
from workflows.status import report

Found = dict[str, Any]


def show(site: Site, as_json: bool, watch: bool) -> None:
    """Print the picture; with `watch`, again every two seconds for as long as a run goes on."""
    while True:
        found = report(site)
        text = json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) if as_json else told(found)
        print(f"\x1b[H\x1b[2J{text}" if watch and sys.stdout.isatty() else text, flush=True)
        if not watch or found["running"] is None:
            return
        time.sleep(2)


def told(found: Found) -> str:
    """What `status.report` found, in lines."""
    return "\n".join(
        [
            f"site {found['site']}",
            *_block("sources", _sources(found["sources"])),
            *_block("deliveries", _deliveries(found["deliveries"])),
            *_block("waits", found["waits"]),
            "",
            f"snapshot {found['snapshot'] or 'none yet'}" + _holds(found["holds"]),
            *_block("permits", _permits(found["permits"])),
            *_block("last night", _night(found["night"])),
            *_block("runs now", _running(found["running"])),
            *(
                line
                for name, ran in found["runs"].items()
                for line in _block(f"last {name}", _run(ran, found["night"]))
            ),
        ]
    )


def _block(title: str, lines: Any) -> list[str]:
    listed = [f"  {line}" for line in lines]
    return ["", title, *listed] if listed else []


def _sources(sources: dict[str, Found]) -> Iterator[str]:
    for name, each in sources.items():
        last = f"last {each['last']}, {each['days']} days ago" if each["last"] else "nothing counts yet"
        unlinked = f", {each['unlinked']:.1%} of records are linked to no other" if each["unlinked"] else ""
        yield f"{name}: {last}{unlinked}"
        yield from (f"  warn: {text}" for text in each["warnings"])


def _deliveries(deliveries: list[Found]) -> Iterator[str]:
    for each in deliveries:
        rows = f" {each['rows_accepted']:,} of {each['rows_read']:,} rows" if "rows_read" in each else ""
        reason = f": {each['reason']}" if each["reason"] else ""
        yield f"{each['source']}/{each['delivery']}: {each['status']}{rows}{reason}"
        if away := each.get("turned_away"):
            most = [f"{one['rows']:,} {one['reason']} in {one['column'] or 'the row'}" for one in away[:3]]
            yield f"  turned away: {', '.join(most)}{', …' if len(away) > 3 else ''}"
        said = [finding for finding in each["findings"] if finding["text"] not in (each["reason"] or "")]
        yield from (f"  {finding['then']}: {finding['text']}" for finding in said)
        if each["changed"]:
            yield f"  {each['changed']}"


def _holds(holds: Found | None) -> str:
    if holds is None:
        return ""
    of = len(holds["deliveries"])
    deliveries = f"{of} deliver{'y' if of == 1 else 'ies'}"
    died = holds.get("deaths")
    deaths = (
        f"; {sum(died.values()):,} have died, {died['not_observed']:,} of them on a day that is not observed"
        if died
        else ""
    )
    return f": {holds['persons']:,} persons, {holds['events']:,} events of {deliveries}{deaths}"


def _permits(permits: list[Found]) -> Iterator[str]:
    for each in permits:
        released = each["since"] or "not known when"
        version = f"version {each['version']} since {released}" if each["version"] else ""
        since = f" since {each['held_since']}" if each.get("held_since") else ""
        standing = ", standing" if each["standing"] else ""
        parts = [f"{each['state']}{since}", version, each["reason"] or ""]
        yield f"{each['permit']}{standing}: {'; '.join(part for part in parts if part)}"


def _night(night: Found | None) -> Iterator[str]:
    if night is None:
        return
    took = f" in {night['wall']:.0f} s" if night["wall"] else ""
    yield f"begun {night['begun']}: {night['outcome']}{took}"
    yield from (each["text"] for each in night.get("faults", []))
    if "stages" in night:
        yield from (_stage(each) for each in night["stages"])


def _stage(each: Found) -> str:
    if each["outcome"] != "done":
        return f"{_name(each)} {each['outcome'].upper()}: {each['said']}"
    return f"{_name(each)}: {_used(each)}"


def _name(each: Found) -> str:
    return f"{each['stage']} {each['what']}".rstrip()


def _used(each: Found) -> str:
    return f"{each['wall']:.1f} s, {each['cpu']:.1f} CPU s, {each['peak_mib']} MiB"


def _running(running: list[Found] | None) -> Iterator[str]:
    if running is None:
        return
    if not running:
        yield "a run is under way, between two stages"
    for each in running:
        yield f"{_name(each)}: {each['seconds']} s so far {each.get('said', '')}".rstrip()


def _run(ran: Found, night: Found | None) -> Iterator[str]:
    """A line for each stage, whatever its number of ranks; none of a run that was the last night's."""
    stages: dict[str, Found] = {}
    for each in ran["done"]:
        one = stages.setdefault(_name(each), {**each, "wall": 0, "cpu": 0, "peak_mib": 0})
        one["wall"] = max(one["wall"], each["wall"])
        one["cpu"] = round(one["cpu"] + each["cpu"], 2)
        one["peak_mib"] = max(one["peak_mib"], each["peak_mib"])
    told = {_stage(each) for each in (night or {}).get("stages", [])}
    lines = [f"{name}: {_used(each)}" for name, each in stages.items()]
    yield from [] if told.issuperset(lines) else lines
    yield from (f"{_name(each)} FAILED: {each['text']}" for each in ran["failed"])
