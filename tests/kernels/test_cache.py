"""Ranks and workers that compile at once into one folder do not take each other's loops."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from numba.core.caching import IndexDataCacheFile

ROOT = Path(__file__).parents[2]
SAVE = """
import sys, time
from numba.core.caching import IndexDataCacheFile
import kernels.jit
load = IndexDataCacheFile._load_index
def slowly(self):
    found = load(self)
    time.sleep(.2)  # as long as others need to read the same
    return found
IndexDataCacheFile._load_index = slowly
IndexDataCacheFile(sys.argv[1], "loop-1", "stamp").save(sys.argv[2], "compiled for " + sys.argv[2])
"""


def test_what_several_processes_save_at_once_is_all_there_and_each_its_own(tmp_path: Path) -> None:
    keys = [f"signature {number}" for number in range(4)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen([sys.executable, "-c", SAVE, tmp_path, key], env=environment) for key in keys]
    assert [each.wait(120) for each in running] == [0] * len(keys)
    saved = IndexDataCacheFile(str(tmp_path), "loop-1", "stamp")
    assert {key: saved.load(key) for key in keys} == {key: f"compiled for {key}" for key in keys}
