"""Which controls stand beside members in tables: as many as tell of no few cases.

Whoever knows how many cases and how many controls there are, and how many a case may have, knows how many
places for controls are empty. So few that fewer cases than the minimum could lack a control are made more.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from kernels.hashing import hash_integers
from pipelines.cubes.cube import CONTROLS_OF, RATIO, Cube, places_of_few
from pipelines.files.frames import Frame, array, take
from pipelines.study.design import Controls


def shown(controls: Frame, cases: int, asked: Controls, minimum: int) -> Frame:
    """Those of `controls` (schema CONTROLS) that are counted in tables, in their order: all, or without the
    last by the hash of their person, so that as many places are empty as `places_of_few` says. `cases`: all
    members, with and without controls."""
    person = array(controls, "person")
    empty, least = asked.ratio * cases - len(person), places_of_few(asked.ratio, minimum) + 1
    if empty == 0 or empty >= least:
        return controls
    key = hashlib.blake2b(f"uttag shown controls {asked.seed}".encode(), digest_size=16).digest()
    order = np.lexsort((person, hash_integers(person, key)))
    kept = order[: max(0, len(person) - (least - empty))]
    return take(controls, np.sort(kept))


def among(controls: Frame, person: np.ndarray) -> Frame:
    """Controls by person, those of a shard alone. `person`: int64 (n,), of the shard."""
    rows = np.flatnonzero(np.isin(array(controls, "person"), person))
    return take(controls, rows[np.argsort(array(controls, "person")[rows], kind="stable")])


def named(cube: Cube, cases: str, asked: Controls) -> Cube:
    """The cube of controls with what is known of it: whose they are, and how many each may have."""
    who = (
        f"controls of the cohort, at most {asked.ratio} for each member, each counted once, classified on "
        "the index day of their case"
    )
    notes = {**cube.notes, "persons": who, CONTROLS_OF: cases, RATIO: str(asked.ratio)}
    return replace(cube, notes=notes)
