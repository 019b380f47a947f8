"""The words for each step of a cohort's attrition."""

from __future__ import annotations

from pipelines.cohort.query import Cohort


def steps(cohort: Cohort) -> tuple[str, ...]:
    """What holds of the persons left after each step, as `Results.attrition` counts them."""
    observed = f"are observed, with {cohort.prior_days} days before"
    if cohort.post_days:
        observed += f" and {cohort.post_days} after"
    additional = ("meet the conditions on the entry event",) if cohort.additional is not None else ()
    return (
        "have an entry event" if cohort.calendar is None else "are observed on an index day",
        observed,
        *additional,
        *(rule.name or f"meet rule {at + 1}" for at, rule in enumerate(cohort.rules)),
    )
