"""People's own tables: whatever CSV or Parquet holds comes in as text and codes, and a fault is one clear
line without a value."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.files import people

TEXTS = st.lists(
    st.one_of(st.none(), st.text(st.characters(exclude_categories=("Cs",)), max_size=6)), max_size=12
)


def csv(folder: Path, text: str | bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def parquet(folder: Path, columns: dict[str, pa.Array | list], name: str = "people.parquet") -> Path:
    path = folder / name
    pq.write_table(pa.table(columns), path)
    return path


def read(path: Path, name: str) -> list[str | None]:
    """A column as it comes in, through its codes."""
    coded = people.code([people.read_text(path, [name])[name]])
    texts = [*coded.texts(), None]
    assert len(set(coded.texts())) == len(coded.texts())
    assert coded.codes.dtype == np.int32
    return [texts[code] for code in coded.codes]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_csv_may_be_separated_by_comma_semicolon_or_tab(tmp_path: Path, mark: str) -> None:
    path = csv(tmp_path, f"id{mark}name{mark}note\n1{mark}Åsa{mark}x\n2{mark}{mark}y\n")
    assert people.columns(path) == ["id", "name", "note"]
    assert people.length(path) == 2
    assert read(path, "name") == ["Åsa", None]


def test_quotes_hold_separators_newlines_and_quotes(tmp_path: Path) -> None:
    path = csv(tmp_path, 'id,name\n1,"Ek, Åsa"\n2,"two\nlines"\n3,"so ""called"""\n')
    assert people.length(path) == 3
    assert read(path, "name") == ["Ek, Åsa", "two\nlines", 'so "called"']


def test_numbers_in_a_csv_stay_as_they_are_written(tmp_path: Path) -> None:
    path = csv(tmp_path, "id,code,born\n001,1.50,1950-03-04\n002,2,\n")
    assert read(path, "id") == ["001", "002"]
    assert read(path, "code") == ["1.50", "2"]
    assert read(path, "born") == ["1950-03-04", None]


def test_a_byte_order_mark_and_carriage_returns_are_no_part_of_it(tmp_path: Path) -> None:
    path = csv(tmp_path, b"\xef\xbb\xbfid;name\r\n1;Anna\r\n")
    assert people.columns(path) == ["id", "name"]
    assert read(path, "name") == ["Anna"]


def test_a_table_of_column_names_alone_has_no_rows(tmp_path: Path) -> None:
    for path in (
        csv(tmp_path, "id,name\n"),
        parquet(tmp_path, {"id": pa.array([], pa.int64()), "name": pa.array([], pa.string())}),
    ):
        assert people.columns(path) == ["id", "name"]
        assert people.length(path) == 0
        assert read(path, "name") == []
        assert len(people.identifiers([(path, "id")])) == 0


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, None, 30]), ["1", None, "30"]),
        (pa.array([1.0, None, 30.0]), ["1", None, "30"]),
        (pa.array([1.5, 2.0]), ["1.5", "2"]),
        (pa.array([1e300, 2.0]), ["1e+300", "2"]),
        (pa.array([float("nan"), float("inf")]), ["nan", "inf"]),
        (pa.array([], pa.float64()), []),
        (pa.array([None, None], pa.float64()), [None, None]),
        (pa.array([datetime.date(1950, 3, 4), None]), ["1950-03-04", None]),
        (pa.array([datetime.datetime(1950, 3, 4, 5, 6)]), ["1950-03-04 05:06:00.000000"]),
        (pa.array([Decimal("1.50")]), ["1.50"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["b", "a", None, "b"]), ["b", "a", None, "b"]),
        (pa.array(["b", "a"], pa.large_string()), ["b", "a"]),
        (pa.array(["b", "a", None, "b"]).dictionary_encode(), ["b", "a", None, "b"]),
        (pa.array([7, 8, 7]).dictionary_encode(), ["7", "8", "7"]),
        (pa.array([["b", "a"], [], None, ["b"]]), ["b\x1fa", "", None, "b"]),
        (pa.array([[1, 2]], pa.large_list(pa.int32())), ["1\x1f2"]),
        (pa.array([None, None]), [None, None]),
        (pa.array([None, None], pa.string()), [None, None]),
    ],
)
def test_any_column_of_parquet_comes_in_as_text(
    tmp_path: Path, column: pa.Array, expected: list[str | None]
) -> None:
    path = parquet(tmp_path, {"id": list(range(len(column))), "x": column})
    assert people.length(path) == len(column)
    assert read(path, "x") == expected


