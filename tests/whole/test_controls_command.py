"""Controls as people get them: a table of `uttag cohort`, and a sealed file of a permit's run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipelines.cohort.stage import select_cohort
from pipelines.compute.workers import workers
from pipelines.files import sealed
from pipelines.files.schemas import CONTROLS
from pipelines.site.project import Project
from pipelines.site.site import Site
from tests import sites
from tests.whole.test_commands import PERMIT

ASKED = (
    "\ncontrols: {ratio: 3, exact: [sex, birth_year, municipality]}\nstrata: [sex, {age: [45, 65]}, year]\n"
)


def test_controls_and_strata_are_tables_of_the_command_and_part_of_the_run(
    first_night: Path, tmp_path: Path
) -> None:
    root = sites.copy_of(first_night, tmp_path / "site")
    definition, permit = root / "definitions" / "type-2-diabetes.yaml", root / "permits" / f"{PERMIT}.yaml"
    definition.write_text(definition.read_text(encoding="utf-8") + ASKED, encoding="utf-8")
    for key in (root / "keys" / "owners").glob("*.ed25519"):
        sites.called("sign", permit, "--owner", key.stem, "--key", key)
    project = Project.open(Site.load(root), PERMIT)
    with workers("local", 1) as team:
        receipt = select_cohort(project, team)
    kept = sealed.read(project.folder / "controls.parquet", CONTROLS, project.zone)
    told = json.loads(
        sites.uttag("cohort", definition, "--snapshot", root, "--out", tmp_path / "out", "--json").stdout
    )
    table = pq.read_table(tmp_path / "out" / "controls.parquet")
    assert table.column_names == [
        "cohort_definition_id",
        "subject_id",
        "cohort_start_date",
        "cohort_end_date",
        "case_id",
    ]
    np.testing.assert_array_equal(table["subject_id"].to_numpy(), kept["person"])
    assert told[0]["controls"] == receipt["controls"]
    assert receipt["controls"]["controls"] == table.num_rows > 0
    strata = pq.read_table(tmp_path / "out" / "strata.parquet")
    assert strata.column_names == ["cohort_definition_id", "sex", "age", "year", "municipality", "members"]
    assert (
        sum(strata["members"].to_pylist())
        == sum(each["members"] for each in receipt["strata"])
        == told[0]["rows"]
    )
    assert receipt["strata"] == told[0]["strata"]
    assert "at most 3 controls of the same sex" in sites.called("explain", definition).stdout


def test_an_omop_cdm_gives_no_controls(tmp_path: Path) -> None:
    definition = tmp_path / "1.yaml"
    definition.write_text(
        "cohort: c\ntitle: c\nstudy: {from: 2017-01-01, to: 2020-01-01}\ncodes: {a: [T/A]}\nindex: {codes: "
        "a, kind: drug}" + ASKED
    )
    ran = sites.called("cohort", definition, "--cdm", tmp_path, "--out", tmp_path / "out", check=False)
    assert (ran.returncode, "asks for controls" in ran.stderr) == (10, True)
