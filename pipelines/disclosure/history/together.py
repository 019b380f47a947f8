"""New tables and all earlier ones that show nearly the same people, as one system.

Every cell of each of these tables is a variable, and so is every cell of the groups into which the persons of
two tables fall (`pairs`): who is in the one and not in the other. A cell is the sum of who stands alike in
both tables and who stands in it alone; cells of the very same people are one variable, so that they have one
status everywhere. What earlier tables show is known; what they hide for what is in it has to stay uncertain,
and so has every group of fewer than the minimum that two tables tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipelines.cubes.cube import PERSON_COUNTS, Cube
from pipelines.cubes.policy import Policy
from pipelines.disclosure.history.groups import Group, Rows, marks_of
from pipelines.disclosure.history.pairs import Counted, Pair, compared
from pipelines.disclosure.suppression.bounds import UNBOUNDED
from pipelines.disclosure.suppression.limits import Limits, reach
from pipelines.disclosure.suppression.relations import Relations, relate, same_person
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.disclosure.suppression.system import System
from pipelines.disclosure.suppression.variables import merged, room_of, variables_of
from pipelines.errors import DisclosureError

MOST = 12_000  # variables of a system
_APART = 10  # times as many before those that are one are told


@dataclass(frozen=True)
class Released:
    """An earlier table. `release`: number of what it went out with. `hidden`: bool (cells,). `sensitive`:
    bool (cells,), hidden because of what is in them. `fixed`: nothing of it is taken to be uncertain."""

    counted: Counted
    release: int
    hidden: np.ndarray
    sensitive: np.ndarray
    fixed: bool = False


def system_of(
    new: Sequence[Counted],
    earlier: Sequence[Released],
    policy: Policy,
    rules: Sequence[Sensitive] = (),
) -> System:
    """The system of new tables beside earlier ones.

    Raises `DisclosureError` where it would be too large to be proved.
    """
    return _Builder(new, earlier, policy, rules).system()


class _Builder:
    def __init__(
        self,
        new: Sequence[Counted],
        earlier: Sequence[Released],
        policy: Policy,
        rules: Sequence[Sensitive],
    ) -> None:
        self.new, self.earlier, self.policy, self.rules = new, earlier, policy, rules
        self.size = 0
        self.cubes: list[Cube] = []
        self.cells: list[np.ndarray] = []
        self.same: list[np.ndarray] = []  # int64 (2, k): pairs of variables that are one
        self.known: dict[object, np.ndarray] = {}  # variables of what shows the very same people alike
        self.sums: list[np.ndarray] = []  # int64 (3, k): part, part and whole
        self.needed: list[np.ndarray] = []
        self.unsafe: list[np.ndarray] = []
        self.closed: list[np.ndarray] = []

    def system(self) -> System:
        self._tables(self.new)
        for release in sorted({each.release for each in self.earlier}):
            self._tables([each.counted for each in self.earlier if each.release == release])
        self.earlier = sorted(self.earlier, key=lambda each: each.release)
        tables = [*self.new, *(each.counted for each in self.earlier)]
        for one, other in combinations(range(len(tables)), 2):
            if self._release(one) == self._release(other):
                continue  # tables of one release are one system by themselves
            if pair := compared(tables[one], tables[other], self.policy.minimum):
                self._pair(pair, tables[one].kind, one, other)
        return self._assembled()

    def _release(self, table: int) -> int:
        """The release of a table, by its place; 0 for the new one."""
        return 0 if table < len(self.new) else self.earlier[table - len(self.new)].release

    def _tables(self, tables: Sequence[Counted]) -> None:
        cubes = [each.cube for each in tables]
        cells, size = variables_of(cubes)
        cells = [each + self.size for each in cells]
        self.cubes += cubes
        self.cells += cells
        self._grow(size)
        for each, own in zip(tables, cells, strict=True):
            rows = Rows(each.standing.person, each.standing.cell, each.standing.amount)
            self._alike(each.kind, each.cube, marks_of(rows, each.cube.dimensions), own)

    def _grow(self, size: int) -> int:
        first, self.size = self.size, self.size + size
        _bounded(self.size, _APART * MOST)
        return first

    def _pair(self, pair: Pair, kind: str, one: int, other: int) -> None:
        tables = ((pair.one, self.cells[one]), (pair.other, self.cells[other]))
        parts = [None if side.only is None else self._group(kind, side.only) for side, _ in tables]
        within = [cells[side.cells] for side, cells in tables]
        inner = [its for its, part in zip(within, parts, strict=True) if part is None]
        if pair.plain and inner:  # the one lies within the other
            both = [inner[0]] * 2
        elif pair.alike is None:
            return
        else:
            alike = self._group(kind, pair.alike)
            both = [alike[side.alike] for side, _ in tables]
        for whole, part, its in zip(within, parts, both, strict=True):
            if part is not None:
                self.sums.append(np.stack([its, part, whole]))
            elif its is not whole:
                self.same.append(np.stack([its, whole]))
        own, beside = self.cells[one][pair.one.shared], self.cells[other][pair.other.shared]
        self.same.append(np.stack([own, beside])[:, (pair.differ == 0) & (pair.same > 0)])
        if one < len(self.new):
            hidden = self.earlier[other - len(self.new)].hidden[pair.other.shared]
            few = (pair.differ > 0) & (pair.differ < self.policy.minimum) & ~hidden
            self.unsafe.append(own[few])

    def _group(self, kind: str, group: Group) -> np.ndarray:
        """Variables of a cube that nobody publishes: int64 (cells,)."""
        cube, first = group.cube, self._grow(group.cube.cells)
        variables = np.arange(first, self.size)
        self.cubes.append(cube)
        self.cells.append(variables)
        persons = cube.measures["persons"]
        self._alike(kind, cube, group.marks, variables)
        self.closed.append(variables[group.closed])
        self.needed.append(variables[(persons > 0) & (persons < self.policy.minimum)])
        return variables

    def _alike(self, kind: str, cube: Cube, marks: np.ndarray, variables: np.ndarray) -> None:
        """What has the very same people in every cell is one: the men of everybody without the women."""
        shape = tuple((each.name, each.codes) for each in cube.dimensions)
        known = self.known.setdefault((kind, shape, marks.tobytes()), variables)
        if known is not variables:
            self.same.append(np.stack([known, variables]))

    # ---- as one ------------------------------------------------------------------------------------------

    def _assembled(self) -> System:
        number = _numbered(self.size, self.same)
        size = int(number.max(initial=-1)) + 1
        _bounded(size, MOST)
        cells = [number[each] for each in self.cells]
        people = np.zeros(size, np.int64)
        for cube, own in zip(self.cubes, cells, strict=True):
            people[own] = cube.measures["persons"]
        published = np.zeros(size, bool)
        published[np.concatenate(cells[: len(self.new)])] = True
        shown, hidden, needed = self._before(number, cells, size)
        apart = np.isin(np.arange(size), number[_joined(self.needed)])
        cubes = [each.cube for each in self.new]
        limits = Limits.of(self.policy, size, cells[: len(cubes)], self.rules)
        unsafe = np.isin(np.arange(size), number[_joined(self.unsafe)])
        counts = [merged(cubes, cells[: len(cubes)], size, name) for name in PERSON_COUNTS]
        small = np.logical_or.reduce([limits.unsafe, *(limits.small(each) for each in counts)]) & published
        guarded = small | (needed & ~shown)
        primary = guarded | (((hidden | unsafe) & published | apart) & ~shown)
        self._kept(small & shown)
        room = np.minimum(room_of(cubes, cells[: len(cubes)], people), people)
        narrow, wide = reach([people], primary, room, limits)
        unknown = ~published & ~shown & ~hidden
        relations = Relations()
        for cube, own in zip(self.cubes, cells, strict=True):
            relate(cube, own, relations)
        still = shown | np.isin(np.arange(size), number[_joined(self.closed)])
        still[_sums([number[each] for each in self.sums], relations)] = True
        narrow, wide = (each.also(unknown, -people, UNBOUNDED).where(~still) for each in (narrow, wide))
        rows, columns, signs, lowest, highest = relations.arrays()
        return System(
            persons=people,
            primary=primary,
            narrow=narrow,
            wide=wide,
            rows=rows,
            columns=columns,
            signs=signs,
            lowest=lowest,
            highest=highest,
            cells=tuple(cells[: len(cubes)]),
            same=self._alone(same_person([people], relations.families), cells),
            unpublished=~published & ~shown,
            least=limits.least,
            aside=primary & ~guarded,
        )

    def _alone(self, same: np.ndarray, cells: Sequence[np.ndarray]) -> np.ndarray:
        """Who of those that are alone in a cell, int64 (n,), are so in a new table: of a group, nobody knows
        that it is one person, and who is alone in an earlier table was asked about then."""
        tabled = same[np.concatenate(cells[: len(self.new)])]
        return np.where(np.isin(same, tabled), same, -1)

    def _before(
        self, number: np.ndarray, cells: Sequence[np.ndarray], size: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What earlier tables show, hide, and hide for what is in it: bool (n,) each. What one of them shows
        is not hidden."""
        shown, hidden, needed = (np.zeros(size, bool) for _ in range(3))
        for each, own in zip(self.earlier, cells[len(self.new) :], strict=False):
            shown[own[~each.hidden | each.fixed]] = True
            hidden[own[each.hidden]] = True
            needed[own[each.sensitive & (not each.fixed)]] = True
        return shown, hidden & ~shown, needed & ~shown

    def _kept(self, known: np.ndarray) -> None:
        """Raises `DisclosureError` where an earlier release shows a cell of the very same people that this
        policy would hide."""
        if known.any():
            raise DisclosureError(
                "disclosure",
                f"{int(known.sum()):,} cells that this policy hides have been released before, of the very "
                "same people",
                "ask for no more than the policy of that release does, or for other tables",
            )


