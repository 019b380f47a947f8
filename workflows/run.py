"""What a person or the night runs: the refresh of a site, or one of its permits."""

from __future__ import annotations

from pipelines.errors import ContractError, SettingsError
from pipelines.files import documents
from pipelines.site.permit import Permit
from pipelines.site.project import Project
from pipelines.site.site import Site
from workflows.driver import Options, drive
from workflows.leftovers import run_lock


def refresh(site: Site, options: Options) -> None:
    """Bring the snapshot up to date with the deliveries that have arrived. Raises `SettingsError` for a name
    that Snakemake would take for a pattern."""
    deliveries = [f"{each.source}/{each.delivery}" for each in site.deliveries()]
    for name in deliveries:
        if set(name) & set("{}"):
            raise SettingsError(
                site.root / "deliveries" / name,
                "has a brace in its name, which the workflow would take for a pattern",
                "name the folder, and `delivery` in its delivery.yaml, without it",
            )
    with run_lock(site):
        drive(site, "refresh", {"deliveries": deliveries}, options)
    if not options.dry_run:
        _tell_stopped(site)


def release(site: Site, name: str, options: Options) -> None:
    """Run a permit on the current snapshot, as far as a released bundle."""
    project = Project.open(site, name)
    with run_lock(site):
        config = {"permit": name, "run": project.run, "snapshot": project.snapshot.id}
        drive(site, "release", config, options)


def standing(site: Site) -> list[str]:
    """Permits that the night reruns."""
    names = sorted(path.stem for path in (site.root / "permits").glob("*.yaml"))
    return [name for name in names if Permit.load(site, name).standing]


def _tell_stopped(site: Site) -> None:
    """Raise `ContractError` for the deliveries that were stopped and not replaced since; the others are in
    the snapshot."""
    receipts = [
        documents.read_json(path)
        for each in site.deliveries()
        if (path := site.receipt("intake", each)).exists()
    ]
    replaced = {(each["source"], each["replaces"]) for each in receipts if each["status"] == "accepted"}
    stopped = [
        each
        for each in receipts
        if each["status"] == "stopped" and (each["source"], each["delivery"]) not in replaced
    ]
    if stopped:
        first = stopped[0]
        more = f" (and {len(stopped) - 1} more, see uttag status)" if len(stopped) > 1 else ""
        where = f"{first['source']}/{first['delivery']}{more}"
        raise ContractError(
            where, f"stopped: {first['reason']}", "ask the sender for a new delivery; the others went through"
        )
