"""The classifications of persons and days: their positions, their hierarchy, and where a row falls.

A dimension depends on the permit alone, never on the data: an empty group is a zero, not a missing row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from kernels.ages import completed_years, year_month_day
from kernels.postings import row_starts
from kernels.windows import interval_at
from pipelines.aggregation.standards import standardised, within
from pipelines.cubes.cube import TOTAL, Dimension
from pipelines.errors import SettingsError
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import NO_CATEGORY
from pipelines.site.permit import Table
from pipelines.study import codes
from pipelines.study.days import Study

UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Occurrences:
    """What is to be classified. `person`: int32 (n,), position in the shard; `day`: int32 (n,); `concept`: of
    events alone.

    `band`, `year`: int32 (n,), age group (-1: unknown) and calendar year, where they are known already.
    `index`: int32 (n,), index day of the entry that a row belongs to, where a person may have several.
    """

    person: np.ndarray
    day: np.ndarray
    concept: Category | None = None
    band: np.ndarray | None = None
    year: np.ndarray | None = None
    index: np.ndarray | None = None


def _nobody() -> Frame:
    return {"person": np.empty(0, np.int32), "care_unit": Category((), np.empty(0, np.int32))}


def _never() -> np.ndarray:
    return np.empty(0, np.int32)


@dataclass(frozen=True)
class People:
    """Facts on the persons of a shard. `contacts`: person and care unit of what happened to members on their
    index day. `entry`: that day of each person, int32, `DAY_UNKNOWN` if no member. `events`: all of the
    permit's sources, by person and start."""

    persons: Frame
    residences: Frame
    contacts: Callable[[], Frame] = _nobody
    entry: Callable[[], np.ndarray] = _never
    events: Callable[[], Frame] = _nobody

    def index_day(self, rows: Occurrences) -> np.ndarray:
        """Index day of each row, int32 (n,)."""
        return self.entry()[rows.person] if rows.index is None else rows.index


Locate = Callable[[People, Occurrences], np.ndarray]


@dataclass(frozen=True)
class Classification:
    """A dimension, and where rows fall in it: int32 (n,), never the total.

    `per_person`: a person always stands at the same place. `per_day`: all that happens to a person on a day
    stands at one place. `at_risk`: follow-up is cut where its place changes.
    """

    dimension: Dimension
    locate: Locate
    per_person: bool = False
    per_day: bool = True
    at_risk: bool = True


def flat(name: str, title: str, codes_: list[str], labels: list[str]) -> Dimension:
    """A dimension of one level under its total."""
    return Dimension(
        name=name,
        title=title,
        codes=("", *codes_),
        labels=(TOTAL, *labels),
        parents=(-1, *[0] * len(codes_)),
        levels=(TOTAL, name),
    )


def sex(table: Table, study: Study) -> Classification:
    """Men, women, unknown."""
    dimension = within(_sexes(), table)
    place = np.array([3, 1, 2], np.int32)
    return Classification(
        dimension, lambda people, rows: place[np.asarray(people.persons["sex"])[rows.person]], per_person=True
    )


def _sexes() -> Dimension:
    return flat("sex", "Sex", ["1", "2", "0"], ["Men", "Women", UNKNOWN])


