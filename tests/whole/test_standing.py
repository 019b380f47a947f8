"""A standing permit on the made-up region, two nights: its second version goes out, and what did not change
stands as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.cubes.files import read_cubes
from pipelines.cubes.standing import read_standing, standing_file
from pipelines.site import permit as permits
from pipelines.site.permit import Permit
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from pipelines.verifier import verify_bundle
from tests import sites
from workflows.demo.run import deliver_late
from workflows.stages import Call, run

TABLES = {
    "newly-ill",
    "heart-and-vessels",
    "heart-standardised",
    "heart-or-death",
    "visits",
    "diagnoses",
    "long-term-glucose",
}


def signed(site: Site) -> None:
    """A permit of some of the shipped one's tables, whose numbers are changed, signed by all owners."""
    text = (site.root / "permits" / "diabetes.yaml").read_text(encoding="utf-8")
    head, *tables = text.split("\n  - table: ")
    kept = [each for each in tables if each.split("\n", 1)[0] in TABLES]
    moving = "\n  - table: ".join([head, *kept]).replace("permit: diabetes", "permit: moving")
    path = site.root / "permits" / "moving.yaml"
    moving = moving.replace("method: suppression\n", "").replace("{every: night}", "{every: quarter}")
    path.write_text(moving, encoding="utf-8")
    for key in sorted((site.keys / "owners").glob("*.ed25519")):
        permits.sign(site, Permit.load(site, "moving"), key.stem, key)


def released(site: Site) -> Project:
    """Run the permit on the snapshot as it stands."""
    for name in ("cohort", "aggregation", "disclosure", "measures", "release"):
        run(name, Call(site.root, permit="moving", snapshot=current(site)))
    return Project.open(site, "moving")


def who(project: Project, table: str) -> dict[int, frozenset[int]]:
    """Who stands in each finest cell, by plain Python."""
    people = read_standing(standing_file(project.folder / "raw", table), project.zone)
    inside: dict[int, set[int]] = {}
    for person, cell in zip(people.person.tolist(), people.cell.tolist(), strict=True):
        inside.setdefault(cell, set()).add(person)
    return {cell: frozenset(each) for cell, each in inside.items()}


@pytest.fixture(scope="module")
def nights(first_night: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Project, Project]:
    site = Site.load(sites.copy_of(first_night, tmp_path_factory.mktemp("standing") / "site"))
    signed(site)
    first = released(site)
    for told in (site.root / "later").rglob("delivery.yaml"):  # the data of one quarter
        text = told.read_text(encoding="utf-8")
        told.write_text(text.replace("delivered: 2025-10-01", "delivered: 2025-09-30"), encoding="utf-8")
    deliver_late(site)
    sites.refreshed(site.root)
    waits = sites.called("run", site.root / "permits" / "moving.yaml").stdout
    assert "not due: the next version is due from data of 2025-10-01 on; add --now" in waits
    assert not (Project.open(site, "moving").folder / "cohort.json").exists()
    return site, first, released(site)


def test_the_second_version_goes_out_and_both_hold(nights: tuple[Site, Project, Project]) -> None:
    site, first, second = nights
    receipts = [json.loads((each.folder / "release.json").read_text()) for each in (first, second)]
    assert [(each["version"], each["held"]) for each in receipts] == [(1, False), (2, False)]
    for version in ("1", "2"):
        claims = verify_bundle(site.release / "moving" / version)
        assert [claim.text for claim in claims if not claim.holds] == []


def test_cells_of_the_same_people_have_the_same_number_in_both_versions(
    nights: tuple[Site, Project, Project],
) -> None:
    site, first, second = nights
    before, after = (who(each, "heart-and-vessels") for each in (first, second))
    shown = [
        pd.read_csv(site.release / "moving" / version / "tables" / "heart-and-vessels.csv")["persons"]
        for version in ("1", "2")
    ]
    same = [cell for cell in before if before[cell] == after.get(cell)]
    other = [cell for cell in before if before[cell] != after.get(cell)]
    assert same and other
    assert [int(shown[0][cell]) for cell in same] == [int(shown[1][cell]) for cell in same]


def test_what_is_shown_lies_about_the_truth(nights: tuple[Site, Project, Project]) -> None:
    site, _, second = nights
    for cube in read_cubes(second.folder / "raw", second.zone):
        table = pd.read_csv(site.release / "moving" / "2" / "tables" / f"{cube.table}.csv")
        error = table["persons"].to_numpy() - cube.measures["persons"]
        assert np.abs(error).max() <= 5
        some = cube.measures["persons"] > 0
        assert (table["persons"].to_numpy()[~some] == 0).all()
        assert abs(error[some].mean()) < 6 * (6.9 / some.sum()) ** 0.5
