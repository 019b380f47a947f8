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


HEAD = "cohort: c\ntitle: c\nstudy: {from: 2017-01-01, to: 2020-01-01}\ncodes: {a: [T/A]}\n"
INDEX = "index: {codes: a, kind: drug}\n"
CDM = {
    # 1 is the case; 2 is 40 by year alone; 3 is too young by year; 4 died before; 5 is 39; 6 is not observed
    "person": "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n"
    "1,8507,1978,,\n2,8507,1978,,\n3,8507,1979,,\n4,8507,1978,1,1\n5,8507,1978,12,31\n6,8507,1978,,\n",
    "death": "person_id,death_date\n4,2018-04-30\n",
    "observation_period": "person_id,observation_period_start_date,observation_period_end_date\n"
    "1,2010-01-01,2020-12-31\n2,2010-01-01,2020-12-31\n3,2010-01-01,2020-12-31\n4,2010-01-01,2020-12-31\n"
    "5,2010-01-01,2020-12-31\n",
    "drug_exposure": "drug_exposure_id,person_id,drug_source_concept_id,drug_exposure_start_date\n"
    "1,1,7,2018-05-01\n2,5,7,2018-05-02\n",
    "concept": "concept_id,vocabulary_id,concept_code\n7,T,A\n",
}


def cdm_of(folder: Path, **changed: str) -> Path:
    folder.mkdir()
    for name, content in {**CDM, **changed}.items():
        (folder / f"{name}.csv").write_text(content)
    return folder


def test_controls_of_a_cdm_are_alive_observed_and_of_the_age(tmp_path: Path) -> None:
    definition = tmp_path / "1.yaml"
    definition.write_text(HEAD + INDEX + "age: {from: 40}\ncontrols: {ratio: 4, exact: [sex]}\n")
    cdm = cdm_of(tmp_path / "cdm")
    told = json.loads(
        sites.called("cohort", definition, "--cdm", cdm, "--out", tmp_path / "out", "--json").stdout
    )
    rows = pq.read_table(tmp_path / "out" / "controls.parquet").to_pylist()
    pairs = {(row["case_id"], row["subject_id"], str(row["cohort_end_date"])) for row in rows}
    # 5 is 39 on the case's day by birthday, and no control; followed to the end of the study
    assert pairs == {(1, 2, "2020-01-01")}
    assert told[0]["controls"]["cases"][1] == {"controls": 1, "cases": 1}


def test_what_a_cdm_cannot_say_of_controls_is_refused(tmp_path: Path) -> None:
    definition = tmp_path / "1.yaml"
    definition.write_text(HEAD + INDEX + "controls: {exact: [sex, municipality]}\n")
    run = ("cohort", definition, "--cdm", cdm_of(tmp_path / "cdm"), "--out", tmp_path / "out")
    ran = sites.called(*run, check=False)
    assert (ran.returncode, "controls of the same municipality" in ran.stderr) == (10, True)
    definition.write_text(HEAD + INDEX + "strata: [sex]\n")
    ran = sites.called(*run, check=False)
    assert (ran.returncode, "asks for strata" in ran.stderr) == (10, True)
    definition.write_text(HEAD + INDEX + "controls: {exact: [sex]}\n")
    (tmp_path / "cdm" / "death.csv").unlink()
    ran = sites.called(*run, check=False)
    assert (ran.returncode, "death: is not there" in ran.stderr) == (14, True)
