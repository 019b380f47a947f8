"""Time to events, weeks, months, first and new events, care units, bands of follow-up, values and transitions, counted again one member,
one day and one event at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.exits import NEVER, exit_bands
from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.aggregation.stage import additive, merged
from pipelines.errors import DataError
from pipelines.files.frames import Category, Frame, take
from pipelines.files.schemas import DAY_UNKNOWN, KIND, KINDS, SETTINGS, VALUE_MISSING
from pipelines.site.permit import Table
from pipelines.study.definition import Study
from tests.people import MadeShard, make_shard

STUDY = Study(**{"from": date(2018, 1, 3), "to": date(2021, 6, 15)})
FIRST, LAST = ((each - date(1970, 1, 1)).days for each in (STUDY.first, STUDY.last))
LEAP = (date(2020, 2, 29) - date(1970, 1, 1)).days
SOURCES = ("a", "b")
UNITS = {"North": ("N",), "North 2": ("N-2",), "South": ("S", "T-1")}

STATES = {"A": ("T/A",), "A one": ("T/A1",), "B": ("T/B1",)}
HOMES = {"0114": "Upplands Väsby", "0180": "Stockholm", "0192": "Nynäshamn"}
LEVELS = ("inpatient", "emergency", "outpatient", "primary", "unknown")
RATE = ("events", "person_days")
LEXIS = ("age_group", "year", "follow_up")
AGE = ("age_group",)
DAYS_30 = {"step": 30, "until": 900}
TABLES = [
    Table(table="to-a", title="t", count="survival", codes=("T/A",), dimensions=("sex",), **DAYS_30),
    Table(table="to-b", title="t", count="survival", codes=("T/B1",), kind="drug", or_death=True, dimensions=AGE, step=7, until=70),
    Table(table="to-c", title="t", count="survival", codes=("T/C",), competing="death", dimensions=("sex", *AGE), age_width=30, **DAYS_30),
    Table(table="to-d", title="t", count="survival", codes=("T/D",), competing=("T/A1", "T/C"), step=1, until=40),
    Table(table="to-death", title="t", count="survival", or_death=True, step=365, until=730),
    Table(table="weeks", title="t", count="weekly", measures=("events",), codes=("T/B",), dimensions=("sex",)),
    Table(table="first-weeks", title="t", count="weekly", measures=("events",), first=True, kind="diagnosis"),
    Table(table="months", title="t", count="monthly", measures=("events", "admissions"), dimensions=("age_group",), age_width=45),
    Table(table="units", title="t", count="events", measures=("events", "person_days"), dimensions=("care_unit", "sex"), care_units=UNITS),
    Table(table="unit-members", title="t", count="members", dimensions=("care_unit",), care_units=UNITS),
    Table(table="lexis", title="t", count="events", measures=RATE, dimensions=("sex", *LEXIS), age_width=5, age_top=20, follow_up=(7, 400)),
    Table(table="new", title="t", count="events", measures=RATE, codes=("T/A",), dimensions=("municipality", *LEXIS), age_width=40,
          follow_up=(1, 30), washout=25),
    Table(table="new-weeks", title="t", count="weekly", measures=("events",), codes=("T/B",), washout=365),
    Table(table="on", title="t", count="prevalence", codes=("T/A",), days=(date(2018, 6, 1), date(2020, 2, 29), date(2021, 6, 15)),
          dimensions=("sex", "municipality")),
    Table(table="on-of-late", title="", count="prevalence", kind="drug", days=(date(2020, 2, 29),), lookback=90, dimensions=AGE),
    Table(table="levels", title="t", count="transitions", states="care_level", measures=("transitions",), dimensions=("sex",)),
    Table(table="paths", title="t", count="transitions", states=STATES, measures=("transitions",), dimensions=AGE, age_width=50),
    Table(table="classes", title="t", count="values", unit="mmol", range=(1, 11), classes=(2.5, 6), kind="drug", dimensions=("sex",)),
    Table(table="first-classes", title="t", count="values", unit="mmol", range=(0, 9), classes=(5,), first=True, dimensions=AGE),
    Table(table="sums", title="t", count="values", unit="%", range=(2, 10), measures=("sum", "squares"), decimals=2, dimensions=("sex",)),
    Table(table="first-sums", title="", count="values", unit="%", range=(0, 12), measures=("sum",), decimals=0, first=True, dimensions=AGE),
]  # fmt: skip


def edges(seed: int, persons: int = 40) -> tuple[MadeShard, Frame]:
    """A shard and members whose days meet: deaths and events on the first and the last day, births inside the window and on leap days,
    follow-up of no day, events before entry."""
    shard, random = make_shard(seed, persons, events_each=5), np.random.default_rng(seed)
    start = random.integers(FIRST, LAST + 1, persons).astype(np.int32)
    start[random.random(persons) < 0.15] = LEAP
    end = np.minimum(start + random.choice([0, 1, 2, 29, 30, 31, 365, 900, 901], persons), LAST + 1).astype(np.int32)
    people, events = shard.frames["persons"], shard.frames["events"]
    death = np.select([random.random(persons) < p for p in (0.2, 0.2, 0.1)], [start, end - 1, end], DAY_UNKNOWN)
    people["death_day"] = death.astype(np.int32)
    birth = np.asarray(people["birth_day"]).copy()
    birth[random.random(persons) < 0.2] = LEAP - 366 - 3 * 365  # 29 February 2016
    young = random.random(persons) < 0.2
    people["birth_day"] = np.where(young & (birth != DAY_UNKNOWN), start, birth).astype(np.int32)
    day, who = np.asarray(events["start"]).copy(), np.asarray(events["person"])
    for chance, at in ((0.15, start), (0.3, end - 1), (0.4, end), (0.5, start - 1), (0.55, np.full(persons, LEAP))):
        moved = (random.random(len(day)) < 0.12) & (random.random(len(day)) < 2 * chance)
        day[moved] = at[who[moved]]
    units = Category(("N-1", "N-2", "N-22", "S-1", "T-1", "T-2"), random.integers(-1, 6, len(day)).astype(np.int32))
    value = np.asarray(events["value"])
    value = np.where(value == VALUE_MISSING, value, value + random.choice([0, 0, 4, 5, 4999, 5000, 5001], len(day)))
    setting = random.integers(0, 5, len(day)).astype(np.int8)
    events = {**events, "start": day.astype(np.int32), "care_unit": units, "value": value, "setting": setting}
    shard.frames["events"] = take(events, np.lexsort((day, who)))
    chosen = np.flatnonzero(random.random(persons) < 0.8)
    return shard, {"person": np.asarray(people["person"])[chosen], "start": start[chosen], "end": end[chosen]}


# ---- the obvious way --------------------------------------------------------------------------------------------------------


def day_of(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


def texts(frame: Frame, name: str) -> list[str | None]:
    column = frame[name]
    assert isinstance(column, Category)
    return column.decoded()


class Member:
    """One member with its events as dicts."""

    def __init__(self, shard: MadeShard, row: int, start: int, end: int) -> None:
        people, events = shard.frames["persons"], shard.frames["events"]
        self.start, self.end = start, end
        self.sex, self.birth = int(people["sex"][row]), int(people["birth_day"][row])
        self.death = int(people["death_day"][row])
        named = {name: texts(events, name) for name in ("concept", "source", "care_unit", "unit")}
        homes = shard.frames["residences"]
        self.homes = [
            (int(homes["start"][k]), int(homes["end"][k]), HOMES[texts(homes, "municipality")[k] or ""])
            for k in np.flatnonzero(np.asarray(homes["person"]) == row)
        ]
        self.events = [
            {
                "day": int(events["start"][k]),
                "kind": int(events["kind"][k]),
                "value": int(events["value"][k]),
                "level": SETTINGS[int(events["setting"][k])],
                **{name: column[k] for name, column in named.items()},
            }
            for k in np.flatnonzero(np.asarray(events["person"]) == row)
        ]
        self.events = [each for each in self.events if each["source"] in SOURCES]

    def new_on(self, day: int, table: Table) -> bool:
        """Has nothing such happened in the days of the washout before?"""
        such = {
            e["day"] for e in self.events if (e["concept"] or "").startswith(table.codes or "") and table.kind in (None, KINDS[e["kind"]])
        }
        return not table.washout or not any(day - back in such for back in range(1, table.washout + 1))

    def during(self, codes: Iterable[str] = (), kind: str | None = None) -> list[dict]:
        codes = tuple(codes)
        return [
            each for each in self.events
            if self.start <= each["day"] < self.end and (not codes or (each["concept"] or "").startswith(codes))
            and (kind is None or each["kind"] == KIND[kind])
        ]  # fmt: skip

    def place(self, name: str, day: int, table: Table) -> str:
        if name == "year":
            return str(day_of(day).year)
        if name == "follow_up":
            return max((low, f"{low}-{high - 1}" if high else f"{low}+") for low, high in bands(table) if low <= day - self.start)[1]
        if name == "municipality":
            return next((home for first, last, home in self.homes if first <= day <= last), "Unknown")
        if name == "sex":
            return {0: "Unknown", 1: "Men", 2: "Women"}[self.sex]
        if name == "care_unit":
            units = [each["care_unit"] or "" for each in self.events if each["day"] == self.start]
            found = {self.unit(unit) for unit in units}
            return next((group for group in UNITS if group in found), "Other")
        if self.birth == DAY_UNKNOWN:
            return "Unknown"
        born, now = day_of(self.birth), day_of(day)
        age = now.year - born.year - ((now.month, now.day) < (born.month, born.day))
        top = table.age_top - table.age_top % table.age_width
        low = age // table.age_width * table.age_width
        return f"{top}+" if age >= top else f"{low}-{low + table.age_width - 1}"

    @staticmethod
    def unit(name: str) -> str:
        """North 2 holds N-2 and N-22, and is the longer prefix; T-2 is nobody's."""
        if name.startswith("N-2"):
            return "North 2"
        return "North" if name.startswith("N") else "South" if name.startswith(("S", "T-1")) else "Other"


