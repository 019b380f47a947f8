"""Made-up people: when they are born, come, go and die, where they live, and the numbers they bear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.files.schemas import DAY_OPEN
from pipelines.study import codes
from pipelines.synthetic import names, settings
from pipelines.synthetic.settings import END, START, YEAR

STAYED, DIED, EMIGRATED = 0, 1, 2
PLAIN, COORDINATED, UNREGISTERED = 0, 1, 2
CANARY_SURNAME = "Kanariefågelsson"
CANARY_GIVEN = ("Tweetina", "Pipalotta", "Gulfjädra", "Trillander", "Kvitterulf")


@dataclass(frozen=True)
class Plan:
    """What has to be settled for all people at once. All (n,): the serial in a number depends on who shares
    the birth day.

    `birth`, `enters`, `leaves` (`DAY_OPEN` if never), `changed` (the day from which the personnummer is in
    use): int32, days. `sex`, `fate`, `standing`: int8. `serial`: int16, digits 9-11 of the number.
    `second_bearer`: bool, bears a number once another's.
    """

    birth: np.ndarray
    sex: np.ndarray
    enters: np.ndarray
    leaves: np.ndarray
    fate: np.ndarray
    standing: np.ndarray
    changed: np.ndarray
    serial: np.ndarray
    second_bearer: np.ndarray


def _ages(rng: np.random.Generator, shares: tuple[float, ...], count: int) -> np.ndarray:
    weights = np.asarray(shares) / sum(shares)
    return 5 * rng.choice(len(weights), count, p=weights) + 5 * rng.random(count)


def plan(n: int, seed: int) -> Plan:
    """Births, arrivals, deaths and serials of `n` people."""
    rng = np.random.Generator(np.random.SFC64([seed, 1]))
    group = rng.random(n)
    sex = np.where(rng.random(n) < 0.501, 1, 2).astype(np.int8)
    born = (group >= settings.PRESENT) & (group < settings.PRESENT + settings.BORN)
    arrived = group >= settings.PRESENT + settings.BORN
    enters = np.full(n, START, np.int32)
    enters[born | arrived] = rng.integers(START, END - 60, int((born | arrived).sum()))
    age = _ages(rng, settings.AGES, n)
    age[arrived] = _ages(rng, settings.ARRIVAL_AGES, int(arrived.sum()))
    age[born] = 0
    birth = (enters - np.floor(age * YEAR)).astype(np.int32)
    leaves, fate = _departures(rng, enters, age, sex)
    standing = np.zeros(n, np.int8)
    standing[arrived & (rng.random(n) < settings.COORDINATED / settings.ARRIVED)] = COORDINATED
    standing[rng.random(n) < settings.UNREGISTERED] = UNREGISTERED
    changed = (enters + rng.integers(60, 900, n)).astype(np.int32)
    second = _reuse(rng, n, birth, sex, enters, leaves, fate, standing)
    canaries = slice(0, min(settings.CANARIES, n))
    enters[canaries], leaves[canaries], fate[canaries], standing[canaries] = START, DAY_OPEN, STAYED, PLAIN
    birth[canaries] = START - np.arange(30, 30 + 9 * settings.CANARIES, 9)[: min(settings.CANARIES, n)] * 365
    second[canaries] = False
    return Plan(
        birth=birth,
        sex=sex,
        enters=enters,
        leaves=leaves,
        fate=fate,
        standing=standing,
        changed=changed,
        serial=_serials(birth, sex, second),
        second_bearer=second,
    )


def _departures(
    rng: np.random.Generator, enters: np.ndarray, age: np.ndarray, sex: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Day of death (Gompertz) or of leaving the country, whichever is first and within the period."""
    base, growth, women = settings.DEATHS
    hazard = base * np.where(sex == 2, women, 1.0)
    lives = np.log(np.exp(growth * age) + growth * rng.exponential(size=len(age)) / hazard) / growth - age
    stays = rng.exponential(1 / settings.EMIGRATION, len(age))
    leaves = enters + np.ceil(np.minimum(lives, stays) * YEAR)
    fate = np.where(lives <= stays, DIED, EMIGRATED).astype(np.int8)
    after = leaves > END
    fate[after] = STAYED
    return np.where(after, DAY_OPEN, leaves).astype(np.int32), fate


