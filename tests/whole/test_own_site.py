"""The page that makes a site from nothing: every file on it is written and every command given, in the order
of the page, and what came out must be what stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sites
from tests.amount import LONG

PAGE = Path(__file__).parents[2] / "docs" / "own-site.md"
DATA = sites.REFERENCE / "cohort" / "gibleed"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"# exit (\d+)")


def blocks() -> Iterator[tuple[str, str]]:
    """Kind and text of each fenced block, from the top of the page."""
    yield from _BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def commands(text: str) -> list[str]:
    """One command each; what is indented, or ends a loop, belongs to the line before."""
    return re.split(r"\n(?! |done)", text.strip())


def missing(expected: str, said: str) -> list[str]:
    """The first line of a page's output that did not come out in its place. `…` stands for anything, a line
    of its own for any number of lines."""
    came, lost = iter(said.splitlines()), []
    for line in (line for line in expected.splitlines() if line.strip() not in ("", "…")):
        pattern = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("…")))
        if not any(pattern.fullmatch(each.rstrip()) for each in came):
            lost.append(line)
            break
    return lost


def test_an_output_must_come_in_its_order() -> None:
    assert missing("a\n…\nd …", "a\nb\nc\nd 12 s\n") == []
    assert missing("d …\na", "a\nd 12 s\n") == ["a"]


@pytest.mark.skipif(not LONG, reason="a minute and a half; make test-long does")
def test_what_the_page_says_is_what_happens(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("GiBleed is not in ../shared/reference")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GIBLEED": str(DATA)}
    said, given = "", 0
    for kind, text in blocks():
        named = re.match(r"# (\S+/\S+|\S+\.py)\n", text)
        if kind in ("yaml", "python") and named:
            file = tmp_path / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        elif kind == "sh":
            said = ""
            for command in commands(text):
                ran = subprocess.run(
                    ["bash", "-c", command],
                    cwd=tmp_path,
                    env=environment,
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=600,
                    check=False,
                )
                agreed = _EXIT.search(command)
                assert ran.returncode == (int(agreed[1]) if agreed else 0), f"{command}\n{ran.stdout[-2000:]}"
                said, given = said + ran.stdout, given + 1
        elif kind == "text":
            assert missing(text, said) == [], said[-4000:]
    assert given > 20
