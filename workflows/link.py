"""`uttag link`, step by step: what the command line asks of the linkage engine."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.compute.ranks import ranks
from pipelines.errors import SettingsError
from pipelines.files import documents
from pipelines.linkage import review as reviews
from pipelines.linkage.encode import encode
from pipelines.linkage.engine import Clock, blocked, groups, link_tables
from pipelines.linkage.link_settings import LinkSettings, table_path
from pipelines.linkage.outcome import Outcome, analysis
from pipelines.linkage.review_estimate import estimate
from pipelines.linkage.rules import Candidates

Say = Callable[[str], None]


def run(
    path: Path, out: Path, say: Say, review: int = 0, decided: Path | None = None, keep: bool = False
) -> dict[str, Any] | None:
    """Link the tables that the settings name, alone or as one of several ranks; what `model.json` holds, on
    the first rank."""
    settings = LinkSettings.load(path)
    return link(
        settings, [table_path(path, table) for table in settings.data], out, say, review, decided, keep
    )


def link(
    settings: LinkSettings,
    paths: Sequence[Path],
    out: Path,
    say: Say,
    review: int = 0,
    decided: Path | None = None,
    keep: bool = False,
) -> dict[str, Any] | None:
    """Link tables and write what was found into `out`.

    Raises SettingsError where an index is to be kept and people's decisions are to hold.
    """
    if keep and decided:
        raise SettingsError(
            "--keep", "an index does not hold people's decisions yet", "leave out --keep or --decided"
        )
    clock, links = Clock(), reviews.decided_links(reviews.read_decisions(decided)[0]) if decided else None
    with ranks() as mine:
        linked = link_tables(
            settings, paths, mine, clock, say if mine.rank == 0 else lambda _line: None, decided=links
        )
    if linked is None:
        return None
    outcome = Outcome(settings, linked, paths)
    with clock.phase("write"):
        model = outcome.write(out)
    model["run"] = {
        "pairs": sum(linked.new),
        "cpu_seconds": clock.seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    documents.write_json(model, out / "model.json")
    outcome.report(out / "report.html", model)
    if keep:
        from pipelines.linkage.living import save

        model["index"] = save(linked, settings, out)
    if review:
        model["review"] = outcome.review(out / "review.csv", review)
    return model


def update(out: Path, add: Sequence[str], drop: Sequence[Path], day: str | None, say: Say) -> dict[str, Any]:
    """Bring new, corrected and withdrawn records into the index in `out`. `add`: "file" or "file:source".
    Returns the receipt.

    Raises SettingsError where nothing is named that has changed.
    """
    from pipelines.linkage import living
    from pipelines.linkage.living_changes import Change

    changes = [Change(path, source) for path, source in (_named(each) for each in add)] + [
        Change(path) for path in drop
    ]
    if not changes:
        raise SettingsError(
            "link-update", "names nothing that has changed", "add --add FILE:SOURCE or --drop FILE"
        )
    return living.update(out, changes, say, day or date.today().isoformat())


def _named(text: str) -> tuple[Path, str]:
    """A file and the source whose records it holds; its own name where none is said."""
    path, mark, source = text.rpartition(":")
    return (Path(path), source) if mark else (Path(text), Path(text).stem)


def dry_run(path: Path) -> list[str]:
    """What the blocking rules would cost, without comparing anything."""
    settings = LinkSettings.load(path)
    encoded = encode(settings, [table_path(path, table) for table in settings.data])
    candidates = Candidates(encoded.matrix(), groups(settings, encoded.sources))
    return [f"{len(encoded):,} records", *analysis(blocked(settings, encoded, candidates).analysis())]


def estimated(path: Path) -> dict[str, Any]:
    """Precision and recall as people's decisions tell."""
    decisions, strata = reviews.read_decisions(path)
    return estimate(decisions, strata)


def said(model: dict[str, Any], out: Path) -> str:
    """The outcome in one paragraph."""
    clusters, records = model["clusters"], sum(model["records"].values())
    expected = (
        f"expected precision {model['expected_precision']}, recall {model['expected_recall']} among "
        "the pairs compared"
    )
    lines = [
        f"{records:,} records are {clusters['number']:,} persons: {model['run']['pairs']:,} pairs compared, "
        f"{clusters['links']:,} links",
        expected,
        *(f"note: {note}" for note in model["notes"]),
        f"report: {out / 'report.html'}",
    ]
    return "\n".join(lines)
