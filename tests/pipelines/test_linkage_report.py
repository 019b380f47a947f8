"""The report of a linkage: what it says, that it runs nothing it was handed, and how a browser shows it."""

from __future__ import annotations

import re
import stat
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipelines.linkage import report_charts as charts
from pipelines.linkage import report_words as words
from pipelines.linkage.report import Doubtful, Example, Member, Step, summary, write_report
from tests.browser import CHROMIUM, FLAGS

# The page stands in a frame of the asked width, because a browser's window cannot be as narrow as a
# telephone. All <details> are opened; a text that leaves its picture is counted.
FRAME = """<!doctype html><title>waiting</title><body style="margin:0">
<iframe src="report.html" style="border:0;width:{width}px;height:9000px" onload="
const page = this.contentDocument, root = page.documentElement;
for (const each of page.querySelectorAll('details')) each.open = true;
const out = [...page.querySelectorAll('svg[role=img] text')].filter(text => {{
  const box = text.getBoundingClientRect(), around = text.closest('svg[role=img]').getBoundingClientRect();
  return box.right > around.right + 1 || box.left < around.left - 1 || box.bottom > around.bottom + 2;
}}).map(text => text.textContent);
const drawn = page.querySelectorAll('svg').length;
document.title = [root.scrollWidth, page.body.scrollWidth, drawn, out.length].join(' ');
document.body.dataset.out = out.join('|');"></iframe>"""
ELSEWHERE = re.compile(
    r"(?:src|srcset|href|data)\s*=\s*[\"'](?!#)|url\(|@import|<script|<link|<img|<iframe|http:|https:", re.I
)
HOSTILE = "<script>alert('1')</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}"


def level(name: str, m: float, u: float, bits: float) -> dict[str, Any]:
    return {"level": name, "m": m, "u": u, "bits": bits}


def model() -> dict[str, Any]:
    """What a large linkage leaves."""
    names = [
        level("different", 0.02, 0.97, -5.6),
        level("jaro_winkler 0.92", 0.08, 0.0009, 6.474),
        level("equal", 0.9, 0.0007, 10.328),
    ]
    birth = [
        level("different", 0.01, 0.93, -6.539),
        level("year", 0.01, 0.03, -1.585),
        level("day_month_swapped", 0.02, 0.0002, 6.644),
        level("equal", 0.96, 0.00003, 14.966),
    ]
    number = [
        level("different", 0.05, 0.999, -4.32),
        level("damerau_levenshtein 2", 0.03, 0.0004, 6.2),
        level("equal", 0.92, 0.0000001, 23.1),
    ]
    rules = (
        ("surname sound, given_name sound, postcode prefix 3, birth year", 41_234_567),
        ("birth", 9_000_000),
        ("number", 1_200),
    )
    return {
        "prior_bits": -18.3,
        "fields": {"given_name": names, "surname": names, "birth": birth, "number": number},
        "rarity": {"given_name": {"most_bits": 6.0, "least_bits": -2.5}},
        "dependence": [{"fields": ["given_name", "number"], "bits_at_most": 1.9}],
        "trained_by": {"given_name": ["birth"], "surname": ["birth", "number"], "number": []},
        "notes": ["the rule number fixes birth, which is trained by other rules"],
        "threshold": 3.0,
        "expected_precision": 0.99812,
        "expected_recall": 0.9713,
        "curve": [
            {
                "bits": cut,
                "precision": None if cut > 28 else 1 / (1 + 2.0 ** -(cut + 4)),
                "recall": 1 / (1 + 2.0 ** ((cut - 18) / 2)),
            }
            for cut in range(-10, 31)
        ],
        "pairs_by_bits": {
            str(bit): int(4e7 * 2.0 ** -(bit + 30)) + 40 * max(0, 20 - abs(bit - 20))
            for bit in range(-30, 45)
            if bit != 1
        },
        "blocking": [
            {
                "keys": keys,
                "pairs_at_most": 2 * new,
                "new_pairs": new,
                "blocks": new // 7,
                "largest_blocks": [4_000, 3_999, 12],
                "blocks_divided": 2,
                "rows_left_out": 17,
                "seconds_a_core": 10.3,
            }
            for keys, new in rules
        ],
        "records": {"hospital": 912_345, "register": 1_002_001},
        "clusters": {
            "number": 1_000_917,
            "sizes": {"1": 400_000, "2": 300_120, "3": 4_000, "12": 3, "1200": 1},
            "cut_links": 1_234,
            "conflicts": 56,
        },
        "run": {"pairs": 50_235_767, "cpu_seconds": {"encode": 5.12, "score": 1_061.2}, "peak_mib": 2_048},
    }


