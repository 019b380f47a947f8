"""The same cohort in SQL, written to be read: the answer that the Numba engine is held against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines import duck
from pipelines.cohort.events import Facts
from pipelines.cohort.select import Selection
from pipelines.definition import Definition, Events, Rule, day_number
from pipelines.schemas import DAY_UNKNOWN, KIND, SETTING
from pipelines.storage import Frame

_FRAME = """
with free as (select * from persons where opt_out_day = {unknown}),
entry as (select distinct person, start as day from events where {index}),
candidate as (
    select person, day from entry
    qualify $any or day = min(day) over (partition by person)
),
in_study as (
    select c.person, c.day, f.birth_day, f.death_day
    from candidate c join free f on f.position = c.person
    where c.day between $from and $to
),
of_age as (
    select *, case when birth_day = {unknown} then -1 else
        year(date '1970-01-01' + day) - year(date '1970-01-01' + birth_day)
        - (month(date '1970-01-01' + day) * 32 + day(date '1970-01-01' + day)
           < month(date '1970-01-01' + birth_day) * 32 + day(date '1970-01-01' + birth_day))::int
        end as age
    from in_study
),
right_age as (select * from of_age where {age}),
observed as (
    select a.*, p."end" as period_end
    from right_age a join periods p on p.person = a.person and a.day between p.start and p."end"
    where a.day - p.start >= $prior
)
"""


def select(facts: Facts, definition: Definition) -> Selection:
    """As `pipelines.cohort.select.select`, by DuckDB."""
    lists = definition.codes
    age = f"age between {definition.age.first} and {definition.age.last}" if definition.age else "true"
    sql = _FRAME.format(unknown=DAY_UNKNOWN, index=_matching(definition.index, lists[definition.index.codes], facts), age=age)
    parameters = {
        "any": definition.index.which == "any", "from": day_number(definition.study.first), "to": day_number(definition.study.last),
        "prior": definition.prior_observation,
    }  # fmt: skip
    steps = [("in the snapshot", "persons"), ("have not opted out", "free"), ("have an index event in the study", "in_study")]
    if definition.age:
        steps.append(("are of the right age", "right_age"))
    steps.append((f"are observed, with {definition.prior_observation} days before", "observed"))
    last = "observed"
    for number, (rule, wanted) in enumerate([(r, True) for r in definition.require] + [(r, False) for r in definition.exclude]):
        sql += f", rule{number} as (select * from {last} c where {_rule(rule, lists[rule.codes], facts, wanted)})"
        last = f"rule{number}"
        steps.append((f"have {'' if wanted else 'no '}{rule.codes}", last))

    with duck.connect(_tables(facts)) as connection:
        attrition = []
        for label, relation in steps:
            who = "position" if relation in ("persons", "free") else "person"
            count = duck.columns(connection, f"{sql} select count(distinct {who}) as n from {relation}", _used(sql, parameters))["n"][0]
            attrition.append((label, int(count)))
        result = duck.columns(connection, f"{sql} {_members(definition, last)}", _used(sql, parameters))
    members: Frame = {name: np.asarray(result[name], kind) for name, kind in (("person", np.int64), ("start", "i4"), ("end", "i4"))}
    return Selection(members, tuple(attrition))


def _used(sql: str, parameters: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if f"${name}" in sql}


def _tables(facts: Facts) -> dict[str, Frame]:
    persons = {"position": np.arange(facts.count, dtype=np.int32), **facts.persons}
    events = facts.shard.read("events", ("person", "start", "concept", "kind", "setting", "position", "source"))
    return {"persons": persons, "periods": facts.periods, "events": events}


def _matching(events: Events, prefixes: tuple[str, ...], facts: Facts) -> str:
    conditions = ["(" + " or ".join(f"starts_with(concept, '{prefix}')" for prefix in prefixes) + ")"]
    if events.kind is not None:
        conditions.append(f"kind = {KIND[events.kind]}")
    if events.setting:
        conditions.append(f"setting in ({', '.join(str(SETTING[name]) for name in events.setting)})")
    if events.primary:
        conditions.append("position = 1")
    if facts.sources is not None:
        conditions.append("source in (" + ", ".join(f"'{name}'" for name in facts.sources) + ")")
    return " and ".join(conditions)


def _rule(rule: Rule, prefixes: tuple[str, ...], facts: Facts, wanted: bool) -> str:
    count = (
        f"(select count(*) from events e where e.person = c.person and {_matching(rule, prefixes, facts)} "
        f"and e.start between c.day + {rule.first} and c.day + {rule.last})"
    )
    return f"{count} {'>=' if wanted else '<'} {rule.at_least}"


def _members(definition: Definition, relation: str) -> str:
    ends = ["period_end", "$to", f"case when m.death_day = {DAY_UNKNOWN} then 2147483646 else m.death_day end"]
    if definition.follow_up:
        ends.append(f"day + {definition.follow_up - 1}")
    return f"""
    select p.person, m.day as start, greatest(least({", ".join(ends)}), m.day) + 1 as "end"
    from (select * from {relation} qualify row_number() over (partition by person order by day) = 1) m
    join persons p on p.position = m.person order by p.person"""