def bands(table: Table) -> list[tuple[int, int | None]]:
    return list(zip((0, *table.follow_up), (*table.follow_up, None), strict=True))


class Amount(NamedTuple):
    """Something that counts for more than one."""

    of: int
    number: int
    person: int


def ending(member: Member, table: Table) -> tuple[str, str]:
    """Band and outcome, day by day."""
    dies = {member.death} if member.start <= member.death < member.end else set()
    hits = {each["day"] for each in member.during(table.codes, table.kind)} if table.codes or table.kind else set()
    hits |= dies if table.or_death else set()
    rival = dies if table.competing == "death" else {e["day"] for e in member.during(table.competing)} if table.competing else set()
    assert table.until and table.step
    for day in range(member.start, member.end):
        if day - member.start >= table.until:
            return f"{table.until}+", "censored"
        if day in hits or day in rival:
            return span(day - member.start, table.step), "event" if day in hits else "competing"
    return span(max(0, member.end - 1 - member.start), table.step), "censored"


def span(days: int, step: int) -> str:
    return f"{days // step * step}-{days // step * step + step - 1}"


def rows(member: Member, table: Table) -> Iterator[tuple[str, tuple[str, ...], object]]:
    """Measure, codes or labels of its place in each dimension, and what is counted."""

    def at(day: int) -> tuple[str, ...]:
        return tuple(member.place(name, day, table) for name in table.dimensions)

    if table.count in ("members", "survival"):
        yield "persons", (*(ending(member, table) if table.count == "survival" else ()), *at(member.start)), id(member)
        return
    if table.count == "prevalence":
        for day in table.days:
            number = (day - date(1970, 1, 1)).days
            if member.start <= number < member.end:
                yield "at_risk", (day.isoformat(), *at(number)), id(member)
                if not member.new_on(number + 1, table.model_copy(update={"washout": table.lookback or 50_000})):
                    yield "persons", (day.isoformat(), *at(number)), id(member)
        return
    found = sorted(member.during(table.codes, table.kind), key=lambda each: each["day"])
    if table.count == "values":
        yield from value_rows(member, found, table, at)
        return
    if table.count == "transitions":
        steps = [(day, state) for day in range(member.start, member.end) if (state := state_on(found, day, table)) is not None]
        for (_, before), (day, after) in pairwise(steps):
            yield "transitions", (before, after, *at(day)), (id(member), day)
            yield "persons", (before, after, *at(day)), id(member)
        return
    if table.washout:
        firsts = {each["day"]: each for each in reversed(found)}
        found = [each for day, each in sorted(firsts.items()) if member.new_on(day, table)]
    for each in found[: 1 if table.first else None]:
        day = day_of(each["day"])
        period = {"weekly": (f"{day.isocalendar()[0]}-W{day.isocalendar()[1]:02d}",), "monthly": (f"{day:%Y-%m}",)}.get(table.count, ())
        yield "events", (*period, *at(each["day"])), id(each)
        yield "persons", (*period, *at(each["day"])), id(member)
    if "person_days" in table.measures:
        for number in (day for day in range(member.start, member.end) if member.new_on(day, table)):
            yield "person_days", at(number), (id(member), number)
            yield "at_risk", at(number), id(member)


