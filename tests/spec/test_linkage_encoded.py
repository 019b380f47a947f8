"""The rules of privacy-preserving linkage: what an encoding keeps, what it hides, and when it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from kernels.bloom import bit_counts, dice
from pipelines.errors import DataError, KeyFileError, SettingsError, UttagError
from pipelines.files.yaml import load_yaml
from pipelines.linkage.agreement import EncodingSettings, label, new_key, read_key, require_same
from pipelines.linkage.encoding import encode

FIELDS: list[dict[str, Any]] = [
    {"name": "given", "kind": "name"},
    {"name": "surname", "kind": "name"},
    {"name": "birth", "kind": "date"},
]
ANNA = ("Anna Maria", "Åström", "1950-03-04")
KEY, OTHER_KEY = bytes(range(32)), bytes(range(100, 132))


def settings(**more: Any) -> EncodingSettings:
    return EncodingSettings.model_validate({"fields": FIELDS, **more})


def encoded(*people: tuple[str | None, ...], key: bytes = KEY, **more: Any) -> dict[str, np.ndarray]:
    columns = {field["name"]: [each[k] for each in people] for k, field in enumerate(FIELDS)}
    return encode(columns, [f"r{i}" for i in range(len(people))], settings(**more), key)


def alike(first: tuple[str | None, ...], second: tuple[str | None, ...], **more: Any) -> float:
    words = encoded(first, second, **more)["clk"].view("<u8")
    return float(dice(words, bit_counts(words), np.array([0]), np.array([1]))[0])


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    new_key(tmp_path / "common.key")
    return tmp_path / "common.key"


@pytest.mark.parametrize(
    "other",
    [
        ("ANNA  MARIA", "ÅSTRÖM", "19500304"),
        ("anna-maria", "Astrom", " 1950-03-04 "),
        ("Maria Anna", *ANNA[1:]),
    ],
)
def test_case_diacritics_blanks_and_the_order_of_given_names_change_nothing(
    other: tuple[str, str, str],
) -> None:
    assert alike(ANNA, other) == 1.0


@pytest.mark.parametrize(
    "other",
    [
        ("Anna Maria", "Åstrøm", "1950-03-05"),
        ("Ana Maria", "Åström", "1950-03-04"),
        ("Anna Maria", "Åström", "1950-04-03"),
    ],
)
def test_a_slip_or_a_swap_of_day_and_month_leaves_records_alike(other: tuple[str, str, str]) -> None:
    assert alike(ANNA, other) > 0.8


def test_another_person_is_not_alike() -> None:
    assert alike(ANNA, ("Erik", "Zetterlund", "1971-08-09")) < 0.6


def test_without_the_key_nobody_makes_the_same_encoding() -> None:
    first, second = (encoded(ANNA, key=key)["clk"].view("<u8") for key in (KEY, OTHER_KEY))
    both = np.concatenate([first, second])
    assert dice(both, bit_counts(both), np.array([0]), np.array([1]))[0] < 0.6


def test_the_same_key_and_settings_make_the_same_encoding_whatever_the_columns_are_called() -> None:
    renamed = settings(
        fields=[FIELDS[0], {**FIELDS[1], "column": "efternamn"}, FIELDS[2]], record_id="nr", files=["a.csv"]
    )
    there = encode({"given": [ANNA[0]], "efternamn": [ANNA[1]], "birth": [ANNA[2]]}, ["x"], renamed, KEY)
    assert np.array_equal(there["clk"], encoded(ANNA)["clk"])
    assert np.array_equal(there["block"], encoded(ANNA)["block"])
    assert label(renamed, KEY) == label(settings(), KEY)


def test_an_encoding_does_not_depend_on_the_records_beside_it() -> None:
    alone, beside = encoded(ANNA), encoded(("Erik", "Zetterlund", "1971-08-09"), ANNA, (None, None, None))
    assert np.array_equal(alone["clk"][0], beside["clk"][1])
    assert np.array_equal(alone["block"][0], beside["block"][1])


def test_a_value_is_encoded_otherwise_in_another_field() -> None:
    assert alike(("Anders", None, None), (None, "Anders", None)) < 0.5


def test_a_record_that_says_nothing_is_like_nobody_and_in_no_block() -> None:
    made = encoded((None, "", "unknown"), ANNA, block_on=[["surname", "birth"]])
    assert alike((None, "", None), (None, "", None)) == 0.0
    assert not made["clk"][0].any()
    assert (made["block"][0] == -1).all()
    assert (made["block"][1] >= 0).all()


def test_values_that_say_nothing_are_counted() -> None:
    assert encoded(("Anna", " ", "1950-02-30"), ("123", None, "1950-02-03"))["unread"].tolist() == [1, 0, 1]


def test_records_of_another_year_have_nothing_in_common_when_salted_by_birth() -> None:
    other = ("Anna Maria", "Åström", "1951-03-04")
    assert alike(ANNA, other) > 0.8
    assert alike(ANNA, other, salt="birth") < 0.6
    assert alike(ANNA, ("Anna Maria", "Åström", "1950-03-05"), salt="birth") > 0.8


def test_a_named_blocking_key_is_shared_by_names_that_sound_alike_in_one_year() -> None:
    keys = encoded(
        ANNA,
        ("Eva", "Aastroem", "1950-12-24"),
        (*ANNA[:2], "1951-03-04"),
        block_on=[["surname", "birth"]],
        samples=0,
    )["block"][:, 0]
    assert keys[0] == keys[1] != keys[2]


def test_no_records_make_no_encodings() -> None:
    made = encoded()
    assert made["clk"].shape == (0, 128)
    assert made["block"].shape == (0, settings().samples)


def test_files_of_another_key_or_other_settings_are_refused() -> None:
    ours = label(settings(), KEY)
    require_same({"a": ours, "b": label(settings(), KEY)})
    with pytest.raises(KeyFileError, match="another key"):
        require_same({"a": ours, "b": label(settings(), OTHER_KEY)})
    with pytest.raises(SettingsError, match="other settings"):
        require_same({"a": ours, "b": label(settings(salt="birth"), KEY)})


def test_what_lies_beside_the_encodings_does_not_hold_the_key() -> None:
    assert {name: len(text) for name, text in label(settings(), KEY).items()} == {
        "format": 16,
        "settings": 16,
        "key_check": 8,
    }


def test_a_key_file_that_others_can_read_is_refused(key_file: Path) -> None:
    assert len(read_key(key_file)) == 32
    for mode in (0o640, 0o604, 0o660):
        key_file.chmod(mode)
        with pytest.raises(KeyFileError, match="open to others"):
            read_key(key_file)


@pytest.mark.parametrize("text", ["", "secret", "ab" * 16, "00" * 32, "hemligt!" * 8, "0123" * 16])
def test_a_key_that_is_short_or_typed_is_refused(key_file: Path, text: str) -> None:
    key_file.write_text(text, encoding="utf-8")
    with pytest.raises(KeyFileError) as fault:
        read_key(key_file)
    assert not text or text not in str(fault.value)


def test_a_key_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(KeyFileError):
            read_key(path)


def test_a_key_is_never_written_over(key_file: Path) -> None:
    before = key_file.read_text()
    with pytest.raises(KeyFileError):
        new_key(key_file)
    assert key_file.read_text() == before
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_ids_that_are_a_field_are_refused() -> None:
    columns = {"given": ["a", "b"], "surname": ["c", "d"], "birth": ["195003041236", "197108099818"]}
    with pytest.raises(DataError, match="the ids are the values of birth") as fault:
        encode(columns, columns["birth"], settings(), KEY)
    assert "1950" not in str(fault.value)


@pytest.mark.parametrize(
    ("change", "error"),
    [({"given": None}, SettingsError), ({"given": ["one"]}, DataError), ({"ids": ["x", "x"]}, DataError)],
    ids=["no column", "other length", "id twice"],
)
def test_records_that_do_not_fit_are_refused(change: dict[str, Any], error: type[UttagError]) -> None:
    columns: dict[str, Any] = {
        "given": ["a", "b"],
        "surname": ["c", "d"],
        "birth": ["", ""],
        "ids": ["1", "2"],
        **change,
    }
    ids = columns.pop("ids")
    with pytest.raises(error):
        encode({name: values for name, values in columns.items() if values is not None}, ids, settings(), KEY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": FIELDS[:2]},
        {"fields": [*FIELDS, FIELDS[0]]},
        {"salt": "shoe_size"},
        {"block_on": [["shoe_size"]]},
        {"block_on": [[]]},
        {"samples": 0},
        {"length": 1000},
        {"key": "00" * 32},
    ],
    ids=lambda wrong: str(next(iter(wrong))),
)
def test_settings_that_contradict_themselves_hold_too_little_or_a_key_are_refused(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_settings_read_from_yaml_by_the_names_in_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "linkage-encoded.md").read_text(encoding="utf-8")
    (tmp_path / "encoding.yaml").write_text(
        page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8"
    )
    assert load_yaml(tmp_path / "encoding.yaml", EncodingSettings).salt is None
