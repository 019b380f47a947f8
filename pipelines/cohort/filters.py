"""Which events a filter keeps."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from pipelines.cohort.columns import MISSING, Texts, Values
from pipelines.cohort.domains import DOMAINS
from pipelines.cohort.query import Among, Exactly, Filter, Range, SetId, Text
from pipelines.cohort.source import Events, Source

Concepts = Callable[[SetId], np.ndarray]  # int64, ascending: what a concept set of the definition holds


def kept(
    filters: tuple[Filter, ...], domain: str, events: Events, source: Source, concepts: Concepts
) -> np.ndarray:
    """bool (n,): events that every filter keeps."""
    keep = np.ones(len(events), bool)
    for each in filters:
        if not _asks_nothing(each, domain, concepts):
            keep &= holds(each, value_of(each.field, domain, events, source), concepts)
    return keep


def _asks_nothing(asked: Filter, domain: str, concepts: Concepts) -> bool:
    """Not to be in a set without concepts holds of every event, even of an unknown value, unless the value
    stands in a row of another table that has to be there."""
    if not isinstance(asked, Among) or not asked.excluded or asked.set is None or len(concepts(asked.set)):
        return False
    about = DOMAINS[domain].fields.get(asked.field)
    return about is None or about.via in ("event", "provider")


def value_of(field: str, domain: str, events: Events, source: Source) -> Values:
    """A field of each event, derived ones too."""
    if field == "start_date":
        return events.start
    if field == "end_date":
        return events.end
    if field == "visit":
        return events.visit
    if field == "person":
        return events.person.astype(np.int64)
    if field in ("age_at_start", "age_at_end"):
        return ages(
            events.start if field == "age_at_start" else events.end, source.birth_years(events.person)
        )
    if field == "length":
        return np.where(events.end == MISSING, MISSING, events.end - events.start)
    if field in ("range_low_ratio", "range_high_ratio"):
        value = source.values(domain, "value_as_number", events)
        bound = source.values(domain, field.removesuffix("_ratio"), events)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(bound == 0, np.nan, value / bound)  # type: ignore[operator,arg-type]
    if field == "abnormal":
        return _abnormal(domain, events, source)
    return source.values(domain, field, events)


def ages(day: np.ndarray, birth_year: np.ndarray) -> np.ndarray:
    """int64 (n,): calendar years from the year of birth to that of the day, `MISSING` if either is unknown.
    `day`: integers (n,), days since 1970-01-01; `birth_year`: int64 (n,)."""
    known = (day != MISSING) & (birth_year != MISSING)
    year = np.where(known, day, 0).astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970
    return np.where(known, year - birth_year, MISSING)


_ABNORMAL = (4155142, 4155143)  # the answers "abnormally low" and "abnormally high"


def _abnormal(domain: str, events: Events, source: Source) -> np.ndarray:
    """int64: 1 for a value outside its range, or said to be abnormal."""
    value, low, high = (
        source.values(domain, name, events) for name in ("value_as_number", "range_low", "range_high")
    )
    said = np.isin(source.values(domain, "value_as_concept", events), _ABNORMAL)  # type: ignore[arg-type]
    return ((value < low) | (value > high) | said).astype(np.int64)  # type: ignore[operator]


def holds(asked: Filter, values: Values, concepts: Concepts) -> np.ndarray:
    """bool (n,): is the value known, and does the filter hold of it? Raises TypeError for a filter of numbers
    on texts."""
    if isinstance(asked, Text):
        return _text_holds(asked, values)
    if isinstance(asked, Exactly):
        return _is_one_of(asked, values)
    if isinstance(values, Texts):
        raise TypeError(f"{asked.field} holds texts")
    known = ~np.isnan(values) if values.dtype.kind == "f" else values != MISSING
    if isinstance(asked, Among):
        wanted = np.array(sorted(asked.concepts), np.int64) if asked.set is None else concepts(asked.set)
        return known & (np.isin(values, wanted) != asked.excluded)
    return known & _compared(asked, values)


def _compared(asked: Range, values: np.ndarray) -> np.ndarray:
    value, extent = asked.value, asked.extent
    match asked.op:
        case "lt":
            return values < value
        case "lte":
            return values <= value
        case "eq":
            return values == value
        case "!eq":
            return values != value
        case "gte":
            return values >= value
        case "gt":
            return values > value
    inside = (values >= value) & (values <= (value if extent is None else extent))
    return inside if asked.op == "bt" else ~inside


def _is_one_of(asked: Exactly, values: Values) -> np.ndarray:
    if not isinstance(values, Texts):
        raise TypeError(f"{asked.field} holds no texts")
    return np.array([label in asked.texts for label in values.labels] + [False])[values.codes]


def _text_holds(asked: Text, values: Values) -> np.ndarray:
    if not isinstance(values, Texts):
        raise TypeError(f"{asked.field} holds no texts")
    op = asked.op.removeprefix("!")
    before = "%" if op in ("contains", "endsWith") else ""
    after = "%" if op in ("contains", "startsWith") else ""
    text = f"{before}{asked.text}{after}"
    like = re.compile("".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in text), re.DOTALL)
    fits = np.array(
        [bool(like.fullmatch(label)) != asked.op.startswith("!") for label in values.labels] + [False]
    )
    return fits[values.codes]
