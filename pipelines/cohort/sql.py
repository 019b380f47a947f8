"""A definition in SQL over OMOP tables: slow, plain, and apart from the other engine, which must give the
same.

Rows are OHDSI's: `cohort`, and how many events met which inclusion rules. Events of one person are numbered
by (day, row id, place among the entry criteria, first and last day of the observation period); wherever a
rule leaves a choice between events of a day, the lowest number wins.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.cohort import given
from pipelines.cohort.domains import DOMAINS
from pipelines.cohort.duck import Connection, columns, columns_of_tables, execute
from pipelines.cohort.query import (
    INDEX_DAY,
    Cohort,
    ConceptSet,
    Criterion,
    CustomEra,
    DateOffset,
    Limit,
    SetId,
)
from pipelines.cohort.results import Results
from pipelines.cohort.sql_events import (
    BIRTH,
    Steps,
    in_period,
    literal_day,
    literal_text,
    where,
)
from pipelines.cohort.sql_given import index_days
from pipelines.cohort.uses import concept_sets
from pipelines.errors import DataError
from pipelines.study.codes import is_whole

_MODES = ("qualified_events", "best_events")
_DAY = "CAST({} - DATE '1970-01-01' AS BIGINT)"


def run(cohort: Cohort, connection: Connection) -> Results:
    """Stays, inclusion statistics and attrition. `connection`: of `duck.connect`, over OMOP tables.
    DataError: a table or column that the definition asks for is missing."""
    if cohort.calendar is not None:
        execute(connection, f"CREATE OR REPLACE TEMP TABLE {INDEX_DAY} AS {index_days(cohort.calendar)}")
    for name, query in statements(cohort, columns_of_tables(connection)).items():
        execute(connection, f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def asked(query: str) -> list[np.ndarray]:
        return [np.asarray(column, np.int64) for column in columns(connection, query).values()]

    stays = asked("SELECT subject_id, cohort_start_date, cohort_end_date FROM stays_in_window ORDER BY ALL")
    all_events, best = (
        dict(zip(*(each.tolist() for each in asked(_masked(table))), strict=True)) for table in _MODES
    )
    lost = (
        "SELECT (SELECT count(DISTINCT person) FROM stays) - (SELECT count(DISTINCT subject_id) FROM "
        "stays_in_window) AS lost"
    )
    windowed = cohort.censor_window != (None, None)
    return Results(
        person=stays[0],
        start=stays[1],
        end=stays[2],
        masks=(all_events, best),
        lost=int(asked(lost)[0][0]) if windowed else None,
        rules=len(cohort.rules),
        attrition=tuple(int(asked(query)[0][0]) for query in _attrition(cohort)),
        by_year=int(asked(_BY_YEAR)[0][0]) if cohort.asks_birthday else 0,
    )


def _attrition(cohort: Cohort) -> list[str]:
    """Queries for how many persons are left after each step."""
    ever_observed = "WHERE person IN (SELECT person_id FROM observation_period)"
    left = [
        f"SELECT count(DISTINCT person) AS n FROM {table}"
        for table in (f"found_events {ever_observed}", "entry_events")
    ]
    if cohort.additional is not None:
        left.append("SELECT count(DISTINCT person) AS n FROM qualified_events")
    met = (
        "(SELECT count(*) FROM rules_met AS r WHERE r.person = q.person AND r.event = q.event AND r.rule "
        "< {number})"
    )
    numbers = range(1, len(cohort.rules) + 1)
    return left + [
        f"SELECT count(DISTINCT q.person) AS n FROM qualified_events AS q WHERE {number} = "
        f"{met.format(number=number)}"
        for number in numbers
    ]


def statements(cohort: Cohort, tables: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """The queries that build a cohort, by the name of the table each fills, in order. `tables`: columns of
    each. DataError: a table without which no cohort is found is not there."""
    numbers = {id: place for place, id in enumerate(cohort.sets)}
    sets = {id: cohort.sets[id] for id in concept_sets(cohort)}
    needed = (
        "observation_period",
        *(["concept"] if any(each.items for each in sets.values()) else []),
    )
    for table in needed:
        if table not in tables:
            raise DataError(table, "is not there", "add the table: no cohort is found without it")

    def steps() -> Steps:
        return Steps(tables, numbers)

    return {
        "concept_sets": _concept_sets(sets, numbers, tables, given.numbers(cohort.others)),
        "found_events": _found(cohort, steps()),
        "entry_events": _entered(cohort),
        "qualified_events": _qualified(cohort, steps()),
        "rules_met": _rules_met(cohort, steps()),
        "included_events": _included(cohort),
        "cohort_ends": _ends(cohort, steps(), tables),
        "stays": _stays(cohort),
        "stays_in_window": _windowed(cohort),
        "best_events": _BEST,
    }


def _concept_sets(
    sets: Mapping[SetId, ConceptSet],
    numbers: Mapping[SetId, int],
    tables: Mapping[str, frozenset[str]],
    others: Mapping[str, int],
) -> str:
    """Concepts of each set. `others`: of stays in the other cohorts, by label."""
    found = [_named(sets, numbers, tables)]
    for id, each in sets.items():
        if str(id) in others:
            found.append(f"SELECT {numbers[id]} AS number, {others[str(id)]} AS concept")
        elif each.prefixes:
            found.append(_coded(each, numbers[id], tables))
    return " UNION ALL ".join(f"({query})" for query in found)


def _coded(codes: ConceptSet, number: int, tables: Mapping[str, frozenset[str]]) -> str:
    """Codes by SYSTEM/CODE or its beginning: those of a shard, or of a vocabulary, where they are written
    without dots."""
    label, concept = "label", "concept"
    if "codes" not in tables:
        label, concept = "vocabulary_id || '/' || trim(replace(concept_code, '.', ''))", "concept_id"
    fits, unfit = (
        " OR ".join(
            f"{label} = {literal_text(prefix)}"
            if is_whole(prefix)
            else f"starts_with({label}, {literal_text(prefix)})"
            for prefix in prefixes
        )
        or "false"
        for prefixes in (codes.prefixes, codes.without)
    )
    table = "codes" if "codes" in tables else "concept"
    return f"SELECT {number} AS number, {concept} AS concept FROM {table} WHERE ({fits}) AND NOT ({unfit})"


def _named(
    sets: Mapping[SetId, ConceptSet], numbers: Mapping[SetId, int], tables: Mapping[str, frozenset[str]]
) -> str:
    """Those named, descendants that are valid, and, where asked, what maps to any of these; less what is
    excluded."""
    rows = [
        f"({numbers[id]}, {int(item.concept)}, {item.excluded}, {item.descendants}, {item.mapped})"
        for id, each in sets.items()
        for item in each.items
    ]
    if not rows:
        return "SELECT -1 AS number, -1 AS concept WHERE false"
    items = f"(VALUES {', '.join(rows)}) AS v(number, concept, excluded, descendants, mapped)"
    descendants = """
        UNION SELECT i.number, c.concept_id, i.excluded, i.mapped FROM items AS i
        JOIN concept_ancestor AS a ON a.ancestor_concept_id = i.concept
        JOIN concept AS c ON c.concept_id = a.descendant_concept_id AND c.invalid_reason IS NULL
        WHERE i.descendants"""
    mapped = """
        UNION SELECT r.number, m.concept_id_1, r.excluded FROM reached AS r
        JOIN concept_relationship AS m ON m.concept_id_2 = r.concept AND m.relationship_id = 'Maps to'
            AND m.invalid_reason IS NULL
        WHERE r.mapped"""
    return f"""
        WITH items AS MATERIALIZED (SELECT * FROM {items}),
        reached AS MATERIALIZED (
            SELECT i.number, c.concept_id AS concept, i.excluded, i.mapped
            FROM items AS i JOIN concept AS c ON c.concept_id = i.concept
            {descendants if "concept_ancestor" in tables else ""}
        ),
        everything AS MATERIALIZED (
            SELECT number, concept, excluded FROM reached {mapped if "concept_relationship" in tables else ""}
        )
        SELECT number, concept FROM everything WHERE NOT excluded
        EXCEPT SELECT number, concept FROM everything WHERE excluded"""


def _ordinal(limit: Limit) -> str:
    return (
        "row_number() OVER (PARTITION BY person ORDER BY start_date "
        f"{'DESC' if limit == 'last' else 'ASC'}, event)"
    )


def _found(cohort: Cohort, steps: Steps) -> str:
    """Events of every entry criterion."""
    return steps.ending_with(
        " UNION ALL ".join(
            f"SELECT person, event, start_date, end_date, sort_date, visit, {place} AS place FROM "
            f"{steps.events(each)}"
            for place, each in enumerate(cohort.entry)
        )
    )


def _entered(cohort: Cohort) -> str:
    """Of these, the ones observed long enough, numbered."""
    direction = "DESC" if cohort.entry_limit == "last" else "ASC"
    order = f"sort_date {direction}, event, place, period_start, period_end, end_date, visit"
    numbered = f"""
        SELECT person, start_date, end_date, visit, period_start, period_end,
            row_number() OVER (PARTITION BY person ORDER BY {order}) AS event
        FROM ({in_period("found_events", cohort.prior_days, cohort.post_days)})"""
    return numbered if cohort.entry_limit == "all" else f"SELECT * FROM ({numbered}) WHERE event = 1"


def _qualified(cohort: Cohort, steps: Steps) -> str:
    """Of these, the ones that meet the conditions on them."""
    if cohort.additional is None:
        return "SELECT * FROM entry_events"
    fulfilled = steps.group(cohort.additional, "entry_events")
    limited = "" if cohort.qualified_limit == "all" else f"QUALIFY {_ordinal(cohort.qualified_limit)} = 1"
    return steps.ending_with(
        f"SELECT e.* FROM entry_events AS e JOIN {fulfilled} USING (person, event) {limited}"
    )


def _rules_met(cohort: Cohort, steps: Steps) -> str:
    """Which qualified event met which rule."""
    met = [
        f"SELECT DISTINCT {place} AS rule, person, event FROM {steps.group(rule.group, 'qualified_events')}"
        for place, rule in enumerate(cohort.rules)
    ]
    nothing = "SELECT 0 AS rule, person, event FROM qualified_events WHERE false"
    return steps.ending_with(" UNION ALL ".join(met or [nothing]))


def _included(cohort: Cohort) -> str:
    """Qualified events that met every rule."""
    limited = "" if cohort.limit == "all" else f"QUALIFY {_ordinal(cohort.limit)} = 1"
    kept = f"""
        SELECT q.* FROM qualified_events AS q
        WHERE {len(cohort.rules)} = (
            SELECT count(*) FROM rules_met AS r WHERE r.person = q.person AND r.event = q.event
        )
        {limited}"""
    return _spaced(kept, cohort.spacing) if cohort.spacing else kept


def _spaced(kept: str, days: int) -> str:
    """Each person's first event, then, again and again, the first that begins at least `days` after the last
    one taken."""
    following = "ORDER BY k.start_date, k.event"
    return f"""
        WITH RECURSIVE kept AS MATERIALIZED ({kept}), taken AS (
            SELECT * FROM kept QUALIFY row_number() OVER (PARTITION BY person ORDER BY start_date, event) = 1
            UNION ALL
            SELECT k.* FROM taken AS t
            JOIN kept AS k ON k.person = t.person AND k.start_date >= t.start_date + {int(days)}
            QUALIFY row_number() OVER (PARTITION BY k.person {following}) = 1
        ) SELECT * FROM taken"""


def _ends(cohort: Cohort, steps: Steps, tables: Mapping[str, frozenset[str]]) -> str:
    """Days on which an included event's stay may end."""
    ends = ["SELECT person, event, period_end AS end_date FROM included_events"]
    if isinstance(cohort.exit, DateOffset):
        day = f"{cohort.exit.of}_date + ({int(cohort.exit.days)})"
        ends = [
            f"SELECT person, event, CASE WHEN {day} > period_end THEN period_end ELSE {day} END AS end_date "
            "FROM included_events"
        ]
    elif isinstance(cohort.exit, CustomEra):
        eras = _eras(cohort.exit, steps, tables)
        ends.append(
            f"""SELECT i.person, i.event, e.end_date FROM included_events AS i
            JOIN {eras} AS e ON e.person = i.person AND i.start_date BETWEEN e.start_date AND e.end_date"""
        )
    for criterion in cohort.censoring:
        ends.append(
            f"""SELECT i.person, i.event, c.start_date AS end_date FROM included_events AS i
            JOIN {steps.events(criterion)} AS c
            ON c.person = i.person AND c.start_date BETWEEN i.start_date AND i.period_end"""
        )
    return steps.ending_with(" UNION ALL ".join(ends))


