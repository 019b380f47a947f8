"""Clerical review: the sample, the way to people and back, and that the estimates are right as often as they
say."""

from __future__ import annotations

import csv
import itertools
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DataError, SettingsError
from pipelines.linkage.review import (
    Decision,
    Record,
    Shown,
    Word,
    decided_links,
    key_path,
    read_decisions,
    write_review,
)
from pipelines.linkage.review_estimate import estimate
from pipelines.linkage.review_sample import Sample, Strata, sample_for_review

THRESHOLD = 3.0


def population(n: int, random: np.random.Generator) -> np.ndarray:
    """Weights as linkages have them: few high, many low."""
    high, low = random.normal(14, 6, n // 4), random.normal(-6, 4, n - n // 4)
    return np.concatenate([high, low])


def decided(sample: Sample, truth: np.ndarray) -> list[Decision]:
    """A reviewer who is always right."""
    return [
        Decision(
            number,
            Record("a", str(place)),
            Record("b", str(place)),
            bits,
            stratum,
            "match" if truth[place] else "no",
        )
        for number, (place, bits, stratum) in enumerate(
            zip(sample.positions.tolist(), sample.bits.tolist(), sample.strata.tolist(), strict=True), 1
        )
    ]


def true_values(weights: np.ndarray, truth: np.ndarray, threshold: float) -> dict[str, float]:
    """The slow twin: counted pair by pair."""
    linked = [weight >= threshold for weight in weights.tolist()]
    right = sum(link and match for link, match in zip(linked, truth.tolist(), strict=True))
    precision, recall = right / sum(linked), right / sum(truth.tolist())
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}


# ---- the sample --------------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(-40, 60), max_size=300), st.floats(-5, 20), st.integers(40, 120), st.integers(0, 2**63)
)
def test_a_sample_has_the_asked_size_and_reaches_every_stratum(
    values: list[float], threshold: float, size: int, seed: int
) -> None:
    weights = np.array(values, float)
    sample = sample_for_review(weights, threshold, size, seed)
    assert len(sample) == min(size, len(weights)) == len(np.unique(sample.positions))
    assert sample.bits.tolist() == weights[sample.positions].tolist()
    cuts = sample.of.cuts
    slow = [sum(weight >= cut for cut in cuts) for weight in values]
    assert sample.strata.tolist() == [slow[place] for place in sample.positions.tolist()]
    assert list(sample.of.sizes) == [slow.count(stratum) for stratum in range(len(cuts) + 1)]
    taken = np.bincount(sample.strata, minlength=len(cuts) + 1)
    assert (taken >= np.minimum(sample.of.sizes, 4)).all()
    assert np.isclose(sample.expansion().sum(), len(weights))
    assert (sample.positions.dtype, sample.strata.dtype) == (np.int64, np.int32)


def test_the_same_pairs_give_the_same_sample_and_a_seed_another() -> None:
    weights = population(5_000, np.random.default_rng(1))
    first, again, other = (
        sample_for_review(weights, THRESHOLD, 200, seed).positions.tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_each_pair_of_a_stratum_has_the_same_chance() -> None:
    weights = np.linspace(THRESHOLD, THRESHOLD + 0.99, 20)
    drawn = np.bincount(
        np.concatenate([sample_for_review(weights, THRESHOLD, 5, seed).positions for seed in range(4_000)]),
        minlength=20,
    )
    assert abs(drawn - 1_000).max() < 5 * np.sqrt(4_000 * 0.25 * 0.75)


def test_most_of_a_sample_is_where_the_model_doubts() -> None:
    sample = sample_for_review(population(100_000, np.random.default_rng(2)), THRESHOLD, 400)
    near = (abs(sample.bits - THRESHOLD) < 4).mean()
    assert near > 0.3
    assert len(set(sample.strata[:60].tolist())) > 5  # shown in mixed order


def test_too_small_a_sample_is_refused() -> None:
    with pytest.raises(SettingsError, match="ask for 40 or more"):
        sample_for_review(population(5_000, np.random.default_rng(3)), THRESHOLD, 39)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_are_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        sample_for_review(np.array([1.0, bad]), THRESHOLD, 10)


# ---- out and back ------------------------------------------------------------------------------------------

VALUES = {"surname": ("Öberg", "Oberg"), "given, name": ('An"na', None), "note": ("=1+1\nnext", "-5")}


def exported(folder: Path) -> tuple[Path, Sample]:
    sample = sample_for_review(population(2_000, np.random.default_rng(4)), THRESHOLD, 60)
    pairs = [
        Shown(Record("a", f"={place}"), Record("b;c", f"00{place}"), VALUES)
        for place in sample.positions.tolist()
    ]
    write_review(folder / "review.csv", sample, pairs)
    return folder / "review.csv", sample


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def put(path: Path, rows: list[list[str]], delimiter: str = ",", encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


def test_people_see_both_records_side_by_side(tmp_path: Path) -> None:
    path, sample = exported(tmp_path)
    header, first, *rest = table(path)
    assert header == [
        "pair",
        "left_source",
        "left_id",
        "right_source",
        "right_id",
        "surname, left",
        "surname, right",
        "given, name, left",
        "given, name, right",
        "note, left",
        "note, right",
        "weight",
        "stratum",
        "decision",
        "review",
    ]
    place = int(sample.positions[0])
    assert first[:11] == [
        "1",
        "a",
        f"'={place}",
        "b;c",
        f"00{place}",
        "Öberg",
        "Oberg",
        'An"na',
        "",
        "'=1+1 next",
        "-5",
    ]
    assert first[11:14] == [f"{sample.bits[0]:.3f}", sample.of.name(int(sample.strata[0])), ""]
    assert len(rest) == 59
    assert sorted(each.name for each in tmp_path.iterdir()) == ["review.csv", "review.json"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "cp1252"), ("\t", "utf-8-sig")])
