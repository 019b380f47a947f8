"""A permit: in force, and signed as it stands by the owner of each of its sources."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from pipelines.errors import PermitError, SettingsError
from pipelines.site import permit as permits
from pipelines.site import signing
from pipelines.site.permit import Permit
from pipelines.site.project import Project
from pipelines.site.site import Site
from workflows.check import check_path

EXAMPLE = Path(__file__).parents[2] / "workflows" / "mimic"
OWNERS = {"mimic": "hospital"}
TODAY = date(2026, 1, 1)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    signing.create_signing_key(tmp_path / "keys" / "owners" / "hospital.ed25519")
    made = Site.load(tmp_path)
    permits.sign(
        made, Permit.load(made, "admissions"), "hospital", tmp_path / "keys" / "owners" / "hospital.ed25519"
    )
    return made


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def require(site: Site, today: date = TODAY, owners: dict[str, str] | None = None) -> None:
    permits.require(site, Permit.load(site, "admissions"), owners or OWNERS, today)


def test_a_signed_permit_in_force_is_enough(site: Site) -> None:
    require(site)


def test_a_day_outside_its_time_is_refused(site: Site) -> None:
    with pytest.raises(PermitError, match=r"valid_from .* lies ahead"):
        require(site, date(2024, 12, 31))
    with pytest.raises(PermitError, match=r"valid_to .* has passed; ask the board"):
        require(site, date(2100, 1, 1))


def test_a_permit_or_definition_changed_after_signing_is_refused(site: Site) -> None:
    change(site.root / "permits" / "admissions.yaml", "minimum: 5", "minimum: 3")
    with pytest.raises(PermitError, match="has not signed it as it stands"):
        require(site)
    change(site.root / "permits" / "admissions.yaml", "minimum: 3", "minimum: 5")
    require(site)
    change(site.root / "definitions" / "admitted.yaml", "which: first", "which: any")
    with pytest.raises(PermitError, match="has not signed"):
        require(site)


def test_a_definition_that_the_cohort_asks_about_is_signed_with_it(site: Site) -> None:
    here, other = site.root / "definitions" / "admitted.yaml", site.root / "definitions" / "other.yaml"
    shutil.copy(here, other)
    with here.open("a", encoding="utf-8") as file:
        file.write("exclude: [{cohort: other, from: -30, to: -1}]\n")
    key = site.root / "keys" / "owners" / "hospital.ed25519"
    permits.sign(site, Permit.load(site, "admissions"), "hospital", key)
    require(site)
    change(other, "which: first", "which: any")
    with pytest.raises(PermitError, match="has not signed"):
        require(site)


def test_a_cohort_that_a_person_enters_several_times_has_no_tables(site: Site) -> None:
    change(site.root / "definitions" / "admitted.yaml", "which: first", "which: all")
    with pytest.raises(SettingsError, match="lets a person enter several times"):
        Project.open(site, "admissions")
    with pytest.raises(SettingsError, match="say which: first, any, last or a number"):
        list(check_path(site.root / "permits" / "admissions.yaml"))


def test_every_owner_must_sign_and_with_a_key_of_their_own(site: Site) -> None:
    signing.create_signing_key(site.keys / "owners" / "region.ed25519")
    with pytest.raises(PermitError, match="region, who owns mimic, has not signed"):
        require(site, owners={"mimic": "region"})
    with pytest.raises(PermitError, match="not the one"):
        permits.sign(
            site, Permit.load(site, "admissions"), "region", site.keys / "owners" / "hospital.ed25519"
        )


@pytest.mark.parametrize("text", ['{"hospital": 3}', '{"hospital": "zz"}', '{"hospital": ["00"]}', "{}"])
def test_a_signature_that_is_none_counts_as_missing(site: Site, text: str) -> None:
    Permit.load(site, "admissions").signatures_path.write_text(text)
    with pytest.raises(PermitError, match="has not signed"):
        require(site)


def test_a_source_that_is_not_there_is_named(site: Site) -> None:
    with pytest.raises(PermitError, match="source mimic is not in the snapshot"):
        require(site, owners={"other": "hospital"})


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("count: members", "count: everything", "tables.0.count"),
        ("minimum: 5", "minimum: 1", "policy.minimum"),
        ("holder:", "keeper:", "holder"),
        ("dimensions: [sex, age_group]", "dimensions: []", "has no dimensions"),
        ("valid_to: 2099-12-31", "valid_to: some day", "valid_to"),
    ],
)
def test_a_setting_that_does_not_hold_is_named_without_its_value(
    site: Site, old: str, new: str, place: str
) -> None:
    change(site.root / "permits" / "admissions.yaml", old, new)
    with pytest.raises(SettingsError, match=place) as error:
        Permit.load(site, "admissions")
    assert "everything" not in str(error.value)
    assert "some day" not in str(error.value)


def test_a_standing_permit_changes_numbers_and_another_hides_cells_unless_it_says(site: Site) -> None:
    path = site.root / "permits" / "admissions.yaml"
    once = path.read_text(encoding="utf-8").replace("standing: true\n", "")

    def keys(more: str, minimum: int = 5) -> int | None:
        path.write_text(once.replace("minimum: 5", f"minimum: {minimum}") + more, encoding="utf-8")
        found = Permit.load(site, "admissions").cell_keys
        return found and found.largest(minimum)

    assert keys("") is None and keys("\nmethod: suppression\nstanding: true\n") is None
    assert keys("\nstanding: true\n") == 5 and keys("\nmethod: cell_key\n", minimum=10) == 10
    assert keys("\nmethod: {kind: cell_key, most: 8, variance: 2}\n") == 8


def test_cell_keys_that_cannot_get_past_what_is_never_shown_are_refused(site: Site) -> None:
    path = site.root / "permits" / "admissions.yaml"
    with path.open("a", encoding="utf-8") as file:
        file.write("\nmethod: {kind: cell_key, most: 4}\n")
    with pytest.raises(SettingsError, match="no less than the policy's `minimum`"):
        Permit.load(site, "admissions")
