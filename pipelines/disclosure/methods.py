"""The methods of `uttag protect` and what each of them asks to be told: `method: base_rounding`, or `method:
{kind: base_rounding, …}`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator

from pipelines.files.yaml import Strict

Purpose = Literal["publication", "research", "open_data"]
SECRET: Final = {"record_keys", "key_file", "ledger", "ptable"}  # settings that no proof repeats


class Kind(Strict):
    """What all methods say of themselves. `additive`: parents are the sums of their children. `consistent`: a
    cell of the same people has one value in every table and release. `counts_rows`: needs persons, one a row.
    `status`: of every cell that is not hidden."""

    additive: ClassVar[bool] = True
    consistent: ClassVar[bool] = True
    counts_rows: ClassVar[bool] = False
    status: ClassVar[str] = "rounded"

    def parameters(self) -> dict[str, Any]:
        """What anybody may know of it."""
        return self.model_dump(mode="json", exclude={"kind", *SECRET}, exclude_none=True)


class Suppression(Kind):
    """Small cells are hidden, with as few others as protect them."""

    kind: Literal["suppression"] = "suppression"
    status: ClassVar[str] = "shown"


class SmallCountRounding(Kind):
    """Small inner cells become 0 or `base`, so that margins, sums of them, move least. `base`: the policy's
    minimum where absent."""

    kind: Literal["small_count_rounding"] = "small_count_rounding"
    base: int | None = Field(None, ge=2, le=1000)
    consistent: ClassVar[bool] = False


class ControlledRounding(Kind):
    """Every cell becomes a multiple of `base` near it, and all add up. `base`: the policy's minimum where
    absent."""

    kind: Literal["controlled_rounding"] = "controlled_rounding"
    base: int | None = Field(None, ge=2, le=1000)
    consistent: ClassVar[bool] = False


class BaseRounding(Kind):
    """Counts of at most `redact` are hidden, and others rounded to the nearest multiple of `base`, margins
    for themselves."""

    kind: Literal["base_rounding"] = "base_rounding"
    base: int = Field(5, ge=2, le=1000)
    redact: int = Field(7, ge=0, le=1000)
    additive: ClassVar[bool] = False


class Midpoint(Kind):
    """Counts from 1 become the middle of the run of `base` counts that they lie in: with 6, 1 to 6 are 3, and
    7 to 12 are 9."""

    kind: Literal["midpoint"] = "midpoint"
    base: int = Field(6, ge=2, le=1000)
    additive: ClassVar[bool] = False


class Made(Strict):
    """A table of transitions to be made. `most`: by how much a count changes at most; `variance`: of the
    changes; `hidden`: counts from 1 to this one never come out; `stay`: the probability that a count stays as
    it is, where that is asked for."""

    most: int = Field(5, ge=1, le=50)
    variance: float = Field(3.0, gt=0, le=1000)
    hidden: int = Field(2, ge=0, le=50)
    stay: float | None = Field(None, gt=0, lt=1)

    @model_validator(mode="after")
    def _fits(self) -> Made:
        if self.hidden >= self.most:
            raise ValueError(
                "a count could not get past those that never come out: let `most` be larger than `hidden`"
            )
        return self


class CellKey(Kind):
    """Each cell changes by what a table of transitions gives for its count and its key, the sum of its
    records' keys.

    `ptable`: CSV of transitions, or how to make one. `record_keys`: column with a number from 0 to 1 for each
    record; or `key_file`, which turns the names of the specification's `person` into such numbers: 32 or more
    random bytes that stay the same for all releases.
    """

    kind: Literal["cell_key"] = "cell_key"
    ptable: Path | Made = Made()
    record_keys: str | None = None
    key_file: Path | None = None
    additive: ClassVar[bool] = False
    counts_rows: ClassVar[bool] = True
    status: ClassVar[str] = "perturbed"

    @model_validator(mode="after")
    def _keys(self) -> CellKey:
        if (self.record_keys is None) == (self.key_file is None):
            raise ValueError("say either record_keys or key_file")
        return self


class Noise(Kind):
    """Each inner cell gets random noise that spends `epsilon` of `budget`, as the file `ledger` counts it;
    margins are sums of these.

    `mechanism`: `laplace`, or `gaussian` with `delta`. `rows`: of the table that one person has at most.
    """

    kind: Literal["noise"] = "noise"
    epsilon: float = Field(gt=0, le=100)
    budget: float = Field(gt=0, le=1000)
    ledger: Path
    mechanism: Literal["laplace", "gaussian"] = "laplace"
    delta: float | None = Field(None, gt=0, lt=1)
    rows: int = Field(1, ge=1, le=1000)
    consistent: ClassVar[bool] = False
    status: ClassVar[str] = "perturbed"

    @model_validator(mode="after")
    def _delta(self) -> Noise:
        if (self.mechanism == "gaussian") != (self.delta is not None):
            raise ValueError("gaussian noise needs a delta, and no other has one")
        return self


Method = Annotated[
    Suppression | SmallCountRounding | ControlledRounding | BaseRounding | Midpoint | CellKey | Noise,
    Field(discriminator="kind"),
]
