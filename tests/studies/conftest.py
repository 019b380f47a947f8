"""The handbook's studies, run once, and the cohort of each as a plain recount has it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from pipelines.site.permit import Permit, sign
from pipelines.site.site import Site
from pipelines.site.snapshot import current
from pipelines.synthetic import settings
from tests.conftest import made_once
from tests.recount import DAY, Recount
from tests.study_cells import entered, with_facts
from workflows.demo.quality import linkage_quality
from workflows.demo.run import make_site
from workflows.stages import Call, run

PEOPLE = 3000
PAGE = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
LIFETABLE = Path(__file__).parents[2] / "docs" / "lifetable.csv"
FILES: dict[str, str] = dict(re.findall(r"```yaml\n# ([\w/.-]+)\n(.*?)```", PAGE, re.DOTALL))
PERMITS = sorted(Path(name).stem for name in FILES if name.startswith("permits/"))
# Who is who is asked elsewhere; here every record can be told by its number.
UNTROUBLED = {
    "NUMBER_MISSING": {"journal_a": 0.0, "journal_b": 0.0, "primarvard": 0.0},
    "NUMBER_TYPO": {"journal_a": 0.0, "journal_b": 0.0, "primarvard": 0.0, "kvalitetsregister": 0.0},
    "UNREGISTERED": 0.0,
    "REUSED_NUMBERS": 0.0,
    "DOUBLE_RECORD": 0.0,
}
HEART = tuple(f"ICD-10-SE/{code}" for code in ("I20", "I21", "I22", "I23", "I24", "I25", "I48", "I50"))


def studied(root: Path) -> None:
    """Make a region whose permits have been run, stage by stage, to their bundles."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in UNTROUBLED.items():
            patch.setattr(settings, name, value)
        site = make_site(root, PEOPLE, seed=11)
    for file, text in FILES.items():
        (root / file).write_text(text, encoding="utf-8")
    shutil.copyfile(LIFETABLE, root / "definitions" / LIFETABLE.name)
    for name in PERMITS:
        for key in sorted((root / "keys" / "owners").glob("*.ed25519")):
            sign(site, Permit.load(site, name), key.stem, key)
    for each in site.deliveries():
        run("intake", Call(root, delivery=f"{each.source}/{each.delivery}"))
    for stage in ("linkage", "store"):
        run(stage, Call(root))
    for name in PERMITS:
        for stage in ("cohort", "aggregation", "disclosure", "measures", "release"):
            run(stage, Call(root, permit=name, snapshot=current(site)))


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The region of the studies, with their bundles."""
    yield from made_once(tmp_path_factory, "studies", studied)


@pytest.fixture(scope="session")
def truth(region: Path) -> Recount:
    quality = linkage_quality(Site.load(region))
    assert quality.f1 == 1.0, "the recount is by true persons: linkage must not err here"
    return Recount(region)


@pytest.fixture(scope="session")
def adults(truth: Recount) -> pd.DataFrame:
    """Person, start and end of follow-up."""
    day = pd.Timestamp("2020-01-01")
    here = truth.observed_on(day)
    here = here[here["first"] <= day - 365 * DAY]
    found = pd.DataFrame({"person": here.person, "start": day, "end": here["last"]})
    found["end"] = found.end.clip(upper=pd.Timestamp("2023-12-31"))
    return with_facts(truth, found[truth.ages(found.person, found.start) >= 18])


@pytest.fixture(scope="session")
def hearts(truth: Recount) -> pd.DataFrame:
    such = truth.such(HEART, "diagnosis")

    def certain(rows: pd.DataFrame) -> pd.Series:
        """Are there two days, or a stay, from the index day to a year after?"""
        both = (
            rows[["person", "start"]]
            .reset_index()
            .merge(such[["person", "start", "setting"]], on="person", suffixes=("", "_of"))
        )
        days = (both.start_of - both.start).dt.days
        both = both[(days >= 0) & (days <= 365)]
        twice = both.groupby("index").start_of.nunique() >= 2
        stayed = both[both.setting == "inpatient"]["index"]
        return pd.Series(rows.index.map(twice).fillna(False).astype(bool), rows.index) | rows.index.isin(
            stayed
        )

    return entered(truth, such, washout=730, age=40, follow_up=730, rule=certain)


@pytest.fixture(scope="session")
def cancer(truth: Recount) -> pd.DataFrame:
    return entered(truth, truth.such(["ICD-10-SE/C"], "diagnosis"), washout=1000)


@pytest.fixture(scope="session")
def cases(truth: Recount) -> pd.DataFrame:
    return entered(truth, truth.such(["ICD-10-SE/E11"], "diagnosis"), washout=1000, age=18)


@pytest.fixture(scope="session")
def users(truth: Recount) -> pd.DataFrame:
    return entered(truth, truth.such(["ATC/"], "drug"), washout=365, follow_up=365)
