"""Reads a site, contract, definition or permit and says whether it holds together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipelines.aggregation.layout import Layout
from pipelines.errors import SettingsError
from pipelines.intake.contract import Contract
from pipelines.site.permit import Permit, signed_by
from pipelines.site.site import Site
from pipelines.study import definition


def check_path(path: Path) -> Iterator[str]:
    """One line for each thing that holds; the first that does not is raised as an error, of whichever kind it
    is.

    Raises SettingsError where `path` is none of what can be checked.
    """
    folder = path.resolve().parent
    if path.is_dir():
        yield from _check_site(Site.load(path))
    elif folder.name == "permits":
        yield from _check_permit(Site.load(folder.parent), path.stem)
    elif folder.name == "definitions":
        yield _check_definition(path)
    elif path.suffix in (".yaml", ".yml"):
        contract = Contract.load(path)
        yield f"contract {path.name}: {len(contract.tables)} tables"
    else:
        raise SettingsError(path, "is neither a site's folder nor a YAML file", "name one of these")


def _check_site(site: Site) -> Iterator[str]:
    for name, source in sorted(site.sources.items()):
        contract = Contract.load(site.root / source.contract)
        yield f"source {name}: contract with {len(contract.tables)} tables"
    for zone in ("identity", "store"):
        site.zone(zone).key()
        yield f"key of zone {zone}: there, and closed to others"
    yield f"deliveries: {len(site.deliveries())}"
    for path in sorted((site.root / "definitions").glob("*.yaml")):
        yield _check_definition(path)
    for path in sorted((site.root / "permits").glob("*.yaml")):
        yield from _check_permit(site, path.stem)


def _check_definition(path: Path) -> str:
    return f"definition {path.name}: cohort {definition.load(path).cohort}"


def _check_permit(site: Site, name: str) -> Iterator[str]:
    permit = Permit.load(site, name)
    if unknown := sorted(set(permit.sources) - set(site.sources)):
        raise SettingsError(
            permit.file,
            f"source {unknown[0]} is not one of the site's",
            "check its name, or add it to site.yaml",
        )
    cohort = definition.load(permit.definition_path)
    cells = [Layout.of(table, cohort.study).cells for table in permit.tables]
    yield (
        f"permit {name}: cohort {cohort.cohort}, {len(cells)} tables of {sum(cells):,} cells in all, in "
        f"force until {permit.valid_to}"
    )
    owners = {
        Contract.load(site.root / site.sources[source].contract).agreement.owner for source in permit.sources
    }
    waiting = [owner for owner in sorted(owners) if not signed_by(site, permit, owner)]
    signed = f"not signed as it stands by {', '.join(waiting)}" if waiting else "signed by every owner"
    yield f"permit {name}: {signed}"
