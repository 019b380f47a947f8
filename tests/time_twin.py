"""Every count over time again, one member, one day and one event at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from pipelines.aggregation.layout import Layout
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import DAY_UNKNOWN, KIND, KINDS, SETTINGS, VALUE_MISSING
from pipelines.site.permit import Table
from pipelines.study.event_filter import EventFilter
from tests.people import MadeShard
from tests.study_twin import is_covered, known_of, times
from tests.time_tables import HOMES, LEVELS, SOURCES, UNITS

STANDARDS = ("standard", "reference", "rates")


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
                "last": int(events["end"][k]),
                "position": int(events["position"][k]),
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
        such = {each["day"] for each in self.such(table)}
        return not table.washout or not any(day - back in such for back in range(1, table.washout + 1))

    def such(self, asked: EventFilter) -> list[dict]:
        """Whatever is asked for, at any time, by day, of one day as they stand."""
        return [
            each
            for each in self.events
            if (not asked.codes or (each["concept"] or "").startswith(asked.codes))
            and asked.kind in (None, KINDS[each["kind"]])
            and (not asked.setting or each["level"] in asked.setting)
            and (not asked.primary or each["position"] == 1)
        ]

    def followed(self, asked: EventFilter) -> list[dict]:
        """Whatever is asked for, in the follow-up."""
        return [each for each in self.such(asked) if self.start <= each["day"] < self.end]

    def during(self, codes: Iterable[str] = (), kind: str | None = None) -> list[dict]:
        codes = tuple(codes)
        return [
            each
            for each in self.events
            if self.start <= each["day"] < self.end
            and (not codes or (each["concept"] or "").startswith(codes))
            and (kind is None or each["kind"] == KIND[kind])
        ]

    def place(self, name: str, day: int, table: Table) -> str:
        if name in table.characteristics:
            return known_of(self, table.characteristics[name])
        if name == "quarter":
            return f"{day_of(day).year}-Q{(day_of(day).month + 2) // 3}"
        if name == "year":
            return str(day_of(day).year)
        if name == "follow_up":
            return max(
                (low, f"{low}-{high - 1}" if high else f"{low}+")
                for low, high in bands(table)
                if low <= day - self.start
            )[1]
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
    hits = {each["day"] for each in member.followed(table)} if table.names_some else set()
    hits |= dies if table.or_death else set()
    rival = (
        dies
        if table.competing == "death"
        else {e["day"] for e in member.during(table.competing)}
        if table.competing
        else set()
    )
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
        yield (
            "persons",
            (*(ending(member, table) if table.count == "survival" else ()), *at(member.start)),
            id(member),
        )
        return
    if table.count == "prevalence":
        for day in table.days:
            number = (day - date(1970, 1, 1)).days
            if member.start <= number < member.end:
                yield "at_risk", (day.isoformat(), *at(number)), id(member)
                if not member.new_on(
                    number + 1, table.model_copy(update={"washout": table.lookback or 50_000})
                ):
                    yield "persons", (day.isoformat(), *at(number)), id(member)
        return
    if table.count == "intervals":
        for places, day, clock in times(member, table):
            yield "intervals", (*places, *at(day)), (id(member), clock)
            yield "persons", (*places, *at(day)), id(member)
        return
    if table.count == "exposure":
        for day in range(member.start, member.end):
            yield "person_days", at(day), (id(member), day)
            yield "at_risk", at(day), id(member)
            if is_covered(member, table, day):
                yield "days_covered", at(day), (id(member), day)
                yield "persons", at(day), id(member)
        return
    found = sorted(member.followed(table), key=lambda each: each["day"])
    if table.count == "values":
        yield from value_rows(member, found, table, at)
        return
    if table.count == "transitions":
        steps = [
            (day, state)
            for day in range(member.start, member.end)
            if (state := state_on(found, day, table)) is not None
        ]
        for (_, before), (day, after) in pairwise(steps):
            yield "transitions", (before, after, *at(day)), (id(member), day)
            yield "persons", (before, after, *at(day)), id(member)
        return
    if table.washout:
        firsts = {each["day"]: each for each in reversed(found)}
        found = [each for day, each in sorted(firsts.items()) if member.new_on(day, table)]
    for each in found[: 1 if table.first else None]:
        day = day_of(each["day"])
        period = {
            "weekly": (f"{day.isocalendar()[0]}-W{day.isocalendar()[1]:02d}",),
            "monthly": (f"{day:%Y-%m}",),
        }.get(table.count, ())
        yield "events", (*period, *at(each["day"])), id(each)
        yield "persons", (*period, *at(each["day"])), id(member)
    if "person_days" in table.measures:
        until = found[0]["day"] + 1 if table.first and found else member.end
        for number in (day for day in range(member.start, until) if member.new_on(day, table)):
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
        usable = (
            each["unit"] == table.unit
            and each["value"] != VALUE_MISSING
            and table.range[0] <= number <= table.range[1]
        )
        if not usable and not table.classes:
            continue
        ends = [table.range[0], *table.classes, table.range[1]]
        place = (
            max((low, f"{low:g}-{high:g}") for low, high in pairwise(ends) if low <= number)[1]
            if usable
            else "unusable"
        )
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
    return [(ids.index(each), first, last + 1) for each, first, last in zip(who, start, end, strict=True)]


class Own(NamedTuple):
    """What one member adds to a cell."""

    events: int
    days: int


Adds = dict[tuple[int, tuple[int, ...]], Own]  # by member and cell


def products_of(layout: Layout, own: Adds) -> dict[str, np.ndarray]:
    """Sums over members of what each adds to a cell, times what it adds there or, where the table is
    standardised, at each place of the age groups, or of these within each sex."""
    shape = [len(each) for each in layout.dimensions]
    roles = [each.role for each in layout.dimensions]
    axes = [k for role in ("within", *STANDARDS) for k in range(len(roles)) if roles[k] == role]
    out = {name: np.zeros(shape, np.int64) for name in layout.products}
    for (member, cell), one in own.items():
        for number, places in enumerate(product(*(range(shape[k]) for k in axes))):
            there = list(cell)
            for k, place in zip(axes, places, strict=True):
                there[k] = place
            other = own.get((member, tuple(there)), Own(0, 0))
            suffix = f"_{number}" if axes else ""
            out[f"event_squares{suffix}"][cell] += one.events * other.events
            out[f"event_days{suffix}"][cell] += one.events * other.days
            out[f"day_squares{suffix}"][cell] += one.days * other.days
    return {name: each.ravel() for name, each in out.items()}


def own_of(shard: MadeShard, members: Frame, table: Table, layout: Layout) -> Adds:
    """What each member, by its row of the shard, adds to each cell."""
    own: Adds = {}
    for row, start, end in rows_of(shard, members):
        done: set[object] = set()
        for measure, places, what in rows(Member(shard, row, start, end), table):
            if measure not in ("events", "person_days") or (measure, what) in done:
                continue
            done.add((measure, what))
            for cell in product(*(_chain(*each) for each in zip(layout.dimensions, places, strict=True))):
                before = own.get((row, cell), Own(0, 0))
                events, days = before.events + (measure == "events"), before.days + (measure != "events")
                own[row, cell] = Own(events, days)
    return own


def twin(shard: MadeShard, members: Frame, table: Table, layout: Layout) -> dict[str, np.ndarray]:
    found: dict[tuple[str, tuple[int, ...]], set[object]] = {}
    kept = []
    for row, start, end in rows_of(shard, members):
        kept.append(member := Member(shard, row, start, end))
        for measure, places, what in rows(member, table):
            chains = [
                _chain(dimension, place) for dimension, place in zip(layout.dimensions, places, strict=True)
            ]
            for cell in product(*chains):
                found.setdefault((measure, cell), set()).add(what)
    out = products_of(layout, own_of(shard, members, table, layout) if layout.products else {})
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
