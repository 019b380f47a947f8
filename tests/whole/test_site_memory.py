"""Several permits over nearly the same people on the made-up region: each proved beside those before it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.site import permit as permits
from pipelines.site.permit import Permit
from pipelines.site.project import Project
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from pipelines.verifier import verify_bundle
from tests import sites
from workflows.stages import Call, run

TABLE = "newly-ill"
KEY = ["sex", "age_group", "municipality"]


def asked(site: Site, name: str, years: int) -> None:
    """A permit of one of the shipped one's tables, of its cohort from another age on, signed by all."""
    cohort = site.root / "definitions" / f"{name}.yaml"
    text = (site.root / "definitions" / "type-2-diabetes.yaml").read_text(encoding="utf-8")
    assert "{from: 18}" in text
    cohort.write_text(text.replace("{from: 18}", f"{{from: {years}}}"), encoding="utf-8")
    head, *tables = (site.root / "permits" / "diabetes.yaml").read_text("utf-8").split("\n  - table: ")
    kept = [each for each in tables if each.split("\n", 1)[0] == TABLE]
    permit = "\n  - table: ".join([head, *kept]).replace("permit: diabetes", f"permit: {name}")
    permit = permit.replace("type-2-diabetes.yaml", cohort.name).replace("standing: {every: night}\n", "")
    (site.root / "permits" / f"{name}.yaml").write_text(permit, encoding="utf-8")
    for key in sorted((site.keys / "owners").glob("*.ed25519")):
        permits.sign(site, Permit.load(site, name), key.stem, key)


def released(site: Site, name: str) -> pd.DataFrame:
    for stage in ("cohort", "aggregation", "disclosure", "measures", "release"):
        run(stage, Call(site.root, permit=name, snapshot=current(site)))
    assert [claim.text for claim in verify_bundle(site.release / name / "1") if not claim.holds] == []
    return published(site, name)


def published(site: Site, name: str) -> pd.DataFrame:
    path = site.release / name / "1" / "tables" / f"{TABLE}.csv"
    return pd.read_csv(path, keep_default_na=False).set_index(KEY)


@pytest.fixture(scope="module")
def site(first_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site.load(sites.copy_of(first_night, tmp_path_factory.mktemp("memory") / "site"))


def test_the_very_same_people_have_one_status_and_one_value(site: Site) -> None:
    first = published(site, "diabetes")
    asked(site, "fewer", 18)
    fewer = released(site, "fewer")
    assert fewer["persons"].to_dict() == first["persons"].to_dict()
    assert fewer["status"].to_dict() == first["status"].to_dict()


def test_no_difference_of_few_people_is_shown(site: Site) -> None:
    first = published(site, "diabetes")
    asked(site, "older", 45)
    older = released(site, "older")
    both = first[["persons", "status"]].join(
        older[["persons", "status"]], how="inner", suffixes=("", "_older")
    )
    both = both[(both["status"] == "shown") & (both["status_older"] == "shown")]
    change = both["persons"].astype(int) - both["persons_older"].astype(int)
    assert len(both) and not ((change > 0) & (change < 5)).any()
    receipt = json.loads((Project.open(site, "older").folder / "disclosure.json").read_text())
    assert not receipt["held"]
    assert receipt["memory"] > 1


def test_run_again_it_makes_the_same_bytes_and_remembers_nothing_new(site: Site) -> None:
    before = sites.bundle_bytes(site.root, "diabetes")
    numbers = sorted(path.name for path in (site.root / "memory").iterdir())
    project = Project.open(site, "diabetes")
    for stage in ("disclosure", "measures", "release"):
        (project.folder / f"{stage}.json").unlink()
        run(stage, Call(site.root, permit="diabetes", snapshot=current(site)))
    assert sites.bundle_bytes(site.root, "diabetes") == before
    assert sorted(path.name for path in (site.root / "memory").iterdir()) == numbers


def test_what_is_remembered_cannot_be_changed_or_lost(site: Site, tmp_path: Path) -> None:
    def refused(spoil: str) -> None:
        copy = Site.load(sites.copy_of(site.root, tmp_path / spoil))
        first = copy.root / "memory" / "0001"
        if spoil == "altered":
            about = first / "about.json"
            about.write_text(about.read_text(encoding="utf-8").replace(TABLE, "newly-sick"), encoding="utf-8")
        elif spoil == "gone":
            shutil.rmtree(first)
        elif spoil == "the last one gone":
            shutil.rmtree(max(each for each in first.parent.iterdir() if each.name.isdigit()))
        elif spoil == "a file cut":
            file = next((first / "standing").glob(f"{TABLE}*"))
            file.write_bytes(file.read_bytes()[:200])
        elif spoil == "files exchanged":
            one, other = (first / "masks" / f"{each}.parquet" for each in (TABLE, "visits"))
            shutil.copy(other, one)
        else:
            (copy.keys / "memory.key").unlink()
        asked(copy, "another", 30)
        for stage in ("cohort", "aggregation"):
            run(stage, Call(copy.root, permit="another", snapshot=current(copy)))
        with pytest.raises(DataError, match="restore"):
            run("disclosure", Call(copy.root, permit="another", snapshot=current(copy)))

    for spoil in ("altered", "gone", "the last one gone", "a file cut", "files exchanged", "without key"):
        refused(spoil)
