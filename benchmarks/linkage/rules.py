"""What all engines are told for the made-up records: which pairs to compare, and how many those are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Rule = tuple[tuple[str, int], ...]
"""Fields that must be equal, each with the number of leading characters that count (0: all)."""

RULES: tuple[Rule, ...] = (
    (("surname", 0), ("birth", 0)),
    (("given", 0), ("birth", 0)),
    (("number", 0),),
    (("postcode", 0), ("birth", 0)),
    (("given", 0), ("surname", 0)),
    (("street", 0), ("surname", 0)),
    (("surname", 3), ("given", 2), ("birth", 4)),
    (("postcode", 0), ("given", 2)),
)
TRAINING: tuple[Rule, ...] = (RULES[4], RULES[2], RULES[1])
CERTAIN: tuple[Rule, ...] = (RULES[2], (("given", 0), ("surname", 0), ("birth", 0)))
PROBABILITY = 0.95


def expressions(rule: Rule, table: str = "") -> list[str]:
    """SQL of each field of a rule."""
    return [f"substr({table}{field},1,{length})" if length else f"{table}{field}" for field, length in rule]


def count_pairs(
    connection: Any, table: str, rules: tuple[Rule, ...] = RULES, unique: str = "record_id"
) -> int:
    """Pairs that at least one rule makes, each once. `table`: SQL of the records; a missing value equals
    nothing."""
    made, earlier = 0, ""
    for rule in rules:
        same = " and ".join(
            f"{a} = {b}" for a, b in zip(expressions(rule, "l."), expressions(rule, "r."), strict=True)
        )
        query = (
            f"select count(*) from {table} l join {table} r on {same} where l.{unique} < r.{unique}{earlier}"
        )
        made += connection.sql(query).fetchall()[0][0]
        earlier += f" and not coalesce({same}, false)"
    return made


def parquet(path: Path) -> str:
    """A Parquet file as SQL."""
    return f"read_parquet('{path}')"