def example(left: str | None = None, right: str | None = None) -> Example:
    steps = (
        Step("given_name", "jaro_winkler 0.92", 6.474, left, right),
        Step("birth", "equal", 14.966),
        Step("number", "different", -4.32),
    )
    return Example("hospital 1", "register 2", steps, 1.0)


def doubtful(values: dict[str, str | None] | None = None) -> Doubtful:
    return Doubtful("cluster 77", (Member("hospital 1", values), Member("register 2")), -0.5)


def written(
    folder: Path,
    content: dict[str, Any],
    examples: list[Example],
    clusters: list[Doubtful],
    title: str = "Linkage",
) -> str:
    path = folder / "report.html"
    write_report(path, content, title, examples, clusters)
    return path.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_first_line_says_what_came_out() -> None:
    assert summary(model()) == (
        "1,914,346 records of 2 sources were linked: 50,235,767 pairs were compared, about 15,880 are links, "
        "and the records are those of "
        "1,000,917 persons. Of the links, 99.81% are expected to be right (precision). Of the compared pairs "
        "that are one person, "
        "97.13% are expected to be linked (recall)."
    )
    known = model()
    known["clusters"]["links"] = 12_345
    assert "12,345 are links" in summary(known)


def test_the_page_is_complete_and_names_nothing_outside(tmp_path: Path) -> None:
    page = written(tmp_path, model(), [example()], [doubtful()])
    read = Elements(page)
    assert ELSEWHERE.findall(page) == []
    pictures = [
        attributes for tag, attributes in read.tags if tag == "svg" and attributes.get("role") == "img"
    ]
    assert len(pictures) == 6
    assert all(len(each["aria-label"] or "") > 20 for each in pictures)
    assert sum(tag == "details" for tag, _ in read.tags) == len(pictures)
    for text in (
        "1,234 links above",
        "41,234,567",
        "cluster 77",
        "Values are not shown here",
        "1,061.2",
        "given_name and number: up to 1.90 bits",
    ):
        assert text in read.text
    inside = {attributes["href"] for tag, attributes in read.tags if tag == "a"}
    assert inside == {f"#{attributes['id']}" for tag, attributes in read.tags if tag == "section"}


def test_the_same_result_gives_the_same_page_for_its_owner_alone(tmp_path: Path) -> None:
    first = written(tmp_path, model(), [example()], [doubtful()])
    assert first == written(tmp_path, model(), [example()], [doubtful()])
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_values_stand_only_where_they_were_given(tmp_path: Path) -> None:
    shown = Elements(
        written(tmp_path, model(), [example("Åsa", None)], [doubtful({"surname": "Öberg", "birth": None})])
    ).text
    assert "jaro_winkler 0.92 (Åsa · –)" in shown
    assert "Öberg" in shown
    assert "Values are not shown here" not in shown


def test_what_is_hostile_is_shown_and_not_run(tmp_path: Path) -> None:
    content = model()
    content["fields"][HOSTILE] = content["fields"].pop("number")
    content["fields"][HOSTILE][1]["level"] = HOSTILE
    content["trained_by"][HOSTILE], content["notes"] = [HOSTILE], [HOSTILE]
    content["blocking"][0]["keys"] = HOSTILE
    content["records"][HOSTILE] = 1
    content["dependence"] = [{"fields": [HOSTILE, HOSTILE], "bits_at_most": 1.0}]
    content["run"]["cpu_seconds"][HOSTILE] = 1.0
    pair = Example(HOSTILE, HOSTILE, (Step(HOSTILE, HOSTILE, 1.0, HOSTILE, HOSTILE),), 2.0)
    cluster = Doubtful(HOSTILE, (Member(HOSTILE, {HOSTILE: HOSTILE}),), 1.0)
    page = written(tmp_path, content, [pair], [cluster], HOSTILE)
    read = Elements(page)
    assert {tag for tag, _ in read.tags} & {"script", "img"} == set()
    assert not [key for _, attributes in read.tags for key in attributes if key.startswith("on")]
    assert read.text.count(HOSTILE) > 15
    assert "49" not in read.text.replace(HOSTILE, "").split()
    assert '="<' not in page


