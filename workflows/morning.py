"""The morning report: a night's record as a page, and told to whom the site says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2

from pipelines.files.atomic import atomic
from pipelines.site.site import Site
from workflows import nights

Found = dict[str, Any]
_WAIT = 60  # seconds that a command which tells may take


def report(site: Site, record: Found) -> Path:
    """Write the page of a night beside its record, and let the site's command tell it. Returns the page."""
    page = nights.folder(site) / f"{record['night']}.html"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    text = environment.get_template("morning.html.j2").render(
        night=record, timeline=_timeline(record), charts=_charts(record), earlier=_earlier(site)
    )
    with atomic(page) as beside:
        beside.write_text(text, encoding="utf-8")
    if site.notify and (site.notify.when == "always" or record["exit_code"]):
        _notify(site.notify.command, record, page)
    return page


def summary(record: Found) -> str:
    """A night in a few lines, for a mail or a chat."""
    after = record["snapshot"]["after"]
    lines = [f"{record['site']}, night of {record['begun']}: {record['outcome']} in {record['wall']:.0f} s"]
    lines += [each["text"] for each in record["faults"]]
    lines += [f"{each['delivery']}: {each['status']}" for each in record["came"]]
    lines += [f"{each['delivery']}: {each['from']} -> {each['to']}" for each in record["changed"]]
    lines += record["warnings"]
    lines += [f"permit {each['permit']}: {each['outcome']}" for each in record["permits"]]
    if after:
        lines.append(f"snapshot {after['id'][:12]}: {after['persons']:,} persons, {after['events']:,} events")
    return "\n".join(lines) + "\n"


def _notify(command: tuple[str, ...], record: Found, page: Path) -> None:
    """Run the site's command. That it fails is told and ends no night."""
    places = {"UTTAG_REPORT_JSON": str(page.with_suffix(".json")), "UTTAG_REPORT_PAGE": str(page)}
    try:
        ran = subprocess.run(
            command,
            input=summary(record),
            text=True,
            timeout=_WAIT,
            env={**os.environ, **places},
            capture_output=True,
            check=False,
        )
        fault = f"ended with {ran.returncode}" if ran.returncode else None
    except FileNotFoundError:
        fault = "is not there"
    except (OSError, subprocess.TimeoutExpired) as trouble:
        fault = type(trouble).__name__
    if fault:
        print(f"uttag: notify: {command[0]} {fault}; the report is {page}", file=sys.stderr)


def _timeline(record: Found) -> list[Found]:
    """Stages as bars: where each begins and how long it is, in per cent of the whole."""
    stages = [each for each in record["stages"] if each["wall"] is not None]
    if not stages:
        return []
    first = min(each["begun"] for each in stages)
    whole = max(each["begun"] + each["wall"] - first for each in stages) or 1
    return [
        {**each, "left": 100 * (each["begun"] - first) / whole, "width": max(0.4, 100 * each["wall"] / whole)}
        for each in stages
    ]


def _charts(record: Found) -> list[Found]:
    """Of each source, the rows of its last deliveries as bars of up to 40 units."""
    charts = []
    for source, rows in record["sources"].items():
        most = max((each["rows"] for each in rows), default=0) or 1
        bars = [{**each, "height": max(1, round(40 * each["rows"] / most))} for each in rows]
        if bars:
            charts.append({"source": source, "bars": bars, "most": most, "width": 14 * len(bars)})
    return charts


def _earlier(site: Site) -> list[str]:
    """Names of the nights before, the latest first."""
    return [path.stem for path in reversed(nights.records(site)[:-1])][:14]
