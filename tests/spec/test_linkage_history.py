"""The history of persons: who came, went, was joined, was parted, and on what evidence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.compute.ranks import Ranks
from pipelines.errors import DataError
from pipelines.files import sealed
from pipelines.files.frames import Category
from pipelines.files.schemas import NO_PERSON, PERSON_INDEX
from pipelines.linkage import link
from pipelines.linkage.history import read_history, replayed
from pipelines.site.site import Site
from tests.amount import share_of
from tests.made_region import region
from tests.nights import ANNA, ERIK, day, deliver, identities, make_site, on_ranks, record

NOBODY = {"ref": 7, "number": "", "kind": "none"}
UNNUMBERED = {"number": "", "kind": "none"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site whose register knows Anna, Erik and a crowd from which the model learns."""
    return started(tmp_path)


def started(root: Path) -> Site:
    made, site = region(5, 200), make_site(root)
    people = [{**ANNA, "ref": 1}, {**ERIK, "ref": 2}, *made.rows["folkbokforing"]]
    deliver(site, "folkbokforing", "d1", "2025-01-01", identities("folkbokforing", people))
    deliver(site, "journal_b", "d1", "2025-01-01", identities("journal_b", made.rows["journal_b"]))
    return site


def journal(site: Site, delivery: str, delivered: str, *rows: dict[str, Any], **more: Any) -> None:
    deliver(site, "journal_a", delivery, delivered, identities("journal_a", rows), **more)


def night(site: Site, ranks: int = 1) -> dict[str, Any]:
    receipt: dict[str, Any] = on_ranks(ranks, lambda each: link(site, each))
    check_replay(site, receipt)
    return receipt


def index_of(site: Site, receipt: dict[str, Any]) -> dict[int, int]:
    index = sealed.read(
        site.store / "index" / receipt["index"] / "index.parquet", PERSON_INDEX, site.zone("store")
    )
    return dict(zip(index["record"].tolist(), index["person"].tolist(), strict=True))


def check_replay(site: Site, receipt: dict[str, Any]) -> None:
    """The law: the history from its beginning gives the present persons, each with their count of records."""
    person, records = replayed(read_history(site))
    present, count = np.unique(np.array([*index_of(site, receipt).values()], np.int64), return_counts=True)
    assert person.tolist() == present.tolist()
    assert records.tolist() == count.tolist()


def changes(site: Site, version: int) -> list[tuple[str, int, int, int, str, int]]:
    """(kind, before, after, records, evidence, weight) of one version."""
    history = read_history(site)
    columns = [each.decoded() if isinstance(each, Category) else each.tolist() for each in history.values()]
    rows = [dict(zip(history, values, strict=True)) for values in zip(*columns, strict=True)]
    names = ("kind", "before", "after", "records", "evidence", "weight")
    return [tuple(row[name] for name in names) for row in rows if row["version"] == version]


def person(site: Site, receipt: dict[str, Any], source: str, ref: object) -> int:
    return index_of(site, receipt)[record(source, ref)]


def test_on_the_first_night_everybody_is_new(site: Site) -> None:
    receipt = night(site)
    assert receipt["history"] | {"name": ""} == {
        "name": "",
        "version": 1,
        "day": "2025-01-01",
        "new": receipt["persons"],
        "gone": 0,
        "merged": 0,
        "split": 0,
        "moved": 0,
    }
    assert {
        (kind, before, evidence, weight) for kind, before, _, _, evidence, weight in changes(site, 1)
    } == {("new", NO_PERSON, "delivered", 0)}


def test_a_night_that_changes_no_person_adds_nothing(site: Site) -> None:
    first = night(site)
    site.receipt("linkage").unlink()  # as the workflow does before the stage runs
    assert night(site) == first


def test_the_day_of_a_change_is_that_of_the_latest_delivery_not_the_clocks(site: Site) -> None:
    night(site)
    journal(site, "d1", "2025-03-01", {**ERIK, "ref": 8})
    night(site)
    assert set(read_history(site)["day"].tolist()) == {day("2025-01-01"), day("2025-03-01")}


def test_a_record_that_joins_somebody_who_was_there_makes_nobody_new(site: Site) -> None:
    night(site)
    journal(site, "d1", "2025-02-01", {**ERIK, "ref": 8})
    erik = person(site, night(site), "journal_a", 8)
    assert changes(site, 2) == [("moved", NO_PERSON, erik, 1, "number", 0)]


def test_two_persons_found_to_be_one_by_number_are_a_merge(site: Site) -> None:
    journal(site, "d1", "2025-01-01", NOBODY)
    alone = person(site, night(site), "journal_a", 7)
    journal(site, "d2", "2025-02-01", {**ANNA, "ref": 7})
    receipt = night(site)
    assert changes(site, 2) == [("merge", alone, person(site, receipt, "folkbokforing", 1), 1, "number", 0)]
    assert receipt["history"]["merged"] == 1


