"""What a site may say of its linkage; the defaults suit Swedish registers."""

from __future__ import annotations

from typing import Final, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from kernels.pairs import FIELDS
from pipelines.files.yaml import Strict, load_yaml
from pipelines.site.site import Site

# Derived keys that a blocking rule may name, and the fields that each fixes: a rule cannot train those.
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "surname_sound": ("surname",),
    "given_sound": ("given",),
    "name_sounds": ("given", "surname"),  # in either order
    "given_initial": ("given",),
    "birth_day": ("birth_day",),
    "birth_year": ("birth_day",),
    "sex": ("sex",),
    "postcode": ("postcode",),
    "number_stem": ("number", "birth_day"),  # all but the check digit
}

_RULES: Final = (
    ("number_stem",),
    ("birth_day",),
    ("given_sound", "surname_sound", "postcode"),
    ("surname_sound", "birth_year"),
    ("name_sounds", "birth_year"),
)

# What is believed of matches before any are seen; levels in the order of `kernels.pairs.FIELDS`, the first
# ("unknown") never counted.
_PRIOR: Final[dict[str, tuple[float, ...]]] = {
    "given": (0, 0.04, 0.04, 0.06, 0.01, 0.85),
    "surname": (0, 0.06, 0.02, 0.04, 0.88),
    "birth_day": (0, 0.01, 0.04, 0.01, 0.94),
    "sex": (0, 0.01, 0.99),
    "postcode": (0, 0.2, 0.1, 0.7),
    "number": (0, 0.05, 0.15, 0.8),
}


class LinkageSettings(Strict):
    """How records are linked.

    `anchor_source`: the source whose records are each a person of its own (the population register); none
    needs to exist. `blocking`: rules, each a list of derived keys on which two records must agree to be
    compared at all. `near`, `close`: Jaro-Winkler bounds of the levels of a name. `threshold`: match weight,
    in bits, from which two records are linked. `sample`: records on each side of the random pairs from which
    u is estimated. `largest_block`: pairs of one block beyond which it is passed over (and counted).
    `prior_strength`: how many matches the beliefs weigh against what EM sees.
    """

    anchor_source: str | None = "folkbokforing"
    blocking: tuple[tuple[str, ...], ...] = Field(_RULES, min_length=1, max_length=8)
    near: float = Field(0.80, gt=0, lt=1)
    close: float = Field(0.92, gt=0, lt=1)
    threshold: float = 5.0
    sample: int = Field(1500, ge=2, le=20_000)
    largest_block: int = Field(50_000_000, ge=1)
    prior_strength: float = Field(20.0, gt=0)

    @field_validator("blocking")
    @classmethod
    def _known_keys(cls, rules: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        if any(not rule or set(rule) - set(KEYS) for rule in rules):
            raise ValueError(f"a rule names one or more of {', '.join(KEYS)}")
        return rules

    @model_validator(mode="after")
    def _near_is_below_close(self) -> Self:
        if self.near > self.close:
            raise ValueError("near lies above close")
        return self

    @staticmethod
    def of(site: Site) -> LinkageSettings:
        """The site's settings, or the defaults."""
        return load_yaml(site.root / site.linkage, LinkageSettings) if site.linkage else LinkageSettings()


def prior() -> list[np.ndarray]:
    """m before training: float64 (levels,) for each field."""
    return [np.array(_PRIOR[field]) for field in FIELDS]
