"""The cell-key method against its table of transitions: how often a count becomes another, and tables that
others made."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from kernels.cell_key import MODULUS
from pipelines.disclosure.cell_key import transitions
from pipelines.disclosure.cell_key.entropy import made
from pipelines.disclosure.cell_key.keys import of_inner
from tests.method_cases import REFERENCE, case, cells, result, written

HERE = pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference data of ../shared/reference/disclosure are not here"
)
LEVELS = ("a", "b", "c", "d", "e")
DIMENSIONS = {name: {"levels": [name]} for name in LEVELS}


def entropy(p: np.ndarray) -> float:
    return float(-(p[p > 0] * np.log(p[p > 0])).sum())


@pytest.mark.parametrize(
    ("most", "variance", "hidden", "stay"),
    [(5, 3, 2, None), (5, 3, 2, 0.5), (3, 1, 0, None), (10, 7, 4, None), (2, 0.5, 0, 0.7)],
)
def test_a_made_table_changes_nothing_in_the_mean_has_its_variance_and_shows_no_small_count(
    most: int, variance: float, hidden: int, stay: float | None
) -> None:
    for count, (changes, chances) in enumerate(made(most, variance, hidden, stay).rows):
        v, p = np.array(changes), np.array(chances)
        assert (
            p.sum() == pytest.approx(1) and (p >= 0).all() and abs(v).max() <= most and (v + count >= 0).all()
        )
        assert not {count + change for change in changes} & set(range(1, hidden + 1))
        if count:
            assert p @ v == pytest.approx(0, abs=1e-9) and p @ v**2 == pytest.approx(variance, abs=1e-8)
        if stay is not None and count > hidden:
            assert p[v == 0] == pytest.approx(stay)


def test_no_other_table_of_that_mean_and_variance_has_more_entropy() -> None:
    changes, chances = made(5, 3, 2).rows[4]
    v, p = np.array(changes, float), np.array(chances)
    basis = np.linalg.svd(np.stack([np.ones_like(v), v, v**2]))[2][3:]  # directions that keep all three

    for direction in basis:
        for step in (1e-4, -1e-4):
            assert entropy(p + step * direction) < entropy(p)


@HERE
def test_the_table_that_tau_argus_ships_comes_out_of_its_settings() -> None:
    given, own = transitions.read(REFERENCE / "tauargus_ckm_ptab_freq.csv"), made(5, 3, 2, stay=0.5)
    assert (given.most, given.hidden) == (own.most, own.hidden) == (5, 2)
    for (changes, chances), (others, theirs) in zip(own.rows[1:], given.rows[1:], strict=True):
        assert changes == others
        moved = [
            p for v, p in sorted(zip(changes, chances, strict=True), key=lambda each: abs(each[0])) if v < 0
        ]
        if moved == sorted(moved, reverse=True):  # theirs asks for that, too
            assert chances == pytest.approx(theirs, abs=2e-5)
        assert entropy(np.array(theirs)) <= entropy(np.array(chances)) + 1e-6


@HERE
def test_each_count_becomes_another_as_often_as_the_table_says(tmp_path: Path) -> None:
    """Many small cells, each of records with keys of their own: chi-square for each count that enough cells
    have."""
    random = np.random.default_rng(5)
    rows = [(*random.integers(0, 6, 5), f"{key:.12f}") for key in random.random(20_000)]
    method = {
        "kind": "cell_key",
        "record_keys": "key",
        "ptable": str(REFERENCE / "tauargus_ckm_freq_ptable.csv"),
    }
    held = case(tmp_path, method, rows, " ".join([*LEVELS, "key"]), count=None, dimensions=DIMENSIONS)
    together, changed = result(held)
    inner = together.inner()
    before, after = together.sums(together.count)[inner], changed.values[inner]
    table, tested = transitions.read(REFERENCE / "tauargus_ckm_freq_ptable.csv"), 0
    assert (after[before == 0] == 0).all()
    for count in range(1, 9):
        changes, chances = table.rows[count]
        cells_of, seen = int((before == count).sum()), Counter((after - before)[before == count].tolist())
        expected = np.array(chances) * cells_of
        often = expected >= 5
        if cells_of < 200:
            continue
        observed = np.array([seen[change] for change in changes])
        bins = [
            *zip(observed[often], expected[often], strict=True),
            (observed[~often].sum(), expected[~often].sum()),
        ]
        bins = [each for each in bins if each[1] > 0]
        assert chisquare([o for o, _ in bins], [e for _, e in bins]).pvalue > 1e-4
        tested += 1
    assert tested >= 4


@HERE
def test_microdata_of_tau_argus_give_what_their_keys_and_the_table_say(tmp_path: Path) -> None:
    """Against sums of keys in exact decimals, and the table's own bounds."""
    from decimal import Decimal

    with (REFERENCE / "tauargus_ckm_microdata.csv").open(newline="") as source:
        rows = [(row[0], row[1], row[-1]) for row in csv.reader(source, delimiter=";")]
    with (REFERENCE / "tauargus_ckm_ptab_freq.csv").open(newline="") as source:
        table = [
            (int(row["i"]), int(row["j"]), Decimal(row["p_int_ub"]))
            for row in csv.DictReader(source, delimiter=";")
        ]
    method = {
        "kind": "cell_key",
        "record_keys": "key",
        "ptable": str(REFERENCE / "tauargus_ckm_ptab_freq.csv"),
    }
    held = case(
        tmp_path,
        method,
        rows,
        "a b key",
        count=None,
        dimensions={"a": {"levels": ["a"]}, "b": {"levels": ["b"]}},
    )
    highest = max(i for i, _, _ in table)
    for (a, b), value in cells(held).items():
        keys = [Decimal(key) for one, two, key in rows if a in ("Total", one) and b in ("Total", two)]
        row, key = min(len(keys), highest), sum(keys, Decimal(0)) % 1
        assert value == len(keys) + next(j - i for i, j, bound in table if i == row and key < bound)
    written(tmp_path, held)


def test_keys_from_a_secret_lie_evenly_between_0_and_1(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(40)))
    (tmp_path / "secret").chmod(0o600)
    rows = [("x", f"p{number}") for number in range(20_000)]
    method = {"kind": "cell_key", "key_file": "secret"}
    held = case(tmp_path, method, rows, "a id", count=None, person="id", dimensions={"a": {"levels": ["a"]}})
    _, keys = of_inner(held, held.specification.method)  # type: ignore[arg-type]
    assert len(np.unique(keys)) == len(keys) and kstest(keys / MODULUS, "uniform").pvalue > 1e-4
