"""The cohort engine alone: many definitions over one OMOP CDM or one snapshot, OHDSI's result tables out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.cohort import circe, duck, ended, engine, entered, given, sql, uses
from pipelines.cohort.beside import Beside
from pipelines.cohort.cdm import Cdm
from pipelines.cohort.cdm_source import CdmSource
from pipelines.cohort.concept_sets import unknown
from pipelines.cohort.controls import without_controls
from pipelines.cohort.domains import STORED
from pipelines.cohort.lower import lower
from pipelines.cohort.query import STAY, Cohort
from pipelines.cohort.results import Results, merged
from pipelines.cohort.shard_source import ShardSource
from pipelines.cohort.source import Source
from pipelines.cohort.stage import of_shard
from pipelines.cohort.steps import steps
from pipelines.errors import SettingsError, UttagError
from pipelines.files import documents, people
from pipelines.site.snapshot import Snapshot
from pipelines.study import definition
from pipelines.study.definition import Definition
from pipelines.study.hierarchy import Hierarchy

Say = Callable[[str], None]
Run = Callable[[Cohort], Results]
Refused = Callable[[UttagError], None]
Where = Cdm | Snapshot
_SUFFIXES = (".json", ".yaml", ".yml")
_TYPES = {"mode_id": "i4", "rule_sequence": "i4", "cohort_start_date": "M8[D]", "cohort_end_date": "M8[D]"}
_LONGEST_NUMBER = 18  # digits that 64 bits hold whatever they are


@dataclass(frozen=True)
class Asked:
    """A definition, and the number that its rows carry. `design`: what it asks beside, where it is YAML."""

    id: int
    path: Path
    cohort: Cohort
    design: Definition | None = None


def asked(paths: Sequence[Path], where: Where) -> tuple[list[Asked], list[UttagError]]:
    """Every definition in files and folders that can be run, by number: the file's name where it is one, else
    the next free number, by name. Also what is wrong with those that cannot: that they do not read, or that
    the CDM lacks a column that their answer hangs on."""
    found, faults = [], []
    for path in files(paths):
        try:
            hierarchy = where.hierarchy if isinstance(where, Snapshot) else None
            cohort, design = read(path, isinstance(where, Cdm), hierarchy)
            if isinstance(where, Cdm):
                uses.refuse(cohort, where, path, _beside(design))
            found.append((path, cohort, design))
        except UttagError as fault:
            faults.append(fault)
    numbers = _numbers([path for path, *_ in found])
    return sorted(
        (Asked(numbers[path], path, cohort, design) for path, cohort, design in found),
        key=lambda each: each.id,
    ), faults


def read(path: Path, cdm: bool, hierarchy: Hierarchy | None = None) -> tuple[Cohort, Definition | None]:
    """One definition, Circe JSON or YAML, for a CDM or a snapshot; and as it stands in YAML, with the code
    lists that `hierarchy` makes of it. SettingsError: it does not read, or asks for what a CDM, or a
    snapshot, does not have."""
    if path.suffix not in _SUFFIXES:
        raise SettingsError(path, "is neither Circe JSON nor YAML", "name a .json or .yaml file")
    design = None if path.suffix == ".json" else definition.load(path)
    if design is not None and hierarchy is not None:
        design = hierarchy.resolved(design)
    if cdm and design is not None and design.strata:
        raise SettingsError(
            path, "asks for strata, which --cdm does not give", "leave them out, or run it with --snapshot"
        )
    if cdm and design is not None and design.controls and "municipality" in design.controls.exact:
        raise SettingsError(
            path,
            "asks for controls of the same municipality, of which a CDM does not say from when to when",
            "leave it out of exact, or run it with --snapshot",
        )
    cohort = circe.load(path) if design is None else lower(design, cdm)
    foreign = sorted(cohort.domains() - set(STORED))
    if foreign and not cdm:
        raise SettingsError(
            path, f"asks for {foreign[0]} of OMOP, which a snapshot does not have", "run it with --cdm"
        )
    return cohort, design


def _beside(design: Definition | None) -> frozenset[uses.Use]:
    """What a definition's controls hang on, beside its answer."""
    return uses.OF_CONTROLS if design is not None and design.controls else frozenset()


