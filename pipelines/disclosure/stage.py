"""The disclosure stage: raw cubes in, protected cubes and their proof out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pipelines.cubes.cube import Cube
from pipelines.cubes.files import read_cubes, write_protected
from pipelines.cubes.policy import Policy
from pipelines.cubes.standing import read_standing, standing_file
from pipelines.disclosure.history.memory import REMEMBERED, Entry, Memory, Remembered, opened
from pipelines.disclosure.history.pairs import Counted
from pipelines.disclosure.history.recall import recalled
from pipelines.disclosure.history.together import system_of
from pipelines.disclosure.keyed import change_files
from pipelines.disclosure.suppression.protect import CERTIFICATE, Protection, protect
from pipelines.disclosure.suppression.sensitive import Sensitive
from pipelines.disclosure.suppression.system import System
from pipelines.errors import DisclosureError
from pipelines.files import described
from pipelines.files.sealing import Zone
from pipelines.site.project import Project

Say = Callable[[str], None]
_TOGETHER: Final = "proved together with all that the site has released of nearly the same people"


def disclose(project: Project, progress: Say | None = None) -> dict[str, Any]:
    """Protect `<run>/raw/` by the permit's method: cubes to `<run>/protected/`, public summary and what the
    gate checks to `<run>/proof/`. The receipt counts what is hidden or changed.
    """
    policy, folder, zone = project.permit.policy, project.folder, project.zone
    if (keys := project.permit.cell_keys) is not None:
        secret = project.site.zone("memory").derived
        return {**change_files(folder / "raw", folder, policy, keys, zone, secret), "held": False}
    return _suppressed(project, progress or (lambda _text: None))


def _suppressed(project: Project, say: Say) -> dict[str, Any]:
    """By suppression, beside all that the site has released.

    Where a version of the permit is out and no pattern keeps everybody safe beside it, nothing is written,
    and the receipt says `held`. Raises `DisclosureError` where none is out.
    """
    permit, run, policy = project.permit.permit, project.run, project.permit.policy
    cubes = read_cubes(project.folder / "raw", project.zone)
    with opened(project.site) as memory:
        new = [_counted(project, memory, cube) for cube in cubes]
        entries = memory.before(permit, run)
        earlier, near = recalled(new, entries, policy.minimum)
        if earlier:
            say(f"{len(earlier):,} earlier tables show nearly the same people: proved together")

        def beside(rules: Sequence[Sensitive]) -> System:
            return system_of(new, earlier, policy, rules)

        try:
            protection = protect(cubes, policy, say, beside=beside if earlier else None)
        except DisclosureError as fault:
            return _unproven(permit, entries, fault, bool(earlier))
        number = memory.add(permit, run, _remembered(new, near, protection))
    protection = replace(protection, proof={**protection.proof, REMEMBERED: _TOGETHER})
    return {**write(protection, project.folder, policy, project.zone), "memory": number}


def disclose_files(
    raw: Path, out: Path, policy: Policy, zone: Zone, progress: Say | None = None
) -> dict[str, Any]:
    """Protect the cubes of `raw` alone into `out`; nothing is written unless all of them are certified."""
    return write(protect(read_cubes(raw, zone), policy, progress), out, policy, zone)


def write(protection: Protection, out: Path, policy: Policy, zone: Zone) -> dict[str, Any]:
    """Write what is protected, with its proof; what the receipt says of it."""
    for cube in protection.cubes:
        write_protected(cube, out / "protected", zone)
    proof = out / "proof"
    described.write(
        protection.certificate,
        proof / "certificate.parquet",
        CERTIFICATE,
        zone,
        protection.proof,
        proof / "proof.json",
    )
    return {"tables": protection.counts, "policy": policy.model_dump(mode="json"), "held": False}


def _counted(project: Project, memory: Memory, cube: Cube) -> Counted:
    standing = read_standing(standing_file(project.folder / "raw", cube.table), project.zone)
    counted = [name for name in cube.measures if name != "persons"]
    kind = counted[0] if counted else "persons"
    return Counted(cube, memory.pseudonyms(standing), kind, "person_days" not in counted)


def _remembered(
    new: Sequence[Counted], near: Sequence[tuple[tuple[int, str], ...]], protection: Protection
) -> list[Remembered]:
    return [
        Remembered(each, beside, cube.hidden, sensitive & cube.hidden)
        for each, beside, cube, sensitive in zip(
            new, near, protection.cubes, protection.sensitive, strict=True
        )
    ]


def _unproven(permit: str, entries: Sequence[Entry], fault: DisclosureError, beside: bool) -> dict[str, Any]:
    """The receipt of a version that is held. The same words whatever the cause: it tells nothing of it."""
    if not beside:
        raise fault
    if any(each.permit == permit for each in entries):
        return {"tables": [], "held": True}
    raise DisclosureError(
        "disclosure",
        "beside what the site has released of nearly the same people, no pattern keeps everybody safe",
        "ask for coarser or fewer tables, or for the people of an earlier permit as they are",
    ) from fault