def _eras(asked: CustomEra, steps: Steps, tables: Mapping[str, frozenset[str]]) -> str:
    """Eras of exposure, by the exposures' own or their source's concept; gap and offset are added, then only
    the gap taken off."""
    about = DOMAINS[asked.domain]
    criteria = [
        Criterion(asked.domain, concepts=asked.drugs),
        *([Criterion(asked.domain, source_concepts=asked.drugs)] if about.source else []),
    ]
    end = "end_date" if asked.days_supply is None else f"start_date + ({int(asked.days_supply)})"
    exposures = " UNION ALL ".join(
        f"SELECT person, start_date, {end} + ({int(asked.gap) + int(asked.offset)}) AS end_date FROM "
        f"{steps.events(each)}"
        for each in criteria
    )
    return steps.add("eras", _merged(f"({exposures})", int(asked.gap)))


def _merged(periods: str, pad: int) -> str:
    """Periods of a person that meet or overlap as one, then `pad` days shorter."""
    return f"""
        SELECT person, min(start_date) AS start_date, max(end_date) - {pad} AS end_date
        FROM (
            SELECT *, sum(begins) OVER (
                PARTITION BY person ORDER BY start_date, begins DESC ROWS UNBOUNDED PRECEDING
            ) AS era
            FROM (
                SELECT *, CASE WHEN max(end_date) OVER (
                    PARTITION BY person ORDER BY start_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) >= start_date THEN 0 ELSE 1 END AS begins
                FROM {periods}
            )
        )
        GROUP BY person, era"""