def _bounded(size: int, most: int) -> None:
    """Raises `DisclosureError` where a system is too large to be proved."""
    if size > most:
        raise DisclosureError(
            "disclosure",
            "too many earlier releases show nearly the same people to be proved beside",
            "ask for fewer or coarser tables",
        )


def _numbered(size: int, same: Sequence[np.ndarray]) -> np.ndarray:
    """A number for each variable, shared by those that are one: int64 (size,), in the order in which they
    first appear."""
    one, other = _stacked(same, 2)
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), (size, size))
    group = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.ravel()]


def _sums(lines: Sequence[np.ndarray], relations: Relations) -> np.ndarray:
    """Add sums of two parts, int64 (3, k) each, the last of them the whole. Returns parts that cannot change,
    since the other part is the whole: int64."""
    columns = np.ascontiguousarray(_stacked(lines, 3).T)
    whole = columns[:, 0] == columns[:, 2]
    kept = columns[~whole]
    zero = np.zeros(len(kept), np.int64)
    relations.families.append(kept)
    relations.add(kept, np.array([1, 1, -1], np.int64), zero, zero)
    return np.unique(columns[whole, 1])


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *parts])


def _stacked(parts: Sequence[np.ndarray], height: int) -> np.ndarray:
    return np.concatenate([np.empty((height, 0), np.int64), *parts], axis=1)
