"""The words for each step of a cohort's attrition."""

from __future__ import annotations

from pipelines.cohort.query import Cohort


def steps(cohort: Cohort) -> tuple[str, ...]:
    """What holds of the persons left after each step, as `Results.attrition` counts them."""
    around = [f"{cohort.prior_days} days before"] if cohort.prior_days else []
    around += [f"{cohort.post_days} after"] if cohort.post_days else []
    observed = f"are observed, with {' and '.join(around)}" if around else "are observed on that day"
    additional = ("meet the conditions on the entry event",) if cohort.additional is not None else ()
    return (
        "have an entry event" if cohort.calendar is None else "are observed on an index day",
        observed,
        *additional,
        *(rule.name or f"meet rule {at + 1}" for at, rule in enumerate(cohort.rules)),
    )
