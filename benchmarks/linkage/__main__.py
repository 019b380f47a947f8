"""python -m benchmarks.linkage [--records N] [--peers splink,goldenmatch] [--folder DIR]: all engines on the
same records, as a table.

Peers run with the Python of .venv-bench, ours as `uttag link SETTINGS --out DIR`. The number of pairs is
compared first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.linkage import people, score, sets

PEER_PYTHON = Path(".venv-bench/bin/python")
SETTINGS = Path(__file__).with_name("settings.yaml")
PHASES = ("block", "score", "predict")
"""Names of the phases that make and score pairs, whichever of them an engine has."""


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peer(name: str, folder: Path) -> dict[str, Any]:
    """What a peer's side printed. Raises SystemExit where it failed."""
    ran = subprocess.run(
        [PEER_PYTHON, "-m", f"benchmarks.linkage.{name}_side", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(f"{name}: {ran.stderr.strip().splitlines()[-1]}")
    return json.loads(ran.stdout.splitlines()[-1])


def ours(folder: Path, out: Path) -> dict[str, Any]:
    """One call of `uttag link`, after one that compiled what was not compiled yet."""
    settings = folder / SETTINGS.name
    settings.write_text(SETTINGS.read_text(encoding="utf-8"), encoding="utf-8")
    command = [Path(sys.executable).with_name("uttag").absolute(), "link", settings, "--out", out]
    subprocess.run(command, check=True, capture_output=True)
    before, begun = _children(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    wall, cpu = time.perf_counter() - begun, _children() - before
    run = json.loads((out / "model.json").read_text(encoding="utf-8"))["run"]
    records = sets.made_up(folder)
    ids, person = records.ids(), records.persons()
    return {
        "engine": "uttag",
        "pairs": run["pairs"],
        "cpu_seconds": {**run["cpu_seconds"], "all": round(cpu, 2)},
        "wall_seconds": round(wall, 2),
        "peak_mib": run["peak_mib"],
        **_answers(out, ids, person),
    }


def _answers(out: Path, ids: np.ndarray, person: np.ndarray) -> dict[str, Any]:
    """F1 of links.parquet (left_id, right_id, probability, weight) and clusters.parquet (record_id,
    cluster_id), if they are there."""
    true, found = score.true_pairs(person), {}
    if (out / "clusters.parquet").exists():
        table = pq.read_table(out / "clusters.parquet")
        cluster = np.full(len(ids), -1, np.int64)
        at = score.ranks(table["record_id"].to_numpy().astype("U"), ids)
        cluster[at] = np.unique(table["cluster_id"].to_numpy(), return_inverse=True)[1]
        alone = np.flatnonzero(cluster < 0)
        cluster[alone] = len(ids) + alone
        found["clustered"] = score.clusters(cluster, person)
    if (out / "links.parquet").exists():
        table = pq.read_table(out / "links.parquet")
        left, right = (
            score.ranks(table[side].to_numpy().astype("U"), ids) for side in ("left_id", "right_id")
        )
        sure = table["probability"].to_numpy() >= 0.95
        found["pairwise"] = score.pairs(left[sure], right[sure], person, true)
        found["best"] = score.best(left, right, table["weight"].to_numpy(), person, true)
    return found


def making_pairs(result: dict[str, Any]) -> float:
    """CPU seconds for blocking and scoring."""
    return max(sum(result["cpu_seconds"].get(phase, 0) for phase in PHASES), 0.01)


def table(results: list[dict[str, Any]]) -> str:
    """As Markdown; ratios are to the first."""
    base = results[0]
    head = (
        "| engine | pairs | CPU s | ratio | block + score CPU s | ratio | wall s | MiB | ratio | F1 "
        "pairs | best | F1 clusters |"
    )
    lines = [head, "| --- |" + " ---: |" * 11]
    for each in results:
        f1 = [f"{each[kind]['f1']:.4f}" if kind in each else "" for kind in ("pairwise", "best", "clustered")]
        seconds, scoring = each["cpu_seconds"]["all"], making_pairs(each)
        cells = [
            each["engine"],
            f"{each['pairs']:,}",
            f"{seconds:.1f}",
            f"{seconds / base['cpu_seconds']['all']:.1f}",
            f"{scoring:.1f}",
            f"{scoring / making_pairs(base):.1f}",
            f"{each['wall_seconds']:.1f}",
            f"{each['peak_mib']:,.0f}",
            f"{each['peak_mib'] / base['peak_mib']:.1f}",
            *f1,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Make the records if they are not there, and run every engine. Raises SystemExit where two compare other
    numbers of pairs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.linkage", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--peers", default="splink,goldenmatch")
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("TMPDIR", "/tmp")) / "uttag-bench")
    parser.add_argument("--without-ours", action="store_true", help="peers alone")
    given = parser.parse_args()
    folder = (given.folder / str(given.records)).absolute()
    if not (folder / "truth.parquet").exists():
        people.write(folder, given.records)
    results = [] if given.without_ours else [ours(folder, folder / "uttag")]
    for name in filter(None, given.peers.split(",")):
        results.append(peer(name, folder))
        if results[-1]["pairs"] != results[0]["pairs"]:
            raise SystemExit(
                f"{name} compares {results[-1]['pairs']:,} pairs, {results[0]['engine']} "
                f"{results[0]['pairs']:,}"
            )
    print(
        f"{given.records:,} records; {platform.machine()}, {len(os.sched_getaffinity(0))} cores; "
        f"{time.strftime('%Y-%m-%d')}\n"
    )
    print(table(results))


if __name__ == "__main__":
    main()
