"""Standard vocabularies the whole way: Eunomia's GiBleed with its own concept and concept_ancestor tables,
each cohort counted again by a query on the tables as delivered."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.release.publish import latest
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot
from pipelines.store.prune import prune
from tests import sites

duckdb = pytest.importorskip("duckdb")
DATA = sites.REFERENCE / "cohort" / "gibleed"
CODED = """
codes: {{a: [{code}]}}
index: {{codes: a, which: first}}
"""


@pytest.fixture(scope="module")
def gibleed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The example's site with its data, both permits run."""
    if not DATA.is_dir():
        pytest.skip("GiBleed is not in ../shared/reference")
    root = tmp_path_factory.mktemp("gibleed") / "site"
    sites.called("init", root, "--example", "gibleed")
    for path in DATA.glob("*.parquet"):
        shutil.copy(path, root / "deliveries" / "gibleed" / "v5.3")
    key = root / "keys" / "owners" / "OHDSI.ed25519"
    for permit in ("brain-injury", "bleeding"):
        sites.called("sign", root / "permits" / f"{permit}.yaml", "--owner", "OHDSI", "--key", key)
        sites.stage_by_stage(root, permit)
    yield root


@pytest.fixture(scope="module")
def tables() -> Iterator[object]:
    """The tables as delivered, in an engine of its own."""
    with duckdb.connect() as connection:
        for path in DATA.glob("*.parquet"):
            connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
        yield connection


EVENTS = {
    "condition": "SELECT person_id, condition_concept_id AS c, condition_source_concept_id AS s, "
    "condition_start_date AS day FROM condition_occurrence",
    "drug": "SELECT person_id, drug_concept_id AS c, drug_source_concept_id AS s, "
    "drug_exposure_start_date AS day FROM drug_exposure",
    "procedure": "SELECT person_id, procedure_concept_id AS c, procedure_source_concept_id AS s, "
    "procedure_date AS day FROM procedure_occurrence",
    "measurement": "SELECT person_id, measurement_concept_id AS c, measurement_source_concept_id AS s, "
    "measurement_date AS day FROM measurement",
}
ALL = " UNION ALL ".join(EVENTS.values())
FIRST = """
WITH first AS (SELECT person_id, min(day) AS day FROM ({events}) WHERE {which} GROUP BY person_id)
SELECT DISTINCT f.person_id, f.day FROM first f
JOIN observation_period o ON o.person_id = f.person_id
 AND f.day BETWEEN o.observation_period_start_date AND o.observation_period_end_date
"""


def named(vocabulary: str, code: str) -> str:
    return (
        f"(SELECT concept_id FROM concept WHERE vocabulary_id = '{vocabulary}' AND concept_code = '{code}')"
    )


def below(ids: str) -> str:
    return f"(SELECT descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id IN {ids})"


def released(site: Path, permit: str) -> dict[tuple[str, str], str]:
    with (latest(Site.load(site), permit) / "tables" / "people.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        return {(row["sex_label"], row["age_group_label"]): row["persons"] for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("permit", "code"), [("brain-injury", "127295002"), ("bleeding", "74474003")], ids=["brain", "bleeding"]
)
def test_the_bundle_shows_what_a_query_of_the_tables_counts(
    gibleed: Path, tables: duckdb.DuckDBPyConnection, permit: str, code: str
) -> None:
    ids = named("SNOMED", code)
    first = FIRST.format(events=EVENTS["condition"], which=f"c IN {ids} OR c IN {below(ids)}")
    counted = tables.execute(
        f"""SELECT CASE gender_concept_id WHEN 8507 THEN 'Men' ELSE 'Women' END,
            CASE WHEN age >= 90 THEN '90+' ELSE (age // 30 * 30) || '-' || (age // 30 * 30 + 29) END, count(*)
        FROM (SELECT gender_concept_id, date_diff('year', born, day)
            - CASE WHEN strftime(day, '%m%d') < strftime(born, '%m%d') THEN 1 ELSE 0 END AS age
          FROM (SELECT gender_concept_id, day, make_date(year_of_birth, month_of_birth, day_of_birth) AS born
            FROM ({first}) JOIN person USING (person_id))) GROUP BY 1, 2"""
    ).fetchall()
    shown = {cell: int(count) for cell, count in released(gibleed, permit).items() if count}
    cells = {(sex, age): count for sex, age, count in counted}
    assert shown["Total", "Total"] == sum(cells.values()) > 400
    known = {cell: count for cell, count in shown.items() if "Total" not in cell and count}
    assert known
    assert known == {cell: cells[cell] for cell in known}


def test_a_row_without_a_source_concept_that_is_known_counts_by_its_standard_one(
    gibleed: Path, tables: duckdb.DuckDBPyConnection
) -> None:
    receipt = json.loads(
        (gibleed / "receipts" / "intake" / "gibleed" / "v5.3.json").read_text(encoding="utf-8")
    )
    unknown = (
        f"SELECT count(*) FROM ({ALL}) WHERE s NOT IN (SELECT concept_id FROM concept WHERE concept_id > 0)"
    )
    assert receipt["warnings"]["standard_concept_used"] == tables.execute(unknown).fetchone()[0] == 62
    assert {each["reason"] for each in receipt["quarantined"]} == {"unknown_person"}


