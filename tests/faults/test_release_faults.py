"""A bundle that is not what was released does not verify; what does not verify is not released or kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.cubes.cube import ProtectedCube
from pipelines.cubes.files import read_protected, write_cube, write_protected
from pipelines.cubes.policy import Policy
from pipelines.disclosure.stage import disclose_files
from pipelines.disclosure.suppression.protect import CERTIFICATE
from pipelines.errors import DisclosureError, SettingsError, VerificationError
from pipelines.files import documents, sealed
from pipelines.files.digests import file_digest
from pipelines.files.frames import array
from pipelines.files.sealing import Zone, create_key
from pipelines.measures.stage import measure
from pipelines.release.case import CaseInfo
from pipelines.release.pull import pull
from pipelines.release.stage import release_files
from pipelines.site import signing
from pipelines.site.site import Site
from pipelines.verifier import verify_bundle
from tests.made_cubes import random_cubes

CASE = CaseInfo("case", "A case", "Somebody", "To test", "2099-12-31", Policy(), "00" * 32)


class Place:
    """A small site with one run of one permit."""

    def __init__(self, root: Path) -> None:
        self.root, self.run, self.released = root, root / "run", root / "release"
        create_key(root / "keys" / "project.key", b"k" * 32)
        self.zone = Zone("project-case", root / "keys" / "project.key")
        self.key = root / "keys" / "release.ed25519"
        self.public = signing.create_signing_key(self.key, b"s" * 32)

    def prepare(self, seed: int = 5, times: int = 1) -> Place:
        """`times`: everybody is counted so often, as if there were as many like them."""
        for cube in random_cubes(seed):
            write_cube(
                replace(cube, measures={name: times * each for name, each in cube.measures.items()}),
                self.run / "raw",
                self.zone,
            )
        disclose_files(self.run / "raw", self.run, Policy(), self.zone)
        measure(self.run / "protected", self.run / "measures", self.zone)
        return self

    def release(self) -> Path:
        return self.released / str(
            release_files(CASE, self.run, self.released, self.key, self.zone, "site")["bundle"]
        )

    def site(self) -> Site:
        return Site(root=self.root, site="site", sources={})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Place(tmp_path_factory.mktemp("release")).prepare()
    place.release()
    return place.root


@pytest.fixture
def place(original: Path, tmp_path: Path) -> Place:
    shutil.copytree(original, tmp_path / "site")
    return Place(tmp_path / "site")


def holds(folder: Path, public: bytes | None = None) -> bool:
    return all(claim.holds for claim in verify_bundle(folder, public))


def test_an_untouched_bundle_verifies(place: Place) -> None:
    assert holds(place.released / "case" / "1", place.public)
    assert holds(place.released / "case", place.public)
    assert holds(place.released / "case")


@pytest.mark.parametrize(
    "name",
    [
        "tables/a.csv",
        "tables/a.parquet",
        "tables/a.xlsx",
        "plots/a.svg",
        "plots/b.csv",
        "figures/a.csv",
        "index.html",
        "method.md",
        "proof.json",
        "structure.json",
        "data-dictionary.csv",
        "manifest.json",
        "manifest.sig",
    ],
)
def test_one_changed_byte_anywhere_is_found(place: Place, name: str) -> None:
    path = place.released / "case" / "1" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not holds(path.parents[len(Path(name).parts) - 1], place.public)


@pytest.mark.parametrize(
    "name", ["tables/a.csv", "plots/b.svg", "manifest.json", "manifest.sig", "release.pub", "structure.json"]
)
def test_a_missing_file_is_found(place: Place, name: str) -> None:
    (place.released / "case" / "1" / name).unlink()
    assert not holds(place.released / "case" / "1", place.public)


def test_a_file_too_many_is_found_and_so_is_a_link(place: Place) -> None:
    folder = place.released / "case" / "1"
    (folder / "tables" / "extra.csv").write_text("x")
    assert not holds(folder)
    (folder / "tables" / "extra.csv").unlink()
    assert holds(folder)
    (folder / "extra").symlink_to("/etc")
    assert not holds(folder)


def test_another_key_is_found(place: Place, tmp_path: Path) -> None:
    other = signing.create_signing_key(tmp_path / "other.ed25519", b"o" * 32)
    assert not holds(place.released / "case", other)


def test_one_who_signs_anew_must_have_the_key(place: Place, tmp_path: Path) -> None:
    """A forger changes a table, its hash and the signature: it verifies with the enclosed key, never with the
    centre's."""
    folder = place.released / "case" / "1"
    resign(place, folder, tmp_path, "method.md", lambda text: text + "More.\n")
    assert holds(folder)
    assert not holds(folder, place.public)


def resign(place: Place, folder: Path, tmp_path: Path, name: str, change: Callable[[str], str]) -> None:
    (folder / name).write_text(change((folder / name).read_text()), newline="")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = file_digest(folder / name)
    (folder / "manifest.json").write_bytes(documents.canonical_json(manifest))
    key = tmp_path / "forged.ed25519"
    (folder / "release.pub").write_text(signing.create_signing_key(key, b"f" * 32).hex())
    (folder / "manifest.sig").write_text(signing.sign(key, (folder / "manifest.json").read_bytes()).hex())


