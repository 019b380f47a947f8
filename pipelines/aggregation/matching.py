"""Events of a shard that a table, or a part of it, asks for."""

from __future__ import annotations

import numpy as np

from pipelines.files.frames import Category, Frame, take
from pipelines.files.schemas import KIND, SETTING
from pipelines.study.concepts import with_prefix
from pipelines.study.event_filter import EventFilter


def matching(events: Frame, asked: EventFilter) -> Frame:
    """Events with one of the prefixes, of the kind, in one of the settings and in primary position, as far as
    each is asked for. `events`: columns of SHARD_EVENTS; their order stays."""
    keep = np.ones(len(events["person"]), bool)
    if asked.codes and isinstance(concept := events["concept"], Category):
        keep &= with_prefix(concept, asked.codes)
    if asked.kind is not None:
        keep &= np.asarray(events["kind"]) == KIND[asked.kind]
    if asked.setting:
        keep &= np.isin(np.asarray(events["setting"]), [SETTING[name] for name in asked.setting])
    if asked.primary:
        keep &= np.asarray(events["position"]) == 1
    return take(events, np.flatnonzero(keep))


def new(events: Frame, washout: int) -> np.ndarray:
    """Events of persons who had none in the `washout` days before, the first of its day; bool (n,). `events`:
    by person and start."""
    person, day = np.asarray(events["person"]), np.asarray(events["start"], np.int64)
    later = np.append(False, (np.diff(person) == 0) & (np.diff(day) <= washout))[: len(day)]
    return ~later