@pytest.mark.parametrize("text", ["\ud800 alone", "a\x00b", "🙂", "ﷺ" * 200])
def test_any_text_gives_a_page(text: str, tmp_path: Path) -> None:
    assert "</html>" in written(
        tmp_path,
        model(),
        [Example(text, text, (Step(text, text, 0.0),), 0.0)],
        [Doubtful(text, (), 0.0)],
        text,
    )


def test_an_empty_linkage_gives_a_page(tmp_path: Path) -> None:
    nothing = {
        "prior_bits": 0.0,
        "fields": {},
        "threshold": 3.5,
        "expected_precision": None,
        "expected_recall": None,
        "curve": [],
        "pairs_by_bits": {},
        "blocking": [],
        "records": {},
        "clusters": {"number": 0, "sizes": {}},
    }
    page = written(tmp_path, nothing, [], [])
    assert page.count("Nothing to show.") == 5
    assert "nan" not in page


@pytest.mark.parametrize("pairs", [{"5": 1}, {"-400": 1, "400": 10**12}, {"0": 3, "1": 0}])
def test_a_histogram_of_few_or_far_pairs_is_drawn(pairs: dict[str, int]) -> None:
    svg = charts.histogram(pairs, 3.0).svg
    places = [float(number) for number in re.findall(r'(?:x|x1|x2|width)="(-?[\d.]+)%"', svg)]
    assert places
    assert all(0 <= place <= 100 for place in places)
    assert svg.count("<rect") == sum(number > 0 for number in pairs.values())


def test_a_waterfall_ends_at_the_weight_of_the_pair() -> None:
    chart = charts.waterfall(-18.0, [("name", "equal", 10.0), ("birth", "different", -6.0)], -12.5)
    assert [row[-1] for row in chart.data.rows] == ["−18.00", "−8.00", "−14.00", "−12.50"]
    assert chart.data.rows[-1][0] == "fields that go together, rare values"
    assert "together" in chart.svg
    assert len(charts.waterfall(-1.0, [("name", "equal", 10.0)], 9.0).data.rows) == 2


@pytest.mark.parametrize(
    ("bits", "text"), [(0.0, "50.00%"), (-40.0, "below 0.01%"), (2000.0, "above 99.99%"), (3.0, "88.89%")]
)
def test_a_weight_as_a_probability(bits: float, text: str) -> None:
    assert words.odds(bits) == text


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("kind", ["usual", "hostile"])
def test_the_page_fits_its_window(kind: str, width: int, tmp_path: Path) -> None:
    long = "W" * 300 if kind == "hostile" else ""
    content = model()
    content["fields"][f"number{long}"] = content["fields"].pop("number")
    if long:
        content["blocking"][0]["keys"] = content["notes"][0] = long
        content["records"][long] = 5
    examples = [
        example("Anna-Karin", "Ana Karin"),
        Example(long or "a", long or "b", (Step(long or "x", "equal", 3.0),), 30.0),
    ]
    written(
        tmp_path,
        content,
        examples,
        [doubtful({"surname": long or "Öberg", "birth": "1970-01-01"})],
        long or "Linkage of two registers",
    )
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    assert CHROMIUM
    ran = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1400,2000",
            "--virtual-time-budget=5000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    title = re.search(r"<title>([\d ]+)</title>", ran.stdout)
    assert title, ran.stderr[-500:]
    document, body, pictures, out = map(int, title[1].split())
    assert max(document, body) <= width
    assert pictures == 8
    assert kind == "hostile" or out == 0, re.findall(r'data-out="([^"]*)"', ran.stdout)
