"""A site of one source and what is delivered to it, for the tests of deliveries."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pipelines.site.acceptance import Verdict, verdicts
from pipelines.site.site import Site
from pipelines.site.snapshot import Snapshot
from tests.intake_site import PEOPLE

GOOD = "id,day,end,code\n" + "".join(f"1,2021-02-{day:02d},,I10\n" for day in range(1, 11))


FILES: dict[str, bytes | str] = {"patients.csv": PEOPLE, "diagnoses.csv": GOOD}


OTHERS = {"patients.csv": PEOPLE, "diagnoses.csv": GOOD.replace("I10", "I11")}


NOTHING = {"patients.csv": PEOPLE, "diagnoses.csv": "id,day,end,code\n"}


ONE_ROW = {"patients.csv": PEOPLE, "diagnoses.csv": "id,day,end,code\n1,2021-02-01,,I10\n"}


def verdict(root: Path, name: str) -> Verdict:
    return next(each for each in verdicts(Site.load(root)) if each.receipt["delivery"] == name)


def counted(root: Path) -> int:
    """Rows of diagnoses in the snapshot."""
    return sum(shard.rows["events"] for shard in Snapshot.load(Site.load(root)).shards)


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def swapped(old: str, new: str) -> Callable[[Path], None]:
    def swap(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return swap