def test_a_column_of_several_row_groups_is_one(tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    names = [f"n{k % 7}" for k in range(100)]
    pq.write_table(pa.table({"name": names}), path, row_group_size=9)
    assert read(path, "name") == names


@given(st.lists(TEXTS, max_size=3), st.booleans())
def test_columns_of_several_files_share_their_codes(
    columns: list[list[str | None]], dictionary: bool
) -> None:
    arrays = [pa.array(column, pa.string()) for column in columns]
    coded = people.code(
        [pa.chunked_array([each.dictionary_encode() if dictionary else each]) for each in arrays]
    )
    texts = [*coded.texts(), None]
    assert [texts[code] for code in coded.codes] == [text for column in columns for text in column]
    assert len(set(coded.texts())) == len(coded.texts())


@given(st.lists(TEXTS, max_size=3))
def test_what_normalising_makes_alike_gets_one_code(columns: list[list[str | None]]) -> None:
    coded = people.code(
        [pa.chunked_array([pa.array(column, pa.string())]) for column in columns], people.tidy
    )
    alone = people.tidy(
        pa.array([text for column in columns for text in column], pa.large_string())
    ).to_pylist()
    texts = [*coded.texts(), None]
    assert [texts[code] for code in coded.codes] == alone
    assert len(set(coded.texts())) == len(coded.texts())


def slow_tidy(text: str) -> str | None:
    return (
        " ".join("".join(each if each.isalnum() or each == "@" else " " for each in text.lower()).split())
        or None
    )


@given(st.lists(st.text("aBÅé1²@ \t\n-'.,_😀", max_size=9)))
def test_tidy_text_is_lower_case_with_one_blank_between_words(texts: list[str]) -> None:
    values = pa.array([*texts, None], pa.large_string())
    assert people.tidy(values).to_pylist() == [*map(slow_tidy, texts), None]
    assert people.trimmed(values).to_pylist() == [text.strip() or None for text in texts] + [None]


@given(TEXTS, st.integers(0, 3))
def test_code_points_are_those_of_the_texts(texts: list[str | None], begin: int) -> None:
    points, edges = people.code_points(pa.array(texts, pa.large_string())[begin:])
    wanted = [text or "" for text in texts[begin:]]
    assert points.tolist() == [ord(letter) for text in wanted for letter in text]
    assert edges.tolist() == np.cumsum([0, *map(len, wanted)]).tolist()


@given(st.lists(st.lists(st.text(max_size=3), unique=True), max_size=3))
def test_pooled_texts_stand_where_the_places_say(pools: list[list[str]]) -> None:
    pool, places = people.pooled([pa.array(each, pa.large_string()) for each in pools])
    texts = pool.to_pylist()
    assert [[texts[place] for place in each] for each in places] == pools
    assert len(set(texts)) == len(texts)


def test_a_mapping_is_tidy_on_both_sides_and_leaves_out_what_is_half(tmp_path: Path) -> None:
    path = csv(tmp_path, "value;group\nAnna ; A\nANN;a\n;b\nEva;\n")
    assert people.mapping(path, "value", "group") == {"anna": "a", "ann": "a"}


def test_a_column_without_a_value_is_all_missing() -> None:
    coded = people.code([people.nothing(2), pa.chunked_array([pa.array(["a", None])])])
    assert (coded.codes.tolist(), coded.texts()) == ([-1, -1, 0, -1], ["a"])


def test_what_is_written_is_plain_parquet_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    people.write({"source": people.labels(np.array([1, 0]), ["a", "b"]), "n": np.array([3, 4])}, path)
    assert pq.read_table(path).to_pydict() == {"source": ["b", "a"], "n": [3, 4]}
    with pytest.raises(pa.ArrowInvalid):
        people.write({"a": np.array([1]), "b": np.array([1, 2])}, tmp_path / "half.parquet")
    assert [each.name for each in tmp_path.iterdir()] == ["out.parquet"]


# Names of records.


def test_names_of_records_are_those_of_the_column_or_the_row_number(tmp_path: Path) -> None:
    first, second = csv(tmp_path, "id,x\nb,1\na,2\n"), parquet(tmp_path, {"number": [7, 8]})
    assert people.identifiers([(first, "id"), (second, None), (second, "number")]).to_pylist() == [
        "b",
        "a",
        "1",
        "2",
        "7",
        "8",
    ]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([7, 8, 9]).dictionary_encode(),
        pa.array(["7", "8", "9"], pa.large_string()),
        pa.array([7.0, 8.0, 9.0]),
    ],
)
def test_names_of_records_may_be_of_any_kind(tmp_path: Path, column: pa.Array) -> None:
    path = parquet(tmp_path, {"id": column})
    assert people.identifiers([(path, "id")]).to_pylist() == ["7", "8", "9"]


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.large_string()])
@pytest.mark.parametrize(
    ("ids", "fault"),
    [
        (["SECRET1", "SECRET1", "SECRET2", "SECRET1"], "2 values of id are there more than once"),
        (["SECRET1", None], "1 records have no id"),
    ],
)
def test_names_that_are_missing_or_repeated_are_refused_without_being_shown(
    tmp_path: Path, kind: pa.DataType, ids: list[str | None], fault: str
) -> None:
    for path in (
        parquet(tmp_path, {"id": pa.array(ids, pa.string()).cast(kind)}),
        csv(tmp_path, "id,x\n" + "".join(f"{each or ''},1\n" for each in ids)),
    ):
        with pytest.raises(DataError) as caught:
            people.identifiers([(path, "id")])
        assert fault in str(caught.value)
        assert str(path) in str(caught.value)
        assert "SECRET" not in str(caught.value)


