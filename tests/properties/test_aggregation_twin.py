"""Every cell of a cube, counted again one person and one day at a time."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import product

import numpy as np
import pytest

from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.aggregation.stage import additive
from pipelines.cohort.stage import select
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import DAY_UNKNOWN, SETTING
from pipelines.site.permit import Table
from pipelines.study.days import Study
from pipelines.study.definition import Definition
from tests.people import MadeShard, make_shard

STUDY = Study(**{"from": date(2018, 1, 1), "to": date(2021, 12, 31)})
SOURCES = ("a", "b")


def members_of(shard: MadeShard) -> Frame:
    definition = Definition(
        cohort="c", title="c", study=STUDY, codes={"all": ("T/",)}, index={"codes": "all", "which": "any"}
    )
    return select(shard, SOURCES, definition).members


def day_of(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


def source_names(shard: MadeShard) -> list[str | None]:
    source = shard.frames["events"]["source"]
    assert isinstance(source, Category)
    return source.decoded()


class Twin:
    """The obvious way: labels of a person on a day, looked up one by one."""

    def __init__(self, shard: MadeShard, table: Table) -> None:
        self.shard, self.table = shard, table
        self.persons, self.homes = shard.frames["persons"], shard.frames["residences"]

    def place(self, name: str, person: int, day: int) -> str:
        return {
            "sex": self.sex,
            "age_group": self.age,
            "municipality": self.home,
            "year": lambda _, d: str(day_of(d).year),
        }[name](person, day)

    def sex(self, person: int, day: int) -> str:
        return {0: "Unknown", 1: "Men", 2: "Women"}[int(self.persons["sex"][person])]

    def age(self, person: int, day: int) -> str:
        number = int(self.persons["birth_day"][person])
        if number == DAY_UNKNOWN:
            return "Unknown"
        born, now = day_of(number), day_of(day)
        age = now.year - born.year - ((now.month, now.day) < (born.month, born.day))
        width, top = self.table.age_width, self.table.age_top
        return f"{top}+" if age >= top else f"{age // width * width}-{age // width * width + width - 1}"

    def home(self, person: int, day: int) -> str:
        names = {"0114": "Upplands Väsby", "0180": "Stockholm", "0192": "Nynäshamn"}
        place = self.homes["municipality"]
        assert isinstance(place, Category)
        for row in np.flatnonzero(np.asarray(self.homes["person"]) == person):
            if self.homes["start"][row] <= day <= self.homes["end"][row]:
                return names[place.labels[place.places[row]]]
        return "Unknown"


def twin_counts(shard: MadeShard, members: Frame, table: Table, layout: Layout) -> dict[str, np.ndarray]:
    twin = Twin(shard, table)
    dimensions = [each.dimension for each in layout.classifications]
    found: dict[str, dict[tuple[int, ...], set[object]]] = {
        name: defaultdict(set) for name in (*layout.measures, *layout.time_measures)
    }

    def note(measure: str, person: int, day: int, what: object) -> None:
        chains = []
        for name, dimension in zip(table.dimensions, dimensions, strict=True):
            position = dimension.labels.index(twin.place(name, person, day))
            chain = [position]
            while dimension.parents[chain[-1]] >= 0:
                chain.append(dimension.parents[chain[-1]])
            chains.append(chain)
        for cell in product(*chains):
            found[measure][cell].add(what)

    events = shard.frames["events"]
    allowed = np.isin(source_names(shard), SOURCES)
    inpatient = set(
        np.asarray(events["encounter"])[
            allowed & (np.asarray(events["setting"]) == SETTING["inpatient"])
        ].tolist()
    ) - {0}
    ids = np.asarray(shard.frames["persons"]["person"]).tolist()
    source = events["source"]
    assert isinstance(source, Category)
    for who, start, last in zip(
        *(np.asarray(members[name]).tolist() for name in ("person", "start", "end")), strict=True
    ):
        end = last + 1
        person = ids.index(who)
        if table.count == "members":
            note("persons", person, start, person)
            continue
        stays: dict[int, int] = {}
        for row in np.flatnonzero(np.asarray(events["person"]) == person):
            day = int(events["start"][row])
            if start <= day < end and source.labels[source.places[row]] in SOURCES:
                note("events", person, day, int(row))
                note("persons", person, day, person)
                encounter = int(events["encounter"][row])
                if encounter in inpatient:
                    stays[encounter] = min(day, stays.get(encounter, day))
        for encounter, day in stays.items():
            if "admissions" in found:
                note("admissions", person, day, (person, encounter))
                of_stay = np.flatnonzero(
                    allowed & (events["encounter"] == encounter) & (events["setting"] == SETTING["inpatient"])
                )
                days = range(
                    max(start, int(events["start"][of_stay].min())),
                    min(end, int(events["end"][of_stay].max())),
                )
                for each in list(days) or ["the day of admission"]:
                    note("bed_days", person, day, (person, encounter, each))
        if "person_days" in found:
            for day in range(start, end):
                note("person_days", person, day, (person, day))
                note("at_risk", person, day, person)
    shape = tuple(len(dimension) for dimension in dimensions)
    out = {}
    for name, cells in found.items():
        counts = np.zeros(shape, np.int64)
        for cell, things in cells.items():
            counts[cell] = len(things)
        out[name] = counts.ravel()
    return out


DAYS = ("events", "person_days")
TABLES = [
    Table(table="m", title="m", count="members", dimensions=("sex", "age_group", "municipality")),
    Table(
        table="e",
        title="e",
        count="events",
        dimensions=("sex", "year", "municipality"),
        measures=("admissions", "bed_days", *DAYS),
    ),
    Table(
        table="a",
        title="a",
        count="events",
        dimensions=("age_group", "year"),
        measures=DAYS,
        age_width=10,
        age_top=80,
    ),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.table)
@pytest.mark.parametrize("seed", [1, 2])
def test_cells_are_what_one_counts_by_hand(table: Table, seed: int) -> None:
    shard = make_shard(seed, persons=25, events_each=6)
    members, layout = members_of(shard), Layout.of(table, STUDY)
    counted = Counter(shard, members, SOURCES).count(layout)
    expected = twin_counts(shard, members, table, layout)
    assert expected["persons"][0] > 10
    for name in (*layout.measures, *layout.time_measures):
        np.testing.assert_array_equal(counted[name], expected[name], err_msg=name)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.table)
def test_margins_that_are_called_additive_add_up(table: Table) -> None:
    shard = make_shard(5, persons=200)
    layout = Layout.of(table, STUDY)
    counted = Counter(shard, members_of(shard), SOURCES).count(layout)
    shape = tuple(len(each.dimension) for each in layout.classifications)
    for name in (*layout.measures, *layout.time_measures):
        cube = counted[name].reshape(shape)
        for axis, (each, adds_up) in enumerate(
            zip(layout.classifications, additive(layout, name), strict=True)
        ):
            slices = np.moveaxis(cube, axis, 0)
            for parent in range(len(each.dimension)):
                children = each.dimension.children(parent)
                if children and adds_up:
                    np.testing.assert_array_equal(slices[parent], slices[children].sum(axis=0))
                elif children:
                    assert (slices[parent] >= slices[children].max(axis=0)).all()
                    assert (slices[parent] <= slices[children].sum(axis=0)).all()
