"""What is wrong with a table that a permit asks for: what goes with what, kind of count by kind of count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

from pipelines.study import characteristic
from pipelines.study.rates import Standardise
from pipelines.study.table_keys import TableKeys

_MOST_BANDS = 400


def faults(table: TableKeys) -> Iterator[str]:
    """Each fault in words that go on after the table's place, the simplest first."""
    return chain.from_iterable(check(table) for check in _CHECKS)


def _of_count(table: TableKeys) -> Iterable[str]:
    if (
        table.count in ("members", "events") or (table.count == "values" and not table.classes)
    ) and not table.dimensions:
        yield "has no dimensions: name one"
    if (table.first and not table.counts_events) or (table.first and table.count == "transitions"):
        yield "says first, but counts no events"
    if bool(table.care_units) != ("care_unit" in (*table.dimensions, *table.rows)):
        yield "needs both care_units and the dimension care_unit, or neither"
    if len(set(table.dimensions)) != len(table.dimensions):
        yield "names a dimension twice"


def _of_survival(table: TableKeys) -> Iterable[str]:
    if table.count not in ("survival", "intervals"):
        if table.step or table.until or table.or_death or table.competing:
            yield "says step, until, or_death or competing, but counts no survival"
        if table.net:
            yield "says net, which goes with count: survival"
        return
    if table.step is None or table.until is None:
        yield "needs step and until, in days"
    elif table.until % table.step or table.until // table.step > _MOST_BANDS:
        yield f"until is not a multiple of step, at most {_MOST_BANDS} times it"
    if not (table.names_some or table.or_death):
        yield "does not say what event: name codes, a kind or or_death"
    if table.net and (table.count != "survival" or not table.or_death or table.names_some or table.competing):
        yield (
            "says net, whose event is death of any cause: count: survival with or_death, no other event and "
            "nothing competing"
        )
    if table.or_death and table.competing == "death":
        yield "has death both as the event and as what competes with it"


def _of_characteristics(table: TableKeys) -> Iterable[str]:
    if strange := [name for name in table.characteristics if not characteristic.NAME.match(name)]:
        yield f"has characteristics whose names are none of lower-case letters, digits and _: {len(strange)}"
    if taken := sorted(name for name in table.characteristics if name in characteristic.TAKEN):
        yield f"calls a characteristic {taken[0]}, which is a dimension of its own: name it otherwise"
    if table.count == "baseline":
        if table.names_some:
            yield "says codes, kind, setting or primary, which its characteristics say each for itself"
        if not (table.rows or table.characteristics):
            yield "needs rows or characteristics: what is to be known of members"
        if len(set(table.rows)) != len(table.rows) or set(table.rows) & set(table.dimensions):
            yield "names a dimension twice"
    elif table.rows:
        yield "says rows, which go with count: baseline"
    elif unused := set(table.characteristics) - set(table.dimensions):
        yield f"has characteristics that are none of its dimensions: {', '.join(sorted(unused))}"


def _of_controls(table: TableKeys) -> Iterable[str]:
    if not table.controls:
        return
    if table.count != "baseline":
        yield "says controls, which go with count: baseline"
    if table.dimensions or table.compare:
        yield (
            "has dimensions or compare beside controls: cases and controls are the groups that are "
            "compared; leave them out, and name what is to be known in rows"
        )


def _of_intervals(table: TableKeys) -> Iterable[str]:
    if (table.count == "intervals") != (table.since is not None):
        yield "needs both count: intervals and since, or neither"
        return
    if table.since is None:
        return
    if not table.since.names_some:
        yield "does not say from what event time runs: name codes, a kind or a setting under since"
    if table.or_death:
        yield "says or_death, which goes with count: survival; say competing: death"


def _of_exposure(table: TableKeys) -> Iterable[str]:
    if table.count == "exposure" and not table.names_some:
        yield "does not say of what: name codes or a kind"
    if table.count != "exposure" and table.gap:
        yield "says gap, which goes with count: exposure"


def _of_time(table: TableKeys) -> Iterable[str]:
    if table.washout and (table.first or table.count not in ("events", "weekly", "monthly")):
        yield "says washout, which goes with count: events, weekly or monthly, and not with first"
    if bool(table.follow_up) != ("follow_up" in table.dimensions):
        yield "needs both follow_up and the dimension follow_up, or neither"
    if table.follow_up and not _ascending((0, *table.follow_up)):
        yield "has follow_up days that do not ascend from above 0"


