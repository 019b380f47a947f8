"""Members by the time to their first event and by what it was: a grid of which life tables are made after
protection."""

from __future__ import annotations

import numpy as np

from kernels.exits import NEVER, exit_bands, first_in_follow_up
from kernels.postings import row_starts
from pipelines.aggregation.matching import matching
from pipelines.cubes.cube import TOTAL, Dimension
from pipelines.files.frames import Frame, until_of
from pipelines.files.schemas import DAY_UNKNOWN
from pipelines.site.permit import Table
from pipelines.study.event_filter import EventFilter


def grid(table: Table) -> tuple[Dimension, Dimension]:
    """Bands of days since entry, and outcomes. Their names are the table's own: another table's outcome is
    another thing."""
    return grid_of(table, "Days since entry", words(table))


def grid_of(table: Table, title: str, about: str) -> tuple[Dimension, Dimension]:
    """Bands of days under a title, and outcomes, which `about` says more of."""
    bands = _bands(table)
    ends = [(band + 1) * _step(table) for band in range(bands)]
    spans = [f"{end - _step(table)}-{end - 1}" for end in ends] + [f"{bands * _step(table)}+"]
    suffix = table.table.replace("-", "_")
    follow_up = Dimension(
        name=f"days_{suffix}",
        title=title,
        codes=("", *spans),
        labels=(TOTAL, *(f"{span} days" for span in spans)),
        parents=(-1, *[0] * len(spans)),
        levels=(TOTAL, "days"),
        role="follow_up",
        values=(0, *ends, 0),
    )
    names = {
        "event": "Event",
        **({"competing": "Competing"} if table.competing else {}),
        "censored": "Neither",
    }
    outcome = Dimension(
        name=f"outcome_{suffix}",
        title="Outcome",
        codes=("", *names),
        labels=(TOTAL, *names.values()),
        parents=(-1, *[0] * len(names)),
        levels=(TOTAL, "outcome"),
        role="outcome",
        about=about,
    )
    return follow_up, outcome


def words(table: Table) -> str:
    """What is waited for, in words."""
    death = " or death" if table.or_death else ""
    said = [*table.codes, *([table.kind] if table.kind else []), *table.setting]
    asked = ", ".join([*said, *(["primary position"] if table.primary else [])])
    event = f"first event of {asked}{death}" if asked else "death"
    if table.competing:
        event += (
            ", in competition with "
            f"{table.competing if isinstance(table.competing, str) else ', '.join(table.competing)}"
        )
    return event


def places(
    table: Table, members: Frame, member: np.ndarray, persons: Frame, events: Frame
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of each member in the two dimensions of `grid`: int32 (n,) each.

    `member`: int32 (n,), position of each of `members` (schema MEMBERS) among `persons`. `events`: by person
    and start.
    """
    start, until = np.asarray(members["start"], np.int32), until_of(members)
    never = np.full(len(start), NEVER, np.int32)

    def first(found: Frame) -> np.ndarray:
        offsets = row_starts(np.asarray(found["person"]), len(persons["person"]))
        return first_in_follow_up(member, start, until, offsets, np.asarray(found["start"]))

    death = np.asarray(persons["death_day"])[member]
    death = np.where((death != DAY_UNKNOWN) & (death >= start) & (death < until), death, never).astype(
        np.int32
    )
    event = first(matching(events, table)) if table.names_some else never
    if table.or_death:
        event = np.minimum(event, death)
    competing = never
    if table.competing == "death":
        competing = death
    elif table.competing:
        competing = first(matching(events, EventFilter(codes=table.competing)))
    band, outcome = exit_bands(start, until, event, competing, _step(table), _bands(table))
    last = 2 if table.competing else 1
    return band + 1, np.minimum(outcome, last).astype(np.int32) + 1


def _step(table: Table) -> int:
    return table.step or 1


def _bands(table: Table) -> int:
    return (table.until or 1) // _step(table)