ASTHMA = named("SNOMED", "195967001")


@pytest.mark.parametrize(
    ("code", "which"),
    [
        ("SNOMED/195967001 and below", f"c IN {ASTHMA} OR c IN {below(ASTHMA)}"),
        ("SNOMED/195967001", f"c IN {ASTHMA}"),
        ("SNOMED/19596700", "false"),
        ("OMOP/317009", "c = 317009"),
        ("OMOP/441840 and below", f"c IN {below('(441840)')}"),
        ("SNOMED/74474003", f"c IN {named('SNOMED', '74474003')}"),
        ("ICD-10-CM/K92", "s = 35208414"),
        ("RxNorm/313782", f"c IN {named('RxNorm', '313782')}"),
        ("CVX/113", f"c IN {named('CVX', '113')}"),
        ("LOINC/2885-2", f"c IN {named('LOINC', '2885-2')}"),
        ("NDC/00025152531", "s = 44923712"),
        ("SNOMED/", "c IN (SELECT concept_id FROM concept WHERE vocabulary_id = 'SNOMED') AND s <> 35208414"),
    ],
)
def test_each_way_to_name_codes_finds_whom_a_query_finds(
    gibleed: Path, tables: duckdb.DuckDBPyConnection, tmp_path: Path, code: str, which: str
) -> None:
    head = "cohort: c\ntitle: c\nstudy: {from: 1900-01-01, to: 2019-12-31}"
    (tmp_path / "c.yaml").write_text(head + CODED.format(code=f'"{code}"'), encoding="utf-8")
    found = {}
    for engine in ("numba", "duckdb"):
        out = tmp_path / engine
        sites.called("cohort", tmp_path / "c.yaml", "--snapshot", gibleed, "--out", out, "--engine", engine)
        found[engine] = tables.execute(f"SELECT count(*) FROM '{out}/cohort.parquet'").fetchone()[0]
    counted = tables.execute(
        f"SELECT count(*) FROM ({FIRST.format(events=ALL, which=which)}) JOIN person USING (person_id)"
    ).fetchone()[0]
    assert found == {"numba": counted, "duckdb": counted}


def test_a_concept_by_id_takes_all_below_it(gibleed: Path, tmp_path: Path) -> None:
    head = "cohort: c\ntitle: c\nstudy: {from: 1900-01-01, to: 2019-12-31}"
    for name, said in (("a", '["OMOP/4132546 and below"]'), ("b", "{concepts: [4132546]}")):
        text = f"{head}\ncodes: {{a: {said}}}\nindex: {{codes: a, which: first}}\n"
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    told = json.loads(
        sites.called("cohort", tmp_path, "--snapshot", gibleed, "--out", tmp_path / "out", "--json").stdout
    )
    assert [each["persons"] for each in told] == [1055, 1055]


def test_what_lies_above_codes_is_the_same_however_the_store_is_cut(gibleed: Path, tmp_path: Path) -> None:
    from workflows.stages import Call, run

    other = sites.copy_of(gibleed, tmp_path / "other")
    shutil.rmtree(other / "store" / "ancestors")
    settings = other / "site.yaml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("shards: 2", "shards: 5"), encoding="utf-8"
    )
    run("store", Call(other))
    one, two = (Snapshot.load(Site.load(each)) for each in (gibleed, other))
    assert one.id != two.id
    assert one.above is not None
    assert two.above is not None
    assert one.above[0].name == two.above[0].name
    assert one.hierarchy == two.hierarchy
    (two.above[0].parent / "of-an-older-snapshot.parquet").touch()
    assert prune(Site.load(other), 0)["ancestors"] == 1
    assert Snapshot.load(Site.load(other)).hierarchy == one.hierarchy


# ---- codes that match nothing are told ---------------------------------------------------------------------


def definition_of(site: Path, *lines: str) -> Path:
    path = site / "definitions" / "asked.yaml"
    head = "cohort: asked\ntitle: a\nstudy: {from: 1900-01-01, to: 2019-12-31}"
    path.write_text(f"{head}\ncodes: {{a: {json.dumps(lines)}}}\nindex: {{codes: a, which: first}}\n")
    return path


@pytest.fixture
def own(gibleed: Path, tmp_path: Path) -> Path:
    return sites.copy_of(gibleed, tmp_path / "site")


