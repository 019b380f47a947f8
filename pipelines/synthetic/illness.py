"""Who falls ill of what, when: hazards by age and sex, frailty, comorbidity and a pandemic, turned into
contacts with care."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pipelines.files.schemas import SETTING
from pipelines.synthetic.people import CANARY_GIVEN, People
from pipelines.synthetic.settings import START, YEAR, day

INPATIENT, OUTPATIENT, PRIMARY, EMERGENCY = (
    SETTING[name] for name in ("inpatient", "outpatient", "primary", "emergency")
)


@dataclass(frozen=True)
class Condition:
    """An illness. `rate`: new cases a thousand person-years of men aged 50; `slope`: growth of the rate a
    year of age; `women`: their rate to that of men; `contacts`: a year if chronic, else an episode; the three
    shares say where, the rest is outpatient care.
    """

    codes: tuple[str, ...]
    chronic: bool
    rate: float
    slope: float
    first_age: float
    last_age: float
    women: float
    contacts: float
    inpatient: float
    emergency: float
    primary: float
    drugs: tuple[str, ...]
    laboratory: tuple[str, ...]
    measures: tuple[str, ...]


@cache
def conditions() -> tuple[Condition, ...]:
    """The illnesses of the region."""
    with Path(__file__).with_name("conditions.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.reader(source))[1:]
    return tuple(
        Condition(
            codes=tuple(row[0].split()),
            chronic=row[1] == "1",
            rate=float(row[2]),
            slope=float(row[3]),
            first_age=float(row[4]),
            last_age=float(row[5]),
            women=float(row[6]),
            contacts=float(row[7]),
            inpatient=float(row[8]),
            emergency=float(row[9]),
            primary=float(row[10]),
            drugs=tuple(row[11].split()),
            laboratory=tuple(row[12].split()),
            measures=tuple(row[13].split()),
        )
        for row in rows
    )


# Having the first multiplies the rate of the second. A driver stands before its target in the list above.
COMORBIDITY = (
    ("I109", "I209", 1.8),
    ("I109", "I489", 1.5),
    ("I109", "I509", 1.9),
    ("I109", "I639", 1.9),
    ("I109", "N189", 1.8),
    ("E119", "I209", 1.9),
    ("E119", "I219", 1.8),
    ("E119", "I509", 1.7),
    ("E119", "I639", 1.6),
    ("E119", "N189", 2.6),
    ("E119", "I702", 2.2),
    ("E109", "N189", 6.0),
    ("E109", "I209", 3.0),
    ("E785", "I209", 1.6),
    ("I209", "I219", 3.0),
    ("I209", "I509", 2.0),
    ("I489", "I639", 2.4),
    ("I489", "I509", 2.0),
    ("J449", "J189", 3.0),
    ("J459", "J209", 1.6),
    ("F329", "F419", 3.5),
    ("F329", "F102", 1.8),
    ("F102", "S060", 2.0),
    ("M819", "S720", 2.5),
    ("G209", "S720", 2.0),
    ("N189", "D509", 2.5),
    ("J449", "C349", 4.0),
    ("E669", "M170", 2.0),
    ("F900", "F329", 2.0),
    ("F411", "F102", 1.3),
)
WAVES = (
    (day(2020, 4, 10), 22, 0.12),
    (day(2020, 12, 18), 28, 0.22),
    (day(2021, 4, 5), 30, 0.21),
    (day(2022, 1, 25), 20, 0.45),
)


@dataclass(frozen=True)
class Contacts:
    """Contacts with care, all (n,), by person and day. `who`: row of the people; `day`, `end`: int32;
    `condition`: row of `conditions()`; `setting`: int8.
    """

    who: np.ndarray
    day: np.ndarray
    end: np.ndarray
    condition: np.ndarray
    setting: np.ndarray

    def __len__(self) -> int:
        return len(self.who)


def onsets(people: People, rng: np.random.Generator) -> np.ndarray:
    """Day on which each chronic illness begins, int32 (n, conditions), the largest int32 where it never
    does."""
    table, n = conditions(), len(people)
    onset = np.full((n, len(table)), 2**31 - 1, np.int32)
    place = {code: position for position, each in enumerate(table) for code in each.codes}
    for c, condition in enumerate(table):
        if not condition.chronic:
            continue
        factor = people.frailty * np.where(people.sex == 2, condition.women, 1.0) * condition.rate / 1000
        if condition.women > 50:  # of women, a hundredth of it among men
            factor = np.where(people.sex == 2, people.frailty, people.frailty / 100) * condition.rate / 1000
        for driver, target, multiplier in COMORBIDITY:
            if target in condition.codes and driver in place:
                factor = np.where(onset[:, place[driver]] < 2**31 - 1, factor * multiplier, factor)
        with np.errstate(divide="ignore", over="ignore"):
            load = rng.exponential(size=n) / factor
            if condition.slope:
                inner = condition.slope * load + np.exp(condition.slope * (condition.first_age - 50))
                age = 50 + np.log(np.maximum(inner, 1e-300)) / condition.slope
                age[inner <= 0] = np.inf
            else:
                age = condition.first_age + load
        falls = age < condition.last_age
        onset[falls, c] = people.birth[falls] + np.floor(age[falls] * YEAR)
        if c == 0:
            onset[people.person < len(CANARY_GIVEN), c] = START + 100
    return onset


def contacts(people: People, onset: np.ndarray, rng: np.random.Generator) -> Contacts:
    """All contacts of the people with care within the period and their time in the region. `onset`: int32 (n,
    conditions), as `onsets` gives it."""
    parts = [_of_condition(people, onset, c, rng) for c in range(len(conditions()))]
    who, when, condition = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.lexsort((condition, when, who))
    who, when, condition = who[order], when[order], condition[order]
    setting = _settings(condition, rng)
    stay = np.where(setting == INPATIENT, rng.geometric(0.2, len(who)), 0)
    end = np.minimum(when + stay, people.until[who]).astype(np.int32)
    return Contacts(who, when, end, condition, setting)


def _of_condition(
    people: People, onset: np.ndarray, c: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    condition = conditions()[c]
    if condition.chronic:
        begin = np.maximum(people.enters, onset[:, c].astype(np.int64))
        span = people.until - begin
        rows = np.flatnonzero(span > 0)
        count = rng.poisson(condition.contacts * span[rows] / YEAR * (0.5 + 0.5 * people.frailty[rows]))
        count += onset[rows, c] >= people.enters[rows]  # the contact at which it is found
        who = np.repeat(rows, count)
        first = np.r_[True, who[1:] != who[:-1]] & (onset[who, c] >= people.enters[who])
        when = begin[who] + np.where(first, 0, np.floor(rng.random(len(who)) * span[who])).astype(np.int64)
    else:
        who, when = _episodes(people, condition, rng)
        more = rng.poisson(condition.contacts - 1, len(who))
        who, when = np.repeat(who, more + 1), np.repeat(when, more + 1)
        again = np.r_[False, who[1:] == who[:-1]] & np.r_[False, when[1:] == when[:-1]]
        when = when + np.where(again, rng.integers(5, 60, len(who)), 0)
    kept = when < people.until[who]
    who, when = who[kept], when[kept]
    return who, when.astype(np.int32), np.full(len(who), c, np.int16)


def _episodes(
    people: People, condition: Condition, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Acute illness: a Poisson process whose rate is that of the age in the middle of the time at risk."""
    begin = np.maximum(people.enters, people.birth + np.floor(condition.first_age * YEAR)).astype(np.int64)
    end = np.minimum(people.until, people.birth + np.floor(condition.last_age * YEAR)).astype(np.int64)
    span = np.maximum(end - begin, 0)
    age = (begin + end - 2.0 * people.birth) / (2 * YEAR)
    of_women, of_men = (
        (1.0, 0.0) if condition.women > 500 else (condition.women, 1.0)
    )  # beyond 500 it is an illness of women alone
    rate = (
        condition.rate
        / 1000
        * np.exp(condition.slope * (age - 50))
        * np.where(people.sex == 2, of_women, of_men)
        * people.frailty
    )
    if "U071" in condition.codes:
        rate = rate * 3.2
    count = rng.poisson(rate * span / YEAR)
    who = np.repeat(np.arange(len(people)), count)
    when = begin[who] + np.floor(rng.random(len(who)) * span[who]).astype(np.int64)
    if "U071" in condition.codes:
        shares = np.cumsum([share for _, _, share in WAVES])
        wave = np.searchsorted(shares / shares[-1], rng.random(len(who)))
        middle, spread = (np.array([each[k] for each in WAVES]) for k in (0, 1))
        when = np.floor(middle[wave] + spread[wave] * rng.standard_normal(len(who))).astype(np.int64)
        kept = (when >= begin[who]) & (when < end[who])
        who, when = who[kept], when[kept]
    return who, when


def _settings(condition: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shares = np.array([(each.inpatient, each.emergency, each.primary) for each in conditions()]).cumsum(1)[
        condition
    ]
    draw = rng.random(len(condition))
    return np.select(
        [draw < shares[:, 0], draw < shares[:, 1], draw < shares[:, 2]],
        [INPATIENT, EMERGENCY, PRIMARY],
        OUTPATIENT,
    ).astype(np.int8)
