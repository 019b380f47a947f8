"""By what people enter is said in full: whatever of it is changed, both its sentences and those of the model
that runs change."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.cohort.explain import sentences
from pipelines.cohort.lower import lower
from tests.one_person import definition

OTHER = definition(cohort="ill", codes={"b": ["T/B"]}, index={"codes": "b"}, follow_up=100)
EVENT = {"codes": "index"}
BOTH = [{"codes": "index"}, {"codes": "other"}]
RULE = {"codes": "other", "from": -30, "to": 0}
STAY = {"cohort": "ill", "from": -30, "to": 0}


def said(asked: dict[str, Any]) -> tuple[str, str]:
    made = definition(**{"others": {"ill": OTHER}, **asked})
    return "\n".join(made.sentences()), "\n".join(sentences(lower(made)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"index": EVENT}, {"index": {**EVENT, "which": {"from": 2}}}),
        ({"index": {**EVENT, "which": {"from": 2}}}, {"index": {**EVENT, "which": {"from": 3}}}),
        ({"index": {**EVENT, "which": "all"}}, {"index": {**EVENT, "which": {"from": 2}}}),
        ({"index": EVENT}, {"index": {**EVENT, "start": {"after": 30}}}),
        ({"index": {**EVENT, "start": {"after": 30}}}, {"index": {**EVENT, "start": {"after": -30}}}),
        (
            {"index": {**EVENT, "start": {"after": 30}}},
            {"index": {**EVENT, "start": {"after": 30, "of": "end"}}},
        ),
        ({"index": EVENT}, {"index": {"any": BOTH}}),
        ({"index": {"any": BOTH}}, {"index": {"any": BOTH, "which": "last"}}),
        ({"index": {"any": BOTH, "which": "any"}}, {"index": {"any": BOTH, "which": "all"}}),
        ({"index": {"date": "2020-01-01"}}, {"index": {"date": "2020-01-02"}}),
        (
            {"index": {"date": "2020-01-01", "every": "year"}, "follow_up": 9},
            {"index": {"date": "2020-01-01", "every": "month"}, "follow_up": 9},
        ),
        ({"index": {"residence": "first"}}, {"index": {"residence": "each"}}),
        ({"index": {"residence": "first"}}, {"index": {"residence": "first"}, "prior_observation": 9}),
        ({"index": {"residence": "first"}}, {"index": {"residence": "first"}, "age": {"from": 18}}),
        (
            {"index": {"residence": "first", "every": 30}, "follow_up": 9},
            {"index": {"residence": "first", "every": 31}, "follow_up": 9},
        ),
        ({"require": [{**RULE, "at_least": 2}]}, {"require": [{**RULE, "at_least": 2, "distinct": "days"}]}),
        ({}, {"require": [STAY]}),
        ({"require": [STAY]}, {"exclude": [STAY]}),
        ({"require": [STAY]}, {"require": [{**STAY, "day": "entry"}]}),
        ({"require": [STAY]}, {"require": [{**STAY, "to": 1}]}),
        ({"require": [STAY]}, {"require": [{**STAY, "from": None}]}),
        (
            {"require": [STAY]},
            {"require": [STAY], "others": {"ill": OTHER.model_copy(update={"follow_up": 99})}},
        ),
        ({"age": {"from": 18}}, {"age": {"from": 18, "to": 64}}),
        ({"age": {"from": 18, "to": 64}}, {"age": {"to": 64}}),
    ],
)
def test_whatever_is_changed_both_sentences_change(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = said(one), said(other)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_no_number_stands_for_a_word_and_none_is_no_number() -> None:
    asked = {
        "index": {**EVENT, "kind": "diagnosis", "setting": ["inpatient", "emergency"], "primary": True},
        "age": {"from": 18},
        "sex": "woman",
        "require": [{**RULE, "value": {"at_least": "4.5", "unit": "mmol/l"}}],
        "exclude": [{**RULE, "kind": "drug"}],
    }
    for text in said(asked):
        for unsaid in ("at most 0", "exactly 0", "200", "1, 4", "45000", " 0 days", "is one of 2"):
            assert unsaid not in text, unsaid
    model = said(asked)[1]
    for words in ("inpatient", "emergency", "woman", "at least 4.5", "at least 18", "none of these holds"):
        assert words in model, words
