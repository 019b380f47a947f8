"""A living person index: what a full run found is kept so that new, corrected and withdrawn records come in
at the cost of the delta.

The model is that of the full run. With it, an update leads to the persons and links to which a full run on
all records would lead: only connected components of links that a change touches are resolved again, each as
it would be alone. What may differ is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from kernels.comparisons import scratch
from kernels.streams import stream_pairs
from pipelines.errors import SettingsError
from pipelines.files import people
from pipelines.files.digests import digest
from pipelines.files.schemas import NO_PERSON
from pipelines.linkage.bars import bars
from pipelines.linkage.encode import Encoded, columns_of
from pipelines.linkage.engine import MARGIN, Linked, groups, margin, numbered
from pipelines.linkage.fields import plan
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.living_blocks import Candidates, save_blocks
from pipelines.linkage.living_changes import Change, read_changes
from pipelines.linkage.living_persons import EVENT, KINDS, Looked, named
from pipelines.linkage.living_state import Run, Store, created, opened
from pipelines.linkage.living_tables import write_history, write_tables
from pipelines.linkage.living_values import given_model, model_of, save_values
from pipelines.linkage.pairs import Pairs
from pipelines.linkage.resolve import Records, Resolver
from pipelines.linkage.training import SCALE, Model, level_of

Say = Callable[[str], None]
_FOLDER: Final = "index"
# Settings that have no effect on updates.
_OUTSIDE: Final = {
    "data": {"__all__": {"file"}},
    "sample": True,
    "prior_strength": True,
    "interactions": True,
    "rounds": True,
}


# ---- after a full run --------------------------------------------------------------------------------------


def save(linked: Linked, settings: LinkSettings, out: Path) -> dict[str, Any]:
    """Keep in `out`/index what updates need, persons numbered as in `clusters.parquet`. Returns counts.

    Raises SettingsError where the pairs come from combinations of keys, whose bounds follow from all records.
    """
    if settings.combine:
        raise SettingsError(
            "combine",
            "makes blocks whose bounds follow from all records",
            "name rules under blocking to have a living index",
        )
    encoded, model = linked.encoded, linked.resolution.model
    passed_over, whole_from = _passed_over(linked, settings)
    facts = {
        "settings": settings.model_dump_json(),
        "agreed": _agreed(settings),
        "passed_over": passed_over,
        "whole_from": whole_from,
    }
    with created(out / _FOLDER, facts) as store:
        save_values(store, settings.fields, encoded, model)
        save_blocks(store, settings, encoded.deriver)
        _append_records(
            store,
            encoded.matrix(),
            encoded.sources,
            linked.names.keys,
            np.arange(len(encoded)),
            linked.names.ids,
        )
        weights = linked.resolution.weights
        kept = np.flatnonzero(weights >= _least(settings))
        pairs = linked.pairs.take(kept)
        store.add("links", _directed(pairs.left, pairs.right, pairs.patterns, weights[kept]))
        persons = numbered(linked.resolution.label)
        store.replace("persons", persons.astype(np.int32))
        store.append("history", np.zeros(0, EVENT).view(np.uint8).reshape(-1, EVENT.itemsize))
        facts["unused"] = int(persons.max(initial=0)) + 1
        facts["rows"] = [int(each) for each in np.diff(encoded.edges)]
        store.commit()
    with opened(out / _FOLDER) as store:
        write_history(store, out)
    return {
        "records": len(encoded),
        "links": len(kept),
        "passed_over": passed_over,
        "links_whole_from_bits": whole_from,
    }


def model_in(out: Path) -> tuple[LinkSettings, Callable[[Encoded], Model]]:
    """The settings and the model of an index, for a full run with that model given (`link_tables`)."""
    with opened(out / _FOLDER) as store:
        settings = LinkSettings.model_validate_json(store.facts["settings"])

    def of(encoded: Encoded) -> Model:
        with opened(out / _FOLDER) as store:
            return given_model(store, settings.fields, encoded)

    return settings, of


def export(out: Path) -> None:
    """Write `clusters.parquet`, `links.parquet` and `history.parquet` as the index has them."""
    with opened(out / _FOLDER) as store:
        write_history(store, out)
        write_tables(store, LinkSettings.model_validate_json(store.facts["settings"]), out)


def check(out: Path) -> None:
    """Read the whole index and compare it with its manifest."""
    with opened(out / _FOLDER) as store:
        store.check()


def _agreed(settings: LinkSettings) -> str:
    return digest(settings.model_dump_json(exclude=cast(Any, _OUTSIDE)))


def _passed_over(linked: Linked, settings: LinkSettings) -> tuple[int, float]:
    """Pairs, at most, that are links by the last model but were left aside by one before it; and the bits
    from which none was.

    A pair was left aside below the floor of an earlier model. By the last it weighs at most the floor and
    what its pattern has risen since, and no more than its pattern can weigh.
    """
    patterns, last = linked.patterns, linked.resolution.model
    floor = (settings.threshold - margin(settings)) * SCALE
    rise = np.zeros(len(patterns.patterns), np.int64)
    for screen in linked.screens:
        risen = last.of_patterns(patterns.patterns) - screen.of_patterns(patterns.patterns)
        rise = np.maximum(rise, risen + _rarer(last, screen))
    most = last.most(0.0).most - last.weights()
    heaviest = last.of_patterns(patterns.patterns)
    for place, rarest in enumerate(most):
        heaviest += rarest[level_of(patterns.patterns, place)]
    bound = np.minimum(floor + rise, heaviest)
    over = patterns.counts[(rise > 0) & (bound >= settings.threshold * SCALE)]
    return int(over.sum()), max(float(bound[rise > 0].max(initial=-np.inf)), _least(settings)) / SCALE


def _rarer(last: Model, screen: Model) -> int:
    """What rare values may add by the one model beyond the other, at most."""
    total = 0
    for name, table in last.rarity.items():
        other = screen.rarity.get(name, np.zeros(0, np.int32))
        both = min(len(table), len(other))
        total += max(
            int((table[:both] - other[:both]).max(initial=0)),
            int(table[both:].max(initial=0) if not both else 0),
        )
    return total


def _least(settings: LinkSettings) -> float:
    """Weight in 1/1000 bits from which links are kept."""
    return (settings.threshold - MARGIN / 2) * SCALE


def _directed(left: np.ndarray, right: np.ndarray, patterns: np.ndarray, weights: np.ndarray) -> Run:
    """Links as entries at both of their records."""
    a, b = left.astype(np.uint64), right.astype(np.uint64)
    keys = np.concatenate([a << np.uint64(32) | b, b << np.uint64(32) | a])
    return Run(keys, (np.tile(patterns, 2), np.tile(weights.astype(np.int32), 2)))


def _append_records(
    store: Store, codes: np.ndarray, sources: np.ndarray, keys: np.ndarray, born: np.ndarray, ids: Any
) -> None:
    rows = np.arange(len(codes), dtype=np.int32) + (
        store.rows("codes") if "codes" in store.manifest["columns"] else 0
    )
    text, starts = people.utf8(people.large(ids))
    store.append("codes", codes.astype(np.int32))
    store.append("sources", sources.astype(np.int16))
    store.append("keys", keys)
    store.append("born", born.astype(np.int32))
    if "id_starts" in store.manifest["columns"]:
        starts = store.column("id_starts")[-1] + starts[1:]
    store.append("id_text", text)
    store.append("id_starts", starts)
    store.add("ids", Run(keys, (rows,)))


# ---- an update ---------------------------------------------------------------------------------------------


def update(
    out: Path,
    changes: Sequence[Change],
    say: Say,
    date: str,
    settings: LinkSettings | None = None,
    write: bool = True,
) -> dict[str, Any]:
    """Bring changes into the index in `out`; all of them count as made at once, withdrawals first, whatever
    their order.

    `date`: the day, as YYYY-MM-DD, under which merges and splits are listed. `settings`: if given, those that
    the index must have been made with. `write`: are `clusters.parquet` and `links.parquet` written anew? If
    not they are removed, and `export` writes them later. Returns the receipt, in counts.

    Raises SettingsError where `date` is no day, `settings` are others than the index was made with, or a
    change is of a source that it does not know; DataError where `out` holds no index, or the tables do not
    name their records one by one.
    """
    day = _day(date)
    with opened(out / _FOLDER) as store:
        own = LinkSettings.model_validate_json(store.facts["settings"])
        if settings is not None and _agreed(settings) != store.facts["agreed"]:
            raise SettingsError(
                out / _FOLDER, "was made with other settings", "run in full with the new ones"
            )
        receipt = _update(store, own, changes, say, day)
        # Absent rather than of another version.
        for name in ("clusters.parquet", "links.parquet", "history.parquet"):
            (out / name).unlink(missing_ok=True)
        store.commit()
        receipt["history"] = write_history(store, out)
        if write:
            write_tables(store, own, out)
    return receipt


def _update(
    store: Store, settings: LinkSettings, changes: Sequence[Change], say: Say, day: int
) -> dict[str, Any]:
    persons = store.whole("persons")
    delta = read_changes(store, settings, changes, persons)
    n, k = len(persons), len(delta.added)
    there = persons != NO_PERSON
    say(f"{k:,} records to bring in, {len(delta.dead):,} to take out of {int(there.sum()):,}")
    present = np.concatenate([there, np.ones(k, bool)])
    present[delta.dead] = False
    rows = np.arange(n, n + k, dtype=np.int32)
    born = np.where(delta.old >= 0, store.column("born")[delta.old] if n else 0, rows)
    _append_records(store, delta.adopted.codes[delta.added], delta.sources, delta.keys, born, delta.ids)
    sources, values, model = store.column("sources"), delta.adopted.values, model_of(store)
    way = plan(settings.fields)
    records = Records(values, way, scratch(values, way, 12), store.column("codes"))
    blocks = Candidates(store, settings, delta.adopted.deriver(delta.added), rows)
    new, compared = _compare(blocks, settings, records, sources, present, model)
    say(f"{compared:,} pairs compared")
    links = store.postings("links")
    order = np.argsort(new.keys)
    links.runs.append(Run(new.keys[order], tuple(each[order] for each in new.payload)))
    touched, left, right, patterns, lost = _touched(
        links, present, rows, delta.dead, settings.threshold * SCALE
    )
    touched = touched[np.lexsort((touched, store.column("keys")[touched]))]
    place = np.full(n + k, -1, np.int32)
    place[touched] = np.arange(len(touched), dtype=np.int32)
    left, right = place[left], place[right]
    first = left < right
    pairs = Pairs(left[first], right[first], patterns[first])
    pairs = pairs.take(np.lexsort((pairs.right, pairs.left)))
    some = replace(records, codes=np.ascontiguousarray(records.codes[touched]))
    barred = bars(settings, sources[touched], columns_of(list(settings.fields), some.codes), some.values)
    resolver = Resolver(some, barred, pairs, settings.threshold)
    label, weights = resolver.clusters(model)
    before = np.concatenate([persons, np.full(k, NO_PERSON, np.int32)]).astype(np.int64)
    corrected = np.flatnonzero(delta.old >= 0)
    before[rows[corrected]] = persons[delta.old[corrected]]
    looked = Looked(
        label=label,
        before=before[touched],
        born=store.column("born")[touched],
        same=touched < n,
        keys=store.column("keys")[touched],
        left=pairs.left,
        right=pairs.right,
        bits=weights / SCALE,
        gone=persons[np.setdiff1d(delta.dead, delta.old)].astype(np.int64),
        lost_of=before[lost[0]],
        lost=place[lost[1]],
        lost_bits=lost[2] / SCALE,
    )
    found, events, store.facts["unused"] = named(looked, store.facts["unused"])
    after = np.concatenate([persons, np.full(k, NO_PERSON, np.int32)])
    after[delta.dead] = NO_PERSON
    after[touched] = found
    events["version"], events["day"] = store.version, day
    store.append("history", events.view(np.uint8).reshape(-1, EVENT.itemsize))
    store.replace("persons", after)
    blocks.keep(lambda some: present[some])
    store.add(
        "links",
        new,
        lambda run: present[run.keys >> np.uint64(32)] & present[run.keys & np.uint64(0xFFFFFFFF)],
    )
    heavy = blocks.heavy()
    divided = sum(len(keys) for rule in store.facts["heavy"] for keys in rule) if len(delta.dead) else 0
    kinds = np.bincount(events["kind"], minlength=len(KINDS))
    return {
        "version": store.version,
        **delta.counts,
        "records": int((after != NO_PERSON).sum()),
        "pairs_compared": compared,
        "links_new": len(new.keys) // 2,
        "records_resolved": len(touched),
        "persons_unused_from": store.facts["unused"],
        "events": {name: int(count) for name, count in zip(KINDS, kinds, strict=True)},
        "may_differ": {
            "blocks_now_too_large": heavy,
            "divided_blocks_perhaps_small_now": divided,
            "pairs_passed_over": store.facts["passed_over"],
            "links_below_bits": store.facts["whole_from"],
        },
    }


def _compare(
    blocks: Candidates,
    settings: LinkSettings,
    records: Records,
    sources: np.ndarray,
    present: np.ndarray,
    model: Model,
) -> tuple[Run, int]:
    """The links of the new records, and how many pairs were compared."""
    parts = [_directed(*(np.zeros(0, np.int64) for _ in range(4)))]
    compared = 0
    floor = model.most(settings.threshold - MARGIN / 2)
    # The last word is that of `of_pairs`, which rounds otherwise.
    floor = floor._replace(floor=floor.floor - len(settings.fields))
    group = groups(settings, np.arange(len(settings.data)))
    together = (group >= 0)[sources] if (group >= 0).any() else None
    for left, right in blocks.pairs():
        fit = present[left]
        if together is not None:
            fit &= ~(together[left] & (group[sources[left]] == group[sources[right]]))
        left, right = left[fit], right[fit]
        compared += len(left)
        found = stream_pairs(records.values, records.plan, records.scratch, records.codes, left, right, floor)
        pairs = Pairs(found.left, found.right, found.kept)
        weights = model.of_pairs(pairs, records.codes)
        kept = weights >= _least(settings)
        parts.append(_directed(pairs.left[kept], pairs.right[kept], pairs.patterns[kept], weights[kept]))
    keys = np.concatenate([part.keys for part in parts])
    return Run(
        keys,
        (
            np.concatenate([part.payload[0] for part in parts]),
            np.concatenate([part.payload[1] for part in parts]),
        ),
    ), compared


def _touched(
    links: Any, present: np.ndarray, rows: np.ndarray, dead: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Records of the components of links that a change touches: int64, ascending; their links both ways:
    int64, int64, and patterns; and the links that are lost: row, record, weight."""
    which, key, _, weight = links.all(*_at(dead))
    others = (key & np.uint64(0xFFFFFFFF)).astype(np.int64)
    alive = present[others] & (weight > threshold)
    lost = (dead[which[alive]], others[alive], weight[alive])
    seen = np.zeros(len(present), bool)
    reach = np.unique(np.concatenate([rows.astype(np.int64), lost[1]]))
    parts = [(np.zeros(0, np.int64),) * 3]
    every = []
    while len(reach):
        seen[reach] = True
        every.append(reach)
        which, key, pattern, weight = links.all(*_at(reach))
        others = (key & np.uint64(0xFFFFFFFF)).astype(np.int64)
        likely = (weight > threshold) & present[others]
        parts.append((reach[which[likely]], others[likely], pattern[likely]))
        ahead = np.unique(others[likely])
        reach = ahead[~seen[ahead]]
    left, right, patterns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return np.sort(np.concatenate([np.zeros(0, np.int64), *every])), left, right, patterns, lost


def _at(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low = rows.astype(np.uint64) << np.uint64(32)
    return low, low + np.uint64(1 << 32)


def _day(date: str) -> int:
    try:
        return int(np.datetime64(date, "D").astype(np.int64))
    except ValueError:
        raise SettingsError("date", "is no day", "write it as YYYY-MM-DD") from None
