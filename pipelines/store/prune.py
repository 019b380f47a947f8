"""Making room: old snapshots and the shards that only they use."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from pipelines.site.site import Site
from pipelines.site.snapshot import (
    Snapshot,
    ancestors_file,
    current,
    index_folder,
    shard_folder,
    snapshot_file,
)


def prune(site: Site, keep: int, pinned: Iterable[str] = ()) -> dict[str, int]:
    """Remove all snapshots but the current one, those `pinned` by a permit and the last `keep` published;
    then what no snapshot uses.

    Not to be called while another run reads or builds. Returns how many snapshots, shards, files of
    ancestors and indexes went.
    """
    files = sorted(
        (site.store / "snapshots").glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name)
    )
    last = files[len(files) - max(0, keep) :]
    kept = {current(site), *pinned, *(path.stem for path in last)}
    gone = [path for path in files if path.stem not in kept]
    for path in gone:
        path.unlink()
    standing = [Snapshot.load(site, path.stem) for path in files if snapshot_file(site, path.stem).exists()]
    return {
        "snapshots": len(gone),
        "shards": _remove_all_but(
            shard_folder(site, "x").parent, {shard.hash for each in standing for shard in each.shards}
        ),
        "ancestors": _remove_all_but(
            ancestors_file(site, "x").parent, {each.above[0].name for each in standing if each.above}
        ),
        "indexes": _remove_all_but(index_folder(site, "x").parent, {each.index for each in standing}),
    }


def _remove_all_but(folder: Path, names: set[str]) -> int:
    gone = [path for path in sorted(folder.glob("*")) if path.name not in names]
    for path in gone:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(gone)
