"""Steps between the states that a person is in on days with an event: levels of care, or states that the
permit names by codes."""

from __future__ import annotations

import numpy as np

from pipelines.cubes.cube import TOTAL, Dimension
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import NO_CATEGORY, SETTINGS
from pipelines.site.permit import Table
from pipelines.study.codes import covers

# Of several levels on one day, the first of these counts.
_LEVELS = {
    "inpatient": "Inpatient",
    "emergency": "Emergency",
    "outpatient": "Specialised outpatient",
    "primary": "Primary care",
    "unknown": "Level not said",
}
_NONE = 2**15 - 1


def grid(table: Table) -> tuple[Dimension, Dimension]:
    """The state before and the state after."""
    named = _LEVELS if not isinstance(table.states, dict) else {name: name for name in table.states}
    codes, labels, parents = ("", *named), (TOTAL, *named.values()), (-1, *[0] * len(named))
    return (
        Dimension(
            name="from_state",
            title="From",
            codes=codes,
            labels=labels,
            parents=parents,
            levels=(TOTAL, "state"),
            role="state",
        ),
        Dimension(
            name="to_state",
            title="To",
            codes=codes,
            labels=labels,
            parents=parents,
            levels=(TOTAL, "state"),
            role="state",
        ),
    )


def changes(table: Table, events: Frame) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Steps from one day with a state to the person's next: person int32 (n,), day int32 (n,) of the latter,
    and positions in the two dimensions of `grid`. A step may lead to the same state. `events`: by person and
    start. A day has one state: of those of its events the one named first."""
    state = _states(table, events)
    known = np.flatnonzero(state != _NONE)
    person, day, state = np.asarray(events["person"])[known], np.asarray(events["start"])[known], state[known]
    begins = np.flatnonzero(np.append(True, (np.diff(person) != 0) | (np.diff(day) != 0))[: len(person)])
    of_day = np.minimum.reduceat(state, begins) if len(begins) else state
    person, day = person[begins], day[begins]
    later = np.flatnonzero(np.diff(person) == 0) + 1
    return (
        person[later],
        day[later],
        ((of_day[later - 1] + 1).astype(np.int32), (of_day[later] + 1).astype(np.int32)),
    )


def _states(table: Table, events: Frame) -> np.ndarray:
    """The state of each event, int64 (n,), from 0 in the order of `grid`, `_NONE` if it has none."""
    if not isinstance(table.states, dict):
        place = np.array([list(_LEVELS).index(setting) for setting in SETTINGS], np.int64)
        return place[np.asarray(events["setting"])]
    concept = events["concept"]
    if not isinstance(concept, Category):
        return np.full(len(np.asarray(events["person"])), _NONE, np.int64)
    target = np.array([_named(label, table.states) for label in concept.labels] + [_NONE], np.int64)
    return target[np.where(concept.places == NO_CATEGORY, len(concept.labels), concept.places)]


def _named(label: str, states: dict[str, tuple[str, ...]]) -> int:
    """The state with the longest of the label's prefixes, the first of those."""
    found = [
        (len(prefix), -place)
        for place, prefixes in enumerate(states.values())
        for prefix in prefixes
        if covers(prefix, label)
    ]
    return -max(found)[1] if found else _NONE
