"""Pseudonymised registers: tokens of any form, beside a sex and a birth, link across sources and to nothing
else."""

from __future__ import annotations

import base64
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from kernels import text
from kernels.hashing import hash_rows
from pipelines.errors import SettingsError
from pipelines.files import sealed
from pipelines.files.frames import array
from pipelines.files.schemas import PERSON_INDEX, SEX_MAN, SEX_WOMAN
from pipelines.intake.contract import Contract
from pipelines.site.site import Site
from pipelines.site.snapshot import index_folder
from tests.intake_site import contract, identities, quarantine, receipt, site

PEOPLE = [
    "5e0b2f2a-53c5-4a4e-9d3c-6f0a5f2b9f11",
    base64.b64encode(b"somebody" * 3).decode(),
    "ff" * 32,
    "P-7",
]


def table(**more: Any) -> dict[str, Any]:
    """A register of people by token."""
    mapping = {"token": "who", "sex": {"column": "sex", "values": {"M": "man", "K": "woman"}}, **more}
    columns = {"who": "string", "sex": "string", "year": "integer", "born": "date", "name": "string"}
    return {
        "name": "people",
        "properties": [{"name": name, "logicalType": kind} for name, kind in columns.items()],
        "customProperties": [{"property": "uttag", "value": {"identities": mapping}}],
    }


def delivered(rows: list[tuple[str, str, str]]) -> str:
    lines = [f"{token},{sex},{year},{year}-05-04," for token, sex, year in rows]
    return "\n".join(["who,sex,year,born,name", *lines]) + "\n"


def test_a_token_of_any_form_stands_beside_sex_and_year_of_birth(tmp_path: Path) -> None:
    rows = [(token, "MK"[k % 2], str(1950 + k)) for k, token in enumerate(PEOPLE)]
    made = site(
        tmp_path, contract(table(birth=["year"]), no_reidentify=True), {"people.csv": delivered(rows)}
    )
    found = receipt(made)
    frame = identities(made, found)
    assert (quarantine(made), found["warnings"]) == ([], {})
    assert len(set(array(frame, "token").tolist()) - {0}) == len(PEOPLE)
    births = array(frame, "birth_day").astype("datetime64[D]").astype(str).tolist()
    assert sorted(births) == [f"{1950 + k}-07-01" for k in range(len(PEOPLE))]
    assert sorted(array(frame, "sex").tolist()) == sorted([SEX_MAN, SEX_WOMAN] * 2)


def test_what_is_no_token_is_turned_away_and_one_like_a_number_is_counted(tmp_path: Path) -> None:
    rows = [
        ("x" * 129, "M", "1950"),
        ("", "M", "1950"),
        ("a\tb", "M", "1950"),
        ("19640823-3234", "M", "1964"),
    ]
    made = site(tmp_path, contract(table()), {"people.csv": delivered(rows)})
    found = receipt(made)
    assert [each[:2] for each in quarantine(made)] == [(0, "bad_token"), (1, "missing"), (2, "bad_token")]
    assert found["warnings"] == {"token_like_number": 1}
    zone = made.zone("identity")
    (token,) = array(identities(made, found), "token").tolist()
    assert token != hash_rows(np.array([b"196408233234"], "S12"), zone.derived("token"))[0]
    assert token == hash_rows(np.array([b"19640823-3234"], "S16"), zone.derived("opaque token"))[0]


@pytest.mark.parametrize(
    ("mapping", "agreed", "said"),
    [
        ({"surname": "name"}, {}, "a token stands instead of numbers, names and postcodes"),
        ({"birth": "born"}, {"no_reidentify": True}, "maps dates of birth"),
        ({"birth": ["year", "year", "year"]}, {"no_reidentify": True}, "maps dates of birth"),
        ({"birth": "born"}, {"no_reidentify": True, "birth_dates": True}, None),
        ({"birth": ["year"]}, {"no_reidentify": True}, None),
        ({"birth": "born"}, {}, None),
    ],
)
def test_what_may_stand_beside_a_token(
    tmp_path: Path, mapping: dict[str, Any], agreed: dict[str, Any], said: str | None
) -> None:
    path = tmp_path / "register.yaml"
    path.write_text(yaml.safe_dump(contract(table(**mapping), **agreed)), encoding="utf-8")
    if said is None:
        assert Contract.load(path).tables[0].mapping.identities is not None
    else:
        with pytest.raises(SettingsError, match=said):
            Contract.load(path)


def two_registers(root: Path, one: list[str], two: list[str]) -> dict[tuple[str, str], int]:
    """The person of each token of each of two sources, after a night."""
    from workflows.stages import Call, run

    for name, tokens in (("clinic", one), ("other", two)):
        rows = [(token, "M", str(1930 + number)) for number, token in enumerate(tokens)]
        site(root, contract(table(birth=["year"]), no_reidentify=True), {"people.csv": delivered(rows)})
        if name == "other":
            shutil.copytree(root / "deliveries" / "clinic", root / "deliveries" / "other")
            said = root / "deliveries" / "other" / "d1" / "delivery.yaml"
            said.write_text(said.read_text(encoding="utf-8").replace("source: clinic", "source: other"))
            rows = [(token, "M", str(1930 + number)) for number, token in enumerate(one)]
            (root / "deliveries" / "clinic" / "d1" / "people.csv").write_text(
                delivered(rows), encoding="utf-8"
            )
    (root / "site.yaml").write_text(
        "site: made\nsources:\n  clinic: {contract: contracts/clinic.yaml}\n"
        "  other: {contract: contracts/clinic.yaml}\n",
        encoding="utf-8",
    )
    for name in ("clinic", "other"):
        run("intake", Call(root, delivery=f"{name}/d1"))
    linked = run("linkage", Call(root))
    made = Site.load(root)
    frame = sealed.read(
        index_folder(made, linked["index"]) / "index.parquet",
        PERSON_INDEX,
        made.zone("store"),
        ["record", "person"],
    )
    person = dict(zip(array(frame, "record").tolist(), array(frame, "person").tolist(), strict=True))
    key = made.zone("identity").derived("record")
    return {
        (source, token): person[int(hash_rows(np.array([f"{source}\x1f{token}".encode()]), key)[0])]
        for source, tokens in (("clinic", one), ("other", two))
        for token in tokens
    }


def test_two_sources_that_share_tokens_share_persons_and_no_others(tmp_path: Path) -> None:
    shared = [str(uuid.UUID(int=number * 7919 + 1)) for number in range(40)]
    alone = [str(uuid.UUID(int=number * 7919 + 2)) for number in range(40)]
    persons = two_registers(tmp_path, [*shared, *PEOPLE], [*reversed(shared), *alone, *PEOPLE])
    for token in (*shared, *PEOPLE):
        assert persons["clinic", token] == persons["other", token]
    assert len(set(persons.values())) == len(shared) + len(alone) + len(PEOPLE)


def test_sixteen_hexadecimal_digits_of_the_sender_meet_the_register_whatever_their_case() -> None:
    raw = "0123456789abcdef,0123456789ABCDEF,fedcba9876543210,FEDCBA9876543210".split(",")
    data = np.frombuffer("".join(raw).encode(), np.uint8)
    offsets = np.arange(0, 65, 16, dtype=np.int64)
    found, state = text.read_tokens(data, offsets, np.ones(4, bool), b"k" * 16)
    assert (state == text.GOOD).all()
    assert found[0] == found[1] == 0x0123456789ABCDEF
    assert found[2] == found[3] == hash_rows(np.array([b"fedcba9876543210"]), b"k" * 16)[0]
