"""What EM makes of pairs whose persons are known: households, people who moved, tidy records, and none at
all."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kernels.comparisons import BITS
from pipelines.linkage.dependence import Dependence, fitted
from pipelines.linkage.evidence import Evidence, equal_pairs
from pipelines.linkage.fields import Field
from pipelines.linkage.keys import parse_rule
from pipelines.linkage.pairs import Patterns
from pipelines.linkage.training import SCALE, Model, by_em
from workflows import link

FIELDS = {
    name: Field(column=name, kind="name", levels=("equal", "jaro_winkler 0.9"))
    for name in ("given", "surname", "birth", "street", "code")
}
CHANCE = {
    "given": (0.009, 0.001),
    "surname": (0.012, 0.003),
    "birth": (0.012, 3e-5),
    "street": (0.006, 8e-5),
    "code": (0.001, 1.3e-4),
}
SHARED = np.array([0.0, 0.02, 0.10, 0.88])
LEVELS = np.array(list(itertools.product((1, 2, 3), repeat=len(FIELDS))))
PATTERNS = (LEVELS << (BITS * np.arange(len(FIELDS)))).sum(1)
RULES = list(itertools.combinations(FIELDS, 2))


def _pairs(count: float, shared: str) -> np.ndarray:
    """Expected pairs of each pattern that share some fields, and agree in the others by chance."""
    total = np.full(len(LEVELS), count)
    for place, (name, (near, equal)) in enumerate(CHANCE.items()):
        share = SHARED if name in shared.split() else np.array([0.0, 1 - near - equal, near, equal])
        total *= share[LEVELS[:, place]]
    return np.rint(total)


def _of(counts: np.ndarray, which: np.ndarray) -> Patterns:
    return Patterns.merged([(PATTERNS[which & (counts > 0)], counts[which & (counts > 0)].astype(np.int64))])


def _trained(
    records: float, households: float, moved: float, copies: float = 0.36
) -> tuple[Model, np.ndarray, np.ndarray]:
    """The model, matches and others of each pattern, of a table with so many pairs of one person for each
    record."""
    total, found = records**2 / 2, copies * records
    match = _pairs((1 - moved) * found, " ".join(FIELDS)) + _pairs(moved * found, "given surname birth")
    other = _pairs(households * records, "surname street code") + _pairs(total, "")
    both, equal = match + other, LEVELS == 3
    made = (equal.sum(1) >= 2) & (both > 0)
    random = np.random.default_rng(1)
    at_random = random.multinomial(1 << 18, np.where(made, 0, both) / both[~made].sum())
    alike = [
        random.multinomial(1 << 16, np.where(column, both, 0) / both[column].sum()) for column in equal.T
    ]
    by_rule = [_of(both, equal[:, a] & equal[:, b]) for a, b in itertools.combinations(range(len(FIELDS)), 2)]
    every = np.ones(len(LEVELS), bool)
    evidence = Evidence(
        _of(at_random, every),
        _of(both, made),
        by_rule,
        total,
        [float(both[column].sum()) for column in equal.T],
        [_of(each, every) for each in alike],
    )
    model = by_em(
        FIELDS, [parse_rule(rule, FIELDS) for rule in RULES], evidence, {}, int(records), 20.0, True
    )
    return model, match * made, other * made


@pytest.mark.parametrize("records", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("households", [0.0, 0.3, 1.3])
@pytest.mark.parametrize("moved", [0.0, 0.1, 0.2])
def test_persons_are_found_and_precision_is_as_expected(
    records: float, households: float, moved: float
) -> None:
    """Households may be a third or three times as many as matches, and chance may make few pairs of one
    street or far more than they."""
    model, match, other = _trained(records, households, moved)
    weight = model.of_patterns(PATTERNS) / SCALE
    linked = weight > 0
    right, wrong = match[linked].sum(), other[linked].sum()
    best = np.sort(np.maximum(match - other, 0))[::-1].sum() / match.sum()
    assert right / match.sum() > best - 0.02
    assert right / (right + wrong) > 0.97
    expected = ((match + other)[linked] / (1 + np.exp2(-weight[linked]))).sum() / (right + wrong)
    assert abs(expected - right / (right + wrong)) < 0.015


@pytest.mark.parametrize("records", [1e4, 1e6, 1e7])
@pytest.mark.parametrize("households", [0.0, 1.3])
def test_households_are_no_persons_where_nobody_is_there_twice(records: float, households: float) -> None:
    model, _, other = _trained(records, households, 0.0, copies=0.0)
    assert other[model.of_patterns(PATTERNS) > 0].sum() < 1e-3 * max(households, 0.01) * records


def test_a_household_is_told_and_the_model_is_the_same_each_time() -> None:
    model, _, _ = _trained(1e7, 1.3, 0.15)
    again, _, _ = _trained(1e7, 1.3, 0.15)
    assert any("share surname, street, code alone count as no matches" in note for note in model.notes)
    assert np.array_equal(model.of_patterns(PATTERNS), again.of_patterns(PATTERNS))


def test_tidy_records_that_all_share_the_one_blocking_key_find_their_matches(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    person = np.concatenate([np.arange(200), random.choice(200, 100, replace=False)])
    given, surname = random.integers(0, 20, 200), random.integers(0, 256, 200)
    born = (np.datetime64("1940-01-01") + random.integers(0, 25_000, 200)).astype(str)
    letters = "bdfghjklmnprstvx"
    columns = {
        "id": [f"r{row}" for row in range(300)],
        "given": ["abcdefghijklmnopqrst"[given[who]] * 4 for who in person],
        "surname": [f"{letters[surname[who] % 16] * 3}{letters[surname[who] // 16] * 3}" for who in person],
        "birth": born[person],
        "country": ["SE"] * 300,
    }
    pq.write_table(pa.table(columns), tmp_path / "people.parquet")
    names = {"levels": ["equal", "jaro_winkler 0.92"], "kind": "name"}
    fields = {
        "given": {"column": "given", **names},
        "surname": {"column": "surname", **names},
        "birth": {"column": "birth", "kind": "date", "levels": ["equal", "year"]},
        "country": {"column": "country", "kind": "text", "levels": ["equal"]},
    }
    data = [{"source": "people", "file": "people.parquet", "id": "id"}]
    settings = {"data": data, "fields": fields, "blocking": [["country"]], "rounds": 0}
    (tmp_path / "link.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    link.run(tmp_path / "link.yaml", tmp_path, lambda _line: None)
    links = pq.read_table(tmp_path / "links.parquet")
    found = {
        (int(a[1:]), int(b[1:]))
        for a, b in zip(links["left_id"].to_pylist(), links["right_id"].to_pylist(), strict=True)
    }
    true = {(int(person[row]), row) for row in range(200, 300)}
    assert true <= {(min(pair), max(pair)) for pair in found}
    assert len(found) < 1.15 * len(true)  # some strangers share both names and the year


def test_pairs_of_one_value_are_counted_as_one_would_by_hand() -> None:
    random = np.random.default_rng(2)
    for groups in (np.full(40, -1), random.integers(-1, 3, 40)):
        codes = random.integers(-1, 6, (40, 3)).astype(np.int32)
        pairs = [
            (i, j) for i, j in itertools.combinations(range(40), 2) if groups[i] < 0 or groups[i] != groups[j]
        ]
        by_hand = [sum(codes[i, f] == codes[j, f] >= 0 for i, j in pairs) for f in range(3)]
        assert equal_pairs(codes, groups.astype(np.int32)) == by_hand


def test_terms_of_two_fields_come_as_close_as_they_can() -> None:
    random = np.random.default_rng(4)
    levels = np.array(list(itertools.product(range(4), repeat=3)))
    tables = {pair: random.normal(0, 4, (4, 4)) for pair in itertools.combinations(range(3), 2)}
    for table in tables.values():
        table[0] = table[:, 0] = 0.0
    bits = sum(table[levels[:, a], levels[:, b]] for (a, b), table in tables.items())
    terms = fitted(levels, bits, np.full(len(levels), 1e4), [4, 4, 4], [])
    made = sum(each.table[levels[:, each.first], levels[:, each.second]] for each in terms)
    assert np.abs(made - bits).max() < 0.05


def test_where_nothing_is_seen_a_term_stays_as_it_began() -> None:
    table = np.zeros((16, 16))
    table[3, 3] = -5.0
    terms = fitted(np.array([[1, 1]]), np.array([0.0]), np.array([10.0]), [4, 4], [Dependence(0, 1, table)])
    assert [each.table[3, 3] for each in terms] == [-5.0]