def merged_by_weight(site: Site) -> tuple[int, int, int]:
    """Anna's journal record without a name; then with it. Its person before, hers, and the weight of the
    link."""
    journal(site, "d1", "2025-01-01", NOBODY)
    alone = person(site, night(site), "journal_a", 7)
    journal(site, "d2", "2025-02-01", {**ANNA, **NOBODY})
    anna = person(site, night(site), "folkbokforing", 1)
    [(kind, before, after, records, evidence, weight)] = changes(site, 2)
    assert (kind, before, after, records, evidence) == ("merge", alone, anna, 1, "weight")
    return alone, anna, weight


def test_two_persons_found_to_be_one_by_weight_are_a_merge_with_that_weight(site: Site) -> None:
    _, _, weight = merged_by_weight(site)
    assert weight > 5000


def test_a_correction_that_parts_what_was_merged_is_a_split_with_the_lost_links_weight(site: Site) -> None:
    alone, anna, weight = merged_by_weight(site)
    journal(
        site,
        "d3",
        "2025-03-01",
        {**NOBODY, "given": "TYRA", "surname": "VASS", "birth": "1999-01-01"},
        replaces="d2",
    )
    receipt = night(site)
    assert changes(site, 3) == [("split", anna, alone, 1, "corrected", weight)], (
        "and who was merged has the old name again"
    )
    assert receipt["history"]["split"] == 1


def test_a_later_delivery_that_says_otherwise_parts_too_and_is_no_correction(site: Site) -> None:
    alone, anna, weight = merged_by_weight(site)
    journal(site, "d3", "2025-03-01", {**NOBODY, "given": "TYRA", "surname": "VASS", "birth": "1999-01-01"})
    night(site)
    assert changes(site, 3) == [("split", anna, alone, 1, "delivered", weight)]


def test_a_record_whose_link_a_rival_makes_doubtful_is_parted_with_no_delivery_to_blame(site: Site) -> None:
    alone, anna, weight = merged_by_weight(site)
    twin = {**ANNA, "number": "195003041244", "ref": 3}
    deliver(site, "folkbokforing", "d2", "2025-03-01", identities("folkbokforing", [twin]))
    receipt = night(site)
    assert changes(site, 3) == [
        ("new", NO_PERSON, person(site, receipt, "folkbokforing", 3), 1, "delivered", 0),
        ("split", anna, alone, 1, "reweighed", weight),
    ]


def test_a_correction_that_gives_a_record_to_somebody_else_moves_it(site: Site) -> None:
    journal(site, "d1", "2025-01-01", {**ANNA, "ref": 7})
    anna = person(site, night(site), "journal_a", 7)
    journal(site, "d2", "2025-02-01", {**ERIK, "ref": 7}, replaces="d1")
    receipt = night(site)
    assert changes(site, 2) == [("moved", anna, person(site, receipt, "folkbokforing", 2), 1, "corrected", 0)]
    assert (receipt["history"]["moved"], receipt["history"]["split"], receipt["history"]["merged"]) == (
        1,
        0,
        0,
    )


def test_who_is_in_no_delivery_any_more_is_gone(site: Site) -> None:
    journal(site, "d1", "2025-01-01", {**NOBODY, "ref": 8}, {**ANNA, "ref": 7})
    alone = person(site, night(site), "journal_a", 8)
    journal(site, "d2", "2025-02-01", {**ANNA, "ref": 7}, replaces="d1")
    assert night(site)["history"]["gone"] == 1
    assert changes(site, 2) == [("gone", alone, NO_PERSON, 1, "withdrawn", 0)]


def test_records_that_only_a_withdrawn_one_held_together_are_split(site: Site) -> None:
    old, new = {**ANNA, "number": "196001011234"}, {**ANNA, "number": "196001011244"}
    journal(site, "d1", "2024-01-01", {**old, "ref": 7}, {**new, "ref": 8})
    deliver(
        site,
        "journal_b",
        "bridge",
        "2024-02-01",
        identities("journal_b", [{**new, "previous": old["number"], "ref": "b"}]),
    )
    first = night(site)
    one = person(site, first, "journal_a", 7)
    assert person(site, first, "journal_a", 8) == one
    deliver(site, "journal_b", "none", "2024-03-01", identities("journal_b", []), replaces="bridge")
    second = night(site)
    parted = {person(site, second, "journal_a", 7), person(site, second, "journal_a", 8)} - {one}
    assert sorted(changes(site, 2)) == sorted(
        [("moved", one, NO_PERSON, 1, "withdrawn", 0), ("split", one, *parted, 1, "withdrawn", 0)]
    )


def test_a_person_whose_naming_record_is_withdrawn_goes_on_under_another_name(site: Site) -> None:
    stranger = {**ANNA, "number": "196001011234"}
    journal(site, "d1", "2024-01-01", {**stranger, "ref": 7})
    deliver(site, "journal_b", "d2", "2024-02-01", identities("journal_b", [{**stranger, "ref": "b"}]))
    before = person(site, night(site), "journal_a", 7)
    journal(site, "d2", "2024-03-01", replaces="d1")
    after = person(site, night(site), "journal_b", "b")
    assert sorted(changes(site, 2)) == sorted(
        [("moved", before, NO_PERSON, 1, "withdrawn", 0), ("moved", before, after, 1, "withdrawn", 0)]
    )


