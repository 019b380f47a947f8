"""Every kind of table is protected, and the verifier finds that nothing hidden can be worked out."""

from __future__ import annotations

import pytest

from pipelines.aggregation.count import Counter
from pipelines.aggregation.layout import Layout
from pipelines.aggregation.stage import additive, notes
from pipelines.cubes.cube import Cube, time_table
from pipelines.cubes.policy import Policy
from pipelines.disclosure.suppression.protect import protect
from pipelines.files.digests import digest
from pipelines.release.stage import audit
from pipelines.site.permit import Table
from pipelines.study.side_by_side import together
from tests.time_tables import SOURCES, STUDY, TABLES, edges

KINDS = {table.table: table for table in TABLES}
EVENTS = Table(
    table="events", title="t", count="events", kind="drug", dimensions=("sex", "year"), measures=("events",)
)


def cubes(table: Table, seed: int) -> list[Cube]:
    """As the stage makes them of one shard."""
    shard, members = edges(seed, persons=150)
    layout = Layout.of(table, STUDY)
    counted = Counter(shard, members, SOURCES).count(layout)
    parts = [(table.table, table.counted, {name: counted[name] for name in layout.measures})]
    if layout.time_measures:
        measures = {"persons" if name == "at_risk" else name: counted[name] for name in layout.time_measures}
        parts.append((time_table(table.table), table.time, measures))
    return [
        Cube(
            name,
            "t",
            digest(*what),
            layout.dimensions,
            measures,
            {each: additive(layout, each) for each in measures},
            tuple(
                (each, "persons")
                for each in ("events", "person_days", "transitions", "values")
                if each in measures
            ),
            notes(layout, measures),
        )
        for name, what, measures in parts
    ]


@pytest.mark.parametrize(
    "tables",
    [
        [KINDS["levels"]],
        [KINDS["paths"]],
        [KINDS["first-classes"]],
        [KINDS["classes"], EVENTS],
        [KINDS["on"]],
        [KINDS["new-weeks"]],
    ],
    ids=lambda tables: " and ".join(table.table for table in tables),
)
def test_what_is_hidden_of_every_kind_of_table_stays_so(tables: list[Table]) -> None:
    assert not list(together(tables))
    raw = sorted((cube for table in tables for cube in cubes(table, 4)), key=lambda cube: cube.table)
    protection = protect(raw, Policy())
    assert any(cube.hidden.any() for cube in protection.cubes)
    claims = audit(raw, protection.cubes, protection.certificate, Policy())
    assert [claim.text for claim in claims if not claim.holds] == []
