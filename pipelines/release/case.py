"""What is said in public of the permit behind a bundle."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.cubes.policy import Policy


@dataclass(frozen=True)
class CaseInfo:
    """What the bundle says of its permit. `definition`: the cohort in lines of words; `permit_sha256`: of
    what its owners signed."""

    case: str
    title: str
    holder: str
    purpose: str
    valid_to: str
    policy: Policy
    permit_sha256: str
    definition: tuple[str, ...] = ()
