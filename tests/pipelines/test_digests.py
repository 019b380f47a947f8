"""Names by content are the same in every process, and differ where the content does."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from pipelines.files.digests import digest


@pytest.mark.parametrize("value", [{"a", "b"}, frozenset({"x"}), object(), b"bytes", 1j])
def test_what_has_no_one_text_has_no_digest(value: object) -> None:
    with pytest.raises(TypeError, match="has no digest"):
        digest("name", [value])


def test_days_paths_and_whole_numbers_have_one() -> None:
    assert digest(date(2026, 11, 30)) == digest("2026-11-30")
    assert digest(PurePosixPath("a/b")) == digest("a/b")
    assert digest(np.int64(3), np.int32(4)) == digest(3, 4)
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest(["a", "b"]) != digest(["b", "a"])


def test_a_digest_is_the_same_in_another_process() -> None:
    code = "from pipelines.files.digests import digest; print(digest({'b': [1, 'x'], 'a': None}))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {digest({"b": [1, "x"], "a": None})}
