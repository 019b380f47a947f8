"""The definition that docs/cohort.md shows: it reads, and no key is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.study import definition

PAGE = Path(__file__).parents[2] / "docs" / "cohort.md"


def example() -> str:
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for each in schema.values():
            yield from keys(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from keys(each)


def test_the_example_reads(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(example(), encoding="utf-8")
    read = definition.load(tmp_path / "d.yaml")
    assert read.controls
    assert len(read.sentences()) > 10


def test_the_example_holds_every_key() -> None:
    shown = set(re.findall(r"(\w+):", example()))
    missing = set(keys(definition.Definition.model_json_schema(by_alias=True))) - shown
    assert missing <= {"above", "below", "exactly", "at_most"}  # named in comments without a colon