def _of_transitions(table: TableKeys) -> Iterable[str]:
    if (table.count == "transitions") != (table.states is not None):
        yield "needs both count: transitions and states, or neither"
    if isinstance(table.states, dict) and (len(table.states) < 2 or not all(table.states.values())):
        yield "has fewer than two states, or one without a prefix"


def _of_values(table: TableKeys) -> Iterable[str]:
    if table.count != "values":
        if table.unit or table.range or table.classes:
            yield "says unit, range or classes, but counts no values"
        return
    if table.unit is None or table.range is None:
        yield (
            "needs unit and range: values of another unit, or beyond what is believed, are not added to "
            "the others"
        )
        return
    if table.range[0] < 0 or not _ascending((table.range[0], *table.classes, table.range[1])):
        yield "has a range below 0, or classes that do not ascend within it"
    if any(round(each, 4) != each for each in (*table.range, *table.classes)):
        yield "has a range or classes of more than four decimals"
    if table.classes and {"sum", "squares"} & set(table.measures):
        yield (
            "asks for sums and for classes, of which the sums would tell more than is shown: make the choice"
        )
    if "squares" in table.measures and "sum" not in table.measures:
        yield "asks for squares without the sum"


def _of_prevalence(table: TableKeys) -> Iterable[str]:
    if (table.count == "prevalence") != bool(table.days) or (table.lookback and not table.days):
        yield "needs both count: prevalence and days, or neither of these and no lookback"
    if table.days and not (table.codes or table.kind):
        yield "does not say what event: name codes or a kind"
    if not _ascending([day.toordinal() for day in table.days]):
        yield "has days that do not ascend"


def _of_standard(table: TableKeys) -> Iterable[str]:
    asked = table.standardise
    if asked is None:
        return
    if table.count != "events" or not {"events", "person_days"} <= set(table.measures):
        yield "can be standardised only with count: events and the measures events and person_days"
    for axis in asked.axes:
        if axis not in table.dimensions:
            yield f"is standardised over {axis}, which is not among its dimensions"
    groups = set(range(0, table.age_top + 1, table.age_width))
    if asked.indirect:
        yield from _of_reference(table, asked, groups)
    elif not groups <= asked.first_ages or asked.ages_from not in groups:
        yield (
            "has age groups that are not unions of the standard's, or ages_from that begins none of them "
            "(see docs/aggregation.md)"
        )


def _of_reference(table: TableKeys, asked: Standardise, groups: set[int]) -> Iterable[str]:
    if asked.to == "table" and len(table.dimensions) <= len(asked.axes):
        yield (
            "compares each group with all of the table, but has no dimension beside "
            f"{' and '.join(asked.axes)}: name one, or give rates of your own"
        )
    if asked.ages_from not in groups:
        yield "has ages_from that begins none of its age groups"
    if asked.rates and not asked.rated_from <= groups:
        yield (
            "has rates from an age on that begins none of its age groups: each group has to lie within "
            "one of the rates' groups"
        )
    if asked.rates and asked.rated_at > asked.ages_from:
        yield f"has no rate for ages below {asked.rated_at}: say ages_from: {asked.rated_at}, or give one"


def _of_comparison(table: TableKeys) -> Iterable[str]:
    asked = table.compare
    if asked is None:
        return
    rated = table.count == "events" and {"events", "person_days"} <= set(table.measures)
    if not rated and table.count != "baseline":
        yield (
            "can compare rates only with count: events and the measures events and person_days, and shares "
            "with count: baseline"
        )
    if asked.over not in table.dimensions:
        yield f"compares over {asked.over}, which is not among its dimensions"
    if table.standardise is not None and asked.over in table.standardise.axes:
        yield f"is standardised over {asked.over} and compares over it: make the choice"


def _of_forecast(table: TableKeys) -> Iterable[str]:
    asked = table.forecast
    if asked is None:
        return
    if table.count not in ("weekly", "monthly"):
        yield "says forecast, which goes with count: weekly or monthly"
    elif asked.of not in ("persons", *table.measures):
        yield f"asks for a forecast of {asked.of}, which is not among its measures: add it to them"


def _ascending(numbers: Iterable[float]) -> bool:
    return all(low < high for low, high in pairwise(numbers))


_CHECKS = (
    _of_count,
    _of_survival,
    _of_standard,
    _of_comparison,
    _of_forecast,
    _of_time,
    _of_characteristics,
    _of_controls,
    _of_intervals,
    _of_exposure,
    _of_transitions,
    _of_values,
    _of_prevalence,
)
