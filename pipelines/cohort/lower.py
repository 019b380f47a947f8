"""A definition in YAML as the one model of a cohort, for our own store or for an OMOP CDM."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipelines.cohort.given import LABEL
from pipelines.cohort.query import (
    INDEX_DAY,
    STAY,
    Among,
    Cohort,
    ConceptSet,
    Correlated,
    Criterion,
    CustomEra,
    DateOffset,
    Demographic,
    Edge,
    Exactly,
    Filter,
    Group,
    Item,
    Occurrence,
    Operator,
    Range,
    Rule,
    SetId,
    Shift,
    Window,
)
from pipelines.cohort.query import Calendar as DayCalendar
from pipelines.errors import SettingsError
from pipelines.files.schemas import SETTING, SEX_MAN, SEX_WOMAN, VALUE_SCALE
from pipelines.study.code_list import BELOW, CodeList
from pipelines.study.conditions import Condition, Events, Membership, Together, Value
from pipelines.study.conditions import Rule as Asked
from pipelines.study.days import day_number
from pipelines.study.definition import Age, Definition
from pipelines.study.index import AnyOf, Calendar, Index, Later, Residence

_SEX = {"man": SEX_MAN, "woman": SEX_WOMAN}
_NTH = {"first": 1, "last": -1}
# Of several kinds of events together the first has none of them before it, the last none after it, in days.
_ALONE: dict[str, tuple[int | None, int | None]] = {"first": (None, -1), "last": (1, None)}
_BOUNDS: tuple[tuple[str, Operator], ...] = (
    ("at_least", "gte"),
    ("at_most", "lte"),
    ("above", "gt"),
    ("below", "lt"),
)
_OMOP = {
    "diagnosis": "ConditionOccurrence",
    "procedure": "ProcedureOccurrence",
    "drug": "DrugExposure",
    "measurement": "Measurement",
    "visit": "VisitOccurrence",
    "death": "Death",
    "observation": "Observation",
}


def lower(asked: Definition, cdm: bool = False) -> Cohort:
    """The same definition as the engines take it. `cdm`: for an OMOP CDM, where kinds of events are domains,
    and codes are those of the source. SettingsError: it asks for what a CDM does not say."""
    return _Lowering(asked, cdm).cohort()


class _Lowering:
    def __init__(self, asked: Definition, cdm: bool) -> None:
        self._asked, self._cdm = asked, cdm

    def cohort(self) -> Cohort:
        asked = self._asked
        return Cohort(
            sets={**{name: self._set(name, codes) for name, codes in asked.codes.items()}, **self._stays()},
            entry=self._entry(),
            prior_days=asked.prior_observation,
            rules=tuple(self._rules()),
            limit="all" if asked.index.several else "first",
            spacing=asked.repeat or 0,
            exit=self._exit(),
            censoring=tuple(self.criterion(each) for each in asked.censor),
            era_pad=asked.join,
            censor_window=(None, day_number(asked.study.last)),
            calendar=self._calendar(),
            others={name: lower(each, self._cdm) for name, each in asked.others.items()},
            title=asked.title,
        )

    def _entry(self) -> tuple[Criterion, ...]:
        """Events by which people enter, put on the day on which they do, which lies in the study."""
        asked, index = self._asked, self._asked.index
        study = Range("start_date", "bt", day_number(asked.study.first), day_number(asked.study.last))
        if isinstance(index, Calendar | Residence):
            return (Criterion(INDEX_DAY, filters=(study,)),)
        shift = Shift(index.start.of, index.start.after) if index.start else None
        since = index.which.first if isinstance(index.which, Later) else 0
        nth = index.which if isinstance(index.which, int) else _NTH.get(str(index.which), 0)
        return tuple(
            replace(self.criterion(each), nth=nth, since=since, filters=(study,), start=shift, end=shift)
            for each in index.events
        )

    def _calendar(self) -> DayCalendar | None:
        asked, index = self._asked, self._asked.index
        if isinstance(index, Calendar):
            return DayCalendar(days=tuple(day_number(day) for day in index.days(asked.study)))
        if isinstance(index, Residence):
            return DayCalendar(
                first=day_number(asked.study.first),
                last=day_number(asked.study.last),
                prior=asked.prior_observation,
                age=asked.age.first if asked.age else 0,
                every=index.every or 0,
            )
        return None

    def _stays(self) -> dict[SetId, ConceptSet]:
        """A set for each other cohort that the rules ask about: its stays."""
        named = self._asked.named
        if lacking := sorted(set(named) - set(self._asked.others)):
            raise SettingsError(
                f"{self._asked.cohort}: cohort {lacking[0]}",
                "is not beside the definition",
                f"add {lacking[0]}.yaml beside it",
            )
        labels = {name: LABEL.format(name) for name in named}
        return {label: ConceptSet(name, prefixes=(label,)) for name, label in labels.items()}

    def _set(self, name: str, codes: CodeList) -> ConceptSet:
        if codes.concepts and not self._cdm:
            raise SettingsError(
                f"{self._asked.cohort}: codes {name}",
                "names concepts of OMOP, and no delivery came with any",
                "name codes",
            )
        if self._cdm and any(each.endswith(BELOW) for each in (*codes.include, *codes.exclude)):
            raise SettingsError(
                f"{self._asked.cohort}: codes {name}",
                "names a code and what lies below, which --cdm takes by concept alone",
                "name the concepts by id, under concepts",
            )
        return ConceptSet(
            name, tuple(Item(each, descendants=True) for each in codes.concepts), codes.include, codes.exclude
        )

    def criterion(self, events: Events) -> Criterion:
        """Events with a code of a list, narrowed before any is counted."""
        if self._cdm:
            return self._omop(events)
        narrowed: list[Filter] = []
        if events.setting:
            narrowed.append(Among("setting", frozenset(SETTING[name] for name in events.setting)))
        if events.primary:
            narrowed.append(Range("position", "eq", 1))
        if events.value:
            narrowed += _bounds(events.value)
        return Criterion(events.kind or "event", events.codes, narrowed=tuple(narrowed))

    def _omop(self, events: Events) -> Criterion:
        where = f"{self._asked.cohort}: events of {events.codes}"
        if events.kind not in _OMOP:
            raise SettingsError(
                where, "have no kind that a CDM has a table for", f"give kind, one of {', '.join(_OMOP)}"
            )
        if events.setting or events.primary or events.value:
            raise SettingsError(
                where,
                "ask for a setting, a position or a value, which a CDM says in other ways",
                "use Circe JSON for that",
            )
        by_concept = bool(self._asked.codes[events.codes].concepts)
        return Criterion(
            _OMOP[events.kind], events.codes if by_concept else None, None if by_concept else events.codes
        )

    def _exit(self) -> DateOffset | CustomEra | None:
        if self._asked.follow_up:
            return DateOffset("start", self._asked.follow_up - 1)
        if era := self._asked.while_exposed:
            return CustomEra(era.codes, era.gap, era.offset, domain="DrugExposure" if self._cdm else "drug")
        return None

    def _rules(self) -> list[Rule]:
        asked, rules = self._asked, []
        if isinstance(asked.index, AnyOf) and (around := _ALONE.get(asked.index.which)):
            first, last = around
            rules.append(
                Rule(f"have no such event {'before' if first is None else 'after'}", self._none(first, last))
            )
        if asked.washout:
            name = f"have no such event in {asked.washout} days before"
            rules.append(Rule(name, self._none(-asked.washout, -1)))
        if asked.age:
            rules.append(
                Rule("are of the right age", Group("all", demographics=(Demographic((_age(asked.age),)),)))
            )
        if asked.sex:
            sex = Among("sex", frozenset({_SEX[asked.sex]}))
            rules.append(
                Rule(
                    f"are {asked.sex.replace('man', 'men')}",
                    Group("all", demographics=(Demographic((sex,)),)),
                )
            )
        rules += [Rule(f"have {_name(each)}", self._together("all", 0, (each,))) for each in asked.require]
        rules += [
            Rule(f"have no {_name(each)}", self._together("at_most", 0, (each,))) for each in asked.exclude
        ]
        return rules

    def _none(self, first: int | None, last: int | None) -> Group:
        """None of the events by which people enter, in so many days from the first of that event."""
        index = self._asked.index
        after = index.start.after if isinstance(index, Index | AnyOf) and index.start else 0
        window = Window(
            Edge(None if first is None else first - after, -1),
            Edge(None if last is None else last - after, 1),
        )
        events = index.events if isinstance(index, Index | AnyOf) else ()
        none = Occurrence("exactly", 0)
        return Group(
            "all",
            correlated=tuple(
                Correlated(self.criterion(each), none, window, any_period=True) for each in events
            ),
        )

    def _together(self, kind: Any, count: int, conditions: tuple[Condition, ...]) -> Group:
        return Group(
            kind,
            count,
            correlated=tuple(
                self._correlated(each) if isinstance(each, Asked) else _membership(each)
                for each in conditions
                if not isinstance(each, Together)
            ),
            groups=tuple(self._group(each) for each in conditions if isinstance(each, Together)),
        )

    def _group(self, together: Together) -> Group:
        kind = next(
            name for name in ("all", "any", "at_least", "at_most") if getattr(together, name) is not None
        )
        return self._together(kind, getattr(together, kind) if kind.startswith("at_") else 0, together.parts)

    def _correlated(self, rule: Asked) -> Correlated:
        window = Window(Edge(rule.first, -1), Edge(rule.last, 1), index=rule.of)
        count = Occurrence(*rule.count, "start_date" if rule.distinct else None)
        return Correlated(self.criterion(rule), count, window, any_period=True)


def _membership(asked: Membership) -> Correlated:
    """A stay in another cohort that begins in the window, or of which some day lies in it."""
    stays, some = Criterion(STAY, LABEL.format(asked.cohort)), Occurrence("at_least", 1)
    first, last = Edge(asked.first, -1), Edge(asked.last, 1)
    if asked.day == "entry":
        return Correlated(stays, some, Window(first, last), any_period=True)
    begins, ends = Window(Edge(None, -1), last), Window(first, Edge(None, 1), event="end")
    return Correlated(stays, some, begins, ends, any_period=True)


def _age(asked: Age) -> Range:
    if asked.last is None:
        return Range("completed_age", "gte", asked.first)
    return Range("completed_age", "bt", asked.first, asked.last)


def _bounds(value: Value) -> list[Filter]:
    bounds = [(op, getattr(value, name)) for name, op in _BOUNDS]
    return [
        Exactly("unit", frozenset({value.unit})),
        *(Range("value", op, float(bound * VALUE_SCALE)) for op, bound in bounds if bound is not None),
    ]


def _name(condition: Condition) -> str:
    if condition.name:
        return condition.name
    if isinstance(condition, Together):
        return " or ".join(_name(part) for part in condition.parts)
    return condition.codes if isinstance(condition, Asked) else f"days in the cohort {condition.cohort}"
