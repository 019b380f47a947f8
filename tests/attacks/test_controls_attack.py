"""What do controls tell of hidden cells of their cases? The attacker knows how controls were chosen: of the
same sex and age, at most so many for each case. Every combination of sex, age and what is known of people is
an unknown, of cases and of controls, and linear programmes look for the least and the most of each hidden
cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from pipelines.aggregation.controls import shown
from pipelines.cubes.cube import CONTROLS_OF, RATIO, Cube, ProtectedCube
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.cases import showing_both
from pipelines.disclosure.suppression.protect import protect
from pipelines.disclosure.suppression.system import build
from pipelines.errors import DisclosureError
from pipelines.files.frames import Frame
from pipelines.study.design import Controls
from tests.made_cubes import count, counts_only, flat

SEX, AGE = flat("sex", "m", "f"), flat("age", "0", "1", "2")
ILL, SEEN = flat("ill", "yes", "no"), flat("seen", "0", "1", "2")
RATIO_OF, MINIMUM = 3, 4
DIMENSIONS = {each.name: each for each in (SEX, AGE, ILL, SEEN)}
ATOMS = list(product(*(each.codes[1:] for each in DIMENSIONS.values())))
Person = tuple[int, tuple[str, ...]]  # who, and the atom


@dataclass(frozen=True)
class Study:
    """People as they are on their own index day, and controls as they are on their case's."""

    cases: list[Person]
    controls: list[Person]


def made(seed: int, cases: int = 40, lacking: int = 0, later: int = 0) -> Study:
    """Few men among the cases, controls of the same sex and age for each. `lacking`: controls that are not
    there; `later`: controls who are cases, too, on a later day, and otherwise then."""
    random = np.random.default_rng(seed)

    def known() -> tuple[str, str]:
        return ILL.codes[random.choice([1, 2], p=(0.2, 0.8))], SEEN.codes[random.choice([1, 2, 3])]

    own, controls = list[Person](), list[Person]()
    for number in range(cases):
        alike = (SEX.codes[1 + int(number >= 3)], AGE.codes[random.choice([1, 2, 3], p=(0.1, 0.4, 0.5))])
        own.append((number, (*alike, *known())))
        controls += [(1000 + len(controls) + each, (*alike, *known())) for each in range(RATIO_OF)]
    controls = controls[: len(controls) - lacking]
    for place in range(later):  # by number alone: who stands where is as random as before
        same = [k for k, (_, atom) in enumerate(controls) if atom[:2] == own[place][1][:2]]
        controls[same[-1]] = (place, controls[same[-1]][1])
    return Study(own, controls)


def table(name: str, people: list[Person], by: tuple[str, ...], population: str) -> Cube:
    places = [list(DIMENSIONS).index(each) for each in by]
    rows = [(who, [atom[place] for place in places]) for who, atom in people]
    return counts_only(count(name, [DIMENSIONS[each] for each in by], rows, population))


def tables(study: Study, rows: tuple[str, ...] = ("ill", "seen")) -> list[Cube]:
    members = [
        table("by-sex", study.cases, ("sex", "age"), "cases"),
        *(table(row, study.cases, (row,), "cases") for row in rows),
    ]
    controls = [table(f"{row}-controls", study.controls, (row,), "controls") for row in rows]
    return [
        *members,
        *(
            replace(each, notes={CONTROLS_OF: row, RATIO: str(RATIO_OF)})
            for row, each in zip(rows, controls, strict=True)
        ),
    ]


