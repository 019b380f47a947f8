"""`make bench`: every comparison, as a table. Each side runs in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import identity


@dataclass(frozen=True)
class Comparison:
    """Two functions that give the same answer. Each returns a value to compare and the number of things that
    it did."""

    title: str
    unit: str
    ours: Callable[[], tuple[Any, int]]
    peer: Callable[[], tuple[Any, int]]
    peer_name: str


COMPARISONS = {
    "identity": Comparison(
        "identity numbers checked", "numbers", identity.ours, identity.peer, identity.PEER
    ),
}


def side(name: str, which: str) -> None:
    """Run one side in this process, warm it up, and print what it gave and used."""
    work = getattr(COMPARISONS[name], which)
    work()
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    answer, count = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    used = {"cpu": cpu, "wall": time.perf_counter() - begun, "peak": after.ru_maxrss / 1024}
    print(json.dumps({"answer": answer, "count": count, **used}))


def measured(name: str, which: str) -> dict[str, Any]:
    """What a process of its own printed."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, which], capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    """Print every comparison. Raises SystemExit where two answers differ."""
    if len(sys.argv) == 3:
        side(sys.argv[1], sys.argv[2])
        return
    print(
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}; "
        f"{time.strftime('%Y-%m-%d')}\n"
    )
    print(
        "| what | peer | ratio of CPU | ours CPU s | peer CPU s | ours MiB | peer MiB |\n| --- | --- | ---: "
        "| ---: | ---: | ---: | ---: |"
    )
    for name, each in COMPARISONS.items():
        ours, peer = measured(name, "ours"), measured(name, "peer")
        if ours["answer"] != peer["answer"]:
            raise SystemExit(f"{name}: the answers differ")
        each_ours, each_peer = ours["cpu"] / ours["count"], peer["cpu"] / peer["count"]
        figures = (
            f"{each_peer / each_ours:.1f} | {ours['cpu']:.3f} | {peer['cpu']:.3f} | "
            f"{ours['peak']:.0f} | {peer['peak']:.0f} |"
        )
        print(f"| {ours['count']:,} {each.title} | {each.peer_name} on {peer['count']:,} | {figures}")


if __name__ == "__main__":
    main()
