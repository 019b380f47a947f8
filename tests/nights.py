"""Nights made up for tests of linkage and store: what intake leaves behind, without intake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import numpy as np

from pipelines.compute.ranks import Ranks
from pipelines.files import documents, sealed
from pipelines.files.digests import content_hash, digest
from pipelines.files.frames import Category, Frame, length, take
from pipelines.files.schemas import (
    ACCEPTED_EVENTS,
    DAY_OPEN,
    DAY_UNKNOWN,
    IDENTITIES,
    KIND,
    NUMBER_KINDS,
    VALUE_MISSING,
)
from pipelines.linkage import link
from pipelines.site.site import Site, create_keys
from pipelines.store import build

SOURCES = ("folkbokforing", "journal_a", "journal_b", "lakemedel")
KEYS = {"identity": bytes(range(32)), "store": bytes(range(32, 64))}

# Two people who have nothing in common.
ANNA = {
    "number": "195003041236",
    "given": "ANNA",
    "surname": "HOLMQVIST",
    "birth": "1950-03-04",
    "sex": 2,
    "postcode": "117 28",
}
ERIK = {
    "number": "197108099818",
    "given": "ERIK",
    "surname": "ZETTERLUND",
    "birth": "1971-08-09",
    "sex": 1,
    "postcode": "182 60",
}


def day(text: str) -> int:
    """Days since 1970-01-01."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def make_site(
    root: Path, shards: int = 4, sources: Iterable[str] = SOURCES, linkage: str | None = None
) -> Site:
    """A site with keys and sources and nothing else."""
    create_keys(root, KEYS)
    lines = [
        "site: test",
        "synthetic: true",
        f"shards: {shards}",
        "sources:",
        *(f"  {name}: {{contract: {name}.yaml}}" for name in sources),
    ]
    if linkage is not None:
        (root / "linkage.yaml").write_text(linkage, encoding="utf-8")
        lines.append("linkage: linkage.yaml")
    (root / "site.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Site.load(root)


def linked_and_stored(site: Site, permit: str, text: str, definition: str) -> None:
    """Link and store what was delivered, and put a permit and the definition `anyone` where they belong."""
    link(site, Ranks())
    build(site, Ranks())
    for name, content in ((f"permits/{permit}.yaml", text), ("definitions/anyone.yaml", definition)):
        path = site.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")


def token(number: str) -> int:
    """A stand-in for the keyed hash of a number."""
    return int(digest("token", number)[:15], 16) * 8 + 1 if number else 0


def record(source: str, reference: object) -> int:
    """A stand-in for the keyed hash of a source's own reference."""
    return int(digest("record", source, str(reference))[:15], 16) * 8 + 3


def identities(source: str, rows: Sequence[dict[str, Any]]) -> Frame:
    """Identity rows. Each: ref, and where known number, kind, previous, given, surname, birth, sex, postcode,
    since, until."""
    kinds = [row.get("kind", "personnummer" if row.get("number") else "none") for row in rows]

    def numbers(values: list[int], type_: type) -> np.ndarray:
        return np.array(values, type_)

    def days(name: str, otherwise: int) -> np.ndarray:
        return np.array([day(row[name]) if row.get(name) else otherwise for row in rows], np.int32)

    def text(name: str, width: int) -> np.ndarray:
        return np.array([str(row.get(name, "")).encode()[:width] for row in rows], f"S{width}")

    return {
        "record": numbers([record(source, row["ref"]) for row in rows], np.int64),
        "number": np.array(
            [
                b"" if kind == "token" else str(row.get("number", "")).encode()
                for kind, row in zip(kinds, rows, strict=True)
            ],
            "S16",
        ),
        "number_kind": numbers([NUMBER_KINDS.index(kind) for kind in kinds], np.int8),
        "token": numbers(
            [
                0 if kind == "invalid" else token(row.get("number", ""))
                for kind, row in zip(kinds, rows, strict=True)
            ],
            np.int64,
        ),
        "previous_token": numbers([token(row.get("previous", "")) for row in rows], np.int64),
        "given": text("given", 32),
        "surname": text("surname", 32),
        "birth_day": days("birth", DAY_UNKNOWN),
        "sex": numbers([row.get("sex", 0) for row in rows], np.int8),
        "postcode": text("postcode", 8),
        "valid_from": days("since", DAY_UNKNOWN),
        "valid_to": days("until", DAY_OPEN),
    }


def events(source: str, rows: Sequence[dict[str, Any]]) -> Frame:
    """Events. Each: ref, kind, start, and where known end, concept, value, unit, care_unit, encounter."""

    def category(name: str) -> Category:
        labels = sorted({row[name] for row in rows if row.get(name)})
        return Category.of(
            labels, np.array([labels.index(row[name]) if row.get(name) else -1 for row in rows], np.int32)
        )

    def last(row: dict[str, Any]) -> int:
        return DAY_OPEN if row.get("end") == "open" else day(row.get("end", row["start"]))

    start = np.array([day(row["start"]) for row in rows], np.int32)
    return {
        "record": np.array([record(source, row["ref"]) for row in rows], np.int64),
        "start": start,
        "end": np.array([last(row) for row in rows], np.int32),
        "concept": category("concept"),
        "value": np.array([row.get("value", VALUE_MISSING) for row in rows], np.int64),
        "unit": category("unit"),
        "kind": np.array([KIND[row["kind"]] for row in rows], np.int8),
        "position": np.zeros(len(rows), np.int8),
        "setting": np.zeros(len(rows), np.int8),
        "care_unit": category("care_unit"),
        "encounter": np.array([row.get("encounter", 0) for row in rows], np.int64),
    }


def deliver(
    site: Site,
    source: str,
    delivery: str,
    delivered: str,
    people: Frame | None = None,
    happened: Frame | None = None,
    *,
    parts: int = 1,
    **said: str | bool,
) -> None:
    """Leave behind what intake would: sealed parts and a receipt. `said`: what the receipt says otherwise."""
    receipt: dict[str, Any] = {
        "source": source,
        "delivery": delivery,
        "owner": f"owner of {source}",
        "delivered": delivered,
        "replaces": None,
        "no_reidentify": False,
        "status": "accepted",
        "identities": [],
        "events": [],
        **said,
    }
    for name, frame, schema, zone, base in (
        ("identities", people, IDENTITIES, "identity", site.identity),
        ("events", happened, ACCEPTED_EVENTS, "store", site.store),
    ):
        if frame is None:
            continue
        for part in range(parts):
            rows = take(frame, slice(part, None, parts))
            path = base / "accepted" / source / delivery / f"{name}-{part:04d}.parquet"
            sealed.write(rows, path, schema, site.zone(zone))
            entry = {
                "file": str(path.relative_to(site.root)),
                "rows": length(rows),
                "hash": content_hash(rows, schema),
            }
            receipt[name].append(entry)
    documents.write_json(receipt, site.receipts / "intake" / source / f"{delivery}.json")


class ThreadRanks(Ranks):
    """Ranks that are threads of one process: what MPI does, where a property needs it many times."""

    def __init__(self, rank: int, size: int, board: list[Any], barrier: Barrier) -> None:
        self.rank, self.size, self._board, self._barrier = rank, size, board, barrier

    def _all(self, value: Any) -> list[Any]:
        self._board[self.rank] = value
        self._barrier.wait()
        values = list(self._board)
        self._barrier.wait()
        return values

    def sum(self, array: np.ndarray) -> np.ndarray:
        return np.sum(self._all(array), axis=0)

    def gather(self, value: Any) -> list[Any] | None:
        values = self._all(value)
        return values if self.rank == 0 else None

    def broadcast(self, value: Any) -> Any:
        return self._all(value)[0]

    def exchange(self, values: Sequence[Any]) -> list[Any]:
        return [sent[self.rank] for sent in self._all(list(values))]

    def wait(self) -> None:
        self._all(None)


def on_ranks(size: int, program: Callable[[Ranks], Any]) -> Any:
    """Run `program` on `size` ranks at once; what rank 0 returns. The first failure of any rank is raised."""
    if size == 1:
        return program(Ranks())
    board, barrier = [None] * size, Barrier(size)
    results: list[Any] = [None] * size
    faults: list[BaseException] = []

    def work(rank: int) -> None:
        try:
            results[rank] = program(ThreadRanks(rank, size, board, barrier))
        except BaseException as fault:  # noqa: BLE001 - it is raised below
            faults.append(fault)
            barrier.abort()

    threads = [Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise next((fault for fault in faults if "Broken" not in type(fault).__name__), faults[0])
    return results[0]
