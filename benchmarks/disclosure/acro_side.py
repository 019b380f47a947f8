"""acro's side, in an environment of its own: one crosstab with its small cells hidden, and the sessions in
which hidden cells come out."""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from pathlib import Path

import pandas as pd
from acro import ACRO


def main() -> None:
    """Print the hidden cells of `persons.csv` by region, age and diagnosis, and what it took."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    persons = pd.read_csv(Path(sys.argv[1]) / "persons.csv", dtype=str)
    session, begun = ACRO(suppress=True), time.perf_counter()
    table = session.crosstab([persons.region, persons.age], persons.diag)
    used = resource.getrusage(resource.RUSAGE_SELF)
    hidden = [
        [*map(str, row), str(column)] for column in table.columns for row in table.index[table[column].isna()]
    ]
    print(
        json.dumps(
            {
                "hidden": sorted(hidden),
                "cpu": round(used.ru_utime + used.ru_stime, 2),
                "wall": round(time.perf_counter() - begun, 2),
                "peak_mib": used.ru_maxrss // 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
