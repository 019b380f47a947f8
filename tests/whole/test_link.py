"""`uttag link` as its users call it: bad tables and settings, and what it leaves behind."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import sites

UTTAG = Path(sys.executable).with_name("uttag")
PEOPLE = [
    ("1", "Anna", "Öberg", "1950-03-04", "11728"),
    ("2", "Anna", "Oberg", "1950-03-04", "11728"),
    ("3", "Erik", "Lund", "1971-08-09", "18260"),
    ("4", "Erik", "Lundh", "1971-08-09", "18260"),
    ("5", "Maja", "Ek", "1999-12-01", ""),
    ("6", "", "", "", ""),
    *[
        (str(k), f"Namn{k % 7}", f"Efter{k}", f"19{k % 90 + 10}-0{k % 9 + 1}-1{k % 9}", f"{10000 + 37 * k}")
        for k in range(7, 60)
    ],
]
COLUMNS = ("row", "given", "surname", "birth", "postcode")
SETTINGS = """
data: [{source: people, file: people.csv, id: row}]
fields:
  given: {column: given, kind: name}
  surname: {column: surname, kind: name}
  birth: {column: birth, kind: date}
  postcode: {column: postcode, kind: code}
blocking: [[birth], ["sound(surname)"]]
"""


def table(folder: Path, rows: list[tuple[str, ...]] = PEOPLE, columns: tuple[str, ...] = COLUMNS) -> Path:
    path = folder / "people.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([columns, *rows])
    return path


def _command(arguments: tuple[object, ...]) -> list[str]:
    """`uttag link` where the first argument names no command of its own."""
    texts = [str(each) for each in arguments]
    return texts if texts[0].startswith("link-") else ["link", *texts]


def uttag(*arguments: object, code: int = 0) -> str:
    ran = sites.called(*_command(arguments), check=False)
    assert ran.returncode == code, ran.stderr
    return ran.stdout + (ran.stderr if code else "")


def linked(folder: Path, settings: str = SETTINGS) -> dict[str, int]:
    (folder / "link.yaml").write_text(settings)
    uttag(folder / "link.yaml", "--out", folder / "out")
    found = pq.read_table(folder / "out" / "clusters.parquet").to_pylist()
    return {f"{row['source']} {row['record_id']}": row["cluster_id"] for row in found}


def test_records_that_differ_by_a_slip_are_one_person(tmp_path: Path) -> None:
    table(tmp_path)
    found = linked(tmp_path)
    assert len(found) == len(PEOPLE)
    assert found["people 1"] == found["people 2"] != found["people 3"] == found["people 4"]
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "clusters.parquet",
        "links.parquet",
        "model.json",
        "report.html",
    }
    assert (tmp_path / "out" / "links.parquet").stat().st_mode & 0o077 == 0


def test_a_suggestion_links_as_it_stands_and_is_the_same_on_ranks(tmp_path: Path) -> None:
    path = table(tmp_path)
    (tmp_path / "link.yaml").write_text(sites.uttag("link-suggest", path, "--id", "row").stdout)
    sites.uttag("link", tmp_path / "link.yaml", "--out", tmp_path / "alone")
    mpiexec = Path(sys.executable).with_name("mpiexec")
    subprocess.run(
        [
            mpiexec,
            "-launcher",
            "fork",
            "-n",
            "3",
            UTTAG,
            "link",
            tmp_path / "link.yaml",
            "--out",
            tmp_path / "three",
        ],
        check=True,
    )
    for name in ("clusters.parquet", "links.parquet"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "three" / name).read_bytes()


def test_rules_are_the_same_on_ranks(tmp_path: Path) -> None:
    table(tmp_path)
    linked(tmp_path)
    mpiexec = Path(sys.executable).with_name("mpiexec")
    subprocess.run(
        [
            mpiexec,
            "-launcher",
            "fork",
            "-n",
            "2",
            UTTAG,
            "link",
            tmp_path / "link.yaml",
            "--out",
            tmp_path / "two",
        ],
        check=True,
    )
    for name in ("clusters.parquet", "links.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("kind: date", "kind: dat"), "fields.birth.kind"),
        (("[birth]", "[birthday]"), "birthday is not a field"),
        (('"sound(surname)"', '"sound(birth)"'), "sound does not go with a date"),
        (("column: given", "column: forename"), "has no column forename"),
        (("id: row", "id: postcode"), "records have no postcode"),
        (("id: row", "id: given"), "given"),
        (("people.csv", "nobody.csv"), "is not there"),
        (
            ("{column: given, kind: name}", "{column: given, kind: name, levels: [equal, close]}"),
            "a level of a name is one of",
        ),
        (
            ("{column: given, kind: name}", "{column: given, kind: name, levels: [equal, jaro_winkler]}"),
            "takes",
        ),
        (("blocking:", "largest_block: 1\nblocking:"), "more than largest_block"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_without_a_value(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    crowd = [(str(100 + k), "Siv", "Ek", "1999-12-01", "11111") for k in range(9)]
    table(tmp_path, [*PEOPLE, *crowd])
    (tmp_path / "link.yaml").write_text(SETTINGS.replace(*change))
    ran = sites.called("link", tmp_path / "link.yaml", "--out", tmp_path / "out", check=False)
    assert ran.returncode >= 10
    assert words in ran.stderr and "Öberg" not in ran.stderr and "1999" not in ran.stderr
    assert not (tmp_path / "out" / "clusters.parquet").exists()


def test_empty_columns_and_empty_tables_are_no_fault(tmp_path: Path) -> None:
    table(tmp_path, [(row, given, surname, birth, "") for row, given, surname, birth, _ in PEOPLE])
    found = linked(tmp_path)
    assert found["people 1"] == found["people 2"]
    table(tmp_path, [])
    assert linked(tmp_path) == {}
    table(tmp_path, [("1", "", "", "", ""), ("2", "", "", "", "")])
    assert len(set(linked(tmp_path).values())) == 2


def test_a_field_may_be_missing_from_one_source_and_be_of_another_type(tmp_path: Path) -> None:
    table(tmp_path)
    other = pa.table(
        {
            "nr": [1, 2],
            "fornamn": ["Anna", "Nils"],
            "efternamn": ["Öberg", "Ask"],
            "fodd": ["1950-03-04", "1900-01-01"],
        }
    )
    pq.write_table(other, tmp_path / "other.parquet")
    settings = SETTINGS.replace("id: row}]", "id: row}, {source: other, file: other.parquet, id: nr}]")
    for name, theirs in (("given", "fornamn"), ("surname", "efternamn"), ("birth", "fodd")):
        settings = settings.replace(f"column: {name},", f"column: {{people: {name}, other: {theirs}}},")
    found = linked(tmp_path, settings.replace("column: postcode,", "column: {people: postcode},"))
    assert found["other 1"] == found["people 1"] != found["other 2"]


def test_hard_evidence_keeps_two_records_apart(tmp_path: Path) -> None:
    rows = [(*row, "") for row in PEOPLE]
    rows[0], rows[1] = (*PEOPLE[0], "2001-01-01"), (*PEOPLE[1], "2003-03-03")
    table(tmp_path, rows, (*COLUMNS, "death"))
    settings = SETTINGS.replace(
        "blocking:", "  death: {column: death, kind: date}\nconflicts: [death]\nblocking:"
    )
    found = linked(tmp_path, settings)
    assert found["people 1"] != found["people 2"] and found["people 3"] == found["people 4"]


def test_two_values_at_different_times_are_no_evidence_but_two_at_once_are(tmp_path: Path) -> None:
    held = [
        ("X1", "2001-01-01", "2005-12-31"),
        ("X2", "2006-01-01", ""),
        ("Y1", "2001-01-01", ""),
        ("Y2", "2004-01-01", ""),
    ]
    table(
        tmp_path,
        [(*row, *times) for row, times in zip(PEOPLE[:4], held, strict=True)],
        (*COLUMNS, "token", "since", "until"),
    )
    fields = "  token: {column: token, kind: code, compare: false}\n"
    fields += "".join(
        f"  {name}: {{column: {name}, kind: date, compare: false}}\n" for name in ("since", "until")
    )
    conflict = "conflicts: [{field: token, since: since, until: until}]\nblocking:"
    found = linked(tmp_path, SETTINGS.replace("blocking:", fields + conflict))
    assert found["people 1"] == found["people 2"]
    assert found["people 3"] != found["people 4"]


def test_nobody_dies_before_a_birth(tmp_path: Path) -> None:
    rows = [(*row, "") for row in PEOPLE]
    rows[1] = (*PEOPLE[1], "1900-01-01")
    table(tmp_path, rows, (*COLUMNS, "death"))
    settings = SETTINGS.replace(
        "blocking:", "  death: {column: death, kind: date, compare: false}\nBARS\nblocking:"
    )
    assert (found := linked(tmp_path, settings.replace("BARS\n", "")))["people 1"] == found["people 2"]
    found = linked(tmp_path, settings.replace("BARS", "conflicts: [{earlier: birth, later: death}]"))
    assert found["people 1"] != found["people 2"] and found["people 3"] == found["people 4"]


def test_people_decide_and_their_decisions_hold(tmp_path: Path) -> None:
    table(tmp_path)
    (tmp_path / "link.yaml").write_text(SETTINGS)
    uttag(tmp_path / "link.yaml", "--out", tmp_path / "out", "--review", 40)
    with (tmp_path / "out" / "review.csv").open(encoding="utf-8-sig", newline="") as source:
        rows = list(csv.DictReader(source))
    for row in rows:
        row["decision"] = "no" if {row["left_id"], row["right_id"]} == {"1", "2"} else "match"
    with (tmp_path / "filled.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "filled.json").write_bytes((tmp_path / "out" / "review.json").read_bytes())
    assert json.loads(uttag("link-estimate", tmp_path / "filled.csv"))["decided"] == len(rows)
    uttag(tmp_path / "link.yaml", "--out", tmp_path / "again", "--decided", tmp_path / "filled.csv")
    found = {
        row["record_id"]: row["cluster_id"]
        for row in pq.read_table(tmp_path / "again" / "clusters.parquet").to_pylist()
    }
    assert found["1"] != found["2"]


def test_a_dry_run_tells_the_cost_and_writes_nothing(tmp_path: Path) -> None:
    table(tmp_path)
    (tmp_path / "link.yaml").write_text(SETTINGS)
    assert "sound(surname)" in uttag("--dry-run", tmp_path / "link.yaml")
    assert {path.name for path in tmp_path.iterdir()} == {"people.csv", "link.yaml"}


def test_encodings_of_two_organisations_link_and_those_of_another_key_are_refused(tmp_path: Path) -> None:
    table(tmp_path)
    fields = "".join(
        f"  - {{name: {name}, kind: {kind}}}\n"
        for name, kind in (("given", "name"), ("surname", "name"), ("birth", "date"))
    )
    (tmp_path / "encode.yaml").write_text(f"record_id: row\nfiles: [people.csv]\nfields:\n{fields}")
    for out, key in (("a", "common"), ("b", "common"), ("c", "other")):
        uttag(
            "link-encode",
            tmp_path / "encode.yaml",
            "--key",
            tmp_path / f"{key}.key",
            "--out",
            tmp_path / f"{out}.parquet",
        )
    assert (tmp_path / "common.key").stat().st_mode & 0o077 == 0
    uttag("link-encoded", tmp_path / "a.parquet", tmp_path / "b.parquet", "--out", tmp_path / "out")
    found = {
        (row["source"], row["record_id"]): row["cluster_id"]
        for row in pq.read_table(tmp_path / "out" / "clusters.parquet").to_pylist()
    }
    assert all(found["a", str(k)] == found["b", str(k)] for k in range(7, 60))
    uttag("link-encoded", tmp_path / "a.parquet", tmp_path / "c.parquet", "--out", tmp_path / "none", code=13)


def test_a_kept_index_takes_changes_in_and_tells_what_merged_and_split(tmp_path: Path) -> None:
    table(tmp_path)
    (tmp_path / "link.yaml").write_text(SETTINGS)
    uttag(tmp_path / "link.yaml", "--out", tmp_path / "out", "--keep")
    with (tmp_path / "change.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(
            [
                COLUMNS,
                ("2", "Torsten", "Quist", "1930-01-02", "90210"),
                ("90", "Maja", "Ek", "1999-12-01", ""),
            ]
        )
    uttag(
        "link-update", tmp_path / "out", "--add", f"{tmp_path / 'change.csv'}:people", "--date", "2026-11-25"
    )
    found = {
        row["record_id"]: row["cluster_id"]
        for row in pq.read_table(tmp_path / "out" / "clusters.parquet").to_pylist()
    }
    assert found["1"] != found["2"] and found["5"] == found["90"]
    kinds = set(pq.read_table(tmp_path / "out" / "history.parquet")["kind"].to_pylist())
    assert {"split"} <= kinds
    assert "holds no living index" in uttag(
        "link-update", tmp_path, "--add", f"{tmp_path / 'change.csv'}:people", code=14
    )


def test_a_review_without_the_file_that_came_with_it_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "alone.csv").write_text("pair,decision\n1,match\n")
    assert "alone.json, which was written with the review, is not beside it" in uttag(
        "link-estimate", tmp_path / "alone.csv", code=14
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("--suggest", "people.csv", "--id", "row"), "uttag link-suggest"),
        (("--estimate", "review.csv"), "uttag link-estimate"),
        (("--update", "out", "--add", "new.csv:people"), "uttag link-update"),
        (("--encode", "encode.yaml", "--key", "common.key", "--out", "a.parquet"), "uttag link-encode"),
        (("--encoded", "a.parquet", "b.parquet", "--out", "out"), "uttag link-encoded"),
    ],
)
def test_a_flag_that_is_a_command_now_is_refused_with_that_command(old: tuple[str, ...], new: str) -> None:
    assert new in uttag(*old, code=10)
