"""What is to be protected: inner cells, the tables over them, and what a policy makes sensitive in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.cubes.cube import Cube
from pipelines.disclosure.inner import Inner, Placed, place
from pipelines.disclosure.linked import joined
from pipelines.disclosure.memory.joint import Earlier, Past, joint
from pipelines.disclosure.policies import TablePolicy
from pipelines.disclosure.reading import read
from pipelines.disclosure.rules import nobody, rules, structural_zeros
from pipelines.disclosure.specification import Specification
from pipelines.disclosure.suppression.limits import Limits
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.disclosure.suppression.system import System, build
from pipelines.errors import DisclosureError
from pipelines.files.plain import harmless


@dataclass(frozen=True)
class Tied:
    """What ties the tables together, as suppression needs it.

    `atoms`: int64 (inner rows,), the variable of `system` that stands for each row of the certificate;
    `places`: for each table the position of each of these rows on its dimensions, int32 (inner rows,
    dimensions), -1 where it is not in it. `behind`: for each of `units` and `owners` that the policy asks
    for, who contributes to which of these rows. `earlier`: tables released before. `of_inner`: int64 (inner
    cells,), the row that each inner cell is part of, where nothing is remembered.
    """

    system: System
    atoms: np.ndarray
    places: tuple[np.ndarray, ...]
    behind: dict[str, dict[str, Any]]
    earlier: tuple[Earlier, ...] = ()
    of_inner: np.ndarray | None = None


@dataclass(frozen=True)
class Problem:
    """`folder`: of the specification, which its files are relative to. `placed`: each table with the place of
    each inner cell. `rules`: what is sensitive in each table. `past`: releases that are remembered, and the
    new one's persons in their terms."""

    specification: Specification
    folder: Path
    inner: Inner
    placed: list[Placed]
    rules: list[Sensitive]
    past: Past | None = None

    @property
    def cubes(self) -> tuple[Cube, ...]:
        """The tables."""
        return tuple(each.cube for each in self.placed)

    @cached_property
    def tied(self) -> Tied:
        """Built when it is first asked for: only suppression needs it."""
        inner, placed, policy = self.inner, self.placed, self.specification.policy
        if self.past is not None:
            together = joint(self.cubes, self.past, policy, self.rules)
            behind = _behind_persons(inner, policy, together.of_person)
            return Tied(together.system, together.atoms, together.places, behind, together.earlier)
        if len(placed) == 1:
            atoms, places = _leaves(placed[0])
            system = build(self.cubes, policy, self.rules)
            every: tuple[np.ndarray, ...] = (places,)
            of_inner = np.searchsorted(
                atoms, np.ravel_multi_index(tuple(placed[0].places.T), placed[0].cube.shape)
            )
        else:
            system, atoms, of_inner = joined(inner, placed, policy, self.rules)
            system = system.without(atoms[of_inner[nobody(placed, structural_zeros(placed, policy))]])
            first = np.unique(of_inner, return_index=True)[1]
            every = tuple(each.places[first] for each in placed)
        return Tied(system, atoms, every, _behind(inner, policy, of_inner), of_inner=of_inner)

    @property
    def system(self) -> System:
        """The variables and relations of all tables."""
        return self.tied.system

    def public(self) -> dict[str, Any]:
        """The policy as the proof states it: names and codes as the files print them."""
        zeros = structural_zeros(self.placed, self.specification.policy)
        return self.specification.public() | {
            "structural_zeros": [
                {harmless(name): list(map(harmless, codes)) for name, codes in each.items()} for each in zeros
            ]
        }

    def small(self) -> list[np.ndarray]:
        """For each table the cells that may not be shown as they are, bool (cells,)."""
        return [
            Limits.of(self.specification.policy, cube.cells, [np.arange(cube.cells)], [rule]).small(
                cube.measures["persons"]
            )
            | rule.unsafe
            for cube, rule in zip(self.cubes, self.rules, strict=True)
        ]


def prepare(path: Path, specification: Specification) -> Problem:
    """Read the inner cells that a specification names, relative to its own place, and place them in its
    tables.

    Raises DisclosureError where fewer people are counted than the minimum.
    """
    inner = read(path.parent / specification.table, specification)
    placed = [place(inner, name, layout) for name, layout in specification.layouts().items()]
    problem = Problem(specification, path.parent, inner, placed, rules(inner, placed, specification.policy))
    if int(inner.count.sum()) < specification.policy.minimum:
        raise DisclosureError(
            inner.path,
            "counts fewer people than the minimum: every cell would be hidden",
            "release nothing of it",
        )
    return problem


def counted(problem: Problem) -> dict[str, Any]:
    """How many cells, and how many of them small."""
    return {
        "tables": [
            {
                "table": cube.table,
                "cells": cube.cells,
                "small": int(small.sum()),
                "nobody": int((cube.measures["persons"] == 0).sum()),
            }
            for cube, small in zip(problem.cubes, problem.small(), strict=True)
        ],
    }


def _leaves(placed: Placed) -> tuple[np.ndarray, np.ndarray]:
    """Every finest cell of a cube, whether anybody stands in it or not."""
    grids = np.meshgrid(*[np.array(each.leaves) for each in placed.cube.dimensions], indexing="ij")
    places = np.stack([each.ravel() for each in grids], axis=1).astype(np.int32)
    return np.ravel_multi_index(tuple(places.T), placed.cube.shape), places


def _behind(inner: Inner, policy: TablePolicy, of_inner: np.ndarray) -> dict[str, dict[str, Any]]:
    found = {}
    for kind, rule in policy.contributors().items():
        pairs = inner.contributors[rule.column]
        found[kind] = {"inner": of_inner[pairs.cell], "who": [pairs.names[who] for who in pairs.who.tolist()]}
    return found


def _behind_persons(inner: Inner, policy: TablePolicy, of_person: np.ndarray) -> dict[str, dict[str, Any]]:
    found = {}
    for kind, rule in policy.contributors().items():
        names = inner.contributors[rule.column].names
        who = inner.persons.who[rule.column] if inner.persons else of_person
        pairs = np.unique(np.column_stack([of_person, who]), axis=0)
        found[kind] = {"inner": pairs[:, 0], "who": [names[each] for each in pairs[:, 1].tolist()]}
    return found
