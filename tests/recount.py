"""The made-up region counted again, plainly: what was delivered, and who is truly behind it, with pandas.

Nothing here is shared with the stages. Persons are those of the truth; a row counts if a reader of the
handbook would count it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

DELIVERED = pd.Timestamp("2025-09-01")
DAY = pd.Timedelta(days=1)
SETTINGS = {"IN": "inpatient", "OUT": "outpatient", "PC": "primary", "ER": "emergency"}
EVENTS = ["person", "kind", "code", "start", "end", "setting", "position", "visit", "unit"]


@dataclass(frozen=True)
class Recount:
    """A region's folder."""

    root: Path

    def csv(self, source: str, table: str, separator: str, encoding: str = "utf-8") -> pd.DataFrame:
        files = sorted((self.root / "deliveries" / source).glob(f"2025-09-01/{table}*.csv"))
        return pd.concat(
            [
                pd.read_csv(each, sep=separator, dtype=str, encoding=encoding, keep_default_na=False)
                for each in files
            ]
        )

    @cached_property
    def records(self) -> pd.DataFrame:
        return pd.read_parquet(self.root / "truth" / "records.parquet")

    def whose(self, source: str, reference: pd.Series) -> pd.Series:
        known = self.records[self.records.source == source].set_index("reference").person
        return reference.map(known)

    @cached_property
    def persons(self) -> pd.DataFrame:
        """By person: birth, sex, death; those who have opted out are not there."""
        truth = pd.read_parquet(self.root / "truth" / "persons.parquet").set_index("person")
        out = pd.DataFrame({"birth": pd.to_datetime(truth.birth), "sex": truth.sex})
        gone = self.csv("folkbokforing", "avregistrerade", ";", "latin-1")
        gone = gone[gone.Orsak == "AV"]
        register = pd.DataFrame(
            {"person": self.whose("folkbokforing", gone.PersonId), "day": dates(gone.Datum, "%Y%m%d")}
        )
        causes = self.csv("dodsorsak", "orsaker", ";")
        causes = pd.DataFrame(
            {"person": self.whose("dodsorsak", causes.Personnummer), "day": dates(causes["Dödsdatum"])}
        )
        out["death"] = pd.concat([register, causes]).groupby("person").day.min()
        out["in_register"] = register.dropna().groupby("person").day.min()
        refused = self.csv("sparrlista", "sparrar", ";")
        refused = refused[refused.Omfattning == "ALL"]
        return out.drop(
            index=self.whose("sparrlista", refused.Personnummer).dropna().unique(), errors="ignore"
        )

    @cached_property
    def homes(self) -> pd.DataFrame:
        """Person, municipality, first and last day; the last home of who dies lasts to the day of death."""
        rows = self.csv("folkbokforing", "boende", ";", "latin-1")
        rows = rows[rows.Kommun != "0199"]
        homes = pd.DataFrame(
            {
                "person": self.whose("folkbokforing", rows.PersonId),
                "place": rows.Kommun,
                "first": dates(rows["FrånDatum"], "%Y%m%d"),
                "last": dates(rows.TillDatum, "%Y%m%d").fillna(pd.Timestamp("2200-01-01")),
            }
        ).sort_values(["person", "first"])
        death = homes.person.map(self.persons.death)
        homes["last"] = homes["last"].where(homes["last"] + DAY != death, death)
        return homes

    @cached_property
    def periods(self) -> pd.DataFrame:
        """Person, first and last day of each stretch that somebody observed them, without a day between: as
        residents, or as patients of primary care. None after death, whose day is in it if the stretch ends
        the day before."""
        spans = pd.concat([self.homes[["person", "first", "last"]], self._listed()])
        rows: list[list[Any]] = []
        for span in spans.dropna().sort_values(["person", "first"]).itertuples():
            death = self.persons.death.get(span.person, pd.NaT)
            last = span.last if pd.isna(death) else min(span.last, death)
            if rows and rows[-1][0] == span.person and span.first <= rows[-1][2] + DAY:
                rows[-1][2] = max(rows[-1][2], last)
            elif span.first <= last:
                rows.append([span.person, span.first, last])
        found = pd.DataFrame(rows, columns=["person", "first", "last"])
        death = found.person.map(self.persons.death)
        found["last"] = found["last"].where(found["last"] + DAY != death, death)
        return found

    def _listed(self) -> pd.DataFrame:
        files = sorted(
            (self.root / "deliveries" / "primarvard").glob("2025-09-01/observation_period*.parquet")
        )
        rows = pd.concat([pd.read_parquet(each) for each in files])
        return pd.DataFrame(
            {
                "person": self.whose("primarvard", rows.person_id.astype(str)),
                "first": pd.to_datetime(rows.observation_period_start_date),
                "last": pd.to_datetime(rows.observation_period_end_date),
            }
        )

    @cached_property
    def events(self) -> pd.DataFrame:
        """Diagnoses and visits of journal A, drugs, deaths: `EVENTS`, each once."""
        parts = [self._diagnoses(), self._visits(), self._drugs(), self._deaths()]
        rows = pd.concat(parts, ignore_index=True)
        rows = rows.join(self.persons.birth, on="person")
        inside = rows.start.notna() & (rows.start >= rows.birth) & (rows.start <= DELIVERED)
        kept = rows[inside & (rows.end >= rows.start)]
        return (
            kept.drop_duplicates()[EVENTS]
            .astype({"person": int})
            .sort_values(["person", "start", "end", "code"], ignore_index=True)
        )

    def _diagnoses(self) -> pd.DataFrame:
        rows = self.csv("journal_a", "diagnoses", ",")
        day = dates(rows.Date)
        found = pd.DataFrame(
            {
                "person": self.whose("journal_a", rows.PatientID),
                "kind": "diagnosis",
                "code": "ICD-10-SE/" + rows.DiagnosisCode.str.replace(".", ""),
                "start": day,
                "end": day,
                "setting": rows.ContactType.map(SETTINGS),
                "position": rows.Order,
                "visit": rows.ContactID,
                "unit": rows.CareUnit,
            }
        )
        return found[rows.DiagnosisCode != "99X"]

    def _visits(self) -> pd.DataFrame:
        rows = self.csv("journal_a", "contacts", ",")
        setting = rows.ContactType.map(SETTINGS)
        start = dates(rows.StartDate)
        return pd.DataFrame(
            {
                "person": self.whose("journal_a", rows.PatientID),
                "kind": "visit",
                "code": "VISIT/" + setting.str.upper(),
                "start": start,
                "end": dates(rows.EndDate).where(rows.EndDate != "", start),
                "setting": setting,
                "position": "",
                "visit": rows.ContactID,
                "unit": rows.CareUnit,
            }
        )

    def _drugs(self) -> pd.DataFrame:
        files = sorted((self.root / "deliveries" / "lakemedel").glob("2025-09-01/*.parquet"))
        rows = pd.concat([pd.read_parquet(each) for each in files])
        day = pd.to_datetime(rows.expedierad)
        found = pd.DataFrame(
            {
                "person": self.whose("lakemedel", rows.persontoken),
                "kind": "drug",
                "code": "ATC/" + rows.atc,
                "start": day,
                "end": day,
                "setting": "",
                "position": "",
                "visit": "",
                "amount": rows.mangd,
            }
        )
        return found[rows.atc != "0A0"]

    def _deaths(self) -> pd.DataFrame:
        day = self.persons.in_register.dropna()
        return pd.DataFrame(
            {
                "person": day.index,
                "kind": "death",
                "code": "VITAL/DEATH",
                "start": day.to_numpy(),
                "end": day.to_numpy(),
                "setting": "",
                "position": "",
                "visit": "",
            }
        )

    # ---- what a study asks ---------------------------------------------------------------------------------

    def such(
        self, codes: Iterable[str] = (), kind: str | None = None, setting: str | None = None
    ) -> pd.DataFrame:
        rows, codes = self.events, tuple(codes)
        return rows[
            (rows.code.str.startswith(codes) if codes else True)
            & (rows.kind == kind if kind else True)
            & (rows.setting == setting if setting else True)
        ]

    def values(self, analysis: str, unit: str) -> pd.DataFrame:
        """Values of journal A's laboratory that are numbers, in the analysis' unit and possible."""
        rows = self.csv("journal_a", "labs", ",")
        found = pd.DataFrame(
            {
                "person": self.whose("journal_a", rows.PatientID),
                "start": dates(rows.SampleDate),
                "value": pd.to_numeric(rows.Value, errors="coerce"),
            }
        )[(rows.Analysis == analysis) & (rows.Unit == unit)]
        return found[(found.value >= 10) & (found.value <= 200)].drop_duplicates()

    def within(self, members: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
        """Events in the follow-up of members (person, start, end)."""
        both = events.merge(members.rename(columns={"start": "entry", "end": "exit"}), on="person")
        return both[(both.start >= both.entry) & (both.start <= both.exit)]

    def observed_on(self, day: pd.Timestamp) -> pd.DataFrame:
        """Periods that hold the day, of who has not opted out."""
        here = self.periods[(self.periods["first"] <= day) & (self.periods["last"] >= day)]
        return here[here.person.isin(self.persons.index)]

    def ages(self, person: pd.Series, day: pd.Series) -> pd.Series:
        """Completed years; who is born on 29 February gets older on 1 March in other years."""
        birth = person.map(self.persons.birth)
        before = (day.dt.month * 100 + day.dt.day) < (birth.dt.month * 100 + birth.dt.day)
        return day.dt.year - birth.dt.year - before

    def sexes(self, person: pd.Series) -> pd.Series:
        return person.map(self.persons.sex).map({1: "Men", 2: "Women"})

    def place(self, person: pd.Series, day: pd.Series) -> pd.Series:
        """Municipality on the day, by code."""
        rows = pd.DataFrame({"person": person, "day": day, "row": range(len(person))})
        both = rows.merge(self.homes, on="person")
        both = both[(both["first"] <= both.day) & (both["last"] >= both.day)]
        found = both.drop_duplicates("row").set_index("row").place
        return pd.Series(rows.row.map(found).to_numpy(), index=person.index)


def dates(column: pd.Series, form: str = "%Y-%m-%d") -> pd.Series:
    return pd.to_datetime(column, format=form, errors="coerce")


def groups(age: pd.Series, width: int, top: int) -> pd.Series:
    """Age groups by label."""
    low = (age // width * width).clip(upper=top)
    return low.map(lambda first: f"{first}+" if first == top else f"{first}-{first + width - 1}")


def every_day(members: pd.DataFrame) -> pd.DataFrame:
    """A row for each member and each day of follow-up: person and day."""
    days = (members.end - members.start).dt.days + 1
    person = members.person.repeat(days)
    nth = person.groupby(level=0).cumcount()
    return pd.DataFrame(
        {"person": person, "day": members.start.repeat(days) + pd.to_timedelta(nth, unit="D")}
    )
