"""A site's settings and its deliveries: read strictly, found only when they are whole, named without their
values."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import KeyFileError, SettingsError
from pipelines.files.sealing import create_key
from pipelines.site.site import Site, create_keys

SETTINGS = "site: somewhere\nsources:\n  a: {contract: contracts/a.yaml}\n  b: {contract: contracts/b.yaml}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def arrive(root: Path, source: str, name: str, day: str, said_source: str | None = None) -> None:
    folder = root / "deliveries" / source / name
    folder.mkdir(parents=True)
    said = {"source": said_source or source, "delivery": name, "delivered": day, "tables": "{t: [t.csv]}"}
    (folder / "delivery.yaml").write_text(
        "".join(f"{key}: {value}\n" for key, value in said.items()), encoding="utf-8"
    )


def test_deliveries_are_in_order_of_day_source_and_name_whatever_came_first(root: Path) -> None:
    for source, name, day in (
        ("b", "x", "2025-01-01"),
        ("a", "z", "2025-02-01"),
        ("a", "y", "2025-01-01"),
        ("a", "x", "2025-01-01"),
    ):
        arrive(root, source, name, day)
    assert [(each.source, each.delivery) for each in Site.load(root).deliveries()] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
        ("a", "z"),
    ]


def test_a_delivery_whose_last_file_has_not_come_is_not_there(root: Path) -> None:
    (root / "deliveries" / "a" / "half").mkdir(parents=True)
    (root / "deliveries" / "a" / "half" / "t.csv").write_text("x\n", encoding="utf-8")
    assert Site.load(root).deliveries() == []
    with pytest.raises(SettingsError, match="is not there; check source and delivery"):
        Site.load(root).delivery("a", "half")


def test_a_folder_of_a_source_that_the_site_does_not_know_is_left_alone(root: Path) -> None:
    arrive(root, "c", "x", "2025-01-01")
    assert Site.load(root).deliveries() == []


def test_a_delivery_in_the_wrong_folder_is_told_and_the_others_are_read(root: Path) -> None:
    arrive(root, "a", "x", "2025-01-01", said_source="b")
    arrive(root, "a", "y", "2025-01-01")
    made = Site.load(root)
    assert [each.delivery for each in made.deliveries()] == ["y"]
    assert [str(each.fault) for each in made.arrivals() if each.fault] == [
        "a/x/delivery.yaml: names another source or delivery than its folder; "
        "mend the file or move the folder"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SETTINGS + "shards: 0\n", r"site\.yaml:\d+: shards: is below 1"),
        (SETTINGS + "shards: 198001019801\n", r"site\.yaml:\d+: shards: is above 4096"),
        (SETTINGS + "sahrds: 8\n", r"site\.yaml:\d+: sahrds: is not known here; write shards"),
        ("site: somewhere\n", r"site\.yaml:1: sources: is missing"),
        ("site: [\n", r"site\.yaml:\d+: is not YAML"),
        ("- a list\n", "does not hold names and values"),
        ("", "does not hold names and values"),
    ],
)
def test_settings_that_do_not_read_are_named_with_their_place(text: str, words: str, root: Path) -> None:
    (root / "site.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=words) as fault:
        Site.load(root)
    assert "198001019801" not in str(fault.value)


def test_settings_that_are_not_utf8_are_told_so(root: Path) -> None:
    (root / "site.yaml").write_bytes("site: Örebro\n".encode("latin-1"))
    with pytest.raises(SettingsError, match="save it as UTF-8"):
        Site.load(root)


def test_a_zone_of_the_site_needs_its_key_and_a_project_makes_its_own(root: Path) -> None:
    site = Site.load(root)
    with pytest.raises(KeyFileError):
        site.zone("store").key()
    create_keys(root)
    assert site.zone("store").key() != site.zone("identity").key()
    project = site.zone("project-case")
    assert project.key() == site.zone("project-case").key()
    assert (root / "keys" / "project-case.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_is_never_replaced(root: Path) -> None:
    create_keys(root)
    before = (root / "keys" / "store.key").read_bytes()
    create_keys(root)
    create_key(root / "keys" / "store.key", bytes(32))
    assert (root / "keys" / "store.key").read_bytes() == before