def _reuse(rng: np.random.Generator, n: int, *of: np.ndarray) -> np.ndarray:
    """Pairs of neighbours (2i, 2i + 1) of whom the second is given the number of the first, who has gone."""
    birth, sex, enters, leaves, fate, standing = of
    second = np.zeros(n, bool)
    pairs = np.flatnonzero(rng.random(n // 2) < 2 * settings.REUSED_NUMBERS) * 2
    pairs = pairs[pairs >= 2 * settings.CANARIES]
    pairs = pairs[birth[pairs] < START - 365]
    giver, taker = pairs, pairs + 1
    gone = rng.integers(START + 400, START + 1500, len(pairs))
    enters[giver], leaves[giver], fate[giver] = START, gone, EMIGRATED
    birth[taker], sex[taker] = birth[giver], sex[giver]
    enters[taker], leaves[taker], fate[taker] = gone + rng.integers(200, 900, len(pairs)), DAY_OPEN, STAYED
    standing[giver], standing[taker] = PLAIN, PLAIN
    second[taker] = True
    return second


def _serials(birth: np.ndarray, sex: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Birth numbers: even for women; first those of the series set aside for tests (980-999), then from 000
    up; of the giver if reused."""
    key = birth.astype(np.int64) * 2 + (sex == 1)
    own = np.flatnonzero(~second)
    order = own[np.argsort(key[own], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(key[order]) != 0])
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    pair = np.where(rank < 10, 490 + rank, rank - 10)
    serial = np.empty(len(birth), np.int16)
    serial[order] = (2 * pair + (sex[order] == 1)) % 1000
    takers = np.flatnonzero(second)
    serial[takers] = serial[takers - 1]
    return serial


# ---- one chunk of people -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class People:
    """One chunk, all (n,). `person`: int64, true person, the position among all. Numbers: S12, empty where
    there is none.

    `number`: the one in use at the end; `previous`: the one before `changed`; `reserve`: a Stockholm reserve
    number, should care issue one. `maiden`: the surname before `renamed` (a day). The rest as in `Plan`;
    `until`: last day in the region within the period.
    """

    chunk: int
    person: np.ndarray
    birth: np.ndarray
    sex: np.ndarray
    enters: np.ndarray
    leaves: np.ndarray
    until: np.ndarray
    fate: np.ndarray
    standing: np.ndarray
    changed: np.ndarray
    second_bearer: np.ndarray
    number: np.ndarray
    previous: np.ndarray
    reserve: np.ndarray
    given: np.ndarray
    surname: np.ndarray
    maiden: np.ndarray
    renamed: np.ndarray
    frailty: np.ndarray
    southern: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def people(whole: Plan, chunk: int, rng: np.random.Generator) -> People:
    """The people of one chunk, with names and numbers."""
    rows = slice(chunk * settings.CHUNK, min((chunk + 1) * settings.CHUNK, len(whole.birth)))
    birth, sex, enters, leaves, fate, standing, changed, serial, second = (
        getattr(whole, name)[rows] for name in Plan.__annotations__
    )
    n = len(birth)
    given, surname, maiden = names.given(rng, sex), names.surnames(rng, n), names.surnames(rng, n)
    renames = rng.random(n) < settings.SURNAME_CHANGED
    maiden = np.where(renames, maiden, surname)
    renamed = rng.integers(START, END, n).astype(np.int32)
    if chunk == 0:
        k = min(settings.CANARIES, n)
        given[:k] = np.array([name.encode() for name in CANARY_GIVEN], "S32")[:k]
        surname[:k] = maiden[:k] = CANARY_SURNAME.encode()
    personal, coordination = dated_numbers(birth, serial, 0), dated_numbers(birth, serial, 60)
    reserve = reserve_numbers(chunk, np.maximum(enters, START), sex)
    which = rng.random(n)
    number = np.where(
        standing == UNREGISTERED,
        np.where(which < 0.4, coordination, np.where(which < 0.8, reserve, b"")),
        personal,
    )
    previous = np.where(standing == COORDINATED, coordination, b"")
    return People(
        chunk=chunk,
        person=np.arange(rows.start, rows.start + n),
        birth=birth,
        sex=sex,
        enters=enters,
        leaves=leaves,
        until=np.minimum(leaves, END).astype(np.int32),
        fate=fate,
        standing=standing,
        changed=changed,
        second_bearer=second,
        number=number,
        previous=previous.astype("S12"),
        reserve=reserve,
        given=given,
        surname=surname,
        maiden=maiden,
        renamed=renamed,
        frailty=rng.gamma(2.0, 0.5, n),
        southern=rng.random(n) < 0.4,
    )


def civil(days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Year, month and day of month, int64 (n,), of `days`: integers (n,), days since 1970-01-01."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    number = months.astype(np.int64)
    return 1970 + number // 12, number % 12 + 1, (dates - months).astype(np.int64) + 1


def _digits(value: np.ndarray, width: int) -> np.ndarray:
    return (value[:, None] // 10 ** np.arange(width - 1, -1, -1)) % 10


def _check_digit(digits: np.ndarray) -> np.ndarray:
    doubled = digits * np.where(np.arange(digits.shape[1])[::-1] % 2 == 0, 2, 1)
    return (-(doubled // 10 + doubled % 10).sum(1)) % 10


def _text(digits: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(digits + 48, np.uint8).view(f"S{digits.shape[1]}").reshape(-1)


def dated_numbers(birth: np.ndarray, serial: np.ndarray, shift: int) -> np.ndarray:
    """Personnummer (`shift` 0) or samordningsnummer (60), S12 (n,). `birth`: int32 (n,), days since
    1970-01-01; `serial`: int16 (n,), digits 9-11."""
    year, month, day = civil(birth)
    digits = _digits(((year * 100 + month) * 100 + day + shift) * 1000 + serial, 11)
    return _text(np.c_[digits, _check_digit(digits[:, 2:])])


def reserve_numbers(chunk: int, issued: np.ndarray, sex: np.ndarray) -> np.ndarray:
    """Stockholm reserve numbers, S12 (n,), of distinct serials within a year and chunk (up to 1,250 of each
    sex and year). `issued`: int32 (n,), days since 1970-01-01; `sex`: int8 (n,), 1 for a man."""
    year = civil(issued)[0]
    key = year * 2 + (sex == 1)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(key[order]) != 0])
    rank = np.empty(len(key), np.int64)
    rank[order] = np.arange(len(key)) - np.repeat(starts, np.diff(np.r_[starts, len(key)]))
    spread = rank // 1250
    serial = (chunk % 40) * 2500 + 2 * (rank % 1250) + (sex == 1)
    digits = _digits((99 * 10**4 + year - 20 * spread) * 10**5 + serial, 11)
    return _text(np.c_[digits, _check_digit(digits[:, 4:])])


def residences(
    who: People, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where registered people live: row of `who`, int64 (m,), first day, int32 (m,), last day, int32 (m,)
    (`DAY_OPEN` if current), position in `codes.municipalities()`, int64 (m,)."""
    weights = np.array([each.population for each in codes.municipalities()], float)
    shares = np.cumsum(weights) / weights.sum()
    rows = np.flatnonzero(who.standing != UNREGISTERED)
    enters = np.where(who.standing == COORDINATED, np.maximum(who.enters, who.changed), who.enters)
    rows = rows[enters[rows] < who.until[rows]]
    years = (who.until[rows] - enters[rows]) / YEAR
    moves = rng.poisson(settings.MOVES * years)
    owner = np.repeat(rows, moves + 1)
    first = np.r_[True, owner[1:] != owner[:-1]]
    span = who.until[owner] - enters[owner]
    start = enters[owner] + np.where(
        first, 0, 1 + np.floor(rng.random(len(owner)) * np.maximum(span - 1, 1))
    ).astype(np.int64)
    order = np.lexsort((start, owner))
    owner, start = owner[order], start[order]
    last = np.r_[owner[1:] != owner[:-1], True]
    end = np.where(last, who.leaves[owner].astype(np.int64), np.r_[start[1:], 0] - 1)
    end = np.where(last & (end != DAY_OPEN), end - 1, end)
    place = np.minimum(np.searchsorted(shares, rng.random(len(owner))), len(shares) - 1)
    kept = end >= start
    return owner[kept], start[kept].astype(np.int32), end[kept].astype(np.int32), place[kept]
