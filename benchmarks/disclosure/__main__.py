"""python -m benchmarks.disclosure [--sizes 1e3,1e4,1e5] [--folder DIR]: `uttag protect` on made-up cubes, and
beside acro on one crosstab.

Every run is a process of its own, and every folder is verified. acro hides small cells and no others, so its
cells are compared with the small cells of ours.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.disclosure import made

PEER_PYTHON = Path(".venv-bench/bin/python")
UTTAG = Path(sys.executable).with_name("uttag").absolute()
ATTACKERS = {
    "sums": {"attacker": "sums", "singletons": False},
    "rule, and who is alone": {"attacker": "rule", "singletons": True},
}


def run(*arguments: object) -> dict[str, Any]:
    """What a command printed and used. Raises SystemExit where it failed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begun = time.perf_counter()
        process = subprocess.Popen([UTTAG, *map(str, arguments)], stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        for each in (out, err):
            each.seek(0)
        if process.returncode:
            raise SystemExit(f"uttag {arguments[0]}: {err.read().strip()}\n{out.read()}")
        return {
            "cpu": used.ru_utime + used.ru_stime,
            "wall": wall,
            "peak_mib": used.ru_maxrss // 1024,
            "said": out.read(),
        }


def cubes(folder: Path, sizes: list[str]) -> None:
    """Protect and verify made-up cubes of several sizes against several attackers."""
    print(
        "| cells | small | attacker | hidden besides | persons in these | of all | CPU s | wall s | MiB | "
        "verify CPU s |"
    )
    print("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for size in sizes:
        for attacker, policy in ATTACKERS.items():
            here = folder / f"{size}-{policy['attacker']}"
            specification = made.write(here, size, **policy)
            if size == sizes[0]:  # kernels are compiled once
                run("protect", specification, "--out", here / "out")
            used = run("protect", specification, "--out", here / "out", "--json")
            told = json.loads(used["said"])["tables"][0]
            verified = run("verify", here / "out")
            lost = f"{told['value_to_protect']:,} | {100 * told['value_to_protect'] / told['value']:.2f} %"
            took = f"{used['cpu']:.1f} | {used['wall']:.1f} | {used['peak_mib']:,} | {verified['cpu']:.1f}"
            print(
                f"| {told['cells']:,} | {told['small']:,} | {attacker} | {told['to_protect_small']:,} | "
                f"{lost} | {took} |",
                flush=True,
            )


def beside_acro(folder: Path) -> None:
    """One crosstab of 1,080 cells of 20,000 persons. Raises SystemExit where the peer failed."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(made.SEED)
    columns = [
        random.integers(0, 30, 20_000),
        random.integers(0, 6, 20_000),
        random.zipf(1.6, 20_000).clip(max=6),
    ]
    with (folder / "persons.csv").open("w", newline="") as out:
        csv.writer(out).writerows(
            [("region", "age", "diag"), *zip(*(each.tolist() for each in columns), strict=True)]
        )
    dimensions = {name: {"levels": [name]} for name in ("region", "age", "diag")}
    policy = {"minimum": 10, "zeros": "protected", "attacker": "sums", "singletons": False}
    (folder / "spec.yaml").write_text(
        yaml.safe_dump({"table": "persons.csv", "dimensions": dimensions, "policy": policy}, sort_keys=False)
    )
    run("protect", folder / "spec.yaml", "--out", folder / "out")
    ours = run("protect", folder / "spec.yaml", "--out", folder / "out")
    run("verify", folder / "out")
    ran = subprocess.run(
        [PEER_PYTHON, "-m", "benchmarks.disclosure.acro_side", folder],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(ran.stdout.splitlines()[-1])
    cells, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    known = {
        tuple(map(str, cell)): int(count) for cell, count in zip(cells.tolist(), counts.tolist(), strict=True)
    }
    small = [
        list(map(str, (r, a, d)))
        for r in range(30)
        for a in range(6)
        for d in range(1, 7)
        if known.get((str(r), str(a), str(d)), 0) < 10
    ]
    with (folder / "out" / "table.csv").open(newline="") as source:
        hidden = [
            [row["region"], row["age"], row["diag"]] for row in csv.DictReader(source) if not row["value"]
        ]
    if sorted(small) != theirs["hidden"] or not {tuple(each) for each in small} <= {
        tuple(each) for each in hidden
    }:
        raise SystemExit("disclosure: the small cells differ")
    print(
        f"\nA crosstab of 1,080 cells, {len(small):,} of them small, which acro 1.0.2 hides, and uttag with "
        "what protects them.\n"
    )
    print("| | CPU s | ratio | wall s | MiB |\n| --- | ---: | ---: | ---: | ---: |")
    for name, each in (("uttag", ours), ("acro", theirs)):
        print(
            f"| {name} | {each['cpu']:.1f} | {each['cpu'] / ours['cpu']:.1f} | {each['wall']:.1f} | "
            f"{each['peak_mib']:,} |"
        )


def main() -> None:
    """Every size against every attacker, then the crosstab."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disclosure", description=__doc__)
    parser.add_argument("--sizes", default="1e3,1e4,1e5", help=f"of {', '.join(made.SIZES)}")
    parser.add_argument(
        "--folder", type=Path, default=Path(os.environ.get("TMPDIR", "/tmp")) / "uttag-bench-disclosure"
    )
    given = parser.parse_args()
    print(
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}; "
        f"{time.strftime('%F')}\n"
    )
    cubes(given.folder, given.sizes.split(","))
    beside_acro(given.folder / "crosstab")


if __name__ == "__main__":
    main()
