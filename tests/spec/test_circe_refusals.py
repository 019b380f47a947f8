"""What a Circe definition may not ask for, and how it is told: the file, the place in it, the reason and the
next step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.cohort import circe
from pipelines.cohort.query import ConceptSet, Group, Item, Occurrence, Range, Shift, Text
from pipelines.errors import SettingsError
from tests.circe_study import ENTRY, REMOVED, RULE, STUDY, WINDOW, entry, read, refusal, study


@pytest.mark.parametrize(
    ("definition", "place", "reason"),
    [
        pytest.param(
            entry("DrugEra", GapDays={"Op": "lt", "Value": 30}),
            "PrimaryCriteria.CriteriaList[0].DrugEra.GapDays",
            "is asked without EraLength",
            id="gap days of a drug era, which circe-be compares with its length, without a length",
        ),
        pytest.param(
            entry("Measurement", Abnormal=True),
            "PrimaryCriteria.CriteriaList[0].Measurement.Abnormal",
            "is asked without ValueAsConcept",
            id="an abnormal value without an answer to look at",
        ),
        pytest.param(
            study({"Type": 2, "Count": 2, "IsDistinct": True, "CountColumn": "UNIT"}, *RULE, "Occurrence"),
            "InclusionRules[0].expression.CriteriaList[0].Occurrence.CountColumn",
            "UNIT cannot be counted for DrugExposure",
            id="a column that the domain does not have may not be counted",
        ),
        pytest.param(
            study({"Type": 2, "Count": 2, "IsDistinct": True, "CountColumn": "COLOUR"}, *RULE, "Occurrence"),
            "InclusionRules[0].expression.CriteriaList[0].Occurrence.CountColumn",
            "is not known here",
            id="a column unknown to circe-be",
        ),
        pytest.param(
            study(
                {
                    "Criteria": {
                        "DrugExposure": {
                            "CorrelatedCriteria": {"Type": "ALL", "DemographicCriteriaList": [{}]}
                        }
                    },
                    "StartWindow": WINDOW,
                    "Occurrence": {"Type": 2, "Count": 2, "IsDistinct": True},
                },
                *RULE,
            ),
            "InclusionRules[0].expression.CriteriaList[0].Occurrence",
            "conditions of its own",
            id="different concepts of a criterion that has conditions of its own",
        ),
        pytest.param(
            entry("VisitOccurrence", PlaceOfServiceLocation=1),
            "PrimaryCriteria.CriteriaList[0].VisitOccurrence.PlaceOfServiceLocation",
            "needs location_history",
            id="the region of a care site, which OMOP 5 has no history of",
        ),
        pytest.param(
            entry("LocationRegion", CodesetId=1),
            "PrimaryCriteria.CriteriaList[0].LocationRegion",
            "needs location_history",
            id="the region where a person lives, which OMOP 5 has no history of",
        ),
    ],
)
def test_what_circe_itself_cannot_run_is_refused(definition: object, place: str, reason: str) -> None:
    said = refusal(definition)
    assert said.startswith(f"study.json: {place}: ")
    assert reason in said
    assert "; " in said


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        pytest.param(
            study(1, "InclusionRule"),
            "study.json: InclusionRule: is not known here",
            id="a key of the definition that nobody knows",
        ),
        pytest.param(
            study(None, "InclusionRule"),
            "study.json: InclusionRule: is not known here",
            id="even if it is null",
        ),
        pytest.param(
            entry("ConditionOccurrence", Severity=2),
            "study.json: PrimaryCriteria.CriteriaList[0].ConditionOccurrence.Severity: is not known",
            id="an attribute that the domain does not have",
        ),
        pytest.param(
            entry("Death", First=True),
            "study.json: PrimaryCriteria.CriteriaList[0].Death.First: is not known",
            id="the first death",
        ),
        pytest.param(
            entry("Episode"),
            "study.json: PrimaryCriteria.CriteriaList[0].Episode: is not known",
            id="a domain of a later circe-be",
        ),
        pytest.param(
            study({}, *ENTRY),
            "study.json: PrimaryCriteria.CriteriaList[0]: names 0 domains; name one",
            id="a criterion without a domain",
        ),
        pytest.param(
            study({"Death": {}, "Specimen": {}}, *ENTRY),
            "study.json: PrimaryCriteria.CriteriaList[0]: names 2 domains",
            id="one with two",
        ),
        pytest.param(
            study([], "PrimaryCriteria", "CriteriaList"),
            "study.json: PrimaryCriteria.CriteriaList: is empty",
            id="no entry event",
        ),
        pytest.param(
            study(REMOVED, "PrimaryCriteria"),
            "study.json: PrimaryCriteria: is missing; add it",
            id="no entry at all",
        ),
        pytest.param(
            study(REMOVED, "PrimaryCriteria", "ObservationWindow"),
            "study.json: PrimaryCriteria.ObservationWindow: is missing",
            id="no observation window",
        ),
        pytest.param(
            study("Newest", "PrimaryCriteria", "PrimaryCriteriaLimit", "Type"),
            "study.json: PrimaryCriteria.PrimaryCriteriaLimit.Type: is not known here; give All, First or "
            "Last",
            id="another limit",
        ),
        pytest.param(
            study(None, "QualifiedLimit"),
            "study.json: QualifiedLimit: is null",
            id="a limit that is null, where circe-be fails",
        ),
        pytest.param(
            study("NONE", "InclusionRules", 0, "expression", "Type"),
            "study.json: InclusionRules[0].expression.Type: is not known here; give ALL, ANY, AT_LEAST or "
            "AT_MOST",
            id="another kind of group",
        ),
        pytest.param(
            study("AT_LEAST", "InclusionRules", 0, "expression", "Type"),
            "study.json: InclusionRules[0].expression.Count: is missing",
            id="at least how many?",
        ),
        pytest.param(
            study(7, *RULE, "Occurrence", "Type"),
            "Occurrence.Type: is not known here; give 0 for exactly",
            id="another way to count",
        ),
        pytest.param(
            study(REMOVED, *RULE, "StartWindow"),
            "CriteriaList[0].StartWindow: is missing",
            id="an event without a window",
        ),
        pytest.param(
            study(REMOVED, *RULE, "StartWindow", "Start", "Coeff"),
            "StartWindow.Start.Coeff: is missing",
            id="30 days, neither before nor after",
        ),
        pytest.param(
            study(3, *RULE, "StartWindow", "Start", "Coeff"),
            "StartWindow.Start.Coeff: is neither before nor after",
            id="threefold days",
        ),
        pytest.param(
            study(30.5, *RULE, "StartWindow", "Start", "Days"),
            "StartWindow.Start.Days: has decimals",
            id="half a day",
        ),
        pytest.param(
            study({}, "EndStrategy"), "study.json: EndStrategy: names 0 strategies", id="an exit of no kind"
        ),
        pytest.param(
            study({"CustomEra": {"GapDays": 30}}, "EndStrategy"),
            "study.json: EndStrategy.CustomEra.DrugCodesetId: is missing",
            id="an era of unnamed drugs",
        ),
        pytest.param(
            study({"EraPad": -1}, "CollapseSettings"),
            "study.json: CollapseSettings.EraPad: is not between 0",
            id="fewer than no days between",
        ),
        pytest.param(
            study({"CollapseType": "NONE"}, "CollapseSettings"),
            "study.json: CollapseSettings.CollapseType: is not known here",
            id="another way to join stays",
        ),
        pytest.param(
            study({"StartDate": "2010-02-30"}, "CensorWindow"),
            "study.json: CensorWindow.StartDate: is no date",
            id="a day that never was",
        ),
        pytest.param(
            study({"StartDate": ""}, "CensorWindow"),
            "study.json: CensorWindow.StartDate: is no date",
            id="an empty day",
        ),
        pytest.param(
            study([{"name": "r", "expression": {}}] * 63, "InclusionRules"),
            "study.json: InclusionRules: has more than 62 rules",
            id="more rules than a mask has bits",
        ),
        pytest.param(
            study([*STUDY["ConceptSets"], *STUDY["ConceptSets"]], "ConceptSets"),
            "study.json: ConceptSets[1].id: is the id of another",
            id="two concept sets of one id",
        ),
        pytest.param(
            study(
                [{"id": 0, "expression": {"items": [{"concept": {"CONCEPT_NAME": "Asthma"}}]}}], "ConceptSets"
            ),
            "study.json: ConceptSets[0].expression.items[0].concept: has no CONCEPT_ID",
            id="a concept without an id",
        ),
        pytest.param(
            entry("ConditionOccurrence", Age={"Op": "bt", "Value": 18}),
            "ConditionOccurrence.Age: has no Extent; add the second value",
            id="an age between 18 and nothing",
        ),
        pytest.param(
            entry("ConditionOccurrence", Age={"Op": "about", "Value": 18}),
            "ConditionOccurrence.Age.Op: is not known here",
            id="about 18",
        ),
        pytest.param(
            entry("ConditionOccurrence", Age={"Op": "gt", "Value": "old"}),
            "ConditionOccurrence.Age.Value: is text; give a number",
            id="an age in words",
        ),
        pytest.param(
            entry("ConditionOccurrence", StopReason={"Op": "contains"}),
            "ConditionOccurrence.StopReason: has no Text",
            id="a text without one",
        ),
        pytest.param(
            entry("ConditionOccurrence", GenderCS={"IsExclusion": True}),
            "ConditionOccurrence.GenderCS: names no concept set",
            id="none of an unnamed set",
        ),
        pytest.param(
            entry("ConditionOccurrence", First="yes"),
            "ConditionOccurrence.First: is text; give true or false",
            id="yes for true",
        ),
        pytest.param(
            entry("ConditionOccurrence", CodesetId=[0]),
            "ConditionOccurrence.CodesetId: is a list; give a number",
            id="a list for a number",
        ),
        pytest.param(
            study({"a": 1}, "PrimaryCriteria", "CriteriaList"),
            "PrimaryCriteria.CriteriaList: is an object; give a list",
            id="no list",
        ),
        pytest.param(
            {"expression": STUDY, "EndStrategy": {}},
            "study.json: EndStrategy: stands beside expression",
            id="half in, half out of its wrapper",
        ),
        pytest.param(b"\xff\xfe{", "study.json: is not text in UTF-8", id="not UTF-8"),
        pytest.param("{", "study.json: is not JSON: line 1, column 2", id="not JSON"),
        pytest.param("[]", "study.json: is no cohort definition", id="JSON of something else"),
        pytest.param(
            '{"PrimaryCriteria": 1, "PrimaryCriteria": 2}',
            "study.json: holds PrimaryCriteria twice in one object",
            id="a key twice",
        ),
        pytest.param(
            '{"PrimaryCriteria": NaN}', "study.json: holds NaN, which is no number", id="not a number"
        ),
        pytest.param("[" * 100_000, "study.json: is nested too deeply", id="lists in lists without end"),
        pytest.param(
            " " * (33 << 20), "study.json: is too large for a cohort definition (33 MB)", id="33 megabytes"
        ),
    ],
)
def test_what_a_definition_may_not_say(definition: object, said: str) -> None:
    told = refusal(definition)
    assert told.startswith("study.json") and said in told


def test_groups_in_groups_without_end_are_refused() -> None:
    group: dict[str, Any] = {"Type": "ALL", "DemographicCriteriaList": [{}]}
    for _ in range(60):
        group = {"Type": "ANY", "Groups": [group]}
    assert "is nested too deeply; simplify the definition" in refusal(study(group, "AdditionalCriteria"))


def test_a_refusal_never_repeats_what_the_definition_holds() -> None:
    assert "198501019999" not in refusal(
        entry("ConditionOccurrence", StopReason={"Op": "contains", "Text": 198501019999})
    )


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not there; check the path"):
        circe.load(tmp_path / "study.json")


# --- and what it may ---


def test_different_refills_may_be_counted_for_drugs() -> None:
    cohort = read(
        study({"Type": 2, "Count": 2, "IsDistinct": True, "CountColumn": "REFILLS"}, *RULE, "Occurrence")
    )
    assert cohort.rules[0].group.correlated[0].occurrence == Occurrence("at_least", 2, "refills")


def test_a_limit_that_is_absent_is_the_first() -> None:
    cohort = read(study(REMOVED, "PrimaryCriteria", "PrimaryCriteriaLimit"))
    assert (cohort.entry_limit, cohort.qualified_limit, cohort.limit) == ("first", "first", "first")


def test_a_limit_whose_type_is_null_is_all() -> None:
    assert read(study({"Type": None}, "ExpressionLimit")).limit == "all"


def test_an_empty_group_of_conditions_is_present_and_holds() -> None:
    assert read(study({"Type": "ALL"}, "AdditionalCriteria")).additional == Group("all")
    assert read(STUDY).additional is None


def test_a_definition_reads_the_same_in_its_wrappers() -> None:
    plain = read(STUDY)
    assert (
        read({"id": 7, "name": "Asthma", "expressionType": "SIMPLE_EXPRESSION", "expression": STUDY}) == plain
    )
    assert read({"id": 7, "expression": json.dumps(STUDY), "createdBy": "someone", "tags": []}) == plain
    assert read({**STUDY, "Title": "Asthma", "cdmVersionRange": ">=5.0.0"}) == plain
    assert circe.parse(b"\xef\xbb\xbf" + json.dumps(STUDY).encode(), "study.json") == plain


@pytest.mark.parametrize("value", [None, 1, {"a": "198501019999"}])
def test_a_key_beside_the_definitions_own_asks_nothing_and_is_told_by_name(value: object) -> None:
    asked = read({**STUDY, "Surprise": value, "198501019999\n": value})
    assert asked == read(STUDY)
    (note,) = asked.notes
    assert note.startswith("asks nothing by Surprise, a key that is none")
    assert read(STUDY).notes == ()


@pytest.mark.parametrize("nearly", ["InclusionRule", "inclusionRules", "ExpressionLimits", "end_strategy"])
def test_a_key_that_is_nearly_one_of_the_definitions_own_is_refused(nearly: str) -> None:
    assert f"study.json: {nearly}: is not known here" in refusal({**STUDY, nearly: []})


def test_null_characters_at_the_end_and_letters_of_western_europe_are_read() -> None:
    named = study("Sjögren – Åsa", "InclusionRules", 0, "name")
    text = json.dumps(named, ensure_ascii=False)
    for content in (text.encode() + b"\0\0", text.encode("cp1252"), text.encode("utf-16")):
        assert circe.parse(content, "study.json").rules[0].name == "Sjögren – Åsa"
    assert circe.parse(text.encode(), "study.json").notes == ()
    assert circe.parse(text.encode("cp1252"), "study.json").notes == ("is not UTF-8: read as Windows-1252",)


def test_numbers_that_an_older_export_writes_as_text_are_numbers() -> None:
    assert read(study("30", *RULE, "StartWindow", "Start", "Days")) == read(STUDY)


def test_a_concept_set_keeps_its_flags() -> None:
    assert read(STUDY).sets == {0: ConceptSet("Asthma", (Item(317009, descendants=True),))}


def test_whole_numbers_are_cut_and_decimals_have_four_places() -> None:
    ((age,), (value,)) = (
        read(entry(domain, **{key: {"Op": "gt", "Value": number}})).entry[0].filters
        for domain, key, number in (("Measurement", "Age", 39.9), ("Measurement", "ValueAsNumber", 1.00005))
    )
    assert (age, value) == (Range("age_at_start", "gt", 39), Range("value_as_number", "gt", 1.0001))


def test_the_end_of_a_drug_exposure_is_compared_with_its_start_as_in_circe() -> None:
    asked = (
        read(entry("DrugExposure", OccurrenceEndDate={"Op": "gt", "Value": "1970-01-11"})).entry[0].filters
    )
    assert asked == (Range("start_date", "gt", 10),)


def test_gap_days_of_a_drug_era_are_compared_with_the_numbers_of_its_length_as_in_circe() -> None:
    asked = (
        read(entry("DrugEra", GapDays={"Op": "lt", "Value": 3}, EraLength={"Op": "gt", "Value": 60}))
        .entry[0]
        .filters
    )
    assert asked == (Range("length", "gt", 60), Range("gap_days", "gt", 60))


def test_a_quote_in_a_text_loses_backslashes_before_it_as_in_circe() -> None:
    asked = (
        read(entry("ConditionOccurrence", StopReason={"Op": "contains", "Text": "patient\\'s 5_%"}))
        .entry[0]
        .filters
    )
    assert asked == (Text("stop_reason", "contains", "patient's 5_%"),)


def test_a_date_adjustment_moves_a_death_by_days_alone_and_a_specimen_not_at_all() -> None:
    moved = {"StartWith": "END_DATE", "StartOffset": -3, "EndWith": "START_DATE", "EndOffset": 4}
    death, specimen, procedure = (
        read(entry(domain, DateAdjustment=moved)).entry[0]
        for domain in ("Death", "Specimen", "ProcedureOccurrence")
    )
    assert (death.start, death.end) == (Shift("start", -3), Shift("end", 4))
    assert (specimen.start, specimen.end) == (None, None)
    assert (procedure.start, procedure.end) == (Shift("end", -3), Shift("start", 4))
