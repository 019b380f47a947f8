"""What each stage of the refresh is a function of, by hash: a receipt says it of what was made, the plan of a
night of what would be made now, and where the two differ the stage is due."""

from __future__ import annotations

from typing import Any

from pipelines.errors import SettingsError
from pipelines.files.digests import digest, file_digest
from pipelines.site.deliveries import Accepted
from pipelines.site.site import Site

MadeFrom = dict[str, Any]


def of_intake(contract: str, contents: dict[str, str]) -> MadeFrom:
    """Of a delivery: the hash of its contract, and of each of its files."""
    return {"contract": contract, "files": contents}


def of_linkage(site: Site, deliveries: list[Accepted]) -> MadeFrom:
    """Of the person index: the linkage settings, and whom each delivery that counts speaks of. Raises
    `SettingsError` where the settings are not there."""
    settings = site.root / site.linkage if site.linkage else None
    if settings is not None and not settings.is_file():
        raise SettingsError(settings, "is not there", "check `linkage` in site.yaml")
    return {
        "linkage settings": file_digest(settings) if settings else None,
        "deliveries": {
            _title(each): digest(
                each.delivered, each.first, each.no_reidentify, [part.hash for part in each.identities]
            )
            for each in deliveries
        },
    }


def of_store(site: Site, index: str, deliveries: list[Accepted]) -> MadeFrom:
    """Of a snapshot: how many shards it is cut into, up to when a death is observed, the person index, and
    what each delivery that counts tells of."""
    return {
        "shards": site.shards,
        "death_gap": site.death_gap,
        "person index": index,
        "deliveries": {
            _title(each): digest(
                each.owner, each.no_reidentify, [part.hash for part in (*each.events, *each.ancestors)]
            )
            for each in deliveries
        },
    }


def differences(before: MadeFrom | None, now: MadeFrom) -> list[str]:
    """In words, what is not as it was: "shards changed", "journal_a/2025-09 is new"."""
    if before is None:
        return ["an earlier version made it"]
    found = [f"{name} changed" for name in now if name != "deliveries" and before.get(name) != now[name]]
    old, new = before.get("deliveries", {}), now.get("deliveries", {})
    found += [f"{name} is new" for name in new if name not in old]
    found += [f"{name} counts no more" for name in old if name not in new]
    return found + [f"{name} changed" for name in new if name in old and old[name] != new[name]]


def _title(each: Accepted) -> str:
    return f"{each.source}/{each.delivery}"
