"""Index days that are no events, in SQL over OMOP tables: apart from the other engine, which must give the
same."""

from __future__ import annotations

from pipelines.cohort.query import Calendar
from pipelines.cohort.sql_events import as_date, literal_day

_FIRST, _LAST = (as_date(f"o.observation_period_{side}_date") for side in ("start", "end"))


def index_days(asked: Calendar) -> str:
    """A query of the calendar's days on which each person is observed, as a table of domain `INDEX_DAY`."""
    days = _fixed(asked) if asked.days else _begun(asked)
    return f"""SELECT person_id, row_number() OVER (ORDER BY person_id, day) AS row,
        CAST(NULL AS BIGINT) AS concept, day AS start, day AS "end"
        FROM (SELECT DISTINCT person_id, day FROM ({days}))"""


def _fixed(asked: Calendar) -> str:
    listed = ", ".join(f"({literal_day(day)})" for day in asked.days)
    return f"""SELECT o.person_id, d.day FROM observation_period AS o
        JOIN (VALUES {listed}) AS d(day) ON d.day BETWEEN {_FIRST} AND {_LAST}"""


def _begun(asked: Calendar) -> str:
    """The first day of each period, and again after so many days."""
    first, last = literal_day(asked.first), literal_day(asked.last)
    joined = "LEFT JOIN person AS p ON p.person_id = o.person_id" if asked.age else ""
    of_age = f", {_of_age(asked.age, first)}" if asked.age else ""
    begun = f"""SELECT o.person_id, greatest({_FIRST} + {int(asked.prior)}, {first}{of_age}) AS begins,
        least({_LAST}, {last}) AS ends FROM observation_period AS o {joined}"""
    if not asked.every:
        return f"SELECT person_id, begins AS day FROM ({begun}) WHERE begins <= ends"
    steps = f"generate_series(begins, ends, INTERVAL {int(asked.every)} DAY)"
    return f"SELECT person_id, CAST(unnest({steps}) AS DATE) AS day FROM ({begun}) WHERE begins <= ends"


def _of_age(years: int, otherwise: str) -> str:
    """The day on which the person reaches an age: 1 March for 29 February in other years; 1 January where the
    year of birth alone is known; another day where it is not either."""

    def day(year: str) -> str:
        return f"TRY_CAST(({year}) || '-' || p.month_of_birth || '-' || p.day_of_birth AS DATE)"

    reached = f"p.year_of_birth + {int(years)}"
    march, january = (f"TRY_CAST(({reached}) || '-{month}-1' AS DATE)" for month in (3, 1))
    unknown = f"{day('p.year_of_birth')} IS NULL"
    known = f"coalesce({day(reached)}, {march})"
    return f"CASE WHEN {unknown} THEN coalesce({january}, {otherwise}) ELSE {known} END"
