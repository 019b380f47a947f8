"""What care leaves behind at its contacts: diagnoses, measures, laboratory values, prescriptions, causes of
death."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.synthetic.illness import EMERGENCY, INPATIENT, OUTPATIENT, Contacts, conditions
from pipelines.synthetic.people import DIED, People
from pipelines.synthetic.settings import YEAR

NEVER = 2**31 - 1

# Mean, standard deviation and decimals of each analysis, and by how much an illness shifts the mean.
VALUES: dict[str, tuple[float, float, int, dict[str, float]]] = {
    "HBA1C": (37, 4, 0, {"E119": 16, "E109": 24}),
    "LDL": (3.2, 0.8, 1, {"E785": 0.5, "I209": -1.0}),
    "KOL": (5.2, 0.9, 1, {"E785": 0.6}),
    "HDL": (1.5, 0.35, 1, {"E119": -0.3}),
    "TG": (1.3, 0.4, 1, {"E119": 0.6}),
    "EGFR": (86, 14, 0, {"N189": -42}),
    "KREA": (76, 14, 0, {"N189": 75}),
    "HB": (139, 12, 0, {"D509": -28, "N189": -18}),
    "CRP": (8, 3, 0, {"J189": 90}),
    "TSH": (2.0, 0.6, 1, {"E039": 2.5}),
    "GLUK": (5.5, 0.7, 1, {"E119": 3.2, "E109": 4.0}),
    "K": (4.1, 0.3, 1, {"N189": 0.4}),
    "NA": (140, 2.5, 0, {}),
    "ALAT": (0.45, 0.12, 2, {"F102": 0.5}),
    "BNP": (140, 45, 0, {"I509": 1900}),
    "PSA": (1.6, 0.5, 1, {"C619": 14}),
    "ALBK": (2.0, 0.6, 1, {"N189": 18, "E119": 3}),
    "SBT": (128, 13, 0, {"I109": 13}),
    "DBT": (77, 8, 0, {"I109": 6}),
    "BMI": (25.6, 3.6, 1, {"E669": 8, "E119": 3}),
}
ANALYSES = tuple(sorted(VALUES))
DRUGS = tuple(sorted({drug for each in conditions() for drug in each.drugs}))
MEASURES = tuple(sorted({measure for each in conditions() for measure in each.measures}))
CODES = tuple(sorted({code for each in conditions() for code in each.codes} | {"R999"}))
LETHAL = tuple("I219 C349 C189 C833 I509 G301 F009 J449 I619 I639 N189 C619 C509 I209 F102 I109".split())
REFILL = 130  # days between dispensings


@dataclass(frozen=True)
class Entries:
    """Rows of one kind, all (n,). `contact`: row of the contacts, −1 if none; `who`: row of the people;
    `day`: int32; `item`: position in the list of its kind; `value`: int64, in units of the last decimal;
    `position`: int8, place of a diagnosis.
    """

    contact: np.ndarray
    who: np.ndarray
    day: np.ndarray
    item: np.ndarray
    value: np.ndarray
    position: np.ndarray

    def __len__(self) -> int:
        return len(self.who)

    def __getitem__(self, rows: np.ndarray) -> Entries:
        return Entries(*(getattr(self, name)[rows] for name in Entries.__annotations__))


def _rows(
    contacts: Contacts,
    contact: np.ndarray,
    item: np.ndarray,
    value: np.ndarray | None = None,
    position: np.ndarray | None = None,
) -> Entries:
    zeros = np.zeros(len(contact), np.int64)
    order = np.lexsort((zeros if position is None else position, item, contact))
    contact, item = contact[order], item[order]
    return Entries(
        contact=contact,
        who=contacts.who[contact],
        day=contacts.day[contact],
        item=item,
        value=(zeros if value is None else value)[order],
        position=(zeros if position is None else position)[order].astype(np.int8),
    )


def diagnoses(people: People, onset: np.ndarray, contacts: Contacts, rng: np.random.Generator) -> Entries:
    """The reason for each contact and, in hospital, what else the person lives with. `onset`: int32 (n,
    conditions), as `illness.onsets` gives it."""
    place = {code: position for position, code in enumerate(CODES)}
    variants = np.array(
        [[place[each.codes[min(k, len(each.codes) - 1)]] for k in range(3)] for each in conditions()]
    )
    which = np.searchsorted((0.6, 0.85, 1.01), rng.random(len(contacts)))
    parts = [
        (np.arange(len(contacts)), variants[contacts.condition, which], np.ones(len(contacts), np.int64))
    ]
    chronic = np.flatnonzero([each.chronic for each in conditions()])
    tries = np.where(contacts.setting == INPATIENT, 7, np.where(contacts.setting == OUTPATIENT, 2, 0))
    contact = np.repeat(np.arange(len(contacts)), tries)
    other = chronic[rng.integers(0, len(chronic), len(contact))]
    has = (onset[contacts.who[contact], other] <= contacts.day[contact]) & (
        other != contacts.condition[contact]
    )
    contact, other = contact[has], other[has]
    _, first = np.unique(contact * 128 + other, return_index=True)
    contact, other = contact[first], other[first]
    starts = np.flatnonzero(np.r_[True, np.diff(contact) != 0])[: len(contact)]
    rank = np.arange(len(contact)) - np.repeat(starts, np.diff(np.r_[starts, len(contact)]))
    parts.append((contact, variants[other, 0], rank + 2))
    contact, item, position = (np.concatenate(each) for each in zip(*parts, strict=True))
    return _rows(contacts, contact, item, position=position)


def measures(contacts: Contacts, rng: np.random.Generator) -> Entries:
    """Operations and other measures (KVÅ)."""
    place = {code: position for position, code in enumerate(MEASURES)}
    count = np.array([len(each.measures) for each in conditions()])[contacts.condition]
    hospital = np.isin(contacts.setting, (INPATIENT, OUTPATIENT, EMERGENCY))
    contact = np.flatnonzero((count > 0) & (rng.random(len(contacts)) < np.where(hospital, 0.45, 0.05)))
    table = np.array(
        [
            [place[each.measures[min(k, len(each.measures) - 1)]] if each.measures else 0 for k in range(3)]
            for each in conditions()
        ]
    )
    which = np.minimum(rng.integers(0, 3, len(contact)), count[contact] - 1)
    return _rows(contacts, contact, table[contacts.condition[contact], which])


def laboratory(people: People, onset: np.ndarray, contacts: Contacts, rng: np.random.Generator) -> Entries:
    """Values of the analyses that the reason for a contact calls for. `onset`: int32 (n, conditions), as
    `illness.onsets` gives it."""
    by_condition = np.argsort(contacts.condition, kind="stable")
    bounds = np.searchsorted(contacts.condition[by_condition], np.arange(len(conditions()) + 1))
    contact, item = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for c, condition in enumerate(conditions()):
        rows = by_condition[bounds[c] : bounds[c + 1]]
        for analysis in condition.laboratory:
            taken = rows[rng.random(len(rows)) < 0.5]
            contact.append(taken)
            item.append(np.full(len(taken), ANALYSES.index(analysis)))
    contacts_of, items = np.concatenate(contact), np.concatenate(item)
    return _rows(
        contacts,
        contacts_of,
        items,
        value=_values(contacts.who[contacts_of], contacts.day[contacts_of], items, onset, rng),
    )


def _values(
    who: np.ndarray, when: np.ndarray, item: np.ndarray, onset: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    place = {code: position for position, each in enumerate(conditions()) for code in each.codes}
    mean, spread, decimals = (np.array([VALUES[name][k] for name in ANALYSES])[item] for k in range(3))
    for position, name in enumerate(ANALYSES):
        rows = np.flatnonzero(item == position)
        for code, shift in VALUES[name][3].items():
            mean[rows] += np.where(onset[who[rows], place[code]] <= when[rows], shift, 0.0)
    value = mean + spread * rng.standard_normal(len(item)) + 0.4 * spread * rng.exponential(size=len(item))
    return np.maximum(1, np.rint(np.maximum(value, mean * 0.2) * 10.0**decimals)).astype(np.int64)


def prescriptions(people: People, onset: np.ndarray, contacts: Contacts, rng: np.random.Generator) -> Entries:
    """Dispensed drugs: refills for as long as an illness lasts, one course for one that passes. `onset`:
    int32 (n, conditions), as `illness.onsets` gives it."""
    place = {code: position for position, code in enumerate(DRUGS)}
    who, when, item = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    by_condition = np.argsort(contacts.condition, kind="stable")
    bounds = np.searchsorted(contacts.condition[by_condition], np.arange(len(conditions()) + 1))
    for c, condition in enumerate(conditions()):
        for k, drug in enumerate(condition.drugs):
            if condition.chronic:
                begin = np.maximum(people.enters, onset[:, c].astype(np.int64))
                rows = np.flatnonzero(
                    (begin < people.until) & (rng.random(len(people)) < (0.34 if k == 0 else 0.12))
                )
                count = rng.poisson(0.9 * (people.until[rows] - begin[rows]) / REFILL)
                owner = np.repeat(rows, count)
                first = np.repeat(np.cumsum(count) - count, count)
                slot = (np.arange(len(owner)) - first + rng.random(len(owner))) / np.repeat(
                    np.maximum(count, 1), count
                )
                who.append(owner)
                when.append(
                    begin[owner] + np.floor(slot * (people.until[owner] - begin[owner])).astype(np.int64)
                )
            else:
                taken = by_condition[bounds[c] : bounds[c + 1]]
                taken = taken[rng.random(len(taken)) < (0.45 if k == 0 else 0.15)]
                who.append(contacts.who[taken])
                when.append(contacts.day[taken].astype(np.int64) + rng.integers(0, 3, len(taken)))
            item.append(np.full(len(who[-1]), place[drug]))
    owners, days, items = np.concatenate(who), np.concatenate(when), np.concatenate(item)
    inside = days < people.until[owners]
    owners, days, items = owners[inside], days[inside], items[inside]
    order = np.lexsort((items, days, owners))
    amount = rng.choice(np.array([28, 56, 98, 100]), len(order))
    return Entries(
        contact=np.full(len(order), -1),
        who=owners[order],
        day=days[order].astype(np.int32),
        item=items[order],
        value=amount,
        position=np.zeros(len(order), np.int8),
    )


def causes(people: People, onset: np.ndarray, contacts: Contacts, rng: np.random.Generator) -> Entries:
    """Underlying (position 1) and contributing (2) causes of the deaths. `onset`: int32 (n, conditions), as
    `illness.onsets` gives it."""
    dead = np.flatnonzero(people.fate == DIED)
    place = {code: position for position, each in enumerate(conditions()) for code in each.codes}
    acute = np.full((len(people), len(conditions())), NEVER, np.int32)
    np.minimum.at(acute, (contacts.who, contacts.condition), contacts.day)
    score = np.full((len(dead), len(LETHAL) + 1), -1.0)
    score[:, -1] = 0.0
    for k, code in enumerate(LETHAL):
        had = np.minimum(onset[dead, place[code]], acute[dead, place[code]]) <= people.leaves[dead]
        score[:, k] = np.where(had, rng.random(len(dead)) + 1 / (k + 1), -1.0)
    ranked = np.argsort(-score, axis=1, kind="stable")[:, :2]
    items = np.array([CODES.index(code) for code in (*LETHAL, "R999")])
    second = dead[score[np.arange(len(dead)), ranked[:, 1]] > 0]
    who = np.r_[dead, second]
    item = np.r_[items[ranked[:, 0]], items[ranked[np.isin(dead, second), 1]]]
    position = np.r_[np.ones(len(dead), np.int8), np.full(len(second), 2, np.int8)]
    order = np.lexsort((position, who))
    who = who[order]
    return Entries(
        contact=np.full(len(who), -1),
        who=who,
        day=people.leaves[who],
        item=item[order],
        value=np.zeros(len(who), np.int64),
        position=position[order],
    )


def yearly_checks(
    people: People, onset: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the quality register of diabetes holds: row of the people, int64 (m,), day, int32 (m,), and values
    of HBA1C, LDL, SBT, BMI in last decimals, int64 (m, 4). `onset`: int32 (n, conditions), as
    `illness.onsets` gives it."""
    place = {code: position for position, each in enumerate(conditions()) for code in each.codes}
    ill = np.minimum(onset[:, place["E119"]], onset[:, place["E109"]]).astype(np.int64)
    begin = np.maximum(people.enters, ill)
    rows = np.flatnonzero(begin < people.until)
    count = np.floor((people.until[rows] - begin[rows]) / YEAR * 0.95 + rng.random(len(rows))).astype(
        np.int64
    )
    who = np.repeat(rows, count)
    slot = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
    when = begin[who] + np.floor((slot + 0.2 + 0.6 * rng.random(len(who))) * YEAR / 0.95).astype(np.int64)
    kept = when < people.until[who]
    who, when = who[kept], when[kept].astype(np.int32)
    values = [
        _values(who, when, np.full(len(who), ANALYSES.index(name)), onset, rng)
        for name in ("HBA1C", "LDL", "SBT", "BMI")
    ]
    return who, when, np.stack(values, 1)
