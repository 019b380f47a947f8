"""Whatever a Circe definition asks, and whatever the data hold, both engines give the same."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest

from pipelines.cohort import circe, duck, engine, sql
from pipelines.cohort.cdm import Cdm
from pipelines.cohort.cdm_source import CdmSource
from pipelines.cohort.results import Results
from pipelines.errors import SettingsError
from tests.made_circe import Definitions, made_tables

DEFINITIONS = 30


def same(left: Results, right: Results) -> bool:
    stays = all(
        np.array_equal(getattr(left, name), getattr(right, name)) for name in ("person", "start", "end")
    )
    return stays and (left.masks, left.lost, left.attrition) == (right.masks, right.lost, right.attrition)


@pytest.mark.parametrize("seed", range(6))
def test_both_engines_give_the_same(seed: int) -> None:
    random, found = Random(seed), 0
    tables = made_tables(random)
    source, definitions = CdmSource(Cdm(None, tables)), Definitions(random)
    with duck.connect(tables) as connection:
        for number in range(DEFINITIONS):
            definition = json.dumps(definitions.next())
            try:
                cohort = circe.parse(definition, f"{seed}.{number}")
            except SettingsError as refusal:
                assert "cannot be counted" in str(refusal)
                continue
            fast, plain = engine.run(cohort, source), sql.run(cohort, connection)
            assert same(fast, plain), definition
            found += bool(len(fast.person))
    assert found  # most of what is asked of few people is asked in vain, but not all