def _stays(cohort: Cohort) -> str:
    """The earliest end on or after each start, and stays that are at most the pad apart as one."""
    pad = int(cohort.era_pad)
    first = f"""(
        SELECT i.person, i.start_date, min(e.end_date) + {pad} AS end_date
        FROM included_events AS i
        JOIN cohort_ends AS e ON e.person = i.person AND e.event = i.event AND e.end_date >= i.start_date
        GROUP BY i.person, i.event, i.start_date)"""
    return _merged(first, pad)


def _windowed(cohort: Cohort) -> str:
    """Stays, cut to the censor window."""
    first, last = (None if day is None else literal_day(day) for day in cohort.censor_window)
    start = "start_date" if first is None else f"greatest(start_date, {first})"
    end = "end_date" if last is None else f"least(end_date, {last})"
    return f"""
        SELECT
            person AS subject_id,
            {_DAY.format(start)} AS cohort_start_date,
            {_DAY.format(end)} AS cohort_end_date
        FROM stays {where([f"{start} <= {end}"] if first or last else [])}"""


# The event of each person that met the most rules, then the lowest one, then the earliest.
_BEST = """
    SELECT q.person, q.event FROM qualified_events AS q LEFT JOIN rules_met AS r USING (person, event)
    GROUP BY q.person, q.event, q.start_date
    QUALIFY row_number() OVER (
        PARTITION BY q.person ORDER BY count(r.rule) DESC, min(r.rule), q.start_date, q.event
    ) = 1"""


# Persons of whom the rules were asked with no birthday but a year of birth.
_BY_YEAR = f"""
    SELECT count(DISTINCT q.person) AS n FROM qualified_events AS q
    JOIN person AS of_person ON of_person.person_id = q.person
    WHERE of_person.year_of_birth IS NOT NULL AND {BIRTH} IS NULL"""


def _masked(table: str) -> str:
    """Events by the rules they met: bit r is rule r."""
    return f"""
        SELECT mask, count(*) AS events FROM (
            SELECT e.person, e.event, coalesce(bit_or(CAST(1 AS BIGINT) << r.rule), 0) AS mask
            FROM {table} AS e LEFT JOIN rules_met AS r USING (person, event) GROUP BY e.person, e.event
        ) GROUP BY mask"""
