"""Numbers that keep their place and get other names: at the gate, in a bundle, in a protected folder."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.disclosure.alone import prepare, protect_into
from pipelines.disclosure.specification import Specification
from pipelines.errors import VerificationError
from pipelines.files import described, documents, sealed
from pipelines.files.digests import file_digest
from pipelines.site import signing
from pipelines.verifier import verify_bundle, verify_protected
from tests.faults.test_release_faults import Place

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Place(tmp_path_factory.mktemp("labels")).prepare()
    place.release()
    return place.root


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Place:
    shutil.copytree(original, tmp_path / "site")
    return Place(tmp_path / "site")


def edited(path: Path, change: Change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def exchange(about: dict[str, Any], names: str) -> None:
    """The first two codes or labels of a dimension below its total, exchanged."""
    texts = next(each for each in about["dimensions"] if len(each[names]) > 2)[names]
    texts[1], texts[2] = texts[2], texts[1]


# ---- at the gate -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["raw", "protected", "both"])
@pytest.mark.parametrize(
    "change",
    [
        lambda about: exchange(about, "labels"),
        lambda about: exchange(about, "codes"),
        lambda about: about.update(title="Another title"),
        lambda about: about.update(population="others"),
        lambda about: about["notes"].update(persons="households"),
        lambda about: about["measures"].reverse(),
        lambda about: about["additive"].update(persons=[False] * len(about["dimensions"])),
    ],
    ids=["labels", "codes", "title", "population", "note", "measures", "additive"],
)
def test_numbers_under_other_names_do_not_pass_the_gate(place: Place, folder: str, change: Change) -> None:
    before = {path: path.read_bytes() for path in sorted(place.released.rglob("*")) if path.is_file()}
    for each in ("raw", "protected") if folder == "both" else (folder,):
        path = place.run / each / "a.json"
        edited(path, change)
    with pytest.raises(VerificationError, match="is not what was sealed"):
        place.release()
    assert {path: path.read_bytes() for path in sorted(place.released.rglob("*")) if path.is_file()} == before


def test_who_has_the_key_but_not_the_counts_does_not_pass_either(place: Place) -> None:
    """Labels exchanged and sealed anew: the counted cube says otherwise."""
    path = place.run / "protected" / "a.json"
    about = json.loads(path.read_text())
    numbers = sealed.read(
        path.with_suffix(".parquet"), dict.fromkeys([*about["measures"], "hidden"], "int64"), place.zone
    )
    exchange(about, "labels")
    schema = dict.fromkeys(numbers, "int64")
    described.write(numbers, path.with_suffix(".parquet"), schema, place.zone, about, path)
    with pytest.raises(VerificationError, match="called and laid out as the counted"):
        place.release()


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: proof["policy"].update(minimum=20),
        lambda proof: proof["tables"].pop(),
        lambda proof: proof["tables"][0].update(hidden=0),
        lambda proof: proof.update(withstands=["everybody"]),
    ],
    ids=["minimum", "tables", "hidden", "withstands"],
)
def test_another_proof_than_the_stage_wrote_does_not_pass_the_gate(place: Place, change: Change) -> None:
    edited(place.run / "proof" / "proof.json", change)
    with pytest.raises(VerificationError, match="is not what was sealed"):
        place.release()


@pytest.mark.parametrize("name", ["title", "notes", "meanings", "columns"])
def test_figures_under_other_names_do_not_pass_the_gate(place: Place, name: str) -> None:
    def change(about: dict[str, Any]) -> None:
        value = about[name]
        about[name] = (
            f"{value}!"
            if isinstance(value, str)
            else {**value, "x": "y"}
            if isinstance(value, dict)
            else [*value[1:], *(value[:1] or ["none"])]
        )

    edited(place.run / "measures" / "a.json", change)
    with pytest.raises(VerificationError, match="is not what was sealed"):
        place.release()


def test_the_description_of_one_table_does_not_pass_for_another(place: Place) -> None:
    about = json.loads((place.run / "protected" / "b.json").read_text())
    (place.run / "protected" / "a.json").write_text(json.dumps(about))
    with pytest.raises(VerificationError):
        place.release()


# ---- in a bundle, signed again by somebody ----------------------------------------------------------------


def signed_again(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "manifest.sig", "release.pub")
    }
    (folder / "manifest.json").write_bytes(documents.canonical_json(manifest))
    key = tmp_path / "forged.ed25519"
    (folder / "release.pub").write_text(signing.create_signing_key(key, b"f" * 32).hex())
    (folder / "manifest.sig").write_text(signing.sign(key, (folder / "manifest.json").read_bytes()).hex())


def failing(folder: Path) -> set[str]:
    return {claim.text for claim in verify_bundle(folder) if not claim.holds}


LABELS = "codes have the labels that are described, in tables and figures alike"
TABLES = "every table is described, and what is described are all tables"
PROOF = "the proof is of the signed policy and of these tables"


def swap_in_csv(path: Path, column: int) -> None:
    rows = list(csv.reader(path.open(newline="")))
    first, second = list(dict.fromkeys(row[column] for row in rows[1:]))[1:3]
    other = {first: second, second: first}
    for row in rows[1:]:
        row[column] = other.get(row[column], row[column])
    with path.open("w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)


@pytest.mark.parametrize(
    ("name", "change", "claim"),
    [
        ("structure.json", lambda found: exchange(found["tables"][0], "labels"), LABELS),
        ("structure.json", lambda found: found["tables"].pop(), TABLES),
        ("structure.json", lambda found: found["tables"].append(found["tables"][0]), TABLES),
        (
            "structure.json",
            lambda found: found["tables"][0]["dimensions"][0]["labels"].append("more"),
            LABELS,
        ),
        ("proof.json", lambda found: found["policy"].update(minimum=20), PROOF),
        ("proof.json", lambda found: found["policy"].update(zeros="protected"), PROOF),
        ("proof.json", lambda found: found["tables"].pop(), PROOF),
        ("proof.json", lambda found: found["tables"][0].update(hidden=0), PROOF),
        ("manifest.json", lambda found: found["policy"].update(minimum=3), PROOF),
    ],
)
def test_a_bundle_that_says_two_things_does_not_verify_whoever_signs(
    place: Place, tmp_path: Path, name: str, change: Change, claim: str
) -> None:
    folder = place.released / "case" / "1"
    assert failing(folder) == set()
    edited(folder / name, change)
    signed_again(folder, tmp_path)
    assert claim in failing(folder)


def test_labels_exchanged_in_one_file_of_a_bundle_are_found_whoever_signs(
    place: Place, tmp_path: Path
) -> None:
    folder = place.released / "case" / "1"
    header = (folder / "figures" / "a.csv").read_text().splitlines()[0].split(",")
    label = next(place for place, name in enumerate(header) if name.endswith("_label"))
    swap_in_csv(folder / "figures" / "a.csv", label)
    signed_again(folder, tmp_path)
    assert failing(folder) == {LABELS}


def test_a_table_that_nobody_describes_is_found_whoever_signs(place: Place, tmp_path: Path) -> None:
    folder = place.released / "case" / "1"
    shutil.copy(folder / "tables" / "a.csv", folder / "tables" / "uncovered.csv")
    signed_again(folder, tmp_path)
    assert failing(folder) == {TABLES}


# ---- in a protected folder ---------------------------------------------------------------------------------


@pytest.fixture
def protected(tmp_path: Path) -> Path:
    rows = [
        (place, sex, care, 3 if (place, sex) == ("A", "F") else 20 + 3 * n)
        for n, (place, sex, care) in enumerate((p, s, c) for p in "ABC" for s in "FM" for c in "xy")
    ]
    with (tmp_path / "cells.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("place", "sex", "care", "n"), *rows])
    tables = {
        other: {"dimensions": {name: {"levels": [name]} for name in ("place", other)}}
        for other in ("sex", "care")
    }
    content = {"table": "cells.csv", "count": "n", "tables": tables, "policy": {"minimum": 10}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    problem = prepare(tmp_path / "spec.yaml", Specification.load(tmp_path / "spec.yaml"))
    protect_into(problem, tmp_path / "out", lambda _text: None)
    assert all(claim.holds for claim in verify_protected(tmp_path / "out"))
    return tmp_path / "out"


def no_longer(folder: Path) -> set[str]:
    return {claim.text for claim in verify_protected(folder) if not claim.holds}


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: proof["policy"].update(minimum=3),
        lambda proof: proof["policy"].update(attacker="sums"),
        lambda proof: proof["policy"].update(structural_zeros=[{"sex": ["F"]}]),
        lambda proof: proof.update(withstands=["everybody"]),
        lambda proof: proof.update(method="midpoint"),
    ],
    ids=["minimum", "attacker", "zeros", "withstands", "method"],
)
def test_a_proof_that_its_certificate_was_not_written_for_does_not_verify(
    protected: Path, change: Change
) -> None:
    edited(protected / "proof.json", change)
    assert no_longer(protected)


def test_a_table_left_out_of_the_proof_is_found_with_or_without_a_certificate(protected: Path) -> None:
    shutil.rmtree(protected / "certificate")
    edited(protected / "proof.json", lambda proof: proof["tables"].pop())
    assert "every file is, byte for byte, the one that the proof names" in no_longer(protected)


def test_labels_exchanged_in_files_and_proof_alike_are_found(protected: Path) -> None:
    """The numbers keep their place, the files and the proof agree: the certificate is of another proof."""
    path = protected / "sex.csv"
    rows = list(csv.reader(path.open(newline="")))
    other = {"F": "M", "M": "F"}
    for row in rows[1:]:
        row[1] = other.get(row[1], row[1])
    with path.open("w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)
    stored = pq.read_table(protected / "sex.parquet")
    swapped = pa.array([other.get(code, code) for code in stored["sex"].to_pylist()])
    pq.write_table(stored.set_column(1, "sex", swapped), protected / "sex.parquet")

    def change(proof: dict[str, Any]) -> None:
        table = next(each for each in proof["tables"] if each["table"] == "sex")
        table["dimensions"][1]["codes"] = ["Total", "M", "F"]
        proof["files"] |= {name: file_digest(protected / name) for name in ("sex.csv", "sex.parquet")}

    edited(protected / "proof.json", change)
    assert "the certificate was written for this proof" in no_longer(protected)