def state_on(found: list[dict], day: int, table: Table) -> str | None:
    """Of the day's states the one named first."""
    here = [each for each in found if each["day"] == day]
    if table.states == "care_level":
        return next((level for level in LEVELS if level in {each["level"] for each in here}), None)
    concepts = [each["concept"] or "" for each in here]
    if any(each.startswith("T/A") and not each.startswith("T/A1") for each in concepts):
        return "A"
    if any(each.startswith("T/A1") for each in concepts):
        return "A one"
    return "B" if any(each.startswith("T/B1") for each in concepts) else None


def value_rows(
    member: Member, found: list[dict], table: Table, at: Callable[[int], tuple[str, ...]]
) -> Iterator[tuple[str, tuple[str, ...], object]]:
    assert table.range
    for each in found:
        number = Fraction(each["value"], 10_000)
        usable = each["unit"] == table.unit and each["value"] != VALUE_MISSING and table.range[0] <= number <= table.range[1]
        if not usable and not table.classes:
            continue
        ends = [table.range[0], *table.classes, table.range[1]]
        place = max((low, f"{low:g}-{high:g}") for low, high in pairwise(ends) if low <= number)[1] if usable else "unusable"
        where = (*([place] if table.classes else []), *at(each["day"]))
        rounded = int(number * 10**table.decimals + Fraction(1, 2))
        yield "persons", where, id(member)
        yield "values", where, id(each)
        yield "sum", where, Amount(id(each), rounded, id(member))
        yield "squares", where, Amount(id(each), rounded**2, id(member))
        if table.first:
            return


