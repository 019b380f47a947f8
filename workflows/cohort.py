"""`uttag cohort` and `uttag explain`, step by step: what the command line asks of the cohort engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.aggregation import explain
from pipelines.cohort import alone
from pipelines.cohort.cdm import Cdm
from pipelines.cohort.explain import sentences
from pipelines.cohort.query import Cohort
from pipelines.errors import DataError, PermitError, SettingsError, UttagError
from pipelines.files import documents
from pipelines.files.yaml import load_yaml
from pipelines.site.permit import Permit
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot
from pipelines.study.definition import Definition
from workflows import cohort_page

Say = Callable[[str], None]


@dataclass(frozen=True)
class Ways:
    """`dry_run`: read the definitions, run none. `skip_refused`: run the others where some cannot be run."""

    dry_run: bool
    skip_refused: bool


def run(
    paths: Sequence[Path],
    cdm: str | None,
    site: Path | None,
    out: Path | None,
    engine: str,
    ways: Ways,
    say: Say,
) -> list[dict[str, Any]]:
    """Run every definition; what `definitions.json` holds.

    Raises SettingsError where the engine is not known, a definition cannot be run, none is left to run, or it
    is not said where to write; DataError where definitions cannot be run for want of data alone.
    """
    if engine not in ("numba", "duckdb"):
        raise SettingsError("--engine", "is neither numba nor duckdb", "choose one of them")
    where = _where(cdm, site)
    definitions, faults = alone.asked(paths, where)
    if len(faults) == 1 and not definitions and not ways.skip_refused:
        raise faults[0]
    for fault in faults:
        for each in fault.others or (fault,):
            say(f"refused: {each}")
    if faults and not ways.skip_refused:
        raise _refused(faults, len(definitions))
    if ways.dry_run:
        for asked in definitions:
            for note in asked.cohort.notes:
                say(f"{asked.path.name}: {note}")
        return [*(_can_run(each) for each in definitions), *map(_cannot_run, faults)]
    if out is None:
        raise SettingsError("cohort", "does not say where to write", "add --out")
    if not definitions:
        raise SettingsError("cohort", "has no definition left to run", "mend those refused")

    def refused(fault: UttagError) -> None:
        if not ways.skip_refused:
            raise fault
        say(f"refused: {fault}")
        faults.append(fault)

    told = alone.run(definitions, where, out, engine, say, refused)
    documents.write_json([_cannot_run(fault) for fault in faults], out / "refused.json")
    if faults:
        say(f"{len(faults)} definitions were refused: {out / 'refused.json'}")
    cohort_page.write(out / "index.html", told, exact=False)
    return told


def _can_run(asked: alone.Asked) -> dict[str, Any]:
    return {"cohort_definition_id": asked.id, "file": asked.path.name, "title": asked.cohort.title}


def _cannot_run(fault: UttagError) -> dict[str, Any]:
    also = [str(each) for each in fault.others[1:]]
    return {"where": fault.where, "refused": fault.what, "next": fault.next_step, "also": also}


def _refused(faults: Sequence[UttagError], others: int) -> UttagError:
    """What is told of all in one line; DataError where no definition is at fault, but the data."""
    first = faults[0]
    kind = DataError if all(isinstance(each, DataError) for each in faults) else SettingsError
    share = f"{len(faults)} of {len(faults) + others} definitions cannot be run"
    return kind("cohort", f"{share}, first {first.where}: {first.what}", "mend them, or add --skip-refused")


def _where(cdm: str | None, site: Path | None) -> Cdm | Snapshot:
    if (cdm is None) == (site is None):
        raise SettingsError(
            "cohort", "says not one of --cdm and --snapshot", "name a folder of OMOP tables, or a site"
        )
    if cdm is not None:
        return Cdm(cdm)
    opened = Site.load(site or Path())
    if not opened.synthetic:
        raise PermitError(
            "--snapshot",
            "holds real people, whose rows leave the store for a permit alone",
            "write a permit and use uttag run",
        )
    return Snapshot.load(opened)


def said(told: Sequence[dict[str, Any]], out: Path | None, dry_run: bool) -> str:
    """The outcome in one line."""
    if dry_run:
        able = [each for each in told if "refused" not in each]
        unable = len(told) - len(able)
        return "\n".join(
            [
                *(f"{each['cohort_definition_id']}: {each['file']}" for each in able),
                f"{len(able)} definitions can be run" + (f", {unable} refused" if unable else ""),
            ]
        )
    rows = sum(each["rows"] for each in told)
    return f"{len(told)} cohorts, {rows:,} rows: {out}; to look at: {out}/index.html"


def explained(paths: Sequence[Path]) -> Iterator[str]:
    """The sentences of each definition or table of a permit, under its name where there are several."""
    found = list(alone.files(paths))
    for path in found:
        if len(found) > 1:
            yield f"{path.name}"
        if is_permit(path):
            yield from _tables(path)
            continue
        cohort, design = _either(path)
        yield from sentences(cohort)
        yield from (f"note: {note}" for note in cohort.notes)
        yield from design.beside() if design else ()


def is_permit(path: Path) -> bool:
    """Does the file speak of tables, as a permit does?"""
    return (
        path.suffix in (".yaml", ".yml")
        and "\ntables:" in f"\n{path.read_text(encoding='utf-8', errors='replace')}"
    )


def _tables(path: Path) -> Iterator[str]:
    permit = load_yaml(path, Permit, file=path)
    yield f"{permit.permit}: {permit.title}, of the cohort {permit.cohort}, from {', '.join(permit.sources)}"
    yield from _protected(permit)
    for table in permit.tables:
        yield from explain.sentences(table)


def _protected(permit: Permit) -> Iterator[str]:
    """How its tables are protected."""
    if (keys := permit.cell_keys) is not None:
        yield (
            f"every number is changed a little, and none is hidden: each number of people by at most "
            f"{keys.largest(permit.policy.minimum)}, with variance {keys.variance:g}; none from 1 to "
            f"{permit.policy.minimum - 1} is shown; the same people are changed alike in every table, permit "
            "and version, and totals need not add up"
        )
        return
    shown = (
        "cells of nobody are shown" if permit.policy.zeros == "open" else "cells of nobody are hidden, too"
    )
    yield (
        f"cells of fewer than {permit.policy.minimum} persons are hidden, and what would give them away; "
        f"{shown}"
    )
    yield from permit.policy.sentences()


def _either(path: Path) -> tuple[Cohort, Definition | None]:
    """The definition as a CDM or a snapshot would take it, whichever it is for."""
    if path.suffix == ".json":
        return alone.read(path, cdm=True)
    try:
        return alone.read(path, cdm=False)
    except SettingsError:
        return alone.read(path, cdm=True)
