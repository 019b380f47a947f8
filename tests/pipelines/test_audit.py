"""The log that nobody can rewrite unseen."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.errors import VerificationError
from pipelines.site import audit
from pipelines.site.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text("site: s\nsources: {}\n")
    made = Site.load(tmp_path)
    for number in range(5):
        audit.note(made, "stage", number=number)
    return made


def test_a_log_as_written_verifies(site: Site) -> None:
    assert audit.verify(site, audit.head(site)) == 5


def edit(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"number":1', b'"number":9'), *lines[2:]]


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "edited": edit,
    "deleted": lambda lines: [*lines[:2], *lines[3:]],
    "reordered": lambda lines: [lines[1], lines[0], *lines[2:]],
    "broken": lambda lines: [*lines[:4], lines[4][:-20]],
    "repeated": lambda lines: [*lines, lines[4]],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_log_that_was_changed_does_not_verify(
    site: Site, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    path = audit.log_file(site)
    path.write_bytes(b"\n".join(change(path.read_bytes().splitlines())) + b"\n")
    with pytest.raises(VerificationError):
        audit.verify(site)


def test_a_log_that_was_cut_short_does_not_reach_a_head_noted_elsewhere(site: Site) -> None:
    head, path = audit.head(site), audit.log_file(site)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    assert audit.verify(site) == 3
    with pytest.raises(VerificationError, match="head"):
        audit.verify(site, head)


def test_many_writers_at_once_make_one_chain(site: Site) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: audit.note(site, "stage", number=number), range(40)))
    assert audit.verify(site) == 45
