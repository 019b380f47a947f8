"""Deaths in follow-up, against the made-up region's own truth: who is behind each record, and what the
registers delivered. The recount shares no code with the stages but the key by which records are named."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kernels.hashing import hash_rows
from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.cohort.ended import told
from pipelines.cohort.stage import Selection, select
from pipelines.files import documents, sealed
from pipelines.files.schemas import DAY_UNKNOWN, ENDS, PERSON_INDEX
from pipelines.site.permit import Table
from pipelines.site.site import Site
from pipelines.site.snapshot import Shard, Snapshot, index_folder
from pipelines.study.definition import Definition
from tests import sites

LAST = date(2023, 12, 31)
ASKED = Definition(
    cohort="anybody",
    title="Whoever has a diagnosis",
    study={"from": date(2016, 1, 1), "to": LAST},
    codes={"any": ["ICD-10-SE/"]},
    index={"codes": "any", "kind": "diagnosis", "which": "any"},
    prior_observation=30,
)
EPOCH = pd.Timestamp(1970, 1, 1)


@pytest.fixture(scope="module")
def selected(first_night: Path) -> list[tuple[Shard, Selection]]:
    snapshot = Snapshot.load(Site.load(first_night))
    return [(shard, select(shard, None, ASKED)) for shard in snapshot.shards]


@pytest.fixture(scope="module")
def recounted(first_night: Path) -> pd.DataFrame:
    """By person of the index: the earliest delivered death, and the delivered spans of residence."""
    site = Site.load(first_night)
    truth = pd.read_parquet(first_night / "truth" / "records.parquet")
    key = site.zone("identity").derived("record")
    names = [f"{s}\x1f{r}".encode() for s, r in zip(truth.source, truth.reference, strict=True)]
    truth["record"] = hash_rows(np.array(names), key)
    folder = index_folder(site, Snapshot.load(site).index)
    index = sealed.read(folder / "index.parquet", PERSON_INDEX, site.zone("store"), ("record", "person"))
    found = truth.drop(columns="person").merge(pd.DataFrame({k: np.asarray(v) for k, v in index.items()}))
    return found[["source", "reference", "person"]]


def delivered(root: Path, source: str, table: str, encoding: str) -> pd.DataFrame:
    files = sorted((root / "deliveries" / source).glob(f"*/{table}*.csv"))
    return pd.concat([pd.read_csv(each, sep=";", dtype=str, encoding=encoding) for each in files])


def days(column: pd.Series) -> pd.Series:
    """Days since 1970-01-01, none where it is no date."""
    return (pd.to_datetime(column, format="mixed", errors="coerce") - EPOCH).dt.days


def deaths_of(root: Path, who: pd.DataFrame) -> pd.Series:
    gone = delivered(root, "folkbokforing", "avregistrerade", "latin-1")
    gone = gone[gone.Orsak == "AV"].rename(columns={"PersonId": "reference", "Datum": "day"})
    causes = delivered(root, "dodsorsak", "orsaker", "utf-8")
    causes = causes.rename(columns={"Personnummer": "reference", "Dödsdatum": "day"})
    told = pd.concat([gone.assign(source="folkbokforing"), causes.assign(source="dodsorsak")])
    told["death"] = days(told.day)
    return told.merge(who).groupby("person").death.min().dropna()


def lived(root: Path, who: pd.DataFrame) -> pd.DataFrame:
    homes = delivered(root, "folkbokforing", "boende", "latin-1")
    homes = homes[homes.Kommun != "0199"]  # no such municipality: turned away
    spans = pd.DataFrame({"reference": homes.PersonId, "first": days(homes["FrånDatum"])})
    spans["last"] = days(homes.TillDatum).fillna(10**6)
    return spans.assign(source="folkbokforing").merge(who)[["person", "first", "last"]]


def observed_until(spans: list[tuple[float, float]], start: int) -> float:
    """The last day lived here without a day between, from the first day of follow-up on."""
    until = start - 1.0
    for first, last in sorted(spans):
        if first <= max(until + 1, start) and last > until:
            until = last
    return until


def members(selected: list[tuple[Shard, Selection]]) -> pd.DataFrame:
    frames = [{k: np.asarray(v) for k, v in each.members.items()} for _, each in selected]
    return pd.concat([pd.DataFrame(each) for each in frames])


def test_deaths_in_follow_up_are_those_that_the_registers_delivered(
    first_night: Path, selected: list[tuple[Shard, Selection]], recounted: pd.DataFrame
) -> None:
    death, spans = deaths_of(first_night, recounted), lived(first_night, recounted)
    homes = {
        person: list(zip(part["first"], part["last"], strict=True))
        for person, part in spans.groupby("person")
    }
    found = members(selected)
    followed = found[found.person.isin(homes)]  # who lives in no register is observed by events alone
    inside = later = 0
    last = (pd.Timestamp(LAST) - EPOCH).days
    for row in followed.itertuples():
        dies = death.get(row.person, 10**7)
        ends = min(observed_until(homes[row.person], row.start), last)
        belongs = dies <= last and dies <= ends + (1 if ends < last else 0)
        inside += belongs
        later += dies < 10**7 and not belongs
        assert (ENDS[row.ended] == "death") == belongs
        if belongs:
            assert row.end == dies
    assert inside > 20, "the region must have deaths for this to show anything"
    assert (followed.ended == ENDS.index("death")).sum() == inside
    assert (found.ended == ENDS.index("death")).sum() == sum(each.ends["death"][0] for _, each in selected)
    assert later == sum(sum(one[1] for one in each.ends.values()) for _, each in selected)


def test_deaths_and_diagnoses_on_the_day_of_death_are_counted(
    first_night: Path, selected: list[tuple[Shard, Selection]]
) -> None:
    sources = tuple(Site.load(first_night).sources)
    asked = Table(
        table="deaths",
        title="t",
        count="events",
        kind="death",
        dimensions=["municipality"],
        measures=["persons", "events"],
    )
    layout = Layout.of(asked, ASKED.study)
    persons = sum(
        int(Counter(shard, each.members, sources).count(layout)["persons"].ravel()[0])
        for shard, each in selected
    )
    assert persons == sum(each.ends["death"][0] for _, each in selected) > 0


def survival(shards: list[tuple[Shard, Selection]], sources: tuple[str, ...], **asked: Any) -> dict[str, int]:
    """Members by what ended the waiting, over all bands of time, of a survival table."""
    table = Table(table="t", title="t", count="survival", step=365, until=3650, dimensions=["sex"], **asked)
    layout = Layout.of(table, ASKED.study)
    counts = sum(Counter(shard, each.members, sources).count(layout)["persons"] for shard, each in shards)
    outcome = layout.dimensions[1]
    by = np.asarray(counts).reshape([len(each) for each in layout.dimensions])[0, :, 0]
    return {code or "all": int(count) for code, count in zip(outcome.codes, by, strict=True)}


def test_death_is_an_event_and_competes_with_one_in_tables_of_time(
    first_night: Path, selected: list[tuple[Shard, Selection]]
) -> None:
    sources = tuple(Site.load(first_night).sources)
    deaths = sum(each.ends["death"][0] for _, each in selected)
    found = survival(selected, sources, or_death=True)
    assert found["event"] == deaths
    ill = died = 0
    for shard, each in selected:
        frame = {k: np.asarray(v) for k, v in shard.read("events", ("person", "start", "kind")).items()}
        concept = shard.read("events", ("concept",))["concept"].decoded()  # type: ignore[union-attr]
        events = pd.DataFrame({**frame, "concept": concept})
        events = events[(events.kind == 0) & events.concept.str.startswith("ICD-10-SE/I", na=False)]
        persons = np.asarray(shard.read("persons", ("person",))["person"])
        rows = pd.DataFrame({k: np.asarray(v) for k, v in each.members.items()})
        rows["row"] = np.searchsorted(persons, rows.person)
        met = events.rename(columns={"start": "day", "person": "row"}).merge(rows, on="row")
        met = met[(met.day >= met.start) & (met.day <= met.end)].row.unique()
        ill += len(met)
        died += int(((rows.ended == ENDS.index("death")) & ~rows.row.isin(met)).sum())
    asked = {"kind": "diagnosis", "codes": ["ICD-10-SE/I"], "competing": "death"}
    found = survival(selected, sources, **asked)
    assert (found["event"], found["competing"]) == (ill, died)
    assert died > 10


def test_the_runs_page_says_how_many_and_why_exactly(first_night: Path) -> None:
    (page,) = (first_night / "projects" / "diabetes" / "runs").glob("*/cohort.html")
    receipt = documents.read_json(page.with_suffix(".json"))
    text = page.read_text(encoding="utf-8")
    assert "These counts are exact" in text
    assert f"<b>{receipt['attrition'][-1]['persons']:,}</b>persons" in text
    assert sum(row["entries"] for row in receipt["entered"]) == receipt["attrition"][-1]["persons"]
    died = {row["ended"]: row["members"] for row in receipt["ends"]}["death"]
    later = sum(row["die_later"] for row in receipt["ends"])
    last = receipt["attrition"][-1]
    assert (last["die_in_follow_up"], last["die_later"]) == (died, later)
    assert f"{died:,} die in follow-up, {later:,} later" in text


def test_status_and_the_night_say_how_many_have_died_and_on_which_days(first_night: Path) -> None:
    people = pd.concat(
        pd.DataFrame({k: np.asarray(v) for k, v in shard.read("persons", ("person", "death_day")).items()})
        for shard in Snapshot.load(Site.load(first_night)).shards
    )
    deaths = documents.read_json(first_night / "receipts" / "store.json")["deaths"]
    assert sum(deaths.values()) == (people.death_day != DAY_UNKNOWN).sum() > 50
    said = f"{sum(deaths.values()):,} have died, {deaths['not_observed']:,} of them on a day that is not"
    assert said in sites.called("status", first_night).stdout
    (page,) = (first_night / "nights").glob("*.html")
    assert said in page.read_text(encoding="utf-8")


def test_a_table_says_why_follow_up_ends(selected: list[tuple[Shard, Selection]]) -> None:
    for _, each in selected:
        rows: list[dict[str, Any]] = told(each.ends)
        assert sum(row["members"] for row in rows) == len(np.asarray(each.members["person"]))
        assert {row["ended"] for row in rows} <= {"death", "study_end", "moved"}
