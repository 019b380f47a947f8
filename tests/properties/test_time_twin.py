"""Time to events, weeks, months, first and new events, care units, bands of follow-up, values and
transitions, counted again one member, one day and one event at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.exits import NEVER, exit_bands
from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.aggregation.stage import additive, merged
from pipelines.errors import DataError
from pipelines.files.frames import Frame, take
from pipelines.site.permit import Table
from tests.amount import share_of
from tests.people import MadeShard
from tests.time_tables import AGE, SOURCES, STUDY, TABLES, edges
from tests.time_twin import Member, rows_of, twin


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.table)
@settings(max_examples=share_of(4), deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**20))
def test_cells_are_what_one_counts_by_hand(table: Table, seed: int) -> None:
    shard, members = edges(seed)
    layout = Layout.of(table, STUDY)
    counted, expected = Counter(shard, members, SOURCES).count(layout), twin(shard, members, table, layout)
    for name in expected:
        if name != "admissions":
            np.testing.assert_array_equal(counted[name], expected[name], err_msg=f"{name} {seed}")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.table)
def test_any_sharding_gives_the_same_sums_and_margins_add_up_as_they_say(table: Table) -> None:
    shard, members = edges(7, persons=150)
    layout = Layout.of(table, STUDY)
    whole = Counter(shard, members, SOURCES).count(layout)
    total = merged(
        layout, (Counter(part, some, SOURCES).count(layout) for part, some in split(shard, members, 4))
    )
    for name, values in whole.items():
        np.testing.assert_array_equal(total[name], values)
    sums = (name for name in whole if name not in (*layout.ranked, *layout.products))
    for name, values in ((name, whole[name]) for name in sums):
        cube = values.reshape([len(each) for each in layout.dimensions])
        known = "persons" if name == "at_risk" else name
        for axis, dimension in enumerate(layout.dimensions):
            slices = np.moveaxis(cube, axis, 0)
            for parent in range(len(dimension)):
                children = dimension.children(parent)
                if children and name != "at_risk" and additive(layout, known)[axis]:
                    np.testing.assert_array_equal(slices[parent], slices[children].sum(axis=0))
                elif children:
                    assert (slices[parent] >= slices[children].max(axis=0)).all()
                    assert (slices[parent] <= slices[children].sum(axis=0)).all()


def split(shard: MadeShard, members: Frame, parts: int) -> Iterator[tuple[MadeShard, Frame]]:
    """The shard in pieces of uneven size."""
    people = shard.frames["persons"]
    group = np.arange(len(people["person"])) ** 2 % parts
    for each in range(parts):
        mine = np.flatnonzero(group == each)
        frames = {"persons": take(people, mine)}
        for name in ("events", "residences"):
            frame = take(
                shard.frames[name], np.flatnonzero(np.isin(np.asarray(shard.frames[name]["person"]), mine))
            )
            frames[name] = {
                **frame,
                "person": np.searchsorted(mine, np.asarray(frame["person"])).astype(np.int32),
            }
        yield (
            MadeShard(frames),
            take(
                members,
                np.flatnonzero(np.isin(np.asarray(members["person"]), np.asarray(people["person"])[mine])),
            ),
        )


def test_members_of_a_survival_table_are_all_there_and_in_no_open_event() -> None:
    shard, members = edges(3, persons=200)
    for table in TABLES[:5]:
        layout = Layout.of(table, STUDY)
        cube = (
            Counter(shard, members, SOURCES)
            .count(layout)["persons"]
            .reshape([len(each) for each in layout.dimensions])
        )
        last = layout.dimensions[0].codes.index(f"{table.until}+")
        assert cube.flat[0] == len(members["person"])
        assert cube[last].reshape(len(layout.dimensions[1]), -1)[1:-1].sum() == 0


CASES: list[tuple[str, tuple[int, int, int, int], tuple[int, int]]] = [
    ("an event on the index day is in the first band", (100, 200, 100, NEVER), (0, 0)),
    ("an event and its rival on one day count as the event", (100, 200, 130, 130), (1, 0)),
    ("a rival a day earlier counts", (100, 200, 131, 130), (1, 1)),
    ("follow-up of no day ends at once", (100, 100, NEVER, NEVER), (0, 2)),
    ("thirty days without anything are one band", (100, 130, NEVER, NEVER), (0, 2)),
    ("an event after the last band is not seen", (100, 900, 400, NEVER), (3, 2)),
]


@pytest.mark.parametrize(("title", "given_", "expected"), CASES, ids=[each[0] for each in CASES])
def test_where_follow_up_ends(
    title: str, given_: tuple[int, int, int, int], expected: tuple[int, int]
) -> None:
    columns = [np.array([value], np.int32) for value in given_]
    function: Callable = exit_bands
    band, outcome = function(*columns, 30, 3)
    assert (band[0], outcome[0]) == expected


def test_a_sum_that_would_not_fit_is_refused_and_never_wraps() -> None:
    shard, members = edges(3)
    events = shard.frames["events"]
    shard.frames["events"] = {
        **events,
        "value": np.full(len(np.asarray(events["start"])), 10**9 * 10_000),
        "unit": events["unit"],
    }
    asked = Table(
        table="t",
        title="t",
        count="values",
        unit="%",
        range=(0, 10**9),
        measures=("sum", "squares"),
        decimals=4,
        dimensions=AGE,
    )
    with pytest.raises(DataError, match="too large to be held exactly"):
        Counter(shard, members, SOURCES).count(Layout.of(asked, STUDY))
    layout = Layout.of(asked.model_copy(update={"measures": ("sum",)}), STUDY)
    half = {
        name: np.full(layout.cells, 2**62, np.int64)
        for name in ("persons", "values", "sum", "largest", "second")
    }
    with pytest.raises(DataError, match="too large to be held exactly"):
        merged(layout, [half, half])


def test_a_value_of_another_unit_or_beyond_the_range_is_in_a_class_of_its_own_and_in_no_sum() -> None:
    shard, members = edges(11, persons=120)
    counter = Counter(shard, members, SOURCES)
    classes, sums = (
        counter.count(
            Layout.of(Table(table="t", title="t", count="values", unit="%", range=(2, 10), **more), STUDY)
        )
        for more in (
            {"classes": (5,)},
            {"measures": ("sum",), "dimensions": AGE, "age_width": 100, "age_top": 100},
        )
    )
    everything = sum(
        len(Member(shard, row, start, end).during()) for row, start, end in rows_of(shard, members)
    )  # what there is: usable, of another unit, missing, below or above
    assert classes["values"][0] == everything > classes["values"][3] > 0
    assert sums["values"][0] == everything - classes["values"][3]