def test_an_index_that_is_no_longer_kept_leaves_only_the_numbers_of_records(site: Site) -> None:
    first = night(site)
    shutil.rmtree(site.store / "index" / first["index"])
    journal(site, "d1", "2025-02-01", {**ERIK, "ref": 8}, {**NOBODY, "given": "TYRA"})
    receipt = night(site)
    assert sorted(changes(site, 2)) == sorted(
        [
            ("moved", NO_PERSON, person(site, receipt, "journal_a", 8), 1, "unknown", 0),
            ("new", NO_PERSON, person(site, receipt, "journal_a", 7), 1, "unknown", 0),
        ]
    )


def test_the_history_tells_the_nights_and_the_index_what_holds(tmp_path: Path) -> None:
    stepwise, at_once = started(tmp_path / "steps"), started(tmp_path / "once")
    steps: list[Callable[[Site], None]] = [
        lambda site: journal(site, "d1", "2025-01-01", NOBODY),
        lambda site: journal(site, "d2", "2025-02-01", {**ANNA, **NOBODY}),
        lambda site: journal(site, "d3", "2025-03-01", {**ERIK, **NOBODY}, replaces="d2"),
    ]
    for step in steps:
        step(stepwise)
        last = night(stepwise)
        step(at_once)
    anew = night(at_once)
    assert anew["index"] == last["index"]
    assert (anew["history"]["version"], last["history"]["version"]) == (1, 3)


@pytest.mark.parametrize("ranks", [2, 3])
def test_any_number_of_ranks_writes_the_same_history(tmp_path: Path, ranks: int) -> None:
    receipts = []
    for size in (1, ranks):
        site = started(tmp_path / str(size))
        for delivery, name in (("d1", {}), ("d2", ANNA), ("d3", ERIK)):
            journal(
                site,
                delivery,
                f"2025-0{delivery[1]}-01",
                {**name, **NOBODY},
                replaces="d2" if delivery == "d3" else None,
            )
            receipts.append((delivery, night(site, size)))
    assert receipts[:3] == receipts[3:]
    assert (
        receipts[0][1]["history"]["name"]
        != receipts[1][1]["history"]["name"]
        != receipts[2][1]["history"]["name"]
    )


@settings(max_examples=share_of(6), deadline=None)
@given(st.integers(0, 10_000))
def test_whatever_comes_night_by_night_the_history_replays_to_the_present(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random, made = np.random.default_rng(seed), region(seed, 60, trouble=0.6)
    site = make_site(tmp_path_factory.mktemp("nights"))
    deliveries: dict[str, str] = {}
    for number in range(5):
        source = sorted(made.rows)[int(random.integers(len(made.rows)))]
        rows = [row for row in made.rows[source] if random.random() < 0.7]
        values = [
            value
            for value in ({**row, "ref": rows[int(random.integers(len(rows)))]["ref"]} for row in rows)
            if random.random() < 0.2
        ]
        replaces = deliveries.get(source) if random.random() < 0.5 else None
        deliveries[source] = f"n{number}"
        deliver(
            site,
            source,
            f"n{number}",
            f"2025-0{number + 1}-01",
            identities(source, [*rows, *values]),
            replaces=replaces,
            no_reidentify=source == "lakemedel",
        )
        receipt = night(site)
        assert receipt["history"]["version"] <= number + 1
    history = read_history(site)
    order = [history[name] for name in ("after", "before", "version")]
    assert np.lexsort(order).tolist() == list(range(len(order[0])))
    for version in range(1, receipt["history"]["version"] + 1):
        assert (replayed(history, version)[1] > 0).all(), "nobody ever has fewer than no records"


def test_the_receipt_and_the_pointer_name_no_one(site: Site) -> None:
    _, anna, _ = merged_by_weight(site)
    for path in (site.receipt("linkage"), site.store / "history" / "current.json"):
        text = path.read_text()
        assert not any(
            str(word) in text for word in (anna, record("journal_a", 7), ANNA["number"], ANNA["surname"])
        )
    assert len(list((site.store / "history").rglob("*.parquet"))) == 1, (
        "the former history is the beginning of the new one"
    )


def test_a_history_that_is_lost_is_told_so_and_not_begun_anew_in_silence(site: Site) -> None:
    night(site)
    shutil.rmtree(next(path for path in (site.store / "history").iterdir() if path.is_dir()))
    journal(site, "d1", "2025-02-01", {**ERIK, "ref": 8})
    with pytest.raises(DataError, match="begin another history"):
        link(site, Ranks())


def test_what_is_written_does_not_read_without_the_key(site: Site) -> None:
    night(site)
    [path] = (site.store / "history").rglob("*.parquet")
    assert path.read_bytes()[:4] == b"PARE"
