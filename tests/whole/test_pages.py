"""The pages as a browser shows them, wide and narrow: nothing sticks out sideways, no picture is broken,
nothing comes from elsewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pipelines.release.publish import latest
from pipelines.site.site import Site
from tests import sites
from tests.browser import CHROMIUM, FLAGS
from workflows.demo.report import write_report

PAGES = ("bundle", "catalogue", "report", "cohort")
# The page stands in a frame of the asked width, because a browser's window cannot be as narrow as a
# telephone.
FRAME = """<!doctype html><title>waiting</title><body style="margin:0">
<iframe src="{page}" style="border:0;width:{width}px;height:2000px" onload="
const page = this.contentDocument, root = page.documentElement;
const pictures = page.querySelectorAll('img, svg').length;
const broken = [...page.images].filter(image => !image.complete || !image.naturalWidth).length;
const words = page.body.innerText.length;
document.title = [root.scrollWidth, page.body.scrollWidth, pictures, broken, words].join(' ');"></iframe>"""
ELSEWHERE = re.compile(
    r"""(?:src|srcset|poster|data)\s*=\s*["']?(?:[a-z]+:)?//|<link[^>]*(?:[a-z]+:)?//"""
    r"""|url\(\s*["']?(?:[a-z]+:)?//|@import|<script[^>]*\ssrc|fetch\(|XMLHttpRequest|import\(""",
    re.I,
)


@pytest.fixture(scope="module")
def shown(first_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The region after its first night, with its report."""
    root = sites.copy_of(first_night, tmp_path_factory.mktemp("shown") / "site")
    write_report(Site.load(root))
    return root


def page(root: Path, name: str) -> Path:
    pages = {"catalogue": root / "release" / "index.html", "report": root / "report" / "index.html"}
    if name == "cohort":
        return next((root / "projects" / "diabetes" / "runs").glob("*/cohort.html"))
    return pages[name] if name in pages else latest(Site.load(root), "diabetes") / "index.html"


def measured(path: Path, width: int, profile: Path) -> list[int]:
    """Of the page at that width: widths of document and body, pictures, broken pictures, letters."""
    frame = path.parent / f"frame-{width}.html"
    frame.write_text(FRAME.format(page=path.name, width=width), encoding="utf-8")
    assert CHROMIUM
    ran = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            "--allow-file-access-from-files",
            f"--user-data-dir={profile}",
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
    frame.unlink()
    title = re.search(r"<title>([\d ]+)</title>", ran.stdout)
    assert title, ran.stderr[-500:]
    return [int(number) for number in title[1].split()]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_window_and_shows_its_pictures(
    name: str, width: int, shown: Path, tmp_path: Path
) -> None:
    document, body, pictures, broken, letters = measured(page(shown, name), width, tmp_path)
    assert max(document, body) <= width
    assert broken == 0
    assert letters > 200
    assert pictures > 0 or name == "catalogue"


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine")
def test_what_sticks_out_or_is_broken_is_seen(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text('<!doctype html><p style="width:900px">wide</p><img src="missing.png">', encoding="utf-8")
    document, _, pictures, broken, _ = measured(bad, 390, tmp_path / "profile")
    assert document > 390
    assert (pictures, broken) == (1, 1)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_no_outside_asset_and_asks_for_nothing(name: str, shown: Path) -> None:
    assert ELSEWHERE.findall(page(shown, name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        '<img src="//cdn.example/x.png">',
        "<link rel=stylesheet href=https://cdn.example/x.css>",
        "url( 'http://x/y' )",
        "<script async src=a.js>",
    ],
)
def test_an_outside_asset_would_be_seen(text: str) -> None:
    assert ELSEWHERE.search(text)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name: str, shown: Path) -> None:
    path = page(shown, name)
    links = re.findall(r'(?:href|src)="([^"#]+)"', path.read_text(encoding="utf-8"))
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in inside if not (path.parent / link).exists()] == []
    assert inside or name in ("catalogue", "cohort")  # which lead nowhere
