"""A definition in YAML as the one model of a cohort, for our own store or for an OMOP CDM."""

from __future__ import annotations

from typing import Any

from pipelines.cohort.query import (
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
    Window,
)
from pipelines.errors import SettingsError
from pipelines.files.schemas import SETTING, SEX_MAN, SEX_WOMAN, VALUE_SCALE
from pipelines.study.code_list import BELOW, CodeList
from pipelines.study.days import day_number
from pipelines.study.definition import Condition, Definition, Events, Together, Value
from pipelines.study.definition import Rule as Asked

_SEX = {"man": SEX_MAN, "woman": SEX_WOMAN}
_NTH = {"first": 1, "last": -1, "any": 0, "all": 0}
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
        asked, index, which = self._asked, self.criterion(self._asked.index), self._asked.index.which
        study = Range("start_date", "bt", day_number(asked.study.first), day_number(asked.study.last))
        nth = _NTH[which] if isinstance(which, str) else which
        return Cohort(
            sets={name: self._set(name, codes) for name, codes in asked.codes.items()},
            entry=(
                Criterion(
                    index.domain,
                    index.concepts,
                    index.source_concepts,
                    index.narrowed,
                    nth=nth,
                    filters=(study,),
                ),
            ),
            prior_days=asked.prior_observation,
            rules=tuple(self._rules(index)),
            limit="all" if which == "all" else "first",
            spacing=asked.repeat or 0,
            exit=self._exit(),
            censoring=tuple(self.criterion(each) for each in asked.censor),
            era_pad=asked.join,
            censor_window=(None, day_number(asked.study.last)),
            title=asked.title,
        )

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

    def _rules(self, index: Criterion) -> list[Rule]:
        asked, rules = self._asked, []
        if asked.washout:
            before = Window(Edge(-asked.washout, -1), Edge(-1, -1))
            alone = Correlated(index, Occurrence("exactly", 0), before, any_period=True)
            rules.append(
                Rule(f"have no such event in {asked.washout} days before", Group("all", correlated=(alone,)))
            )
        if asked.age:
            age = Range("completed_age", "bt", asked.age.first, asked.age.last)
            rules.append(Rule("are of the right age", Group("all", demographics=(Demographic((age,)),))))
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

    def _together(self, kind: Any, count: int, conditions: tuple[Condition, ...]) -> Group:
        return Group(
            kind,
            count,
            correlated=tuple(self._correlated(each) for each in conditions if isinstance(each, Asked)),
            groups=tuple(self._group(each) for each in conditions if isinstance(each, Together)),
        )

    def _group(self, together: Together) -> Group:
        kind = next(
            name for name in ("all", "any", "at_least", "at_most") if getattr(together, name) is not None
        )
        return self._together(kind, getattr(together, kind) if kind.startswith("at_") else 0, together.parts)

    def _correlated(self, rule: Asked) -> Correlated:
        window = Window(Edge(rule.first, -1), Edge(rule.last, 1), index=rule.of)
        return Correlated(self.criterion(rule), Occurrence(*rule.count), window, any_period=True)


def _bounds(value: Value) -> list[Filter]:
    bounds = [(op, getattr(value, name)) for name, op in _BOUNDS]
    return [
        Exactly("unit", frozenset({value.unit})),
        *(Range("value", op, float(bound * VALUE_SCALE)) for op, bound in bounds if bound is not None),
    ]


def _name(condition: Asked | Together) -> str:
    if condition.name:
        return condition.name
    return (
        condition.codes
        if isinstance(condition, Asked)
        else " or ".join(_name(part) for part in condition.parts)
    )
