"""A living index: an update leads to what a full run with the same model leads to, ids stay, and a killed
update leaves what was."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError, SettingsError
from pipelines.linkage import living_state
from pipelines.linkage.living import Change, check, export, model_in, save, update
from pipelines.linkage.outcome import Outcome
from tests.amount import share_of
from tests.living_index import (
    BIRTHS,
    GIVEN,
    NEW,
    SURNAMES,
    Row,
    Tables,
    brought,
    changed,
    configured,
    full,
    history,
    links,
    partition,
    people,
    persons,
    started,
    write,
)

rows = st.tuples(
    *(
        st.sampled_from((*values, None))
        for values in (
            GIVEN,
            SURNAMES,
            BIRTHS,
            ("0180", "berg"),
            ("170", "171", "181.5"),
            ("x", "x;y", "y;z"),
        )
    )
)
new_rows = st.tuples(
    *(
        st.sampled_from(values)
        for values in (
            (*GIVEN, *NEW),
            (*SURNAMES, *NEW),
            (*BIRTHS, "2001-05-05"),
            ("0180", "9999"),
            ("170", "165"),
        )
    ),
    st.sampled_from(("x", "y;x", "q;x", "y;z")),
)
ids = st.integers(0, 40).map(str)
deltas = st.dictionaries(
    st.tuples(st.sampled_from("ab"), ids), st.one_of(st.none(), rows, new_rows), max_size=12
)
held = st.builds(
    Tables,
    st.dictionaries(ids, rows, min_size=3, max_size=25),
    st.dictionaries(ids, rows, min_size=1, max_size=15),
)
VARIANTS: tuple[dict[str, Any], ...] = (
    {"threshold": -6.0},
    {"threshold": 2.0, "b": {"duplicate_free": True}},
    {"threshold": -4.0, "link": "between"},
    {"threshold": -3.0, "conflicts": ["town"]},
    {"threshold": -5.0, "largest_block": 40, "divide_by": ["town", "given"], "rounds": 0},
)


@settings(max_examples=share_of(60), deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    held,
    st.lists(deltas, min_size=1, max_size=3),
    st.sampled_from(VARIANTS),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_an_update_leads_to_what_a_full_run_leads_to(
    tmp_path_factory: pytest.TempPathFactory,
    before: Tables,
    several: list[Any],
    variant: dict[str, Any],
    again: bool,
    random: Any,
) -> None:
    folder = tmp_path_factory.mktemp("living")
    try:
        out = started(before, folder / "base", again, **variant)
    except SettingsError:  # a block that no divisor makes small
        return
    now = before
    for turn, delta in enumerate(several):
        now, changes = changed(now, folder / f"delta{turn}", delta)
        random.shuffle(changes)
        receipt = update(out, changes, lambda _: None, "2025-01-31")
        assert receipt["version"] == turn + 2
        assert receipt["records"] == len(now.a) + len(now.b)
        if (
            receipt["may_differ"]["blocks_now_too_large"]
            or receipt["may_differ"]["divided_blocks_perhaps_small_now"]
        ):
            return
    shuffled = Tables(*(dict(random.sample(list(each.items()), len(each))) for each in now))
    if not shuffled.a or not shuffled.b:
        return
    _, model = model_in(out)
    chosen, linked = full(shuffled, folder / "again", model, **variant)
    Outcome(chosen, linked).write(folder / "again")
    whole_from = receipt["may_differ"]["links_below_bits"]
    if not receipt["may_differ"]["pairs_passed_over"]:
        assert partition(out) == partition(folder / "again")
        assert {link for link in links(out) if link[2] >= whole_from} == {
            link for link in links(folder / "again") if link[2] >= whole_from
        }
    check(out)


@pytest.fixture
def before() -> Tables:
    """200 people, half of them in both sources."""
    held = people(200)
    return Tables(
        dict(list(held.items())), {f"q{record[1:]}": row for record, row in list(held.items())[::2]}
    )


def test_ids_stay_and_merges_and_splits_are_listed(tmp_path: Path, before: Tables) -> None:
    out = started(before, tmp_path / "base", threshold=0.0, interactions=False)
    at_first = persons(out)
    assert (
        at_first["a", "p0000"] == at_first["b", "q0000"] and at_first["a", "p0001"] != at_first["a", "p0003"]
    )
    assert history(out) == []

    # a new record of somebody who is known, and of somebody who is not
    stranger = ("zoë", "özgür", "1999-09-09", "77", "160", "new")
    now, receipt = brought(
        out, before, tmp_path / "1", {("b", "q9001"): before.a["p0001"], ("b", "q9002"): stranger}
    )
    then = persons(out)
    assert then["b", "q9001"] == at_first["a", "p0001"] and then["b", "q9002"] == max(at_first.values()) + 1
    assert {record: then[record] for record in at_first} == at_first
    assert receipt["events"] == {"new": 1, "gone": 0, "merge": 0, "split": 0, "moved": 0}

    # a record is corrected so that it is somebody else's: what it had made one comes apart
    now, receipt = brought(out, now, tmp_path / "2", {("b", "q0000"): stranger})
    assert (
        persons(out)["b", "q0000"] == then["b", "q9002"]
        and persons(out)["a", "p0000"] == at_first["a", "p0000"]
    )
    row = history(out)[-1]
    assert (row["version"], row["kind"], row["before"], row["after"], row["records"]) == (
        3,
        "moved",
        at_first["a", "p0000"],
        then["b", "q9002"],
        1,
    )
    assert row["bits"] > 0 and str(row["date"]) == "2025-02-28"

    # a bridge makes two one, and its withdrawal makes them two again; the older keeps the id, the younger
    # gets a new one
    now, receipt = brought(out, now, tmp_path / "3", {("a", record): None for record in ("p0000",)})
    assert receipt["events"]["gone"] == 1 and history(out)[-1]["after"] is None
    now, _ = brought(out, now, tmp_path / "4", {("a", "p0001"): now.a["p0003"]})
    assert [(row["kind"], row["before"]) for row in history(out) if row["version"] == 5] == [
        ("moved", at_first["a", "p0001"])
    ]
    assert persons(out)["b", "q9001"] == at_first["a", "p0001"]


def test_a_corrected_record_splits_what_it_had_merged(tmp_path: Path, before: Tables) -> None:
    bridge = ("liv", "ström", "1925-03-04", "11", "99", "r")
    left, right = (*bridge[:3], None, None, None), (None, None, None, *bridge[3:])
    held = Tables({**before.a, "left": left, "bridge": bridge}, {**before.b, "right": right})
    out = started(held, tmp_path / "base", threshold=0.0, interactions=False)
    whole = persons(out)
    assert whole["a", "left"] == whole["a", "bridge"] == whole["b", "right"]
    now, receipt = brought(
        out, held, tmp_path / "1", {("a", "bridge"): ("per", "ek", "1950-01-01", "3", "151", "z")}
    )
    apart = persons(out)
    assert len({apart["a", "left"], apart["a", "bridge"], apart["b", "right"]}) == 3
    assert (
        receipt["events"]["split"] == 2
        and receipt["corrected"] == 1
        and apart["a", "left"] == whole["a", "left"]
    )
    split = next(row for row in history(out) if row["after"] == apart["b", "right"])
    assert (split["kind"], split["before"], split["records"]) == ("split", whole["a", "left"], 1) and split[
        "bits"
    ] > 0
    _, receipt = brought(out, now, tmp_path / "2", {("a", "bridge"): bridge})
    assert receipt["events"]["merge"] == 2 and persons(out) == whole and history(out)[-1]["bits"] > 0


def test_many_small_updates_are_one_large(tmp_path: Path, before: Tables) -> None:
    one, many = started(before, tmp_path / "one"), started(before, tmp_path / "many")
    more: dict[tuple[str, str], Row | None] = {
        ("b", f"n{number}"): row for number, row in enumerate(list(before.a.values())[:30])
    }
    brought(one, before, tmp_path / "all", more)
    for number, (record, row) in enumerate(more.items()):
        brought(many, before, tmp_path / f"part{number}", {record: row})
    assert partition(one) == partition(many) and links(one) == links(many)
    check(many)
    runs = json.loads((many / "index" / "index.json").read_text())["postings"]["ids"]
    assert len(runs) < 6


# ---- what goes wrong ---------------------------------------------------------------------------------------


def tree(folder: Path) -> Iterable[Path]:
    return sorted(folder.rglob("*"))


def test_a_killed_update_leaves_what_was(
    tmp_path: Path, before: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, undisturbed = started(before, tmp_path / "base"), started(before, tmp_path / "other")
    more: dict[tuple[str, str], Row | None] = {
        ("b", "q9"): before.a["p0001"],
        ("a", "p0002"): None,
        ("a", "p0005"): before.a["p0007"],
    }
    _, changes = changed(before, tmp_path / "1", more)
    was = persons(out)
    for name in ("append", "add", "replace", "commit"):
        real, turns = getattr(living_state.Store, name), iter(range(100))

        def killed(self: Any, *given: Any, real: Any = real, turns: Any = turns, name: str = name) -> Any:
            if next(turns) == {"append": 9, "add": 5, "replace": 0, "commit": 0}[name]:
                raise KeyboardInterrupt
            return real(self, *given)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(living_state.Store, name, killed)
            update(out, changes, lambda _: None, "2025-01-31")
        check(out)
        export(out)
        assert persons(out) == was
    assert update(out, changes, lambda _: None, "2025-01-31") == update(
        undisturbed, changes, lambda _: None, "2025-01-31"
    )
    assert persons(out) == persons(undisturbed) and history(out) == history(undisturbed)


def test_only_the_owner_reads_an_index(tmp_path: Path, before: Tables) -> None:
    out = started(before, tmp_path / "base")
    brought(out, before, tmp_path / "1", {("b", "q9"): before.a["p0001"]})
    assert stat.S_IMODE((out / "index").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in tree(out / "index")} == {0o600}


def test_equal_rows_change_nothing(tmp_path: Path, before: Tables) -> None:
    out = started(before, tmp_path / "base")
    was = persons(out)
    _, receipt = brought(
        out, before, tmp_path / "1", {("a", "p0001"): before.a["p0001"], ("b", "none"): None}
    )
    assert (receipt["unchanged"], receipt["not_there"], receipt["records_resolved"]) == (1, 1, 0)
    assert persons(out) == was and sum(receipt["events"].values()) == 0


def test_what_does_not_fit_is_told(tmp_path: Path, before: Tables) -> None:
    with pytest.raises(DataError, match="holds no living index"):
        update(tmp_path, [], lambda _: None, "2025-01-31")
    out = started(before, tmp_path / "base")
    added = write({"p0001": before.a["p0002"]}, tmp_path / "added.parquet")

    def fails(
        error: type[Exception], match: str, changes: list[Change], date: str = "2025-01-31", **more: Any
    ) -> None:
        with pytest.raises(error, match=match) as told:
            update(out, changes, lambda _: None, date, **more)
        said = str(told.value).replace(str(tmp_path), "")  # whose name holds numbers of its own
        assert not any(value in said for row in before.a.values() for value in (row[2], row[3]) if value)

    fails(SettingsError, "a source that the index does not know", [Change(added, "c")])
    fails(SettingsError, "is no day", [], "yesterday")
    fails(
        SettingsError,
        "was made with other settings",
        [],
        settings=configured(tmp_path / "base", threshold=9.0),
    )
    fails(DataError, "another of the tables names too", [Change(added, "a"), Change(added, "a")])
    pq.write_table(pa.table({"id": ["p1"], "given": ["anna"]}), tmp_path / "narrow.parquet")
    fails(DataError, "has no column surname", [Change(tmp_path / "narrow.parquet", "a")])
    fails(DataError, "has no column source", [Change(added)])
    for row, match in (
        (("c", "p1"), "a source that the index does not know"),
        (("a", None), "without a record_id"),
    ):
        pq.write_table(
            pa.table({"source": [row[0]], "record_id": pa.array([row[1]], pa.string())}),
            tmp_path / "drop.parquet",
        )
        fails(DataError, match, [Change(tmp_path / "drop.parquet")])
    path = out / "index" / "index.json"
    path.write_text(path.read_text().replace('"unused":', '"unused" :'))
    check(out)
    column = out / "index" / "codes.column"
    column.write_bytes(bytes(len(column.read_bytes())))
    with pytest.raises(DataError, match="is not what was written there"):
        check(out)


def test_combined_keys_have_no_living_index(tmp_path: Path, before: Tables) -> None:
    chosen, linked = full(before, tmp_path / "base", blocking=[], combine=["surname", "given", "birth"])
    with pytest.raises(SettingsError, match="combine"):
        save(linked, chosen, tmp_path / "out")
