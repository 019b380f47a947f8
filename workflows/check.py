"""Reads a site, contract, definition or permit and says whether it holds together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipelines.aggregation.layout import Layout
from pipelines.cohort.occurring import Occurring
from pipelines.errors import PermitError, SettingsError, UttagError
from pipelines.intake.contract import Contract
from pipelines.site.permit import Permit, signed_by
from pipelines.site.project import require_controls, require_once
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot, current_file
from pipelines.study import definition, lifetable
from pipelines.study.code_forms import fault
from pipelines.study.code_list import CodeList
from pipelines.study.definition import Definition
from pipelines.study.table import Table


def check_path(path: Path) -> Iterator[str]:
    """One line for each thing that holds, or that somebody should look at; what does not hold is raised as an
    error, of whichever kind it is. Of a site all is read first, and all errors raised at the end, as `others`
    of the first.

    Raises SettingsError where `path` is none of what can be checked.
    """
    folder = path.resolve().parent
    if path.is_dir():
        yield from _check_site(Site.load(path))
    elif folder.name == "permits":
        site = Site.load(folder.parent)
        yield from _check_permit(site, path.stem, _occurring(site))
    elif folder.name == "definitions":
        there = (folder.parent / "site.yaml").exists()
        yield from _check_definition(path, _occurring(Site.load(folder.parent)) if there else None)
    elif path.suffix in (".yaml", ".yml"):
        contract = Contract.load(path)
        yield f"contract {path.name}: {_tables(contract)}"
    else:
        raise SettingsError(path, "is neither a site's folder nor a YAML file", "name one of these")


def _occurring(site: Site) -> Occurring | None:
    """The codes of the current snapshot; None where there is none yet."""
    return Occurring(Snapshot.load(site)) if current_file(site).exists() else None


def _tables(contract: Contract) -> str:
    return f"{len(contract.tables)} table{'s' if len(contract.tables) > 1 else ''}"


def _check_site(site: Site) -> Iterator[str]:
    for name, source in sorted(site.sources.items()):
        contract = Contract.load(site.root / source.contract)
        yield f"source {name}: contract with {_tables(contract)}"
    for zone in ("identity", "store"):
        site.zone(zone).key()
        yield f"key of zone {zone}: there, and closed to others"
    arrived = site.arrivals()
    yield f"deliveries: {sum(each.delivery is not None for each in arrived)}"
    yield from (f"delivery {each.title} will be stopped: {each.fault}" for each in arrived if each.fault)
    occurring, faults = _occurring(site), list[UttagError]()
    for name in site.strangers():
        what, then = "is the folder of no source in site.yaml", "add the source, or move the folder away"
        faults.append(SettingsError(site.root / "deliveries" / name, what, then))
        yield f"deliveries/{ascii(name)[1:-1]}: DOES NOT HOLD: {what}"
    if occurring is None:
        yield "snapshot: none yet, so that nobody can say which codes occur; run uttag refresh"

    def kept(checks: Callable[[], Iterable[str]], what: str) -> Iterator[str]:
        try:
            yield from checks()
        except UttagError as found:
            faults.append(found)
            yield f"{what}: DOES NOT HOLD: {found.what}"

    for path in sorted((site.root / "definitions").glob("*.yaml")):
        yield from kept(lambda path=path: _check_definition(path, occurring), f"definition {path.name}")  # type: ignore[misc]
    for path in sorted((site.root / "permits").glob("*.yaml")):
        yield from kept(lambda path=path: _check_permit(site, path.stem, occurring), f"permit {path.stem}")  # type: ignore[misc]
    if faults:
        # A definition is read again by the permits that name it.
        each_once = {str(one): one for each in faults for one in each.others or (each,)}
        faults[0].others = tuple(each_once.values())
        raise faults[0]


def _check_definition(path: Path, occurring: Occurring | None) -> Iterator[str]:
    cohort = definition.load(path)
    yield f"definition {path.name}: cohort {cohort.cohort}"
    yield from _check_codes(_Lists.of(f"definition {path.name}", path, cohort, ()), occurring, None)


def _check_permit(site: Site, name: str, occurring: Occurring | None) -> Iterator[str]:
    permit = Permit.load(site, name)
    if unknown := sorted(set(permit.sources) - set(site.sources)):
        raise SettingsError(
            permit.file,
            f"source {unknown[0]} is not one of the site's",
            "check its name, or add it to site.yaml",
        )
    cohort = definition.load(permit.definition_path)
    require_once(permit.definition_path, cohort)
    require_controls(permit, cohort)
    lifetable.named((table.net for table in permit.tables), permit.definition_path.parent)
    cells = [Layout.of(table, cohort.study).cells for asked in permit.tables for table in asked.parts]
    if date.today() > permit.valid_to:
        what, then = f"valid_to ({permit.valid_to}) has passed", "ask the board for an extension"
        raise PermitError(permit.file, what, then)
    ahead = date.today() < permit.valid_from
    yield (
        f"permit {name}: cohort {cohort.cohort}, {len(cells)} tables of {sum(cells):,} cells in all, in "
        f"force {f'from {permit.valid_from}' if ahead else 'until'}{' to' if ahead else ''} {permit.valid_to}"
    )
    owners = {
        Contract.load(site.root / site.sources[source].contract).agreement.owner for source in permit.sources
    }
    waiting = [owner for owner in sorted(owners) if not signed_by(site, permit, owner)]
    signed = f"not signed as it stands by {', '.join(waiting)}" if waiting else "signed by every owner"
    yield f"permit {name}: {signed}"
    lists = _Lists.of(f"permit {name}", permit.file, cohort, permit.tables)
    yield from _check_codes(lists, occurring, permit.sources)


# ---- code lists --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lists:
    """The code lists of a definition and of a permit's tables, by what people call them. `whose`: in a line;
    `file`: in an error."""

    whose: str
    file: Path
    lists: dict[str, CodeList]

    @staticmethod
    def of(whose: str, file: Path, cohort: Definition, tables: Iterable[Table]) -> _Lists:
        lists = {f"code list {name}": codes for name, codes in cohort.codes.items()}
        for table in tables:
            named = [*table.codes, *(table.since.codes if table.since else ())]
            named += [code for each in table.characteristics.values() for code in each.codes]
            if isinstance(table.states, dict):
                named += [code for codes in table.states.values() for code in codes]
            if named:
                lists[f"codes of table {table.table}"] = CodeList.model_construct(include=tuple(named))
        return _Lists(whose, file, lists)


def _check_codes(
    lists: _Lists, occurring: Occurring | None, sources: tuple[str, ...] | None
) -> Iterator[str]:
    """A line for each list, and one for each that has codes which do not occur.

    SettingsError: a code system is not known, a code is not of its system's form, or all codes of a list come
    from sources that the permit does not name. `sources`: those that it names; None for a definition alone.
    """
    for name, codes in lists.lists.items():
        for line in (*codes.include, *codes.exclude):
            if found := fault(line):
                raise SettingsError(
                    lists.file, f"{name}: {found}", "mend the code; uttag codes lists those there are"
                )
    if occurring is None:
        if sources is not None:
            yield f"{lists.whose}: no snapshot yet, so that nobody can say which of its codes occur"
        return
    for name, codes in lists.lists.items():
        looked = occurring.find(codes)
        if sources is not None and looked.sources and not looked.sources & {*sources}:
            whence = ", ".join(sorted(looked.sources))
            raise SettingsError(
                lists.file,
                f"{name}: its codes come from {whence} alone, which the permit does not name",
                "name the source, and have its owner sign, or name other codes",
            )
        yield f"{lists.whose}: {name}: different codes of it that occur in the snapshot: {looked.codes:,}"
        if looked.unmatched:
            yield f"{lists.whose}: WARNING: {name}: {_unmatched(looked.unmatched, occurring)}"


def _unmatched(lines: tuple[str, ...], occurring: Occurring) -> str:
    """Which lines find nothing, the first of them by name, and where their codes occur instead."""
    said = []
    for line in lines[:_NAMED]:
        others = occurring.elsewhere(line)
        said.append(f"{line} (it occurs in {', '.join(others)})" if others else line)
    more = f" and {len(lines) - _NAMED:,} more" if len(lines) > _NAMED else ""
    match = "line of it matches" if len(lines) == 1 else "lines of it match"
    return f"{len(lines):,} {match} nothing in the snapshot: {', '.join(said)}{more}"


_NAMED = 10
