"""`uttag feasibility`: a permit's cohort counted, rounded and logged, so many questions a day for each
requester."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pipelines.cohort import feasibility
from pipelines.errors import PermitError, SettingsError
from pipelines.files.atomic import exclusive
from pipelines.site import audit
from pipelines.site.permit import Permit
from pipelines.site.site import Feasibility, Site
from pipelines.site.snapshot import Snapshot
from pipelines.study import definition
from pipelines.study.definition import Definition

_ACTION = "feasibility"
_LONGEST_NAME = 100


def ask(site: Site, name: str, requester: str | None, say: Callable[[str], None]) -> dict[str, Any]:
    """The answer to a permit's question on the current snapshot. Needs no signature: to count is its legal
    basis.

    Raises `PermitError` where the requester has no question left today, or a source is not in the snapshot.
    """
    permit = Permit.load(site, name)
    asked, snapshot, rule = definition.load(permit.definition_path), Snapshot.load(site), _rule(site, permit)
    if missing := [source for source in permit.sources if source not in snapshot.sources]:
        raise PermitError(
            permit.file, f"source {missing[0]} is not in the snapshot", "check its name, or refresh the site"
        )
    question = feasibility.question(asked, permit.sources, snapshot.id)
    used = allow(site, permit, asked, question, snapshot.id, named(requester))
    attrition = feasibility.counted(snapshot, permit.sources, snapshot.hierarchy.resolved(asked))
    told = feasibility.told(attrition, question, site.zone("store").derived(_ACTION, 32), rule)
    say(f"question {used} of {rule.questions_a_day} today")
    return {
        "permit": permit.permit,
        "cohort": asked.cohort,
        "title": asked.title,
        "snapshot": snapshot.id,
        "rounded_to": rule.round_to,
        "fewer_than": rule.least,
        "attrition": [{"steps": list(each.steps), "persons": each.persons} for each in told],
    }


def said(answer: dict[str, Any]) -> str:
    """The answer in words."""
    lines = [
        f"{answer['title']}: persons left after each step, with noise and to the nearest "
        f"{answer['rounded_to']}"
    ]
    for each in answer["attrition"]:
        count = (
            f"fewer than {answer['fewer_than']}" if each["persons"] is None else f"about {each['persons']:,}"
        )
        lines.append(f"{count:>18}  {'; '.join(each['steps'])}")
    return "\n".join(lines)


def _rule(site: Site, permit: Permit) -> Feasibility:
    """The site's, or the permit's minimum where that is stricter."""
    return site.feasibility.model_copy(
        update={"minimum": max(site.feasibility.minimum, permit.policy.minimum)}
    )


def named(requester: str | None) -> str:
    """The requester's name, by default the user's. Raises `SettingsError` if it is none."""
    name = (requester if requester is not None else getpass.getuser()).strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise SettingsError(
            "--requester", f"is no name of 1 to {_LONGEST_NAME} letters", "say for whom you ask"
        )
    return name


def allow(site: Site, permit: Permit, asked: Definition, question: str, snapshot: str, requester: str) -> int:
    """Log the question, before anything is counted; how many different ones the requester has asked today,
    this one included.

    Raises PermitError where these are more than may be asked in a day.
    """
    limit = site.feasibility.questions_a_day
    about = {
        "permit": permit.permit,
        "requester": requester,
        "definition": asked.meaning,
        "snapshot": snapshot,
        "question": question,
    }
    with _alone(site):
        questions = _today(site, requester) | {question}
        if len(questions) > limit:
            audit.note(site, f"{_ACTION} refused", **about)
            raise PermitError(
                permit.file,
                f"{requester} has asked {limit} different questions today, which is all that may be asked",
                "ask one of them again, wait until tomorrow (UTC), or have the permit signed and run it",
            )
        audit.note(site, _ACTION, **about)
    return len(questions)


def _today(site: Site, requester: str) -> set[str]:
    today = datetime.now(UTC).date().isoformat()
    entries = (each for each in audit.entries(site, _ACTION) if str(each["time"]).startswith(today))
    return {each["about"]["question"] for each in entries if each["about"]["requester"] == requester}


@contextlib.contextmanager
def _alone(site: Site) -> Iterator[None]:
    """No other question is let through meanwhile, so that two at once do not both pass as the last one."""
    with exclusive(audit.log_file(site).with_name("feasibility.lock")):
        yield
