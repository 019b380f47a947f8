"""Who enters, and when, by a plain reading of the definition: one person, one event after the other. It
shares no code with the engines, nor with what makes one model of a definition for both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cohort.stage import select
from pipelines.files.schemas import DAY_UNKNOWN, KIND
from pipelines.study.definition import Definition
from tests.amount import share_of
from tests.people import MadeShard, make_shard

FIRST, LAST = date(2019, 1, 1), date(2020, 12, 31)
EPOCH = date(1970, 1, 1)
FROM, TO = (FIRST - EPOCH).days, (LAST - EPOCH).days
CODES = {"one": ("T/A",), "two": ("T/B1", "T/C"), "d": ("T/D",)}
OTHER = {"index": {"codes": "two", "which": "all"}, "follow_up": 60}


@dataclass(frozen=True)
class Event:
    start: int
    end: int
    code: str
    kind: str


def definition(asked: dict[str, Any], **more: Any) -> Definition:
    base = {
        "cohort": "c",
        "title": "c",
        "study": {"from": FIRST, "to": LAST},
        "codes": {k: list(v) for k, v in CODES.items()},
    }
    return Definition(**base, **asked, **more)


def people(shard: MadeShard) -> list[tuple[int, int, int, list[Event]]]:
    """Id, first and last observed day, and events by day, of those who have not opted out."""
    frames = shard.frames
    persons, events = frames["persons"], frames["events"]
    columns = [np.asarray(events[name]).tolist() for name in ("person", "start", "end", "kind")]
    kinds, codes = {number: name for name, number in KIND.items()}, events["concept"].decoded()
    rows = sorted(zip(*columns, codes, strict=True), key=lambda row: row[1])
    found = []
    for place, (id, opted, death) in enumerate(
        zip(
            *(np.asarray(persons[name]).tolist() for name in ("person", "opt_out_day", "death_day")),
            strict=True,
        )
    ):
        if opted != DAY_UNKNOWN:
            continue
        begin, last = (int(np.asarray(frames["periods"][name])[place]) for name in ("start", "end"))
        own = [
            Event(s, e, code, kinds[kind])
            for who, s, e, kind, code in rows
            if who == place and s != DAY_UNKNOWN
        ]
        found.append((id, begin, last if death == DAY_UNKNOWN else min(last, death), own))
    return found


def matching(events: list[Event], asked: dict[str, Any]) -> list[Event]:
    return [
        each
        for each in events
        if any(each.code.startswith(prefix) for prefix in CODES[asked["codes"]])
        and asked.get("kind") in (None, each.kind)
    ]


def candidates(events: list[Event], index: dict[str, Any]) -> list[Event]:
    lists = [matching(events, each) for each in index.get("any", [index])]
    every, which = [each for own in lists for each in own], index["which"]
    if which in ("any", "all"):
        return every
    if isinstance(which, dict):
        return lists[0][which["from"] - 1 :]
    if isinstance(which, int):
        return lists[0][which - 1 : which]
    day = [each.start for each in every]
    if not day:
        return []
    ends = [own[0] if which == "first" else own[-1] for own in lists if own]
    return [each for each in ends if each.start == (min(day) if which == "first" else max(day))]


def holds(rule: dict[str, Any], day: int, events: list[Event], others: list[tuple[int, int]]) -> bool:
    low, high = day + rule["from"], day + rule["to"]
    if "cohort" in rule:
        if rule["day"] == "entry":
            return any(low <= start <= high for start, _ in others)
        return any(start <= high and end >= low for start, end in others)
    days = [each.start for each in matching(events, rule) if low <= each.start <= high]
    count = len(set(days)) if rule["distinct"] else len(days)
    if "at_most" in rule:
        return count <= rule["at_most"]
    return count >= rule["at_least"]


def stays(asked: dict[str, Any], begin: int, last: int, events: list[Event]) -> list[tuple[int, int]]:
    """First and last day of each membership of a person."""
    index, found = asked["index"], []
    others = stays(OTHER, begin, last, events) if asked is not OTHER else []
    shift = index.get("start") or {"after": 0, "of": "start"}
    for event in candidates(events, index):
        day = (event.start if shift["of"] == "start" else event.end) + shift["after"]
        if not (FROM <= day <= TO and begin + asked.get("prior_observation", 0) <= day <= last):
            continue
        if washout := asked.get("washout"):
            like = [each for one in index.get("any", [index]) for each in matching(events, one)]
            if any(event.start - washout <= each.start < event.start for each in like):
                continue
        if not all(holds(rule, day, events, others) for rule in asked.get("require", [])):
            continue
        if any(holds(rule, day, events, others) for rule in asked.get("exclude", [])):
            continue
        found.append((day, min(last, TO, day + asked.get("follow_up", 10**6) - 1)))
    found.sort()
    if index["which"] != "all" and not isinstance(index["which"], dict):
        return found[:1]
    joined = found[:1]
    for start, end in found[1:]:
        if start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


events = st.fixed_dictionaries(
    {"codes": st.sampled_from(sorted(CODES))}, optional={"kind": st.sampled_from(["diagnosis", "drug"])}
)
shifts = st.none() | st.builds(
    lambda after, of: {"after": after, "of": of}, st.integers(-40, 60), st.sampled_from(["start", "end"])
)
indexes = st.one_of(
    st.builds(
        lambda event, which, start: {**event, "which": which, "start": start},
        events,
        st.sampled_from(["first", "last", "any", "all", 2, {"from": 2}]),
        shifts,
    ),
    st.builds(
        lambda each, which, start: {"any": each, "which": which, "start": start},
        st.lists(events, min_size=2, max_size=3),
        st.sampled_from(["first", "last", "any", "all"]),
        shifts,
    ),
)
windows = st.tuples(st.integers(-300, 100), st.integers(0, 300)).map(
    lambda pair: {"from": pair[0], "to": pair[0] + pair[1]}
)
rules = st.one_of(
    st.builds(
        lambda event, window, count, distinct: {**event, **window, **count, "distinct": distinct},
        events,
        windows,
        st.sampled_from([{"at_least": 1}, {"at_least": 2}, {"at_most": 0}, {"at_most": 1}]),
        st.sampled_from([None, "days"]),
    ),
    st.builds(
        lambda window, day: {"cohort": "other", **window, "day": day},
        windows,
        st.sampled_from(["any", "entry"]),
    ),
)


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "index": draw(indexes),
        "prior_observation": draw(st.integers(0, 200)),
        "require": draw(st.lists(rules, max_size=1)),
        "exclude": draw(st.lists(rules, max_size=1)),
    }
    if draw(st.booleans()):
        asked["follow_up"] = draw(st.integers(1, 300))
    if "any" in asked["index"] and asked["index"]["which"] in ("first", "last") and asked["index"]["start"]:
        asked["index"]["start"]["of"] = "start"
    counted = asked["index"]["which"] != "first" and (asked["index"]["start"] or {}).get("of") != "end"
    if counted and draw(st.booleans()):
        asked["washout"] = draw(st.integers(1, 200))
    return asked


def expected(shard: MadeShard, asked: dict[str, Any]) -> list[tuple[int, int, int]]:
    return sorted(
        (id, start, end)
        for id, begin, last, own in people(shard)
        for start, end in stays(asked, begin, last, own)
    )


@settings(max_examples=share_of(150), deadline=None)
@given(st.integers(0, 2**20), definitions())
def test_members_are_those_of_a_plain_reading(seed: int, asked: dict[str, Any]) -> None:
    shard = make_shard(seed, persons=40)
    found = select(shard, None, definition(asked, others={"other": definition(OTHER)})).members
    columns = (np.asarray(found[name]).tolist() for name in ("person", "start", "end"))
    assert list(zip(*columns, strict=True)) == expected(shard, asked)


def test_a_plain_reading_finds_somebody_in_most_ways_to_enter() -> None:
    shard = make_shard(3, persons=300)
    for which in ("first", "last", "any", "all", 2, {"from": 2}):
        found = expected(
            shard, {"index": {"codes": "one", "which": which, "start": {"after": 10, "of": "end"}}}
        )
        assert len(found) > 20
        assert all(left[:2] < right[:2] for left, right in pairwise(found))
