"""What a cohort is, whoever wrote it: the one model behind every front end, frozen, and true in itself once
made.

A cohort begins with entry events; a group of conditions may narrow them; inclusion rules say which of them
count; an exit says how long each lasts; what is left is merged into eras. Terms and their order are those of
OHDSI's Circe, so that its definitions mean here what they mean there. Days are integers, days since
1970-01-01; windows are days, both ends in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

SetId = int | str
Limit = Literal["first", "last", "all"]
Operator = Literal["lt", "lte", "eq", "!eq", "gte", "gt", "bt", "!bt"]
TextOperator = Literal[
    "eq", "contains", "startsWith", "endsWith", "!eq", "!contains", "!startsWith", "!endsWith"
]
Point = Literal["start", "end"]


@dataclass(frozen=True)
class Item:
    """One line of a concept set."""

    concept: int
    excluded: bool = False
    descendants: bool = False
    mapped: bool = False


@dataclass(frozen=True)
class ConceptSet:
    """Concepts by OMOP id (`items`), or codes by prefix, SYSTEM/CODE (`prefixes`, but none that begins with
    one of `without`)."""

    name: str
    items: tuple[Item, ...] = ()
    prefixes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Range:
    """`field` compared with numbers or days; for `bt` and `!bt` both ends in. Unknown is never in a range,
    nor outside one."""

    field: str
    op: Operator
    value: float
    extent: float | None = None

    def __post_init__(self) -> None:
        if (self.extent is None) == self.op.endswith("bt"):
            raise ValueError(
                f"{self.field}: {self.op} takes {'two values' if self.op.endswith('bt') else 'one value'}"
            )


@dataclass(frozen=True)
class Text:
    """`field` compared with a pattern in which `_` is any letter and `%` any text, as in SQL's LIKE."""

    field: str
    op: TextOperator
    text: str


@dataclass(frozen=True)
class Among:
    """`field` is one of `concepts`, or of the concept set `set`; or, if `excluded`, known and none of them.
    As in SQL's NOT IN, nothing is excluded by a set without concepts, not even what is unknown."""

    field: str
    concepts: frozenset[int] = frozenset()
    set: SetId | None = None
    excluded: bool = False


@dataclass(frozen=True)
class Exactly:
    """`field` is one of these texts."""

    field: str
    texts: frozenset[str]


Filter = Range | Text | Among | Exactly


@dataclass(frozen=True)
class Shift:
    """A day put elsewhere: `days` from the event's start or end."""

    of: Point
    days: int


@dataclass(frozen=True)
class Criterion:
    """Events of one domain: of OMOP (`domains.DOMAINS`), or a kind of event in our store (`schemas.KINDS`, or
    `event` for any).

    `concepts`, `source_concepts`: sets that the event's concept, and its source's, must lie in; None asks
    nothing. `narrowed`: what they must be for any to count. `nth`: of these, the nth of each person in all
    time, before `filters`; if negative, the nth from the last; 0 asks nothing. `since`: the nth of each
    person in all time and all later ones; 0 asks nothing. `start`, `end`: where the
    event is put in time; if either is given, an event that ends before it starts, or has no end, is none.
    Filters see the event where it is put. `period`: first and last day given in place of the event's own,
    which must hold them. `group`: conditions on each event.
    """

    domain: str
    concepts: SetId | None = None
    source_concepts: SetId | None = None
    narrowed: tuple[Filter, ...] = ()
    nth: int = 0
    since: int = 0
    filters: tuple[Filter, ...] = ()
    start: Shift | None = None
    end: Shift | None = None
    period: tuple[int | None, int | None] = (None, None)
    group: Group | None = None

    @property
    def first(self) -> bool:
        """Does only the first of each person count?"""
        return self.nth == 1


@dataclass(frozen=True)
class Edge:
    """One edge of a window. `days` from the index, negative before it; None: the edge, on the side of `sign`,
    of the index event's observation period."""

    days: int | None
    sign: Literal[-1, 1]


@dataclass(frozen=True)
class Window:
    """Days from `first` to `last`, counted from the index event's `index`, in which the other event's `event`
    must lie."""

    first: Edge
    last: Edge
    index: Point = "start"
    event: Point = "start"


@dataclass(frozen=True)
class Occurrence:
    """How many. `distinct`: count different known values in place of events: of a field of the domain, or of
    "concept" (a death's unknown cause is one, 0), "visit", "start_date", "end_date", "length", or "person",
    which is 1 where there is any event."""

    kind: Literal["exactly", "at_most", "at_least"]
    count: int
    distinct: str | None = None

    def allows_none(self) -> bool:
        """Does an index event without any such event pass?"""
        return self.kind == "at_most" or self.count == 0