def files(paths: Sequence[Path]) -> list[Path]:
    """Every definition that is named or lies in a named folder. SettingsError: one is not there, or a folder
    holds none."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise SettingsError(path, "is not there", "check the path")
        inside = (
            sorted(each for each in path.iterdir() if each.suffix in _SUFFIXES) if path.is_dir() else [path]
        )
        if not inside:
            raise SettingsError(path, "holds no definition", "name a folder of .json or .yaml files")
        found += inside
    return list(dict.fromkeys(found))


def _numbers(paths: Iterable[Path]) -> dict[Path, int]:
    numbers: dict[Path, int] = {}
    for path in paths:
        if path.stem.isdecimal() and len(path.stem) <= _LONGEST_NUMBER:
            if int(path.stem) in numbers.values():
                raise SettingsError(path, "has the number of another definition", "rename one of them")
            numbers[path] = int(path.stem)
    free = 1
    for path in sorted(
        (path for path in paths if path not in numbers), key=lambda each: (each.name, str(each))
    ):
        while free in numbers.values():
            free += 1
        numbers[path] = free
    return numbers


def run(
    definitions: Sequence[Asked], where: Where, out: Path, engine_name: str, say: Say, refused: Refused
) -> list[dict[str, Any]]:
    """Run every definition and write OHDSI's five tables and `definitions.json` into `out`, and what else
    definitions ask for. Returns what `definitions.json` holds: for each its number, file, rows, persons,
    attrition, how many concepts the vocabulary does not know, how many ages are by year of birth, and what is
    told of its controls and strata. `refused`: takes what is wrong with one that turns out not to run, or
    raises it. SettingsError: none is left."""
    results: dict[int, Results] = {}
    told, beside, everybody = [], Beside(), _everybody(where)
    with _engine(engine_name, where) as run_one:
        for number, each in enumerate(definitions, 1):
            try:
                found = results[each.id] = run_one(each.cohort)
            except UttagError as fault:
                refused(type(fault)(each.path, f"{fault.where}: {fault.what}", fault.next_step))
                continue
            about = _about(each, found, where)
            about = {
                **about,
                **_whom(found, everybody, about["attrition"]),
                **(beside.found(each.id, each.design, where, found) if each.design else {}),
            }
            told.append(about)
            say(
                f"{number}/{len(definitions)} {each.path.name}: {about['persons']:,} persons, "
                f"{about['rows']:,} rows{_note(about)}"
            )
    if not results:
        raise SettingsError("cohort", "has no definition left to run", "mend those refused")
    write(results, out)
    for name, columns in beside.tables().items():
        people.write(columns, out / f"{name}.parquet")
    told = [{**each, "overlap": shared} for each, shared in zip(told, _overlap(results), strict=True)]
    documents.write_json(told, out / "definitions.json")
    return told


def _everybody(where: Where) -> list[Source]:
    """Sources of everybody's birth and sex."""
    return (
        [CdmSource(where)] if isinstance(where, Cdm) else [ShardSource(each, None) for each in where.shards]
    )


def _whom(found: Results, everybody: Sequence[Source], attrition: list[dict[str, Any]]) -> dict[str, Any]:
    """Index days by year, age and sex; and, over a snapshot, why follow-up ends, the deaths in it and after
    it with the last step of the attrition."""
    who, ends = entered.Entered(), []
    for source in everybody:
        place = np.searchsorted(source.persons, found.person)
        here = np.append(source.persons, -1)[place] == found.person
        who += entered.entered(source, found.person[here], found.start[here])
        if isinstance(source, ShardSource) and found.ended is not None:
            ends.append(ended.counted(place[here], found.end[here], found.ended[here], source.deaths))
    told: dict[str, Any] = {"entered": entered.rows(who)}
    if not ends:
        return told
    counts = ended.together(ends)
    return {**told, "attrition": ended.with_deaths(attrition, counts), "ends": ended.told(counts)}


