"""The merge law of linkage and store: ranks, cuts of files, order of arrival and number of shards change
nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.compute.ranks import Ranks
from pipelines.files import sealed
from pipelines.files.frames import Category, Frame
from pipelines.files.schemas import LINKS, PERSON_INDEX
from pipelines.linkage import link
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot
from pipelines.store import build
from tests.amount import share_of
from tests.made_region import Region, pair_quality, region
from tests.nights import deliver, events, identities, make_site, on_ranks, record

SEEDS = st.integers(0, 10_000)


@contextmanager
def site_of(
    made: Region, parts: int, shards: int = 2, seed: int = 0, backwards: bool = False
) -> Iterator[Site]:
    """A site with one delivery from each source, its rows cut into `parts`."""
    root = Path(tempfile.mkdtemp())
    turn = slice(None, None, -1 if backwards else 1)
    try:
        site = make_site(root, shards)
        for source, rows in list(made.rows.items())[turn]:
            happened = care(source, rows, seed)[turn]
            deliver(
                site,
                source,
                "d1",
                "2025-01-01",
                identities(source, rows[turn]),
                events(source, happened),
                parts=parts,
                no_reidentify=source == "lakemedel",
            )
        yield site
    finally:
        shutil.rmtree(root)


def care(source: str, rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Two events for each record."""
    random = np.random.default_rng([seed, *source.encode()])
    kinds = ["diagnosis", "residence", "death", "drug"]
    return [
        {
            "ref": row["ref"],
            "kind": kind,
            "start": f"20{random.integers(10, 25)}-01-01",
            "concept": f"X/{random.integers(0, 5)}",
        }
        for row in rows
        for kind in random.choice(kinds, 2)
    ]


@settings(max_examples=share_of(6), deadline=None)
@given(SEEDS, st.integers(2, 5), st.integers(1, 3))
def test_any_number_of_ranks_and_any_cut_of_files_give_one_index(seed: int, size: int, parts: int) -> None:
    made = region(seed, 40)
    with site_of(made, 1) as one, site_of(made, parts, backwards=True) as many:
        found = link(one, Ranks()), on_ranks(size, lambda ranks: link(many, ranks))
        for each in found:
            del each["made_from"]  # the hash of each file, as it was cut
        assert found[0] == found[1]


@settings(max_examples=share_of(4), deadline=None)
@given(SEEDS, st.integers(2, 4), st.integers(2, 9))
def test_any_number_of_ranks_and_shards_hold_the_same_people_and_events(
    seed: int, size: int, shards: int
) -> None:
    made = region(seed, 30)
    with site_of(made, 1, 1, seed) as one, site_of(made, 2, shards, seed, backwards=True) as many:
        for site, ranks in ((one, 1), (many, size)):
            link(site, Ranks())
            on_ranks(ranks, lambda each, site=site: build(site, each))
        assert contents(one) == contents(many)


def contents(site: Site) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of each kind of file over all shards, with person ids instead of positions."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for shard in Snapshot.load(site).shards:
        person = shard.read("persons")["person"]
        for name in ("persons", "periods", "residences", "events"):
            frame = shard.read(name)
            if name != "persons":
                frame["person"] = person[frame["person"]]
            rows.setdefault(name, []).extend(decoded(frame))
        assert sorted_postings(shard.read("events")) == decoded(
            shard.read("postings", ("concept", "person", "start", "row"))
        )
    return {name: sorted(each, key=repr) for name, each in rows.items()}


def decoded(frame: Frame) -> list[tuple[Any, ...]]:
    return list(
        zip(
            *(each.decoded() if isinstance(each, Category) else each.tolist() for each in frame.values()),
            strict=True,
        )
    )


def sorted_postings(events: Frame) -> list[tuple[int, int, int, int]]:
    columns = (events["concept"].places, events["person"], events["start"])
    found = [
        (*(int(value) for value in values), row) for row, values in enumerate(zip(*columns, strict=True))
    ]
    return sorted(found, key=lambda each: (each[0] < 0, *each))


@settings(max_examples=share_of(5), deadline=None)
@given(SEEDS)
def test_the_laws_of_a_cluster_hold(seed: int) -> None:
    made = region(seed, 80, trouble=0.5)
    with site_of(made, 1) as site:
        receipt = link(site, Ranks())
        index = sealed.read(
            site.store / "index" / receipt["index"] / "index.parquet", PERSON_INDEX, site.zone("store")
        )
    person = dict(zip(index["record"].tolist(), index["person"].tolist(), strict=True))
    assert sorted(person) == sorted(record(source, ref) for source, ref in made.truth)
    anchors = [person[record("folkbokforing", row["ref"])] for row in made.rows["folkbokforing"]]
    assert len(set(anchors)) == len(anchors), "two people of the register never become one"
    assert (np.diff(index["record"]) > 0).all()
    assert ((index["weight"] != 0) <= (index["link"] == LINKS.index("weight"))).all()
    precision, recall = pair_quality(
        list(made.truth.values()), [person[record(*each)] for each in made.truth]
    )
    assert precision > 0.97
    assert recall > 0.9