def test_tables_in_another_order_or_with_another_number_are_found_whoever_signs(
    place: Place, tmp_path: Path
) -> None:
    folder = place.released / "case" / "1"

    def swap(text: str) -> str:
        lines = text.splitlines(keepends=True)
        return "".join([lines[0], lines[2], lines[1], *lines[3:]])

    resign(place, folder, tmp_path, "tables/a.csv", swap)
    assert not holds(folder)


def test_a_pattern_with_too_little_hidden_fails_the_verifiers_own_attack(place: Place) -> None:
    """Small cells alone are hidden: the verifier finds that they can be worked out, though all else is in
    order."""
    for cube in random_cubes(5):
        hidden = (cube.measures["persons"] > 0) & (cube.measures["persons"] < 5)
        shown = {name: np.where(hidden, 0, values) for name, values in cube.measures.items()}
        weak = ProtectedCube(
            cube.table,
            cube.title,
            cube.population,
            cube.dimensions,
            shown,
            hidden,
            cube.additive,
            cube.at_least,
        )
        write_protected(weak, place.run / "protected", place.zone)
    before = sorted(place.released.rglob("*"))
    with pytest.raises(VerificationError):
        place.release()
    assert sorted(place.released.rglob("*")) == before


@pytest.mark.parametrize("column", ["cell", "change", "move"])
def test_a_certificate_that_does_not_prove_it_stops_the_gate(place: Place, column: str) -> None:
    path = place.run / "proof" / "certificate.parquet"
    certificate = sealed.read(path, CERTIFICATE, place.zone)
    values = array(certificate, column).copy()
    values[0] += 1
    sealed.write({**certificate, column: values}, path, CERTIFICATE, place.zone)
    with pytest.raises(VerificationError, match="does not hold"):
        place.release()


def test_a_failing_audit_stops_the_stage_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "site")
    for cube in random_cubes(5):
        write_cube(cube, place.run / "raw", place.zone)
    monkeypatch.setattr("pipelines.disclosure.suppression.moves.Mover.find", lambda *_: [])
    with pytest.raises(DisclosureError):
        disclose_files(place.run / "raw", place.run, Policy(), place.zone)
    assert [path.name for path in place.run.iterdir()] == ["raw"]


# ---- versions and pulling ----------------------------------------------------------------------------------


def test_the_same_tables_are_the_same_bytes_and_no_new_version(place: Place, tmp_path: Path) -> None:
    first = {
        path.name: path.read_bytes() for path in (place.released / "case" / "1").rglob("*") if path.is_file()
    }
    assert place.release().name == "1"
    again = Place(tmp_path / "elsewhere").prepare().release()
    assert {path.name: path.read_bytes() for path in again.rglob("*") if path.is_file()} == first


def test_other_tables_are_a_new_version_beside_the_old(place: Place) -> None:
    assert place.prepare(times=6).release().name == "2"
    assert holds(place.released / "case" / "1", place.public)
    assert holds(place.released / "case" / "2", place.public)
    assert (place.released / "case" / "latest").read_text().strip() == "2"
    assert "case/2/tables/a.csv" in (place.released / "index.html").read_text()


def test_a_version_that_beside_an_earlier_one_would_tell_of_few_people_is_held(place: Place) -> None:
    public = {path: path.read_bytes() for path in place.released.rglob("*") if path.is_file()}
    receipt = release_files(CASE, place.prepare(seed=6).run, place.released, place.key, place.zone, "site")
    assert (receipt["held"], receipt["version"]) == (True, 1)
    assert {path: path.read_bytes() for path in place.released.rglob("*") if path.is_file()} == public


@pytest.mark.parametrize("fault", ["gone", "cut", "of another kind"])
def test_where_an_earlier_version_cannot_be_read_no_new_one_goes_out(place: Place, fault: str) -> None:
    path = (
        place.released / "case" / "1" / ("structure.json" if fault == "of another kind" else "tables/a.csv")
    )
    if fault == "gone":
        path.unlink()
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:200])
    else:
        path.write_text('{"tables": [{}]}')
    with pytest.raises(VerificationError, match="earlier version cannot be read"):
        place.prepare(times=6).release()
    assert [each.name for each in (place.released / "case").iterdir() if each.name.isdigit()] == ["1"]


def test_nothing_hidden_is_in_any_form_of_the_tables(place: Place) -> None:
    for cube in read_protected(place.run / "protected", place.zone):
        assert cube.hidden.any()
        lines = (place.released / "case" / "1" / "tables" / f"{cube.table}.csv").read_text().splitlines()[1:]
        for line, hidden in zip(lines, cube.hidden, strict=True):
            assert (",,," in line and line.endswith(",hidden")) == bool(hidden)


def test_pull_brings_a_verified_copy_or_nothing(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert holds(pull(place.site(), "case", out), place.public)
    with pytest.raises(SettingsError, match="is there already"):
        pull(place.site(), "case", out)
    path = place.released / "case" / "1" / "tables" / "a.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(VerificationError):
        pull(place.site(), "case", tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []
    for name in ("nothing", "..", "case/1"):
        with pytest.raises(SettingsError):
            pull(place.site(), name, tmp_path / "third")