def test_the_codes_of_a_snapshot_are_listed_with_rounded_counts_and_no_small_one(
    gibleed: Path, tables: duckdb.DuckDBPyConnection
) -> None:
    told = json.loads(sites.called("codes", gibleed, "--json").stdout)
    assert {each["system"]: each["codes"] for each in told["systems"]} == {
        "CVX": 10,
        "ICD-10-CM": 1,
        "LOINC": 52,
        "NDC": 2,
        "RxNorm": 101,
        "SNOMED": 133,
        "VISIT": 1,
    }
    counted = dict(
        tables.execute(
            f"SELECT concept_code, count(DISTINCT person_id) FROM ({ALL}) JOIN concept ON concept_id = c "
            "JOIN person USING (person_id) WHERE vocabulary_id = 'CVX' GROUP BY 1"
        ).fetchall()
    )
    shown = {each["code"]: each["persons"] for each in told["codes"] if each["code"].startswith("CVX/")}
    assert {code.removeprefix("CVX/") for code in shown} == set(counted)
    for code, persons in shown.items():
        if persons is None:
            assert counted[code.removeprefix("CVX/")] < 60
        else:
            assert persons >= told["fewer_than"]
            assert persons % told["rounded_to"] == 0
            assert abs(persons - counted[code.removeprefix("CVX/")]) < 60
    assert any(each["persons"] is None for each in told["codes"])
    assert json.loads(sites.called("codes", gibleed, "--json").stdout) == told


def test_codes_are_listed_by_system_and_by_how_they_begin(gibleed: Path) -> None:
    said = sites.called("codes", gibleed, "--system", "LOINC", "--prefix", "2885-").stdout
    assert [line.split()[-1] for line in said.splitlines()[-1:]] == ["LOINC/2885-2"]
    assert "1  codes of LOINC" in said
    assert (
        sites.called("codes", gibleed, "--prefix", "ATC/").stdout == "no such code occurs in the snapshot\n"
    )
    ran = sites.called("codes", gibleed, "--system", "SNOWMED", check=False)
    assert (ran.returncode, "choose from" in ran.stderr) == (10, True)


def test_check_warns_of_codes_that_do_not_occur_and_says_where_they_do(own: Path) -> None:
    path = definition_of(own, "ICD-10/K92", "SNOMED/195967001", "ATC/A10")
    said = sites.called("check", path).stdout
    assert "code list a: different codes of it that occur in the snapshot: 1" in said
    assert "WARNING: code list a: 2 lines of it match nothing" in said
    assert "ICD-10/K92 (it occurs in ICD-10-CM), ATC/A10" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ICD-10-SE/I5O", "not of the form that codes of ICD-10-SE have"),
        ("ICD10SE/I50", "of no code system that is known; perhaps ICD-10-SE is meant"),
        ("SNOMED/12 and below", "not of the form that codes of SNOMED have"),
        ("LAB/HBA1D", "not of the form that codes of LAB have"),
    ],
)
def test_check_refuses_a_code_that_can_match_nothing(own: Path, line: str, said: str) -> None:
    path = definition_of(own, "SNOMED/195967001", line)
    for asked in (path, own):
        ran = sites.called("check", asked, check=False)
        assert ran.returncode == 10
        assert f"{line} is {said}" in ran.stderr
        assert "asked.yaml" in ran.stderr


def test_a_run_says_that_a_code_list_matches_nothing(own: Path) -> None:
    from workflows.stages import Call, run

    path = own / "definitions" / "bleeding.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("SNOMED/74474003 and below", "ICD-10-SE/K92"))
    permit = own / "permits" / "bleeding.yaml"
    sites.called("sign", permit, "--owner", "OHDSI", "--key", own / "keys" / "owners" / "OHDSI.ed25519")
    journal = own / "runs" / "release.journal"
    receipt = run("cohort", Call(own, permit="bleeding", journal=journal))
    assert receipt["unmatched"] == ["bleeding"]
    assert "code list bleeding: none of its codes occurs in the snapshot" in journal.read_text(
        encoding="utf-8"
    )


def test_a_site_without_a_snapshot_says_that_nobody_knows_which_codes_occur(own: Path) -> None:
    (own / "store" / "current.json").unlink()
    assert "snapshot: none yet" in sites.called("check", own).stdout
    assert (
        "permit bleeding: no snapshot yet" in sites.called("check", own / "permits" / "bleeding.yaml").stdout
    )


# ---- check tells the truth ---------------------------------------------------------------------------------


def test_a_permit_that_has_expired_is_not_good_alone_or_in_its_site(own: Path) -> None:
    permit = own / "permits" / "bleeding.yaml"
    permit.write_text(
        permit.read_text(encoding="utf-8").replace("valid_to: 2099-12-31", "valid_to: 2026-01-31")
    )
    for asked in (permit, own):
        ran = sites.called("check", asked, check=False)
        assert ran.returncode == 12
        assert "valid_to (2026-01-31) has passed" in ran.stderr
    assert "permit bleeding: DOES NOT HOLD: valid_to" in ran.stdout
    assert "permit brain-injury: signed by every owner" in ran.stdout


def test_a_permit_on_codes_of_a_source_that_it_does_not_name_is_refused(own: Path) -> None:
    site = (own / "site.yaml").read_text(encoding="utf-8")
    (own / "site.yaml").write_text(
        site + "  other: {contract: contracts/gibleed_omop.yaml}\n", encoding="utf-8"
    )
    permit = own / "permits" / "bleeding.yaml"
    permit.write_text(permit.read_text(encoding="utf-8").replace("[gibleed]", "[other]"), encoding="utf-8")
    ran = sites.called("check", permit, check=False)
    assert ran.returncode == 10
    assert "its codes come from gibleed alone, which the permit does not name" in ran.stderr
