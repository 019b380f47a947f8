"""What a person or the night runs: the refresh of a site, or one of its permits."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.errors import ClusterError, ContractError, SilentError, StageError
from pipelines.intake.quality import write_reports
from pipelines.intake.unread import refuse
from pipelines.site import audit
from pipelines.site.acceptance import Verdict, verdicts
from pipelines.site.arrivals import Arrival
from pipelines.site.calendar import waits_until
from pipelines.site.permit import Permit
from pipelines.site.project import Project
from pipelines.site.site import Site
from workflows.driver import Options, drive, last_events, nothing_due, plain_command
from workflows.leftovers import run_lock
from workflows.plan import Plan, owner


def refresh(site: Site, options: Options, planned: Callable[[Plan], None] | None = None) -> None:
    """Bring the snapshot up to date with the deliveries, the settings and what people decided. `planned` is
    told the plan before it is carried out.

    Raises, once all else has gone through, `ContractError` for deliveries that were stopped, held by a guard
    or changed in place, and `SettingsError` for contracts that do not read.
    """
    if options.dry_run:
        print("\n".join(Plan.of(site, keep=False).said()))
        return
    with run_lock(site):
        plan = Plan.of(site)
        if planned is not None:
            planned(plan)
        if options.prepare:
            plan.prepare()
            print(plain_command(site, "refresh", plan.config, options) if plan.due else plan.said()[0])
            return
        _carry_out(site, plan, options)
        found = verdicts(site)
        write_reports(site, found)
    _tell_stopped(found, plan)


def _carry_out(site: Site, plan: Plan, options: Options) -> None:
    plan.prepare()
    if not plan.due:
        nothing_due(site, "refresh")
        return
    try:
        _drive(site, plan, options)
    except StageError as fault:
        died = _died(site, plan, isinstance(fault, SilentError))
        if not died:
            raise
        # One delivery that no process survives must not end everybody's night.
        for each in died:
            reason = f"{each.title}: its intake died ({fault}); it is tried again every night"
            refuse(site, each, owner(site, each.source), reason, again=True)
        rest = Plan.of(site).without([each.title for each in died])
        rest.prepare()
        _drive(site, rest, options)


def _drive(site: Site, plan: Plan, options: Options) -> None:
    drive(site, "refresh", plan.config, options)


def _died(site: Site, plan: Plan, silent: bool) -> list[Arrival]:
    """Deliveries whose own intake failed for no reason of theirs that it could name: it was ended, or met a
    fault in the program; `silent`: or said nothing. That the cluster was away is no delivery's fault."""
    begun, ended, died = set[str](), set[str](), set[str]()
    for each in (each for each in last_events(site, "refresh") if each["stage"] == "intake"):
        if each["event"] == "begin":
            begun.add(each["what"])
        elif each["event"] in ("end", "failed"):
            ended.add(each["what"])
        if each["event"] == "failed" and each["exit_code"] in (1, ClusterError.exit_code):
            died.add(each["what"])
    if silent:
        died |= begun - ended
    unread = {each for each in plan.deliveries if not (site.receipts / "intake" / f"{each}.json").exists()}
    return [each for each in site.arrivals() if each.title in died & unread]


def release(site: Site, name: str, options: Options, now: bool = False) -> str | None:
    """Run a permit on the current snapshot, as far as a released bundle. A standing permit waits for its
    calendar, unless `now`; returns in words for what it waits, None where it has run or nothing was due."""
    project = Project.open(site, name)
    due = [stage for stage in _STAGES if not (project.folder / f"{stage}.json").exists()]
    if options.dry_run:
        why = _why(project) if len(due) == len(_STAGES) else "the run was interrupted"
        lines = [f"would run {stage} {name}: {why}" for stage in due]
        print("\n".join(lines or ["nothing would run: everything is up to date"]))
        return None
    if due and not now and (waits := not_due(project)):
        print(f"{name}: {waits}; add --now to release one before", flush=True)
        return waits
    with run_lock(site):
        if not due:
            nothing_due(site, "release")
            return None
        config = {"permit": name, "run": project.run, "snapshot": project.snapshot.id}
        drive(site, "release", config, options)
    return None


def not_due(project: Project) -> str | None:
    """Why a standing permit is not run on this snapshot yet, in words; None where it may be."""
    if not project.permit.standing:
        return None
    day = waits_until(project.site, project.permit.permit, project.permit.every, project.snapshot)
    return f"not due: the next version is due from data of {day} on" if day else None


_STAGES = ("cohort", "aggregation", "disclosure", "measures", "release")


def _why(project: Project) -> str:
    """Why a permit has to be run: what is not as it was when it was last released or held."""
    name = project.permit.permit
    runs = [each["about"] for each in audit.entries(project.site, "stage release")]
    last = next((each for each in reversed(runs) if each.get("permit") == name), None)
    if last is None:
        return "it has not been run"
    if last["run"] == project.run:
        return "its receipts are gone"
    new = ["the snapshot is a new one"] if last["snapshot"] != project.snapshot.id else []
    if last.get("asks") != project.asks:
        new.append("the permit or its definition changed")
    return "; ".join(new) or "uttag changed"


def standing(site: Site) -> list[str]:
    """Permits that the night reruns."""
    names = sorted(path.stem for path in (site.root / "permits").glob("*.yaml"))
    return [name for name in names if Permit.load(site, name).standing]


def _why_stopped(stopped: Verdict) -> tuple[str, str]:
    """What is wrong, and what to do, each said once: the reason is a whole message of its own."""
    reason = (stopped.reason or "").removeprefix(f"{stopped.title}: ").removeprefix(f"{stopped.title}/")
    what, _, then = reason.rpartition("; ")
    return f"stopped: {what or reason}", then if what else "ask the sender for a new delivery"


def _tell_stopped(found: list[Verdict], plan: Plan) -> None:
    """Raise what keeps deliveries from counting, until they are replaced, withdrawn or removed; all else is
    in the snapshot."""
    accepted = [each.receipt for each in found if each.word == "accepted"]
    mended = {f"{each['source']}/{each['replaces']}" for each in accepted}
    faults = [*plan.faults]
    for each in found:
        if each.word == "stopped" and each.title not in mended:
            faults.append(ContractError(each.title, *_why_stopped(each)))
        elif each.word == "held" and each.title not in mended:
            then = f"look at it with the sender, then `uttag accept-delivery {each.title}`, or withdraw it"
            faults.append(ContractError(each.title, f"held by a guard: {each.reason}", then))
    if faults:
        first, more = faults[0], len(faults) - 1
        where = f"{first.where} (and {more} more, see uttag status)" if more else first.where
        fault = type(first)(where, first.what, f"{first.next_step}; the others went through")
        fault.others = tuple(faults)
        raise fault
