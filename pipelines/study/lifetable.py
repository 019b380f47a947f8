"""The life table of a population: how likely people of each sex, age and calendar year are to die within a
year."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import Field

from pipelines.errors import SettingsError
from pipelines.files.dialect import of_text
from pipelines.files.yaml import Strict

SEXES: Final = ("Men", "Women")
PARTS: Final = 10**12  # of a daily hazard
_YEAR: Final = 365.25
_COLUMNS: Final = ("sex", "age", "year", "probability")


class Net(Strict):
    """Survival beside that of people of the same sex, age and calendar year in a population."""

    lifetable: str = Field(
        description="a CSV beside the cohort definition: sex (Men or Women), age, year, probability of dying "
        "within a year of that age; every age of every year, of both"
    )
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of it, so that it is the one that was signed")
    title: str = Field(description="which population, of which years, and whose table it is")


@dataclass(frozen=True)
class Lifetable:
    """Daily hazards of a population: int64 (2, ages, years), in parts of `PARTS`, of men and women, of ages
    in completed years from `age` and of calendar years from `year`. Beyond its ends it goes on as it ends."""

    hazard: np.ndarray
    age: int
    year: int

    @property
    def top(self) -> int:
        """The last age."""
        return self.age + self.hazard.shape[1] - 1

    def of(self, sex: np.ndarray, age: np.ndarray, year: np.ndarray) -> np.ndarray:
        """Daily hazards, int64 (n,). `sex`: int64 (n,), 0 for men, 1 for women; `age`, `year`: int32 (n,)."""
        _, ages, years = self.hazard.shape
        place = np.clip(age - self.age, 0, ages - 1), np.clip(year - self.year, 0, years - 1)
        return np.asarray(self.hazard[sex, place[0], place[1]])


def named(nets: Iterable[Net | None], folder: Path) -> dict[str, Lifetable]:
    """Those of a folder that tables name, by their hash. SettingsError: as `read` says."""
    return {net.sha256: read(net, folder) for net in nets if net is not None}


def read(asked: Net, folder: Path) -> Lifetable:
    """The life table in a folder. SettingsError: it is not there, does not read, leaves out an age of a year,
    or is not the one that was signed. A probability p within a year is a hazard of -log(1 - p) / 365.25 a
    day."""
    path = folder / asked.lifetable
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(path, "is not there", "put the life table beside the cohort definition") from None
    except UnicodeDecodeError:
        raise SettingsError(path, "is not UTF-8 text", "save it as UTF-8") from None
    if hashlib.sha256(content).hexdigest() != asked.sha256:
        raise SettingsError(
            path,
            "is not the life table that the permit names: its hash differs",
            "restore it, or have the new one signed",
        )
    rows = csv.DictReader(io.StringIO(text), delimiter=of_text(text).delimiter)
    if missing := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
        raise SettingsError(path, f"has no column {missing[0]}", f"give it {', '.join(_COLUMNS)}")
    found: dict[Place, float] = {}
    for number, row in enumerate(rows, 2):
        place, probability = _row(path, number, row)
        if place in found:
            raise SettingsError(f"{path}:{number}", "says again what a line before says", "leave one out")
        found[place] = probability
    return _filled(path, found)


Place = tuple[int, int, int]


def _row(path: Path, number: int, row: dict[str, str]) -> tuple[Place, float]:
    """Sex, age, year and the probability on a line."""
    try:
        place = SEXES.index(row["sex"].strip()), int(row["age"]), int(row["year"])
        probability = float(row["probability"])
    except (ValueError, AttributeError, TypeError):
        raise SettingsError(
            f"{path}:{number}", "does not read", "say Men or Women, whole years, and a number"
        ) from None
    if not 0 <= probability < 1:
        raise SettingsError(
            f"{path}:{number}",
            "is no probability from 0 to below 1",
            "leave out ages that nobody survives: the table goes on as it ends",
        )
    return place, probability


def _filled(path: Path, found: dict[Place, float]) -> Lifetable:
    ages, years = ({place[k] for place in found} for k in (1, 2))
    if not found:
        raise SettingsError(path, "has no rows", "give it every age of every year, of both sexes")
    low, first = min(ages), min(years)
    hazard = np.full((len(SEXES), max(ages) - low + 1, max(years) - first + 1), -1, np.int64)
    for (sex, age, year), probability in found.items():
        hazard[sex, age - low, year - first] = round(-np.log1p(-probability) / _YEAR * PARTS)
    if gaps := np.argwhere(hazard < 0).tolist():
        sex, age, year = gaps[0]
        raise SettingsError(
            path,
            f"has no line for {SEXES[sex].lower()} of {age + low} years in {year + first}",
            "give it every age of every year, of both sexes",
        )
    return Lifetable(hazard, low, first)
