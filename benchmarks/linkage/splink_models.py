"""Splink's settings for each set: for the made-up records ours, for the others after Splink's own examples
for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import SettingsCreator, block_on

from benchmarks.linkage import rules


@dataclass(frozen=True)
class Model:
    """How to block, compare and train. `certain`: rules whose pairs match, of which `recall` is the share
    that they find."""

    blocking: Sequence[Any]
    comparisons: Callable[[], Sequence[Any]]
    certain: Sequence[Any]
    recall: float
    training: Sequence[Any]
    sampled: float = 1e6
    unique: str = "unique_id"
    derived: str = ""
    floor: float = 0.05

    def settings(self, link_type: str) -> SettingsCreator:
        """As Splink wants it."""
        return SettingsCreator(
            link_type=link_type,
            unique_id_column_name=self.unique,
            blocking_rules_to_generate_predictions=list(self.blocking),
            comparisons=list(self.comparisons()),
        )


def _frequent(comparison: Any) -> Any:
    return comparison.configure(term_frequency_adjustments=True)


def _level(column: str, start: int, label: str) -> cll.CustomLevel:
    return cll.CustomLevel(f"substr({column}_l,1,{start}) = substr({column}_r,1,{start})", label)


def _people() -> list[Any]:
    birth = [
        cll.NullLevel("birth"),
        cll.ExactMatchLevel("birth"),
        cll.DamerauLevenshteinLevel("birth", 1),
        _level("birth", 4, "same year"),
    ]
    postcode = [
        cll.NullLevel("postcode"),
        cll.ExactMatchLevel("postcode"),
        _level("postcode", 3, "same first 3"),
    ]
    return [
        _frequent(cl.JaroWinklerAtThresholds("given", [0.92, 0.8])),
        _frequent(cl.JaroWinklerAtThresholds("surname", [0.92, 0.8])),
        cl.CustomComparison([*birth, cll.ElseLevel()], output_column_name="birth"),
        _frequent(cl.ExactMatch("city")),
        cl.CustomComparison([*postcode, cll.ElseLevel()], output_column_name="postcode"),
        cl.JaroWinklerAtThresholds("street", [0.9]),
        cl.DamerauLevenshteinAtThresholds("number", [1, 2]),
    ]


def _historical() -> list[Any]:
    return [
        cl.ForenameSurnameComparison("first_name", "surname", forename_surname_concat_col_name="both_names"),
        cl.DateOfBirthComparison("dob", input_is_string=True),
        cl.PostcodeComparison("postcode_fake"),
        _frequent(cl.ExactMatch("birth_place")),
        _frequent(cl.ExactMatch("occupation")),
    ]


def _febrl3() -> list[Any]:
    return [
        cl.NameComparison("given_name"),
        cl.NameComparison("surname"),
        cl.DateOfBirthComparison("date_of_birth", input_is_string=True, datetime_format="%Y%m%d"),
        cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]),
        _frequent(cl.ExactMatch("street_number")),
        _frequent(cl.ExactMatch("postcode")),
    ]


def _febrl4() -> list[Any]:
    return [
        _frequent(cl.NameComparison("given_name")),
        _frequent(cl.NameComparison("surname")),
        cl.DateOfBirthComparison(
            "date_of_birth", input_is_string=True, datetime_format="%Y%m%d", invalid_dates_as_null=True
        ),
        cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
        _frequent(cl.ExactMatch("street_number")),
        _frequent(cl.DamerauLevenshteinAtThresholds("postcode", [1, 2])),
    ]


def _fake() -> list[Any]:
    return [
        cl.ForenameSurnameComparison("first_name", "surname"),
        cl.DateOfBirthComparison("dob", input_is_string=True),
        _frequent(cl.ExactMatch("city")),
        cl.EmailComparison("email"),
    ]


def _rules(*columns: str) -> list[Any]:
    return [block_on(*each.split()) for each in columns]


_CROSSED = "l.given_name = r.surname and l.surname = r.given_name"
_FIRST, _LAST, _POST = (f"substr({name},1,{{}})" for name in ("first_name", "surname", "postcode_fake"))
_HISTORICAL = (
    f"{_FIRST.format(3)} {_LAST.format(4)}",
    "surname dob",
    "first_name dob",
    "postcode_fake first_name",
    "postcode_fake surname",
    "dob birth_place",
    f"{_POST.format(3)} dob",
    f"{_POST.format(3)} first_name",
    f"{_POST.format(3)} surname",
    f"{_FIRST.format(2)} {_LAST.format(2)} substr(dob,1,4)",
)
_NEAR_DOB = "levenshtein(l.dob, r.dob) <= 1"
_FAKE_CERTAIN = (
    f"l.first_name = r.first_name and {_NEAR_DOB}",
    f"l.surname = r.surname and {_NEAR_DOB}",
    "l.first_name = r.first_name and levenshtein(l.surname, r.surname) <= 2",
    "l.email = r.email",
)


def _own(of: tuple[rules.Rule, ...]) -> list[Any]:
    return [block_on(*rules.expressions(rule)) for rule in of]


MODELS = {
    "people": Model(
        _own(rules.RULES), _people, _own(rules.CERTAIN), 0.7, _own(rules.TRAINING), unique="record_id"
    ),
    "historical_50k": Model(
        _rules(*_HISTORICAL),
        _historical,
        _rules(
            "first_name surname dob", f"{_FIRST.format(2)} surname {_POST.format(2)}", "dob postcode_fake"
        ),
        0.6,
        _rules("first_name surname", "dob"),
        sampled=1e7,
        derived="*, first_name || ' ' || surname as both_names",
        floor=0.001,
    ),
    "febrl3": Model(
        _rules("soc_sec_id", "given_name", "surname", "date_of_birth", "postcode"),
        _febrl3,
        [
            *_rules("soc_sec_id", "given_name surname date_of_birth"),
            f"{_CROSSED} and l.date_of_birth = r.date_of_birth",
        ],
        0.9,
        _rules("date_of_birth", "postcode"),
        unique="rec_id",
    ),
    "febrl4": Model(
        [
            *_rules("given_name surname"),
            _CROSSED,
            *_rules("date_of_birth", "soc_sec_id", "state address_1", "street_number address_1", "postcode"),
        ],
        _febrl4,
        _rules("soc_sec_id", "given_name surname date_of_birth"),
        0.8,
        _rules("date_of_birth", "postcode"),
        unique="rec_id",
    ),
    "fake_1000": Model(
        _rules("first_name", "surname", "dob", "email"),
        _fake,
        _FAKE_CERTAIN,
        0.7,
        _rules("dob", "email", "first_name surname"),
        floor=0.001,
    ),
}
