"""All that is wrong with a file is told at once: each fault with its line, in our words, never with the value
that stands there."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from pipelines.disclosure.specification import Specification
from pipelines.errors import SettingsError
from pipelines.files.faults import faults
from pipelines.files.yaml import Strict, load_yaml
from pipelines.intake.contract import Contract
from pipelines.linkage.link_settings import LinkSettings
from pipelines.site.permit import Permit
from pipelines.site.site import Site
from pipelines.study import definition
from pipelines.study.table import Table
from tests import sites

SECRET = "198501019999"


def told(load: Callable[[], object]) -> list[str]:
    """Every fault as `LINE: PLACE: WHAT`."""
    with pytest.raises(SettingsError) as caught:
        load()
    assert caught.value.others[0] is caught.value
    assert caught.value.exit_code == 10
    for each in caught.value.others:
        assert SECRET not in str(each)
        assert each.next_step
    return [re.sub(r"^[^:]*\.yaml:", "", f"{each.where}: {each.what}") for each in caught.value.others]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def test_of_a_definition(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "d.yaml",
        f"""
        cohort: d
        study: {{from: 2017-01-01, to: soon}}
        codes:
          x: [ICD-10-SE/E11]
        index:
          codes: x
          kind: {SECRET}
          which: sometimes
        washuot: 365
        age: {{from: eighteen, to: 99}}
        require:
          - {{codes: x, kind: drug, from: -10, to: {SECRET}}}
          - {{codes: x, at_least: -1, of: middle}}
        follow_up: {SECRET}.5
        sex: {SECRET}
        """,
    )
    assert told(lambda: definition.load(path)) == [
        "1: title: is missing",
        "2: study.to: is no day",
        "7: index.kind: is no text",
        "8: index.which: is not one of first, last, any, all, and is no whole number",
        "9: washuot: is not known here",
        "10: age.from: is no whole number",
        "12: require.0.to: is above 36525",
        "13: require.1.of: is not one of start, end",
        "13: require.1.at_least: is below 1",
        "14: follow_up: is no whole number",
        "15: sex: is not one of man, woman",
    ]


def test_what_contradicts_what_in_a_definition_is_told_at_once_too(tmp_path: Path) -> None:
    head = "cohort: d\ntitle: d\nstudy: {from: 2017-01-01, to: 2020-01-01}\ncodes: {x: [ICD-10-SE/E11]}\n"
    twice = "follow_up: 9\nwhile_exposed: {codes: x}\nrepeat: 400\n"
    path = written(tmp_path, "d.yaml", f"{head}index: {{codes: x}}\n{twice}")
    assert told(lambda: definition.load(path)) == [
        "1: file: repeat is said, but a person enters once: say which: all, or leave repeat out",
        "1: file: follow_up and while_exposed both say when follow-up ends: leave one out",
    ]
    lists = "index: {codes: y}\ncensor: [{codes: z}, {codes: y}]\n"
    path = written(tmp_path, "e.yaml", head + lists)
    assert told(lambda: definition.load(path)) == [
        "1: file: code list y is not among codes",
        "1: file: code list z is not among codes",
    ]


def test_of_a_site(tmp_path: Path) -> None:
    written(
        tmp_path, "site.yaml", f"site: [a]\nshards: {SECRET}\nsources: {{a: {{contract: 1}}}}\nlinkge: x\n"
    )
    assert told(lambda: Site.load(tmp_path)) == [
        "1: site: is no text",
        "2: shards: is above 4096",
        "3: sources.a.contract: is no text",
        "4: linkge: is not known here",
    ]


def test_of_a_permit_and_its_tables(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "p.yaml",
        """
        permit: p
        title: T
        holder: H
        purpose: P
        legal_basis: L
        valid_from: 2025-13-01x
        valid_to: 2099-12-31
        sources: all
        cohort: definitions/d.yaml
        policy: {minimum: two, zeros: perhaps}
        tables:
          - table: a
            title: A
            count: people
            dimensions: [sex]
        """,
    )
    found = told(lambda: load_yaml(path, Permit, file=path))
    assert found[0] == "6: valid_from: is no day"
    assert "8: sources: is no list" in found
    assert any(each.startswith("10: policy.minimum: is no whole number") for each in found)
    assert any(each.startswith("10: policy.zeros: is not one of ") for each in found)
    assert any(each.startswith("14: tables.0.count: ") for each in found)


def test_of_a_table(tmp_path: Path) -> None:
    path = written(tmp_path, "t.yaml", "table: a\ntitle: [b]\ndimensions: sex\n")
    found = told(lambda: load_yaml(path, Table))
    assert "2: title: is no text" in found
    assert "3: dimensions: is no list" in found
    assert any(each.startswith("1: count: is missing") for each in found)


def test_of_a_contract_in_every_table_and_property(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "c.yaml",
        f"""
        apiVersion: v3.0.2
        kind: DataContract
        id: clinic
        version: 1.0.0
        status: active
        servers:
          - {{server: files, type: local, format: xml}}
        customProperties:
          - property: uttag
            value: {{owner: 7, quarantine_share: {SECRET}}}
        schema:
          - name: patients
            properties:
              - {{name: pnr, logicalType: array}}
              - {{name: born, logicalType: date, logicalTypeOptions: {{format: {SECRET}}}}}
            customProperties:
              - property: uttag
                value:
                  identities: {{number: pnr, surname: efternamn}}
          - name: visits
            properties:
              - {{name: pnr, logicalType: string}}
        """,
    )
    assert told(lambda: Contract.load(path)) == [
        "6: servers: its first server has no format csv, parquet or omop",
        "10: customProperties.0.value.owner: is no text",
        "10: customProperties.0.value.quarantine_share: is above 1.0",
        "12: schema.0: its mapping uses the column efternamn, which it does not list",
        "14: schema.0.properties.0: its logicalType is not one that intake reads",
        "15: schema.0.properties.1: format is not one of yyyy-MM-dd, yyyyMMdd",
        "20: schema.1: the property uttag is missing",
    ]


def test_of_settings_to_link_and_to_protect(tmp_path: Path) -> None:
    link = written(
        tmp_path, "l.yaml", f"data:\n  - file: a.csv\n    sauce: a\nfields: {SECRET}\nlink: round\n"
    )
    found = told(lambda: LinkSettings.load(link))
    assert "4: fields: does not hold names and values" in found
    assert "3: data.0.sauce: is not known here" in found
    assert any(each.startswith("5: link: is not one of ") for each in found)
    protect = written(tmp_path, "s.yaml", f"table: [a]\npolicy: {{minimum: {SECRET}}}\nmethods: x\n")
    found = told(lambda: Specification.load(protect))
    assert len(found) >= 3
    assert "3: methods: is not known here" in found
    assert any(each.startswith("2: policy.minimum: is above ") for each in found)


def test_a_name_that_stands_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path, "site.yaml", "site: a\nsources:\n  x: {contract: c}\n  x: {contract: d}\nsite: b\n"
    )
    assert told(lambda: Site.load(path.parent)) == [
        "4: sources.x: stands a second time, after line 3",
        "5: site: stands a second time, after line 1",
    ]


def test_the_command_prints_them_all(tmp_path: Path) -> None:
    written(tmp_path, "site.yaml", "site: a\nshards: many\nsauces: {}\n")
    ran = sites.called("check", tmp_path, check=False)
    assert ran.returncode == 10
    lines = ran.stderr.splitlines()
    assert [line.split(".yaml:")[1] for line in lines] == [
        "1: sources: is missing; add it",
        "2: shards: is no whole number; write a whole number",
        "3: sauces: is not known here; write sources, or remove it",
    ]


class _Part(Strict):
    name: str = Field(min_length=2, max_length=3, pattern="[a-z]+")
    share: float = Field(gt=0, lt=1)


class _Whole(Strict):
    whole: int = Field(ge=0, le=9, multiple_of=3)
    exact: Decimal
    flag: bool
    way: Literal["a", "b"] | int
    parts: tuple[_Part, ...] = Field(min_length=1, max_length=2)
    either: _Part | str
    by_name: dict[str, _Part]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats() | st.text("ab1é", max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "share", "x"]), inside, max_size=3)
    ),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*_Whole.model_fields, "more"], ANYTHING)))
def test_whatever_stands_there_is_told_in_our_words_and_once(content: dict[str, Any]) -> None:
    try:
        _Whole.model_validate(content)
    except ValidationError as found:
        given_words = {error["msg"] for error in found.errors()}
        said = faults(found, content, _Whole)
        assert said
        assert len({(each.place, each.what) for each in said}) == len(said)
        for each in said:
            assert each.what not in given_words
            assert "does not fit" not in each.what
            assert not re.search(r"[Ii]nput|valid|permitted|[Ff]ield", each.what)