_COMPARED = 12  # cohorts of which it is told whom they have in common: pairs grow with the square


def _overlap(results: Mapping[int, Results]) -> list[dict[str, int]]:
    """Of each cohort, by number: how many persons it has in common with each of the first ones."""
    persons = {id: np.unique(each.person) for id, each in results.items()}
    first = list(persons)[:_COMPARED]
    return [
        {
            str(other): len(np.intersect1d(own, persons[other], assume_unique=True))
            for other in first
            if id in first
        }
        for id, own in persons.items()
    ]


def _about(asked: Asked, found: Results, where: Where) -> dict[str, Any]:
    return {
        "cohort_definition_id": asked.id,
        "file": asked.path.name,
        "title": asked.cohort.title,
        "persons": len(np.unique(found.person)),
        "rows": len(found.person),
        "attrition": [
            {"step": step, "persons": count}
            for step, count in zip(steps(asked.cohort), found.attrition, strict=True)
        ],
        "unknown_concepts": sum(
            unknown(asked.cohort.sets[id], where) for id in uses.concept_sets(asked.cohort)
        )
        if isinstance(where, Cdm)
        else 0,
        "ages_by_year_of_birth": found.by_year,
        "notes": list(asked.cohort.notes),
    }


def _note(about: Mapping[str, Any]) -> str:
    concepts, ages = about["unknown_concepts"], about["ages_by_year_of_birth"]
    controls = about.get("controls")
    return "".join(
        [
            f"; {concepts} concepts of its sets are not in the vocabulary" if concepts else "",
            f"; of {ages:,} persons only the year of birth is known, and the age is by year" if ages else "",
            f"; {without_controls(controls)}" if controls and controls["without"] else "",
            *(f"; {note}" for note in about["notes"]),
        ]
    )


@contextlib.contextmanager
def _engine(name: str, where: Where) -> Iterator[Run]:
    """An engine over all persons, made ready once."""
    if isinstance(where, Snapshot):
        sources = [ShardSource(shard, None) for shard in where.shards]
        yield lambda cohort: merged([of_shard(cohort, source, name) for source in sources])
    elif name == "numba":
        source = CdmSource(where)
        yield lambda cohort: _fast(cohort, source)
    else:
        yield lambda cohort: _plainly(cohort, where)


def _fast(cohort: Cohort, source: CdmSource) -> Results:
    others = {name: _fast(each, source) for name, each in cohort.others.items()}
    return engine.run(cohort, given.given(source, cohort.calendar, others))


def _plainly(cohort: Cohort, cdm: Cdm) -> Results:
    """By the plain engine, which sees those columns alone that the answer hangs on."""
    others = {name: _plainly(each, cdm) for name, each in cohort.others.items()}
    columns: dict[str, list[str]] = {}
    for use in sorted(uses.uses(cohort)):
        if use.column in cdm.columns(use.table):
            columns.setdefault(use.table, []).append(use.column)
    tables = {table: cdm.typed(table, names) for table, names in columns.items()}
    with duck.connect({**tables, STAY: given.stays(others)}) as connection:
        return sql.run(cohort, connection)


def write(results: Mapping[int, Results], out: Path) -> None:
    """OHDSI's result tables, `cohort_definition_id` first, by number."""
    parts = {id: results[id].tables() for id in sorted(results)}
    for name in next(iter(parts.values())):
        people.write(_stacked([(id, each[name]) for id, each in parts.items()]), out / f"{name}.parquet")


def _stacked(parts: Sequence[tuple[int, Mapping[str, np.ndarray]]]) -> dict[str, object]:
    names = list(parts[0][1])
    sizes = [len(columns[names[0]]) for _, columns in parts]
    stacked: dict[str, object] = {
        "cohort_definition_id": np.repeat(np.array([id for id, _ in parts], np.int64), sizes)
    }
    for name in names:
        column = np.concatenate([columns[name] for _, columns in parts])
        stacked[name] = column.astype(_TYPES.get(name, column.dtype))
    return stacked