class Attack:
    """Unknowns: cases of each atom, then controls of each."""

    def __init__(self, cubes: list[ProtectedCube]) -> None:
        self.equal, self.value = list[np.ndarray](), list[int]()
        self.hidden = list[tuple[str, int, np.ndarray]]()
        for cube in cubes:
            for cell in range(cube.cells):
                row = self.cell(cube, cell)
                if cube.hidden[cell]:
                    self.hidden.append((cube.table, cell, row))
                else:
                    self.equal.append(row)
                    self.value.append(int(cube.measures["persons"][cell]))
        # of each sex and age there are at most so many controls for each case
        self.tied = [
            np.array(
                [-RATIO_OF * (atom[:2] == stratum) for atom in ATOMS]
                + [1 * (atom[:2] == stratum) for atom in ATOMS]
            )
            for stratum in sorted({atom[:2] for atom in ATOMS})
        ]

    @staticmethod
    def cell(cube: ProtectedCube, cell: int) -> np.ndarray:
        places = np.unravel_index(cell, cube.shape)
        asked = {
            list(DIMENSIONS).index(each.name): each.codes[place]
            for each, place in zip(cube.dimensions, places, strict=True)
            if place
        }
        here = np.array([all(atom[k] == code for k, code in asked.items()) for atom in ATOMS], float)
        none = np.zeros(len(ATOMS))
        return np.concatenate([none, here] if cube.population == "controls" else [here, none])

    def ends(
        self, cell: np.ndarray, known: list[tuple[np.ndarray, int]] | None = None
    ) -> tuple[float, float]:
        more = known or []
        found = [
            linprog(
                sign * cell,
                A_ub=np.array(self.tied),
                b_ub=np.zeros(len(self.tied)),
                A_eq=np.array([*self.equal, *(row for row, _ in more)]),
                b_eq=[*self.value, *(number for _, number in more)],
            )
            for sign in (1, -1)
        ]
        assert all(each.status == 0 for each in found)
        return round(found[0].fun, 6), round(-found[1].fun, 6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("lacking", [0, 12])
def test_controls_tell_nothing_of_a_hidden_cell_of_cases(seed: int, lacking: int) -> None:
    """The least and the most of each hidden cell are the same as if there were no table of controls."""
    cubes = protect(tables(made(seed, lacking=lacking)), Policy(minimum=MINIMUM)).cubes
    of_cases = [cube for cube in cubes if cube.population == "cases"]
    alone, both = Attack(of_cases), Attack(list(cubes))
    assert any(name == "by-sex" for name, _, _ in alone.hidden), "there are few men"
    for _, _, cell in alone.hidden:
        assert both.ends(cell) == alone.ends(cell)
    for _, _, cell in both.hidden:
        least, most = both.ends(cell)
        assert most - least >= 1


@pytest.mark.parametrize("seed", range(4))
def test_who_is_a_control_first_and_a_case_later_cannot_tell_more(seed: int) -> None:
    """Whoever is alone in a cell of each knows both, and no other hidden cell of somebody is settled."""
    study = made(seed, later=12)
    cubes = protect(tables(study), Policy(minimum=MINIMUM)).cubes
    attack, twice = Attack(list(cubes)), {who for who, _ in study.cases} & {who for who, _ in study.controls}
    people = {"cases": dict(study.cases), "controls": dict(study.controls)}
    true = {
        name: np.array([sum(atom == each for _, atom in own) for each in ATOMS])
        for name, own in (("cases", study.cases), ("controls", study.controls))
    }
    numbers = np.concatenate([true["cases"], true["controls"]])
    assert twice
    for who in twice:
        mine = [people[name][who] for name in ("cases", "controls")]
        own = np.concatenate([[float(atom == each) for each in ATOMS] for atom in mine])
        known = [(cell, 1) for _, _, cell in attack.hidden if cell @ numbers == 1 == cell @ own]
        for _, _, cell in attack.hidden:
            if 0 < cell @ numbers < MINIMUM and not any((cell == each).all() for each, _ in known):
                least, most = attack.ends(cell, known)
                assert most - least >= 1


def test_what_is_matched_on_would_tell_the_hidden_cells_of_cases() -> None:
    """So it is refused as a row (tests/spec/test_cases_and_controls.py): with it, the attack finds them."""
    cubes = list(protect(tables(made(1), rows=("sex", "ill")), Policy(minimum=MINIMUM)).cubes)
    attack = Attack(cubes)
    men = next(cell for name, place, cell in attack.hidden if name == "sex" and place == 1)
    alone = Attack([cube for cube in cubes if cube.population == "cases"])
    assert alone.ends(men)[0] < 3 and attack.ends(men)[0] == 3


@pytest.mark.parametrize(("cases", "lacking"), [(40, 1), (40, 9), (3, 0)])
def test_numbers_that_tell_of_few_cases_are_not_protected_at_all(cases: int, lacking: int) -> None:
    with pytest.raises(DisclosureError, match="few cases"):
        protect(tables(made(2, cases, lacking)), Policy(minimum=MINIMUM))


def test_neither_of_both_totals_may_ever_be_hidden() -> None:
    """No move that anybody may look for changes them, in whichever table they stand."""
    cubes = sorted(tables(made(2)), key=lambda cube: cube.table)
    system = build(cubes, Policy(minimum=MINIMUM))
    both = showing_both(system, cubes, Policy(minimum=MINIMUM))
    totals = np.unique([own[0] for own in system.cells])
    assert len(totals) == 2, "that of cases is one number in all their tables"
    for one, other in ((both.wide, system.wide), (both.narrow, system.narrow)):
        assert other.upper[totals].all() and other.lower[totals].all()
        assert not one.upper[totals].any() and not one.lower[totals].any()


def test_a_rule_that_hides_a_total_leaves_no_controls_beside() -> None:
    cubes = tables(made(2))
    with pytest.raises(DisclosureError, match="tells the other"):
        system = build(cubes, Policy(minimum=MINIMUM))
        hidden = np.isin(np.arange(system.size), system.cells[0][0])
        showing_both(replace(system, primary=hidden), cubes, Policy(minimum=MINIMUM))


@pytest.mark.parametrize("ratio", [1, 2, 4])
@pytest.mark.parametrize("minimum", [3, 5])
def test_so_many_places_are_empty_that_no_few_cases_can_lack_a_control(ratio: int, minimum: int) -> None:
    few = ratio * (minimum - 1)
    for lacking in range(2 * few + 4):
        controls = chosen(200, lacking, ratio)
        kept = shown(controls, 200, Controls(ratio=ratio), minimum)
        empty = 200 * ratio - len(kept["person"])
        assert empty == (0 if not lacking else max(lacking, few + 1))
        assert not set(kept["person"].tolist()) - set(controls["person"].tolist())


def test_who_is_left_out_hangs_on_the_person_alone() -> None:
    """Not on the order of cases or controls, and hardly on who the others are."""
    controls, asked = chosen(200, 1, 4), Controls(ratio=4)
    turned = {name: column[::-1].copy() for name, column in controls.items()}
    one, other = (set(shown(each, 200, asked, 5)["person"].tolist()) for each in (controls, turned))
    assert one == other
    least = set(shown(chosen(200, 3, 4), 200, asked, 5)["person"].tolist())
    assert len(one ^ least) <= 4, "of 16 and of 14 who are left out, all but 2 are the same"


def chosen(cases: int, lacking: int, ratio: int) -> Frame:
    number = cases * ratio - lacking
    person, day = np.arange(number, dtype=np.int64) * 7919 + 11, np.zeros(number, np.int32)
    return {"person": person, "start": day, "end": day, "case": person // ratio}
