"""The intake stage: one delivery in, its identities and events out, each row checked, the whole delivery
accepted or stopped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from pipelines.compute.workers import Workers
from pipelines.errors import ContractError
from pipelines.files import sealed
from pipelines.files.digests import content_hash, file_digest
from pipelines.files.frames import concat, length, take
from pipelines.files.schemas import ANCESTORS, IDENTITIES, QUARANTINE
from pipelines.intake.ancestors import TABLE, ancestors
from pipelines.intake.attempt import Attempt, Receipt
from pipelines.intake.compared import compared
from pipelines.intake.concept_table import Digests
from pipelines.intake.contract import AgreedTable, Contract
from pipelines.intake.deaths import deaths
from pipelines.intake.files import FileResult, FileTask, Part, map_file
from pipelines.site.arrivals import Delivery
from pipelines.site.contents import contents, stamps
from pipelines.site.made_from import of_intake
from pipelines.site.site import Site

ANCESTORS_FILE = "ancestors.parquet"


def intake(site: Site, delivery: Delivery, workers: Workers) -> Receipt:
    """Accept a delivery or stop it whole. Returns its receipt, which is written too; a stopped one says why
    and leaves nothing else.

    A contract that does not read is a `SettingsError`, a full disk a `SpaceError`, a later attempt meanwhile
    a `DataError`: all of them leave what was there before. A `ContractError` is what stops a delivery.
    """
    contract = Contract.load(site.root / site.sources[delivery.source].contract)
    receipt = _heading(site, delivery, contract)
    with Attempt.begin(site, delivery) as attempt:
        try:
            receipt["made_from"] = of_intake(contract.hash, contents(site, delivery))
            before = stamps(delivery)
            results = _mapped(site, delivery, contract, workers, attempt)
            receipt |= _accepted(site, results, attempt)
            receipt |= _ancestors(site, delivery, contract, results, attempt)
            receipt["deaths"] = _deaths(site, delivery, contract, results, attempt)
            receipt["compared"] = compared(site, delivery, *attempt.files(receipt))
            if stamps(delivery) != before:
                what = "its files changed while they were read"
                raise ContractError(f"{delivery.source}/{delivery.delivery}", what, "wait until it is whole")
        except ContractError as fault:
            receipt = _heading(site, delivery, contract) | {
                "made_from": receipt["made_from"],
                "status": "stopped",
                "reason": str(fault),
            }
        attempt.publish(receipt)
    return receipt


def _heading(site: Site, delivery: Delivery, contract: Contract) -> Receipt:
    return {
        "source": delivery.source,
        "delivery": delivery.delivery,
        "owner": contract.agreement.owner,
        "delivered": delivery.delivered.isoformat(),
        "replaces": delivery.replaces,
        "no_reidentify": contract.agreement.no_reidentify,
        "contract": contract.hash,
        "made_from": of_intake(contract.hash, {}),
        "guards": contract.agreement.guards.model_dump(),
        "status": "accepted",
        "identities": [],
        "events": [],
        "rows_read": 0,
        "rows_accepted": 0,
        "quarantined": [],
        "warnings": {},
        "quality": {},
        "deaths": {},
        "tables": {},
        "compared": None,
    }


# ---- the files of a delivery -------------------------------------------------------------------------------


def _mapped(
    site: Site, delivery: Delivery, contract: Contract, workers: Workers, attempt: Attempt
) -> list[FileResult]:
    """Map every file: first those that say who there is, then those that only refer to them."""
    tasks = _tasks(site, delivery, contract, attempt)
    first = [task for task in tasks if task.table.mapping.identities is not None]
    then = [task for task in tasks if task.table.mapping.identities is None]
    results = _good(workers.map(map_file, first))
    people = tuple(
        (str(attempt.identity / part.file), part.hash) for result in results for part in result.identities
    )
    return results + _good(workers.map(map_file, [task.knowing(people) for task in then]))


def _good(results: list[FileResult]) -> list[FileResult]:
    for result in results:
        if result.stopped is not None:
            raise ContractError(*result.stopped)
    return results


def _tasks(site: Site, delivery: Delivery, contract: Contract, attempt: Attempt) -> list[FileTask]:
    for name in delivery.tables:
        if contract.table(name) is None:
            raise ContractError(
                f"{delivery.source}/{delivery.delivery}",
                f"the table {name} is not in the contract",
                "agree on it first",
            )
    files = []
    for table in contract.tables:
        names = sorted(delivery.tables.get(table.name, []))
        if not names and not table.mapping.optional:
            raise ContractError(
                f"{delivery.source}/{delivery.delivery}",
                f"the table {table.name} is missing",
                "ask the sender for it",
            )
        for name in names:
            files.append((table, name))
    concepts = _lookup(contract, delivery, "concept")
    mapped = sorted(
        ((table, name) for table, name in files if not table.mapping.lookup),
        key=lambda each: (each[0].name, each[1]),
    )
    return [
        FileTask(
            contract=contract,
            table=table,
            path=delivery.root / name,
            number=number,
            source=delivery.source,
            delivered=delivery.delivered.toordinal() - _EPOCH,
            identity=attempt.identity,
            store=attempt.store,
            identity_zone=site.zone("identity"),
            store_zone=site.zone("store"),
            concepts=concepts,
        )
        for number, (table, name) in enumerate(mapped)
    ]


def _lookup(contract: Contract, delivery: Delivery, name: str) -> Digests:
    """Files of a table that others look into, with the digest of each."""
    table = contract.table(name)
    if table is None or not table.mapping.lookup:
        return ()
    paths = [delivery.root / each for each in sorted(delivery.tables.get(name, []))]
    return tuple((str(path), file_digest(path) if path.is_file() else "") for path in paths)


_EPOCH = 719163  # the ordinal of 1970-01-01


# ---- what a receipt says -----------------------------------------------------------------------------------


def _accepted(site: Site, results: list[FileResult], attempt: Attempt) -> Receipt:
    """Leave one row for each record and write the quarantine; returns what the receipt says of it all."""
    results = sorted(results, key=lambda each: each.number)
    people, again = _one_row_each(site, results, attempt.identity)
    quarantine = concat([each.quarantine for each in results], QUARANTINE)
    if length(quarantine):
        sealed.write(quarantine, attempt.quarantine, QUARANTINE, site.zone("identity"))
    warnings, counts = Counter[str](record_in_two_files=again), Counter[tuple[str, str]]()
    for each in results:
        warnings.update(each.warnings)
        counts.update(each.quarantined)
    return {
        "identities": [attempt.listed("identity", part) for part in people],
        "events": [attempt.listed("store", part) for each in results for part in each.events],
        "rows_read": sum(each.rows_read for each in results),
        "rows_accepted": sum(each.rows_accepted for each in results),
        "quarantined": [
            {"reason": reason, "column": column, "rows": count}
            for (reason, column), count in sorted(counts.items())
        ],
        "warnings": {name: count for name, count in sorted(warnings.items()) if count},
        "quality": {each.file: each.quality for each in results},
        "tables": _by_table(results),
    }


def _by_table(results: list[FileResult]) -> dict[str, dict[str, int]]:
    """Rows of each table, over its files."""
    found: dict[str, dict[str, int]] = {}
    for each in results:
        rows = found.setdefault(each.table, {"rows_read": 0, "rows_accepted": 0})
        rows["rows_read"] += each.rows_read
        rows["rows_accepted"] += each.rows_accepted
    return dict(sorted(found.items()))


def _deaths(
    site: Site, delivery: Delivery, contract: Contract, results: list[FileResult], attempt: Attempt
) -> dict[str, int]:
    """What the receipt says of days of death: of the rows that have just been accepted."""
    people = [attempt.identity / part.file for each in results for part in each.identities]
    events: list[tuple[AgreedTable, Path]] = []
    for each in results:
        if (table := contract.table(each.table)) is not None:
            events += [(table, attempt.store / part.file) for part in each.events]
    return deaths(site, delivery.delivered.toordinal() - _EPOCH, people, events)


def _ancestors(
    site: Site, delivery: Delivery, contract: Contract, results: list[FileResult], attempt: Attempt
) -> Receipt:
    """Write what lies above the codes that occur, where they go by concepts; returns what the receipt
    says."""
    occurring = {each for result in results for each in result.occurring}
    if not occurring:
        return {}
    frame = ancestors(
        contract, _lookup(contract, delivery, "concept"), _lookup(contract, delivery, TABLE), occurring
    )
    sealed.write(frame, attempt.store / ANCESTORS_FILE, ANCESTORS, site.zone("store"))
    part = Part(ANCESTORS_FILE, length(frame), content_hash(frame, ANCESTORS))
    return {"ancestors": [attempt.listed("store", part)]}


def _one_row_each(site: Site, results: list[FileResult], folder: Path) -> tuple[list[Part], int]:
    """Files with one row for each record: the first file in order keeps it. Returns the files, and how many
    rows went."""
    zone, seen, again = site.zone("identity"), np.empty(0, np.int64), 0
    kept = []
    for part in (part for each in results for part in each.identities):
        path = folder / part.file
        record = np.asarray(sealed.read(path, IDENTITIES, zone, ["record"])["record"])
        new = ~np.isin(record, seen, assume_unique=True)
        if new.all():
            kept.append(part)
        else:
            again += int((~new).sum())
            frame = take(sealed.read(path, IDENTITIES, zone), new)
            sealed.write(frame, path, IDENTITIES, zone)
            kept.append(Part(part.file, int(new.sum()), content_hash(frame, IDENTITIES)))
        seen = np.concatenate([seen, record[new]])
    return kept, again
