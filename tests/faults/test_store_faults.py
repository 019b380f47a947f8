"""What can be wrong on disk ends in one clear line and leaves nothing half-done."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from pipelines.compute.ranks import Ranks
from pipelines.errors import DataError, KeyFileError, SettingsError, SpaceError, UttagError
from pipelines.files import documents
from pipelines.linkage import LinkageSettings, link
from pipelines.site.acceptance import verdicts
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot, current_file, snapshot_file
from pipelines.store import build
from tests.made_region import region
from tests.nights import deliver, events, identities, make_site

SECRET = "GYLLENHAMMAR"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_site(tmp_path, shards=2)
    for source, rows in region(2, 20).rows.items():
        rows[0]["surname"] = SECRET
        happened = [
            {"ref": row["ref"], "kind": "diagnosis", "start": "2020-01-01", "concept": "X/1"} for row in rows
        ]
        deliver(
            site,
            source,
            "d1",
            "2025-01-01",
            identities(source, rows),
            events(source, happened),
            no_reidentify=source == "lakemedel",
        )
    return site


def refused(kind: type[UttagError], stage: Any, site: Site) -> str:
    with pytest.raises(kind) as fault:
        stage(site, Ranks())
    text = str(fault.value)
    assert "\n" not in text
    assert SECRET not in text
    assert not list(site.root.rglob("*.part"))
    return text


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def test_the_store_asks_for_linkage_first(site: Site) -> None:
    assert "linkage.json" in refused(DataError, build, site)


def test_truncated_identities_stop_linkage(site: Site) -> None:
    truncate(next((site.identity / "accepted" / "journal_a").rglob("*.parquet")))
    assert "truncated" in refused(DataError, link, site)
    assert not site.receipt("linkage").exists()


def test_truncated_events_stop_the_store(site: Site) -> None:
    link(site, Ranks())
    truncate(next((site.store / "accepted" / "journal_a").rglob("*.parquet")))
    assert "truncated" in refused(DataError, build, site)
    assert not current_file(site).exists()


def test_missing_events_stop_the_store(site: Site) -> None:
    link(site, Ranks())
    next((site.store / "accepted" / "journal_a").rglob("*.parquet")).unlink()
    assert "is not there" in refused(DataError, build, site)


def test_a_truncated_slice_stops_the_store(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    link(site, Ranks())
    build(site, Ranks())
    for path in (site.store / "shards").rglob("shard.json"):
        path.unlink()
    truncate(next(path for path in (site.store / "exchange").rglob("[0-9].parquet")))
    assert "remove it" in refused(DataError, build, site)


@pytest.mark.parametrize(("stage", "zone"), [(link, "identity"), (link, "store"), (build, "store")])
def test_a_wrong_key_opens_nothing(site: Site, stage: Any, zone: str) -> None:
    link(site, Ranks())
    if stage is build or zone == "identity":
        key = site.keys / f"{zone}.key"
        key.write_text("00" * 32 + "\n")
        assert "key" in refused(KeyFileError, stage, site)


def test_a_full_disk_is_said_and_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    link(site, Ranks())
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    refused(SpaceError, build, site)
    site.receipt("linkage").unlink()
    refused(SpaceError, link, site)
    assert not site.receipt("linkage").exists()


def test_a_snapshot_that_was_altered_is_refused(site: Site) -> None:
    link(site, Ranks())
    id = build(site, Ranks())["snapshot"]
    path = snapshot_file(site, id)
    content = documents.read_json(path)
    content["shards"] = content["shards"][:1]
    documents.write_json(content, path)
    with pytest.raises(DataError, match="not what its name says"):
        Snapshot.load(site)


def test_a_site_without_a_snapshot_says_so(site: Site) -> None:
    with pytest.raises(DataError, match="is not there"):
        Snapshot.load(site)


@pytest.mark.parametrize(
    "text", ["blocking: [[shoe_size]]", "near: 2", "near: 0.95", "colour: blue", "blocking: []"]
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"linkage\.yaml"):
        LinkageSettings.of(make_site(tmp_path, linkage=text))


def test_deliveries_that_replace_each_other_in_a_circle_are_held(site: Site) -> None:
    for name, other in (("x", "y"), ("y", "x"), ("z", "x")):
        deliver(site, "journal_b", name, "2025-02-01", replaces=other)
    words = {each.receipt["delivery"]: each.word for each in verdicts(site)}
    assert (words["x"], words["y"], words["z"]) == ("held", "accepted", "held")


def test_a_night_without_deliveries_is_an_empty_snapshot(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    assert link(site, Ranks())["records"] == 0
    assert build(site, Ranks())["rows"]["persons"] == 0
    assert [shard.persons for shard in Snapshot.load(site).shards] == [0] * site.shards
