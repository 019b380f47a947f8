"""What a permit may ask of a table."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.aggregation.layout import Layout
from pipelines.cubes.cube import Dimension
from pipelines.errors import SettingsError
from pipelines.site.permit import Table
from pipelines.study import codes
from pipelines.study.days import Study
from pipelines.study.side_by_side import together

STUDY = Study(**{"from": date(2020, 1, 1), "to": date(2021, 3, 1)})
YEARLY = {"count": "prevalence", "codes": ["A"], "days": ["2020-06-30", "2020-12-31"]}
VALUES = {"count": "values", "unit": "mmol/mol", "range": [0, 100]}
RATE = {"count": "events", "measures": ["persons", "events", "person_days"]}
INDIRECT = {**RATE, "dimensions": ["sex", "age_group"], "age_width": 20, "age_top": 80}
SEXES = INDIRECT
OVER = {"over": ["age_group", "sex"]}
REFERENCE = {"to": "own", "title": "Region X, 2019"}


def table(name: str = "t", **more: Any) -> Table:
    return Table(table=name, title="t", **{"count": "events", **more})


def axis(asked: Table, role: str) -> Dimension:
    return next(each for each in Layout.of(asked, STUDY).dimensions if each.role == role)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"count": "survival", "codes": ["A"]}, "needs step and until"),
        ({"count": "survival", "codes": ["A"], "step": 30, "until": 100}, "not a multiple of step"),
        ({"count": "survival", "step": 30, "until": 90}, "does not say what event"),
        (
            {"count": "survival", "step": 30, "until": 90, "or_death": True, "competing": "death"},
            "has death both as the event",
        ),
        ({"count": "weekly", "step": 30}, "counts no survival"),
        ({"count": "members", "dimensions": ["sex"], "first": True}, "counts no events"),
        ({"count": "intervals", "codes": ["A"], "step": 1, "until": 2}, "both count: intervals and since"),
        ({"count": "events", "dimensions": ["sex"], "since": {"codes": ["A"]}}, "both count: intervals and"),
        (
            {"count": "intervals", "codes": ["A"], "step": 1, "until": 2, "since": {}},
            "from what event time runs",
        ),
        ({"count": "exposure", "dimensions": ["year"]}, "does not say of what"),
        ({"count": "events", "dimensions": ["year"], "gap": 3}, "says gap"),
        ({"count": "baseline", "dimensions": ["sex"]}, "needs rows or characteristics"),
        ({"count": "baseline", "codes": ["A"], "rows": ["sex"]}, "its characteristics say"),
        ({"count": "baseline", "dimensions": ["sex"], "rows": ["sex"]}, "names a dimension twice"),
        ({"count": "members", "dimensions": ["sex"], "rows": ["year"]}, "says rows"),
        (
            {"count": "members", "dimensions": ["sex"], "characteristics": {"had": {"codes": ["A"]}}},
            "none of its dimensions",
        ),
        (
            {"count": "members", "dimensions": ["Å"], "characteristics": {"Å": {"codes": ["A"]}}},
            "names are none of lower-case",
        ),
        (
            {
                "count": "members",
                "dimensions": ["a"],
                "characteristics": {"a": {"codes": ["A"], "from": -1, "to": -2}},
            },
            "ends before it begins",
        ),
        ({"count": "members", "dimensions": ["a"], "characteristics": {"a": {}}}, "does not say what event"),
        (
            {"count": "members", "dimensions": ["sex"], "characteristics": {"sex": {"codes": ["A"]}}},
            "is a dimension of its own",
        ),
        (
            {
                "count": "members",
                "dimensions": ["a"],
                "characteristics": {"a": {"codes": ["A"], "unit": "kg"}},
            },
            "needs unit, range and classes",
        ),
        (
            {"count": "members", "dimensions": ["a"], "characteristics": {"a": {"comorbidity": "charlson"}}},
            "it needs number",
        ),
        ({"dimensions": ["sex"], "first": True, "washout": 30}, "not with first"),
        ({"count": "members", "dimensions": ["sex"], "washout": 30}, "says washout"),
        (
            {"count": "events", "dimensions": ["sex"], "codes": ["SNOMED/195967001 and below"]},
            "names a code with",
        ),
        ({"dimensions": ["follow_up"]}, "needs both follow_up and"),
        ({"dimensions": ["follow_up"], "follow_up": [30, 30]}, "do not ascend"),
        ({"count": "transitions"}, "needs both count: transitions and states"),
        ({"count": "transitions", "states": {"one": ["A"]}}, "fewer than two states"),
        ({"count": "transitions", "states": "care_level", "first": True}, "counts no events"),
        ({**VALUES, "unit": None, "classes": [5]}, "needs unit and range"),
        ({**VALUES, "range": [-1, 5], "classes": [2]}, "a range below 0"),
        ({**VALUES, "classes": [5, 5]}, "do not ascend"),
        ({**VALUES, "classes": [5, 200]}, "do not ascend"),
        ({**VALUES, "classes": [5.00001]}, "more than four decimals"),
        ({**VALUES, "classes": [5], "measures": ["sum"]}, "the sums would tell more"),
        ({**VALUES, "dimensions": ["sex"], "measures": ["squares"]}, "squares without the sum"),
        ({**VALUES}, "has no dimensions"),
        ({"dimensions": ["sex"], "unit": "mmol"}, "counts no values"),
        ({"count": "prevalence", "codes": ["A"]}, "needs both count: prevalence and days"),
        ({"dimensions": ["sex"], "days": ["2020-12-31"]}, "needs both count: prevalence and days"),
        ({"count": "prevalence", "days": ["2020-12-31"]}, "does not say what event"),
        ({"count": "prevalence", "codes": ["A"], "days": ["2020-12-31", "2020-06-30"]}, "do not ascend"),
        ({"dimensions": ["care_unit"]}, "needs both care_units and"),
        ({"dimensions": ["sex", "sex"]}, "names a dimension twice"),
        ({**RATE, "dimensions": ["sex"], "standardise": {"to": "esp2013"}}, "not among its dimensions"),
        (
            {**RATE, "dimensions": ["age_group"], "age_width": 7, "standardise": {"to": "esp2013"}},
            "not unions of the standard's",
        ),
        ({"dimensions": ["age_group"], "standardise": {"to": "esp2013"}}, "only with count: events"),
        ({**RATE, "dimensions": ["age_group"], "standardise": {"to": "who"}}, "esp2013"),
        ({**RATE, "dimensions": ["sex"], "standardise": {"to": "table"}}, "not among its dimensions"),
        (
            {**RATE, "dimensions": ["age_group"], "standardise": {"to": "table"}},
            "no dimension beside age_group: name one",
        ),
        ({**INDIRECT, "measures": ["events"], "standardise": {"to": "table"}}, "only with count: events"),
        (
            {**INDIRECT, "standardise": {"to": "table", "ages_from": 15}},
            "ages_from that begins none of its age groups",
        ),
        ({**INDIRECT, "standardise": {"to": "table", "title": "x"}}, "none of them for another"),
        ({**INDIRECT, "standardise": {"to": "table", "rates": {0: 1}}}, "none of them for another"),
        (
            {**INDIRECT, "standardise": {"to": "own", "rates": {0: 1}}},
            "needs title and either weights or rates",
        ),
        (
            {**INDIRECT, "standardise": {**REFERENCE, "weights": {0: 1}, "rates": {0: 1}}},
            "either weights or rates",
        ),
        (
            {**INDIRECT, "standardise": {**REFERENCE, "rates": {0: 1, 15: 2}}},
            "from an age on that begins none of its age groups",
        ),
        (
            {**INDIRECT, "standardise": {**REFERENCE, "rates": {20: 1}}},
            "no rate for ages below 20: say ages_from: 20",
        ),
        ({**INDIRECT, "standardise": {**REFERENCE, "rates": {0: -1}}}, "negative rates"),
        ({**INDIRECT, "standardise": {**REFERENCE, "rates": {0: 0}}}, "rates that are all 0"),
        ({**INDIRECT, "standardise": {**REFERENCE, "rates": {0: 0.00001}}}, "more than four decimals"),
        ({**INDIRECT, "standardise": {**REFERENCE, "rates": {0: float("inf")}}}, "too large"),
        ({**SEXES, "standardise": {"to": "esp2013", "over": ["sex"]}}, r"or over \[age_group, sex\]"),
        (
            {**SEXES, "standardise": {"to": "esp2013", "over": ["sex", "sex"]}},
            "is standardised over age_group",
        ),
        ({**SEXES, "standardise": {"to": "esp2013", "over": ["age_group", "year"]}}, "standardise"),
        ({**SEXES, "standardise": {"to": "table", **OVER}}, "no dimension beside age_group and sex"),
        (
            {**RATE, "dimensions": ["age_group"], "standardise": {"to": "esp2013", **OVER}},
            "standardised over sex, which is not among its dimensions",
        ),
        (
            {**SEXES, "standardise": {**REFERENCE, "rates": {"Men": {0: 1}, "Women": {0: 1}}}},
            "standardised over ages alone",
        ),
        ({**SEXES, "standardise": {**REFERENCE, **OVER, "rates": {"Men": {0: 1}}}}, "for one sex alone"),
        ({**SEXES, "standardise": {**REFERENCE, **OVER, "rates": {"men": {0: 1}}}}, "standardise"),
        ({**SEXES, "standardise": {**REFERENCE, **OVER, "rates": {0: 1}}}, "rates by age alone"),
        (
            {**SEXES, "standardise": {**REFERENCE, **OVER, "rates": {"Men": {0: 1}, "Women": {40: 1}}}},
            "no rate for ages below 40: say ages_from: 40",
        ),
        (
            {**SEXES, "standardise": {**REFERENCE, **OVER, "rates": {"Men": {0: 1}, "Women": {0: 1, 9: 1}}}},
            "begins none of its age groups",
        ),
        (
            {**SEXES, "standardise": {**REFERENCE, **OVER, "weights": {"Men": {0: 1}, "Women": {}}}},
            "weights that do not begin at age 0",
        ),
        (
            {**SEXES, "standardise": {**REFERENCE, **OVER, "weights": {"Men": {0: 1}, "Women": {0: 1}}}},
            "not unions of the standard's",
        ),
        (
            {**SEXES, "standardise": {"to": "esp2013", "sexes": {"Men": 1, "Women": 1}}},
            "says sexes, which go",
        ),
        ({**SEXES, "standardise": {"to": "table", **OVER, "sexes": {"Men": 1, "Women": 1}}}, "says sexes"),
        (
            {**SEXES, "standardise": {"to": "esp2013", **OVER, "sexes": {"Men": 1}}},
            "sexes that are not Men and",
        ),
        ({**SEXES, "standardise": {"to": "esp2013", **OVER, "sexes": {"Men": 1, "Women": 0}}}, "above 0"),
        (
            {**SEXES, "standardise": {"to": "esp2013", **OVER}, "compare": {"over": "sex", "to": "Women"}},
            "compares over it: make the choice",
        ),
        (
            {"dimensions": ["sex"], "compare": {"over": "sex", "to": "Women"}},
            "compare rates only with count: events",
        ),
        (
            {**RATE, "dimensions": ["year"], "compare": {"over": "sex", "to": "Women"}},
            "not among its dimensions",
        ),
        (
            {**INDIRECT, "standardise": {"to": "table"}, "compare": {"over": "age_group", "to": "0-19"}},
            "compares over it: make the choice",
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        table(**asked)


def test_what_is_counted_says_which_measures_there_are() -> None:
    asked = table(count="survival", codes=["A"], step=30, until=90, measures=["events"])
    with pytest.raises(SettingsError, match="events cannot be counted by survival"):
        Layout.of(asked, STUDY)
    with pytest.raises(SettingsError, match="days of follow-up are not counted by week"):
        Layout.of(table(count="weekly", measures=["person_days"]), STUDY)


def test_nobody_is_followed_outside_of_the_study_and_a_member_has_no_diagnosis() -> None:
    with pytest.raises(SettingsError, match="outside of the study"):
        Layout.of(table(**{**YEARLY, "days": ["2021-12-31"]}), STUDY)
    for asked in ({"count": "members"}, YEARLY, {"count": "transitions", "states": "care_level"}):
        with pytest.raises(SettingsError, match="have no chapter"):
            Layout.of(table(**asked, dimensions=["chapter"]), STUDY)


def test_age_groups_have_the_weight_of_all_of_the_standards_groups_in_them() -> None:
    asked = table(
        **RATE,
        dimensions=["age_group"],
        age_width=20,
        age_top=80,
        standardise={"to": "esp2013", "ages_from": 20},
    )
    age = axis(asked, "standard")
    assert dict(zip(age.labels, age.values, strict=True)) == {
        "Total": 0,
        "0-19": 0,
        "20-39": 25500,
        "40-59": 27500,
        "60-79": 20500,
        "80+": 5000,
        "Unknown": 0,
    }
    assert "Eurostat" in age.about and "ages 20 and over" in age.about and "60-79" in age.about
    whole = axis(
        table(**RATE, dimensions=["age_group"], age_width=5, age_top=95, standardise={"to": "esp2013"}),
        "standard",
    )
    assert sum(whole.values) == sum(codes.standard("esp2013").weights) == 100_000


@pytest.mark.parametrize(
    ("year", "women_and_men", "young", "old"),
    [
        (2000, (4_490_039, 4_392_753), (1_041_324, 1_098_054), "378.3 362.1 338.0 247.6 139.8 53.6 10.6 1.0"),
        (2005, (4_561_202, 4_486_550), (1_051_572, 1_107_584), "420.3 346.0 311.9 259.2 153.9 59.5 13.2 1.3"),
        (2010, (4_725_326, 4_690_244), (1_061_678, 1_121_886), "547.7 389.6 303.0 245.7 165.5 68.9 15.2 1.7"),
    ],
)
def test_the_population_of_sweden_adds_up_to_its_published_totals(
    year: int, women_and_men: tuple[int, int], young: tuple[int, int], old: str
) -> None:
    """Statistics Sweden: of each sex, of those below 20 years, and from 65 on in thousands (Demographic
    reports 2012:2, table T.9a)."""
    sweden = codes.standard(f"sweden{year}")
    assert sum(sweden.weights) == sum(women_and_men)
    assert sweden.between(0, 20) == sum(young)
    assert [
        f"{sweden.between(age, age + 5 if age < 100 else None) / 1000:.1f}" for age in range(65, 101, 5)
    ] == old.split()
    age = axis(table(**INDIRECT, standardise={"to": f"sweden{year}"}), "standard")
    assert sum(age.values) == sum(women_and_men) and f"Sweden on 31 December {year}" in age.about


def test_each_sex_has_the_ages_of_the_standard_and_half_of_its_people_or_its_share() -> None:
    asked = {**SEXES, "age_width": 40, "age_top": 80}
    men_and_women = Layout.of(table(**asked, standardise={"to": "esp2013", **OVER}), STUDY).dimensions
    sex, age = men_and_women
    of_sex = [age.values[k : k + len(age)] for k in range(0, len(age.values), len(age))]
    assert (sex.role, age.role) == ("within", "standard")
    none, alike = (0,) * 5, (0, 47_000, 48_000, 5_000, 0)
    assert dict(zip(sex.labels, of_sex, strict=True)) == {
        "Total": none,
        "Men": alike,
        "Women": alike,
        "Unknown": none,
    }
    assert "1 men to 1 women at every age" in age.about
    shares = {"to": "esp2013", **OVER, "sexes": {"Men": 48, "Women": 52}}
    age = axis(table(**asked, standardise=shares), "standard")
    assert age.values[6:8] == (48 * 47_000, 48 * 48_000) and age.values[11] == 52 * 47_000
    assert "48 men to 52 women at every age" in age.about


def test_a_standard_of_the_permits_own_weighs_as_it_says() -> None:
    own = {
        "to": "own",
        "title": "Population of the county, 2023",
        "weights": {0: 300, 20: 500, 60: 150, 80: 50},
    }
    ages = {**RATE, "dimensions": ["age_group"], "age_width": 20, "age_top": 80}
    with pytest.raises(ValidationError, match="not unions of the standard's"):
        table(**ages, standardise=own)  # there is no group from 40 years on
    own["weights"] = {0: 300, 20: 200, 40: 300, 60: 150, 70: 10, 80: 50}
    age = axis(table(**ages, standardise={**own, "ages_from": 20}), "standard")
    assert age.values == (0, 0, 200, 300, 160, 50, 0)
    assert "Population of the county, 2023" in age.about
    for wrong in (
        {"to": "own"},
        {"to": "esp2013", "title": "x"},
        {**own, "weights": {5: 1}},
        {**own, "weights": {0: -1, 5: 2}},
    ):
        with pytest.raises(ValidationError, match="standardise"):
            table(**ages, standardise=wrong)


def test_a_table_that_is_its_own_reference_compares_known_ages_from_the_first_that_counts() -> None:
    age = axis(table(**INDIRECT, standardise={"to": "table", "ages_from": 40}), "reference")
    assert dict(zip(age.labels, age.values, strict=True)) == {
        "Total": 0,
        "0-19": 0,
        "20-39": 0,
        "40-59": 1,
        "60-79": 1,
        "80+": 1,
        "Unknown": 0,
    }
    assert age.about == "rates of all in this table by age (40-59, 60-79, 80+), ages 40 and over"


@pytest.mark.parametrize(
    ("over", "to", "place"), [("sex", "Women", 2), ("sex", "2", 2), ("age_group", "40-59", 3)]
)
def test_a_group_to_compare_with_is_named_by_its_label_or_its_code(over: str, to: str, place: int) -> None:
    groups = axis(table(**INDIRECT, compare={"over": over, "to": to}), "compared")
    assert groups.name == over and groups.values.index(1) == place and sum(groups.values) == 1


def test_a_group_to_compare_with_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        SettingsError,
        match="to is none of the groups of sex; choose from Men, Women, Unknown, or say its code",
    ):
        Layout.of(table(**INDIRECT, compare={"over": "sex", "to": "women"}), STUDY)


def test_reference_rates_reach_over_all_age_groups_that_lie_within_theirs() -> None:
    own = {**REFERENCE, "rates": {20: 0, 40: 0.07, 80: 123.4567}, "ages_from": 20}
    age = axis(table(**INDIRECT, standardise=own), "rates")
    assert age.values == (
        -1,
        -1,
        0,
        700,
        700,
        1_234_567,
        -1,
    )  # ten-thousandths; a rate of 0 is one, no rate is -1
    assert "rates of Region X, 2019" in age.about and "ages 20 and over" in age.about


def test_a_week_belongs_to_the_year_of_its_thursday_and_says_how_much_of_it_is_studied() -> None:
    week = axis(table(count="weekly"), "week")
    days = dict(zip(week.codes, week.values, strict=True))
    assert week.codes[:3] == ("", "ISO year 2020", "2020-W01")
    assert (days["2020-W01"], days["2020-W02"], days["2020-W53"], days["2021-W09"]) == (5, 7, 7, 1)
    assert week.parents[week.codes.index("2020-W53")] == week.codes.index("ISO year 2020")
    month = axis(table(count="monthly"), "month")
    assert dict(zip(month.codes, month.values, strict=True))["2020-02"] == 29
    assert month.values[-1] == 1


def test_a_histogram_counts_the_same_persons_as_a_table_of_its_events() -> None:
    """All classes of a histogram together are the persons with such an event: both tables' cells are one."""
    assert (
        table(**VALUES, classes=[5], kind="measurement").counted
        == table(dimensions=["sex"], kind="measurement").counted
    )


