"""A living index: an update leads to what a full run with the same model leads to, ids stay, and a killed update leaves what was."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipelines.compute import Ranks
from pipelines.errors import DataError, SettingsError
from pipelines.linkage import living, living_state
from pipelines.linkage.link import Clock, Linked, link_tables
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.living import Change, check, model_in, save, update
from pipelines.linkage.outcome import Outcome

FIELDS = ("given", "surname", "birth", "town", "height", "marks")
GIVEN = ("anna", "anne", "hanna", "per", "pär", "peter", "liv", "maria")
SURNAMES = ("berg", "bergh", "ek", "lind", "lindh", "af ek", "ström")
BIRTHS = ("1970-01-02", "1970-02-01", "1981-11-30", "1981-11-03", "1992-06-07")
NEW = ("özgür", "ørn", "straße", "zoë")  # names with letters that the first tables lack
Row = tuple[str | None, ...]


class Tables(NamedTuple):
    """What two sources hold: {record id: row} each."""

    a: dict[str, Row]
    b: dict[str, Row]


def configured(folder: Path, **more: Any) -> LinkSettings:
    data = [{"source": name, "file": str(folder / f"{name}.parquet"), "id": "id"} for name in ("a", "b")]
    data[1] |= more.pop("b", {})
    fields = {
        "given": {"column": "given", "kind": "name", "swapped_with": "surname"},
        "surname": {"column": "surname", "kind": "name", "levels": ["equal", "sound", "jaro_winkler 0.8"]},
        "birth": {"column": "birth", "kind": "date"}, "town": {"column": "town", "kind": "code"},
        "height": {"column": "height", "kind": "number"}, "marks": {"column": "marks", "kind": "set", "separator": ";"},
    }  # fmt: skip
    blocking = [
        ["surname", "year(birth)"],
        ["sounds(given, surname)"],
        ["words(surname, given)", "town"],
        ["prefix(given, 2)"],
        ["members(marks)"],
    ]
    return LinkSettings.model_validate({"data": data, "fields": fields, "blocking": blocking, "sample": 1000, **more})


def write(rows: dict[str, Row], path: Path) -> Path:
    columns = {"id": list(rows), **{name: [row[place] for row in rows.values()] for place, name in enumerate(FIELDS)}}
    pq.write_table(pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()}), path)
    return path


def full(held: Tables, folder: Path, given: Any = None, **more: Any) -> tuple[LinkSettings, Linked]:
    folder.mkdir(exist_ok=True)
    chosen = configured(folder, **more)
    paths = [write(held.a, folder / "a.parquet"), write(held.b, folder / "b.parquet")]
    linked = link_tables(chosen, paths, Ranks(), Clock(), lambda _: None, given)
    assert linked is not None
    return chosen, linked


def started(held: Tables, folder: Path, **more: Any) -> Path:
    chosen, linked = full(held, folder, **more)
    out = folder / "out"
    save(linked, chosen, out)
    chosen, linked = full(held, folder, model_in(out)[1], **more)  # so that pairs are kept by the last model, too
    assert save(linked, chosen, out)["passed_over"] == 0
    Outcome(chosen, linked).write(out)
    return out


def partition(out: Path) -> set[frozenset[tuple[str, str]]]:
    clusters = pq.read_table(out / "clusters.parquet").to_pylist()
    found: dict[int, set[tuple[str, str]]] = {}
    for row in clusters:
        found.setdefault(row["cluster_id"], set()).add((row["source"], row["record_id"]))
    return {frozenset(members) for members in found.values()}


def links(out: Path) -> set[tuple[Any, ...]]:
    found = set()
    for row in pq.read_table(out / "links.parquet").to_pylist():
        ends = sorted([(row["left_source"], row["left_id"]), (row["right_source"], row["right_id"])])
        found.add((*ends, row["weight"], row["same_cluster"]))
    return found


def changed(held: Tables, folder: Path, more: dict[tuple[str, str], Row | None]) -> tuple[Tables, list[Change]]:
    """The tables after changes, and the changes as files. `more`: None withdraws."""
    folder.mkdir(exist_ok=True)
    after = Tables(dict(held.a), dict(held.b))
    changes = []
    for source in ("a", "b"):
        rows = getattr(after, source)
        added = {record: row for (where, record), row in more.items() if where == source and row is not None}
        rows.update(added)
        for where, record in more:
            if where == source and more[where, record] is None:
                rows.pop(record, None)
        if added:
            changes.append(Change(write(added, folder / f"add-{source}.parquet"), source))
    dropped = [key for key, row in more.items() if row is None]
    if dropped:
        pq.write_table(pa.table({"source": [key[0] for key in dropped], "record_id": [key[1] for key in dropped]}), folder / "drop.parquet")
        changes.append(Change(folder / "drop.parquet"))
    return after, changes


rows = st.tuples(
    st.sampled_from((*GIVEN, None)), st.sampled_from((*SURNAMES, None)), st.sampled_from((*BIRTHS, None)), st.sampled_from(("0180", "1480", None)),
    st.sampled_from(("170", "171", "181.5", None)), st.sampled_from(("x", "x;y", "y;z", None)),
)  # fmt: skip
new_rows = st.tuples(
    st.sampled_from((*GIVEN, *NEW)), st.sampled_from((*SURNAMES, *NEW)), st.sampled_from((*BIRTHS, "2001-05-05")), st.sampled_from(("0180", "9999")),
    st.sampled_from(("170", "165")), st.sampled_from(("x", "y;x", "q;x", "y;z")),
)  # fmt: skip
ids = st.integers(0, 40).map(str)
deltas = st.dictionaries(st.tuples(st.sampled_from("ab"), ids), st.one_of(st.none(), rows, new_rows), max_size=12)
held = st.builds(Tables, st.dictionaries(ids, rows, min_size=3, max_size=25), st.dictionaries(ids, rows, min_size=1, max_size=15))
VARIANTS: tuple[dict[str, Any], ...] = (
    {"threshold": -6.0}, {"threshold": 2.0, "b": {"duplicate_free": True}}, {"threshold": -4.0, "link": "between"},
    {"threshold": -3.0, "conflicts": ["town"]}, {"threshold": -5.0, "largest_block": 40, "divide_by": ["town", "given"], "rounds": 0},
)  # fmt: skip


@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(held, st.lists(deltas, min_size=1, max_size=3), st.sampled_from(VARIANTS), st.randoms(use_true_random=False))
def test_an_update_leads_to_what_a_full_run_leads_to(
    tmp_path_factory: pytest.TempPathFactory, before: Tables, several: list[Any], variant: dict[str, Any], random: Any
) -> None:
    folder = tmp_path_factory.mktemp("living")
    try:
        out = started(before, folder / "base", **variant)
    except SettingsError:  # a block that no divisor makes small
        return
    now = before
    for turn, delta in enumerate(several):
        now, changes = changed(now, folder / f"delta{turn}", delta)
        random.shuffle(changes)
        receipt = update(out, changes, lambda _: None, "2025-01-31")
        assert receipt["version"] == turn + 2
        assert receipt["records"] == len(now.a) + len(now.b)
        if receipt["may_differ"]["blocks_now_too_large"] or receipt["may_differ"]["divided_blocks_perhaps_small_now"]:
            return
    shuffled = Tables(*(dict(random.sample(list(each.items()), len(each))) for each in now))
    if not shuffled.a or not shuffled.b:
        return
    _, model = model_in(out)
    chosen, linked = full(shuffled, folder / "again", model, **variant)
    Outcome(chosen, linked).write(folder / "again")
    assert partition(out) == partition(folder / "again")
    assert links(out) == links(folder / "again")
    check(out)
