"""Commands about the machine and the cluster around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from workflows.told import AsJson

commands = typer.Typer()


@commands.command()
def cancel(site: Annotated[Path, typer.Argument(help="the site's folder")]) -> None:
    """End the run of a site that is under way: its driver, its processes, its Slurm jobs.

    Example: uttag cancel demo-site
    """
    from pipelines.site.site import Site
    from workflows import cancel as ending

    print(ending.cancel(Site.load(site)))


@commands.command()
def doctor(
    site: Annotated[Path | None, typer.Argument(help="a site's folder, to look at its settings, too")] = None,
    as_json: AsJson = False,
) -> None:
    """Is this machine, or the cluster around it, fit to run uttag? Ends with 19 if something would fail.

    Example: uttag doctor demo-site
    """
    from workflows.doctor import findings, worst

    found = findings(site)
    lines = [each.line() for each in found]
    print(json.dumps([each.told() for each in found], indent=2) if as_json else "\n".join(lines))
    raise typer.Exit(worst(found))