# Faults.


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    for path in (csv(tmp_path, "id,name\n1,SECRET\n"), parquet(tmp_path, {"id": [1], "name": ["SECRET"]})):
        with pytest.raises(DataError, match="has no column nmae; name one of id, name") as caught:
            people.read_text(path, ["id", "nmae"])
        assert "SECRET" not in str(caught.value)


FAULTS = {
    "latin.csv": "id,name\n1,Åsa SECRET\n".encode("latin-1"),
    "empty.csv": b"",
    "ragged.csv": b"id,name\n1,SECRET,3,4\n",
    "parquet.csv": b"PAR1\x00\xff\xfe\x00SECRET",
    "csv.parquet": b"id,name\n1,SECRET\n",
    "empty.parquet": b"",
    "cut.parquet": b"PAR1SECRET",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_does_not_read_is_one_clear_error(tmp_path: Path, name: str) -> None:
    path = csv(tmp_path, FAULTS[name], name)
    for reading in (lambda: people.read_text(path, ["name"]), lambda: people.identifiers([(path, "name")])):
        with pytest.raises(DataError) as caught:
            reading()
        assert str(path) in str(caught.value)
        assert "SECRET" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_parquet_file_cut_short_or_altered_is_one_clear_error(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"name": [f"SECRET{k}" for k in range(1000)]})
    whole = path.read_bytes()
    for broken in (
        whole[:-20],
        whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :],
        whole[:-8] + b"\xff\xff\xff\x7fPAR1",
    ):
        path.write_bytes(broken)
        with pytest.raises(DataError, match="does not read as Parquet") as caught:
            people.read_text(path, ["name"])
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("name", ["people.csv", "people.parquet"])
def test_a_folder_and_a_file_that_is_not_there_are_said_to_be_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="is not there"):
        people.length(tmp_path / name)
    (tmp_path / name).mkdir()
    for reading in (people.length, people.columns, lambda path: people.read_text(path, ["name"])):
        with pytest.raises(DataError, match="is a folder"):
            reading(tmp_path / name)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([{"a": "SECRET"}]),
        pa.array([[{"a": "SECRET"}]]),
        pa.array([b"\xff\xfeSECRET"]),
        pa.array([[("SECRET", 1)]], pa.map_(pa.string(), pa.int64())),
    ],
)
def test_a_column_that_is_no_text_and_cannot_be_made_one_is_one_clear_error(
    tmp_path: Path, column: pa.Array
) -> None:
    path = parquet(tmp_path, {"x": column})
    with pytest.raises(DataError, match="x holds neither texts nor numbers") as caught:
        people.read_text(path, ["x"])
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_dictionary_may_hold_null_among_its_values() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None]), pa.array(["a", None]))
    assert people.code([pa.chunked_array([column])]).codes.tolist() == [0, -1, -1]


def test_two_columns_of_one_name_are_one_clear_error(tmp_path: Path) -> None:
    other = tmp_path / "people.parquet"
    pq.write_table(
        pa.Table.from_arrays(
            [pa.array(["1"]), pa.array(["a"]), pa.array(["SECRET"])], ["id", "name", "name"]
        ),
        other,
    )
    for path in (csv(tmp_path, "id,name,name\n1,a,SECRET\n"), other):
        assert read(path, "id") == ["1"]
        with pytest.raises(DataError, match="has several columns name") as caught:
            people.read_text(path, ["name"])
        assert "SECRET" not in str(caught.value)
