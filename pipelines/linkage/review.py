"""Clerical review: people decide a sample of pairs; their decisions say how right the links are, and bind the
next run. Here are the files that go out to them, and come back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast

from pipelines.errors import DataError
from pipelines.files import digests, documents, plain
from pipelines.files.dialect import of_text
from pipelines.linkage.review_sample import Sample, Strata

Word = Literal["match", "no", "unsure", ""]

WORDS: Final = ("match", "no", "unsure")
_OWN: Final = ("pair", "decision", "review")  # the columns that are read back


class Record(NamedTuple):
    """A record of a person's table."""

    source: str
    id: str


class Shown(NamedTuple):
    """What a reviewer sees of a pair. `values`: of each field the left and the right record's."""

    left: Record
    right: Record
    values: Mapping[str, tuple[str | None, str | None]]


class Decision(NamedTuple):
    """A pair, and what people say of it: "" is not decided yet."""

    pair: int
    left: Record
    right: Record
    bits: float
    stratum: int
    decision: Word


class Links(NamedTuple):
    """Pairs that people decided: what must be one person and what must not, for the next run."""

    must: tuple[tuple[Record, Record], ...]
    cannot: tuple[tuple[Record, Record], ...]


def key_path(path: Path) -> Path:
    """The file beside a review's CSV that remembers which pair is which; a spreadsheet may spoil the CSV's
    ids and numbers, not these."""
    return path.with_suffix(".json")


def write_review(path: Path, sample: Sample, pairs: Sequence[Shown]) -> None:
    """Write the CSV for people, and beside it, in JSON, what its pairs are. Both hold ids, the CSV also
    values: they stay in the zone.

    `pairs`: of each sampled pair, in the sample's order, what is shown. Columns: the pair's number, source
    and id of both records, the values of each field side by side, weight (bits), stratum, `decision` (to be
    filled) and the review's name.
    """
    rows = list(zip(pairs, sample.bits.tolist(), sample.strata.tolist(), strict=True))
    key: dict[str, Any] = {
        "threshold": sample.of.threshold,
        "cuts": list(sample.of.cuts),
        "sizes": list(sample.of.sizes),
        "pairs": [[*shown.left, *shown.right, bits, stratum] for shown, bits, stratum in rows],
    }
    fields = list(dict.fromkeys(name for shown in pairs for name in shown.values))
    sides = [f"{name}, {side}" for name in fields for side in ("left", "right")]
    header = [
        "pair",
        "left_source",
        "left_id",
        "right_source",
        "right_id",
        *sides,
        "weight",
        "stratum",
        "decision",
        "review",
    ]
    lines = []
    for number, (shown, bits, stratum) in enumerate(rows, 1):
        values = [value for name in fields for value in shown.values.get(name, (None, None))]
        texts = [_one_line(text) for text in (*shown.left, *shown.right, *values)]
        lines.append([number, *texts, f"{bits:.3f}", sample.of.name(stratum), "", _name(key)])
    documents.write_json(key, key_path(path))
    plain.write_csv(plain.columns_of([_one_line(name) for name in header], lines), path, mark=True)


def read_decisions(path: Path) -> tuple[list[Decision], Strata]:
    """The decisions of a review, by pair, and its strata. DataError with the line of the first row that is
    not as it should be.

    Of the CSV only `pair`, `decision` and `review` are read; separators may be commas, semicolons or tabs, as
    spreadsheets write them.
    """
    beside = key_path(path)
    if not path.exists():
        raise DataError(path, "is not there", "check the path")
    if not beside.exists():
        raise DataError(
            path, f"{beside.name}, which was written with the review, is not beside it", "put it there"
        )
    key = documents.read_object(beside, "threshold", "cuts", "sizes", "pairs")
    name, known = _name(key), key["pairs"]
    said: dict[int, Word] = {}
    for where, pair, decision, review in _rows(path):
        if review.strip() != name:
            raise DataError(
                where,
                "is of another review than the JSON file beside",
                "put the file that came with it beside it",
            )
        number = int(pair) if pair.strip().isdecimal() and len(pair) < 12 else 0
        if not 1 <= number <= len(known):
            raise DataError(where, "has no number of a pair of this review", "restore the column `pair`")
        if number in said:
            raise DataError(where, f"decides pair {number:,} a second time", "keep one of the rows")
        word = decision.strip().lower()
        if word not in (*WORDS, ""):
            raise DataError(
                where, "has another decision than match, no or unsure", "write one of them, or nothing"
            )
        said[number] = cast(Word, word)
    missing = next((number for number in range(1, len(known) + 1) if number not in said), None)
    if missing is not None:
        raise DataError(
            path, f"lacks pair {missing:,}", "restore its row; leave `decision` empty where nobody decided"
        )
    decisions = [
        Decision(
            pair=number,
            left=Record(*each[:2]),
            right=Record(*each[2:4]),
            bits=float(each[4]),
            stratum=int(each[5]),
            decision=said[number],
        )
        for number, each in enumerate(known, 1)
    ]
    return decisions, Strata(key["threshold"], tuple(key["cuts"]), tuple(key["sizes"]))


def _rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Where it stands, and the cells that are read, of each row. What else a spreadsheet did to the encoding
    does not matter."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            line = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=of_text(line).delimiter, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            lacking = next((name for name in _OWN if name not in header), None)
            if lacking is not None:
                raise DataError(f"{path}: line 1", f"names no column `{lacking}`", "restore the first line")
            places = [header.index(name) for name in _OWN]
            for cells in reader:
                where = f"{path}: line {reader.line_num}"
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise DataError(where, f"has {len(cells)} cells, not {len(header)}", "restore the row")
                pair, decision, review = (cells[place] for place in places)
                yield where, pair, decision, review
    except FileNotFoundError:
        raise DataError(path, "is not there", "check the path") from None
    except (csv.Error, IsADirectoryError):
        raise DataError(path, "does not read as CSV", "save it as CSV again") from None


def _one_line(text: str | None) -> str:
    return " ".join((text or "").splitlines())


def _name(key: Mapping[str, Any]) -> str:
    """The name of a review, twelve letters that follow from what it holds; letters, for a spreadsheet would
    round a number."""
    digest = digests.digest(json.loads(json.dumps(key)))
    return digest[:12].translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))


def decided_links(decisions: Sequence[Decision]) -> Links:
    """The pairs that people decided, in the order of the review; unsure ones are in neither."""
    must = tuple((each.left, each.right) for each in decisions if each.decision == "match")
    return Links(must, tuple((each.left, each.right) for each in decisions if each.decision == "no"))
