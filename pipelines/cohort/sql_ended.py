"""Why each stay ends, in SQL: apart from the other engine, which must give the same."""

from __future__ import annotations

from pipelines.cohort.query import Cohort, CustomEra
from pipelines.cohort.sql_events import Steps, literal_day
from pipelines.files.schemas import ENDS


def why_ended(cohort: Cohort, steps: Steps) -> str:
    """A query of the positions in ENDS, by person, first and last day of each stay. It reads
    `stays_in_window`, `observation_period` and the `death_date` of `person`."""
    day = "DATE '1970-01-01' + CAST(s.cohort_end_date AS INTEGER)"
    last = cohort.censor_window[1]
    censored = [
        f"EXISTS (SELECT 1 FROM {steps.events(each)} AS c WHERE c.person = s.subject_id AND c.start_date = "
        f"{day})"
        for each in cohort.censoring
    ]
    observed = (
        "EXISTS (SELECT 1 FROM observation_period AS o WHERE o.person_id = s.subject_id AND "
        f"CAST(o.observation_period_end_date AS DATE) = {day})"
    )
    holds = {
        "death": "EXISTS (SELECT 1 FROM person AS p WHERE p.person_id = s.subject_id AND "
        f"p.death_date = {day})",
        "censored": " OR ".join(censored) or "false",
        "study_end": "false" if last is None else f"{day} = {literal_day(last)}",
        "moved": observed,
    }
    cases = " ".join(f"WHEN {condition} THEN {ENDS.index(name)}" for name, condition in holds.items())
    by_rule = ENDS.index("exposure_end" if isinstance(cohort.exit, CustomEra) else "follow_up")
    return steps.ending_with(
        f"SELECT CAST(CASE {cases} ELSE {by_rule} END AS BIGINT) AS ended FROM stays_in_window AS s "
        "ORDER BY s.subject_id, s.cohort_start_date, s.cohort_end_date"
    )
