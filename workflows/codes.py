"""`uttag codes`: which code systems and codes the current snapshot has, and about how many persons have
each."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer

from workflows.told import AsJson

commands = typer.Typer()


def listed(root: Path, system: str | None, prefix: str | None) -> dict[str, Any]:
    """The codes of a site's current snapshot, ascending: persons with noise and rounded as feasibility has
    it, None for fewer than the least that is said. Logged.

    Raises SettingsError where no such code system is known, DataError where there is no snapshot yet.
    """
    from pipelines.cohort import feasibility, occurring
    from pipelines.errors import SettingsError
    from pipelines.site import audit
    from pipelines.site.site import Site
    from pipelines.site.snapshot import Snapshot
    from pipelines.study import codes

    if system is not None and system not in codes.SYSTEMS:
        raise SettingsError(
            "--system", "is no code system that is known", f"choose from {', '.join(codes.SYSTEMS)}"
        )
    site = Site.load(root)
    snapshot, rule = Snapshot.load(site), site.feasibility
    audit.note(site, "codes", snapshot=snapshot.id)
    key = site.zone("store").derived("codes", 32)
    found, systems = [], defaultdict[str, int](int)
    for label, persons in occurring.persons_by_code(snapshot.shards).items():
        of, _, code = label.partition("/")
        if (system is None or of == system) and (prefix is None or _begins(of, code, label, prefix)):
            systems[of] += 1
            told = feasibility.told_of(persons, f"{snapshot.id} {label}", key, rule)
            found.append({"code": label, "persons": told})
    return {
        "snapshot": snapshot.id,
        "rounded_to": rule.round_to,
        "fewer_than": rule.least,
        "systems": [{"system": name, "codes": count} for name, count in sorted(systems.items())],
        "codes": found,
    }


def _begins(system: str, code: str, label: str, prefix: str) -> bool:
    from pipelines.study import codes

    return label.startswith(prefix) if "/" in prefix else code.startswith(codes.written(system, prefix))


def said(found: dict[str, Any], each: bool) -> str:
    """The systems in words, and each of their codes if that was asked for."""
    if not found["systems"]:
        return "no such code occurs in the snapshot"
    lines = [f"{one['codes']:>9,}  codes of {one['system']}" for one in found["systems"]]
    if each:
        lines += ["", f"persons with each code, with noise and to the nearest {found['rounded_to']}"]
        lines += [
            f"{_count(one['persons'], found['fewer_than']):>9}  {one['code']}" for one in found["codes"]
        ]
    return "\n".join(lines)


def _count(persons: int | None, least: int) -> str:
    return f"<{least}" if persons is None else f"{persons:,}"


@commands.command("codes")
def codes_of(
    site: Annotated[Path, typer.Argument(help="the site's folder")],
    system: Annotated[str | None, typer.Option(help="only this code system")] = None,
    prefix: Annotated[
        str | None, typer.Option(help="only codes that begin so: E11, or ICD-10-SE/E11")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Which code systems and codes does the current snapshot have, and about how many persons have each?

    Without --system and --prefix the systems alone. Counts are noisy and rounded, as feasibility's are, and
    small ones are not said.

    Example: uttag codes demo-site

    uttag codes demo-site --system ICD-10-SE --prefix E11
    """
    import json

    found = listed(site, system, prefix)
    print(json.dumps(found, indent=2) if as_json else said(found, each=bool(system or prefix)))
