"""One reader of plain tables: whatever marks a CSV file has, a cohort sees the columns that linkage sees."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cohort.cdm import Cdm
from pipelines.errors import DataError
from pipelines.files import people
from pipelines.files.dialect import Dialect, dialect, of_text

TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=8)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_has_the_same_columns_for_every_command(tmp_path: Path, mark: str, packed: bool) -> None:
    text = (
        mark.join(("person_id", "gender_concept_id", "birth")) + "\n" + mark.join(("1", "8507", "x")) + "\n"
    )
    path = tmp_path / ("person.csv.gz" if packed else "person.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert people.columns(path) == ["person_id", "gender_concept_id", "birth"]
    cdm = Cdm(tmp_path)
    assert cdm.columns("person") == ("person_id", "gender_concept_id", "birth")
    assert cdm.numbers("person", "gender_concept_id").tolist() == [8507]


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5), st.sampled_from(",;"))
def test_what_a_csv_writer_wrote_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], mark: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL).writerows([("a", "b,;", "c"), *rows])
    assert dialect(path) == Dialect(mark, True)
    for place, name in enumerate(("a", "b,;", "c")):
        assert people.column_texts(path, name) == [row[place] or None for row in rows]


def test_the_mark_is_the_one_outside_quotes() -> None:
    assert of_text('"a, b, c, d";"e"\n') == Dialect(";", True)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('id\tname\n1\t5" tube\n', False),
        ('id\tname\n1\t"Foo" bar\n2\t"whole"\n', False),
        ("id\tname\n1\tplain\n", False),
        ('id\tname\n1\t"with\ttab"\n', False),
        ('id\tname\n1\t"whole"\n', True),
        ('"id"\t"name"\n1\tx\n', True),
    ],
)
def test_quotes_of_a_file_with_tabs_are_text_unless_they_hold_cells(text: str, quoted: bool) -> None:
    assert of_text(text) == Dialect("\t", quoted)


def test_a_vocabulary_keeps_its_quotes_and_a_quoted_table_loses_them(tmp_path: Path) -> None:
    (tmp_path / "concept.csv").write_text('concept_id\tconcept_name\n1\t"Foo" bar\n2\t5" tube\n')
    (tmp_path / "person.csv").write_text('"person_id"\t"name"\n"1"\t"A ""b"""\n')
    cdm = Cdm(tmp_path)
    assert cdm.arrow("concept")["concept_name"].to_pylist() == ['"Foo" bar', '5" tube']
    assert cdm.arrow("person")["name"].to_pylist() == ['A "b"']


def test_what_does_not_read_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "person.csv").write_bytes(b"a,b\n\xff\xfe,1\n2\n")
    with pytest.raises(DataError, match=r"person\.csv: does not read"):
        Cdm(tmp_path).arrow("person")


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert of_text(io.BytesIO("\ufeffa;b\n".encode()).read().decode("utf-8-sig")) == Dialect(";", True)
