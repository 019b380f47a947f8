"""The intake stage: one delivery in, its identities and events out, each row checked, the whole delivery accepted or stopped."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import storage
from pipelines.compute import Workers
from pipelines.errors import ContractError
from pipelines.intake.contract import Contract
from pipelines.intake.files import FileResult, FileTask, map_file
from pipelines.intake.report import quality_report
from pipelines.schemas import IDENTITIES, QUARANTINE
from pipelines.site import Delivery, Site

Receipt = dict[str, Any]


def intake(site: Site, delivery: Delivery, workers: Workers) -> Receipt:
    """Accept a delivery or stop it whole. Returns its receipt, which is written too; a stopped one says why and leaves nothing else.

    A contract that does not read is a `SettingsError`; a full disk a `SpaceError`, after which nothing is left half-written.
    """
    contract = Contract.load(site.root / site.sources[delivery.source].contract)
    receipt = _heading(site, delivery, contract)
    path = site.receipt("intake", delivery)
    path.unlink(missing_ok=True)
    with _staging(site, delivery) as (identity, store):
        try:
            results = _mapped(site, delivery, contract, workers, identity, store)
        except ContractError as fault:
            receipt |= {"status": "stopped", "reason": str(fault)}
        else:
            receipt |= _accepted(site, delivery, results, identity, store)
    storage.write_json(receipt, path)
    with storage.atomic(path.with_suffix(".md")) as beside:
        beside.write_text(quality_report(receipt), encoding="utf-8")
    return receipt


def _heading(site: Site, delivery: Delivery, contract: Contract) -> Receipt:
    return {
        "source": delivery.source, "delivery": delivery.delivery, "owner": contract.agreement.owner,
        "delivered": delivery.delivered.isoformat(), "replaces": delivery.replaces, "no_reidentify": contract.agreement.no_reidentify,
        "contract": contract.hash, "status": "accepted", "identities": [], "events": [], "rows_read": 0, "rows_accepted": 0,
        "quarantined": [], "warnings": {}, "quality": {},
    }  # fmt: skip


@contextlib.contextmanager
def _staging(site: Site, delivery: Delivery) -> Iterator[tuple[Path, Path]]:
    """Folders of this attempt in both zones; what the delivery had there before is gone, and so is the staging in the end."""
    folders = [zone / "staging" / delivery.source / delivery.delivery for zone in (site.identity, site.store)]
    old = [zone / "accepted" / delivery.source / delivery.delivery for zone in (site.identity, site.store)]
    for folder in (*folders, *old):
        shutil.rmtree(folder, ignore_errors=True)
    (site.identity / "quarantine" / delivery.source / f"{delivery.delivery}.parquet").unlink(missing_ok=True)
    try:
        for folder in folders:
            folder.mkdir(parents=True, mode=0o700)
        yield folders[0], folders[1]
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


# ---- the files of a delivery ------------------------------------------------------------------------------------------------


def _mapped(site: Site, delivery: Delivery, contract: Contract, workers: Workers, identity: Path, store: Path) -> list[FileResult]:
    """Map every file: first those that say who there is, then those that only refer to them."""
    tasks = _tasks(site, delivery, contract, identity, store)
    first = [task for task in tasks if task.table.mapping.identities is not None]
    then = [task for task in tasks if task.table.mapping.identities is None]
    results = _good(workers.map(map_file, first))
    people = tuple((str(identity / part.file), part.hash) for result in results for part in result.identities)
    return results + _good(workers.map(map_file, [task.knowing(people) for task in then]))


def _good(results: list[FileResult]) -> list[FileResult]:
    for result in results:
        if result.stopped is not None:
            raise ContractError(*result.stopped)
    return results


def _tasks(site: Site, delivery: Delivery, contract: Contract, identity: Path, store: Path) -> list[FileTask]:
    for name in delivery.tables:
        if contract.table(name) is None:
            raise ContractError(f"{delivery.source}/{delivery.delivery}", f"the table {name} is not in the contract", "agree on it first")
    named = [name for names in delivery.tables.values() for name in names]
    if len(set(named)) < len(named):
        raise ContractError(f"{delivery.source}/{delivery.delivery}", "a file is named twice", "mend delivery.yaml")
    files = []
    for table in contract.tables:
        names = sorted(delivery.tables.get(table.name, []))
        if not names and not table.mapping.optional:
            raise ContractError(f"{delivery.source}/{delivery.delivery}", f"the table {table.name} is missing", "ask the sender for it")
        for name in names:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ContractError(
                    f"{delivery.source}/{delivery.delivery}", "a file lies outside the delivery's folder", "mend delivery.yaml"
                )
            files.append((table, name))
    concepts = tuple(
        (str(delivery.root / name), storage.file_digest(delivery.root / name) if (delivery.root / name).is_file() else "")
        for table, name in files
        if table.name == "concept" and table.mapping.lookup
    )
    mapped = sorted(((table, name) for table, name in files if not table.mapping.lookup), key=lambda each: (each[0].name, each[1]))
    return [
        FileTask(
            contract=contract, table=table, path=delivery.root / name, number=number, source=delivery.source,
            delivered=delivery.delivered.toordinal() - _EPOCH, identity=identity, store=store,
            identity_zone=site.zone("identity"), store_zone=site.zone("store"), concepts=concepts,
        )
        for number, (table, name) in enumerate(mapped)
    ]  # fmt: skip


_EPOCH = 719163  # the ordinal of 1970-01-01


# ---- putting it in place ------------------------------------------------------------------------------------------------------


def _accepted(site: Site, delivery: Delivery, results: list[FileResult], identity: Path, store: Path) -> Receipt:
    """Leave one row for each record, write the quarantine, move everything into place; returns what the receipt says of it."""
    results = sorted(results, key=lambda each: each.number)
    people, again = _one_row_each(site, results, identity)
    quarantine = storage.concat([each.quarantine for each in results], QUARANTINE)
    if storage.length(quarantine):
        place = site.identity / "quarantine" / delivery.source / f"{delivery.delivery}.parquet"
        storage.write(quarantine, place, QUARANTINE, site.zone("identity"))
    under = Path("accepted") / delivery.source / delivery.delivery
    for folder, zone in ((identity, site.identity), (store, site.store)):
        (zone / under).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.replace(zone / under)
    warnings: dict[str, int] = {"record_in_two_files": again} if again else {}
    counts: dict[tuple[str, str], int] = {}
    for each in results:
        for name, count in each.warnings.items():
            warnings[name] = warnings.get(name, 0) + count
        for key, count in each.quarantined.items():
            counts[key] = counts.get(key, 0) + count
    return {
        "identities": [{"file": f"identity/{under}/{file}", "rows": rows, "hash": digest} for file, rows, digest in people],
        "events": [
            {"file": f"store/{under}/{part.file}", "rows": part.rows, "hash": part.hash} for each in results for part in each.events
        ],
        "rows_read": sum(each.rows_read for each in results),
        "rows_accepted": sum(each.rows_accepted for each in results),
        "quarantined": [{"reason": reason, "column": column, "rows": count} for (reason, column), count in sorted(counts.items())],
        "warnings": dict(sorted(warnings.items())),
        "quality": {each.file: each.quality for each in results},
    }  # fmt: skip


def _one_row_each(site: Site, results: list[FileResult], folder: Path) -> tuple[list[tuple[str, int, str]], int]:
    """Files with one row for each record: the first file in order keeps it. Returns (file, rows, hash) of each, and how many rows went."""
    zone, seen, again = site.zone("identity"), np.empty(0, np.int64), 0
    kept = []
    for part in (part for each in results for part in each.identities):
        path = folder / part.file
        record = np.asarray(storage.read(path, IDENTITIES, zone, ["record"])["record"])
        new = ~np.isin(record, seen, assume_unique=True)
        if new.all():
            kept.append((part.file, part.rows, part.hash))
        else:
            again += int((~new).sum())
            frame = storage.take(storage.read(path, IDENTITIES, zone), new)
            storage.write(frame, path, IDENTITIES, zone)
            kept.append((part.file, int(new.sum()), storage.content_hash(frame, IDENTITIES)))
        seen = np.concatenate([seen, record[new]])
    return kept, again
