"""The settings of `uttag link`: which tables, which fields, which pairs are compared, and when two records
are one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field as Setting
from pydantic import model_validator

from kernels.comparisons import MOST_FIELDS, TEXT
from pipelines.errors import SettingsError
from pipelines.files.yaml import Strict, load_yaml
from pipelines.linkage.fields import Field
from pipelines.linkage.keys import Key, has_several, parse_rule


class InputTable(Strict):
    """One table of records. `source`: what to call it; `file`: CSV or Parquet, beside the settings; `id`: the
    column that names its records, the row number where none does; `duplicate_free`: is each of its records
    another person?"""

    source: str
    file: str
    id: str | None = None
    duplicate_free: bool = False


class Conflict(Strict):
    """What nobody has: two different values of `field`, at least not at once where `since` and `until` name
    the dates between which each holds; or a date `earlier` that lies after a date `later`, in whichever of
    the records they stand."""

    field: str | None = None
    since: str | None = None
    until: str | None = None
    earlier: str | None = None
    later: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        of_value = self.field is not None and self.earlier is None and self.later is None
        in_order = (
            self.field is None
            and self.since is None
            and self.until is None
            and None not in (self.earlier, self.later)
        )
        if not (of_value or in_order):
            raise ValueError(
                "say a field, with since and until where its values hold for a time, or earlier and later"
            )
        return self

    def dates(self) -> list[str]:
        """The date fields that it names."""
        return [name for name in (self.since, self.until, self.earlier, self.later) if name is not None]


class LinkSettings(Strict):
    """How records are linked.

    `link`: records of one table (`within`), of different tables (`between`), or `both`. `blocking`: rules,
    each a list of keys on which two records must agree to be compared at all; or in its place `combine`: keys
    of which two records must share one that is rare or two, as far as `pairs_a_record` allows. `conflicts`:
    what nobody has, a field of which nobody has two values or a `Conflict`. `threshold`: match weight in
    bits, the prior included, from which two records are linked; 0 is even odds. `largest_block`: pairs of one
    block, beyond which it is divided by `divide_by`, key after key, and refused if that does not help.
    `sample`: pairs from which the model learns, for each rule and at random. `prior_strength`: how many
    matches the beliefs about levels weigh against what the data say. `training`: does the model begin by EM
    over all pairs, or with beliefs that clusters then correct? Encodings are weighed by how far their Dice
    coefficient lies above `dice`. `interactions`: are correlated fields modelled? `rounds`: how often the
    model learns from the clusters that it made.
    """

    data: tuple[InputTable, ...] = Setting(min_length=1)
    link: Literal["within", "between", "both"] | None = None
    fields: dict[str, Field] = Setting(min_length=1, max_length=MOST_FIELDS)
    blocking: tuple[tuple[str, ...], ...] = Setting((), max_length=24)
    combine: tuple[str, ...] = Setting((), max_length=40)
    pairs_a_record: int = Setting(200, ge=1)
    conflicts: tuple[str | Conflict, ...] = ()
    threshold: float = 0.0
    largest_block: int = Setting(50_000_000, ge=1)
    divide_by: tuple[str, ...] = ()
    sample: int = Setting(1 << 18, ge=1000)
    prior_strength: float = Setting(20.0, gt=0)
    training: Literal["em", "clusters", "dice"] = "em"
    dice: float = Setting(0.8, gt=0, le=1)
    interactions: bool = True
    rounds: int = Setting(3, ge=0, le=20)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        sources = [table.source for table in self.data]
        if len(set(sources)) != len(sources):
            raise ValueError("two tables have one name; name each source differently")
        if self.link == "between" and len(sources) == 1:
            raise ValueError("link: between needs two tables")
        for name, field in self.fields.items():
            if isinstance(field.column, dict) and set(field.column) - set(sources):
                raise ValueError(f"field {name}: names a source that is not among data")
            if field.swapped_with is not None and (
                field.swapped_with == name or field.swapped_with not in self.fields
            ):
                raise ValueError(f"field {name}: swapped_with is not another field")
            if any(other == name or other not in self.fields for other in field.shared_with):
                raise ValueError(f"field {name}: shared_with names what is not another field")
            beside = [*field.shared_with, *([field.swapped_with] if field.swapped_with else [])]
            if any(self.fields[other].value_kind() != TEXT for other in (name, *beside) if beside):
                raise ValueError(
                    f"field {name}: values are swapped or shared among names, texts and codes alone"
                )
        if bool(self.blocking) == bool(self.combine):
            raise ValueError("name either rules under blocking, or keys under combine")
        for conflict in self.barred:
            for name in [*conflict.dates(), *([conflict.field] if conflict.field else [])]:
                if name not in self.fields:
                    raise ValueError(f"conflicts: {name} is not a field")
                if name in conflict.dates() and self.fields[name].kind != "date":
                    raise ValueError(f"conflicts: {name} is no date")
        _ = self.rules, self.divisors, self.combined
        return self

    @property
    def rules(self) -> list[tuple[Key, ...]]:
        """The blocking rules, read."""
        return [parse_rule(rule, self.fields) for rule in self.blocking]

    @property
    def barred(self) -> list[Conflict]:
        """The conflicts, each in full."""
        return [Conflict(field=each) if isinstance(each, str) else each for each in self.conflicts]

    @property
    def combined(self) -> list[Key]:
        """The keys to combine, read."""
        return [parse_rule((key,), self.fields)[0] for key in self.combine]

    @property
    def families(self) -> list[str]:
        """For each of the keys to combine, what it speaks of: keys of one field say much the same."""
        return [", ".join([key.field, *key.others()]) for key in self.combined]

    @property
    def divisors(self) -> list[Key]:
        """The keys by which heavy blocks are divided. Raises ValueError where a record may have several of
        one.
        """
        keys = [parse_rule((key,), self.fields)[0] for key in self.divide_by]
        if any(has_several(key) for key in keys):
            raise ValueError("divide_by: a key of which a record has but one")
        return keys

    @property
    def mode(self) -> str:
        """Which records are compared with which."""
        return self.link or ("within" if len(self.data) == 1 else "both")

    @staticmethod
    def load(path: Path) -> LinkSettings:
        """Read a settings file."""
        return load_yaml(path, LinkSettings)


def table_path(settings_path: Path, table: InputTable) -> Path:
    """Where a table lies: beside the settings unless its path is absolute. Raises SettingsError where no file
    is there.
    """
    path = settings_path.parent / table.file
    if not path.exists():
        raise SettingsError(
            f"{settings_path}: data", f"the table of {table.source} is not there", "check its file"
        )
    return path