@dataclass(frozen=True)
class Correlated:
    """Events of `criterion` that lie in both windows of an index event. `same_visit`: and belong to its
    visit. `any_period`: and need not start in the observation period of the index event."""

    criterion: Criterion
    occurrence: Occurrence
    start: Window
    end: Window | None = None
    same_visit: bool = False
    any_period: bool = False


@dataclass(frozen=True)
class Demographic:
    """What must hold of the person at the index event: fields of `domains.DEMOGRAPHIC`."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True)
class Group:
    """Conditions on an index event: all, any, at least `count` or at most `count` of them hold. An empty
    group holds."""

    kind: Literal["all", "any", "at_least", "at_most"]
    count: int = 0
    correlated: tuple[Correlated, ...] = ()
    demographics: tuple[Demographic, ...] = ()
    groups: tuple[Group, ...] = ()

    def __len__(self) -> int:
        return len(self.correlated) + len(self.demographics) + len(self.groups)


@dataclass(frozen=True)
class Rule:
    """An inclusion rule."""

    name: str
    group: Group
    description: str = ""


@dataclass(frozen=True)
class DateOffset:
    """The cohort ends `days` after the event's start or end, within its observation period."""

    of: Point
    days: int


@dataclass(frozen=True)
class CustomEra:
    """The cohort ends with the era of drug exposures that the event lies in: exposures to `drugs` (standard
    or source concept) with at most `gap` days between them, and `offset` days after. `days_supply`: how long
    each lasts, whatever it says. `domain`: where exposures lie."""

    drugs: SetId
    gap: int
    offset: int
    days_supply: int | None = None
    domain: str = "DrugExposure"


@dataclass(frozen=True)
class Calendar:
    """Index days that are no events, of which everybody who is observed has some.

    `days`: these, ascending, for everybody; if there are none, one for each observation period: the first day
    from `first` on, to `last`, that is `prior` days or more into the period and on which the person, where
    the birth is known, is `age` years old; and again each `every` days after it, if `every` is not 0, to
    the end of the period.
    """

    days: tuple[int, ...] = ()
    first: int = 0
    last: int = 0
    prior: int = 0
    age: int = 0
    every: int = 0


INDEX_DAY = "index_day"  # domain: the days of the calendar
STAY = "stay"  # domain: stays in the other cohorts; the concept is the cohort


@dataclass(frozen=True)
class Cohort:
    """A definition.

    `entry`: events by which people may enter, observed `prior_days` before and `post_days` after;
    `entry_limit`: which of each person. `additional`: conditions on them, None if there are none; then
    `qualified_limit`. `rules`: inclusion rules; then `limit`. `spacing`: days from one entry of a person to
    the next, at least. `exit`: None for the end of the observation period. `censoring`: events that end it
    earlier. `era_pad`: days that may lie between two stays of a person that are one. `censor_window`: days
    outside which nothing counts. `calendar`: the days of domain `INDEX_DAY`. `others`: by name, the cohorts
    whose stays are the events of domain `STAY`. `notes`: what is to be told of how it was read.
    """

    sets: Mapping[SetId, ConceptSet]
    entry: tuple[Criterion, ...]
    prior_days: int = 0
    post_days: int = 0
    entry_limit: Limit = "all"
    additional: Group | None = None
    qualified_limit: Limit = "all"
    rules: tuple[Rule, ...] = ()
    limit: Limit = "all"
    spacing: int = 0
    exit: DateOffset | CustomEra | None = None
    censoring: tuple[Criterion, ...] = ()
    era_pad: int = 0
    censor_window: tuple[int | None, int | None] = (None, None)
    calendar: Calendar | None = None
    others: Mapping[str, Cohort] = field(default_factory=dict)
    title: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def asks_birthday(self) -> bool:
        """Does a rule count completed years?"""
        groups = [each for each in (self.additional, *(rule.group for rule in self.rules)) if each]
        groups += [each.group for each in self.criteria() if each.group]
        while groups:
            group = groups.pop()
            groups += group.groups
            if any(each.field == "completed_age" for one in group.demographics for each in one.filters):
                return True
        return False

    def criteria(self) -> Iterator[Criterion]:
        """Every criterion, nested ones too."""
        groups = [each for each in (self.additional, *(rule.group for rule in self.rules)) if each]
        pending = [*self.entry, *self.censoring]
        while pending or groups:
            while groups:
                group = groups.pop()
                groups.extend(group.groups)
                pending.extend(each.criterion for each in group.correlated)
            if pending:
                found = pending.pop()
                groups.extend([found.group] if found.group else [])
                yield found

    def domains(self) -> frozenset[str]:
        """Every domain that it looks into."""
        of_exit = {self.exit.domain} if isinstance(self.exit, CustomEra) else set()
        return frozenset({each.domain for each in self.criteria()} | of_exit)
