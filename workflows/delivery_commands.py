"""Commands about single deliveries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()

Which = Annotated[str, typer.Argument(help="SOURCE/DELIVERY, as uttag status lists it")]
Reason = Annotated[str, typer.Option(help="why, in a line; it stands in the log")]
Where = Annotated[Path, typer.Option("--site", envvar="UTTAG_SITE", help="the site's folder")]


@commands.command("withdraw-delivery")
def withdraw_delivery(delivery: Which, reason: Reason, site: Where = Path()) -> None:
    """Let a delivery count no more, from the next night on; what was sealed of it is removed then.

    Example: uttag withdraw-delivery journal_a/2025-10 --reason "sent by mistake" --site my-site
    """
    from pipelines.site.site import Site
    from workflows import deliveries

    follows = deliveries.withdraw(Site.load(site), delivery, reason)
    print(f"{delivery} is withdrawn: the next night forgets it and builds the snapshot without it")
    for line in follows:
        print(line)


@commands.command("accept-delivery")
def accept_delivery(delivery: Which, reason: Reason, site: Where = Path()) -> None:
    """Accept a delivery, as its files are now, that a guard holds or that was withdrawn.

    Example: uttag accept-delivery journal_a/2025-10 --reason "the sender confirms it" --site my-site
    """
    from pipelines.site.site import Site
    from workflows import deliveries

    deliveries.accept(Site.load(site), delivery, reason)
    print(f"{delivery} is accepted as its files are now: the next night takes it in")
