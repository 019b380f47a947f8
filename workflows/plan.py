"""The plan of a refresh: which stages are due and why, by what their receipts say they were made from.

Nothing here depends on the times of files, so that a copied site, a restored one and a clock that is wrong
plan the same.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.errors import ContractError, SettingsError, UttagError
from pipelines.files import documents
from pipelines.files.atomic import atomic
from pipelines.intake.contract import Contract
from pipelines.intake.unread import forget, refuse
from pipelines.site.acceptance import Verdict, verdicts
from pipelines.site.arrivals import Arrival, Delivery
from pipelines.site.contents import contents
from pipelines.site.decisions import decide, decisions
from pipelines.site.deliveries import standing
from pipelines.site.made_from import differences, of_intake, of_linkage, of_store
from pipelines.site.site import Site

Receipt = dict[str, Any]


@dataclass(frozen=True)
class Due:
    """A stage that has to run. `what`: source/name, of intake; `why`: in words."""

    stage: str
    what: str
    why: str


@dataclass
class Plan:
    """What a refresh would do.

    `removed`: (source, name) of deliveries whose folder is gone; `withdrawn`: of those that were withdrawn;
    `refused`: arrivals that no stage can read; `after`: what an intake waits for; `faults`: what keeps a
    delivery from being taken as it lies there, though nothing is lost by it.
    """

    site: Site
    due: list[Due] = field(default_factory=list)
    after: dict[str, str] = field(default_factory=dict)
    removed: list[tuple[str, str]] = field(default_factory=list)
    withdrawn: list[tuple[str, str]] = field(default_factory=list)
    refused: list[Arrival] = field(default_factory=list)
    faults: list[UttagError] = field(default_factory=list)

    @staticmethod
    def of(site: Site, keep: bool = True) -> Plan:
        """Look at what has arrived, what people decided and what the receipts say. Keeps hashes of files for
        the next look, and changes nothing else; nothing at all without `keep`."""
        plan = Plan(site)
        _Look(plan, keep).over(site.arrivals())
        return plan

    @property
    def deliveries(self) -> list[str]:
        """Those whose intake is due, as source/name."""
        return [each.what for each in self.due if each.stage == "intake"]

    @property
    def config(self) -> dict[str, Any]:
        """What the workflow is told."""
        return {"deliveries": self.deliveries, "after": self.after}

    @property
    def stages(self) -> set[str]:
        """Stages of which something is due."""
        return {each.stage for each in self.due}

    def without(self, deliveries: list[str]) -> Plan:
        """The same, but for the intake of those."""
        return replace(self, due=[each for each in self.due if each.what not in deliveries])

    def waits(self) -> list[str]:
        """What the next refresh would do or cannot do, a line each; none where the site is up to date."""
        return [*self._would(), *map(str, self.faults), *self.unread()]

    def said(self) -> list[str]:
        """The same for a dry run."""
        lines = [*self._would(), *(f"waits: {text}" for text in (*self.faults, *self.unread()))]
        return lines or ["nothing would run: everything is up to date"]

    def unread(self) -> list[str]:
        """What lies in `deliveries/` and is of no source."""
        what = "no source of that name is in site.yaml, so that nothing in it is read"
        return [f"deliveries/{ascii(name)[1:-1]}: {what}" for name in self.site.strangers()]

    def _would(self) -> list[str]:
        lines = [f"would refuse {each.title}: {each.fault}" for each in self.refused]
        lines += [f"would forget {source}/{name}: its folder was removed" for source, name in self.removed]
        lines += [f"would forget {source}/{name}: it was withdrawn" for source, name in self.withdrawn]
        lines += [f"would run {each.stage} {each.what}".rstrip() + f": {each.why}" for each in self.due]
        return lines

    def prepare(self) -> None:
        """Do what no stage does: write down what is gone, refuse what cannot be read, order what is due."""
        for source, name in self.removed:
            decide(self.site, source, name, "removed", "its folder was removed")
        for source, name in [*self.removed, *self.withdrawn]:
            forget(self.site, source, name)
        for each in self.refused:
            forget(self.site, each.source, each.name)
            refuse(self.site, each, owner(self.site, each.source), str(each.fault))
        for due in self.due:
            name = f"intake/{due.what}" if due.what else due.stage
            _order(self.site.root / "runs" / "orders" / name, due.why)
            _date(self.site.receipts / f"{name}.json", _OLD)
        for stage in {"linkage", "store"} - self.stages:
            order = self.site.root / "runs" / "orders" / stage
            if not order.exists():
                _order(order, "it is as it was")
            _date(order, _OLD)
            _date(self.site.receipt(stage), _DONE)


def owner(site: Site, source: str) -> str:
    """Who owns a source, as its contract says; `not known` where that does not read."""
    try:
        return Contract.load(site.root / site.sources[source].contract).agreement.owner
    except SettingsError:
        return "not known"


# ---- orders: files that tell Snakemake what is due ---------------------------------------------------------

# Snakemake goes by the times of files. These are given, and lie long ago, so that no clock has a say: a
# receipt that is not to stand, an order, a receipt that an order has led to. What a stage writes is newer.
_OLD, _ORDERED, _DONE = (946_684_800 + step for step in (0, 60, 120))


def _order_file(site: Site, stage: str, what: str) -> Path:
    return site.root / "runs" / "orders" / (f"intake/{what}" if what else stage)


def _order(order: Path, why: str) -> None:
    """An order that says what none said before: Snakemake takes a small file of the same content for the
    same."""
    order.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic(order) as beside:
        beside.write_text(f"{why}\n{time.time_ns()}\n", encoding="utf-8")
    _date(order, _ORDERED)


def _date(path: Path, seconds: int) -> None:
    if path.exists():
        os.utime(path, (seconds, seconds))


# ---- the look ----------------------------------------------------------------------------------------------


class _Look:
    def __init__(self, plan: Plan, keep: bool) -> None:
        self.plan, self.site, self.keep = plan, plan.site, keep
        self.decided = decisions(self.site)
        self.contracts: dict[str, Contract | None] = {}

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        return {each.title: each for each in verdicts(self.site)}

    def over(self, arrived: list[Arrival]) -> None:
        for each in arrived:
            self._arrival(each)
        self._gone(arrived)
        self._corrections([each.delivery for each in arrived if each.delivery is not None])
        self._later_stages()

    def _receipt(self, title: str) -> Receipt | None:
        verdict = self.verdicts.get(title)
        return verdict.receipt if verdict else None

    def _contract(self, source: str) -> Contract | None:
        """The source's contract; None, and a fault of the plan, where it does not read."""
        if source not in self.contracts:
            try:
                self.contracts[source] = Contract.load(self.site.root / self.site.sources[source].contract)
            except SettingsError as fault:
                self.contracts[source] = None
                self.plan.faults.append(fault)
        return self.contracts[source]

    def _counts(self, title: str) -> bool:
        """Does what was read of a delivery count, or what counts in its place? Then it stays as it was read;
        what is held or stopped may be mended where it lies."""
        return title in self.verdicts and self.verdicts[title].word in ("accepted", "replaced")

    def _arrival(self, each: Arrival) -> None:
        receipt, decision = self._receipt(each.title), self.decided.get((each.source, each.name))
        if decision is not None and decision.word == "withdrawn":
            if receipt is not None:
                self.plan.withdrawn.append((each.source, each.name))
            return
        if each.fault is not None:
            if self._counts(each.title):
                self._changed(each.title, each.fault.what)
            elif receipt is None or receipt.get("reason") != str(each.fault):
                self.plan.refused.append(each)
        elif each.delivery is None:
            if self._counts(each.title):
                self._changed(each.title, "its delivery.yaml is gone")
        elif (contract := self._contract(each.source)) is not None:
            self._read(each, contract, receipt)

    def _changed(self, title: str, what: str) -> None:
        then = "what was accepted still counts: put the files back, withdraw it, or have it replaced"
        self.plan.faults.append(ContractError(title, f"changed since it was accepted: {what}", then))

    def _read(self, each: Arrival, contract: Contract, receipt: Receipt | None) -> None:
        if each.delivery is None:
            return
        if receipt is None:
            ordered = _order_file(self.site, "intake", each.title).exists()
            self._due("intake", each.title, "its receipt is gone" if ordered else "it is new")
            return
        before, counts = receipt.get("made_from"), self._counts(each.title)
        try:
            now = of_intake(contract.hash, contents(self.site, each.delivery, self.keep))
        except ContractError as fault:
            if counts:
                self._changed(each.title, f"{fault.where.rpartition('/')[2]}: {fault.what}")
            elif receipt.get("reason") != str(fault):
                self._due(
                    "intake", each.title, f"its files changed since it was {self.verdicts[each.title].word}"
                )
            return
        if counts and before is not None and before["files"] != now["files"]:
            name = next(iter(sorted(set(before["files"].items()) ^ set(now["files"].items()))))[0]
            self._changed(each.title, f"{name} holds something else")
        elif before is None:
            self._due("intake", each.title, "an earlier version read it")
        elif before["files"] != now["files"]:
            self._due(
                "intake", each.title, f"its files changed since it was {self.verdicts[each.title].word}"
            )
        elif before["contract"] != now["contract"]:
            path = self.site.sources[each.source].contract
            self._due("intake", each.title, f"contract {path} changed")
        elif receipt.get("again"):
            self._due("intake", each.title, "it could not be read last time")

    def _due(self, stage: str, what: str, why: str) -> None:
        if not any((each.stage, each.what) == (stage, what) for each in self.plan.due):
            self.plan.due.append(Due(stage, what, why))

    def _gone(self, arrived: list[Arrival]) -> None:
        """Receipts whose folder is not there any more."""
        there = {each.title for each in arrived}
        gone = [each for each in self.verdicts.values() if each.title not in there]
        read = [each for each in self.verdicts.values() if each.receipt["status"] == "accepted"]
        lost = [each for each in gone if each.receipt["status"] == "accepted"]
        place = self.site.root / "deliveries"
        away = {each.receipt["source"] for each in lost if not (place / each.receipt["source"]).is_dir()}
        if len(lost) > 1 and len(lost) == len(read):
            away = {each.receipt["source"] for each in lost}
        for source in sorted(away):
            what = "every delivery that was taken in is gone: is its disk there?"
            then = "nothing is forgotten; bring them back, or withdraw each"
            self.plan.faults.append(ContractError(f"deliveries/{source}", what, then))
        for each in gone:
            if each.receipt["source"] not in away:
                decision = self.decided.get((each.receipt["source"], each.receipt["delivery"]))
                withdrawn = decision is not None and decision.word == "withdrawn"
                to = self.plan.withdrawn if withdrawn else self.plan.removed
                to.append((each.receipt["source"], each.receipt["delivery"]))

    def _corrections(self, read: list[Delivery]) -> None:
        """A correction is compared with what it replaces, so it is read after that, and again if that is."""
        read = sorted(read, key=lambda each: (each.delivered, each.source, each.delivery))
        place = {f"{each.source}/{each.delivery}": number for number, each in enumerate(read)}
        named = {
            f"{each.source}/{each.delivery}": f"{each.source}/{each.replaces}"
            for each in read
            if each.replaces is not None
        }
        for one, other in named.items():  # by date: what a correction of a correction waits for comes first
            if other in self.plan.deliveries and self._receipt(one):
                self._due("intake", one, f"{other}, which it replaces, is read again")
        due = set(self.plan.deliveries)
        self.plan.after = {
            one: other
            for one, other in named.items()
            if one in due and other in due and place[other] < place[one]
        }

    def _later_stages(self) -> None:
        accepted = standing(list(self.verdicts.values()))
        # One that is withdrawn is not among them already; one that is removed is, until that is written down.
        gone = [self.verdicts[f"{source}/{name}"].word for source, name in self.plan.removed]
        intake = bool(self.plan.deliveries) or not {"accepted", "replaced"}.isdisjoint(gone)
        linkage, store = (self._stage_receipt(stage) for stage in ("linkage", "store"))
        why = ["deliveries come or go"] if intake else []
        if linkage is None:
            why = why or ["its receipt is gone" if store else "it has not run"]
        elif not why:
            why = differences(linkage.get("made_from"), of_linkage(self.site, accepted))
        if why and (self.plan.deliveries or accepted or linkage):
            self._due("linkage", "", "; ".join(why))
        if "linkage" in self.plan.stages:
            self._due("store", "", "linkage runs")
        elif linkage is not None:
            now = of_store(self.site, linkage["index"], accepted)
            lines = ["it has not run"] if store is None else differences(store.get("made_from"), now)
            if lines:
                self._due("store", "", "; ".join(lines))

    def _stage_receipt(self, stage: str) -> Receipt | None:
        path = self.site.receipt(stage)
        return documents.read_object(path) if path.exists() else None
