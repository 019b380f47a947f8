"""Night after night: a refresh in steps gives what one from nothing gives, and redoes only what changed."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.compute.ranks import Ranks
from pipelines.errors import DataError
from pipelines.files import documents, sealed
from pipelines.linkage import link
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot, current
from pipelines.store import build, prune, shard, slices
from pipelines.store.shard import shard_hash
from tests.made_region import Region, region
from tests.nights import deliver, events, identities, make_site

SHARDS = 16


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """As the command line sets it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture(scope="module")
def made() -> Region:
    return region(11, 60)


def care(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """A few diagnoses for each record."""
    random = np.random.default_rng(seed)
    return [
        {
            "ref": row["ref"],
            "kind": "diagnosis",
            "start": f"20{random.integers(10, 25)}-03-0{random.integers(1, 9)}",
            "concept": f"ICD-10-SE/I{random.integers(10, 99)}",
            "care_unit": "K1",
            "encounter": int(random.integers(1, 99)),
        }
        for row in rows
        for _ in range(3)
    ]


def bring(
    site: Site,
    made: Region,
    source: str,
    delivery: str,
    delivered: str,
    seed: int = 1,
    only: slice = slice(None),
    **more: Any,
) -> None:
    rows = made.rows[source]
    happened = events(source, care(rows, 1)[only])
    deliver(
        site,
        source,
        delivery,
        delivered,
        identities(source, rows),
        happened,
        parts=2,
        no_reidentify=source == "lakemedel",
    )


def first_night(site: Site, made: Region) -> None:
    for source in ("folkbokforing", "journal_a", "lakemedel"):
        bring(site, made, source, "d1", "2025-01-01")


def late_delivery_and_correction(site: Site, made: Region) -> None:
    bring(site, made, "journal_b", "late", "2025-02-01", only=slice(0, 9))
    corrected = made.rows["journal_a"]
    happened = care(corrected, 1)
    happened[4] = {**happened[4], "concept": "ICD-10-SE/J10"}
    deliver(
        site,
        "journal_a",
        "d1-corrected",
        "2025-02-01",
        identities("journal_a", corrected),
        events("journal_a", happened),
        parts=2,
        replaces="d1",
    )


def refresh(site: Site) -> dict[str, Any]:
    link(site, Ranks())
    return build(site, Ranks())


@pytest.fixture
def nights(tmp_path: Path, made: Region) -> Iterator[tuple[Site, dict[str, Any], dict[str, Any]]]:
    """A site after two nights, with the receipts of both."""
    site = make_site(tmp_path / "site", SHARDS)
    first_night(site, made)
    first = refresh(site)
    late_delivery_and_correction(site, made)
    yield site, first, refresh(site)


def test_two_nights_give_the_snapshot_of_one(
    nights: tuple[Site, dict, dict], tmp_path: Path, made: Region
) -> None:
    site, first, second = nights
    fresh = make_site(tmp_path / "fresh", SHARDS)
    first_night(fresh, made)
    late_delivery_and_correction(fresh, made)
    assert refresh(fresh)["snapshot"] == second["snapshot"] != first["snapshot"]
    assert descriptions(fresh) == descriptions(site)
    linked, anew = (documents.read_json(each.receipt("linkage")) for each in (site, fresh))
    assert linked.pop("history") != anew.pop("history"), "which tells the nights, and nothing else does"
    assert linked == anew


def descriptions(site: Site) -> list[Any]:
    return [documents.read_json(shard.path / "shard.json") for shard in Snapshot.load(site).shards]


def test_the_second_night_redoes_only_what_changed(nights: tuple[Site, dict, dict]) -> None:
    site, first, second = nights
    assert first["shards"] == {"built": SHARDS, "reused": 0}
    before, after = (
        {shard.hash for shard in Snapshot.load(site, each["snapshot"]).shards} for each in (first, second)
    )
    assert second["shards"] == {"built": len(after - before), "reused": len(after & before)}
    assert 0 < second["shards"]["built"] < SHARDS
    assert second["parts"]["reused"] >= 5, (
        "of the register, the pharmacy and the half of the correction that is as before"
    )
    assert 0 < second["parts"]["built"] <= 3


def test_a_third_night_with_nothing_new_builds_nothing(nights: tuple[Site, dict, dict]) -> None:
    site, _, second = nights
    third = refresh(site)
    assert (third["parts"]["built"], third["shards"]["built"]) == (0, 0)
    assert third["snapshot"] == second["snapshot"]


def test_an_unchanged_part_is_not_read_again(nights: tuple[Site, dict, dict]) -> None:
    site, _, second = nights
    shutil.rmtree(site.store / "accepted")
    assert build(site, Ranks())["snapshot"] == second["snapshot"]


def test_another_format_of_slices_or_shards_is_made_anew(
    nights: tuple[Site, dict, dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _, second = nights
    monkeypatch.setattr(slices, "FORMAT", slices.FORMAT + 1)
    third = build(site, Ranks())
    assert (third["parts"]["reused"], third["shards"]["built"], third["snapshot"]) == (
        0,
        0,
        second["snapshot"],
    )
    monkeypatch.setattr(shard, "FORMAT", shard.FORMAT + 1)
    fourth = build(site, Ranks())
    assert (fourth["parts"]["built"], fourth["shards"]["reused"]) == (0, 0)
    assert fourth["snapshot"] != second["snapshot"]


def test_progress_is_told_about_ten_times_however_many_shards_there_are(tmp_path: Path, made: Region) -> None:
    site = make_site(tmp_path, shards=37)
    first_night(site, made)
    link(site, Ranks())
    lines: list[str] = []
    build(site, Ranks(), lines.append)
    assert len([line for line in lines if line.endswith(" shards")]) == 10
    assert lines[-1] == "37 of 37 shards"


def test_slices_that_no_part_refers_to_are_gone(nights: tuple[Site, dict, dict]) -> None:
    site, _, second = nights
    kept = [path.name for path in (site.store / "exchange").iterdir() if path.name != "records"]
    assert len(kept) == len(set(kept)) <= second["parts"]["built"] + second["parts"]["reused"]
    (site.store / "exchange" / "orphan").mkdir()
    refresh(site)
    assert not (site.store / "exchange" / "orphan").exists()


def test_an_old_snapshot_still_reads(nights: tuple[Site, dict, dict]) -> None:
    site, first, second = nights
    old, new = Snapshot.load(site, first["snapshot"]), Snapshot.load(site)
    assert (old.id, new.id) == (first["snapshot"], second["snapshot"])
    assert ("journal_a", "d1") in old.deliveries
    assert ("journal_a", "d1-corrected") in new.deliveries
    assert (
        sum(len(shard.read("events", ["start"])["start"]) for shard in old.shards) == first["rows"]["events"]
    )


def test_pruning_keeps_the_current_and_the_pinned(nights: tuple[Site, dict, dict]) -> None:
    site, first, second = nights
    nothing = {"snapshots": 0, "shards": 0, "ancestors": 0, "indexes": 0}
    assert prune(site, 0, pinned=[first["snapshot"]]) == nothing
    gone = prune(site, 1)
    assert gone["snapshots"] == 1
    assert gone["shards"] == second["shards"]["built"]
    assert [shard.read("persons") for shard in Snapshot.load(site).shards]
    assert refresh(site)["shards"]["built"] == 0


def test_a_build_that_dies_leaves_the_old_snapshot_and_the_next_ends_as_if_nothing_had_been(
    tmp_path: Path, made: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path / "site", SHARDS)
    first_night(site, made)
    first = refresh(site)
    late_delivery_and_correction(site, made)
    link(site, Ranks())
    for fatal in (2, 5, 9):
        with monkeypatch.context() as patch:
            patch.setattr(sealed, "write", dying_after(sealed.write, fatal))
            with pytest.raises(KeyboardInterrupt):
                build(site, Ranks())
        assert current(site) == first["snapshot"]
    fresh = make_site(tmp_path / "fresh", SHARDS)
    first_night(fresh, made)
    late_delivery_and_correction(fresh, made)
    assert build(site, Ranks())["snapshot"] == refresh(fresh)["snapshot"]
    assert descriptions(site) == descriptions(fresh)


def test_an_orphan_of_an_earlier_night_publishes_nothing(
    nights: tuple[Site, dict, dict], made: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _, second = nights
    bring(site, made, "journal_b", "later-still", "2025-03-01")
    link(site, Ranks())

    def meanwhile(*arguments: Any) -> Any:
        bring(site, made, "journal_b", "latest", "2025-04-01", only=slice(0, 3))
        return shard_hash(*arguments)

    monkeypatch.setattr(import_module("pipelines.store.stage"), "shard_hash", meanwhile)
    with pytest.raises(DataError, match="changed since"):
        build(site, Ranks())
    assert current(site) == second["snapshot"]


def dying_after(write: Any, count: int) -> Any:
    left = [count]

    def dying(*arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        write(*arguments)

    return dying


def test_nothing_in_the_store_is_open_to_others(nights: tuple[Site, dict, dict]) -> None:
    site, _, _ = nights
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in site.store.rglob("*")}
    assert [path for path, mode in modes.items() if mode & 0o077] == []