def age_group(table: Table, study: Study) -> Classification:
    """Completed years on the day, in groups of the table's width."""
    width, top = table.age_width, table.age_top - table.age_top % table.age_width
    labels = [f"{low}-{low + width - 1}" if width > 1 else str(low) for low in range(0, top, width)] + [
        f"{top}+",
        UNKNOWN,
    ]
    dimension = standardised(
        flat("age_group", "Age", [*labels[:-1], "unknown"], labels), table, _sexes().labels
    )

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        if rows.band is not None:
            return np.where(rows.band < 0, len(labels), rows.band + 1).astype(np.int32)
        age = completed_years(np.asarray(people.persons["birth_day"])[rows.person], rows.day)
        return np.where(age < 0, len(labels), np.minimum(age, top) // width + 1).astype(np.int32)

    return Classification(dimension, locate)


def municipality(table: Table, study: Study) -> Classification:
    """Parts of the county and their municipalities. Who lives elsewhere stands beside the parts, so that few
    such people hide no total."""
    codes_, labels, parents, tiles = [""], [TOTAL], [-1], [0]
    position: dict[str, int] = {}
    for part in dict.fromkeys(place.part for place in codes.municipalities()):
        parent = len(codes_)
        codes_, labels, parents, tiles = [*codes_, part], [*labels, part], [*parents, 0], [*tiles, 0]
        for place in (place for place in codes.municipalities() if place.part == part):
            position[place.code] = len(codes_)
            codes_, labels, parents = [*codes_, place.code], [*labels, place.name], [*parents, parent]
            tiles.append(1 + 100 * place.tile[0] + place.tile[1])
    unknown = len(codes_)
    dimension = Dimension(
        name="municipality",
        title="Municipality",
        codes=(*codes_, "unknown"),
        labels=(*labels, UNKNOWN),
        parents=(*parents, 0),
        levels=(TOTAL, "part of the county", "municipality"),
        role="places",
        values=(*tiles, 0),
    )

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        homes = people.residences
        count = len(people.persons["person"])
        offsets = row_starts(np.asarray(homes["person"]), count)
        home = interval_at(
            rows.person, rows.day, offsets, np.asarray(homes["start"]), np.asarray(homes["end"])
        )
        place = homes["municipality"]
        labels = place.labels if isinstance(place, Category) else ()
        target = np.array([position.get(label, unknown) for label in labels] + [unknown], np.int32)
        index = place.places if isinstance(place, Category) else np.empty(0, np.int32)
        return target[np.append(index, NO_CATEGORY)[home]]

    return Classification(dimension, locate)


def year(table: Table, study: Study) -> Classification:
    """Calendar years of the study."""
    first, last = study.first.year, study.last.year
    years = [str(each) for each in range(first, last + 1)]

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        of_row = year_month_day(rows.day)[:, 0] if rows.year is None else rows.year
        return (of_row - first + 1).astype(np.int32)

    return Classification(flat("year", "Year", years, years), locate)


def follow_up(table: Table, study: Study) -> Classification:
    """Bands of days since the index day."""
    ends = [f"{low}-{high - 1}" for low, high in pairwise((0, *table.follow_up))] + [
        f"{table.follow_up[-1]}+"
    ]
    breaks = np.array(table.follow_up, np.int64)

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        since = rows.day.astype(np.int64) - people.index_day(rows)
        return (np.searchsorted(breaks, since, "right") + 1).astype(np.int32)

    return Classification(
        flat("follow_up", "Days since the index day", ends, [f"{span} days" for span in ends]), locate
    )


def chapter(table: Table, study: Study) -> Classification:
    """Chapters of ICD."""
    chapters = codes.icd_chapters()
    dimension = flat(
        "chapter",
        "Diagnosis chapter",
        [*[each.code for each in chapters], "none"],
        [*[_titled(each) for each in chapters], UNKNOWN],
    )

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        chapter, _ = codes.classify(_labels(rows))
        return _of_labels(rows, np.where(chapter >= 0, chapter + 1, len(chapters) + 1))

    return Classification(dimension, locate, per_day=False)


def diagnosis(table: Table, study: Study) -> Classification:
    """Chapters and their blocks, those that the table's codes can touch; what lies in a chapter but in none
    of its blocks is its rest."""
    chapters = [each for each in codes.icd_chapters() if _touched(each, table.codes)]
    codes_, labels, parents = [""], [TOTAL], [-1]
    place: dict[tuple[str, str], int] = {}
    for chapter in chapters:
        parent = len(codes_)
        codes_, labels, parents = [*codes_, chapter.code], [*labels, _titled(chapter)], [*parents, 0]
        blocks = [
            each
            for each in codes.icd_blocks()
            if each.chapter == chapter.code and _touched(each, table.codes)
        ]
        for code, label in [
            *[(each.code, f"{each.code} {each.title}") for each in blocks],
            ("", f"{chapter.code}, other"),
        ]:
            place[chapter.code, code] = len(codes_)
            codes_, labels, parents = (
                [*codes_, code or f"{chapter.code} other"],
                [*labels, label],
                [*parents, parent],
            )
    codes_, labels, parents = [*codes_, "none"], [*labels, UNKNOWN], [*parents, 0]
    dimension = Dimension(
        name="diagnosis",
        title="Diagnosis",
        codes=tuple(codes_),
        labels=tuple(labels),
        parents=tuple(parents),
        levels=(TOTAL, "chapter", "block"),
    )

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        found = [codes.chapter_and_block(concept) for concept in _labels(rows)]
        other = len(codes_) - 1
        target = [place.get(each, place.get((each[0], ""), other)) if each else other for each in found]
        return _of_labels(rows, np.array(target, np.int32))

    return Classification(dimension, locate, per_day=False)


def _titled(chapter: codes.Range) -> str:
    return f"{chapter.code} {chapter.title}"


def _touched(span: codes.Range, prefixes: tuple[str, ...]) -> bool:
    """Can a code with one of the prefixes lie in the span? No prefixes means every code."""
    heads = [prefix.partition("/")[2] for prefix in prefixes]
    return not heads or any(
        span.first[: len(head)] <= head[: len(span.first)] <= span.last[: len(head)] for head in heads
    )


def _labels(rows: Occurrences) -> tuple[str, ...]:
    return rows.concept.labels if rows.concept else ()


def _of_labels(rows: Occurrences, target: np.ndarray) -> np.ndarray:
    index = rows.concept.places if rows.concept else np.empty(0, np.int32)
    return target.astype(np.int32)[index]


def care_unit(table: Table, study: Study) -> Classification:
    """Groups of care units, by prefix of the unit's name: where the person was on the index day; of several
    the first that is named. Raises `SettingsError` for a name that stands for two."""
    names = list(table.care_units)
    groups = flat("care_unit", "Care unit on the index day", [*names, "other"], [*names, "Other"])
    if len(set(groups.codes)) < len(groups) or TOTAL in names:
        raise SettingsError(
            f"table {table.table}: care_units",
            "uses a name that stands for another group",
            "name it otherwise",
        )

    def place(unit: str) -> int:
        """The group with the longest of the unit's prefixes."""
        found = [
            (len(p), -n) for n, name in enumerate(names) for p in table.care_units[name] if unit.startswith(p)
        ]
        return 1 - max(found)[1] if found else len(names) + 1

    def locate(people: People, rows: Occurrences) -> np.ndarray:
        contacts = people.contacts()
        units = contacts["care_unit"]
        out = np.full(len(people.persons["person"]), len(names) + 1, np.int32)
        if isinstance(units, Category):
            target = np.array([place(label) for label in units.labels] + [len(names) + 1], np.int32)
            np.minimum.at(out, np.asarray(contacts["person"]), target[units.places])
        return out[rows.person]

    return Classification(replace(groups, role="care_unit"), locate, per_person=True)
