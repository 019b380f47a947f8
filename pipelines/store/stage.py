"""The store stage: accepted events and the person index in, a snapshot out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.ordering import range_bounds
from pipelines.compute.ranks import Ranks
from pipelines.errors import DataError
from pipelines.files import documents, sealed
from pipelines.files.digests import content_hash
from pipelines.files.frames import array, length, take
from pipelines.files.schemas import ANCESTORS, PERSONS
from pipelines.site.deliveries import Accepted, Part, active
from pipelines.site.made_from import of_store
from pipelines.site.site import Site
from pipelines.site.snapshot import ancestors_file, index_folder, publish, shard_folder
from pipelines.store.shard import Slice, build_shard, shard_hash
from pipelines.store.slices import PersonIndex, cut, folder, records_file
from pipelines.study.hierarchy import together

Progress = Callable[[str], None]


def build(site: Site, ranks: Ranks, progress: Progress | None = None) -> dict[str, Any]:
    """Cut every accepted part by shard, build the shards that changed, publish the snapshot; the receipt, on
    every rank.

    Parts and shards go round the ranks; they meet in sealed slices under `store/exchange/`, so that a rank
    holds one part or one shard.
    """
    say = progress or (lambda _line: None)
    deliveries, index_hash = ranks.broadcast(_inputs(site) if ranks.rank == 0 else None)
    parts = [(each.source, part) for each in deliveries for part in each.events]
    cuts = _cut_parts(site, ranks, index_hash, parts, say)
    shards = _build_shards(site, ranks, index_hash, parts, cuts, say)
    receipt = None
    if ranks.rank == 0:
        _still_so(site, deliveries, index_hash)
        receipt = _publish(site, index_hash, deliveries, cuts, shards)
        _forget_slices(site, [part for _, part in parts], cuts)
    return ranks.broadcast(receipt)  # type: ignore[no-any-return]


def _inputs(site: Site) -> tuple[list[Accepted], str]:
    return active(site), documents.read_json(site.receipt("linkage"))["index"]


def _still_so(site: Site, deliveries: list[Accepted], index_hash: str) -> None:
    """A killed job's orphan may outlive it by minutes: it must not publish what has since been overtaken."""
    if _inputs(site) != (deliveries, index_hash):
        raise DataError(
            site.receipts, "deliveries or index have changed since this build began", "run the refresh again"
        )


def _everywhere(ranks: Ranks, mine: list[Any], total: int) -> list[Any]:
    """Results of items that went round the ranks, in the order of the items, on every rank."""
    gathered = ranks.broadcast(ranks.gather(mine))
    return [gathered[item % ranks.size][item // ranks.size] for item in range(total)]


def _tell(say: Progress, ranks: Ranks, turn: int, total: int, what: str) -> None:
    """How far all ranks are after this turn, whenever that passes a tenth of the way."""
    before, now = turn * ranks.size, min(total, (turn + 1) * ranks.size)
    if 10 * now // total > 10 * before // total:
        say(f"{now} of {total} {what}")


def _cut_parts(
    site: Site, ranks: Ranks, index_hash: str, parts: list[tuple[str, Part]], say: Progress
) -> list[dict[str, Any]]:
    index = PersonIndex.read(site, index_hash)
    mine = []
    for turn, (_, part) in enumerate(parts[ranks.rank :: ranks.size]):
        mine.append(cut(site, part, index, site.shards))
        _tell(say, ranks, turn, len(parts), "parts exchanged")
    return _everywhere(ranks, mine, len(parts))


def _build_shards(
    site: Site,
    ranks: Ranks,
    index_hash: str,
    parts: list[tuple[str, Part]],
    cuts: list[dict[str, Any]],
    say: Progress,
) -> list[dict[str, Any]]:
    persons = sealed.read(index_folder(site, index_hash) / "persons.parquet", PERSONS, site.zone("store"))
    edges = [0, *np.searchsorted(array(persons, "person"), range_bounds(site.shards)), length(persons)]
    mine = []
    for turn, position in enumerate(range(ranks.rank, site.shards, ranks.size)):
        people = take(persons, slice(edges[position], edges[position + 1]))
        slices = [
            Slice(source, found["hash"], folder(site, each["key"]) / f"{position}.parquet")
            for (source, _), each in zip(parts, cuts, strict=True)
            if (found := each["slices"].get(str(position)))
        ]
        name = shard_hash(position, site.shards, content_hash(people, PERSONS), slices, site.death_gap)
        into = shard_folder(site, name)
        whole = into / "shard.json"
        reused = whole.exists()
        description = (
            documents.read_json(whole)
            if reused
            else build_shard(people, slices, into, site.zone("store"), site.death_gap)
        )
        mine.append({"hash": name, "reused": reused, **description})
        _tell(say, ranks, turn, site.shards, "shards")
    return _everywhere(ranks, mine, site.shards)


def _publish(
    site: Site,
    index_hash: str,
    deliveries: list[Accepted],
    cuts: list[dict[str, Any]],
    shards: list[dict[str, Any]],
) -> dict[str, Any]:
    sources = {
        name: {
            "owner": next(each.owner for each in reversed(deliveries) if each.source == name),
            "no_reidentify": any(each.no_reidentify for each in deliveries if each.source == name),
            "deliveries": [each.delivery for each in deliveries if each.source == name],
        }
        for name in sorted({each.source for each in deliveries})
    }
    listed = [{"hash": each["hash"], "rows": each["rows"]} for each in shards]
    content = {"index": index_hash, "shards": listed, "sources": sources, **_ancestors(site, deliveries)}
    snapshot = publish(site, content)
    receipt = {
        "snapshot": snapshot,
        "index": index_hash,
        "made_from": of_store(site, index_hash, deliveries),
        "rows": {name: sum(each["rows"][name] for each in shards) for name in shards[0]["rows"]},
        "duplicates": sum(each["duplicates"] for each in shards),
        "deaths": {
            name: sum(each["deaths"][name] for each in shards) for name in ("observed", "not_observed")
        },
        "unlinked": sum(each["unlinked"] for each in cuts),
        "parts": _built_and_reused(cuts),
        "shards": _built_and_reused(shards),
    }
    documents.write_json(receipt, site.receipt("store"))
    return receipt


def _ancestors(site: Site, deliveries: list[Accepted]) -> dict[str, str]:
    """Write what lies above the codes of all deliveries, under its hash; nothing where none tells of it."""
    zone = site.zone("store")
    parts = [part for each in deliveries for part in each.ancestors]
    if not parts:
        return {}
    frame = together([sealed.read(site.root / part.file, ANCESTORS, zone) for part in parts])
    hash = content_hash(frame, ANCESTORS)
    sealed.write(frame, ancestors_file(site, hash), ANCESTORS, zone)
    return {"ancestors": hash}


def _built_and_reused(items: list[dict[str, Any]]) -> dict[str, int]:
    reused = sum(each["reused"] for each in items)
    return {"built": len(items) - reused, "reused": reused}


def _forget_slices(site: Site, parts: list[Part], cuts: list[dict[str, Any]]) -> None:
    """Remove what no part of this night refers to."""
    exchange = site.store / "exchange"
    keys = {each["key"] for each in cuts} | {"records"}
    for path in sorted(exchange.glob("*")):
        if path.name not in keys:
            shutil.rmtree(path, ignore_errors=True)
    records = {records_file(site, part).name for part in parts}
    for path in sorted((exchange / "records").glob("*.parquet")):
        if path.name not in records:
            path.unlink(missing_ok=True)
