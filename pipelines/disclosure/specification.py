"""The specification of `uttag protect`: which table, its dimensions and hierarchies, and what it must
withstand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from pipelines.cubes.cube import TOTAL
from pipelines.disclosure.methods import Method, Purpose, Suppression
from pipelines.disclosure.policies import TablePolicy
from pipelines.disclosure.spelling import Lookalikes, Missing
from pipelines.errors import SettingsError
from pipelines.files.plain import harmless
from pipelines.files.yaml import Strict, load_yaml

TAKEN = ("value", "status")  # columns of a protected table besides its dimensions
SINGLE = "table"  # the name of a table that is alone


class Levels(Strict):
    """A dimension. `levels`: columns from coarse to fine; each fine code belongs to one coarse code."""

    levels: list[str] = Field(min_length=1, max_length=8)

    @field_validator("levels")
    @classmethod
    def _differ(cls, levels: list[str]) -> list[str]:
        if len(set(levels)) < len(levels):
            raise ValueError("a column stands twice")
        return levels


class Layout(Strict):
    """A table's dimensions, by name."""

    dimensions: dict[str, Levels] = Field(min_length=1, max_length=8)

    @field_validator("dimensions")
    @classmethod
    def _names(cls, dimensions: dict[str, Levels]) -> dict[str, Levels]:
        if taken := [name for name in dimensions if name in TAKEN]:
            raise ValueError(f"no dimension can be called {taken[0]}")
        return dimensions


class Specification(Strict):
    """What `uttag protect` reads.

    `table`: CSV or Parquet of inner cells, or of persons, one a row, where `count` is absent; relative to the
    specification. `dimensions`: of the one table that is made; or `tables`: several over the same inner
    cells, protected together, each with dimensions of its own. `weight`: column of weights: published are the
    sums of the weights of those who are counted, and the rules are on how many they are. `magnitude`: column
    whose sums are published in place of counts, each row a contribution of `contributor`, or of one of its
    own. `person`: column that names who it is, where the table has persons one a row. `memory`: folder that
    remembers releases of these people, so that each is proved together with all before it; made where it is
    not there. `method`: its name, or its name as `kind` and its settings. `purpose`: what the tables are for,
    which `--suggest` weighs. `missing`: what becomes of rows without a code, and which words say that there
    is none; or the one code that they get. `lookalikes`: `refused`, two codes of a column that differ in
    letter case, blanks, dashes, unseen characters or letters of another alphabet alone; or `distinct`.
    `margin`: name of the margins.
    """

    table: Path
    count: str | None = None
    weight: str | None = None
    magnitude: str | None = None
    contributor: str | None = None
    person: str | None = None
    memory: Path | None = None
    dimensions: dict[str, Levels] = Field({}, max_length=8)
    tables: dict[str, Layout] = Field({}, max_length=50)
    policy: TablePolicy = TablePolicy()
    method: Method = Suppression()
    purpose: Purpose = "publication"
    missing: Missing = Missing()
    lookalikes: Lookalikes = "refused"
    margin: str = Field(TOTAL, min_length=1, max_length=60)

    @field_validator("missing", mode="before")
    @classmethod
    def _one_code(cls, missing: Any) -> Any:
        return {"code": missing} if isinstance(missing, str) else missing

    @field_validator("method", mode="before")
    @classmethod
    def _named(cls, method: Any) -> Any:
        return {"kind": method} if isinstance(method, str) else method

    @field_validator("tables")
    @classmethod
    def _file_names(cls, tables: dict[str, Layout]) -> dict[str, Layout]:
        if bad := [
            name for name in tables if not name.replace("-", "").replace("_", "").isalnum() or len(name) > 60
        ]:
            raise ValueError(f"table {bad[0]} needs a name of letters, digits, - and _")
        return tables

    @model_validator(mode="after")
    def _one_or_many(self) -> Specification:
        if bool(self.dimensions) == bool(self.tables):
            raise ValueError("say either dimensions, or tables with dimensions of their own")
        if self.magnitude and (self.count or self.memory or self.method.kind != "suppression"):
            raise ValueError(
                "sums of a magnitude are of contributions, one a row without count; only suppression "
                "protects them, with no memory"
            )
        if self.magnitude and self.policy.structural_zeros:
            raise ValueError("structural_zeros are of counts: leave them out of a policy on sums")
        if self.weight and (self.magnitude or self.memory or self.method.kind != "suppression"):
            raise ValueError(
                "weights are of counts: only suppression protects them, with no magnitude and no memory"
            )
        if not self.magnitude and (self.contributor or self.policy.dominance or self.policy.p_percent):
            raise ValueError(
                "contributor, dominance and p_percent are of sums: name the column of a magnitude"
            )
        if self.memory and (not self.person or self.count):
            raise ValueError(
                "a memory needs persons, one a row without count, and the column that names them: person"
            )
        if self.dimensions:
            Layout(dimensions=self.dimensions)
        return self

    @staticmethod
    def load(path: Path) -> Specification:
        """Read a YAML file. Raises `SettingsError` that says where and what, never a value that stands in the
        table."""
        if path.is_dir():
            raise SettingsError(path, "is a folder", "name the YAML file of a specification")
        return load_yaml(path, Specification)

    def layouts(self) -> dict[str, Layout]:
        """The tables to make, by name."""
        return dict(self.tables) or {SINGLE: Layout(dimensions=self.dimensions)}

    def columns(self) -> list[str]:
        """Every column that is a level, once."""
        return list(
            dict.fromkeys(
                column
                for layout in self.layouts().values()
                for each in layout.dimensions.values()
                for column in each.levels
            )
        )

    def public(self) -> dict[str, Any]:
        """The policy as the proof states it: names and codes as the files print them."""
        said = self.policy.model_dump(mode="json")
        special = {
            harmless(name): [{**each, "codes": [harmless(code) for code in each["codes"]]} for each in rules]
            for name, rules in said["special"].items()
        }
        return {**said, "special": special}