def rows_of(shard: MadeShard, members: Frame) -> list[tuple[int, int, int]]:
    """Position in the shard, first day and day after the last of each member."""
    ids = np.asarray(shard.frames["persons"]["person"]).tolist()
    who, start, end = (np.asarray(members[name]).tolist() for name in ("person", "start", "end"))
    return [(ids.index(each), *days) for each, *days in zip(who, start, end, strict=True)]


def twin(shard: MadeShard, members: Frame, table: Table, layout: Layout) -> dict[str, np.ndarray]:
    found: dict[tuple[str, tuple[int, ...]], set[object]] = {}
    kept = []
    for row, start, end in rows_of(shard, members):
        kept.append(member := Member(shard, row, start, end))
        for measure, places, what in rows(member, table):
            chains = [_chain(dimension, place) for dimension, place in zip(layout.dimensions, places, strict=True)]
            for cell in product(*chains):
                found.setdefault((measure, cell), set()).add(what)
    out = {}
    for place, name in enumerate(layout.ranked):
        out[name] = np.zeros([len(each) for each in layout.dimensions], np.int64)
        for (measure, cell), things in found.items():
            if measure == "sum":
                by_person: dict[int, int] = {}
                for thing in things:
                    assert isinstance(thing, Amount)
                    by_person[thing.person] = by_person.get(thing.person, 0) + thing.number
                out[name][cell] = [*sorted(by_person.values(), reverse=True), 0, 0][place]
        out[name] = out[name].ravel()
    for name in (*layout.measures, *layout.time_measures):
        counts = np.zeros([len(each) for each in layout.dimensions], np.int64)
        for (measure, cell), things in found.items():
            if measure == name:
                counts[cell] = sum(thing.number if isinstance(thing, Amount) else 1 for thing in things)
        out[name] = counts.ravel()
    return out


def _chain(dimension, place: str) -> list[int]:
    position = dimension.codes.index(place) if place in dimension.codes else dimension.labels.index(place)
    chain = [position]
    while dimension.parents[chain[-1]] >= 0:
        chain.append(dimension.parents[chain[-1]])
    return chain


# ---- the laws ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.table)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**20))
def test_cells_are_what_one_counts_by_hand(table: Table, seed: int) -> None:
    shard, members = edges(seed)
    layout = Layout.of(table, STUDY)
    counted, expected = Counter(shard, members, SOURCES).count(layout), twin(shard, members, table, layout)
    for name in expected:
        if name != "admissions":
            np.testing.assert_array_equal(counted[name], expected[name], err_msg=f"{name} {seed}")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.table)
def test_any_sharding_gives_the_same_sums_and_margins_add_up_as_they_say(table: Table) -> None:
    shard, members = edges(7, persons=150)
    layout = Layout.of(table, STUDY)
    whole = Counter(shard, members, SOURCES).count(layout)
    total = merged(layout, (Counter(part, some, SOURCES).count(layout) for part, some in split(shard, members, 4)))
    for name, values in whole.items():
        np.testing.assert_array_equal(total[name], values)
    for name, values in ((name, whole[name]) for name in whole if name not in layout.ranked):
        cube = values.reshape([len(each) for each in layout.dimensions])
        known = "persons" if name == "at_risk" else name
        for axis, dimension in enumerate(layout.dimensions):
            slices = np.moveaxis(cube, axis, 0)
            for parent in range(len(dimension)):
                children = dimension.children(parent)
                if children and name != "at_risk" and additive(layout, known)[axis]:
                    np.testing.assert_array_equal(slices[parent], slices[children].sum(axis=0))
                elif children:
                    assert (slices[parent] >= slices[children].max(axis=0)).all()
                    assert (slices[parent] <= slices[children].sum(axis=0)).all()