def test_decisions_come_back_whatever_a_spreadsheet_did_to_the_rest(
    delimiter: str, encoding: str, tmp_path: Path
) -> None:
    path, sample = exported(tmp_path)
    header, *rows = table(path)
    for row, word in zip(rows, itertools.cycle(["match", " NO ", "Unsure", ""]), strict=False):
        row[-2], row[2], row[11] = word, "1,2E+08", "43891"
    put(path, [header, *rows[::-1], [""] * len(header)], delimiter, encoding)
    decisions, strata = read_decisions(path)
    assert strata == sample.of
    assert [each.decision for each in decisions[:5]] == ["match", "no", "unsure", "", "match"]
    assert [each.left for each in decisions] == [
        Record("a", f"={place}") for place in sample.positions.tolist()
    ]
    assert [each.bits for each in decisions] == sample.bits.tolist()
    assert [each.stratum for each in decisions] == sample.strata.tolist()


FAULTS = {
    "another word": (lambda rows: rows[3].__setitem__(-2, "SECRET"), "line 4: has another decision"),
    "no number": (lambda rows: rows[2].__setitem__(0, "SECRET"), "line 3: has no number of a pair"),
    "a number too high": (lambda rows: rows[2].__setitem__(0, "61"), "line 3: has no number of a pair"),
    "a digit that is none": (lambda rows: rows[2].__setitem__(0, "²"), "line 3: has no number of a pair"),
    "a pair twice": (lambda rows: rows.append(rows[1]), "line 62: decides pair 1 a second time"),
    "a row less": (lambda rows: rows.pop(7), "lacks pair 7"),
    "a cell more": (lambda rows: rows[5].append("SECRET"), "line 6: has 16 cells, not 15"),
    "another review": (lambda rows: rows[9].__setitem__(-1, "abcdefghijkl"), "line 10: is of another review"),
    "no header": (lambda rows: rows.pop(0), "line 1: names no column `pair`"),
    "nothing": (lambda rows: rows.clear(), "line 1: names no column `pair`"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_is_named_by_its_line_and_never_quoted(fault: str, tmp_path: Path) -> None:
    path, _ = exported(tmp_path)
    rows, (change, message) = table(path), FAULTS[fault]
    change(rows)
    put(path, rows)
    with pytest.raises(DataError, match=message) as error:
        read_decisions(path)
    assert "SECRET" not in str(error.value)


def test_a_file_that_is_not_there_or_no_csv_is_told_so(tmp_path: Path) -> None:
    path, _ = exported(tmp_path)
    path.write_text('pair,decision,review\n"1"x,,\n', encoding="utf-8")
    with pytest.raises(DataError, match="does not read as CSV"):
        read_decisions(path)
    path.unlink()
    with pytest.raises(DataError, match="is not there"):
        read_decisions(path)
    key_path(path).unlink()
    with pytest.raises(DataError, match=r"review\.csv: is not there"):
        read_decisions(path)


def test_as_many_pairs_are_shown_as_were_sampled(tmp_path: Path) -> None:
    sample = sample_for_review(np.arange(10.0), THRESHOLD, 60)
    with pytest.raises(ValueError, match="argument 2 is longer"):
        write_review(tmp_path / "review.csv", sample, [])
    assert list(tmp_path.iterdir()) == []


# ---- estimates ---------------------------------------------------------------------------------------------


def test_when_all_is_decided_the_estimate_is_the_truth() -> None:
    random = np.random.default_rng(5)
    weights = population(600, random)
    truth = random.random(600) < 1 / (1 + np.exp2(-weights))
    found = estimate(
        decided(sample_for_review(weights, THRESHOLD, 600), truth), Strata.of(weights, THRESHOLD)
    )
    for name, value in true_values(weights, truth, THRESHOLD).items():
        assert found[name] == pytest.approx((value, value, value))
    for each in found["curve"]:
        assert each["f1"][0] == pytest.approx(true_values(weights, truth, each["bits"])["f1"])
    assert (found["decided"], found["unsure"]) == (600, 0)


def test_the_estimate_by_a_loop_over_pairs() -> None:
    random = np.random.default_rng(6)
    weights = population(4_000, random)
    truth = random.random(4_000) < 1 / (1 + np.exp2(-weights))
    sample = sample_for_review(weights, THRESHOLD, 300)
    found = estimate(decided(sample, truth), sample.of)
    right = every = pairs = 0.0
    for place, bits, stands_for in zip(sample.positions, sample.bits, sample.expansion(), strict=True):
        right += stands_for * truth[place] * (bits >= THRESHOLD)
        every += stands_for * truth[place]
        pairs += stands_for * (bits >= THRESHOLD)
    assert found["precision"][0] == pytest.approx(right / pairs)
    assert found["recall"][0] == pytest.approx(right / every)
    assert found["f1"][0] == pytest.approx(2 * right / (pairs + every))


@pytest.mark.parametrize(("shift", "size"), [(0.0, 80), (0.0, 300), (4.0, 150), (-4.0, 150)])
def test_the_intervals_hold_the_truth_as_often_as_they_say(shift: float, size: int) -> None:
    """The model is right about the weights, or wrong by four bits either way; the intervals may not rely on
    it. The mean of the estimated matches, Horvitz and Thompson's, is the truth."""
    random = np.random.default_rng(7)
    weights = population(20_000, random)
    truth = random.random(20_000) < 1 / (1 + np.exp2(-weights + shift))
    true = true_values(weights, truth, THRESHOLD)
    inside, estimates, runs = dict.fromkeys(true, 0), [], 100
    for seed in range(runs):
        sample = sample_for_review(weights, THRESHOLD, size, seed)
        found = estimate(decided(sample, truth), sample.of)
        estimates.append(found["precision"][0])
        for name, value in true.items():
            assert found[name][1] <= found[name][0] <= found[name][2]
            inside[name] += found[name][1] - 1e-12 <= value <= found[name][2] + 1e-12
    assert min(inside.values()) >= 0.93 * runs, inside  # 0.95 less what 100 runs may differ by
    assert abs(np.mean(estimates) - true["precision"]) < 4 * np.std(estimates) / np.sqrt(runs) + 1e-9


def test_more_decisions_make_intervals_narrower() -> None:
    random = np.random.default_rng(8)
    weights = population(20_000, random)
    truth = random.random(20_000) < 1 / (1 + np.exp2(-weights))
    widths = []
    for size in (100, 400, 1600):
        sample = sample_for_review(weights, THRESHOLD, size)
        _, low, high = estimate(decided(sample, truth), sample.of)["f1"]
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2]


def one(stratum: int, word: Word, number: int = 1) -> Decision:
    return Decision(number, Record("a", str(number)), Record("b", str(number)), 0.0, stratum, word)


STRATA = Strata(THRESHOLD, (THRESHOLD,), (100, 50))


def test_unsure_and_undecided_pairs_are_left_out_and_counted() -> None:
    decisions = [
        one(0, "no"),
        one(0, "no"),
        one(1, "match"),
        one(1, "match"),
        one(1, "match"),
        one(1, "no"),
        one(1, "unsure"),
        one(1, ""),
    ]
    found = estimate(decisions, STRATA)
    assert found["precision"][0] == 0.75
    assert found["recall"] == (1.0, found["recall"][1], 1.0)
    assert (found["decided"], found["unsure"]) == (6, 1)
    assert found["unsure_as"]["match"]["precision"] == 0.8
    assert found["unsure_as"]["no"]["precision"] == 0.6
    assert found == estimate(decisions[::-1], STRATA)


def test_a_better_threshold_is_suggested() -> None:
    strata = Strata(THRESHOLD, (1.0, THRESHOLD, 7.0), (500, 100, 100, 300))
    decisions = [
        one(stratum, word)
        for stratum, word in enumerate(["no", "match", "match", "match"])
        for _ in range(30)
    ]
    found = estimate(decisions, strata)
    assert found["suggested"] == 1.0
    assert found["recall"][0] == 0.8
    assert [each["bits"] for each in found["curve"]] == [1.0, 3.0, 7.0]
    assert estimate(decisions, strata, 7.0)["recall"][0] == 0.6


def test_what_cannot_be_estimated_is_said() -> None:
    with pytest.raises(DataError, match="no pair of below 3 bits is decided"):
        estimate([one(1, "match"), one(0, "unsure")], STRATA)
    with pytest.raises(SettingsError, match="2 bits is no edge of a stratum; ask for one of 3"):
        estimate([one(0, "no"), one(1, "match")], STRATA, 2.0)
    none = estimate([one(0, "no"), one(1, "no")], STRATA)
    assert (none["precision"][0], none["recall"]) == (0.0, None)
    nothing = estimate([], Strata(THRESHOLD, (THRESHOLD,), (0, 0)))
    assert (nothing["precision"], nothing["recall"], nothing["f1"], nothing["suggested"]) == (
        None,
        None,
        None,
        None,
    )


def test_decisions_bind_the_next_run() -> None:
    links = decided_links(
        [one(0, "match", 1), one(0, "no", 2), one(0, "unsure", 3), one(0, "", 4), one(1, "match", 5)]
    )
    assert links.must == ((Record("a", "1"), Record("b", "1")), (Record("a", "5"), Record("b", "5")))
    assert links.cannot == ((Record("a", "2"), Record("b", "2")),)
