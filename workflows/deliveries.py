"""What people decide of a delivery: to withdraw it, or to accept what a guard held."""

from __future__ import annotations

from pipelines.errors import SettingsError
from pipelines.files.digests import digest
from pipelines.site.acceptance import verdicts
from pipelines.site.contents import contents
from pipelines.site.decisions import decide, decisions
from pipelines.site.site import Site


def withdraw(site: Site, delivery: str, reason: str) -> None:
    """Let a delivery, source/name, count no more from the next night on. Raises `SettingsError` where the
    site knows none of that name, or the reason is none."""
    decide(site, *_named(site, delivery), "withdrawn", reason)


def accept(site: Site, delivery: str, reason: str) -> None:
    """Accept a delivery, as its files are now, that a guard holds or that was withdrawn. Raises
    `SettingsError` where neither is so, and `ContractError` where its files cannot be read."""
    source, name = _named(site, delivery)
    word = next((each.word for each in verdicts(site) if each.title == delivery), None)
    decided = decisions(site).get((source, name))
    withdrawn = decided is not None and decided.word == "withdrawn"
    if not withdrawn and word != "held":
        raise SettingsError(delivery, f"is {word or 'not read yet'}: no guard holds it", "see uttag status")
    content = digest(contents(site, site.delivery(source, name)))
    decide(site, source, name, "accepted", reason, content)


def _named(site: Site, delivery: str) -> tuple[str, str]:
    source, _, name = delivery.partition("/")
    known = {each.title for each in site.arrivals()} | {each.title for each in verdicts(site)}
    if delivery not in known:
        raise SettingsError(delivery, "is no delivery of this site", "see uttag status for their names")
    return source, name
