"""The linkage stage: accepted identity rows in, the person index out."""

from __future__ import annotations

from typing import Any

from pipelines.compute.ranks import Ranks
from pipelines.files import documents
from pipelines.linkage.blocking import candidates
from pipelines.linkage.clusters import by_number, by_weight, decided, gather_records, scatter
from pipelines.linkage.compare import Progress, compare
from pipelines.linkage.history import gather_speakers, publish
from pipelines.linkage.index import write_index
from pipelines.linkage.numbers import settle_numbers
from pipelines.linkage.rows import read, take
from pipelines.linkage.settings import LinkageSettings
from pipelines.linkage.ties import Units
from pipelines.site.deliveries import active
from pipelines.site.made_from import of_linkage
from pipelines.site.site import Site


def link(site: Site, ranks: Ranks, progress: Progress | None = None) -> dict[str, Any]:
    """Link all records of the active deliveries: by identity number, then by what else is known; the receipt,
    on every rank.

    The index is a function of the active deliveries and the settings alone: the same for any number of ranks,
    any order and cut of the files, and whether they came at once or night by night. How it came to be stands
    beside it (`history`), and does depend on the nights.
    """
    say = progress or (lambda _line: None)
    settings, deliveries = ranks.broadcast(
        (LinkageSettings.of(site), active(site)) if ranks.rank == 0 else None
    )
    sources = sorted({each.source for each in deliveries})
    rows = read(site, ranks, deliveries, sources, settings.anchor_source)
    say("identity rows read")
    records, speakers = gather_records(ranks, rows), gather_speakers(ranks, rows)
    settled = settle_numbers(ranks, rows)
    clusters = by_number(records, settled) if records is not None and settled is not None else None
    say("identity numbers settled")
    cluster, role = scatter(ranks, records, clusters, rows)
    chosen = candidates(rows, cluster, role, settings)
    del rows
    pairs, compared = compare(ranks, chosen, settings, say)
    receipt = None
    if (
        records is not None
        and settled is not None
        and clusters is not None
        and pairs is not None
        and speakers is not None
    ):
        threshold, numbered = round(settings.threshold * 1000), clusters.exclusive.copy()
        likely = take(pairs, pairs["weight"] >= threshold)
        strongest = decided(clusters, likely, threshold)
        before, joined = by_weight(records, clusters, likely, threshold)
        units = Units.of(records, clusters, before, numbered)
        ties = units.ties(strongest, pairs)
        index, units_of, written = write_index(site, sources, records, clusters, before, joined, units, ties)
        history = publish(site, written["index"], (index, units_of, ties), deliveries, speakers)
        receipt = {
            **written,
            "made_from": of_linkage(site, deliveries),
            "unlinked": written["links"]["alone"],
            "disputed_numbers": len(settled.disputed),
            "history": history,
            **compared,
        }
        documents.write_json(receipt, site.receipt("linkage"))
    return ranks.broadcast(receipt)  # type: ignore[no-any-return]
