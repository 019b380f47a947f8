"""What people decide of a delivery: to withdraw it, or to accept what a guard held."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.errors import DataError, SettingsError
from pipelines.files.digests import digest, file_digest
from pipelines.site import audit
from pipelines.site.acceptance import verdicts
from pipelines.site.contents import contents
from pipelines.site.decisions import decide, decisions
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot


def withdraw(site: Site, delivery: str, reason: str) -> list[str]:
    """Let a delivery, source/name, count no more from the next night on; returns what else follows, in words.
    Raises `SettingsError` where the site knows none of that name, or the reason is none."""
    before = {each.title: each.word for each in verdicts(site)}
    source, name = _named(site, delivery)
    decide(site, source, name, "withdrawn", reason)
    others = [each for each in verdicts(site) if each.title != delivery and each.word != before[each.title]]
    return [
        *(f"{each.title}, {before[each.title]} until now, is {each.word} again" for each in others),
        *_released(site, source, name),
    ]


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


def _released(site: Site, source: str, name: str) -> Iterator[str]:
    """Versions of permits that were released from a snapshot with that delivery, as the log says."""
    first: dict[str, tuple[str, str]] = {}
    for each in audit.entries(site, "stage release"):
        first.setdefault(each["about"]["bundle"], (each["about"]["permit"], each["about"]["snapshot"]))
    for manifest in sorted(site.release.glob("*/*/manifest.json")):
        permit, snapshot = first.get(file_digest(manifest), ("", ""))
        bundle = f"permit {permit}, version {manifest.parent.name},"
        try:
            if permit and (source, name) in Snapshot.load(site, snapshot).deliveries:
                yield f"{bundle} was released with it, and stays published"
        except DataError:
            yield f"{bundle} may have been released with it: its snapshot has been pruned"


def _named(site: Site, delivery: str) -> tuple[str, str]:
    source, _, name = delivery.partition("/")
    known = {each.title for each in site.arrivals()} | {each.title for each in verdicts(site)}
    if delivery not in known:
        raise SettingsError(delivery, "is no delivery of this site", "see uttag status for their names")
    return source, name
