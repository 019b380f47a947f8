"""Every error of ours stands in the table of exit codes that people read, with an example and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import errors

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
ROW = re.compile(r"^\| ([\w ]+) \| ([\w, –]+) \| (.+) \| (.+) \|$", re.MULTILINE)
KINDS = [
    each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.UttagError)
]


def rows() -> dict[str, tuple[str, str, str]]:
    """Code, example and what to do, by class."""
    found = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {name: (code, said, do) for code, names, said, do in found for name in names.split(", ")}


@pytest.mark.parametrize("kind", KINDS, ids=[each.__name__ for each in KINDS])
def test_every_error_stands_in_the_table_of_exit_codes(kind: type[errors.UttagError]) -> None:
    code, said, do = rows()[kind.__name__]
    assert code == ("of the stage" if kind is errors.StageError else str(kind.exit_code))
    assert ":" in said, "the command, and what it said"
    assert do


def test_two_kinds_share_no_number_but_the_general_one_and_those_of_stages() -> None:
    own = [each.exit_code for each in KINDS if not issubclass(each, errors.StageError)]
    numbers = [each for each in own if each != errors.UttagError.exit_code]
    assert len(set(numbers)) == len(numbers)
