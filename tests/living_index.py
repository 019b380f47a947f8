"""Two small tables whose living index is made, changed and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.compute.ranks import Ranks
from pipelines.linkage.engine import MARGIN, Clock, Linked, link_tables
from pipelines.linkage.link_settings import LinkSettings
from pipelines.linkage.living import Change, model_in, save, update
from pipelines.linkage.outcome import Outcome

FIELDS = ("given", "surname", "birth", "town", "height", "marks")
GIVEN = ("anna", "anne", "hanna", "per", "pär", "peter", "liv", "maria")
SURNAMES = ("berg", "bergh", "ek", "lind", "lindh", "af ek", "ström")
BIRTHS = ("1970-01-02", "1970-02-01", "1981-11-30", "1981-11-03", "1992-06-07")
RULES = (
    ("surname", "year(birth)"),
    ("sounds(given, surname)",),
    ("words(surname, given)", "town"),
    ("prefix(given, 2)",),
    ("members(marks)",),
)
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
        "birth": {"column": "birth", "kind": "date"},
        "town": {"column": "town", "kind": "code"},
        "height": {"column": "height", "kind": "number"},
        "marks": {"column": "marks", "kind": "set", "separator": ";"},
    }
    more.setdefault("blocking", RULES if not more.get("combine") else [])
    return LinkSettings.model_validate({"data": data, "fields": fields, "sample": 1000, **more})


def write(rows: dict[str, Row], path: Path) -> Path:
    columns = {
        "id": list(rows),
        **{name: [row[place] for row in rows.values()] for place, name in enumerate(FIELDS)},
    }
    pq.write_table(pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()}), path)
    return path


def full(held: Tables, folder: Path, given: Any = None, **more: Any) -> tuple[LinkSettings, Linked]:
    folder.mkdir(exist_ok=True)
    chosen = configured(folder, **more)
    paths = [write(held.a, folder / "a.parquet"), write(held.b, folder / "b.parquet")]
    linked = link_tables(chosen, paths, Ranks(), Clock(), lambda _: None, given)
    assert linked is not None
    return chosen, linked


def started(held: Tables, folder: Path, again: bool = True, **more: Any) -> Path:
    chosen, linked = full(held, folder, **more)
    out = folder / "out"
    save(linked, chosen, out)
    if again:  # so that pairs are kept by the last model, too
        chosen, linked = full(held, folder, model_in(out)[1], **more)
        saved = save(linked, chosen, out)
        assert (saved["passed_over"], saved["links_whole_from_bits"]) == (0, chosen.threshold - MARGIN / 2)
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


def changed(
    held: Tables, folder: Path, more: dict[tuple[str, str], Row | None]
) -> tuple[Tables, list[Change]]:
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
        pq.write_table(
            pa.table({"source": [key[0] for key in dropped], "record_id": [key[1] for key in dropped]}),
            folder / "drop.parquet",
        )
        changes.append(Change(folder / "drop.parquet"))
    return after, changes


def people(count: int) -> dict[str, Row]:
    random = np.random.default_rng(5)
    found: dict[str, Row] = {}
    for number in range(count):
        pick = [str(random.choice(list(each))) for each in (GIVEN, SURNAMES)]
        birth = f"{random.integers(1930, 2010)}-{random.integers(1, 13):02}-{random.integers(1, 29):02}"
        found[f"p{number:04}"] = (
            pick[0],
            pick[1],
            birth,
            f"{random.integers(100, 999)}",
            f"{random.integers(150, 199)}",
            f"m{number}",
        )
    return found


def persons(out: Path) -> dict[tuple[str, str], int]:
    return {
        (row["source"], row["record_id"]): row["cluster_id"]
        for row in pq.read_table(out / "clusters.parquet").to_pylist()
    }


def history(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "history.parquet").to_pylist()


def brought(
    out: Path, held: Tables, folder: Path, more: dict[tuple[str, str], Row | None]
) -> tuple[Tables, dict[str, Any]]:
    after, changes = changed(held, folder, more)
    return after, update(out, changes, lambda _: None, "2025-02-28")