def test_a_class_may_begin_at_any_number_of_four_decimals() -> None:
    """0.07 and 1.1 are four decimals at most, whatever binary fractions make of them."""
    assert table(**{**VALUES, "classes": [0.07, 1.1, 4.35, 16.4001]}).classes[0] == 0.07


def test_sums_of_values_are_refused_until_they_are_protected() -> None:
    """A sum of values may be nearly one person's: a permit that asks for one is refused as long as nothing
    protects it."""
    asked = table(**{**VALUES, "dimensions": ["sex"], "measures": ["sum"]})
    assert any("sums of values" in text for text in together([asked]))


def test_values_have_a_class_for_what_is_not_usable_and_the_ends_of_each() -> None:
    classes = axis(table(**{**VALUES, "classes": [42.5, 48]}), "classes")
    assert classes.codes == ("", "0-42.5", "42.5-48", "48-100", "unusable")
    assert classes.labels[1:4] == ("0 to under 42.5", "42.5 to under 48", "48 to 100")
    assert classes.values == (0, 425_000, 480_000, 1_000_000, 0)


def test_a_zero_is_there_for_every_band_and_outcome() -> None:
    asked = table("to-heart", count="survival", codes=["A"], competing="death", step=30, until=90)
    bands, outcomes = axis(asked, "follow_up"), axis(asked, "outcome")
    assert bands.codes == ("", "0-29", "30-59", "60-89", "90+")
    assert bands.values == (0, 30, 60, 90, 0)
    assert outcomes.codes == ("", "event", "competing", "censored")
    assert bands.name == "days_to_heart"
