"""python -m benchmarks.aggregation [--events N] [--people N] [--folder DIR]: a cube with its margins, and
follow-up cut by age and year.

Every side runs in a process of its own, on one thread; answers are compared first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.aggregation import made
from benchmarks.aggregation.sides import SIDES

_PEERS = Path(".venv-bench/bin/python")


def measured(side: str, question: str, folder: Path, count: int, runs: int) -> dict[str, Any]:
    """The best run by CPU. Polars stands in the peers' environment."""
    python = str(_PEERS.absolute()) if side == "Polars" else sys.executable
    command = [python, "-m", "benchmarks.aggregation.sides", side, question, str(folder), str(count)]
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    found = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        for _ in range(runs)
    ]
    return min((json.loads(each.stdout) for each in found), key=lambda run: run["cpu"])


def main() -> None:
    """Make what is not there, ask every side, stop where answers differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aggregation", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--people", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--questions", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument(
        "--folder", type=Path, default=Path(os.environ.get("TMPDIR", "/tmp")) / "uttag-bench-aggregation"
    )
    given = parser.parse_args()
    folder = (given.folder / str(given.events)).absolute()
    for place, count in ((folder, given.events), (folder / "small", 1000)):
        if not (place / f"{made.PARTS - 1}.parquet").exists():
            made.events(place, count)
    versions = (
        f"Python {platform.python_version()}, DuckDB {metadata.version('duckdb')}, pandas "
        f"{metadata.version('pandas')}"
    )
    print(
        f"{given.events:,} events, {given.people:,} people; {platform.machine()}, {versions}, "
        f"{time.strftime('%F')}\n",
        flush=True,
    )
    for question in given.questions:
        _compare(question, folder, given.people, given.runs)


def _compare(question: str, folder: Path, people: int, runs: int) -> None:
    sides = [side for side in SIDES[question] if side != "Polars" or _PEERS.exists()]
    results = {side: measured(side, question, folder, people, runs) for side in sides}
    if len({each["answer"] for each in results.values()}) > 1:
        raise SystemExit(f"aggregation: the answers to {question} differ")
    print(f"| {question} | CPU s | ratio | wall s | MiB |\n| --- | ---: | ---: | ---: | ---: |")
    for side, each in results.items():
        print(
            f"| {side} | {each['cpu']:.2f} | {each['cpu'] / results['uttag']['cpu']:.1f} | "
            f"{each['wall']:.2f} | {each['peak_mib']:.0f} |"
        )
    print(flush=True)


if __name__ == "__main__":
    main()
