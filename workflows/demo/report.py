"""The demo's report: what came in, who was found, what came out and what was hidden. For the site's own
people: it shows exact counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2

from pipelines.cubes.cube import time_table
from pipelines.files import documents
from pipelines.files.atomic import atomic
from pipelines.release.publish import latest
from pipelines.site.project import Project
from pipelines.site.site import Site
from workflows import run
from workflows.cohort_page import ENDS
from workflows.demo.quality import linkage_quality
from workflows.flow import diagram
from workflows.status import report as status

_LINKS = {
    "anchor": "in the population register",
    "number": "by identity number",
    "weight": "by name, birth date and what else is known",
    "alone": "to nobody",
}


def write_report(site: Site) -> Path:
    """Write `report/index.html` of the site's first standing permit. Returns its path."""
    project = Project.open(site, run.standing(site)[0])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1]),
        autoescape=True,
        trim_blocks=True,
    )
    page = environment.get_template("demo/report.html.j2").render(**_content(site, project))
    path = site.root / "report" / "index.html"
    with atomic(path) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


def _content(site: Site, project: Project) -> dict[str, Any]:
    cohort = documents.read_json(project.folder / "cohort.json")
    linkage = documents.read_json(site.receipt("linkage"))
    quality, found = linkage_quality(site), status(site)
    bundle = latest(site, project.permit.permit)
    made_by = _run_of(project, bundle)
    proof = documents.read_json(made_by / "proof" / "proof.json")
    return {
        "title": project.permit.title,
        "people": f"{documents.read_json(site.root / 'made.json')['people']:,}",
        "cohort": cohort,
        "facts": list(_facts(project, cohort, found)),
        "flow": diagram(cohort["attrition"]),
        "ends": [(ENDS[each["ended"]], each["members"], each["die_later"]) for each in cohort["ends"]],
        "cohort_page": _href(site, project.folder / "cohort.html"),
        "sentences": project.definition.sentences(),
        "quality": {
            "f1": f"{quality.f1:.4f}",
            "precision": f"{quality.precision:.2%}",
            "recall": f"{quality.recall:.2%}",
            "records": f"{quality.records:,}",
            "persons": f"{quality.persons:,}",
            "clusters": f"{quality.clusters:,}",
        },
        "links": [(text, f"{linkage['links'][name]:,}") for name, text in _LINKS.items()],
        "held": documents.read_json(project.folder / "release.json").get("held", False),
        "version": bundle.name,
        "bundle": _href(site, bundle / "index.html"),
        "catalogue": _href(site, site.release / "index.html"),
        "tables": list(_tables(site, project, bundle, made_by)),
        "minimum": project.permit.policy.minimum,
        "attackers": proof["withstands"],
        "deliveries": list(_deliveries(site)),
        "stages": list(_stages(found)),
    }


def _facts(project: Project, cohort: dict[str, Any], found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "events in the store", f"{sum(shard.events for shard in project.snapshot.shards):,}"
    yield "persons in the store", f"{sum(shard.persons for shard in project.snapshot.shards):,}"
    yield "in the cohort", f"{cohort['attrition'][-1]['persons']:,}"
    yield "deliveries", str(len(found["deliveries"]))


def _run_of(project: Project, bundle: Path) -> Path:
    """The run that made a version: an earlier one where the latest is held."""
    for receipt in project.folder.parent.glob("*/release.json"):
        said = documents.read_json(receipt)
        if not said["held"] and str(said["version"]) == bundle.name:
            return receipt.parent
    return project.folder


def _tables(site: Site, project: Project, bundle: Path, made_by: Path) -> Iterator[dict[str, Any]]:
    counted = {each["table"]: each for each in documents.read_json(made_by / "disclosure.json")["tables"]}
    for table in project.permit.tables:
        parts = [counted[name] for name in (table.table, time_table(table.table)) if name in counted]
        plot = _href(site, bundle / "plots" / f"{table.table}.svg")
        said = _said(bundle / "plots" / f"{table.table}.json")
        yield {
            "title": table.title,
            "plot": plot,
            "alt": said["description"],
            "caption": said["title"],
            "notes": said["notes"],
            "figures": _href(site, bundle / "figures" / f"{table.table}.csv"),
            "numbers": plot.removesuffix("svg") + "csv",
            "below": project.permit.policy.minimum - 1,
            "parts": [_part(site, bundle, each) for each in parts],
        }


def _said(path: Path) -> dict[str, Any]:
    """What a released version says of its own plot: a held one stands beside the plot of an earlier."""
    if not path.exists():
        then = "a version released before plots had words of their own"
        return {"title": "Plot", "description": then, "notes": []}
    return dict(documents.read_json(path))


def _part(site: Site, bundle: Path, counts: dict[str, Any]) -> dict[str, str]:
    numbers = {
        name: f"{counts[name]:,}" for name in ("cells", "hidden", "small", "to_protect_small", "nobody")
    }
    return {
        "table": counts["table"],
        "href": _href(site, bundle / "tables" / f"{counts['table']}.csv"),
        **numbers,
    }


def _deliveries(site: Site) -> Iterator[dict[str, Any]]:
    for each in site.deliveries():
        receipt = documents.read_json(site.receipt("intake", each))
        turned_away = receipt["rows_read"] - receipt["rows_accepted"]
        yield {
            "name": f"{each.source} / {each.delivery}",
            "status": receipt["status"],
            "read": f"{receipt['rows_read']:,}",
            "accepted": f"{receipt['rows_accepted']:,}",
            "quarantined": f"{turned_away:,}",
        }


def _stages(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("refresh", "release"):
        for each in found["runs"][name]["done"]:
            rank = f"rank {each['rank']}" if each["stage"] in ("linkage", "store") else each["what"]
            used = {
                "wall": f"{each['wall']:.1f}",
                "cpu": f"{each['cpu']:.1f}",
                "peak": f"{each['peak_mib']:,}",
            }
            yield {"stage": each["stage"], "what": rank, **used}


def _href(site: Site, path: Path) -> str:
    return f"../{path.relative_to(site.root).as_posix()}"
