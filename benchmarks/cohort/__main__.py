"""python -m benchmarks.cohort [--events N] [--folder DIR]: one question, and a hundred, over sealed shards
and over plain Parquet.

Every side runs in a process of its own; answers are compared first. The hundred are asked of ours alone,
where they share what is read.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.cohort import events
from benchmarks.cohort.sides import SIDES


def measured(side: str, folder: Path, questions: int = 1) -> dict[str, Any]:
    """The best of three runs, by CPU."""
    command = [sys.executable, "-m", "benchmarks.cohort.sides", side, str(folder), str(questions)]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    return min(runs, key=lambda run: run["cpu"])


def main() -> None:
    """Make the events if they are not there, and ask every side. Raises SystemExit where answers differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cohort", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument(
        "--folder", type=Path, default=Path(os.environ.get("TMPDIR", "/tmp")) / "uttag-bench-cohort"
    )
    given = parser.parse_args()
    folder = (given.folder / str(given.events)).absolute()
    if not (folder / "built.json").exists():
        events.write(folder, given.events)
    results = {side: measured(side, folder) for side in SIDES}
    if len({json.dumps(each["answers"]) for each in results.values()}) > 1:
        raise SystemExit("cohort: the answers differ")
    hundred = measured("uttag", folder, 100)
    built = json.loads((folder / "built.json").read_text(encoding="utf-8"))
    versions = f"Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    print(f"{given.events:,} events; {platform.machine()}, {versions}, {time.strftime('%F')}\n")
    print("| one question | CPU s | ratio | wall s | MiB |\n| --- | ---: | ---: | ---: | ---: |")
    for side, each in results.items():
        print(
            f"| {side} | {each['cpu']:.3f} | {each['cpu'] / results['uttag']['cpu']:.1f} | "
            f"{each['wall']:.2f} | {each['peak_mib']:.0f} |"
        )
    saved = min(results["duckdb person"]["cpu"], results["duckdb code"]["cpu"]) - results["uttag"]["cpu"]
    pays = built["postings_cpu_s"] / max(saved, 1e-9)
    print(f"\nA hundred questions: {hundred['cpu']:.2f} CPU s.")
    print(
        f"Building and sealing the postings: {built['postings_cpu_s']} CPU s, which pays after {pays:,.0f} "
        "questions."
    )


if __name__ == "__main__":
    main()
