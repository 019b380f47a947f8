"""The rulebook of rounding and perturbing: what each method makes of a count."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.disclosure.noise import mechanism
from pipelines.disclosure.rounding.nearest import to_base, to_midpoint
from pipelines.disclosure.suggest import suggest
from pipelines.errors import DataError, DisclosureError, KeyFileError, SettingsError
from tests.method_cases import COUNTS, broken, case, cells, result, specification, written

RECORDS = [
    (number, *row[:3], f"{(number * 7919 % 10_007) / 10_007:.8f}")
    for number, row in enumerate(r for r in COUNTS for _ in range(r[3]))
]
ROOT = Path(__file__).parents[2]
COLUMNS = "id county region diag key"
KEYED = {"kind": "cell_key", "record_keys": "key"}
ROUNDING = ["small_count_rounding", "controlled_rounding", "base_rounding", "midpoint"]


def records(folder: Path, method: Any = KEYED, rows: Any = RECORDS, **more: Any) -> Any:
    return case(folder, method, rows, COLUMNS, count=None, **more)


def key_file(folder: Path, content: bytes = bytes(range(32)), mode: int = 0o600) -> Path:
    (folder / "secret").write_bytes(content)
    (folder / "secret").chmod(mode)
    return folder / "secret"


def test_midpoint_six_makes_1_to_6_a_3_and_7_to_12_a_9() -> None:
    made = to_midpoint(np.arange(14), 6, True)
    assert made.values.tolist() == [0, 3, 3, 3, 3, 3, 3, 9, 9, 9, 9, 9, 9, 15]
    assert (made.low[7], made.high[7], made.low[1], made.high[1]) == (7, 12, 1, 6)


def test_base_rounding_hides_1_to_7_and_makes_8_to_12_a_10() -> None:
    made = to_base(np.arange(14), 5, 7, True)
    assert made.hidden.tolist() == [False] + [True] * 7 + [False] * 6
    assert made.values[~made.hidden].tolist() == [0, 10, 10, 10, 10, 10, 15]
    assert (made.low[8], made.high[8]) == (8, 12)


def test_a_count_of_nobody_is_hidden_where_zeros_are_protected() -> None:
    assert (
        to_base(np.array([0]), 5, 7, False).hidden.all() and to_midpoint(np.array([0]), 6, False).hidden.all()
    )


@pytest.mark.parametrize("base", [5, 4])
def test_every_interval_of_base_rounding_holds_the_counts_that_give_its_number(base: int) -> None:
    count = np.arange(200)
    made = to_base(count, base, 7, True)
    for value in set(made.values[~made.hidden & (count < 150)].tolist()):
        own = ~made.hidden & (made.values == value)
        assert (made.low[own][0], made.high[own][0]) == (count[own].min(), count[own].max())


def test_small_count_rounding_makes_small_counts_0_or_5_and_leaves_the_others(tmp_path: Path) -> None:
    made = cells(case(tmp_path, "small_count_rounding"))
    for _, region, diag, count in COUNTS:
        value = made[region, diag]
        assert value == count if count == 0 or count >= 5 else value in (0, 5)


def test_rounded_counts_add_up(tmp_path: Path) -> None:
    for method in ("small_count_rounding", "controlled_rounding"):
        made = cells(case(tmp_path, method))
        assert (
            made["Total", "Total"]
            == made["c1", "Total"] + made["c2", "Total"]
            == sum(made[row[1], row[2]] for row in COUNTS)
        )


def test_controlled_rounding_makes_every_cell_a_multiple_next_to_its_count(tmp_path: Path) -> None:
    made = cells(case(tmp_path, {"kind": "controlled_rounding", "base": 7}))
    assert all(value % 7 == 0 for value in made.values())
    assert all(abs(made[region, diag] - count) < 7 for _, region, diag, count in COUNTS)
    assert abs(made["Total", "Total"] - sum(row[3] for row in COUNTS)) < 7


def test_small_counts_that_their_total_would_tell_are_told_by_no_rounded_number(tmp_path: Path) -> None:
    rows = [("c1", "r1", diag, 1) for diag in "abcdefg"] + [("c1", "r2", diag, 50) for diag in "abcdefg"]
    out = written(
        tmp_path, case(tmp_path, "base_rounding", rows)
    )  # seven cells of at least one person under a total of at most seven
    assert '"zeros": "hidden"' in (out / "proof.json").read_text()


def test_a_base_below_the_minimum_is_refused(tmp_path: Path) -> None:
    for method in (
        {"kind": "small_count_rounding", "base": 4},
        {"kind": "controlled_rounding", "base": 3},
        {"kind": "base_rounding", "redact": 3},
    ):
        with pytest.raises(SettingsError, match="minimum"):
            result(case(tmp_path, method))
    with pytest.raises(SettingsError, match="minimum"):
        result(case(tmp_path, "midpoint", policy={"minimum": 10}))


@pytest.mark.parametrize("base", [1, 0, -5])
@pytest.mark.parametrize("kind", ROUNDING)
def test_a_base_of_less_than_two_is_none(tmp_path: Path, kind: str, base: int) -> None:
    with pytest.raises(SettingsError, match="base"):
        specification(tmp_path, {"kind": kind, "base": base})


def test_no_method_but_suppression_keeps_rules_on_who_contributes_or_on_who_is_left(tmp_path: Path) -> None:
    for policy in (
        {"outside": 5},
        {"preset": "open_data"},
        {"special": {"diag": [{"codes": ["w"], "minimum": 20}]}},
    ):
        with pytest.raises(SettingsError, match="suppression"):
            result(case(tmp_path, "midpoint", policy=policy))


@pytest.mark.parametrize("method", ROUNDING)
def test_the_status_does_not_tell_which_cells_changed(tmp_path: Path, method: str) -> None:
    out = written(tmp_path, case(tmp_path, method))
    lines = (out / "table.csv").read_text().splitlines()[1:]
    assert {line.rsplit(",", 1)[1] for line in lines if line.split(",")[2]} == {"rounded"}


def test_only_the_project_may_read_the_report_and_the_certificate(tmp_path: Path) -> None:
    out = written(tmp_path, records(tmp_path))
    assert stat.S_IMODE((out / "certificate").stat().st_mode) == 0o700
    for path in (out / "report.html", *(out / "certificate").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_proof_tells_neither_keys_nor_transitions(tmp_path: Path) -> None:
    proof = (written(tmp_path, records(tmp_path)) / "proof.json").read_text()
    assert '"most": 5' in proof and not any(
        secret in proof for secret in ("record_keys", "key_file", "ptable")
    )


def test_the_same_people_give_the_same_number_in_every_table(tmp_path: Path) -> None:
    whole = cells(records(tmp_path))
    other = cells(
        records(
            tmp_path,
            rows=RECORDS[::-1],
            dimensions={"diag": {"levels": ["diag"]}, "county": {"levels": ["county"]}},
        )
    )
    assert all(whole[county, diag] == value for (diag, county), value in other.items())
    next_night = [*RECORDS, ("new", "c2", "r4", "w", "0.5")]
    later = cells(records(tmp_path, rows=next_night))
    assert all(
        later[cell] == value for cell, value in whole.items() if "c1" in cell or cell[0] in ("r1", "r2", "r3")
    )


def test_keys_come_from_who_it_is_and_a_secret(tmp_path: Path) -> None:
    key_file(tmp_path)
    method = {"kind": "cell_key", "key_file": "secret"}
    first = cells(records(tmp_path, method, person="id"))
    assert first == cells(records(tmp_path, method, RECORDS[::-1], person="id"))
    key_file(tmp_path, bytes(range(1, 33)))
    assert first != cells(records(tmp_path, method, person="id"))


def test_a_cell_of_nobody_stays_0_and_no_count_of_1_or_2_comes_out(tmp_path: Path) -> None:
    made = cells(records(tmp_path))
    assert made["r1", "z"] == 0 if ("r1", "z") in made else True
    assert not {1, 2} & set(made.values())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("i,j,p\n0,0,1\n1,0,.5\n1,3,.4\n", "sum to 1"),
        ("i,j\n0,0\n", "no column p"),
        ("i,j,p\n1,0,x\n", "numbers"),
        ("i,j,p\n1,-1,1\n", "negative"),
        ("i,j,p\n1,0,.5\n1,0,.5\n", "twice"),
        ("i,j,p\n0,0,1\n2,0,1\n", "count of 1"),
        ("i,j,p,p_int_ub\n1,0,.5,.4\n1,3,.5,1\n", "bounds"),
        ("i,j,p\n1,0,-.5\n1,3,1.5\n", "sum to 1"),
    ],
)
def test_what_is_no_table_of_transitions_is_refused(tmp_path: Path, lines: str, says: str) -> None:
    (tmp_path / "ptable.csv").write_text(lines)
    with pytest.raises(DataError, match=says):
        result(records(tmp_path, {**KEYED, "ptable": "ptable.csv"}))


def test_what_the_cell_key_method_needs_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not there"):
        result(records(tmp_path, {**KEYED, "ptable": "none.csv"}))
    with pytest.raises(DataError):
        result(records(tmp_path, {"kind": "cell_key", "record_keys": "none"}))
    with pytest.raises(SettingsError, match="one a row"):
        result(case(tmp_path, KEYED))
    with pytest.raises(DataError, match="from 0 to below 1"):
        result(records(tmp_path, rows=[(*row[:4], "1.5") for row in RECORDS]))
    with pytest.raises(SettingsError, match="record_keys or key_file"):
        specification(tmp_path, "cell_key")
    with pytest.raises(SettingsError, match="variance"):
        result(records(tmp_path, {**KEYED, "ptable": {"variance": 0.5}}))


def test_a_key_file_must_be_long_and_private_and_nobody_counts_twice(tmp_path: Path) -> None:
    method = {"kind": "cell_key", "key_file": "secret"}
    with pytest.raises(KeyFileError, match="cannot be read"):
        result(records(tmp_path, method, person="id"))
    key_file(tmp_path, b"short")
    with pytest.raises(KeyFileError, match="fewer than 32"):
        result(records(tmp_path, method, person="id"))
    key_file(tmp_path, mode=0o644)
    with pytest.raises(KeyFileError, match="others"):
        result(records(tmp_path, method, person="id"))
    key_file(tmp_path)
    with pytest.raises(SettingsError, match="person"):
        result(records(tmp_path, method))
    with pytest.raises(DataError):
        result(records(tmp_path, method, [*RECORDS, RECORDS[0]], person="id"))


@pytest.mark.parametrize("change", ["a value", "a file", "the true counts"])
@pytest.mark.parametrize("method", [*ROUNDING, KEYED])
def test_what_was_changed_afterwards_does_not_verify(tmp_path: Path, method: Any, change: str) -> None:
    out = written(tmp_path, records(tmp_path, method))
    if change == "a value":
        lines = (out / "table.csv").read_text().splitlines()
        first, value, status = lines[1].rsplit(",", 2)
        (out / "table.csv").write_text(
            "\n".join([lines[0], f"{first},{int(value) + 1},{status}", *lines[2:]]) + "\n"
        )
    elif change == "a file":
        (out / "table.parquet").write_bytes(b"")
    else:
        inner = pq.read_table(out / "certificate" / "inner.parquet")
        more = pa.array([each + 30 for each in inner["count"].to_pylist()])
        pq.write_table(
            inner.set_column(inner.column_names.index("count"), "count", more),
            out / "certificate" / "inner.parquet",
        )
    assert broken(out)


@pytest.mark.parametrize("method", ["controlled_rounding", "base_rounding", "midpoint"])
def test_a_move_that_would_show_does_not_verify(tmp_path: Path, method: str) -> None:
    out = written(tmp_path, case(tmp_path, method))
    path = out / "certificate" / "moves.parquet"
    moves = pq.read_table(path)
    more = pa.array([each * 40 for each in moves["change"].to_pylist()])
    pq.write_table(moves.set_column(moves.column_names.index("change"), "change", more), path)
    assert broken(out) == [
        "every small cell could be another for all that is shown, even for one who knows which hidden cells "
        "are small"
    ]


def test_a_purpose_and_a_table_have_a_method(tmp_path: Path) -> None:
    told = suggest(records(tmp_path, "suppression", purpose="open_data"), lambda _text: None)
    assert told["recommended"] == "cell_key" and {each["method"] for each in told["methods"]} >= {
        "suppression",
        *ROUNDING,
    }
    plain = suggest(case(tmp_path, "suppression", purpose="research"), lambda _text: None)
    losses = {each["method"]: each for each in plain["methods"]}
    assert losses["cell_key"]["why_not"] and losses["small_count_rounding"]["largest_error"] < 5
    assert plain["recommended"] == (
        "suppression" if losses["suppression"]["hidden"] <= 0.25 else "small_count_rounding"
    )
    kept = suggest(case(tmp_path, "suppression", policy={"outside": 3}), lambda _text: None)
    assert kept["recommended"] == "suppression"


NOISE = {"kind": "noise", "epsilon": 1.0, "budget": 2.0, "ledger": "ledger.jsonl"}


def opendp() -> None:
    pytest.importorskip("opendp", reason="OpenDP, the extra `noise`, is not installed")


def test_noise_is_spent_from_a_budget_and_refused_when_it_is_gone(tmp_path: Path) -> None:
    opendp()
    for _ in range(2):
        written(tmp_path, case(tmp_path, NOISE))
    with pytest.raises(DisclosureError, match="budget"):
        result(case(tmp_path, NOISE))
    with pytest.raises(SettingsError, match="budget"):
        result(case(tmp_path, {**NOISE, "budget": 9.0}))
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 3
    assert stat.S_IMODE((tmp_path / "ledger.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        "x",
        '{"budget": 2}',
        '{"budget": 2}\n{"epsilon": "1"}\n',
        '{"budget": 2}\n{"epsilon": -1, "delta": 0}\n',
    ],
)
def test_a_ledger_that_does_not_read_spends_nothing(tmp_path: Path, content: str) -> None:
    opendp()
    (tmp_path / "ledger.jsonl").write_text(content)
    with pytest.raises(DataError, match="ledger"):
        result(case(tmp_path, NOISE))
    assert (tmp_path / "ledger.jsonl").read_text() == content


def test_noise_without_its_library_is_refused_and_spends_nothing(tmp_path: Path) -> None:
    case(tmp_path, NOISE)
    code = (
        "from kernels.jit import without\n"
        "from pathlib import Path\n"
        "from pipelines.disclosure.alone import prepare, protect_into\n"
        "from pipelines.disclosure.specification import Specification\n"
        "path = Path('spec.yaml')\n"
        "with without('opendp'):\n"
        "    protect_into(prepare(path, Specification.load(path)), Path('out'), print)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OpenDP, which is not installed" in ran.stderr
    assert not (tmp_path / "ledger.jsonl").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [{}, {"mechanism": "gaussian", "delta": 1e-6}])
def test_noise_is_as_large_as_its_privacy_needs_and_tables_add_up(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    opendp()
    count = np.full(20_000, 100)
    values, scale = mechanism.noisy(count, 2, 0.5, more.get("delta"))
    spread = np.sqrt(2) * scale if not more else scale
    assert (
        abs(values.mean() - 100) < 5 * spread / np.sqrt(len(count)) and abs(values.std() / spread - 1) < 0.1
    )
    assert scale == pytest.approx(4.0) if not more else scale > 4.0
    made = cells(case(tmp_path, {**NOISE, **more}))
    assert made["Total", "Total"] == sum(made[row[1], row[2]] for row in COUNTS)


def test_noise_is_of_one_table_and_gaussian_noise_needs_a_delta(tmp_path: Path) -> None:
    opendp()
    tables = {
        "one": {"dimensions": {"diag": {"levels": ["diag"]}}},
        "two": {"dimensions": {"region": {"levels": ["region"]}}},
    }
    with pytest.raises(SettingsError, match="one table"):
        result(case(tmp_path, NOISE, dimensions=None, tables=tables))
    for wrong in ({"mechanism": "gaussian"}, {"delta": 0.1}, {"epsilon": 0}, {"epsilon": -1}):
        with pytest.raises(SettingsError):
            specification(tmp_path, {**NOISE, **wrong})