def split(shard: MadeShard, members: Frame, parts: int) -> Iterator[tuple[MadeShard, Frame]]:
    """The shard in pieces of uneven size."""
    people = shard.frames["persons"]
    group = np.arange(len(people["person"])) ** 2 % parts
    for each in range(parts):
        mine = np.flatnonzero(group == each)
        frames = {"persons": take(people, mine)}
        for name in ("events", "residences"):
            frame = take(shard.frames[name], np.flatnonzero(np.isin(np.asarray(shard.frames[name]["person"]), mine)))
            frames[name] = {**frame, "person": np.searchsorted(mine, np.asarray(frame["person"])).astype(np.int32)}
        yield MadeShard(frames), take(members, np.flatnonzero(np.isin(np.asarray(members["person"]), np.asarray(people["person"])[mine])))


def test_members_of_a_survival_table_are_all_there_and_in_no_open_event() -> None:
    shard, members = edges(3, persons=200)
    for table in TABLES[:5]:
        layout = Layout.of(table, STUDY)
        cube = Counter(shard, members, SOURCES).count(layout)["persons"].reshape([len(each) for each in layout.dimensions])
        last = layout.dimensions[0].codes.index(f"{table.until}+")
        assert cube.flat[0] == len(members["person"])
        assert cube[last].reshape(len(layout.dimensions[1]), -1)[1:-1].sum() == 0


CASES: list[tuple[str, tuple[int, int, int, int], tuple[int, int]]] = [
    ("an event on the index day is in the first band", (100, 200, 100, NEVER), (0, 0)),
    ("an event and its rival on one day count as the event", (100, 200, 130, 130), (1, 0)),
    ("a rival a day earlier counts", (100, 200, 131, 130), (1, 1)),
    ("follow-up of no day ends at once", (100, 100, NEVER, NEVER), (0, 2)),
    ("thirty days without anything are one band", (100, 130, NEVER, NEVER), (0, 2)),
    ("an event after the last band is not seen", (100, 900, 400, NEVER), (3, 2)),
]


@pytest.mark.parametrize(("title", "given_", "expected"), CASES, ids=[each[0] for each in CASES])
def test_where_follow_up_ends(title: str, given_: tuple[int, int, int, int], expected: tuple[int, int]) -> None:
    columns = [np.array([value], np.int32) for value in given_]
    function: Callable = exit_bands
    band, outcome = function(*columns, 30, 3)
    assert (band[0], outcome[0]) == expected


def test_a_sum_that_would_not_fit_is_refused_and_never_wraps() -> None:
    shard, members = edges(3)
    events = shard.frames["events"]
    shard.frames["events"] = {**events, "value": np.full(len(np.asarray(events["start"])), 10**9 * 10_000), "unit": events["unit"]}
    asked = Table(table="t", title="t", count="values", unit="%", range=(0, 10**9), measures=("sum", "squares"), decimals=4, dimensions=AGE)
    with pytest.raises(DataError, match="too large to be held exactly"):
        Counter(shard, members, SOURCES).count(Layout.of(asked, STUDY))
    layout = Layout.of(asked.model_copy(update={"measures": ("sum",)}), STUDY)
    half = {name: np.full(layout.cells, 2**62, np.int64) for name in ("persons", "values", "sum", "largest", "second")}
    with pytest.raises(DataError, match="too large to be held exactly"):
        merged(layout, [half, half])


def test_a_value_of_another_unit_or_beyond_the_range_is_in_a_class_of_its_own_and_in_no_sum() -> None:
    shard, members = edges(11, persons=120)
    counter = Counter(shard, members, SOURCES)
    classes, sums = (
        counter.count(Layout.of(Table(table="t", title="t", count="values", unit="%", range=(2, 10), **more), STUDY))
        for more in ({"classes": (5,)}, {"measures": ("sum",), "dimensions": AGE, "age_width": 100, "age_top": 100})
    )
    everything = sum(
        len(Member(shard, row, start, end).during()) for row, start, end in rows_of(shard, members)
    )  # what there is: usable, of another unit, missing, below or above
    assert classes["values"][0] == everything > classes["values"][3] > 0
    assert sums["values"][0] == everything - classes["values"][3]
